"""Hearing what a script says: who listens in which thread, and what stands in for Python's outlets.

Knows `sys.stdout`, `warnings.showwarning`, `logging.Logger.callHandlers` and `threading.Thread.start`, which
it replaces while at least one attempt is active and puts back afterwards. Must not know files or lines: an
attempt, or a voice of one, takes a text or a record.
"""

from __future__ import annotations

import os
import sys
import threading
import warnings
import weakref
from _thread import RLock, get_ident
from collections.abc import Callable, Collection
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from sinagot.runlog.printing import set_terminal
from sinagot.runlog.streams import Tee
from sinagot.runlog.texts import safe_text

if TYPE_CHECKING:
    import logging

    from sinagot.runlog.hearers import Hearer

__all__ = ["LISTENERS", "SPEAKER", "Listeners", "is_of_a_pool"]

#: The voice that speaks in this task of an event loop, of the attempt that listens to the loop's thread.
SPEAKER: ContextVar[Hearer | None] = ContextVar("sinagot_speaker", default=None)


def is_of_a_pool(thread: threading.Thread) -> bool:
    """Say whether a thread works for whoever asks it to: who started it first does not matter."""
    return thread in _of_pools()


def _of_pools() -> Collection[threading.Thread]:
    futures = sys.modules.get("concurrent.futures.thread")
    return () if futures is None else futures._threads_queues


