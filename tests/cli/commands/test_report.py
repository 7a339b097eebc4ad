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


def test_methods_are_text_for_a_paper(invoke: Invoke, make_lab: Lab) -> None:
    """The text has the counts of the flow; JSON has the same; a run that is not there ends with code 5."""
    lab = make_lab(1, 3, 1)
    invoke(lab, "run")
    flow = json.loads(invoke(lab, "report", "flow", "--json").stdout)
    found = json.loads(invoke(lab, "report", "methods", "--json").stdout)
    assert found["flow"] == flow and found["counts"]["done"] == flow["records"]["places"]["done"] == 2
    text = invoke(lab, "report", "methods").stdout
    assert found["paragraph"].split(":")[0] in text and "| records | 3 | 1 | 0 | 2 |" in text
    assert "Of 6 jobs asked for, 1 failed, 1 was blocked" in invoke(lab, "report", "methods", "last").stdout
    missing = invoke(lab, "report", "methods", "2019")
    assert missing.exit_code == 5 and "no run '2019'" in missing.stderr and not missing.stdout


def test_page_is_written_where_it_is_asked_for(invoke: Invoke, make_lab: Lab, tmp_path: Path) -> None:
    """The page goes to the current folder, a file or standard output; a file that is none of ours is not replaced unasked."""
    lab = make_lab(1, 3)
    invoke(lab, "run")
    folder = tmp_path / "other"
    folder.mkdir()
    assert invoke(lab, "report", "html").stdout == "Written: report.html\n"
    assert invoke(lab, "report", "html", "all", "-o", "report.html").exit_code == 0  # ours is replaced
    assert invoke(lab, "report", "html", "last", "-o", str(folder)).exit_code == 0
    assert invoke(lab, "report", "html", "-o", "-").stdout.startswith("<!DOCTYPE html>")
    assert [path.name for path in (*lab.glob("*.html"), *folder.iterdir())] == ["report.html"] * 2
    (lab / "mine.html").write_text("mine")
    refused = invoke(lab, "report", "html", "-o", "mine.html")
    assert refused.exit_code == 2 and (lab / "mine.html").read_text() == "mine"
    assert invoke(lab, "report", "html", "-o", "mine.html", "--force").exit_code == 0
    assert "REC-2" in (lab / "mine.html").read_text()
    lost = invoke(lab, "report", "html", "-o", "no/such/folder.html")
    assert lost.exit_code == 1 and "no/such/folder.html can't be written" in lost.stderr
