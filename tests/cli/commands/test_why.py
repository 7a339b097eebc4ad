"""What a run would do with a record, and why."""

from __future__ import annotations

import json
import os
from pathlib import Path

from tests.cli.conftest import Invoke, Lab


def edit(path: Path, text: str) -> None:
    """Write a file and give it a later time of change."""
    path.write_text(text)
    stamp = path.stat().st_mtime_ns + 10**9
    os.utime(path, ns=(stamp, stamp))


def test_every_step_with_every_reason(invoke: Invoke, make_lab: Lab) -> None:
    """Each step says what would be done, and each reason stands on a line of its own."""
    lab = make_lab(3)
    invoke(lab, "run")
    result = invoke(lab, "why", "REC-1")
    assert result.exit_code == 0
    assert result.stdout.startswith("one: would run")
    assert "    the last attempt failed\n    output not there: " in result.stdout
    assert "two: " in result.stdout


def test_what_changed_is_told_where_it_is_no_reason(invoke: Invoke, make_lab: Lab) -> None:
    """With `rerun = "missing"` a changed input is told beside; with --outdated it is the reason."""
    lab = make_lab(1, 2)
    invoke(lab, "run")
    assert invoke(lab, "why", "REC-1", "one").stdout == "one: up to date\n    all outputs are there\n"
    edit(lab / "dataset/raw/REC-1.txt", "22")
    told = invoke(lab, "why", "REC-1", "one").stdout
    assert told.startswith("one: up to date\n")
    assert "changed since it was made" in told and "    input raw/REC-1.txt changed (1 bytes of " in told
    told = invoke(lab, "why", "REC-1", "--outdated").stdout
    assert told.startswith("one: would run, about ") and "changed since" not in told
    assert "two: would run" in told and "    REC-1/one is made again" in told


def test_changed_parameter_is_told_with_its_place(invoke: Invoke, make_lab: Lab) -> None:
    """The line of the table that holds a parameter now stands beside its old and new value."""
    toml = (
        "[records]\nid_pattern = 'REC-\\d+'\n[steps]\nscripts = ['one', 'two']\n[params]\nlow = 1\n"
        "[pipelines.two]\nband = {low = 1, high = 2}\n[pipelines.two.records.REC-2]\nlow = 5\n"
    )
    lab = make_lab(1, 2, toml=toml)
    invoke(lab, "run")
    edit(lab / "workspace.toml", toml.replace("low = 5", "low = 6\nband.high = 3"))
    told = invoke(lab, "why", "REC-2", "two", "--outdated").stdout
    assert 'parameter band changed ({"high": 2, "low": 1} -> {"high": 3, "low": 1}), ' in told
    for line, number in (("parameter low changed (5 -> 6), ", 10), ("parameter band", 11)):
        (found,) = (one for one in told.splitlines() if line in one)
        assert found.endswith(f"workspace.toml:{number}")
    assert "parameter" not in invoke(lab, "why", "REC-1", "two", "--outdated").stdout


def test_json(invoke: Invoke, make_lab: Lab) -> None:
    """Reasons have code, text, subject, old and new."""
    lab = make_lab(1)
    invoke(lab, "run")
    edit(lab / "dataset/raw/REC-1.txt", "22")
    found = json.loads(invoke(lab, "why", "REC-1", "--json").stdout)
    assert found["record_id"] == "REC-1" and [step["step"] for step in found["steps"]] == ["one", "two"]
    (change,) = found["steps"][0]["changed"]
    assert change["code"] == "input_changed" and change["subject"] == "raw/REC-1.txt"
    assert change["old"].startswith("1 bytes of ") and change["new"].startswith("2 bytes of ")
    assert found["steps"][0]["verdict"] == "up_to_date" and found["steps"][0]["estimate_s"] is None


def test_task_and_modality_narrow(invoke: Invoke, scoped_lab: Path) -> None:
    """Steps of a scope are named with it."""
    told = invoke(scoped_lab, "why", "REC-1", "--task", "RS").stdout
    assert "RS-EEG-one: " in told and "HDC" not in told


def test_mistakes(invoke: Invoke, make_lab: Lab) -> None:
    """An id that cannot be one, and a step that does not exist, are told with what there is."""
    lab = make_lab(1)
    result = invoke(lab, "why", "nobody")
    assert result.exit_code == 5 and "nobody" in result.stderr
    result = invoke(lab, "why", "REC-1", "tow")
    assert result.exit_code == 5 and "did you mean 'two'?" in result.stderr
