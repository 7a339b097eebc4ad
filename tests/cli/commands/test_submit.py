"""`sinagot submit`: a SLURM job array, its text, and what its members do."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from sinagot import Workspace
from sinagot.cli.exits import Exit
from sinagot.testing import await_true
from tests.cli.conftest import Invoke, Lab
from tests.clusters import ROOT, Slurm


@pytest.fixture
def slurm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Slurm]:
    """Give stand-ins for the programs of SLURM, on the PATH."""
    made = Slurm(tmp_path / "slurm")
    monkeypatch.setenv("PATH", str(made.programs), prepend=":")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    yield made
    made.end()


def test_script_says_what_was_asked_for(make_lab: Lab, invoke: Invoke) -> None:
    """The script has limits, options and workspace as given, one share a member, and says how to hand it in."""
    lab = make_lab(1, 2)
    words = ["--time", "4:00:00", "--memory", "8G", "--cpus", "4", "--partition", "short", "--at-once", "10"]
    done = invoke(
        lab,
        "submit",
        "--array",
        "50",
        *words,
        "--sbatch-option=--account=my lab",
        "--step",
        "one",
        "--jobs",
        "4",
    )
    assert done.exit_code == 0, done.output
    text = (lab / "sinagot-array.sh").read_text()
    logs = lab / "dataset" / ".sinagot" / "slurm"
    options = [line.removeprefix("#SBATCH ") for line in text.splitlines() if line.startswith("#SBATCH ")]
    assert options == [
        "--job-name=sinagot-lab",
        "--array=1-50%10",
        f"--output={logs}/%A_%a.out",
        "--signal=B:TERM@60",
        "--time=4:00:00",
        "--mem=8G",
        "--cpus-per-task=4",
        "--partition=short",
        '--account="my lab"',
    ]
    run = f"{sys.executable} -m sinagot run -w {lab}/workspace.toml --step one --jobs 4 --no-dask"
    assert f'exec {run} --shard "${{SLURM_ARRAY_TASK_ID}}/50"' in text
    assert "RANDOM" in text
    assert f"sbatch {lab}/sinagot-array.sh" in done.output
    assert logs.is_dir()
    assert subprocess.run(["bash", "-n", str(lab / "sinagot-array.sh")], check=False).returncode == 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--dask"], "--dask makes no sense"),
        (["--shard=1/2"], "--shard=1/2 makes no sense"),
        (["--stepp", "one"], "No such option"),
        (["--time", "soon"], "not what SLURM takes"),
        (["--memory", "8 gigabytes"], "not what SLURM takes"),
        (["--now", "--file", "-"], "--now needs a file"),
    ],
)
def test_what_makes_no_sense_is_refused(words: list[str], said: str, make_lab: Lab, invoke: Invoke) -> None:
    """Options that members would refuse, and limits that SLURM would, are refused before anything is written."""
    lab = make_lab(1)
    done = invoke(lab, "submit", "--array", "2", *words)
    assert done.exit_code == Exit.USAGE
    assert said in done.output
    assert not (lab / "sinagot-array.sh").exists() and not (lab / "dataset" / ".sinagot").exists()


def test_file_of_the_user_is_not_replaced(make_lab: Lab, invoke: Invoke) -> None:
    """A script of ours is written anew, any other file stays as it is; `-` prints and writes nothing."""
    lab = make_lab(1)
    shown = invoke(lab, "submit", "--array", "2", "--file", "-").output
    assert shown.startswith("#!/usr/bin/env bash\n") and not (lab / "dataset" / ".sinagot").exists()
    for count in ("2", "3"):
        assert invoke(lab, "submit", "--array", count).exit_code == 0
    assert "--array=1-3" in (lab / "sinagot-array.sh").read_text()
    (lab / "mine.sh").write_text("#!/bin/sh\n")
    done = invoke(lab, "submit", "--array", "2", "--file", "mine.sh")
    assert done.exit_code == Exit.USAGE and "was not written by sinagot" in done.output
    assert (lab / "mine.sh").read_text() == "#!/bin/sh\n"


def test_members_do_all_records_once(make_lab: Lab, invoke: Invoke, slurm: Slurm) -> None:
    """An array that is handed in runs every record once, without Dask; what failed is told in the member's output."""
    lab = make_lab(1, 2, 5, 6, 7, 8, toml=None)
    with (lab / "workspace.toml").open("a") as file:
        file.write("[run]\nmode = 'dask'\n")
    done = invoke(lab, "submit", "--array", "2", "--now")
    assert done.exit_code == 0, done.output
    assert "Submitted batch job 1" in done.output
    await_true(lambda: not slurm.pids(), "the members end")
    workspace = Workspace(lab)
    assert {row["step_status"] for row in workspace.steps.iter_status()} == {30}, (
        slurm.folder / "1.out"
    ).read_text()
    lines = [line["message"] for record in workspace.records.all() for line in record.logs_json()]
    assert lines.count("Run finished") == 12


def test_batch_system_that_refuses(
    make_lab: Lab, invoke: Invoke, slurm: Slurm, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What `sbatch` has to say, and that there is none here, is told; the script stays for another try."""
    lab = make_lab(1)
    slurm.refuse("invalid account")
    done = invoke(lab, "submit", "--array", "2", "--now")
    assert done.exit_code == Exit.UNEXPECTED and "invalid account" in done.output
    monkeypatch.setenv("PATH", "")
    done = invoke(lab, "submit", "--array", "2", "--now")
    assert done.exit_code == Exit.UNEXPECTED and "no sbatch here" in done.output
    assert (lab / "sinagot-array.sh").exists()
