"""What listens: whoever takes what is printed, warned and logged during an attempt.

A type only. `listeners` and `loggers` hand over to it, `capture` has the class that is one; so none imports another
upwards.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import logging

__all__ = ["Hearer"]


class Hearer(Protocol):
    """Takes what is said."""

    level: int

    def take_print(self, text: str) -> None:
        """Take what was written to standard output."""

    def take_warning(self, text: str) -> None:
        """Take a warning that Python shows."""

    def take_record(self, record: logging.LogRecord, *, is_own: bool = False) -> None:
        """Take a record of the script's own logger or of any other."""

    def begin_anew(self) -> None:
        """Let a forked child of the script listen on its own."""
