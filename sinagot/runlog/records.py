"""What a line takes from a record of any logger, and what others may show of it.

Knows the standard `logging`; must not know attempts or files.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from json_log_formatter import BUILTIN_ATTRS

from sinagot.runlog.texts import exception_facts, safe_text

__all__ = ["parts_of_record", "redacted_record"]


def redacted_record(record: logging.LogRecord, redact: Callable[[str], str]) -> logging.LogRecord:
    """Give a record as other handlers may show it: a copy without secrets in its text and its traceback."""
    import copy

    shown = copy.copy(record)
    shown.msg, shown.args = redact(parts_of_record(record, redact)[0]), None
    if record.exc_info and record.exc_info[1] is not None:
        shown.exc_text = redact(record.exc_text or logging.Formatter().formatException(record.exc_info))
    return shown


def parts_of_record(
    record: logging.LogRecord, redact: Callable[[str], str] = str
) -> tuple[str, dict[str, Any], dict[str, Any]]:
    """Give message, facts and the user's fields of a record; never raises.

    Parameters
    ----------
    record : logging.LogRecord
        Record of any logger.
    redact : callable
        Takes the secrets out of what is told of an exception; all else is as it was said.

    Returns
    -------
    tuple
        The text, ``exc_type, exc_message, traceback`` where the record has an exception, and its `extra`.
    """
    try:
        message = record.getMessage()
    except Exception as error:  # noqa: BLE001 - arguments that do not fit must not cost the line
        message = (
            f"{safe_text(record.msg)} {safe_text(record.args)} ({type(error).__name__} while formatting)"
        )
    extra = {key: value for key, value in record.__dict__.items() if key not in BUILTIN_ATTRS}
    if record.stack_info:
        extra["stack_info"] = record.stack_info
    error_now = record.exc_info[1] if isinstance(record.exc_info, tuple) else None
    return message, exception_facts(error_now, redact) if error_now is not None else {}, extra
