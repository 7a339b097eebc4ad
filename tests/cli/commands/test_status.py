"""The table of records and steps."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
from pathlib import Path

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sinagot.cli.grids import Screen, grid_lines
from sinagot.cli.statuses import StatusTable
from sinagot.engine.planning.status import StepStatus
from sinagot.engine.words import STATUS
from tests.cli.conftest import ONE, Invoke, Lab, environment


def test_words(invoke: Invoke, make_lab: Lab) -> None:
    """Each record has a line, each step a word; the totals count them."""
    lab = make_lab(1, 3, 5)
    (lab / "dataset" / "raw" / "REC-3.txt").rename(lab / "dataset" / "raw" / "later")
    invoke(lab, "run")
    (lab / "dataset" / "raw" / "later").rename(lab / "dataset" / "raw" / "REC-3.txt")
    result = invoke(lab, "status")
    assert result.exit_code == 0
    assert [line.split() for line in result.stdout.splitlines()] == [
        ["step", "done", "error", "ready", "no", "input"],
        ["one", "1", "1", "1", "-"],
        ["two", "1", "-", "-", "2"],
        [],
        ["record", "one", "two"],
        ["REC-1", "done", "done"],
        ["REC-2", "error", "no", "input"],
        ["REC-3", "ready", "no", "input"],
    ]


def test_every_status_has_a_word_and_a_letter() -> None:
    """Words and letters tell all codes apart, without colour."""
    assert set(STATUS) == set(StepStatus.__members__)
    words = STATUS.values()
    assert len({word.text for word in words}) == len({word.letter for word in words}) == 10


def test_narrow_terminal_gets_letters() -> None:
    """Where words do not fit, letters stand below numbers, and both are explained."""
    steps = [{"task": None, "modality": None, "step_index": n, "step_label": n * "x"} for n in (3, 4)]
    table = StatusTable(steps, {"REC-1": ["DONE", "DONE"], "REC-2": ["ERROR", "INIT"]}, [])
    lines = [line.split() for line in grid_lines(table, Screen(15, 40))]
    assert [[click.unstyle(word) for word in line] for line in lines] == [
        ["step", "█", "done", "▓", "error", "·", "no", "input"],
        ["1", "xxx", "1", "1", "-"],
        ["2", "xxxx", "1", "-", "1"],
        [],
        ["record", "1", "2"],
        ["REC-1", "D", "D"],
        ["REC-2", "E", "."],
        [],
        ["D", "done,", "E", "error,", ".", "no", "input"],
    ]


@given(
    counts=st.dictionaries(st.sampled_from(list(STATUS)), st.integers(1, 40), min_size=1),
    width=st.integers(1, 200),
    height=st.integers(1, 60),
    is_rich=st.booleans(),
)
def test_bars_and_grid_fit_the_screen(counts: dict[str, int], width: int, height: int, is_rich: bool) -> None:
    """Bars never cut a line or a status: each that is there has its fill; ASCII is enough; the records left out are counted."""
    names = [name for name, count in counts.items() for _ in range(count)]
    table = StatusTable(
        [{"task": None, "modality": None, "step_index": 1, "step_label": "one"}],
        {f"REC-{number}": [name] for number, name in enumerate(names)},
        [],
    )
    lines = [click.unstyle(line) for line in grid_lines(table, Screen(width, height, is_rich))]
    bar = re.search(r"  (\S+)$", lines[1])
    if width > 14 * len(counts) + 30:
        assert bar and set(bar[1]) == {
            STATUS[name].fill if is_rich else STATUS[name].letter for name in counts
        }
        assert max(map(len, lines)) <= width
    assert is_rich or "".join(lines).isascii()
    shown = [line for line in lines if line.startswith("REC-")]
    left = sum(int(line.split()[2]) for line in lines if line.startswith("..."))
    assert len(shown) + left == len(names)
    assert len(lines) <= max(height, 5 + 8)


def test_pipe_gets_every_record(invoke: Invoke, make_lab: Lab) -> None:
    """What is no terminal gets all records, without bars and without a count of those left out."""
    shown = invoke(make_lab(*range(10, 100)), "status").stdout
    assert len(re.findall("^REC-", shown, re.MULTILINE)) == 90 and "more" not in shown and "█" not in shown


@pytest.mark.parametrize(
    ("words", "ids"),
    [
        (["--failed"], ["REC-2"]),
        (["--where", "one=done"], ["REC-1"]),
        (["--where", "one=done,error"], ["REC-1", "REC-2"]),
        (["--where", "one=error", "--where", "two=no input"], ["REC-2"]),
        (["--where", "one=error", "--where", "two=done"], []),
        (["--where", "two=INIT"], ["REC-2", "REC-3"]),
        (["--since", "1h"], ["REC-1", "REC-2"]),
        (["--since", "1h", "--failed"], ["REC-2"]),
        (["--since", "2999-01-01"], []),
        (["--since", "2001-02-03T04:05"], ["REC-1", "REC-2"]),
    ],
    ids=" ".join,
)
def test_filters(invoke: Invoke, make_lab: Lab, words: list[str], ids: list[str]) -> None:
    """Filters leave the records for which all of them hold; totals, grid and JSON are about those; how many is said."""
    lab = make_lab(1, 3)
    invoke(lab, "run")
    (lab / "dataset/raw/REC-3.txt").write_text("5")
    result = invoke(lab, "status", *words)
    assert re.findall("^REC-[0-9]", result.stdout, re.MULTILINE) == ids
    assert (result.exit_code, result.stderr) == (0, f"{len(ids)} of 3 records\n")
    found = json.loads(invoke(lab, "status", "--json", *words).stdout)
    assert sorted({row["record_id"] for row in found["status"]}) == ids
    assert [sum(one["counts"].values()) for one in found["totals"]] == [len(ids)] * 2


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--where", "one"], "write step=status"),
        (["--where", "one=eror"], "did you mean 'error'?"),
        (["--where", "on=error"], "no step 'on' here; steps are one, two"),
        (["--since", "yesterday"], "write a date like 2026-01-31"),
        (["--since", "-2h"], "write a date"),
        (["--watch"], "needs a terminal"),
        (["--watch", "--json"], "which of them?"),
        (["--watch", "0"], "--watch"),
    ],
    ids=" ".join,
)
def test_filters_that_make_no_sense(invoke: Invoke, make_lab: Lab, words: list[str], said: str) -> None:
    """A filter that can't be read is a usage error that says what to write."""
    result = invoke(make_lab(1), "status", *words)
    assert result.exit_code == 2 and said in result.stderr


