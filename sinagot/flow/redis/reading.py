"""A reader of one stream in a Redis server: batches of values, waiting for more, and the end mark.

Knows positions in one stream and the event loop; must not know connections. `sinagot.flow.redis.store` makes readers;
they own nothing, so one may be dropped at any time.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any, NoReturn, Self

import anyio

from sinagot.errors import FlowError, StorageError, StoredDataError
from sinagot.flow.ends import Mark
from sinagot.flow.redis import scripts
from sinagot.flow.redis.run import RedisRun
from sinagot.flow.redis.stream import RedisStream

__all__ = ["RedisReader"]

#: Seconds between two looks at what another process writes, and between two questions whether it lives.
_FIRST_LOOK, _LAST_LOOK, _ASK = 0.001, 0.02, 0.25
#: Seconds for which a writer must seem dead: after a break of the server all do for a moment.
_DOUBT = 3.0
#: Bytes and values of a batch.
_MOST_BYTES, _MOST_VALUES = 512 * 1024, 512


class RedisReader:
    """An asynchronous iterator over numbers and values of a stream.

    Parameters
    ----------
    run : RedisRun
        The run.
    stream : RedisStream
        The stream.
    cursor : int
        Number of the first value to give.
    is_alive : callable or None
        Tells whether the producer of a stream may still write.
    """

    def __init__(
        self, run: RedisRun, stream: RedisStream, cursor: int, is_alive: Callable[[str], bool] | None
    ) -> None:
        self._run = run
        self._stream = stream
        self._is_alive = is_alive
        #: Number of the next value to fetch; those before it are given, or in `_found`.
        self._next = cursor
        self._found: deque[tuple[int, bytes]] = deque()
        self._delay = _FIRST_LOOK
        self._asked = self._silent_since = 0.0
        self._is_over = False

    def __aiter__(self) -> Self:
        """Give the reader itself."""
        return self

    async def aclose(self) -> None:
        """End the reading; there is nothing to be closed."""
        self._is_over = True
        self._found.clear()

    async def __anext__(self) -> tuple[int, Any]:
        """Give the next value and its number, when it is there."""
        if self._found and self._run.turn.is_over():
            await self._run.turn.pass_on()
        while not self._found:
            if self._is_over:
                raise StopAsyncIteration
            await self._look()
        number, payload = self._found.popleft()
        try:
            return number, self._run.seal.value(self._stream, number, payload)
        except StoredDataError as error:
            await self.aclose()
            raise self._run.damaged(self._stream, f"value {number}", error) from error

    async def _look(self) -> None:
        """Fetch values that are there, or wait."""
        run, stream = self._run, self._stream
        if run.is_removed:
            raise FlowError(f"stream {stream.name!r} was removed while it was read", stream=stream.name)
        if stream.is_known and self._next >= stream.written:
            if stream.mark is not None and stream.is_settled:
                self._finish(stream.mark)
            await stream.wait()
            return
        await run.start()
        written = stream.written if stream.is_known else 0
        answer = await run.ask(scripts.READ, stream, (self._next, _MOST_BYTES, _MOST_VALUES))
        match answer[0]:
            case b"values":
                self._take(answer[1])
            case b"ended":
                self._end(answer)
            case b"gone":
                self._is_over = True
                raise run.gone(stream)
            case _ if not stream.is_known:
                await self._wait(int(answer[1]) / 1000)
            case _ if stream.mark is None and self._next < written:
                raise self._lost(f"value {self._next} was written, and is not there")

    def _take(self, found: list[Any]) -> None:
        """Keep a batch; its numbers are without a gap."""
        first, count, trim = int(found[0]), len(found) // 2, self._run.config.trim
        if first > self._next and trim is not None:
            self._is_over = True
            raise StorageError(
                f"stream {self._stream.name!r}: value {self._next} was deleted before it was read, for trim={trim} in "
                "redis_config keeps only the last; read in time (max_lead), or raise trim",
                path=self._run.config.address,
                stream=self._stream.name,
            )
        if first != self._next or int(found[-2]) != first + count - 1:
            raise self._lost(f"value {self._next} is not there")
        self._found.extend((int(found[at]), found[at + 1]) for at in range(0, len(found), 2))
        self._next = first + count
        self._delay, self._silent_since = _FIRST_LOOK, 0.0

    def _end(self, answer: list[Any]) -> None:
        """End at a mark that is in the server."""
        stream = self._stream
        error = self._run.learn(stream, answer)
        if error is not None:
            self._is_over = True
            raise error
        assert stream.mark is not None
        if self._next < stream.written and stream.mark.error(stream.name) is None:
            raise self._lost(f"it had {stream.written} values, and value {self._next} is not there")
        self._finish(stream.mark)

    async def _wait(self, silence: float) -> None:
        """Wait for what another process writes; end the stream when that process is dead."""
        run, stream, now = self._run, self._stream, anyio.current_time()
        if self._is_alive is not None:
            if now - self._asked >= _ASK:
                self._asked = now
                if not self._is_alive(stream.name):
                    await self._bury(0.0)
                    return
        elif silence <= run.config.lost_after:
            self._silent_since = 0.0
        elif not self._silent_since:
            self._silent_since = now
        elif now - self._silent_since >= _DOUBT:
            await self._bury(run.config.lost_after)
            return
        with anyio.move_on_after(self._delay):
            await stream.wait()
        self._delay = min(2 * self._delay, _LAST_LOOK)

    async def _bury(self, silence: float) -> None:
        """End a stream whose writer is dead: for all readers, and for the writer too, should it come back."""
        mark = Mark.failed(None, "the process that wrote it is gone")
        arguments = self._run.end_arguments(self._stream, self._next, mark, silence=silence)
        (status, *_) = await self._run.ask(scripts.END, self._stream, arguments)
        if status == b"lost":
            raise self._lost(f"{self._next} values were read, and they are not there any more")

    def _finish(self, mark: Mark) -> NoReturn:
        """End as a mark says."""
        self._is_over = True
        error = mark.error(self._stream.name)
        if error is None:
            raise StopAsyncIteration
        raise error

    def _lost(self, what: str) -> StorageError:
        self._is_over = True
        return self._run.lost(self._stream, what)
