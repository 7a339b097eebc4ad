"""The streams of one run in a Redis server: whose they are, what became of them, and what is said when they are lost.

Knows keys, marks and errors; must not know values. `store` makes one, `writing` and `reading` work on it. Each process
that writes shows every second that it lives, and sees from the answer whether all that it wrote is still there.
"""

from __future__ import annotations

import logging
import secrets
import weakref
from collections.abc import Callable
from typing import Any

import anyio

from sinagot.errors import FlowError, StorageError, StoredDataError, StreamEndedError
from sinagot.flow.ends import Mark
from sinagot.flow.redis import scripts
from sinagot.flow.redis.config import RedisConfig
from sinagot.flow.redis.line import RedisLine, Reply
from sinagot.flow.redis.stream import RedisStream, Seal
from sinagot.flow.turns import Turn

__all__ = ["RedisRun"]

_LOG = logging.getLogger("sinagot.flow")


class RedisRun:
    """Know the streams of one run.

    Parameters
    ----------
    config : RedisConfig
        Where the server is.
    run_id : str
        Of the run.
    secret : bytes, optional
        Key of a run that another process began.
    """

    def __init__(self, config: RedisConfig, run_id: str, secret: bytes | None) -> None:
        self.config = config
        self.run_id = run_id
        self.is_removed = False
        self.is_owner = secret is None
        self.secret = secret or secrets.token_bytes(32)
        self.seal = Seal(self.secret)
        self.streams: dict[str, RedisStream] = {}
        self.pulse = _Pulse(self)
        self._is_begun = not self.is_owner
        self._beginning = anyio.Lock()
        self._line = RedisLine(config, self.pulse)
        #: Of all that read and write in this loop.
        self.turn = Turn()
        weakref.finalize(self, self._line.hang_up).atexit = False

    async def start(self) -> None:
        """Begin the run in the server; a second call does nothing.

        Raises
        ------
        StorageError
            When the server can't be reached, refuses, or is too old.
        """
        async with self._beginning:
            if self._is_begun:
                return
            (status, *_) = await self.ask(scripts.START, None, (self.pulse.token, self.pulse.expire))
            if status == b"taken":
                raise StorageError(
                    f"Redis at {self.config.address} holds another run {self.run_id!r}; take another run_id",
                    path=self.config.address,
                )
            self._is_begun = self.pulse.is_on = True

    async def ask(
        self,
        script: scripts.Script,
        stream: RedisStream | None,
        arguments: tuple[Any, ...],
        then: Callable[[Reply], None] | None = None,
    ) -> list[Any]:
        """Ask the server, and wait for the answer.

        Parameters
        ----------
        script : Script
            What is to be run.
        stream : RedisStream or None
            The stream that it is about; its name is the first argument.
        arguments : tuple
            The other arguments.
        then : callable, optional
            Called with the reply, whether somebody waits for it or not.

        Returns
        -------
        list
            A word, and what belongs to it.

        Raises
        ------
        FlowError
            When the streams were removed.
        StorageError
            When the server can't be reached, or refuses.
        """
        if self.is_removed:
            raise self.removed()
        keys: tuple[bytes, ...] = (self.pulse.run,)
        if stream is not None:
            keys, arguments = (self.pulse.run, self.pulse.base + stream.key), (stream.key, *arguments)
        try:
            return await self._line.ask(script, keys, arguments, then)
        except StorageError as error:
            if self.is_removed:
                raise self.removed() from None
            if stream is None or error.facts.get("stream"):
                raise
            raise self.told_of(stream, error) from None

    def tell(
        self,
        script: scripts.Script,
        stream: RedisStream,
        arguments: tuple[Any, ...],
        then: Callable[[Reply], None],
    ) -> None:
        """Ask the server, and go on; see `ask`."""
        if self.is_removed:
            raise self.removed()
        keys = (self.pulse.run, self.pulse.base + stream.key)
        try:
            self._line.put(script, keys, (stream.key, *arguments), then)
        except StorageError as error:
            raise self.told_of(stream, error) from None

    def stream(self, name: str) -> RedisStream:
        """Give what is known of a stream.

        Parameters
        ----------
        name : str
            Name of the stream.
        """
        if self.is_removed:
            raise self.removed(name)
        found = self.streams.get(name)
        if found is None:
            found = self.streams[name] = RedisStream(name)
        return found

    # -- ends ------------------------------------------------------------------------------------------------------

    def end_arguments(
        self, stream: RedisStream, count: int, mark: Mark, *, force: bool = False, silence: float = 0.0
    ) -> tuple[Any, ...]:
        """Give what the script `END` is to be told.

        Parameters
        ----------
        stream : RedisStream
            The stream.
        count : int
            Number of its values.
        mark : Mark
            How it ended.
        force : bool, default False
            Also where values are lost.
        silence : float, seconds, default 0
            Only when its writer has shown no sign of life for so long.
        """
        payload = self.seal.closed_mark(stream, count, mark)
        return count, self.pulse.token, payload, self.pulse.expire, int(force), int(silence * 1000)

    def fail(self, stream: RedisStream, problem: Exception, count: int | None = None) -> None:
        """End a stream as failed: here at once, and in the server when it can be told.

        Parameters
        ----------
        stream : RedisStream
            The stream.
        problem : Exception
            Why.
        count : int, optional
            Number of its values, also of those that are on their way; by default of those that are there.
        """
        if self.is_removed:
            return
        stream.waiting.clear()
        if stream.mark is None or stream.mark.error(stream.name) is None:
            stream.mark, stream.problem = Mark.failed(None, problem), problem
            if self._line.is_used:
                arguments = self.end_arguments(
                    stream, stream.written if count is None else count, stream.mark, force=True
                )
                self.tell(scripts.END, stream, arguments, lambda reply: None)
        stream.wake()

    def learn(self, stream: RedisStream, answer: list[Any]) -> StoredDataError | None:
        """Note a mark that was found in the server; give an error when it is damaged.

        Parameters
        ----------
        stream : RedisStream
            The stream.
        answer : list
            With the mark and the number of values.
        """
        count = int(answer[2])
        try:
            mark = self.seal.mark(stream, count, answer[1])
        except Exception as error:  # noqa: BLE001  (whatever wrong bytes do)
            return self.damaged(stream, "its end mark", error)
        if stream.mark is None:
            if not stream.is_ours:
                stream.written = count
            stream.mark = mark
        return None

    # -- errors ----------------------------------------------------------------------------------------------------

    def removed(self, name: str | None = None) -> FlowError:
        """Give the error for streams that were removed here."""
        which = "they" if name is None else repr(name)
        return FlowError(f"the streams were removed; {which} can't be used any more", stream=name)

    def ended(self, stream: RedisStream) -> StreamEndedError:
        """Give the error for a value behind the end."""
        mark = stream.mark
        assert mark is not None
        why = f" ({mark.end}: {mark.text})" if mark.text else f" ({mark.end})"
        return StreamEndedError(f"stream {stream.name!r} has ended{why}; nothing follows", stream=stream.name)

    def damaged(self, stream: RedisStream, what: str, error: Exception) -> StoredDataError:
        """Give the error for bytes that are not what was written."""
        return StoredDataError(
            f"stream {stream.name!r} is damaged at {what}: {error} (Redis at {self.config.address}); "
            "run the flow again",
            stream=stream.name,
            file=self.config.address,
        )

    def told_of(self, stream: RedisStream, error: Exception) -> StorageError:
        """Give an error of the server with the name of the stream."""
        return self._storage_error(stream, str(error))

    def lost(self, stream: RedisStream, what: str) -> StorageError:
        """Give the error for values that the server has lost."""
        return self._storage_error(
            stream,
            f"Redis at {self.config.address} has lost values: {what}. Was it restarted, or did it delete keys for want "
            "of memory (maxmemory-policy)? Run the flow again",
        )

    def gone(self, stream: RedisStream) -> StorageError:
        """Give the error for a run of which the server knows nothing."""
        return self._storage_error(
            stream,
            f"Redis at {self.config.address} has no streams of run {self.run_id!r} (any more): the run was left, the "
            "server lost its data in a restart, or they expired",
        )

    def _storage_error(self, stream: RedisStream, text: str) -> StorageError:
        return StorageError(f"stream {stream.name!r}: {text}", path=self.config.address, stream=stream.name)

    # -- signs of life, the end -----------------------------------------------------------------------------

    def beaten(self, names: tuple[bytes, ...], reply: Reply) -> None:
        """See from the answer to a sign of life whether all is still there; called in the loop.

        Parameters
        ----------
        names : tuple of bytes
            Streams that were asked for.
        reply : Reply
            The answer.
        """
        by_key = {stream.key: stream for stream in self.streams.values()}
        if reply.error is not None:
            if self._line.problem:
                for stream in by_key.values():
                    self.fail(stream, self.told_of(stream, reply.error))
            return
        if reply.answer[0] == b"gone":
            for stream in by_key.values():
                self.fail(stream, self.gone(stream))
            return
        for at, name in enumerate(names):
            stream = by_key[name]
            count, is_there, is_marked = reply.answer[1 + 3 * at : 4 + 3 * at]
            has_mark = stream.mark is not None
            if count < stream.written or (not is_there and count) or (has_mark and not is_marked):
                told = f"{stream.written} values were written, and not all are there"
                self.fail(stream, self.lost(stream, told))

    async def remove(self, keep: bool) -> None:
        """Hang up, and delete the streams, unless they are kept or belong to another process.

        Parameters
        ----------
        keep : bool
            Leave them until they expire.
        """
        if self.is_removed:
            return
        self.is_removed = True
        for stream in self.streams.values():
            stream.wake()
        was_on, self.pulse.is_on = self.pulse.is_on, False
        with anyio.CancelScope(shield=True):
            try:
                if self._line.is_used and self.is_owner and not keep:
                    await self._line.ask(scripts.REMOVE, (self.pulse.run,), (self.pulse.base,))
                elif self._line.is_used and was_on:
                    await self._line.ask(scripts.LEAVE, (self.pulse.run,), (self.pulse.token,))
            except StorageError as error:
                _LOG.warning(
                    "the streams of run %s could not be deleted; they expire after %g s: %s",
                    self.run_id,
                    self.config.expire,
                    error,
                )
            finally:
                await self._line.close()


class _Pulse:
    """What a process shows every second, made in the thread of its line: nothing in it holds the run."""

    def __init__(self, run: RedisRun) -> None:
        prefix = f"{run.config.prefix}:{run.run_id}".encode("utf-8", "surrogatepass")
        #: Key of the run, and what keys of streams begin with.
        self.run, self.base = prefix, prefix + b":"
        self.token = secrets.token_hex(8).encode()
        self.expire = int(run.config.expire * 1000)
        self.is_on = False
        self._is_owner = run.is_owner
        self._names: tuple[bytes, ...] = ()
        self._beaten = weakref.WeakMethod(run.beaten)

    def add(self, name: bytes) -> None:
        """Have a stream renewed that is written here."""
        if name not in self._names:
            self._names += (name,)
        self.is_on = True

    def __call__(self) -> Reply | None:
        """Give what is to be asked; None when nothing is written here."""
        if not self.is_on:
            return None
        names = self._names

        def then(reply: Reply) -> None:
            beaten = self._beaten()
            if beaten is not None:
                beaten(names, reply)

        arguments = (self.token, self.expire, int(self._is_owner), self.base, *names)
        return Reply(scripts.BEAT, (self.run,), arguments, then)
