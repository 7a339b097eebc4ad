"""The voice of a call as plain data: where what is said goes, with which fields, and what is kept secret.

Knows log files and fields; must not know calls. It travels with a call; the log is made of it where the function runs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from sinagot.runlog.capture import AttemptLog
from sinagot.runlog.printing import Printer
from sinagot.runlog.write import LogTarget, NoLog, RecordLog

__all__ = ["Voice", "log_of", "voice_of"]


class Voice(NamedTuple):
    """Where what a call says goes.

    Attributes
    ----------
    target : LogTarget or None
        Where the log files stand; None where nothing is written.
    name : str
        Of the log file: a record's id, or what the log of a pipeline without a record is called.
    context : mapping
        Fields of every line.
    fields : mapping
        Further ones, such as ``pipeline`` and ``stage``.
    level : int or str
        What is below it is left out.
    printer : type or None
        What lines of the logger are shown by, on the caller's terminal.
    redact : callable
        Gives a text without the secrets in it.
    """

    target: LogTarget | None
    name: str
    context: Mapping[str, Any] = {}
    fields: Mapping[str, Any] = {}
    level: int | str = 20
    printer: type[Printer] | None = Printer
    redact: Callable[[str], str] = str


def voice_of(log: AttemptLog) -> Voice:
    """Give a log as data, for a call that speaks for it elsewhere."""
    is_written = not isinstance(log.log, NoLog)
    return Voice(
        log.log.target if is_written else None,
        log.log.record_id,
        dict(log.context),
        dict(log.fields or {}),
        log.level,
        None if log.printer is None else type(log.printer),
        log.redact,
    )


def log_of(voice: Voice) -> AttemptLog:
    """Make the log of a voice in this process; what is to be shown is collected in its printer."""
    printer = voice.printer(voice.level, collect=True) if voice.printer is not None else None
    record_log = NoLog() if voice.target is None else RecordLog(voice.target, voice.name)
    log = AttemptLog(record_log, voice.context, voice.level, printer, voice.fields or None)
    log.redact = voice.redact
    return log
