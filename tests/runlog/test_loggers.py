"""The logger that scripts get."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import pytest

from sinagot.runlog.capture import AttemptLog, capture
from sinagot.runlog.write import RecordLog

CONTEXT = {
    "workspace_version": "0.1.0",
    "record_id": "REC-1",
    "step_label": "mean",
    "run_id": "run",
    "attempt": "a1",
}

Lines = Callable[..., list[dict[str, Any]]]


class Hostile:
    def __str__(self) -> str:
        raise RuntimeError("no")

    __repr__ = __str__


def test_all_methods_of_a_logger_work(log: RecordLog, lines: Lines) -> None:
    """Each method writes a line of its level, with its arguments, and status 20."""
    logger = AttemptLog(log, CONTEXT, "DEBUG").logger
    logger.debug("a")
    logger.info("%s and %d", "b", 2)
    logger.warning("%(x)s", {"x": "c"})
    logger.error("d")
    logger.critical("e")
    logger.log(25, "f", stacklevel=2)
    logger.info("g", stack_info=True)
    found = lines()
    assert [(line["level"], line["message"]) for line in found] == [
        ("DEBUG", "a"),
        ("INFO", "b and 2"),
        ("WARNING", "c"),
        ("ERROR", "d"),
        ("CRITICAL", "e"),
        ("Level 25", "f"),
        ("INFO", "g"),
    ]
    assert {line["step_status"] for line in found} == {20}
    assert "test_loggers.py" in found[-1]["stack_info"]


def test_exceptions_are_told_with_their_traceback(attempt: AttemptLog, lines: Lines) -> None:
    """`exception`, `exc_info=True` and an exception object give type, text and traceback; without one there is none."""
    logger = attempt.logger
    try:
        raise ValueError("no such boat")
    except ValueError as caught:
        error = caught
        logger.exception("failed")
        logger.warning("again", exc_info=True)
    logger.info("later", exc_info=error)
    logger.exception("none")  # noqa: LOG004
    found = lines()
    for line in found[:3]:
        assert (line["exc_type"], line["exc_message"]) == ("ValueError", "no such boat")
        assert "test_loggers.py" in line["traceback"]
    assert "exc_type" not in found[3]


def test_extra_is_kept_and_overrides_nothing(attempt: AttemptLog, lines: Lines) -> None:
    """Fields of the user are on the line; names that `logging` or the line uses itself get a prefix and no error."""
    clashing: dict[str, Any] = {"rate": 2, "name": "n", "message": "m", "time": "t", "args": 1, "pid": 0}
    attempt.logger.info("x", extra=clashing)
    line = lines()[0]
    assert (line["message"], line["rate"]) == ("x", 2)
    assert (line["extra_name"], line["extra_message"], line["extra_args"]) == ("n", "m", 1)
    assert (line["extra_time"], line["extra_pid"]) == ("t", 0)


def test_a_message_that_cannot_be_made_is_still_a_line(attempt: AttemptLog, lines: Lines) -> None:
    """Arguments that do not fit, or have no text, never raise in the script."""
    attempt.logger.info("%d boats", "three")
    attempt.logger.info("%s", Hostile())
    attempt.logger.info(Hostile())
    messages = [line["message"] for line in lines()]
    assert messages[0] == "%d boats ('three',) (TypeError while formatting)"
    assert all("RuntimeError while formatting" in message for message in messages[1:])


def test_it_is_a_logger_of_its_own(
    attempt: AttemptLog, lines: Lines, caplog: pytest.LogCaptureFixture
) -> None:
    """It stands in no register, knows the level, takes handlers and filters of the script, and doubles nothing."""
    heard: list[str] = []

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            heard.append(record.getMessage())

    before = set(logging.root.manager.loggerDict)
    logger = attempt.logger
    assert attempt.logger is logger
    assert logger.isEnabledFor(logging.INFO) and not logger.isEnabledFor(logging.DEBUG)
    logger.logger.addHandler(Handler(logging.WARNING))
    logger.logger.addFilter(lambda record: "secret" not in record.getMessage())
    with capture(attempt):
        logger.info("one")
        logger.warning("two")
        logger.warning("secret")
    assert [line["message"] for line in lines()] == ["one", "two"]
    assert heard == ["two"] and caplog.records == []
    assert set(logging.root.manager.loggerDict) == before
