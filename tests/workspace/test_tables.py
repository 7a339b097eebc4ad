"""Counts, and the table of a run's jobs."""

from __future__ import annotations

import pandas as pd
import pytest

from sinagot.errors import NotFoundError


def rows(frame: pd.DataFrame) -> list[tuple]:
    return list(frame.itertuples(index=False, name=None))


def test_count_raw_data_of_a_collection(lab) -> None:
    """Units with raw data have one row: task, modality, count; those without have none."""
    lab.scoped(ids=["REC-1"])
    lab.raw("REC-2-RS")
    ws = lab.open()
    for frame in (ws.records.count_raw_data(), ws.records.count_step(), ws.records.count_detail()):
        assert list(frame.columns) == ["task", "modality", "count"]
        assert rows(frame) == [("RS", "EEG", 2), ("HDC", "EEG", 1), ("HDC", "behavior", 1)]
        assert frame["count"].dtype == "int64"
    assert rows(ws.RS.count_raw_data()) == [("RS", "EEG", 2)]
    assert rows(ws.behavior.HDC.count_raw_data()) == [("HDC", "behavior", 1)]
    assert rows(ws.clinical.count_raw_data()) == []
    assert list(ws.clinical.count_raw_data().columns) == ["task", "modality", "count"]


def test_counts_with_record_id(lab) -> None:
    """On a record, or when asked for, `record_id` stands in front and each row counts one."""
    lab.scoped(ids=["REC-1"])
    lab.raw("REC-2-RS")
    ws = lab.open()
    for frame in (ws.records.count_detail(with_record_id=True), ws.records.count_detail(True)):
        assert list(frame.columns) == ["record_id", "task", "modality", "count"]
        assert sorted(rows(frame)) == [
            ("REC-1", "HDC", "EEG", 1),
            ("REC-1", "HDC", "behavior", 1),
            ("REC-1", "RS", "EEG", 1),
            ("REC-2", "RS", "EEG", 1),
        ]
    assert rows(ws["REC-2"].count_raw_data()) == [("REC-2", "RS", "EEG", 1)]
    assert rows(ws["REC-2"].HDC.count_raw_data()) == []
    assert list(ws["REC-9"].count_raw_data().columns) == ["record_id", "task", "modality", "count"]


def test_count_step_counts_inputs_or_outputs_of_a_step(lab) -> None:
    """`count_step(step, position)` counts the records whose inputs or outputs of that step are there."""
    ws = lab.scoped().open()
    assert rows(ws.records.count_step("b")) == []
    ws["REC-1"].RS.steps.run()
    assert rows(ws.records.count_step("b")) == [("RS", "EEG", 1)]
    assert rows(ws.records.count_step("b", "output")) == [("RS", "EEG", 1)]
    assert rows(ws.records.count_step("b", position="output", with_record_id=True)) == [
        ("REC-1", "RS", "EEG", 1)
    ]
    assert rows(ws.records.count_step("a")) == [("RS", "EEG", 2), ("HDC", "EEG", 2), ("HDC", "behavior", 2)]
    assert rows(ws["REC-1"].count_step(position="output")) == [("REC-1", "RS", "EEG", 1)]


def test_counts_in_unit_mode(lab) -> None:
    """In unit mode task and modality are None and the columns are the same."""
    ws = lab.unit().open()
    frame = ws.records.count_raw_data()
    assert list(frame.columns) == ["task", "modality", "count"]
    assert frame["count"].tolist() == [2]
    assert frame["task"].isna().all() and frame["modality"].isna().all()
    assert ws["REC-1"].count_detail()["record_id"].tolist() == ["REC-1"]
    assert ws.records.count_step("b").empty
    ws["REC-2"].steps.run()
    assert ws.records.count_step("b", "output", True)["record_id"].tolist() == ["REC-2"]


def test_dict_of_paths_counts_when_all_are_there(lab) -> None:
    """A dict of paths counts only with all of its paths."""
    lab.unit("a", "b", ids=["REC-1", "REC-2"])
    lab.script("b", {"raw": ("raw", "{id}.csv"), "a": ("a", "{id}.csv")}, {"x": "b/{id}.x", "y": "b/{id}.y"})
    ws = lab.open()
    assert ws.records.count_step("b").empty
    ws["REC-1"].steps.run()
    assert ws.records.count_step("b")["count"].tolist() == [1]
    assert ws.records.count_step("b", "output")["count"].tolist() == [1]
    (lab.data / "b/REC-1.y").unlink()
    assert ws.records.count_step("b", "output").empty


def test_counting_what_is_not_there_to_be_counted(lab) -> None:
    """An unknown step is not found, an unknown position is a ValueError."""
    ws = lab.unit().open()
    with pytest.raises(NotFoundError, match="'zzz'"):
        ws.records.count_step("zzz")
    with pytest.raises(ValueError, match="'input' or 'output'"):
        ws.records.count_step("a", "middle")


def test_counting_passes_over_broken_scripts(lab) -> None:
    """A broken script counts nothing and stops no other count."""
    lab.scoped()
    lab.write("scripts/behavior/a.py", "def (")
    ws = lab.open()
    assert rows(ws.records.count_raw_data()) == [("RS", "EEG", 2), ("HDC", "EEG", 2)]


def test_jobs_of_a_report_are_one_table(lab) -> None:
    """`jobs` has one row a job asked for, with outcome, measures of what ran, and the cause of what failed."""
    lab.unit("a", "b", "c")
    lab.fail("b-REC-2")
    lab.open()["REC-1"].steps.run("a")
    report = lab.open().steps.run()
    frame = report.jobs
    assert list(frame.columns[:6]) == ["record_id", "task", "modality", "step_index", "step_label", "outcome"]
    outcomes = {(row.record_id, row.step_label): row.outcome for row in frame.itertuples()}
    assert outcomes == {
        ("REC-1", "a"): "up_to_date",
        ("REC-1", "b"): "done",
        ("REC-1", "c"): "done",
        ("REC-2", "a"): "done",
        ("REC-2", "b"): "failed",
        ("REC-2", "c"): "blocked",
    }
    failed = frame[frame["outcome"] == "failed"].iloc[0]
    assert (failed["exc_type"], failed["exc_message"]) == ("ValueError", "no good")
    assert (frame["duration_s"].notna() == frame["outcome"].isin(["done", "failed"])).all()
    assert frame["outcome"].value_counts().to_dict() == {
        name: count for name, count in report.counts.items() if count
    }


def test_jobs_of_a_run_with_nothing_to_do(lab) -> None:
    """A second run has the same table, all up to date and without measures."""
    lab.unit()
    lab.open().steps.run()
    frame = lab.open().steps.run().jobs
    assert frame["outcome"].tolist() == ["up_to_date"] * 4
    assert frame["duration_s"].isna().all()
    assert len(lab.open().steps.run().jobs.columns) == len(frame.columns)
