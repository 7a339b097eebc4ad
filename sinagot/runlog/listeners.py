"""Hearing what a script says: who listens in which thread, and what stands in for Python's outlets.

Knows `sys.stdout`, `warnings.showwarning` and `logging.Logger.callHandlers`, which it replaces while at
least one attempt is active and puts back afterwards. Must not know files or lines: an attempt takes a text
or a record.
"""

from __future__ import annotations

import os
import sys
import threading
import warnings
from _thread import allocate_lock, get_ident
from collections.abc import Callable, Container
from typing import TYPE_CHECKING, Any

from sinagot.runlog.lines import safe_text
from sinagot.runlog.printing import set_terminal
from sinagot.runlog.streams import Tee

if TYPE_CHECKING:
    import logging

    from sinagot.runlog.hearers import Hearer

__all__ = ["LISTENERS", "Listeners", "is_of_a_pool"]


def is_of_a_pool(thread: threading.Thread) -> bool:
    """Say whether a thread works for whoever asks it to: who started it first does not matter."""
    return thread in _of_pools()


def _of_pools() -> Container[threading.Thread]:
    futures = sys.modules.get("concurrent.futures.thread")
    return () if futures is None else futures._threads_queues


class Listeners:
    """The attempts that listen, by thread, and the stand-ins that hear for them."""

    def __init__(self) -> None:
        self._guard = allocate_lock()
        self._by_thread: dict[int, Hearer] = {}
        #: The attempt to which threads without one of their own belong: the only one there is.
        self._only: Hearer | None = None
        #: Threads that ran before it began: what a former script left behind, or the user's program does.
        self._strangers: dict[int | None, threading.Thread] = {}
        self._depth = 0
        #: Threads in which what was heard is being shown: it must not be heard again as printed text ...
        self._showing: set[int] = set()
        #: ... or as a record (`logging.captureWarnings` makes records of warnings).
        self._warning: set[int] = set()
        self._stdout: Any = None
        self._showwarning: Callable[..., None] = warnings.showwarning
        self._call_handlers: Callable[[logging.Logger, logging.LogRecord], None]

    def begin(self, thread: int, attempt: Hearer) -> Hearer | None:
        """Let an attempt listen to a thread.

        Gives the one that listened so far: a script may run a workspace itself.
        """
        with self._guard:
            former = self._by_thread.get(thread)
            self._by_thread[thread] = attempt
            self._only = attempt if len(self._by_thread) == 1 else None
            self._depth += 1
            if self._depth == 1:
                pooled = _of_pools()
                self._strangers = {one.ident: one for one in threading.enumerate() if one not in pooled}
                self._install()
        return former

    def end(self, thread: int, former: Hearer | None) -> None:
        """Let the former attempt listen again, or none; the last that ends puts everything back."""
        with self._guard:
            if former is None:
                self._by_thread.pop(thread, None)
            else:
                self._by_thread[thread] = former
            self._only = next(iter(self._by_thread.values())) if len(self._by_thread) == 1 else None
            self._depth -= 1
            if self._depth == 0:
                self._restore()

    def forget_others(self) -> None:
        """Keep only this thread's attempt in a forked child; the other threads are not there."""
        self._guard = allocate_lock()
        self._showing.clear()
        self._warning.clear()
        thread = get_ident()
        for other in [other for other in self._by_thread if other != thread]:
            del self._by_thread[other]
        self._only = next(iter(self._by_thread.values()), None)
        if self._only is not None:
            self._only.begin_anew()

    # -- standing in ------------------------------------------------------------------------------

    def _install(self) -> None:
        import logging

        self._stdout = sys.stdout
        # A stand-in that a script kept and put back late stands before the terminal already.
        behind = self._stdout.target if isinstance(self._stdout, Tee) else self._stdout
        set_terminal(behind)
        sys.stdout = Tee(behind, self._hear_print)
        if warnings.showwarning is not _hear_warning:
            self._showwarning = warnings.showwarning
            warnings.showwarning = _hear_warning
        if logging.Logger.callHandlers is not _hear_record:
            self._call_handlers = logging.Logger.callHandlers
            logging.Logger.callHandlers = _hear_record  # type: ignore[method-assign,assignment]

    def _restore(self) -> None:
        import logging

        sys.stdout = self._stdout
        set_terminal()
        warnings.showwarning = self._showwarning
        if getattr(logging, "_warnings_showwarning", None) is _hear_warning:
            # The script called logging.captureWarnings(True); it would give our stand-in back one day.
            logging._warnings_showwarning = None  # type: ignore[attr-defined]
        logging.Logger.callHandlers = self._call_handlers  # type: ignore[method-assign,assignment]

    # -- hearing ----------------------------------------------------------------------------------

    def _attempt_of(self, thread: int) -> Hearer | None:
        attempt = self._by_thread.get(thread)
        if attempt is None and self._only is not None:
            # Numbers of threads that have ended are given again.
            stranger = self._strangers.get(thread)
            if stranger is None or stranger is not threading.current_thread():
                return self._only
        return attempt

    def _hear_print(self, text: str) -> None:
        thread = get_ident()
        attempt = self._attempt_of(thread)
        if attempt is not None and thread not in self._showing:
            attempt.take_print(text)

    def hear_warning(self, text: str, show: tuple[Any, ...]) -> None:
        """Take a warning, then show it as Python does."""
        thread = get_ident()
        attempt = self._attempt_of(thread)
        if attempt is None:
            self._showwarning(*show)
            return
        attempt.take_warning(text)
        self._showing.add(thread)
        self._warning.add(thread)
        try:
            self._showwarning(*show)
        finally:
            self._showing.discard(thread)
            self._warning.discard(thread)

    def hear_record(self, logger: logging.Logger, record: logging.LogRecord) -> None:
        """Take a record, then give it to the handlers for which it was made."""
        thread = get_ident()
        attempt = self._attempt_of(thread)
        if attempt is None or thread in self._warning:
            self._call_handlers(logger, record)
            return
        attempt.take_record(record)
        is_outermost = thread not in self._showing
        self._showing.add(thread)
        try:
            self._call_handlers(logger, record)
        finally:
            if is_outermost:
                self._showing.discard(thread)


#: Those of this process.
LISTENERS = Listeners()


def _hear_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: Any = None,
    line: str | None = None,
) -> None:
    text = f"{category.__name__}: {safe_text(message)} ({filename}:{lineno})"
    LISTENERS.hear_warning(text, (message, category, filename, lineno, file, line))


def _hear_record(logger: logging.Logger, record: logging.LogRecord) -> None:
    LISTENERS.hear_record(logger, record)


if hasattr(os, "register_at_fork"):  # pragma: no branch - absent on Windows
    os.register_at_fork(after_in_child=LISTENERS.forget_others)
