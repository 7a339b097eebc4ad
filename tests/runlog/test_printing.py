"""What a run shows."""

from __future__ import annotations

import io
import re
import sys

import pytest

from sinagot.runlog.printing import MOST_LINES, Printer, escaped, terminal


def test_a_message_has_the_established_form(capsys: pytest.CaptureFixture[str]) -> None:
    """Id, local time with milliseconds, a no-break space, step, message; scoped steps have task and modality."""
    printer = Printer()
    printer.show("REC-1", "count", "Init run")
    printer.show("REC-1", "alpha", "Run finished", task="RS", modality="EEG")
    first, second = capsys.readouterr().out.splitlines()
    assert re.fullmatch(r"REC-1 \| \d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} \|\u00a0count : Init run", first)
    assert second.endswith("|\u00a0RS-EEG-alpha : Run finished")


def test_the_level_cuts_what_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    """Messages below the level are not printed."""
    printer = Printer("WARNING")
    printer.show("REC-1", "count", "Init run")
    printer.show("REC-1", "count", "careful", level="WARNING")
    assert capsys.readouterr().out.count("\n") == 1


def test_a_worker_keeps_lines_for_its_driver(capsys: pytest.CaptureFixture[str]) -> None:
    """Collected lines are printed by another printer, as they are; their number is bounded and the rest counted."""
    worker = Printer(collect=True)
    for number in range(MOST_LINES + 3):
        worker.show("REC-1", "count", f"message {number}")
    assert capsys.readouterr().out == ""
    assert len(worker.lines) == MOST_LINES + 1
    assert worker.lines[-1] == "... 3 more lines are in the logs only"
    Printer().replay(worker.lines)
    assert capsys.readouterr().out.splitlines() == worker.lines
    Printer().replay([])


def test_a_message_cannot_act_on_the_terminal() -> None:
    """Line ends, colours and bidirectional marks are shown escaped; letters of all scripts are not."""
    assert escaped("a\nb\r\x1b[31m\u202ec\u2028") == r"a\nb\r\x1b[31m\u202ec\u2028"
    assert escaped("Zoë\t日本\u202f1\u00a0000") == "Zoë\t日本\u202f1\u00a0000"
    assert escaped(3) == "3"


def test_a_terminal_without_the_letters_shows_them_escaped(monkeypatch: pytest.MonkeyPatch) -> None:
    """An ASCII terminal does not end a run."""
    raw = io.BytesIO()
    out = io.TextIOWrapper(raw, encoding="ascii", write_through=True)
    monkeypatch.setattr(sys, "stdout", out)
    Printer().show("REC-1", "count", "Zoë")
    assert rb"count : Zo\xeb" in raw.getvalue()


def test_a_terminal_that_has_gone_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """Closed, missing and broken standard output cost the picture, never the run."""
    closed = io.StringIO()
    closed.close()

    class Broken(io.StringIO):
        def write(self, text: str) -> int:
            raise BrokenPipeError

    for out in (closed, None, Broken()):
        monkeypatch.setattr(sys, "stdout", out)
        assert terminal() is out
        Printer().show("REC-1", "count", "Init run")
