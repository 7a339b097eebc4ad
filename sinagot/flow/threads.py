"""Bodies that are not async: in a thread of their own, with the streams as plain iterators.

Knows one call and the loop that it reports to; must not know what is done with its values. `running` uses it.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import Future
from contextvars import copy_context
from functools import partial
from typing import Any

from sinagot.flow.cursors import NOTHING
from sinagot.flow.loops import soon_caller, start_soon
from sinagot.flow.streams import IO

__all__ = ["BodyThread", "ThreadIO"]

#: Values that are handed to a thread at once, where nobody counts how far it is.
_BATCH = 64


class _Stopped(BaseException):
    """Raised in a body whose processor is cancelled; no `except Exception` holds it up."""


class ThreadIO:
    """Read a stream in a thread: as `IO`, without ``await``.

    Parameters
    ----------
    stream : IO
        The stream, as it is read in the loop.
    thread : BodyThread
        The thread.
    batch : int
        Values that may be taken ahead of the body.
    """

    __slots__ = ("_batch", "_stream", "_thread")

    def __init__(self, stream: IO[Any], thread: BodyThread, batch: int) -> None:
        self._stream = stream
        self._thread = thread
        self._batch = batch

    @property
    def name(self) -> str:
        """Name of the stream."""
        return self._stream.name

    def stream(self, cursor: int = 0) -> Iterator[Any]:
        """Give the values one after the other, each as soon as it is there; see `IO.stream`."""
        source = self._stream.stream(cursor)
        return self._values(source, lambda: source.has_value)

    def __iter__(self) -> Iterator[Any]:
        return self.stream()

    def first(self, default: Any = NOTHING) -> Any:
        """Wait for the first value; see `IO.first`."""
        return self._thread.ask(partial(self._stream.first, default))

    def stream_with(
        self, *others: ThreadIO, pad: Any = NOTHING, strict: bool = False
    ) -> Iterator[tuple[Any, ...]]:
        """Give the values of this stream and of others side by side; see `IO.stream_with`."""
        streams = [one._stream for one in others]
        return self._values(self._stream.stream_with(*streams, pad=pad, strict=strict), lambda: False)

    def as_available(self, *others: ThreadIO) -> Iterator[Any]:
        """Give the values of this stream and of others in the order in which they come; see `IO.as_available`."""
        return self._values(self._stream.as_available(*(one._stream for one in others)), lambda: False)

    def _values(self, source: Any, has_more: Callable[[], bool]) -> Iterator[Any]:
        async def some() -> list[Any]:
            found = []
            try:
                found.append(await anext(source))
                while len(found) < self._batch and has_more():
                    found.append(await anext(source))
            except StopAsyncIteration:
                pass
            return found

        while values := self._thread.ask(some):
            yield from values

    def __repr__(self) -> str:
        return f"<IO {self.name!r}>"


class BodyThread:
    """Run one body in a thread, from the loop of its run.

    Parameters
    ----------
    name : str
        Of the thread.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._is_stopped = False
        self._group: Any = None
        self._asked: set[Future[Any]] = set()
        self._error: BaseException | None = None
        self._values: deque[Any] = deque()
        self._room = threading.Condition()
        self._soon: Callable[[Callable[[], None]], None] = lambda _: None
        self._ring: Any = None
        self._is_done = self._is_left = False
        self._give: Callable[[Any], Awaitable[None]] | None = None

    async def run(self, body: Callable[[], Any], give: Callable[[Any], Awaitable[None]]) -> None:
        """Call the body in the thread, and wait until it has ended; a cancellation waits for that too.

        Parameters
        ----------
        body : callable
            What is to be called.
        give : async callable
            Called in the loop with each value that the body puts.

        Raises
        ------
        BaseException
            What the body raises.
        """
        from anyio import CancelScope, Event, create_task_group

        self._soon, self._give, self._ring = soon_caller(), give, Event()
        problem: Exception | None = None
        # What the thread asks for is done in tasks of this group: who cancels the run reaches them too.
        async with create_task_group() as self._group:
            thread = threading.Thread(
                target=copy_context().run, args=(self._within, body), name=self._name, daemon=True
            )
            thread.start()
            try:
                await self._hand_on(give)
            except Exception as error:  # noqa: BLE001  (raised below, not out of the group, which would wrap it)
                problem = error
            finally:
                with self._room:
                    self._is_stopped = True
                    self._room.notify()
                self._group.cancel_scope.cancel()
                # asyncio may cancel a task before its first step: the thread hears of that here only.
                for answer in list(self._asked):
                    self._settle(answer, error=_Stopped())
                with CancelScope(shield=True):
                    while not (self._is_done or self._is_left):
                        await self._heard()
                if not self._is_left:
                    thread.join()
        if problem is not None:
            raise problem
        if self._error is not None:
            raised, self._error = self._error, None
            raise raised

    async def _hand_on(self, give: Callable[[Any], Awaitable[None]]) -> None:
        """Give the values that the thread puts, until it has ended."""
        while await self._heard():
            while self._values:
                await give(self._values[0])
                with self._room:
                    self._values.popleft()
                    self._room.notify()

    async def _heard(self) -> bool:
        """Wait until the thread rings; False when it has ended, and all its values are given."""
        from anyio import Event

        if self._is_done:
            return bool(self._values)
        await self._ring.wait()
        self._ring = Event()
        return bool(self._values) or not self._is_done

    def leave(self) -> None:
        """Wait for the thread no longer once it is to end: it does not hear, and dies with the program."""
        self._is_left = True
        if self._ring is not None:
            self._ring.set()

    def _rung(self) -> None:
        self._ring.set()

    def _ended(self) -> None:
        self._is_done = True
        self._ring.set()

    def _within(self, body: Callable[[], Any]) -> None:
        try:
            body()
        except _Stopped:
            pass
        except BaseException as error:  # noqa: BLE001  (the code of the user; raised again where the run is led)
            self._error = error
        self._soon(self._ended)

    def put(self, value: Any) -> None:
        """Hand out a value, and wait only when there are many; called in the thread."""
        with self._room:
            while len(self._values) >= _BATCH and not self._is_stopped:
                self._room.wait()
            if self._is_stopped:
                raise _Stopped
            self._values.append(value)
            is_first = len(self._values) == 1
        if is_first:
            self._soon(self._rung)

    def put_and_wait(self, value: Any) -> None:
        """Hand out a value, and wait until it was given; called in the thread."""
        assert self._give is not None
        self.ask(partial(self._give, value))

    def ask(self, what: Callable[[], Awaitable[Any]]) -> Any:
        """Have something done in the loop, and wait for it; called in the thread."""
        if self._is_stopped:
            raise _Stopped
        answer: Future[Any] = Future()
        self._soon(partial(self._begin, what, answer))
        return answer.result()

    def _begin(self, what: Callable[[], Awaitable[Any]], answer: Future[Any]) -> None:
        self._asked.add(answer)
        if self._is_stopped:
            self._settle(answer, error=_Stopped())
        else:
            start_soon(self._group, self._answer, what, answer)

    async def _answer(self, what: Callable[[], Awaitable[Any]], answer: Future[Any]) -> None:
        """Do what the thread asked for; whatever becomes of it, the thread goes on."""
        try:
            self._settle(answer, await what())
        except Exception as error:  # noqa: BLE001  (raised in the thread)
            self._settle(answer, error=error)
        except BaseException:
            self._settle(answer, error=_Stopped())
            raise

    def _settle(self, answer: Future[Any], found: Any = None, error: BaseException | None = None) -> None:
        """Answer the thread, once."""
        if answer in self._asked:
            self._asked.discard(answer)
            if error is None:
                answer.set_result(found)
            else:
                answer.set_exception(error)
