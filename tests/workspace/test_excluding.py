"""Exclusions are honoured by runs, plans, status, counts and reports, and can be taken back."""

from __future__ import annotations

import getpass

import pytest

from sinagot.errors import NotFoundError, StorageError


def outcomes(report) -> dict[str, str]:
    """Give what became of each job."""
    return {
        "-".join(
            part for part in (row["task"], row["modality"], row["step_label"], row["record_id"]) if part
        ): row["outcome"]
        for row in report.iter_jobs()
    }


def status(ws) -> dict[str, int]:
    """Give the status of each job."""
    return {
        "-".join(
            part for part in (row["task"], row["modality"], row["step_label"], row["record_id"]) if part
        ): row["step_status"]
        for row in ws.steps.iter_status()
    }


def test_excluded_record_is_left_alone(lab) -> None:
    """None of its jobs runs, by no means; it is counted, named and shown with who, when and why."""
    ws = lab.unit().open()
    (decision,) = ws["REC-1"].exclude("asleep")
    report = ws.steps.run(printing=False)
    assert report.ok
    assert (report.counts["done"], report.counts["excluded"], report.total) == (2, 2, 4)
    assert sum(report.counts.values()) == report.total
    assert lab.ran() == ["a-REC-2", "b-REC-2"]
    reasons = {row["reason"] for row in report.iter_jobs() if row["outcome"] == "excluded"}
    assert reasons == {f"excluded by {getpass.getuser()} on {decision.time[:10]}: asleep"}
    assert ws.steps.run(force=True, ignore_missing=True, printing=False).counts["excluded"] == 2
    assert lab.ran() == ["a-REC-2", "b-REC-2"]
    assert not (lab.data / "LOG" / "REC-1.log").exists()
    assert status(ws) == {"a-REC-1": 50, "b-REC-1": 50, "a-REC-2": 30, "b-REC-2": 30}


def test_excluded_results_stay_and_are_not_counted_as_up_to_date(lab) -> None:
    """Files of an excluded record are not touched; runs, plans and status call them excluded all the same."""
    ws = lab.unit().open()
    ws.steps.run(printing=False)
    before = lab.text("b/REC-1.csv")
    ws["REC-1"].exclude("asleep")
    report = ws.steps.run(printing=False)
    assert (report.counts["up_to_date"], report.counts["excluded"]) == (2, 2)
    assert ws.steps.plan().counts == {"excluded": 2, "up_to_date": 2}
    assert status(ws)["b-REC-1"] == 50
    assert lab.text("b/REC-1.csv") == before
    assert ws.steps.accept("no reason to look", None) == []


@pytest.mark.parametrize(
    ("narrow", "step", "excluded"),
    [
        ({}, None, {"RS-EEG-a", "RS-EEG-b", "HDC-EEG-a", "HDC-EEG-b", "HDC-EEG-c", "HDC-behavior-a"}),
        ({"task": "RS"}, None, {"RS-EEG-a", "RS-EEG-b"}),
        ({"modality": "behavior"}, None, {"HDC-behavior-a"}),
        ({}, "a", {"RS-EEG-a", "HDC-EEG-a", "HDC-behavior-a"}),
        ({"task": "HDC", "modality": "EEG"}, "a", {"HDC-EEG-a"}),
    ],
)
def test_task_modality_and_step_narrow(lab, narrow, step, excluded: set[str]) -> None:
    """What a scope or a step does not cover is not excluded by it."""
    ws = lab.scoped(ids=["REC-1"]).open()
    record = ws["REC-1"].get_subscope(**narrow) if narrow else ws["REC-1"]
    record.exclude("x", step)
    found = {place for place, code in status(ws).items() if code == 50}
    assert found == {f"{place}-REC-1" for place in excluded}


def test_part_of_an_excluded_record_can_be_included(lab) -> None:
    """A narrower include works inside a wider exclude; including the record takes back all."""
    ws = lab.scoped(ids=["REC-1"]).open()
    ws["REC-1"].exclude("consent for HDC only")
    ws["REC-1"].HDC.include("as agreed")
    report = ws.steps.run(printing=False)
    assert (report.counts["done"], report.counts["excluded"]) == (4, 2)
    ws["REC-1"].include()
    assert ws.steps.run(printing=False).counts["done"] == 2
    assert ws["REC-1"].include() == []  # nothing is left to be taken back, and nothing is written
    assert list(ws.decisions()["decision"]) == ["exclude", "include", "include"]


