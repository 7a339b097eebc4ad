"""What a shell completes, as the shell itself asks for it."""

from __future__ import annotations

import os
import select
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from sinagot.cli.completion import SHELLS
from sinagot.cli.main import COMMANDS
from sinagot.engine.state.names import KnownNames
from tests.cli.conftest import Invoke, Lab, environment

#: Completes the last of some words as bash does, and prints each candidate on a line.
_ASK = """
source "$1"; shift
COMP_WORDS=("$@"); COMP_CWORD=$(( $# - 1 )); COMP_LINE="$*"
_sinagot_completion sinagot "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD-1]}"
printf '%s\\n' "${COMPREPLY[@]}"
"""


def needed(shell: str) -> str:
    """Give the path of a shell; where there is none the test is skipped, but not on a machine that must have all."""
    found = shutil.which(shell)
    if found is None and os.environ.get("SINAGOT_REQUIRE_SHARED") == "1":
        pytest.fail(f"needs {shell}")
    return found or pytest.skip(f"no {shell} here")


def with_command(folder: Path, shell: str) -> dict[str, str]:
    """Make a folder with the command and what teaches a shell to complete it; give an environment that has both."""
    folder.mkdir()
    (folder / "sinagot").write_text(f'#!/bin/sh\nexec "{sys.executable}" -m sinagot "$@"\n')
    (folder / "sinagot").chmod(0o755)
    env = {**environment(), "PATH": f"{folder}{os.pathsep}{os.environ['PATH']}"}
    text = subprocess.run(
        [folder / "sinagot", "completion", shell], env=env, capture_output=True, text=True, check=True
    )
    (folder / "complete.sh").write_text(text.stdout)
    return env


