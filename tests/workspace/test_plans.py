"""Plans: every job with its verdict, its reasons and about how long it takes."""

from __future__ import annotations

import pytest

from sinagot.errors import ScriptError


def test_plan_tells_every_job(lab) -> None:
    """Each job has one verdict with its reasons, in a table and in rows; nothing is run and nothing is written."""
    lab.unit("a", "b", ids=["REC-1", "REC-2"])
    lab.open().records.get("REC-1").steps.run(printing=False)
    lab.fail("a-REC-2")
    lab.open().steps.run(printing=False)
    before = lab.tree()
    plan = lab.open().steps.plan()
    assert lab.tree() == before
    assert plan.counts == {"up_to_date": 2, "run": 2}
    rows = list(plan.iter_jobs())
    assert [[reason.code for reason in row["reasons"]] for row in rows] == [
        ["outputs_present"],
        ["outputs_present"],
        ["failed", "outputs_missing"],
        ["outputs_missing"],
    ]
    frame = plan.jobs
    assert list(frame.columns) == [
        "record_id", "task", "modality", "step_index", "step_label", "verdict", "reasons", "estimate_s",
    ]  # fmt: skip
    assert frame["verdict"].tolist() == [row["verdict"] for row in rows]
    assert frame["reasons"][2].startswith("the last attempt failed; output not there: ")


def test_estimate_comes_from_earlier_attempts(lab) -> None:
    """A job takes as long as last time, a new one as long as its step does on average; unknown steps are not guessed."""
    lab.unit("a", "b", ids=["REC-1", "REC-2"])
    assert lab.open().steps.plan().estimate is None
    lab.wish("a-REC-1", "import time\ntime.sleep(0.05)")
    lab.open().steps.run("a", printing=False)
    lab.raw("REC-3")
    rows = {
        (row["record_id"], row["step_label"]): row["estimate_s"]
        for row in lab.open().steps.plan(force=True).iter_jobs()
    }
    took = [lab.lines(one, message="Run finished")[-1]["duration_s"] for one in ("REC-1", "REC-2")]
    assert [rows["REC-1", "a"], rows["REC-2", "a"]] == pytest.approx(took, abs=0.002)
    assert took[0] >= 0.05
    assert rows["REC-3", "a"] == pytest.approx((rows["REC-1", "a"] + rows["REC-2", "a"]) / 2)
    assert rows["REC-1", "b"] is None
    plan = lab.open().steps.plan("a", force=True)
    assert plan.estimate == pytest.approx(sum(rows[record, "a"] for record in ("REC-1", "REC-2", "REC-3")))
    assert repr(plan).startswith("<Plan instance | 3 run | about ")


def test_plan_of_broken_scripts(lab) -> None:
    """A script that cannot be loaded is an error of the plan, as it is of the run."""
    lab.unit("a", "b")
    lab.write("scripts/b.py", "def x(:\n")
    with pytest.raises(ScriptError, match=r"b\.py"):
        lab.open().steps.plan()
