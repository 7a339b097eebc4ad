"""The table of records and steps."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from sinagot.engine.planning.status import StepStatus
from sinagot.engine.words import STATUS
from tests.cli.conftest import Invoke, Lab


def test_words(invoke: Invoke, make_lab: Lab) -> None:
    """Each record has a line, each step a word; the totals count them."""
    lab = make_lab(1, 3, 5)
    (lab / "dataset" / "raw" / "REC-3.txt").rename(lab / "dataset" / "raw" / "later")
    invoke(lab, "run")
    (lab / "dataset" / "raw" / "later").rename(lab / "dataset" / "raw" / "REC-3.txt")
    result = invoke(lab, "status")
    assert result.exit_code == 0
    assert [line.split() for line in result.stdout.splitlines()] == [
        ["record", "one", "two"],
        ["REC-1", "done", "done"],
        ["REC-2", "error", "no", "input"],
        ["REC-3", "ready", "no", "input"],
        [],
        ["step", "done", "error", "ready", "no", "input"],
        ["one", "1", "1", "1", "-"],
        ["two", "1", "-", "-", "2"],
    ]


def test_every_status_has_a_word_and_a_letter() -> None:
    """Words and letters tell all codes apart, without colour."""
    assert set(STATUS) == set(StepStatus.__members__)
    words = STATUS.values()
    assert len({word.text for word in words}) == len({word.letter for word in words}) == 10


def test_narrow_terminal_gets_letters(invoke: Invoke, make_lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where words do not fit, letters stand below numbers, and both are explained."""
    lab = make_lab(1, 3)
    invoke(lab, "run")
    monkeypatch.setattr("sinagot.cli.commands.status.terminal_width", lambda: 15)
    assert [line.split() for line in invoke(lab, "status").stdout.splitlines()] == [
        ["record", "1", "2"],
        ["REC-1", "D", "D"],
        ["REC-2", "E", "."],
        [],
        ["D", "done,", "E", "error,", ".", "no", "input"],
        [],
        ["step", "done", "error", "no", "input"],
        ["1", "one", "1", "1", "-"],
        ["2", "two", "1", "-", "1"],
    ]
    assert sys.stdout is not None


def test_narrowed(invoke: Invoke, scoped_lab: Path) -> None:
    """Task, modality, record and step narrow the table."""
    invoke(scoped_lab, "run")
    lines = invoke(scoped_lab, "status", "--task", "RS", "--modality", "EEG").stdout.splitlines()
    assert lines[0].split() == ["record", "RS-EEG-one"]
    lines = invoke(scoped_lab, "status", "--record", "REC-2", "--step", "one").stdout.splitlines()
    assert [line.split() for line in lines[:2]] == [
        ["record", "RS-EEG-one", "HDC-EEG-one"],
        ["REC-2", "done", "no", "input"],
    ]


def test_totals_only(invoke: Invoke, make_lab: Lab) -> None:
    """--totals leaves the records out."""
    lines = invoke(make_lab(1, 2), "status", "--totals").stdout.splitlines()
    assert [line.split() for line in lines] == [
        ["step", "ready", "no", "input"],
        ["one", "2", "-"],
        ["two", "-", "2"],
    ]


def test_json(invoke: Invoke, scoped_lab: Path) -> None:
    """With --json every cell and every total comes with code and name."""
    (scoped_lab / "dataset" / "raw" / "REC-2-RS.txt").unlink()
    found = json.loads(invoke(scoped_lab, "status", "--json", "--task", "RS").stdout)
    assert found == {
        "status": [
            {
                "record_id": "REC-1",
                "task": "RS",
                "modality": "EEG",
                "step_index": 1,
                "step_label": "one",
                "step_status": 10,
                "status_name": "DATA_READY",
            }
        ],
        "totals": [{"task": "RS", "modality": "EEG", "step_label": "one", "counts": {"DATA_READY": 1}}],
    }


def test_nothing_to_show(invoke: Invoke, make_lab: Lab, scoped_lab: Path) -> None:
    """No record, no step, and an unknown step end with 5 and different words."""
    assert "No record found" in invoke(make_lab(name="empty"), "status").stderr
    result = invoke(scoped_lab, "status", "--task", "HDC", "--modality", "behavior")
    assert (result.exit_code, result.stderr) == (
        5,
        "No step is configured here, so nothing says where raw data are.\n",
    )
    result = invoke(scoped_lab, "status", "--step", "on")
    assert (result.exit_code, result.stderr) == (
        5,
        "Error: no step 'on'; steps are one; did you mean 'one'?\n",
    )


def test_status_writes_nothing(invoke: Invoke, make_lab: Lab) -> None:
    """Looking leaves no file and no folder."""
    lab = make_lab(1)
    before = set(lab.rglob("*"))
    invoke(lab, "status")
    assert {path for path in lab.rglob("*") if "__pycache__" not in str(path)} == before