@pytest.fixture
def ask(tmp_path: Path):
    """Give a function that completes a command line in bash, in a folder."""
    bash = needed("bash")
    folder = tmp_path / "bin"
    env = with_command(folder, "bash")

    def complete(lab: Path, *words: str) -> list[str]:
        # What completes a word that is asked of readline is none of this function's: compopt has nothing to set here.
        done = subprocess.run(
            [bash, "--norc", "-c", _ASK, "bash", folder / "complete.sh", "sinagot", *words],
            cwd=lab,
            env=env,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert (
            done.stderr.replace("compopt: not currently executing completion function", "").count("Error")
            == 0
        )
        assert "Traceback" not in done.stderr
        return done.stdout.split("\n")[:-1] if done.stdout.strip() else []

    return complete


def test_commands_options_and_names(ask, scoped_lab: Path, invoke: Invoke) -> None:
    """Commands and options are always completed; records, steps, tasks and modalities once a run has seen them."""
    assert ask(scoped_lab, "") == list(COMMANDS)
    assert ask(scoped_lab, "st") == ["status"]
    assert ask(scoped_lab, "run", "--dry") == ["--dry-run"]
    assert ask(scoped_lab, "status", "--record", "") == []
    invoke(scoped_lab, "run")
    assert ask(scoped_lab, "status", "--record", "") == ["REC-1", "REC-2"]
    assert ask(scoped_lab, "status", "--step", "o") == ["one"]
    assert ask(scoped_lab, "plan", "--from", "") == ["one"]
    assert ask(scoped_lab, "run", "--task", "") == ["HDC", "RS"]
    assert ask(scoped_lab, "logs", "REC-1", "--modality", "") == ["EEG"]
    assert ask(scoped_lab, "why", "REC-") == ["REC-1", "REC-2"]
    assert ask(scoped_lab, "status", "--task", "=", "R") == ["RS"]  # as bash takes --task=R apart
    assert ask(scoped_lab, "status", "--task", "=", "RS", "--step", "") == ["one"]
    assert ask(scoped_lab, "completion", "") == list(SHELLS)


def test_the_workspace_is_the_one_meant(ask, make_lab: Lab, invoke: Invoke, tmp_path: Path) -> None:
    """Names are those of the workspace of -w, before or after the command, else of the nearest folder upwards."""
    lab, other = make_lab(1), make_lab(1, 2, name="other")
    for one in (lab, other):
        invoke(one, "run")
    assert ask(lab / "dataset/raw", "logs", "") == ["REC-1"]
    assert ask(tmp_path, "-w", "other", "logs", "") == ["REC-1", "REC-2"]
    assert ask(lab, "logs", "-w", "../other", "") == ["REC-1", "REC-2"]
    assert ask(lab, "logs", "--data-path", "../other/dataset", "") == ["REC-1", "REC-2"]
    (lab / "workspace.toml").write_text("[path")
    for words in (
        ["logs", ""],
        ["-w", "nowhere", "logs", ""],
        ["frob", ""],
        ["-w", "lab.flows:Lab=x", "logs", ""],
    ):
        assert ask(lab, *words) == []
    assert ask(lab, "logs", "--fo") == ["--follow"]


def test_odd_ids_come_quoted(ask, make_lab: Lab, invoke: Invoke) -> None:
    """An id with blanks, quotes, or what a shell would expand is one word that means itself."""
    lab = make_lab(toml="[records]\nid_pattern = '.+'\n[steps]\nscripts = ['one']\n")
    ids = ["$(touch x)", "*", "REC 1", "a,b", "it's", "é"]
    for name in ids:
        (lab / f"dataset/raw/{name}.txt").write_text("1")
    invoke(lab, "run")
    found = ask(lab, "logs", "")
    plain = subprocess.run(
        ["bash", "-c", f"printf '%s\\n' {' '.join(found)}"],
        cwd=lab,
        capture_output=True,
        text=True,
        check=True,
    )
    assert plain.stdout.splitlines() == ids
    assert not (lab / "x").exists()


def test_nothing_is_looked_for_and_no_script_is_run(ask, make_lab: Lab, invoke: Invoke) -> None:
    """Completion reads the index only: neither the data folder nor a script is opened, and nothing is written."""
    lab = make_lab(1, 2)
    invoke(lab, "run")
    before = sorted(lab.rglob("*"))
    shutil.rmtree(lab / "scripts")
    shutil.rmtree(lab / "dataset/raw")
    assert ask(lab, "logs", "") == ["REC-1", "REC-2"]
    assert ask(lab, "run", "--step", "") == ["one", "two"]
    (lab / "dataset/.sinagot/index/names.json").write_text('{"format": 1, "records": [1]}')
    assert ask(lab, "logs", "") == []
    assert set(lab.rglob("*")) <= set(before)


def test_reading_commands_write_no_names(invoke: Invoke, make_lab: Lab) -> None:
    """Only runs keep names; a run of some records adds them to those that are known."""
    lab = make_lab(1, 2, 4)
    state = str(lab / "dataset/.sinagot")
    for words in (["status"], ["plan"], ["records"], ["run", "--dry-run"]):
        invoke(lab, *words)
    assert KnownNames.read(state) == KnownNames()
    invoke(lab, "run", "--record", "REC-2")
    assert KnownNames.read(state).records == ["REC-2"]
    invoke(lab, "run", "--record", "REC-1")
    assert KnownNames.read(state).records == ["REC-1", "REC-2"]
    (lab / "dataset/raw/REC-1.txt").unlink()
    invoke(lab, "run")
    assert KnownNames.read(state) == KnownNames(["REC-2", "REC-3"], ["one", "two"], [], [], [])


def test_of_very_many_names_those_shown_begin_alike_as_far_as_all_do(ask, make_lab: Lab) -> None:
    """A shell types what all candidates have in common: leaving some out must not make that longer."""
    lab = make_lab(1)
    ids = [f"REC-{number:06d}" for number in range(100_000)]
    KnownNames(ids, ["one"]).save(str(lab / "dataset/.sinagot"), is_all=True)
    found = ask(lab, "logs", "")
    assert len(found) == 500 and (found[0], found[-1]) == (ids[0], ids[-1])
    found = ask(lab, "logs", "REC-09999")
    assert found == ids[99_990:]


@pytest.mark.parametrize("shell", SHELLS)
def test_scripts_are_what_the_shell_reads(invoke: Invoke, tmp_path: Path, shell: str) -> None:
    """Each shell finds no fault with its script; it asks us by the variable that we answer to."""
    result = invoke(tmp_path, "completion", shell)
    assert result.exit_code == 0 and "_SINAGOT_COMPLETE" in result.stdout
    found = shutil.which(shell)
    if found is not None:
        subprocess.run([found, "-n"], input=result.stdout, text=True, check=True)
    assert invoke(tmp_path, "completion", "tcsh").exit_code == 2


def test_fish_completes(make_lab: Lab, invoke: Invoke, tmp_path: Path) -> None:
    """fish is given commands with what they do, and names."""
    fish = needed("fish")
    lab = make_lab(1, 2)
    invoke(lab, "run")
    env = with_command(tmp_path / "bin", "fish") | {"HOME": str(tmp_path)}

    def complete(line: str) -> list[str]:
        asks = f"source {tmp_path}/bin/complete.sh; complete -C '{line}'"
        done = subprocess.run(
            [fish, "--no-config", "-c", asks],
            cwd=lab,
            env=env,
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
        return done.stdout.splitlines()

    (status,) = complete("sinagot sta")
    assert status.startswith("status\tShow the status")
    assert complete("sinagot show REC-") == ["REC-1", "REC-2"]
    assert complete("sinagot run --step o") == ["one"]


def test_zsh_completes(make_lab: Lab, invoke: Invoke, tmp_path: Path) -> None:
    """zsh, with a person typing: a beginning and the tabulator give the whole word."""
    zsh = needed("zsh")
    lab = make_lab(1)
    invoke(lab, "run")
    env = with_command(tmp_path / "bin", "zsh") | {"HOME": str(tmp_path), "TERM": "dumb", "PS1": "> "}
    typed = "".join(
        [
            "autoload -Uz compinit && compinit -u -D; zstyle ':completion:*' insert-unambiguous true\n",
            f"source {tmp_path}/bin/complete.sh; echo be''gun\n",
        ]
    )
    terminal, screen = os.openpty()
    shell = subprocess.Popen(
        [zsh, "-f", "-i"],
        cwd=lab,
        env=env,
        stdin=screen,
        stdout=screen,
        stderr=screen,
        start_new_session=True,
    )
    os.close(screen)
    seen = b""

    def await_text(text: bytes) -> None:
        nonlocal seen
        while text not in seen:
            assert select.select([terminal], [], [], 30)[0], seen
            seen += os.read(terminal, 65536)

    try:
        os.write(terminal, typed.encode())
        await_text(b"begun")
        os.write(terminal, b"sinagot show REC\t")
        await_text(b"sinagot show REC-1")
        os.write(terminal, b"\x15sinagot statu\t")
        await_text(b"sinagot status")
    finally:
        shell.kill()
        shell.wait()
        os.close(terminal)
