"""All about one record."""

from __future__ import annotations

import html
import json
import os
import re
import shlex
from pathlib import Path

from tests.cli.conftest import Invoke, Lab


def test_error_is_shown_with_the_line_that_ran(invoke: Invoke, make_lab: Lab) -> None:
    """The user's own line is marked, as it was when it ran, also when the script was edited or removed since."""
    lab = make_lab(3)
    invoke(lab, "run")
    marked = "  > 11 |             raise ValueError(f\"bad value {value} of '{self.id}'\")\n"
    told = invoke(lab, "show", "REC-1")
    assert told.exit_code == 0
    assert "  ValueError: bad value 3 of 'REC-1'\n  scripts/one.py:11 in run\n" in told.stdout
    assert marked in told.stdout and "     8 |     def run(self):\n" in told.stdout
    script = lab / "scripts/one.py"
    script.write_text("# new first line\n" + script.read_text())
    told = invoke(lab, "show", "REC-1").stdout
    assert marked in told and "in run (as it ran; the file has changed since)\n" in told
    (copy,) = (file for file in lab.glob("dataset/.sinagot/runs/*/code/*") if "bad value" in file.read_text())
    copy.unlink()
    told = invoke(lab, "show", "REC-1").stdout
    assert "  > 11 |         if value == 3:\n" in told and "this is how it is now" in told
    script.write_text(script.read_text().replace("\n\n", "\n").partition("        if value == 3")[0])
    assert "has no line 11 now" in invoke(lab, "show", "REC-1").stdout
    script.write_text("def (")
    told = invoke(lab, "show", "REC-1")
    assert told.exit_code == 0 and "one can't run\n" in told.stdout


def test_line_of_a_local_module(invoke: Invoke, make_lab: Lab) -> None:
    """When the innermost line of the user's is in a module beside the scripts, that one is shown."""
    lab = make_lab(1)
    (lab / "scripts/tools").mkdir()
    (lab / "scripts/tools/__init__.py").write_text("")
    (lab / "scripts/tools/deep.py").write_text("def check(value):\n    raise KeyError(value)\n")
    script = lab / "scripts/one.py"
    script.write_text(
        script.read_text()
        .replace("from sinagot", "from tools.deep import check\nfrom sinagot", 1)
        .replace("value = int(", "value = check(")
    )
    invoke(lab, "run")
    (lab / "scripts/tools/deep.py").write_text("def check(value):\n    return 1\n")
    told = invoke(lab, "show", "REC-1").stdout
    assert "scripts/tools/deep.py:2 in check (as it ran; the file has changed since)\n" in told
    assert "  > 2 |     raise KeyError(value)\n" in told


def test_commands_lead_on(invoke: Invoke, make_lab: Lab) -> None:
    """The commands that are shown can be copied: they name workspace, record and step, and do what they say."""
    lab = make_lab(3)
    invoke(lab, "run")
    told = invoke(lab.parent, "show", "REC-1", "-w", "lab").stdout
    assert "  the whole log:  sinagot -w lab logs REC-1 --step one\n" in told
    again = "sinagot -w lab run --record REC-1 --step one"
    assert f"  run it again:   {again}\n" in told and f"{again} --debug\n" in told
    (lab / "dataset/raw/REC-1.txt").write_text("1")
    assert invoke(lab.parent, *again.split()[1:]).exit_code == 0
    assert "one: error" not in invoke(lab, "show", "REC-1").stdout


def test_commands_name_what_begins_with_a_dash(invoke: Invoke, make_lab: Lab) -> None:
    """A command that is shown to be copied works for an id that looks like an option, in each place that shows one."""
    lab = make_lab(toml="[records]\nid_pattern = '.+'\n[steps]\nscripts = ['one']\n")
    (lab / "dataset/raw/-f 1.txt").write_text("3")
    shown = invoke(lab, "run").stdout + invoke(lab, "show", "--", "-f 1").stdout
    invoke(lab, "report", "html", "-o", "page.html")
    shown += html.unescape((lab / "page.html").read_text())
    commands = re.findall(r"sinagot ((?:logs|why) .*-f 1[^<\n]*)", shown)
    assert len(commands) == 4
    for one in commands:
        result = invoke(lab, *shlex.split(one))
        assert result.exit_code == 0 and "one" in result.stdout, one


