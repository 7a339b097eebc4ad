"""Laws of `docs/deploy`: what people copy from there is understood by the programs it is for, and says what the code does."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from configparser import RawConfigParser
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from sinagot.cli.commands.serve import command as serve
from sinagot.cli.exits import Exit
from sinagot.config.schedules import VARIABLES

DEPLOY = Path(__file__).parents[1] / "docs" / "deploy"
UNITS = ["sinagot.service", "sinagot-user.service"]
OPTIONS = {name for option in serve.params for name in option.opts}


def _unit(name: str) -> RawConfigParser:
    found = RawConfigParser(strict=False)
    found.optionxform = str  # type: ignore[assignment, method-assign]
    found.read(DEPLOY / name)
    return found


@pytest.mark.parametrize("name", UNITS)
def test_units_are_understood_by_systemd(name: str, tmp_path: Path) -> None:
    """`systemd-analyze verify` has nothing to say of a unit; only program and user are others, which are not here."""
    program = shutil.which("systemd-analyze")
    if program is None:
        pytest.skip("needs systemd-analyze (Debian: apt-get install systemd)")
    text = re.sub(r"(?m)^ExecStart=\S+", f"ExecStart={shutil.which('true')}", (DEPLOY / name).read_text())
    (tmp_path / name).write_text(re.sub(r"(?m)^(User|Group)=.*", r"\1=root", text))
    words = ["--user"] if "user" in name else []
    told = subprocess.run(
        [program, *words, "verify", tmp_path / name],
        capture_output=True,
        text=True,
        env={**os.environ, "XDG_RUNTIME_DIR": str(tmp_path)},
        timeout=60,
    )
    ours = [line for line in told.stderr.splitlines() if name in line]
    assert (told.returncode, ours) == (0, []), told.stderr


@pytest.mark.parametrize("name", UNITS)
def test_units_let_runs_outlive_the_service(name: str) -> None:
    """Only the service is told to end, its exit codes are known, and nothing takes from runs what they need afterwards."""
    service = _unit(name)["Service"]
    assert (service["KillMode"], service["Restart"], service["OOMPolicy"]) == (
        "process",
        "on-failure",
        "continue",
    )
    assert service["SuccessExitStatus"].split() == [str(Exit.INTERRUPTED), "143"]
    assert service["RestartPreventExitStatus"].split() == [str(Exit.USAGE), str(Exit.INVALID)]
    assert not {"PrivateTmp", "ProtectProc", "PrivatePIDs"} & set(service)
    assert service["StandardOutput"] == "null"
    folder = service["ExecStart"].split()[2]
    assert service["WorkingDirectory"] == folder, "paths of pipelines are found as by hand"
    assert service.get("ReadWritePaths", folder).split()[0] == folder
    assert set(re.findall(r"--[a-z-]+", service["ExecStart"])) <= OPTIONS


def test_compose_file_and_containerfile_go_together() -> None:
    """The compose file is YAML, builds the Containerfile that is there, and sets variables that are read."""
    found = YAML(typ="safe").load((DEPLOY / "compose.yaml").read_text())
    service = found["services"]["sinagot"]
    root = DEPLOY.parents[1]
    assert (DEPLOY / service["build"]["context"] / service["build"]["dockerfile"]).resolve().is_file()
    assert set(service["environment"]) <= {"SINAGOT_TOKEN", *VARIABLES}
    assert set(service["depends_on"]) <= set(found["services"])
    assert service["init"] and service["ports"] == ["127.0.0.1:8765:8765"]
    text = (DEPLOY / "Containerfile").read_text()
    program = service["healthcheck"]["test"][-1]
    assert f'"{program}"' in text, "an image of podman's own format has no health check"
    copied = [word for line in re.findall(r"(?m)^COPY (.*) \S+$", text) for word in line.split()]
    assert copied and all((root / word).exists() for word in copied)
    assert set(re.findall(r"--[a-z-]+", text.partition('CMD ["serve"')[2])) <= OPTIONS
    extras = re.search(r"/src\[([a-z,]+)\]", text)
    assert extras is not None
    project = (root / "pyproject.toml").read_text()
    assert all(re.search(rf"(?m)^{one} = \[", project) for one in extras[1].split(","))


def test_proxies_let_events_through() -> None:
    """Neither proxy holds answers back, and nginx hands on the name that was asked for."""
    nginx, caddy = (DEPLOY / name for name in ("nginx.conf", "Caddyfile"))
    assert "proxy_buffering off;" in nginx.read_text() and "Host $host;" in nginx.read_text()
    assert "flush_interval -1" in caddy.read_text()
