"""Errors about the history of schedules: where it is kept can't be used now, or was asked with a wrong cursor.

Knows only the root; `sinagot.schedule.history` raises them.
"""

from __future__ import annotations

from sinagot.errors.tree import SinagotError

__all__ = ["CursorError", "HistoryUnavailableError"]


class HistoryUnavailableError(SinagotError, ConnectionError):
    """The history can't be reached, read or written now; `address` says where it is, without a password.

    Nothing was decided or changed as far as is known: who gets this error waits, and looks again.
    """

    FACTS = ("address",)

    address: str | None


class CursorError(SinagotError, ValueError):
    """A cursor that no answer has given; `cursor` has it."""

    FACTS = ("cursor",)

    cursor: str | None
