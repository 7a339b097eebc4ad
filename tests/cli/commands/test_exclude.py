"""Excluding records and taking it back, by the command line."""

from __future__ import annotations

import json
from pathlib import Path

from tests.cli.conftest import Invoke, Lab


def decisions(lab: Path) -> list[dict]:
    """Read the file of decisions."""
    file = lab / "dataset" / ".sinagot" / "decisions.jsonl"
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


def test_excluded_record_is_left_out_and_told(invoke: Invoke, make_lab: Lab) -> None:
    """What is excluded does not run; run, dry run, status and why say who, when and why."""
    lab = make_lab(1, 2)
    result = invoke(lab, "exclude", "REC-1", "--reason", "asleep")
    assert result.exit_code == 0
    assert result.stdout.startswith("REC-1: excluded by ")
    assert result.stdout.endswith(": asleep\n")
    dry = invoke(lab, "run", "--dry-run")
    assert "Dry run: 2 jobs would run, 2 excluded; nothing was done." in dry.stdout
    assert "Excluded: 1 record: REC-1 (excluded by " in dry.stdout
    run = invoke(lab, "run")
    assert run.exit_code == 0
    assert "  2 excluded\n" in run.stdout
    assert "Excluded: 1 record: REC-1 (excluded by " in run.stdout
    again = invoke(lab, "run")
    assert "Nothing to do: 4 jobs of 2 records are up to date (2) or excluded (2)." in again.stdout
    assert ["REC-1", "excluded", "excluded"] in [
        line.split() for line in invoke(lab, "status").stdout.splitlines()
    ]
    assert "one: excluded\n    excluded by " in invoke(lab, "why", "REC-1").stdout


def test_run_of_excluded_records_only_matches_nothing(invoke: Invoke, make_lab: Lab) -> None:
    """When all that was asked for is excluded, the exit code is that of nothing matched."""
    lab = make_lab(1, 2)
    invoke(lab, "exclude", "REC-1", "--reason", "asleep")
    result = invoke(lab, "run", "--record", "REC-1")
    assert result.exit_code == 5
    assert "Nothing to do: 2 jobs of 1 record are excluded." in result.stdout
    assert json.loads(invoke(lab, "run", "--json").stdout)["counts"]["excluded"] == 2


def test_exclude_narrows(invoke: Invoke, scoped_lab: Path) -> None:
    """Task, modality and step narrow what is excluded."""
    result = invoke(
        scoped_lab,
        "exclude",
        "REC-1",
        "--task",
        "RS",
        "--modality",
        "EEG",
        "--step",
        "one",
        "--reason",
        "noise",
        "--json",
    )
    found = json.loads(result.stdout)
    assert found["count"] == 1
    assert {
        "record_id": "REC-1",
        "task": "RS",
        "modality": "EEG",
        "step": "one",
        "reason": "noise",
    }.items() <= found["decisions"][0].items()
    assert decisions(scoped_lab) == found["decisions"]


def test_exclude_refuses(invoke: Invoke, make_lab: Lab) -> None:
    """Without reason, records, data or step nothing is written."""
    lab = make_lab(1, 2)
    for words, code, text in (
        (["REC-1"], 2, "--reason"),
        (["REC-1", "--reason", " "], 2, "--reason"),
        (["--reason", "x"], 2, "--list"),
        (["REC-1", "REC-9", "--reason", "x"], 5, "No data of record REC-9"),
        (["REC-1", "--step", "tow", "--reason", "x"], 5, "did you mean 'two'?"),
    ):
        result = invoke(lab, "exclude", *words)
        assert result.exit_code == code, words
        assert text in result.stderr
    assert decisions(lab) == []


def test_list_shows_what_is_excluded(invoke: Invoke, make_lab: Lab) -> None:
    """The list has what is in force, for people and for programs, and says when lines are broken."""
    lab = make_lab(1, 2, 5)
    assert invoke(lab, "exclude", "--list").stdout == "Nothing is excluded.\n"
    invoke(lab, "exclude", "REC-1", "REC-2", "--reason", "asleep")
    invoke(lab, "exclude", "REC-3", "--step", "two", "--reason", "noise")
    invoke(lab, "include", "REC-2")
    lines = invoke(lab, "exclude", "--list").stdout.splitlines()
    assert [line.partition(":")[0] for line in lines] == ["REC-1", "REC-3 two"]
    found = json.loads(invoke(lab, "exclude", "--list", "REC-3", "--json").stdout)
    assert [one["reason"] for one in found["decisions"]] == ["noise"]
    with (lab / "dataset" / ".sinagot" / "decisions.jsonl").open("a") as file:
        file.write("{\n")
    assert "1 broken line(s)" in invoke(lab, "exclude", "--list").stderr


def test_many_decisions_are_told_shortly(invoke: Invoke, make_lab: Lab) -> None:
    """Of many records the first are named."""
    lab = make_lab(*[1] * 25)
    result = invoke(lab, "exclude", *(f"REC-{number}" for number in range(1, 26)), "--reason", "drill")
    assert len(result.stdout.splitlines()) == 21
    assert result.stdout.endswith("... and 5 more\n")
    for number in range(1, 8):
        invoke(lab, "exclude", f"REC-{number}", "--reason", f"reason {number}")
    assert "  ... and 3 more reasons; all of them: sinagot exclude --list" in invoke(lab, "run").stdout


def test_include_takes_back(invoke: Invoke, make_lab: Lab) -> None:
    """An included record runs again; what was not excluded is told, by exit code 5 when nothing was."""
    lab = make_lab(1, 2)
    invoke(lab, "exclude", "REC-1", "--reason", "asleep")
    result = invoke(lab, "include", "REC-1", "REC-2", "--reason", "checked")
    assert result.exit_code == 0
    assert result.stdout.endswith(": checked\n")
    assert result.stderr == "REC-2: nothing of it was excluded\n"
    assert invoke(lab, "include", "REC-1").exit_code == 5
    assert "4 done" in invoke(lab, "run").stdout
