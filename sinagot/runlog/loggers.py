"""The logger that a script gets as `self.logger`, and what a line takes from a record of any logger.

Knows the standard `logging` and imports it, so only `capture` imports this module, when the first logger is
wanted. Must not know files: records go to the attempt. No logger is registered by name: a hundred thousand
records leave nothing behind.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from json_log_formatter import BUILTIN_ATTRS

from sinagot.runlog.lines import exception_facts, safe_text

if TYPE_CHECKING:
    from sinagot.runlog.hearers import Hearer

__all__ = ["AttemptLogger", "ScriptLogger", "parts_of_record"]


class AttemptLogger(logging.Logger):
    """A logger whose records become lines of one attempt; unknown to the tree of loggers."""

    def __init__(self, attempt: Hearer) -> None:
        super().__init__("sinagot.script", attempt.level)
        self._attempt = attempt

    def callHandlers(self, record: logging.LogRecord) -> None:  # noqa: N802 - of the base class
        """Hand the record to the attempt, and to handlers that the script added itself."""
        self._attempt.take_record(record, is_own=True)
        for handler in self.handlers:
            if record.levelno >= handler.level:
                handler.handle(record)

    def makeRecord(  # noqa: N802 - of the base class
        self,
        name: str,
        level: int,
        fn: str,
        lno: int,
        msg: object,
        args: Any,
        exc_info: Any,
        func: str | None = None,
        extra: Mapping[str, object] | None = None,
        sinfo: str | None = None,
    ) -> logging.LogRecord:
        """Make a record; a field of the user that has the name of one of ours is renamed instead of refused."""
        record = super().makeRecord(name, level, fn, lno, msg, args, exc_info, func, None, sinfo)
        for key, value in (extra or {}).items():
            clashes = key in record.__dict__ or key in BUILTIN_ATTRS
            record.__dict__[f"extra_{key}" if clashes else str(key)] = value
        return record


class ScriptLogger(logging.LoggerAdapter[AttemptLogger]):
    """What scripts use as ``self.logger``: all methods of a logger; `extra` of a call is kept."""

    def __init__(self, attempt: Hearer) -> None:
        super().__init__(AttemptLogger(attempt), {})

    def process(self, msg: Any, kwargs: Any) -> tuple[Any, Any]:
        """Leave message and arguments as they are (the base class would replace `extra`)."""
        return msg, kwargs


def parts_of_record(record: logging.LogRecord) -> tuple[str, dict[str, Any], dict[str, Any]]:
    """Give message, facts and the user's fields of a record; never raises.

    Parameters
    ----------
    record : logging.LogRecord
        Record of any logger.

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
    return message, exception_facts(error_now) if error_now is not None else {}, extra
