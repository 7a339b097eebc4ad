"""An exception becomes text, whatever it does."""

from __future__ import annotations

import linecache

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sinagot.engine.causes import cause_of, normalised

FILE = "/lab/scripts/a.py"


def caught(code: str, file: str = FILE) -> BaseException:
    """Run code as if it stood in a file and give what it raises."""
    linecache.cache[file] = (len(code), None, code.splitlines(keepends=True), file)
    try:
        exec(compile(code, file, "exec"), {})
    except BaseException as error:  # noqa: BLE001
        return error
    raise AssertionError("nothing was raised")


def test_cause_has_type_text_traceback_and_place() -> None:
    """Type, message, the user's part of the traceback and the innermost line of the user's code are told."""
    cause = cause_of(caught("def run():\n    int('x')\nrun()\n"), [FILE])
    assert (cause.exc_type, cause.message) == ("ValueError", "invalid literal for int() with base 10: 'x'")
    assert cause.where == f"{FILE}:2 in run"
    assert cause.traceback.startswith("Traceback") and "test_causes" not in cause.traceback
    assert "int('x')" in cause.traceback and cause.traceback.rstrip().endswith("base 10: 'x'")


def test_place_is_the_innermost_line_of_the_user() -> None:
    """An error deep in a library is placed at the user's line that called it."""
    cause = cause_of(caught("import json\njson.loads('{')\n"), [FILE])
    assert cause.where == f"{FILE}:2 in <module>"
    assert cause.exc_type == "json.decoder.JSONDecodeError"
    assert cause_of(caught("1/0\n"), []).where == ""


def test_chained_exceptions_are_told_whole() -> None:
    """The cause of an exception is in the traceback."""
    cause = cause_of(
        caught("try:\n    1/0\nexcept ZeroDivisionError as e:\n    raise ValueError('x') from e\n"), [FILE]
    )
    assert "ZeroDivisionError" in cause.traceback and "direct cause" in cause.traceback


def test_groups_are_told_whole() -> None:
    """The parts of an exception group are in the traceback."""
    cause = cause_of(caught("raise ExceptionGroup('many', [ValueError('one'), KeyError('two')])\n"), [FILE])
    assert cause.exc_type == "ExceptionGroup"
    assert "one" in cause.traceback and "two" in cause.traceback


class MuteError(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no text")

    __repr__ = __str__


class DeepError(Exception):
    def __str__(self) -> str:
        return str(self)


class NoTextError(Exception):
    __str__ = lambda self: 7  # type: ignore[assignment,return-value]  # noqa: E731


class Odd(str):
    def __str__(self) -> str:
        raise RuntimeError


@pytest.mark.parametrize(
    "error",
    [
        *(
            MuteError(),
            DeepError(),
            NoTextError(),
            ValueError(MuteError()),
            ExceptionGroup("x", [MuteError()]),
        ),
        *(
            SystemExit(0),
            SystemExit(None),
            KeyboardInterrupt(),
            GeneratorExit(),
            MemoryError(),
            RecursionError(),
        ),
        *(UnicodeDecodeError("utf-8", b"\xff", 0, 1, "bad"), SyntaxError("x", ("f", None, None, None))),
        *(
            OSError(2, "no", "\udcff"),
            ValueError("\ud800 \x00"),
            ValueError(Odd("x")),
            ValueError("x" * 10**6),
        ),
    ],
    ids=lambda error: type(error).__name__,
)
def test_no_exception_is_too_odd(error: BaseException) -> None:
    """Broken texts, deep recursion, huge and undecodable messages: a cause comes out, of bounded size, and nothing is raised."""
    try:
        raise error
    except BaseException as raised:  # noqa: BLE001
        cause = cause_of(raised, [__file__])
    assert cause.exc_type.endswith(type(error).__name__)
    assert isinstance(cause.message, str) and len(cause.message) < 66_000
    assert len(cause.traceback) < 66_000
    assert cause.where.startswith(__file__)


def test_stage_paths_are_shown_as_final_ones() -> None:
    """Texts that are only of our making are replaced in message and traceback."""
    error = caught("raise ValueError('/stage/1/a.csv is bad')\n")
    cause = cause_of(error, [FILE], shown=lambda text: text.replace("/stage/1/", "/data/"))
    assert cause.message == "/data/a.csv is bad"
    assert "ValueError: /data/a.csv is bad" in cause.traceback


@pytest.mark.parametrize(
    ("one", "two"),
    [
        ("record 17 has 3.5 s", "record 4 has 120 s"),
        ("no 'Fp1'", "no 'Fp2'"),
        ('no "Fp1"', 'no "A b"'),
        ("cannot read /data/a/REC-1.edf: bad", "cannot read /x/REC-200.edf: bad"),
        ("object at 0x7f00", "object at 0xABCD"),
        ("first\nsecond 1", "first\nother"),
    ],
)
def test_messages_that_differ_by_record_are_one(one: str, two: str) -> None:
    """Numbers, quoted names, paths and what follows the first line do not part groups."""
    assert normalised(one) == normalised(two)


def test_messages_that_say_other_things_are_two() -> None:
    """Different words stay different."""
    assert normalised("no channel 'Fp1'") != normalised("no marker 'Fp1'")


@given(st.text())
def test_normalised_is_short(message: str) -> None:
    """The key of a group is one line of bounded length."""
    assert len(normalised(message)) <= 200 and "\n" not in normalised(message)
