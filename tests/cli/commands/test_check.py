"""All problems at once."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sinagot import Workspace
from tests.cli.conftest import ONE, TWO, Invoke, Lab


def test_good_workspace(invoke: Invoke, harbor: Path) -> None:
    """A good workspace shows its folders, records and steps, and nothing is written."""
    before = set(harbor.rglob("*"))
    result = invoke(harbor, "check")
    assert result.exit_code == 0
    assert "3 records: REC-20200601 ... REC-20200603" in result.stdout
    assert "found by raw/{id}.csv" in result.stdout
    assert result.stdout.endswith("All is well.\n")
    assert {path for path in set(harbor.rglob("*")) - before if "__pycache__" not in str(path)} == set()


def test_all_problems_of_the_configuration(invoke: Invoke, make_lab: Lab) -> None:
    """Everything that is wrong in the file is listed, each with its line; exit code 4."""
    toml = "[step]\nscripts = []\n[run]\nmode = 'dusk'\n[path]\ndataset = 'nowhere'\n[log]\nlevle = 'INFO'\n"
    lab = make_lab(toml=toml)
    result = invoke(lab, "check")
    assert result.exit_code == 4
    for line in (1, 4, 6):
        assert f"Error: workspace.toml:{line}: " in result.stdout
    assert "Warning: workspace.toml:8: log.levle: unknown key" in result.stdout
    assert "3 errors, 1 warning" in result.stdout
    assert result.stderr == ""


def test_all_problems_of_scripts(invoke: Invoke, make_lab: Lab) -> None:
    """Missing, broken and empty scripts and wrong patterns are listed together, with what still can be found."""
    lab = make_lab(
        1,
        toml="[records]\nid_pattern = 'REC-\\d+'\n"
        "[steps]\nscripts = ['one', 'gone', 'bad', 'empty', 'field']\n[run]\nworkrs = 3\n",
        bad="def x(:\n",
        empty="x = 1\n",
        field=TWO.replace("{id}", "{idd}"),
    )
    result = invoke(lab, "check")
    assert result.exit_code == 4
    for text in (
        "Warning: workspace.toml:6: run.workrs: unknown key",
        "step 'gone': there is no file scripts/gone.py",
        "step 'bad': scripts/bad.py:1: SyntaxError",
        "step 'empty': scripts/empty.py has no class Script",
        "unknown field {idd}",
        "4 errors, 1 warning",
        "1 record: REC-1",
    ):
        assert text in result.stdout


def test_a_problem_of_many_units_is_told_once(invoke: Invoke, scoped_lab: Path) -> None:
    """A script that two tasks share is blamed once."""
    (scoped_lab / "scripts" / "EEG" / "one.py").write_text("x = 1\n")
    result = invoke(scoped_lab, "check")
    assert result.exit_code == 4
    assert result.stdout.count("has no class Script") == 1
    assert "records: can't be listed, see below" in result.stdout


def test_missing_id_pattern(invoke: Invoke, make_lab: Lab) -> None:
    """Without id_pattern nothing tells records apart; the message says what to write."""
    result = invoke(make_lab(1, toml="[steps]\nscripts = ['one']\n"), "check")
    assert result.exit_code == 4
    assert result.stdout.count("records.id_pattern") == 1


def test_two_steps_of_one_output(invoke: Invoke, make_lab: Lab) -> None:
    """Two steps that write the same file are a problem of the configuration."""
    result = invoke(make_lab(1, two=ONE), "check")
    assert result.exit_code == 4
    assert "steps one and two write the same file 'one/{id}.txt'" in result.stdout


def test_units_and_raw_data_are_counted(invoke: Invoke, scoped_lab: Path) -> None:
    """Raw data are counted for each task and modality; a modality without steps has nothing to count."""
    rows = [line.split() for line in invoke(scoped_lab, "check").stdout.splitlines()]
    assert ["RS", "EEG", "2", "one"] in rows
    assert ["HDC", "EEG", "1", "one"] in rows
    assert ["HDC", "behavior", "-", "none"] in rows


def test_ambiguous_files(invoke: Invoke, make_lab: Lab) -> None:
    """Two files for one id are an error that names both."""
    lab = make_lab(
        1, toml="[records]\npath = 'raw/{id}.{ending}'\nid_pattern = 'REC-\\d+'\n[steps]\nscripts = ['one']\n"
    )
    (lab / "dataset" / "raw" / "REC-1.csv").touch()
    result = invoke(lab, "check")
    assert result.exit_code == 4
    assert "raw/REC-1.csv" in result.stdout


def test_no_record(invoke: Invoke, make_lab: Lab) -> None:
    """A good workspace without records ends with 5 and says where it looked."""
    result = invoke(make_lab(), "check")
    assert result.exit_code == 5
    assert "looked for raw/{id}.txt" in result.stdout
    assert "Nothing is wrong, but there is no record." in result.stdout


def test_json(invoke: Invoke, make_lab: Lab) -> None:
    """With --json the same facts come as values, whether the workspace opens or not."""
    lab = make_lab(
        1,
        toml="[records]\nid_pattern = 'REC-\\d+'\n[steps]\nscripts = ['one', 'gone', 'bad']\n",
        bad="\ndef x(:\n",
    )
    result = invoke(lab, "check", "--json")
    found = json.loads(result.stdout)
    assert result.exit_code == 4
    assert [(one["file"], one["line"]) for one in found["errors"]] == [
        (str(lab / "scripts" / "gone.py"), None),
        (str(lab / "scripts" / "bad.py"), 2),
    ]
    assert (found["records"], found["paths"]["dataset"]) == (1, str(lab / "dataset"))
    assert found["units"] == [
        {"task": None, "modality": None, "steps": ["one", "gone", "bad"], "raw_data": 1}
    ]
    (lab / "workspace.toml").write_text("[records\n")
    found = json.loads(invoke(lab, "check", "--json").stdout)
    assert (found["errors"][0]["line"], found["records"], found["units"]) == (1, None, [])


def test_what_cannot_be_read_is_a_warning(
    invoke: Invoke, harbor: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder that cannot be read is told beside what was found."""
    monkeypatch.setattr(
        Workspace, "note_problems", lambda self, found: setattr(self, "problems", ["raw/x: no"])
    )
    result = invoke(harbor, "check")
    assert result.exit_code == 0
    assert result.stdout.endswith("Warning: raw/x: no\n\n0 errors, 1 warning\n")
