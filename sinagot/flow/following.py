"""Async iterators over what can only be waited for in a thread: folders, devices, other programs.

Knows threads and the loop of who reads; must not know what is followed. No thread lives while nobody waits.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import AsyncIterator, Callable
from types import TracebackType
from typing import Any, Protocol, Self, TypeVar

from sinagot.flow.loops import soon_caller

__all__ = ["Followed", "Following"]

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)

#: Seconds that a thread gets to end which nobody waits for any more; a drive that does not answer may hold it for ever.
_PATIENCE = 5.0


class Followed(Protocol[T_co]):
    """What values come from."""

    def ready(self) -> T_co | None:
        """Give the next value that is at hand, None when there is none; called in the loop."""

    def begin(self) -> None:
        """Make ready for waiting; called in the loop, before each time."""

    def wait(self) -> bool:
        """Wait in a thread until a value is at hand; False when it was interrupted, or nothing comes any more."""

    def interrupt(self) -> None:
        """End the waiting soon; called in any thread, at any time."""

    def close(self) -> None:
        """End all that goes on; called in a thread, when nobody waits."""


class Following(AsyncIterator[T]):
    """Gives values as they come, in a loop of asyncio or trio.

    Parameters
    ----------
    source : Followed
        Where they come from.
    name : str
        Of the threads in which it is waited for.

    Notes
    -----
    Several tasks may read one of these: each value goes to one of them. Waiting that is cancelled loses nothing, and
    may be begun again. `aclose`, or leaving ``async with``, ends it; so does dropping it, as ``break`` in a loop does.
    """

    def __init__(self, source: Followed[T], name: str) -> None:
        self._source, self._name = source, name
        self._lock: Any = None
        self._is_closed = False
        self._finalizer = weakref.finalize(self, source.interrupt)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> T:
        from anyio import Lock

        if self._lock is None:
            self._lock = Lock()
        async with self._lock:
            while not self._is_closed:
                found = self._source.ready()
                if found is not None:
                    return found
                self._source.begin()
                if not await self._in_thread(self._source.wait):
                    break
        raise StopAsyncIteration

    async def aclose(self) -> None:
        """End it: who waits for a value gets none, and no thread is left."""
        from anyio import move_on_after

        self._is_closed = True
        self._finalizer()
        if self._lock is None:  # nobody ever waited
            return
        with move_on_after(_PATIENCE, shield=True):
            async with self._lock:
                await self._in_thread(self._source.close)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def _in_thread(self, function: Callable[[], Any]) -> Any:
        """Call a function in a thread of its own, and wait for it; a cancellation interrupts it."""
        from anyio import Event, move_on_after

        soon, done = soon_caller(), Event()
        answers: list[Any] = []
        errors: list[Exception] = []

        def work() -> None:
            try:
                answers.append(function())
            except Exception as error:  # noqa: BLE001  (raised again where it is waited for)
                errors.append(error)
            finally:
                soon(done.set)

        thread = threading.Thread(target=work, name=self._name, daemon=True)
        thread.start()
        try:
            await done.wait()
        finally:
            if not done.is_set():
                self._source.interrupt()
                with move_on_after(_PATIENCE, shield=True):
                    await done.wait()
            if done.is_set():
                thread.join()
        if errors:
            raise errors.pop()
        return answers[0]
