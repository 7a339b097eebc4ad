"""What an attempt meets when it begins."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from sinagot import Workspace
from sinagot.dataset.moves import beside
from sinagot.testing import make_workspace, script_text

WRITE = "self.path.output.write_text('whole')"


def run(workspace: Workspace, mode: str = "main_process"):
    """Run all steps."""
    return workspace.steps.run(mode=mode, printing=False)


@pytest.mark.parametrize("mode", ["main_process", "processes"])
def test_name_that_the_file_system_refuses_costs_its_own_record(mode: str, tmp_path: Path) -> None:
    """An output name that is too long is a failure of that job, with its cause on record; the others are done."""
    long = "x" * 250
    script = script_text(WRITE, path_out=("out", "{id}-processed.txt"))
    with make_workspace(tmp_path, records=["R1", long, "R2"], scripts={"a": script}) as workspace:
        report = run(workspace, mode)
    assert (report.counts["done"], report.counts["failed"]) == (2, 1)
    (group,) = report.failures
    assert group.records == (long,)
    assert "File name too long" in group.message
    assert [row["step_status"] for row in workspace.steps.iter_status()] == [30, 30, 40]
    assert workspace[long].logs_json()[-1]["exc_type"] == "OSError"


def die(workspace: Workspace, record_id: str, step: str) -> None:
    """Leave the claim of a process that is no more."""
    claims = workspace.data_path / ".sinagot" / "claims"
    claims.mkdir(parents=True, exist_ok=True)
    owner = {"host": os.uname().nodename, "boot": "long ago", "pid": 1, "start": "1", "run_id": "dead"}
    (claims / f"{record_id}%2F{step}").write_text(json.dumps(owner))


def test_leftovers_of_a_dead_attempt_are_cleared(tmp_path: Path) -> None:
    """Who takes over a dead process's job clears what it left beside the outputs, and does the job."""
    workspace = make_workspace(tmp_path, records=["R1"], scripts={"a": script_text(WRITE)})
    out = workspace.data_path / "out"
    out.mkdir()
    Path(beside(str(out / "R1.txt"), "dead-1-1", "old")).write_text("former")
    die(workspace, "R1", "a")
    assert [row["step_status"] for row in workspace.steps.iter_status()] == [42]
    assert run(workspace).counts["done"] == 1
    assert [path.name for path in out.iterdir()] == ["R1.txt"]
    assert (out / "R1.txt").read_text() == "whole"


def test_former_version_survives_a_death_and_a_failure(tmp_path: Path) -> None:
    """A good folder that a dead attempt had set aside is back before the next attempt, which may fail."""
    workspace = make_workspace(
        tmp_path, records=["R1"], scripts={"a": script_text("raise ValueError", path_out=("out", "{id}"))}
    )
    final = workspace.data_path / "out" / "R1"
    former = Path(beside(str(final), "dead-1-1", "old"))
    former.mkdir(parents=True)
    (former / "good.txt").write_text("good")
    die(workspace, "R1", "a")
    assert run(workspace).counts["failed"] == 1
    assert (final / "good.txt").read_text() == "good"
    assert not former.exists()
