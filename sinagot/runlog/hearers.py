"""What listens: whoever takes what is printed, warned and logged during an attempt.

A type only. `listeners` and `loggers` hand over to it, `capture` has the class that is one; so none imports another
upwards.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import logging

__all__ = ["Hearer"]


class Hearer(Protocol):
    """Takes what is said."""

    @property
    def level(self) -> int:
        """Number of the level below which what is said is left out."""

    @property
    def fields(self) -> Mapping[str, Any] | None:
        """Fields that stand on all its lines."""

    @property
    def redact(self) -> Callable[[str], str]:
        """Gives a text without the secrets in it."""

    @property
    def is_over(self) -> bool:
        """Nobody takes any more what is said to it."""

    @property
    def root(self) -> Hearer:
        """The attempt of which it is a voice; itself when it is one."""

    def say(
        self,
        message: str,
        number: int,
        level: str,
        *,
        facts: dict[str, Any] | None = None,
        extra: dict[str, Any] | None = None,
    ) -> bool:
        """Take what was said by a function of ours."""

    def take_print(self, text: str) -> None:
        """Take what was written to standard output."""

    def take_warning(self, text: str, file: str = "", line: int = 0) -> None:
        """Take a warning that Python shows, and the place that it is about."""

    def take_record(self, record: logging.LogRecord, *, is_own: bool = False) -> None:
        """Take a record of the script's own logger or of any other."""

    def begin_anew(self) -> None:
        """Let a forked child of the script listen on its own."""
