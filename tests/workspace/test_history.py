"""`ws.runs`: the history of a workspace in Python."""

from __future__ import annotations

import pytest

from sinagot.engine.accounts.runs import RunFacts
from sinagot.errors import UnknownRunError
from sinagot.testing import await_true


def test_runs_of_a_workspace(lab) -> None:
    """Runs come newest first, are found by id or place, tell facts as attributes and make tables; looking writes nothing."""
    lab.unit("a", ids=["REC-1", "REC-2"])
    ws = lab.open()
    assert (len(ws.runs), ws.runs.last, list(ws.runs), repr(ws.runs)) == (
        0,
        None,
        [],
        "<Runs instance | none>",
    )
    assert ws.runs.to_dataframe().empty and not ws.runs
    lab.fail("a-REC-2")
    first = ws.steps.run(printing=False)
    lab.heal("a-REC-2")
    second = ws.steps.run(printing=False)
    before = lab.tree()
    assert [run.run_id for run in ws.runs] == [second.run_id, first.run_id]
    last = ws.runs.last
    assert (last.state, last.counts["done"], last.ok, last.failures) == ("ended", 1, True, 0)
    assert set(RunFacts._fields) <= set(dir(last))
    assert ws.runs[first.run_id].run_id == ws.runs[1].run_id == first.run_id
    assert repr(last) == f"<Run instance | {second.run_id} ended: 1 done, 1 up to date>"
    assert [one.key for one in ws.runs[1].diff(last).outcomes] == ["REC-2/a"]
    assert ws.runs[1].diff("last").b.run_id == second.run_id
    assert last.progress().settled == 2
    with pytest.raises(UnknownRunError, match="no run 'elephant'"):
        ws.runs["elephant"]
    with pytest.raises(AttributeError, match="elephant"):
        last.elephant  # noqa: B018
    attempts = ws.runs[1].attempts()
    assert list(attempts["record_id"]) == ["REC-1", "REC-2"] and list(attempts["outcome"]) == [
        "done",
        "failed",
    ]
    assert (attempts["end"] >= attempts["start"]).all()
    table = ws.runs.to_dataframe()
    assert list(table["run_id"]) == [second.run_id, first.run_id] and list(table["failed"]) == [0, 1]
    assert lab.tree() == before


@pytest.mark.parametrize("mode", ["main_process", "processes"])
def test_run_of_this_program_that_goes_on(lab, mode: str) -> None:
    """A run that this program itself has in the background is running until it is over, in every mode."""
    lab.unit("a", ids=["REC-1"])
    lab.wish("a-REC-1", "import time\nwhile not Path(self.data_path, 'gate').exists(): time.sleep(0.01)")
    with lab.open() as ws:
        report = ws.steps.run(mode=mode, wait=False, printing=False)
        try:
            await_true(lambda: bool(ws.runs) and ws.runs.last.progress().running, "the job runs")
            last = ws.runs.last
            assert (last.state, last.open, last.ok) == ("running", 1, None)
            assert [job.key for job in last.progress().running] == ["REC-1/a"]
        finally:
            (lab.data / "gate").touch()
            report.wait()
        assert (ws.runs.last.state, ws.runs.last.counts["done"]) == ("ended", 1)


def test_standing_failures_of_a_workspace(lab) -> None:
    """`ws.runs.failures` tells what stands now, whichever run it is of."""
    lab.unit("a", ids=["REC-1", "REC-2"])
    ws = lab.open()
    lab.fail("a-REC-2")
    report = ws.steps.run(printing=False)
    (group,) = ws.runs.failures()
    assert (group.records, group.run_id, group.count) == (("REC-2",), report.run_id, 1)
    assert group.cause == report.failures[0].cause
