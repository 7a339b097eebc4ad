"""The store of streams in a Redis server.

Knows how a run, its writer and its readers make up a store; must not know processors or connections. It keeps the
contract of `sinagot.flow.store`. Within one process readers are woken by the writer; what another process writes is
looked at in growing intervals.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

from sinagot.flow.ends import Mark
from sinagot.flow.redis import scripts
from sinagot.flow.redis.config import RedisConfig
from sinagot.flow.redis.line import check_installed
from sinagot.flow.redis.reading import RedisReader
from sinagot.flow.redis.run import RedisRun
from sinagot.flow.redis.writing import RedisWriter
from sinagot.flow.store import StreamState
from sinagot.flow.turns import Turn

__all__ = ["RedisHandle", "RedisStore"]


@dataclass(frozen=True)
class RedisHandle:
    """How another process opens the streams of a run; it can be pickled.

    Whoever has it can read and write them: it holds the password of the server and the key of the run.
    """

    config: RedisConfig
    run_id: str
    secret: bytes = field(repr=False)
    pickle: bool | tuple[str, ...] = False
    spool_limit: int | None = None

    def open(self, is_alive: Callable[[str], bool] | None = None) -> RedisStore:
        """Open the streams; the server is called when they are used first.

        Parameters
        ----------
        is_alive : callable, optional
            As for `RedisStore`.

        Returns
        -------
        RedisStore
            A store that leaves the streams where they are when it is removed.
        """
        return RedisStore(
            self.config,
            self.run_id,
            pickle=self.pickle,
            spool_limit=self.spool_limit,
            is_alive=is_alive,
            secret=self.secret,
        )


class RedisStore:
    """Streams in a Redis server, 7.0 or newer.

    Parameters
    ----------
    config : RedisConfig or mapping
        Where the server is and how it is used; what `Supervisor` takes as `redis_config`.
    run_id : str
        Of the run: the keys are ``prefix:run_id:stream``.
    keep : bool, default False
        Leave the streams at the end; they expire.
    pickle : bool or collection of str, default False
        Pickle values that have no other form: in all streams, or in those named.
    spool_limit : int, optional
        Most bytes of one stream; no limit by default.
    is_alive : callable, optional
        Tells whether the producer of a stream, given its name, may still write; it is asked a few times a second, and
        must not wait. Without it the signs of life tell, which each process gives every second.
    secret : bytes, optional
        Key of a run that another process began, as `handle` gives it. By default the run is begun here.

    Raises
    ------
    FlowDefinitionError
        When the configuration can't be used.
    MissingExtraError
        When the package redis is not installed.

    Notes
    -----
    Values are sent in batches: up to 256 values, or 256 KiB, of a stream may be on their way when `append` returns.
    What goes wrong with them is told by the next `append`, and by `end`. Values are sealed with a key of the run, which
    only its processes have.

    When the server forgets values (it was restarted, or deleted keys for want of memory), streams that they belong to
    end as failed, and readers get an error: never a part of a stream for the whole of it.
    """

    def __init__(
        self,
        config: RedisConfig | Mapping[str, Any],
        run_id: str,
        *,
        keep: bool = False,
        pickle: bool | Collection[str] = False,
        spool_limit: int | None = None,
        is_alive: Callable[[str], bool] | None = None,
        secret: bytes | None = None,
    ) -> None:
        check_installed()
        self.keep = keep
        self.is_alive = is_alive
        self._run = RedisRun(RedisConfig.of(config), run_id, secret)
        self._pickle = pickle if isinstance(pickle, bool) else tuple(pickle)
        self._limit = spool_limit
        self._writer = RedisWriter(self._run, self._pickle, spool_limit)

    @property
    def run_id(self) -> str:
        """Of the run."""
        return self._run.run_id

    @property
    def turn(self) -> Turn:
        """Of all that read and write in this loop."""
        return self._run.turn

    @property
    def is_removed(self) -> bool:
        """It was left."""
        return self._run.is_removed

    def handle(self) -> RedisHandle:
        """Give what another process opens these streams with.

        Returns
        -------
        RedisHandle
            It can be pickled.
        """
        run = self._run
        return RedisHandle(run.config, run.run_id, run.secret, self._pickle, self._limit)

    async def start(self) -> None:
        """Begin the run in the server, so that what is wrong there is known before anything is written.

        Raises
        ------
        StorageError
            When the server can't be reached, refuses, or is too old.
        """
        await self._run.start()

    async def append(self, name: str, value: Any) -> None:
        """Write one value behind the others; see `StreamStore.append`.

        Parameters
        ----------
        name : str
            Name of the stream.
        value : object
            What to write.
        """
        await self._writer.append(self._run.stream(name), value)

    def put(self, name: str, value: Any) -> Callable[[], Awaitable[None]] | None:
        """Send one value when there is room; else give what does it.

        Parameters
        ----------
        name : str
            Name of the stream.
        value : object
            What to write.

        Returns
        -------
        async callable or None
            Must be called next, and waited for; None when the value is on its way.
        """
        return self._writer.put(self._run.stream(name), value)

    async def end(self, name: str, mark: Mark) -> bool:
        """Write the end mark; see `StreamStore.end`.

        Parameters
        ----------
        name : str
            Name of the stream.
        mark : Mark
            How it ended.

        Returns
        -------
        bool
            False when it had ended already, or when the server can't be told: then it has failed. `state` has the mark
            that stands.
        """
        return await self._writer.end(self._run.stream(name), mark)

    def read(self, name: str, cursor: int = 0) -> RedisReader:
        """Read a stream; see `StreamStore.read`.

        Parameters
        ----------
        name : str
            Name of the stream.
        cursor : int, default 0
            Number of the first value to give.

        Returns
        -------
        RedisReader
            An asynchronous iterator of pairs of number and value.
        """
        if cursor < 0:
            raise ValueError(f"the cursor of a stream is the number of a value, from 0, not {cursor}")
        return RedisReader(self._run, self._run.stream(name), cursor, self.is_alive)

    def written(self, name: str) -> int:
        """Give the number of values that are known to be in the server, without a wait.

        Parameters
        ----------
        name : str
            Name of a stream that is written here.
        """
        return self._run.stream(name).written

    async def length(self, name: str) -> int:
        """Give the number of values that were written.

        Parameters
        ----------
        name : str
            Name of the stream.
        """
        return (await self.state(name)).length

    async def state(self, name: str) -> StreamState:
        """Say how long a stream is, and how it ended.

        Parameters
        ----------
        name : str
            Name of the stream.
        """
        stream = self._run.stream(name)
        if not stream.is_known:
            await self._run.start()
            answer = await self._run.ask(scripts.STATE, stream, ())
            if answer[0] == b"gone":
                raise self._run.gone(stream)
            if answer[0] == b"ok":
                return StreamState(name, int(answer[1]), None)
            error = self._run.learn(stream, answer)
            if error is not None:
                raise error
        while not stream.is_settled and not self.is_removed:
            await stream.wait()
        return StreamState(name, stream.written, stream.mark)

    async def remove(self) -> None:
        """Hang up, and delete the streams, unless they are kept or belong to another process."""
        if not self.is_removed:
            self._writer.flush()
        await self._run.remove(self.keep)

    async def __aenter__(self) -> Self:
        """Begin the run, and give the store itself."""
        try:
            await self.start()
        except BaseException:
            await self.remove()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Remove the streams."""
        await self.remove()