def test_collection_excludes_the_records_that_it_has(lab) -> None:
    """One line a record: what arrives later is not excluded."""
    ws = lab.unit().open()
    assert [one.target.record_id for one in ws.records.exclude("drill", "b")] == ["REC-1", "REC-2"]
    lab.raw("REC-3")
    assert ws.steps.run(printing=False).counts["excluded"] == 2
    assert lab.text("b/REC-3.csv")


def test_step_behind_an_excluded_one_is_out_as_well(lab) -> None:
    """What an excluded step does not give is no missing input and no failure: the reason says why."""
    ws = lab.unit("a", "b", ids=["REC-1"]).open()
    ws["REC-1"].exclude("x", "a")
    report = ws.steps.run(printing=False)
    assert outcomes(report) == {"a-REC-1": "excluded", "b-REC-1": "excluded"}
    assert [row["reason"] for row in report.iter_jobs()][1] == "the step before it is excluded: REC-1/a"
    assert report.ok


def test_excluded_failure_blocks_nobody(lab) -> None:
    """A failed step that was excluded makes no later run fail."""
    ws = lab.unit("a", "b", ids=["REC-1"]).open()
    lab.fail("a-REC-1")
    assert not ws.steps.run(printing=False).ok
    ws["REC-1"].exclude("hopeless", "a")
    report = ws.steps.run(printing=False)
    assert report.ok
    assert report.counts["excluded"] == 2


def test_step_behind_an_excluded_one_uses_the_result_that_is_there(lab) -> None:
    """Excluding a step takes nothing away: a result that is there feeds the next step."""
    ws = lab.unit("a", "b", ids=["REC-1"]).open()
    ws.steps.run("a", printing=False)
    ws["REC-1"].exclude("good as it is", "a")
    assert outcomes(ws.steps.run(printing=False)) == {"a-REC-1": "excluded", "b-REC-1": "done"}


def test_excluded_records_do_not_count(lab) -> None:
    """Counts of files are about what is not excluded."""
    ws = lab.unit().open()
    ws["REC-1"].exclude("x", "a")
    assert list(ws.records.count_raw_data()["count"]) == [1]
    assert list(ws.records.count_step("a", with_record_id=True)["record_id"]) == ["REC-2"]
    assert ws.records.ids() == ["REC-1", "REC-2"]


def test_table_of_decisions(lab) -> None:
    """The table has every decision, oldest first, with None for all."""
    ws = lab.unit().open()
    assert ws.decisions().empty
    ws["REC-2"].exclude("  asleep ", "a")
    (row,) = ws.decisions().to_dict("records")
    assert {name: row[name] for name in ("decision", "record_id", "task", "step_label", "reason")} == {
        "decision": "exclude",
        "record_id": "REC-2",
        "task": None,
        "step_label": "a",
        "reason": "asleep",
    }


def test_exclusion_needs_a_reason_and_a_step_that_is_there(lab) -> None:
    """Without a reason, or of an unknown step, nothing is written."""
    ws = lab.unit().open()
    before = lab.tree()
    with pytest.raises(ValueError, match="reason"):
        ws["REC-1"].exclude(" ")
    with pytest.raises(NotFoundError, match="no step 'aa'; steps are a, b; did you mean 'a'"):
        ws["REC-1"].exclude("x", "aa")
    with pytest.raises(NotFoundError):
        ws["REC-1"].include(step="aa")
    assert lab.tree() == before


def test_broken_lines_are_told(lab) -> None:
    """A run says that lines of the file could not be read."""
    ws = lab.unit().open()
    ws["REC-1"].exclude("x")
    with (lab.data / ".sinagot" / "decisions.jsonl").open("a") as file:
        file.write("{\n")
    report = ws.steps.run(printing=False)
    assert report.warnings == ["decisions.jsonl: 1 broken line(s) passed over"]
    assert report.counts["excluded"] == 2


def test_unreadable_decisions_stop_a_run(lab) -> None:
    """Where it is not known what is excluded, nothing runs."""
    ws = lab.unit().open()
    (lab.data / ".sinagot" / "decisions.jsonl").mkdir(parents=True)
    with pytest.raises(StorageError, match="decisions"):
        ws.steps.run(printing=False)
    assert lab.ran() == []
