"""What all voices of an attempt have in common: writing in order, waiting, and who is next when one ends.

Knows the log of a record and lines that are made already; must not know what they say. `capture` has the class that
makes lines of what is said.
"""

from __future__ import annotations

import time
from _thread import RLock
from collections.abc import Mapping, Sequence
from typing import Any, Self

from sinagot.runlog.write import RecordLog

__all__ = ["MOST_PENDING", "Voice"]

#: Lines kept for another try while the log cannot be written.
MOST_PENDING = 1000

_RETRY_AFTER = 0.2  # seconds until a log that could not be written is tried again for a line of the script

_Line = Mapping[str, Any] | str


class Voice:
    """One of those who speak in an attempt: the attempt itself, or one that was made of another by `within`.

    Parameters
    ----------
    log : RecordLog
        Log of the attempt's record.
    """

    __slots__ = (
        "__weakref__",
        "_is_closed",
        "_lock",
        "_lost",
        "_parent",
        "_pending",
        "_printed_bytes",
        "_printed_lines",
        "_retry_at",
        "error",
        "log",
    )

    def __init__(self, log: RecordLog) -> None:
        self.log = log
        self.error: OSError | None = None
        self._lock = RLock()
        self._parent: Self | None = None
        self._pending: list[_Line] = []
        #: Lines that did not fit into the wait, and printed text beyond the limit: the last line tells of them.
        self._lost = self._printed_lines = self._printed_bytes = 0
        self._retry_at = 0.0
        self._is_closed = False

    @property
    def root(self) -> Self:
        """The attempt of which this is a voice; itself when it is none."""
        return self if self._parent is None else self._parent.root

    @property
    def is_over(self) -> bool:
        """Nobody takes any more what is said to it."""
        return self._is_closed and (self._parent is None or self._parent.is_over)

    def begin_anew(self) -> None:
        """Start clean in a forked child: what waits to be written is its parent's, and so is who holds the lock."""
        self._lock = RLock()
        self._pending = []
        if self._parent is not None:
            self._parent.begin_anew()

    def _say(self, line: _Line, *, hold: bool = False) -> None:
        if hold:
            self._pending.append(line)
            return
        self.log.write(*self._pending, line)
        self._pending.clear()

    def _say_quietly(self, lines: Sequence[_Line]) -> None:
        with self._lock:
            if self._is_closed:  # said while it ended
                if self._parent is not None:
                    self._parent._say_quietly(lines)
                return
            if self.error is None or time.monotonic() >= self._retry_at:
                try:
                    self.log.write(*self._pending, *lines)
                    self._pending.clear()
                    self.error = None
                    return
                except OSError as error:
                    self.error = self.error or error
                    self._retry_at = time.monotonic() + _RETRY_AFTER
            self._wait_with(lines)

    def _wait_with(self, lines: Sequence[_Line]) -> None:
        room = max(MOST_PENDING - len(self._pending), 0)
        self._pending += lines[:room]
        self._lost += len(lines[room:])

    def _with_losses(self, facts: dict[str, Any]) -> dict[str, Any]:
        if self._printed_bytes:
            facts["stdout_dropped_lines"] = self._printed_lines
            facts["stdout_dropped_bytes"] = self._printed_bytes
        if self._lost:
            facts["lines_lost"] = self._lost
        return facts

    def _hand_over_last(self, line: _Line, error: OSError) -> None:
        self.error = self.error or error
        if self._parent is not None:
            self._lost = self._printed_lines = self._printed_bytes = 0  # the line tells of them
            self._hand_over(line)

    def _hand_over(self, *lines: _Line) -> None:
        """Let the next that is not over write, or count, what this one could not write."""
        heir = self._parent
        while heir is not None and heir._is_closed:
            heir = heir._parent
        if heir is None:
            return
        with heir._lock:
            heir.error = heir.error or self.error
            heir._wait_with([*self._pending, *lines])
            heir._lost += self._lost
            heir._printed_lines += self._printed_lines
            heir._printed_bytes += self._printed_bytes
        self._pending = []
        self._lost = self._printed_lines = self._printed_bytes = 0