class Listeners:
    """The attempts that listen, by thread, and the stand-ins that hear for them."""

    def __init__(self) -> None:
        # Python may run a finaliser of somebody, which starts a thread, in the midst of our own work.
        self._guard: Any = RLock()
        self._by_thread: dict[int, Hearer] = {}
        #: The attempt to which threads without one of their own belong: the only one there is.
        self._only: Hearer | None = None
        #: Threads that were started by a thread that was listened to, and the voice that they inherit from it.
        self._heirs: weakref.WeakKeyDictionary[threading.Thread, Hearer] = weakref.WeakKeyDictionary()
        self._has_heirs = False
        #: Those of them which do not run yet.
        self._starting: set[threading.Thread] = set()
        #: Threads that ran before it began: what a former script left behind, or the user's program does.
        self._strangers: dict[int, threading.Thread] = {}
        self._depth = 0
        #: Threads in which what was heard is being shown: it must not be heard again as printed text ...
        self._showing: set[int] = set()
        #: ... or as a record (`logging.captureWarnings` makes records of warnings).
        self._warning: set[int] = set()
        self._stdout: Any = None
        self._showwarning: Callable[..., None] = warnings.showwarning
        self._start: Callable[[threading.Thread], None] = threading.Thread.start
        self._call_handlers: Callable[[logging.Logger, logging.LogRecord], None]

    def begin(self, thread: int, attempt: Hearer) -> Hearer | None:
        """Let an attempt listen to a thread.

        Gives the one that listened so far: a script may run a workspace itself.
        """
        with self._guard:
            former = self._by_thread.get(thread)
            self._by_thread[thread] = attempt
            self._only = attempt if len(self._by_thread) == 1 else self._root_of_all()
            self._depth += 1
            if self._depth == 1:
                self._strangers = _RUNNING.copy()
                if pooled := _of_pools():
                    self._strangers = {
                        number: one for number, one in self._strangers.items() if one not in pooled
                    }
                self._install()
        return former

    def end(self, thread: int, former: Hearer | None) -> bool:
        """Let the former attempt listen again, or none; the last that ends puts everything back.

        Says whether the attempt that ends still listens to another thread.
        """
        with self._guard:
            attempt = self._by_thread.pop(thread, None)
            if former is not None:
                self._by_thread[thread] = former
            self._depth -= 1
            if self._depth == 0:
                self._restore()
            if self._has_heirs:
                self._drop_heirs()
            if not self._by_thread:
                self._only = None
                return False
            self._only = self._root_of_all()
            return any(one is attempt for one in self._by_thread.values())

    def _root_of_all(self) -> Hearer | None:
        """Find the attempt that is alone: the one that listens, or the one of which all that listen are voices."""
        attempts = list(self._by_thread.values())
        if len(attempts) == 1:
            return attempts[0]
        root = attempts[0].root
        return root if all(attempt.root is root for attempt in attempts) else None

    def _drop_heirs(self) -> None:
        """Forget threads that have ended, and voices to which nobody listens: somebody may keep the threads."""
        for thread in [reference() for reference in self._heirs.keyrefs()]:
            voice = None if thread is None or thread in self._starting else self._heirs.get(thread)
            if thread is not None and voice is not None and (voice.is_over or not thread.is_alive()):
                self._heirs.pop(thread, None)
        self._has_heirs = len(self._heirs) > 0

    def current(self) -> Hearer | None:
        """Give the attempt, or the voice of one, that listens to this thread."""
        return self._attempt_of(get_ident())

    def forget_others(self) -> None:
        """Keep only this thread's attempt in a forked child; the other threads are not there."""
        self._guard = RLock()
        self._showing.clear()
        self._warning.clear()
        thread = get_ident()
        inherited = self._voice_inherited(thread)
        for other in [other for other in self._by_thread if other != thread]:
            del self._by_thread[other]
        self._only = next(iter(self._by_thread.values()), inherited)
        self._heirs = weakref.WeakKeyDictionary()
        self._starting.clear()
        self._has_heirs = inherited is not None
        if inherited is not None:
            self._heirs[_RUNNING[thread]] = inherited
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
        if threading.Thread.start is not _start_thread:
            self._start = threading.Thread.start
            threading.Thread.start = _start_thread  # type: ignore[method-assign]

    def _restore(self) -> None:
        import logging

        sys.stdout = self._stdout
        set_terminal()
        warnings.showwarning = self._showwarning
        if getattr(logging, "_warnings_showwarning", None) is _hear_warning:
            # The script called logging.captureWarnings(True); it would give our stand-in back one day.
            logging._warnings_showwarning = None  # type: ignore[attr-defined]
        logging.Logger.callHandlers = self._call_handlers  # type: ignore[method-assign,assignment]
        threading.Thread.start = self._start  # type: ignore[method-assign,assignment]
        self._strangers = {}

    def start_thread(self, thread: threading.Thread) -> None:
        """Start a thread, which belongs to the voice of the one that starts it."""
        voice = self._attempt_of(get_ident())
        if voice is None or thread.ident is not None:  # one that runs already is refused by Python
            self._start(thread)
            return
        with self._guard:
            self._starting.add(thread)
            self._heirs[thread] = voice
            self._has_heirs = True
        try:
            self._start(thread)
        finally:
            self._starting.discard(thread)

    # -- hearing ----------------------------------------------------------------------------------

    def _attempt_of(self, thread: int) -> Hearer | None:
        attempt = self._listening_to(thread)
        voice = SPEAKER.get()
        if voice is None or attempt is None or voice.is_over or voice.root is not attempt.root:
            return attempt
        return voice

    def _listening_to(self, thread: int) -> Hearer | None:
        attempt = self._by_thread.get(thread)
        if attempt is not None:
            return attempt
        attempt = self._voice_inherited(thread)
        if attempt is None and self._only is not None:
            # Numbers of threads that have ended are given again.
            stranger = self._strangers.get(thread)
            if stranger is None or stranger is not threading.current_thread():
                return self._only
        return attempt

    def _voice_inherited(self, thread: int) -> Hearer | None:
        if not self._has_heirs:
            return None
        # Not `current_thread`, which would note a thread that Python does not know.
        known = _RUNNING.get(thread)
        voice = None if known is None else self._heirs.get(known)
        # A thread that lives on when its attempt is over: what is said of pools and strangers holds for it.
        return None if voice is None or voice.is_over else voice

    def _hear_print(self, text: str) -> str | None:
        thread = get_ident()
        attempt = self._attempt_of(thread)
        if attempt is None:
            return None
        if thread not in self._showing:
            attempt.take_print(text)
        return None if attempt.redact is str else attempt.redact(text)

    def hear_warning(self, text: str, show: tuple[Any, ...]) -> None:
        """Take a warning, then show it as Python does."""
        thread = get_ident()
        attempt = self._attempt_of(thread)
        if attempt is None:
            self._showwarning(*show)
            return
        attempt.take_warning(text, show[2], show[3])
        if attempt.redact is not str:
            show = (attempt.redact(safe_text(show[0])), *show[1:5], "")
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
        if attempt.redact is not str:
            from sinagot.runlog.records import redacted_record

            record = redacted_record(record, attempt.redact)
        is_outermost = thread not in self._showing
        self._showing.add(thread)
        try:
            self._call_handlers(logger, record)
        finally:
            if is_outermost:
                self._showing.discard(thread)


#: Threads by number; private to `threading` for ever so long, and all that tells them without noting new ones.
_RUNNING: dict[int, threading.Thread] = threading._active  # type: ignore[attr-defined]

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


def _start_thread(self: threading.Thread) -> None:
    LISTENERS.start_thread(self)


if hasattr(os, "register_at_fork"):  # pragma: no branch - absent on Windows
    os.register_at_fork(after_in_child=LISTENERS.forget_others)