def test_since_knows_what_is_running(make_lab: Lab, invoke: Invoke) -> None:
    """A record whose attempt is going on, or died, has no event yet and is shown all the same."""
    lab = make_lab(1, 2, one=ONE.replace("value = int", "import os; os.kill(os.getpid(), 9); value = int"))
    assert (
        subprocess.run([sys.executable, "-m", "sinagot", "run"], cwd=lab, capture_output=True).returncode
        == -9
    )
    assert re.findall("^REC-.*", invoke(lab, "status", "--since", "1h").stdout, re.MULTILINE) == [
        "REC-1   interrupted  no input"
    ]


def test_watch_draws_in_place_until_ctrl_c(make_lab: Lab) -> None:
    """On a terminal --watch shows records that arrive, in place, and ends with code 0 and the terminal as it was."""
    lab = make_lab(1, 2)
    leader, follower = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "sinagot", "status", "--watch", "0.1"],
        cwd=lab,
        env={**environment(), "TERM": "xterm", "COLUMNS": "70", "LINES": "20"},
        stdin=follower,
        stdout=follower,
        stderr=follower,
    )
    os.close(follower)
    shown = b""

    def read_until(text: bytes) -> None:
        nonlocal shown
        while text not in shown and select.select([leader], [], [], 60)[0]:
            shown += os.read(leader, 65536)

    read_until(b"REC-2")
    (lab / "dataset/raw/REC-3.txt").write_text("5")
    read_until(b"REC-3")
    process.send_signal(signal.SIGINT)
    read_until(b"\x1b[?7h")
    os.close(leader)
    assert process.wait(60) == 0
    pictures = shown.decode().split("\x1b[H")
    assert len(pictures) > 2 and "Traceback" not in pictures[-1]
    assert all(len(one.splitlines()) <= 20 and "\x1b[3" not in one for one in pictures)


def test_narrowed(invoke: Invoke, scoped_lab: Path) -> None:
    """Task, modality, record and step narrow the table."""
    invoke(scoped_lab, "run")
    lines = invoke(scoped_lab, "status", "--task", "RS", "--modality", "EEG").stdout.splitlines()
    assert ["record", "RS-EEG-one"] in [line.split() for line in lines]
    lines = invoke(scoped_lab, "status", "--record", "REC-2", "--step", "one").stdout.splitlines()
    assert [line.split() for line in lines[-2:]] == [
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
