"""Writing streams in a Redis server: value by value, each numbered before it is sent, and the end mark.

Knows values, numbers and what the answers mean for a stream; must not know connections. What an answer says of a
stream is noted when it comes, whether who asked still waits or was cancelled.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection
from functools import partial
from typing import Any

from sinagot.errors import FlowError, SpoolLimitError, StorageError, UnstorableDataError
from sinagot.flow.ends import Mark
from sinagot.flow.frames import VALUE, Parts
from sinagot.flow.redis import scripts
from sinagot.flow.redis.line import Reply
from sinagot.flow.redis.run import RedisRun
from sinagot.flow.redis.stream import RedisStream
from sinagot.flow.values import Encoder

__all__ = ["RedisWriter"]


class RedisWriter:
    """Write the streams of a run.

    Parameters
    ----------
    run : RedisRun
        The run.
    pickle : bool or collection of str
        Pickle values that have no other form: in all streams, or in those named.
    limit : int or None
        Most bytes of one stream.
    """

    def __init__(self, run: RedisRun, pickle: bool | Collection[str], limit: int | None) -> None:
        self._run = run
        self._pickle = pickle
        self._limit = limit
        self._plain, self._pickling = Encoder(), Encoder(pickle=True)

    async def append(self, stream: RedisStream, value: Any) -> None:
        """Write one value behind the others.

        Parameters
        ----------
        stream : RedisStream
            The stream.
        value : object
            What to write.
        """
        rest = self.put(stream, value)
        if rest is not None:
            await rest()
        if self._run.turn.is_over():
            await self._run.turn.pass_on()

    def put(self, stream: RedisStream, value: Any) -> Callable[[], Awaitable[None]] | None:
        """Send one value when there is room; else give what does it.

        Parameters
        ----------
        stream : RedisStream
            The stream.
        value : object
            What to write.

        Returns
        -------
        async callable or None
            Must be called next, and waited for; None when the value is on its way.
        """
        kind, body = self._encoded(stream.name, value)
        if not stream.is_ours and stream.mark is None:
            # Who waits may be cancelled, and change the value.
            return partial(self._begin_and_send, stream, kind, [b"".join(body)])
        return self._send(stream, kind, body)

    async def _begin_and_send(self, stream: RedisStream, kind: int, body: Parts) -> None:
        await self._begin(stream)
        rest = self._send(stream, kind, body)
        if rest is not None:
            await rest()

    def _send(self, stream: RedisStream, kind: int, body: Parts) -> Callable[[], Awaitable[None]] | None:
        self._check_open(stream)
        number, run = stream.count, self._run
        payload = run.seal.closed(stream.key, number, kind, body)
        size = len(payload)
        self._check_room(stream, size)
        stream.waiting.append(payload)
        stream.count, stream.size, stream.open_size = (
            number + 1,
            stream.size + size,
            stream.open_size + size,
        )
        if not stream.under_way:
            self._flush(stream)
        return partial(self._wait_for_room, stream) if stream.is_full else None

    def _flush(self, stream: RedisStream) -> None:
        """Send all that waits, in one go: what comes meanwhile waits for the answer."""
        batch, run = stream.waiting, self._run
        if not batch:
            return
        first, stream.waiting = stream.count - len(batch), []
        stream.under_way += 1
        arguments = (first, run.pulse.token, run.pulse.expire, run.config.trim or 0, *batch)
        done = partial(self._appended, stream, first + len(batch), sum(map(len, batch)))
        try:
            run.tell(scripts.APPEND, stream, arguments, done)
        except StorageError as error:
            run.fail(stream, error)
            stream.problem = None
            raise

    def flush(self) -> None:
        """Send all that waits, of all streams: the store is left, and others read on."""
        for stream in self._run.streams.values():
            if stream.waiting:
                try:
                    self._flush(stream)
                except StorageError:
                    continue  # it has failed, and nobody is left here who could be told

    async def _wait_for_room(self, stream: RedisStream) -> None:
        while stream.is_full:
            await stream.wait()
            self._check_open(stream)

    def _check_open(self, stream: RedisStream) -> None:
        """Raise when a stream has ended; the first time, why its values could not be written."""
        problem, stream.problem = stream.problem, None
        if problem is not None:
            raise problem
        if self._run.is_removed:
            raise self._run.removed(stream.name)
        if stream.mark is not None:
            raise self._run.ended(stream)

    def _encoded(self, name: str, value: Any) -> tuple[int, Parts]:
        simple = self._plain.encode_simple(value)
        if simple is not None:
            return VALUE, [simple]
        pickles = self._pickle if isinstance(self._pickle, bool) else name in self._pickle
        try:
            return (self._pickling if pickles else self._plain).encode(value)
        except UnstorableDataError as error:
            raise UnstorableDataError(
                f"stream {name!r}: {error}", stream=name, key=name, type_name=error.facts.get("type_name")
            ) from error

    def _check_room(self, stream: RedisStream, more: int) -> None:
        size = stream.size + more
        if self._limit is not None and size > self._limit:
            error = SpoolLimitError(
                f"stream {stream.name!r} would hold {size} bytes after {stream.count} values, and spool_limit is "
                f"{self._limit}: let its producer end, or raise spool_limit",
                stream=stream.name,
                limit=self._limit,
                size=size,
            )
            self._flush(stream)
            self._run.fail(stream, error, stream.count)
            stream.problem = None
            raise error

    async def end(self, stream: RedisStream, mark: Mark) -> bool:
        """Write the end mark; when the server can't be told the stream has failed.

        Parameters
        ----------
        stream : RedisStream
            The stream.
        mark : Mark
            How it ended.

        Returns
        -------
        bool
            False when another mark stands.
        """
        outcome: list[bool] = []
        try:
            await self._begin(stream)
            if stream.mark is not None:
                return False
            self._flush(stream)
            arguments = self._run.end_arguments(stream, stream.count, mark)
            then = partial(self._marked, stream, mark, outcome)
            await self._run.ask(scripts.END, stream, arguments, then)
        except StorageError as error:
            self._run.fail(stream, error)
        return bool(outcome)

    async def _begin(self, stream: RedisStream) -> None:
        """Become the writer of a stream, or find that it has ended."""
        if stream.is_ours or stream.mark is not None:
            return
        await self._run.start()
        await self._run.ask(scripts.BEGIN, stream, (self._run.pulse.token,), partial(self._begun, stream))

    # -- answers ---------------------------------------------------------------------------------------------------

    def _begun(self, stream: RedisStream, reply: Reply) -> None:
        if reply.error is not None:
            return
        status = reply.answer[0]
        if status == b"gone":
            reply.error = self._run.gone(stream)
        elif status == b"lost":
            reply.error = self._run.lost(stream, f"it had {int(reply.answer[1])} values")
        elif status == b"ended":
            reply.error = self._run.learn(stream, reply.answer)
        elif not stream.is_ours:
            stream.count = stream.written = int(reply.answer[1])
            stream.size = int(reply.answer[2])
            stream.is_ours = True
            self._run.pulse.add(stream.key)

    def _appended(self, stream: RedisStream, count: int, size: int, reply: Reply) -> None:
        run = self._run
        stream.under_way -= 1
        stream.open_size -= size
        status = reply.answer[0] if reply.error is None else b""
        if status != b"ok":
            stream.waiting.clear()
        if status == b"ok":
            stream.written = max(stream.written, count)
            if not stream.under_way and stream.mark is None:
                self._flush(stream)
        elif status == b"ended":
            stream.problem = run.learn(stream, reply.answer)
        elif status == b"taken":
            # The other one goes on: only here nothing follows.
            told = f"stream {stream.name!r} has two producers; a stream has one"
            stream.problem = FlowError(told, stream=stream.name)
            stream.mark = stream.mark or Mark.failed(None, stream.problem)
        elif status == b"gone":
            run.fail(stream, run.gone(stream))
        elif status == b"lost":
            run.fail(
                stream, run.lost(stream, f"{stream.written} values were written, and they are not there")
            )
        elif reply.error is not None:
            run.fail(stream, run.told_of(stream, reply.error))
        stream.wake()

    def _marked(self, stream: RedisStream, mark: Mark, outcome: list[bool], reply: Reply) -> None:
        run = self._run
        if reply.error is not None or stream.mark is not None:
            return
        status = reply.answer[0]
        if status == b"ok":
            stream.mark = mark
            outcome.append(True)
        elif status == b"ended":
            reply.error = run.learn(stream, reply.answer)
        elif status == b"gone":
            reply.error = run.gone(stream)
        else:
            there = int(reply.answer[1])
            reply.error = run.lost(stream, f"{stream.count} values were written, and {there} are there")
        stream.wake()
