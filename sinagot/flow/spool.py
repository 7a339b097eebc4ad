"""The default store of streams: a private folder with one append-only file for each stream.

Knows how frames, values and marks meet, and how readers wait; must not know processors. It keeps the contract of
`sinagot.flow.store` with `sinagot.flow.streamfile` (bytes), `values` (their meaning) and `reading` (readers).

Within one process readers are woken by the writer. What another process writes is looked at in growing intervals, and
`is_alive` tells when nothing more can come.
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Collection
from functools import partial
from types import TracebackType
from typing import Any, Self, TypeVar

import anyio
import msgpack
from anyio.lowlevel import RunVar

from sinagot.errors import (
    FlowError,
    SpoolLimitError,
    StorageError,
    StreamEndedError,
    UnstorableDataError,
)
from sinagot.flow.ends import Mark
from sinagot.flow.folders import Hold, check_private, delete, make_folder
from sinagot.flow.frames import END, HEADER, Parts, frame, framed, is_whole
from sinagot.flow.reading import SpoolReader, mark_from
from sinagot.flow.store import StreamState
from sinagot.flow.turns import Turn
from sinagot.flow.values import Encoder
from sinagot.flow.waiting import Patience, Spooled, file_name

__all__ = ["SpoolStore"]

T = TypeVar("T")

#: Bytes that are written or read in a thread.
_MANY = 256 * 1024
#: Threads of the stores of one event loop: those of the caller are not taken, for they may wait for values.
_MOST_THREADS = 4
_THREADS: RunVar[anyio.CapacityLimiter] = RunVar("sinagot_spool_threads")


class SpoolStore:
    """Streams in a folder.

    Parameters
    ----------
    folder : str
        A folder of this user that nobody else can write; `below` makes one.
    keep : bool, default False
        Leave the folder where it is at the end.
    pickle : bool or collection of str, default False
        Pickle values that have no other form: in all streams, or in those named.
    spool_limit : int, optional
        Most bytes of one stream; no limit by default.
    is_alive : callable, optional
        Tells whether the producer of a stream, given its name, may still write: for streams that other processes
        write. It is asked a few times a second, and must not wait. By default all is written by this store, and
        readers wait for it without looking at files.
    is_shared : bool, default True
        Other processes may read along: each value is in its file at once, and stays when this process is killed.
        Otherwise files are written by the block, which takes less time.

    Raises
    ------
    StorageError
        When the folder is missing, or others can write it.

    Notes
    -----
    A store is used by one event loop at a time. Values below 256 KiB are written and read where the caller stands,
    which takes microseconds; larger ones in one of four threads. Others have their turn every 2 ms at the latest.

    Examples
    --------
    >>> import anyio
    >>> from sinagot.flow.ends import Mark
    >>> async def main():
    ...     async with SpoolStore.below(".") as store:
    ...         await store.append("foo", 5)
    ...         await store.append("foo", {"fs": 250.0})
    ...         await store.end("foo", Mark.complete())
    ...         return [pair async for pair in store.read("foo")]
    >>> anyio.run(main)
    [(0, 5), (1, {'fs': 250.0})]
    """

    def __init__(
        self,
        folder: str,
        *,
        keep: bool = False,
        pickle: bool | Collection[str] = False,
        spool_limit: int | None = None,
        is_alive: Callable[[str], bool] | None = None,
        is_shared: bool = True,
    ) -> None:
        check_private(folder)
        self.folder = folder
        self.keep = keep
        self.is_alive = is_alive
        self.is_removed = False
        self.spool_limit = spool_limit
        self.pickle = pickle
        self._plain, self._pickling = Encoder(), Encoder(pickle=True)
        self._streams: dict[str, Spooled] = {}
        self._is_shared = is_shared or keep
        self._hold: Hold | None = None
        #: Of all that use this store.
        self.turn = Turn()

    @classmethod
    def below(cls, parent: str, **options: Any) -> Self:
        """Make a store in a new private folder.

        Parameters
        ----------
        parent : str
            An existing folder.
        **options
            As for the class.

        Returns
        -------
        SpoolStore
            The store; its `folder` was made.

        Raises
        ------
        StorageError
            When the folder can't be made.
        """
        try:
            folder, hold = make_folder(parent, options.get("keep", False))
        except OSError as error:
            raise StorageError(
                f"streams can't be kept in {parent}: {error.strerror}; make it, or name another folder",
                path=parent,
            ) from error
        store = cls(folder, **options)
        store._hold = hold
        return store

    # -- writing ---------------------------------------------------------------------------------------------------

    async def append(self, name: str, value: Any) -> None:
        """Write one value behind the others; see `StreamStore.append`.

        Parameters
        ----------
        name : str
            Name of the stream.
        value : object
            What to write.
        """
        if self.turn.is_over():
            await self.turn.pass_on()
        rest = self.put(name, value)
        if rest is not None:
            await rest()

    def put(self, name: str, value: Any) -> Callable[[], Awaitable[None]] | None:
        """Write one value at once when it is little; else give what writes it.

        Parameters
        ----------
        name : str
            Name of the stream.
        value : object
            What to write.

        Returns
        -------
        async callable or None
            Must be called next, and waited for; None when the value is written.
        """
        stream = self._stream(name)
        simple = self._plain.encode_simple(value)
        parts: Parts = self._told(name, value) if simple is None else [framed(simple)]
        size = sum(map(len, parts))
        if stream.mark is not None or not stream.file.is_ours:
            self._begin(stream)
        if stream.is_busy:
            raise FlowError(f"stream {name!r} has two producers; a stream has one", stream=name)
        if self.spool_limit is not None:
            self._check_room(stream, size)
        if size >= _MANY:
            return partial(self._put_many, stream, parts, size)
        try:
            stream.file.write(parts)
        except OSError as error:
            raise self._broken(stream, error) from error
        stream.wake()
        return None

    def _told(self, name: str, value: Any) -> Parts:
        """Give the frame of a value."""
        pickles = self.pickle if isinstance(self.pickle, bool) else name in self.pickle
        try:
            return frame(*(self._pickling if pickles else self._plain).encode(value))
        except UnstorableDataError as error:
            raise UnstorableDataError(
                f"stream {name!r}: {error}", stream=name, key=name, type_name=error.facts.get("type_name")
            ) from error

    async def _put_many(self, stream: Spooled, parts: Parts, size: int) -> None:
        has_begun = False

        def write() -> None:
            nonlocal has_begun
            has_begun = True
            try:
                stream.file.write(parts)
            finally:
                stream.is_busy = False  # here: the thread goes on when the caller is cancelled

        stream.is_busy = True
        try:
            await self.call(write, size)
        except OSError as error:
            raise self._broken(stream, error) from error
        finally:
            stream.is_busy = stream.is_busy and has_begun
        stream.wake()

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
            False when it had ended already.
        """
        stream = self._stream(name)
        if stream.mark is None:
            try:
                self._begin(stream)
            except StreamEndedError:
                return False
            self._end(stream, mark)
            return True
        return False

    def _begin(self, stream: Spooled) -> None:
        """Make the file of a stream, or find that it has ended."""
        if not stream.file.is_ours and stream.mark is None:
            try:
                stream.file.begin()
            except OSError as error:
                raise self._broken(stream, error) from error
            if not stream.file.is_ours:
                self._look_for_mark(stream)
        if stream.mark is not None:
            why = f" ({stream.mark.end}: {stream.mark.text})" if stream.mark.text else f" ({stream.mark.end})"
            raise StreamEndedError(
                f"stream {stream.name!r} has ended{why}; nothing follows", stream=stream.name
            )

    def _end(self, stream: Spooled, mark: Mark) -> None:
        stream.mark = mark
        try:
            stream.file.write(
                frame(END, [msgpack.packb(mark.to_plain(), unicode_errors="surrogatepass")]), False
            )
        except OSError:
            # Readers here know the mark; those of other processes learn from the mode that nothing follows.
            stream.file.seal()
        stream.wake()

    def _check_room(self, stream: Spooled, more: int) -> None:
        size = stream.file.size + more
        assert self.spool_limit is not None
        if size > self.spool_limit:
            error = SpoolLimitError(
                f"stream {stream.name!r} would hold {size} bytes after {stream.file.count} values, and spool_limit is "
                f"{self.spool_limit}: let its producer end, or raise spool_limit",
                stream=stream.name,
                limit=self.spool_limit,
                size=size,
            )
            self._end(stream, Mark.failed(None, error))
            raise error

    def _broken(self, stream: Spooled, error: OSError) -> StorageError:
        """End a stream that can't be written."""
        problem = StorageError(
            f"stream {stream.name!r} can't be written to {stream.file.path}: {error.strerror or error}",
            path=stream.file.path,
            stream=stream.name,
            errno=error.errno,
        )
        if not self.is_removed:
            self._end(stream, Mark.failed(None, problem))
        return problem

    # -- reading ---------------------------------------------------------------------------------------------------

    def read(self, name: str, cursor: int = 0) -> SpoolReader:
        """Read a stream; see `StreamStore.read`.

        Parameters
        ----------
        name : str
            Name of the stream.
        cursor : int, default 0
            Number of the first value to give.

        Returns
        -------
        SpoolReader
            An asynchronous iterator of pairs of number and value.
        """
        if cursor < 0:
            raise ValueError(f"the cursor of a stream is the number of a value, from 0, not {cursor}")
        return SpoolReader(self, self._stream(name), cursor)

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
        stream = self._stream(name)
        if not stream.file.is_ours and stream.mark is None:
            self._look_for_mark(stream)
        return StreamState(name, stream.file.count, stream.mark)

    def patience(self, stream: Spooled) -> Patience:
        """Give what a reader waits with.

        Parameters
        ----------
        stream : Spooled
            What it reads.
        """
        return Patience(self, stream)

    def _look_for_mark(self, stream: Spooled) -> None:
        """Look at what another process wrote."""
        place = stream.file.look()
        if place is not None:
            header = stream.file.read(place, HEADER.size)
            body = stream.file.read(place + HEADER.size, HEADER.unpack(header)[0])
            if is_whole(header, body):
                stream.mark = mark_from(body)

    # -- threads, the end ------------------------------------------------------------------------------------------

    async def call(self, work: Callable[[], T], size: int) -> T:
        """Read or write: at once when it is little, else in a thread.

        Parameters
        ----------
        work : callable
            What to do.
        size : int
            Number of bytes.

        Returns
        -------
        object
            What it gave.
        """
        if size < _MANY:
            return work()
        try:
            limiter = _THREADS.get()
        except LookupError:
            limiter = anyio.CapacityLimiter(_MOST_THREADS)
            _THREADS.set(limiter)
        return await anyio.to_thread.run_sync(work, limiter=limiter)

    def _stream(self, name: str) -> Spooled:
        if self.is_removed:
            raise FlowError(f"the streams were removed; {name!r} can't be used any more", stream=name)
        stream = self._streams.get(name)
        if stream is None:
            path = os.path.join(self.folder, file_name(name))
            stream = self._streams[name] = Spooled(name, path, self._is_shared)
        return stream

    async def remove(self) -> None:
        """Close all files, and delete the folder unless it is kept."""
        if self.is_removed:
            return
        self.is_removed = True
        for stream in self._streams.values():
            stream.file.close()
            stream.wake()
        if self.keep:
            return
        with anyio.CancelScope(shield=True):
            try:
                await self.call(partial(delete, self.folder), _MANY)  # large files take a while
            except FileNotFoundError:
                pass
            except OSError as error:
                raise StorageError(
                    f"the folder of streams {self.folder} can't be removed: {error.strerror}; remove it by hand",
                    path=self.folder,
                    errno=error.errno,
                ) from error
            finally:
                if self._hold is not None:
                    self._hold.close()

    async def __aenter__(self) -> Self:
        """Give the store itself."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Remove the streams."""
        await self.remove()