def test_files_steps_decisions_and_notes(invoke: Invoke, make_lab: Lab) -> None:
    """Files say whether they are there; steps have duration and memory of the last good attempt; decisions are told."""
    lab = make_lab(1, 2)
    invoke(lab, "run")
    invoke(lab, "exclude", "REC-1", "--step", "two", "--reason", "too\x1b[2J noisy")
    (lab / "dataset/two/REC-1.txt").unlink()
    os.utime(lab / "dataset/raw/REC-1.txt", (4e9, 4e9))
    result = invoke(lab, "show", "REC-1")
    lines = [" ".join(line.split()) for line in result.stdout.splitlines()]
    assert any(line.startswith("one done 20") and line.endswith(("MB", "GB")) for line in lines)
    assert any(line.startswith("two excluded 20") for line in lines)
    assert "raw/REC-1.txt input one 1 B now" in lines and "two/REC-1.txt output two - not there" in lines
    assert "Decisions" in lines and "\x1b" not in result.stdout and "too\\x1b[2J noisy" in result.stdout
    assert "one: its result is older than an input (sinagot why REC-1)" in lines
    found = json.loads(invoke(lab, "show", "REC-1", "--json").stdout)
    one, two = found["steps"]
    assert one["duration_s"] > 0 and one["peak_memory_mb"] > 0 and one["status_name"] == "DONE"
    assert [(file["role"], file["size"]) for file in two["files"]] == [("input", 1), ("output", None)]
    assert two["exclusion"]["reason"] == "too\x1b[2J noisy" and two["error"] is None
    assert found["decisions"][0]["decision"] == "exclude"


def test_history_serves_where_the_log_is_gone(invoke: Invoke, make_lab: Lab) -> None:
    """Without its log a record has its durations from the history, and its error from the mark of the failure."""
    lab = make_lab(1, 3)
    invoke(lab, "run")
    for file in (lab / "dataset/LOG").iterdir():
        file.unlink()
    one = json.loads(invoke(lab, "show", "REC-1", "--json").stdout)["steps"][0]
    assert one["duration_s"] > 0 and one["run_id"]
    error = json.loads(invoke(lab, "show", "REC-2", "--json").stdout)["steps"][0]["error"]
    assert (error["exc_type"], error["excerpt"]["line"]) == ("ValueError", 11)


def test_unknown_records_have_near_misses(invoke: Invoke, make_lab: Lab) -> None:
    """A record of which nothing is known is told with what may have been meant; one whose raw file went is shown."""
    lab = make_lab(1, 2)
    for text, hint in {
        "REC-11": "did you mean 'REC-1'?",
        "rec-1": "did you mean 'REC-1'?",
        "zzz": "ids match",
    }.items():
        result = invoke(lab, "show", text)
        assert result.exit_code == 5 and hint in result.stderr and not result.stdout
    assert not (lab / "dataset/.sinagot").exists()
    invoke(lab, "run")
    (lab / "dataset/raw/REC-1.txt").unlink()
    result = invoke(lab, "show", "REC-1")
    assert result.exit_code == 0 and "no raw data of it are there" in result.stdout
    assert "one: its result is there, an input is not" in result.stdout


def test_scope_narrows(invoke: Invoke, scoped_lab: Path) -> None:
    """With --task only its steps are shown, and the commands name them whole."""
    (scoped_lab / "dataset/raw/REC-1-RS.txt").write_text("3")
    invoke(scoped_lab, "run")
    told = invoke(scoped_lab, "show", "REC-1", "--task", "RS").stdout
    assert "RS-EEG-one" in told and "HDC" not in told
    assert "sinagot logs REC-1 --step one --task RS --modality EEG\n" in told
