"""Lists of ids."""

from __future__ import annotations

import json
import os
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from sinagot import Workspace
from sinagot.cli.findings import tell_problems
from tests.cli.conftest import Invoke, Lab


def test_one_id_a_line(invoke: Invoke, harbor: Path) -> None:
    """Standard output has the ids and nothing else, so that a pipe can use it."""
    result = invoke(harbor, "records")
    assert result.exit_code == 0
    assert result.stdout == "REC-20200601\nREC-20200602\nREC-20200603\n"


def test_records_of_a_scope(invoke: Invoke, scoped_lab: Path) -> None:
    """A task and a modality narrow the list to records that have such data."""
    assert invoke(scoped_lab, "records").stdout.split() == ["REC-1", "REC-2"]
    assert invoke(scoped_lab, "records", "--task", "HDC", "--modality", "EEG").stdout.split() == ["REC-1"]


def test_json_has_entities(invoke: Invoke, make_lab: Lab) -> None:
    """With --json every record comes with the entities of its id."""
    lab = make_lab(
        toml="[records]\npath = 'raw/{subject}[_{session}].txt'\nid = '{subject}[_{session}]'\n"
        "[records.entities]\nsubject = '[a-z]+'\nsession = '\\d'\n"
    )
    (lab / "dataset" / "raw" / "ann_1.txt").touch()
    (lab / "dataset" / "raw" / "bob.txt").touch()
    assert json.loads(invoke(lab, "records", "--json").stdout) == {
        "count": 2,
        "records": [
            {"record_id": "ann_1", "entities": {"subject": "ann", "session": "1"}},
            {"record_id": "bob", "entities": {"subject": "bob"}},
        ],
    }


def test_none(invoke: Invoke, make_lab: Lab) -> None:
    """Without records the exit code is 5, and standard error says where they were looked for."""
    lab = make_lab()
    result = invoke(lab, "records")
    assert (result.exit_code, result.stdout) == (5, "")
    assert f"No record found in {lab / 'dataset'}" in result.stderr
    assert "looked for raw/{id}.txt; a whole id matches REC-\\d+" in result.stderr
    assert json.loads(invoke(lab, "records", "--json").stdout) == {"count": 0, "records": []}


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_unreadable_folder_is_named(invoke: Invoke, make_lab: Lab) -> None:
    """A folder that cannot be read is a warning that names it."""
    lab = make_lab(1)
    (lab / "dataset" / "raw").chmod(0)
    try:
        assert "raw" in invoke(lab, "records").stderr
    finally:
        (lab / "dataset" / "raw").chmod(0o755)


def test_of_many_problems_some_are_named(capsys: pytest.CaptureFixture[str]) -> None:
    """Of many folders that cannot be read the first few are named, and the rest are counted."""
    found = SimpleNamespace(problems=[f"folder {number}: Permission denied" for number in range(8)])
    tell_problems(cast(Workspace, found))
    assert capsys.readouterr().err.splitlines() == [
        *(f"Warning: folder {number}: Permission denied" for number in range(5)),
        "Warning: ... and 3 more that can't be read",
    ]
