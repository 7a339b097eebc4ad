"""Threads that run calls: as few as keep up, as many as are allowed.

Knows threads and queues; must not know acts. Daemons: a call that never ends must not keep a program alive that was
asked to stop.
"""

from __future__ import annotations

import contextvars
import ctypes
import threading
import time
from collections.abc import Callable, Collection
from queue import Empty, SimpleQueue
from typing import Generic, NamedTuple, TypeVar

__all__ = ["PATIENCE", "Crew"]

_T = TypeVar("_T")
#: Seconds that the threads there are get to show that they keep up, before there is one more.
PATIENCE = 0.01
#: Seconds that a call takes at least, on the average, for more threads to be of use.
_TINY = 0.001


class _Broken(NamedTuple):
    """A call that gave nothing."""

    error: Exception


class _Help(NamedTuple):
    """No call has come back, but there is more to do than those that run can."""


_HELP = _Help()


class Crew(Generic[_T]):
    """Threads for the work of one board: each call does pieces of it, as long as there are any.

    Parameters
    ----------
    width : int
        Most threads.
    name : str
        Of the threads, for whoever looks at them.

    Notes
    -----
    Tiny pieces stay on one thread, in their order: more threads would only hinder one another. Where they take a
    millisecond or more, there is one thread more every `PATIENCE`, as long as pieces wait.
    """

    def __init__(self, width: int, name: str) -> None:
        self._width = max(width, 1)
        self._name = name
        self._calls: SimpleQueue[tuple[contextvars.Context, Callable[[], _T]] | None] = SimpleQueue()
        self._done: SimpleQueue[_T | _Broken | _Help] = SimpleQueue()
        self._threads: list[threading.Thread] = []
        #: Calls that were begun and have not come back.
        self.busy = 0
        self._allowed = 1
        self._grown = time.monotonic()
        #: Pieces that were done since, and at the last look; of two threads at once one may not be counted.
        self._count = self._seen = 0
        #: Who waits is not to be told that there is more: it looks by itself, or could begin nothing.
        self._is_looking = True

    @property
    def has_room(self) -> bool:
        """One more call may begin now."""
        return self.busy < self._allowed

    @property
    def may_grow(self) -> bool:
        """More threads are allowed than there are."""
        return self._allowed < self._width

    def begin(self, call: Callable[[], _T]) -> None:
        """Let a thread run a call, in a copy of the caller's context."""
        self.busy += 1
        self._calls.put((contextvars.copy_context(), call))
        if len(self._threads) < self.busy:
            thread = threading.Thread(
                target=self._work, name=f"{self._name}-{len(self._threads) + 1}", daemon=True
            )
            self._threads.append(thread)
            thread.start()

    def note(self) -> None:
        """Say, in a call, that a piece is done."""
        self._count += 1

    def call_for_help(self) -> None:
        """Say, in a call, that there is more than it can do at once."""
        if not self._is_looking:
            self._is_looking = True
            self._done.put(_HELP)

    def wait(self, is_more: Callable[[], bool] = bool, timeout: float | None = None) -> _T | None:
        """Wait until a call has come back, or there may be something to begin; gives what the call came to.

        Parameters
        ----------
        is_more : callable
            Says whether further pieces wait: after `PATIENCE` one more thread is allowed for them.
        timeout : float, seconds, optional
            Longest wait; without it there is none.

        Raises
        ------
        BaseException
            What the call itself raised; KeyboardInterrupt is none of it.
        """
        can_begin = self.has_room or self.may_grow
        self._is_looking = not can_begin
        is_waited_for = can_begin and is_more()  # asked after who works there could hear that it matters
        if is_waited_for:
            self._is_looking, timeout = True, PATIENCE
        try:
            found = self._done.get(timeout=timeout)
        except Empty:
            found = _HELP
        self._is_looking = True
        if is_waited_for:
            self._look()
        if found is _HELP:
            return None
        self.busy -= 1
        if isinstance(found, _Broken):
            raise found.error
        return found  # type: ignore[return-value]  # neither of the two words of ours

    def _look(self) -> None:
        """Allow one thread more when those that are there do not keep up."""
        elapsed = time.monotonic() - self._grown
        is_stuck = self._count == self._seen
        self._seen = self._count
        if self.may_grow and elapsed >= PATIENCE and (is_stuck or elapsed >= self._count * _TINY):
            self._allowed += 1
            self._grown = time.monotonic()
            self._count = self._seen = 0

    def _work(self) -> None:
        is_asked = False
        try:
            while (asked := self._calls.get()) is not None:
                is_asked = True
                context, call = asked
                try:
                    self._done.put(context.run(call))
                except Exception as error:  # noqa: BLE001  (whoever waits must learn that nothing will come)
                    self._done.put(_Broken(error))
                is_asked = False
                del asked, context, call  # an idle thread keeps nothing alive
        except KeyboardInterrupt:
            if is_asked:  # thrown in by `interrupt`, and late
                self._done.put(_Broken(RuntimeError("interrupted")))

    def interrupt(self, waiting: Collection[int] = ()) -> None:
        """Throw KeyboardInterrupt into what runs; code that waits outside of Python hears it when it comes back.

        Parameters
        ----------
        waiting : collection of int
            Numbers of threads that are left alone: they wait for others, which are told.
        """
        for thread in self._threads:
            if thread.is_alive() and thread.ident is not None and thread.ident not in waiting:
                ctypes.pythonapi.PyThreadState_SetAsyncExc(
                    ctypes.c_ulong(thread.ident), ctypes.py_object(KeyboardInterrupt)
                )

    def close(self) -> None:
        """Let the threads end when they have nothing to do any more."""
        for _ in self._threads:
            self._calls.put(None)
        for thread in self._threads:
            if not self.busy:
                thread.join()
