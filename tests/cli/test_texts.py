"""Lines, columns and widths."""

from __future__ import annotations

import io
import os
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sinagot.cli import texts


@given(st.text())
def test_clean_text_cannot_steer_the_terminal(text: str) -> None:
    """Whatever the text, no control character but line end and tab is left."""
    shown = texts.clean(text)
    assert all(ord(character) >= 32 or character in "\n\t" for character in shown)
    assert not set(shown) & {"\x7f", "\x9b", "\r"}


@given(st.text(alphabet=st.characters(categories=["L", "N", "P", "Zs"])))
def test_clean_leaves_ordinary_text_alone(text: str) -> None:
    """Letters, signs and blanks of any script are shown as they are."""
    assert texts.clean(text) == text


def test_columns_are_aligned() -> None:
    """Cells of a column begin, or end, at the same place; no line ends with blanks."""
    assert texts.columns([["a", "1", "x"], ["bbb", "22", ""]], right=[1]) == ["a     1  x", "bbb  22"]


def test_paths_below_the_current_folder_are_short(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only paths below the current folder are shortened, anywhere in a text."""
    monkeypatch.chdir(tmp_path)
    here = os.getcwd()
    assert texts.short_path(f"{here}/a/b.py:3 in run") == "a/b.py:3 in run"
    assert texts.short_path(f"{here}x/b") == f"{here}x/b"
    assert texts.shortened(f"no {here}/a, no '{here}/b'; {here}/") == f"no a, no 'b'; {here}/"
    assert texts.shortened(f"/elsewhere{here}/a") == f"/elsewhere{here}/a"
    monkeypatch.chdir("/")
    assert texts.shortened("no /a/b") == "no /a/b"
    assert texts.short_path("/a/b") == "/a/b"


def test_a_folder_that_is_gone_shortens_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the current folder was removed, paths are shown whole."""

    def gone() -> str:
        raise FileNotFoundError

    monkeypatch.setattr(os, "getcwd", gone)
    assert texts.shortened(f"{tmp_path}/a") == f"{tmp_path}/a"


def be_narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let standard output and error be a terminal of 30 characters."""
    monkeypatch.setenv("COLUMNS", "30")
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)


def test_prose_is_broken_between_words(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a narrow terminal prose is broken between words and indented; a line that fits is left alone."""
    be_narrow(monkeypatch)
    texts.note("Error: there is no such thing as a short message\n  short")
    assert capsys.readouterr().err == "Error: there is no such thing\n  as a short message\n  short\n"
    assert texts.terminal_width() == 30


def test_commands_stay_in_one_piece(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is not prose is not broken; colour goes round the whole of a broken line."""
    be_narrow(monkeypatch)
    texts.say("log: sinagot logs REC-20200601 --step count")
    assert capsys.readouterr().out == "log: sinagot logs REC-20200601 --step count\n"
    texts.say(texts.painted("failed", "  count: ValueError: something went wrong here"), wrap=True)
    assert capsys.readouterr().out == (
        "\x1b[38;5;166m  count: ValueError: something\n    went wrong here\x1b[0m\n"
    )


@pytest.mark.parametrize(("name", "value"), [("NO_COLOR", "1"), ("TERM", "dumb")])
def test_colour_can_be_refused(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    """NO_COLOR and a dumb terminal get words without codes."""
    be_narrow(monkeypatch)
    monkeypatch.setenv(name, value)
    texts.say(texts.painted("done"))
    assert capsys.readouterr().out == "done\n"


def test_silence_needs_no_file(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where standard output was replaced by something without a file there is nothing to silence."""
    monkeypatch.setattr(sys, "stdout", io.StringIO())
    texts.silence()


def test_not_a_terminal_has_no_width() -> None:
    """What goes to a file or a pipe need not fit anywhere."""
    assert texts.terminal_width() is None
