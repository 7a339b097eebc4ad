"""Progress on a terminal and elsewhere."""

from __future__ import annotations

import io
import sys

import pytest
from rich.console import Console

from sinagot.cli import progress as progress_module
from sinagot.cli.progress import ProgressDisplay
from sinagot.engine.run import Progress


def counts(**of: int) -> dict[str, int]:
    """Return counts as the engine gives them."""
    words = ("done", "up_to_date", "done_elsewhere", "failed", "missing_input", "blocked", "interrupted")
    return {word: of.get(word, 0) for word in words}


def test_nothing_is_shown_when_nothing_is_to_do(capsys: pytest.CaptureFixture[str]) -> None:
    """A run over finished work opens no bar."""
    with ProgressDisplay(is_terminal=True) as display:
        display.update(Progress(counts(up_to_date=6), 6, None))
    assert capsys.readouterr() == ("", "")


def test_plain_lines_are_few(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a terminal lines come after 10 s, 30 s, 70 s ...: an hour costs some ten lines."""
    now = 0.0
    monkeypatch.setattr(progress_module.time, "monotonic", lambda: now)
    with ProgressDisplay(is_terminal=False) as display:
        for second in range(3600):
            now = float(second)
            display.update(Progress(counts(done=second), 10_000, None))
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "10 s: 0% 10/10,000 · 10 done · 2 h 46 min left · 1.0/s"
    assert 5 <= len(lines) <= 15


def test_first_failure_is_told_at_once(capsys: pytest.CaptureFixture[str]) -> None:
    """The first failure is told when it happens, so that a hopeless run can be stopped; others are not."""
    with ProgressDisplay(is_terminal=False) as display:
        display.update(Progress(counts(), 10, None))
        display.update(Progress(counts(failed=1), 10, "REC-1/one: ValueError: bad\x1b[2J"))
        display.update(Progress(counts(failed=2), 10, "REC-2/one: ValueError: worse"))
    assert capsys.readouterr().err == "failure: REC-1/one: ValueError: bad\\x1b[2J\n"


def test_bar_leaves_standard_output_as_it_was(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lines that scripts print appear above the bar; when it is gone, so is what caught them."""
    before = sys.stdout
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    with ProgressDisplay(is_terminal=True) as display:
        display.update(Progress(counts(), 10, None))
        print("hello")
        display.update(Progress(counts(failed=1), 10, "REC-1/one: ValueError: bad"))
    assert sys.stdout is before
    shown = capsys.readouterr().err
    assert "hello" in shown
    assert "failure: REC-1/one: ValueError: bad" in shown


def test_last_failures_stand_below_the_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    """Below the bar the last three failures are told, a line each; what a script says steers no terminal."""
    monkeypatch.setenv("TERM", "xterm")
    with ProgressDisplay(is_terminal=True) as display:
        for number in range(6):
            display.update(Progress(counts(failed=number), 10, f"REC-{number}/one: \x1b[2J {'long ' * 30}"))
        console = Console(width=60, file=io.StringIO())
        console.print(display._bar())
    bar, *below = console.file.getvalue().splitlines()  # type: ignore[attr-defined]
    assert "5/10" in bar and "5 failed" in bar
    assert [line[: len("  failed: REC-1")] for line in below] == [
        f"  failed: REC-{number}" for number in (3, 4, 5)
    ]
    assert all(len(line) <= 60 and line.isprintable() for line in below)


def test_dumb_terminal_gets_no_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a terminal can show is asked of the terminal and of TERM."""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.setenv("TERM", "dumb")
    assert not ProgressDisplay()._is_terminal
    monkeypatch.setenv("TERM", "xterm")
    assert ProgressDisplay()._is_terminal
