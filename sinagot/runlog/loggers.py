"""The logger that a script gets as `self.logger`.

Knows the standard `logging` and imports it, so only `capture` imports this module, when the first logger is
wanted. Must not know files: records go to the attempt. No logger is registered by name: a hundred thousand
records leave nothing behind.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from json_log_formatter import BUILTIN_ATTRS

if TYPE_CHECKING:
    from sinagot.runlog.hearers import Hearer

__all__ = ["AttemptLogger", "ScriptLogger"]


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

    def __reduce__(self) -> tuple[Any, ...]:
        """Travel as a word: elsewhere it is the logger of who speaks there."""
        return _logger_there, ()


def _logger_there() -> Any:
    from sinagot.runlog.listeners import LISTENERS

    return getattr(LISTENERS.current(), "logger", None) or logging.getLogger("sinagot.script")
