"""Logs for people."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import Invoke, Lab, Program, environment


@pytest.fixture
def lab(make_lab: Lab, invoke: Invoke) -> Path:
    """Give a workspace that has run: record 1 prints, record 2 fails."""
    lab = make_lab(4, 3)
    invoke(lab, "run")
    return lab


def test_lines(invoke: Invoke, lab: Path) -> None:
    """A line has time, level, step and message, oldest first; what a script printed is among them."""
    result = invoke(lab, "logs", "REC-1")
    assert result.exit_code == 0
    rows = [line.split(maxsplit=4)[2:] for line in result.stdout.splitlines()]
    assert [row[:2] for row in rows] == [["INFO", "one:"]] * 4 + [["INFO", "two:"]] * 3
    assert [row[2].partition("  (")[0] for row in rows[:4]] == [
        "Init run",
        "Processing run",
        "hello from REC-1",
        "Run finished",
    ]


def test_time_is_local(invoke: Invoke, lab: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Times are shown in the time zone of the user; those of old lines, without a zone, mean UTC."""
    import time

    log = lab / "dataset" / "LOG" / "REC-1.log"
    line = {"step_label": "one", "message": "old", "step_status": 40}
    times = ["2020-08-20T11:28:32.588000", "2020-08-20T11:28:32.588000+00:00", None, "nonsense"]
    log.write_text("".join(json.dumps({**line, "time": time}) + "\n" for time in times))
    monkeypatch.setenv("TZ", "UTC-2")
    time.tzset()
    try:
        lines = invoke(lab, "logs", "REC-1").stdout.splitlines()
    finally:
        monkeypatch.undo()
        time.tzset()
    assert lines[0] == lines[1] == "2020-08-20 13:28:32.588  ERROR    one: old"
    assert [text.split()[0] for text in lines[2:]] == ["-", "nonsense"]


def test_failure_has_its_traceback_below(invoke: Invoke, lab: Path) -> None:
    """A failure shows type and text, and its traceback indented."""
    lines = invoke(lab, "logs", "REC-2", "-n", "1").stdout.splitlines()
    assert "ERROR    one: ValueError: bad value 3 of 'REC-2'" in lines[0]
    assert lines[1] == "    Traceback (most recent call last):"
    assert lines[-1] == "    ValueError: bad value 3 of 'REC-2'"


def test_control_characters_are_shown_not_sent(invoke: Invoke, lab: Path) -> None:
    """What a script logged cannot clear the screen of who reads it."""
    log = lab / "dataset" / "LOG" / "REC-1.log"
    log.write_text(json.dumps({"step_label": "one", "message": "a\x1b[2Jb\nc", "time": None}) + "\n")
    assert invoke(lab, "logs", "REC-1").stdout.endswith("INFO     one: a\\x1b[2Jb\n    c\n")


def test_narrowed(invoke: Invoke, lab: Path) -> None:
    """--step and -n narrow to the last lines of a step."""
    lines = invoke(lab, "logs", "REC-1", "--step", "two", "-n", "2").stdout.splitlines()
    assert [line.split()[3] for line in lines] == ["two:", "two:"]
    assert invoke(lab, "logs", "REC-1", "-n", "0").stdout == ""
    assert len(invoke(lab, "logs", "REC-1", "-n", "99").stdout.splitlines()) == 7


def test_narrowed_to_a_scope(invoke: Invoke, scoped_lab: Path) -> None:
    """--task and --modality narrow to their lines."""
    invoke(scoped_lab, "run")
    lines = invoke(scoped_lab, "logs", "REC-1", "--task", "HDC", "--modality", "EEG").stdout.splitlines()
    assert {line.split()[3] for line in lines} == {"HDC-EEG-one:"}


def test_json_lines(invoke: Invoke, lab: Path) -> None:
    """With --json each line is one object, as it stands in the file."""
    lines = [json.loads(line) for line in invoke(lab, "logs", "REC-1", "--json").stdout.splitlines()]
    stored = (lab / "dataset" / "LOG" / "REC-1.log").read_text().splitlines()
    assert lines == [json.loads(line) for line in stored]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["REC-77"], "No log lines of record REC-77 in "),
        (["REC-2", "--step", "two"], "No log lines of step two of record REC-2 in "),
        (["REC-1", "--step", "tow"], "no step 'tow'; steps are one, two; did you mean 'two'?"),
    ],
)
def test_nothing_to_show(invoke: Invoke, lab: Path, words: list[str], said: str) -> None:
    """Where there are no lines the exit code is 5, and the words say of what."""
    result = invoke(lab, "logs", *words)
    assert (result.exit_code, result.stdout) == (5, "")
    assert said in result.stderr


def test_steps_of_former_days_keep_their_lines(invoke: Invoke, lab: Path) -> None:
    """Lines of a step that is configured no more can be asked for."""
    text = (lab / "workspace.toml").read_text()
    (lab / "workspace.toml").write_text(text.replace(", 'two'", ""))
    assert invoke(lab, "logs", "REC-1", "--step", "two").exit_code == 0


def test_follow(lab: Path) -> None:
    """--follow shows the last lines, then new ones as they come, until Ctrl-C, which ends it with 130."""
    process = subprocess.Popen(
        [sys.executable, "-m", "sinagot", "logs", "REC-1", "--follow", "--json", "-n", "1", "--step", "two"],
        cwd=lab,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert json.loads(process.stdout.readline())["message"] == "Run finished"
    new = [{"record_id": "REC-1", "step_label": step, "message": "new"} for step in ("one", "two")]
    with open(lab / "dataset" / "LOG" / "REC-1.log", "a") as log:
        log.writelines(json.dumps(line) + os.linesep for line in new)
    assert json.loads(process.stdout.readline()) == new[1]
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in errors


def test_follow_a_scope_of_a_log_to_come(scoped_lab: Path, program: Program) -> None:
    """The log need not be there yet; lines of other scopes are left out."""
    words = ["logs", "REC-1", "--task", "HDC", "--follow"]
    process = subprocess.Popen(
        [sys.executable, "-m", "sinagot", *words],
        cwd=scoped_lab,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout is not None
    assert program(scoped_lab, "run").returncode == 0
    assert [process.stdout.readline().split()[3] for _ in range(3)] == ["HDC-EEG-one:"] * 3
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert process.returncode == 130
