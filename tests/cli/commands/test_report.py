"""The flow of records, by the command line."""

from __future__ import annotations

import json
from pathlib import Path

from tests.cli.conftest import Invoke, Lab


def test_flow_is_a_table_that_adds_up(invoke: Invoke, make_lab: Lab) -> None:
    """Each row adds up to what was found; exclusions are told by reason, results without input beside the sum."""
    lab = make_lab(1, 3, 1, 1)
    invoke(lab, "exclude", "REC-3", "--reason", "asleep")
    invoke(lab, "run")
    (lab / "dataset" / "raw" / "REC-4.txt").unlink()
    lines = [line.split() for line in invoke(lab, "report", "flow").stdout.splitlines()]
    assert lines == [
        ["found", "excluded", "failed", "waiting", "for", "a", "step", "before", "done"],
        ["one", "3", "1", "1", "0", "1"],
        ["two", "3", "1", "0", "1", "1"],
        ["jobs", "6", "2", "1", "1", "2"],
        ["records", "3", "1", "1", "0", "1"],
        [],
        ["excluded", "jobs", "records"],
        ["asleep", "2", "1"],
        [],
        ["Results", "without", "input:", "one", "1,", "two", "1"],
        ["records", "that", "were", "not", "found:", "REC-4"],
    ]


def test_flow_for_programs_and_figures(invoke: Invoke, make_lab: Lab) -> None:
    """JSON has every place of every row; the figure is text for Mermaid; both at once are refused."""
    lab = make_lab(1, 1)
    found = json.loads(invoke(lab, "report", "flow", "--json").stdout)
    assert [one["name"] for one in found["steps"]] == ["one", "two"]
    assert found["records"]["places"]["ready"] == found["records"]["found"] == 2
    assert sum(found["jobs"]["places"].values()) == found["jobs"]["found"] == 4
    assert found["strays"] == []
    figure = invoke(lab, "report", "flow", "--mermaid").stdout
    assert figure.startswith('flowchart TD\n    found["found<br>2"]\n')
    assert invoke(lab, "report", "flow", "--mermaid", "--json").exit_code == 2


def test_flow_narrows(invoke: Invoke, scoped_lab: Path) -> None:
    """Task, modality, record and step narrow what is counted; no step of that name is exit code 5."""
    lines = invoke(scoped_lab, "report", "flow", "--task", "RS").stdout.splitlines()
    assert [line.split()[:2] for line in lines[1:]] == [["RS-EEG-one", "2"], ["jobs", "2"], ["records", "2"]]
    lines = invoke(scoped_lab, "report", "flow", "--record", "REC-2", "--step", "one").stdout.splitlines()
    assert lines[0].split() == ["found", "missing", "input", "not", "run", "yet", "done"]
    assert lines[-1].split() == ["records", "1", "1", "0", "0"]
    assert invoke(scoped_lab, "report", "flow", "--step", "tow").exit_code == 5


def test_flow_of_nothing(invoke: Invoke, make_lab: Lab) -> None:
    """Without records, or without steps, there is nothing to report."""
    result = invoke(make_lab(), "report", "flow")
    assert result.exit_code == 5
    assert "No record found" in result.stderr
    lab = make_lab(1, name="bare", toml="[records]\nid_pattern = 'REC-\\d+'\npath = 'raw/{id}.txt'\n")
    result = invoke(lab, "report", "flow")
    assert "No step is configured here." in result.stderr
