"""What an attempt meets when it begins."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from sinagot import Workspace
from sinagot.dataset.moves import beside
from sinagot.engine.state.owners import Owner
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


def die(workspace: Workspace, record_id: str, step: str, **facts: object) -> Path:
    """Leave the claim of a process that is no more."""
    claims = workspace.data_path / ".sinagot" / "claims"
    claims.mkdir(parents=True, exist_ok=True)
    owner = {"host": os.uname().nodename, "boot": "long ago", "pid": 1, "start": "1", "run_id": "dead"}
    claim = claims / f"{record_id}%2F{step}"
    claim.write_text(json.dumps(owner | facts))
    return claim


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


TWO_STEPS = {
    "a": script_text(WRITE),
    "b": script_text(WRITE, path_in=("out", "{id}.txt"), path_out=("second", "{id}.txt")),
}


@pytest.mark.parametrize("mode", ["main_process", "processes"])
def test_claim_of_a_process_that_died_before_it_looked_means_nothing(mode: str, tmp_path: Path) -> None:
    """A job that is done stays done where a process took its claim and was killed before it could look."""
    with make_workspace(tmp_path, records=["R1"], scripts=TWO_STEPS) as workspace:
        assert run(workspace, mode).counts["done"] == 2
        boot = Owner.here("").boot
        claim = die(workspace, "R1", "a", boot=boot)
        assert [row["step_status"] for row in workspace.steps.iter_status()] == [30, 30]
        assert workspace.steps.run(dry_run=True, printing=False).counts["up_to_date"] == 2
        assert claim.exists()
        assert run(workspace, mode).counts["up_to_date"] == 2
        assert not claim.exists(), "it means nothing, and is gone with the next run"
        claim = die(workspace, "R1", "a", boot=boot)
        assert workspace.steps.run(failed=True, mode=mode, printing=False).counts["up_to_date"] == 0

        # The step behind it is not blocked either.
        (workspace.data_path / "second" / "R1.txt").unlink()
        counts = run(workspace, mode).counts
        assert (counts["up_to_date"], counts["done"]) == (1, 1)

        # Where the job has to be done again, the claim is taken over as any other.
        (workspace.data_path / "out" / "R1.txt").unlink()
        assert run(workspace, mode).counts["done"] >= 1
        assert not claim.exists()
        assert [row["step_status"] for row in workspace.steps.iter_status()] == [30, 30]


def test_claim_of_a_process_that_had_begun_counts(tmp_path: Path) -> None:
    """A dead claim is ended work unless the log says for sure that somebody else has done the job."""
    with make_workspace(tmp_path, records=["R1"], scripts={"a": script_text(WRITE)}) as workspace:
        run(workspace)
        (last,) = [line for line in workspace["R1"].logs_json() if line["step_status"] == 30]
        made_by, _, rest = last["attempt"].rpartition(f"-{os.getpid()}-")
        assert made_by == last["run_id"] and rest == "1"
        boot = Owner.here("").boot

        def status() -> list[int]:
            return [row["step_status"] for row in workspace.steps.iter_status()]

        die(workspace, "R1", "a")  # of before the machine was started anew: its lines may be lost
        assert status() == [42]
        die(workspace, "R1", "a", boot=boot, host="elsewhere", run_id=last["run_id"])  # that run has ended
        assert status() == [42]
        die(workspace, "R1", "a", boot=boot, run_id=last["run_id"], pid=os.getpid(), start="another")
        assert status() == [42]  # it is the one that wrote the line
        die(workspace, "R1", "a", boot=boot)
        assert status() == [30]
        log = workspace.data_path / "LOG" / "R1.log"
        assert log.exists()
        log.unlink()
        assert status() == [42]
