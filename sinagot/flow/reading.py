"""A reader of one spooled stream: blocks of frames, values one by one, waiting for more, and the end mark.

Knows positions in one file and the event loop; must not know who writes. `sinagot.flow.spool` makes readers; they own
no descriptor, so one may be dropped at any time.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn, Protocol, Self, TypeVar

import msgpack

from sinagot.errors import StoredDataError
from sinagot.flow.ends import Mark
from sinagot.flow.frames import BUFFERS, END, HEADER, KINDS, is_whole
from sinagot.flow.values import decode

if TYPE_CHECKING:
    from sinagot.flow.turns import Turn
    from sinagot.flow.waiting import Patience, Spooled

__all__ = ["Held", "SpoolReader", "mark_from"]

T = TypeVar("T")

#: Bytes of a block. A reader begins with a small one, for one that keeps pace finds only little.
_FIRST_BLOCK, _LARGEST_BLOCK = 4096, 65536


def mark_from(body: memoryview | bytes) -> Mark:
    """Give the mark in the body of an end frame.

    Parameters
    ----------
    body : memoryview or bytes
        The body.
    """
    return Mark.from_plain(msgpack.unpackb(body))


class Held(Protocol):
    """A store, as its readers see it."""

    @property
    def turn(self) -> Turn:
        """Whose turn it is in the loop."""

    def patience(self, stream: Spooled) -> Patience:
        """Give what a reader waits with."""

    async def call(self, work: Callable[[], T], size: int) -> T:
        """Read at once when it is little, else in a thread."""


class _Found(NamedTuple):
    kind: int
    header: bytes
    #: Length of the body.
    size: int


class SpoolReader:
    """An asynchronous iterator over numbers and values of a stream.

    Parameters
    ----------
    store : Held
        The store.
    stream : Spooled
        The stream.
    cursor : int
        Number of the first value to give.
    """

    def __init__(self, store: Held, stream: Spooled, cursor: int) -> None:
        self._store = store
        self._stream = stream
        self._file = stream.file
        self._cursor = cursor
        self._number, self._base = self._file.place_of(cursor)
        self._block = b""
        self._at = 0
        self._want = _FIRST_BLOCK
        self._is_over = False

    def __aiter__(self) -> Self:
        """Give the reader itself."""
        return self

    def seek(self, cursor: int) -> None:
        """Go on with another value.

        Parameters
        ----------
        cursor : int
            Its number.
        """
        number, base = self._file.place_of(cursor)
        if cursor < self._number or number > self._number:
            self._number = number
            self._move(base)
        self._cursor = cursor

    async def aclose(self) -> None:
        """End the reading; there is nothing to be closed."""
        self._is_over = True

    async def __anext__(self) -> tuple[int, Any]:
        """Give the next value and its number, when it is there."""
        if self._store.turn.is_over():
            await self._store.turn.pass_on()
        patience = None
        while not self._is_over:
            found = self._find()
            body = None
            if found is not None:
                if self._number < self._cursor and found.kind != END:
                    self._skip(found)
                    continue
                body = await self._body(found)
            if found is not None and body is not None:
                if found.kind == END:
                    self._finish(mark_from(body))
                self._skip(found)
                try:
                    return self._number - 1, decode(found.kind, body)
                except StoredDataError as error:
                    raise self._damaged(str(error)) from error
            mark = self._stream.mark
            if mark is not None and self._base + self._at >= self._file.size:
                self._finish(mark)
            # What lies behind the last whole frame may be another frame when we come back.
            self._move(self._base + self._at)
            patience = patience or self._store.patience(self._stream)
            lost = await patience.wait()
            if lost is not None:
                self._is_over = True
                raise lost
        raise StopAsyncIteration

    def _finish(self, mark: Mark) -> NoReturn:
        """End as a mark says."""
        self._is_over = True
        error = mark.error(self._stream.name)
        if error is None:
            raise StopAsyncIteration
        raise error

    # -- frames ----------------------------------------------------------------------------------------------------

    def _find(self) -> _Found | None:
        """Give the frame at our place, when all of it seems to be in the file."""
        if len(self._block) - self._at < HEADER.size:
            self._fill(0)
            if len(self._block) < HEADER.size:
                return None
        size, kind, _ = HEADER.unpack_from(self._block, self._at)
        stop = self._at + HEADER.size + size
        if self._file.is_ours:
            reach = self._file.size  # what lies behind is being written
        elif stop <= len(self._block):
            reach = self._base + stop
        else:
            reach = self._file.reach()
        if self._base + stop > reach:
            if self._base + self._at < reach and self._file.is_ours:
                self._check_doubt(None)  # what we wrote was whole
            return None
        found = _Found(kind, self._block[self._at : self._at + HEADER.size], size)
        if kind in KINDS:
            return found
        self._check_doubt(None)
        return None

    async def _body(self, found: _Found) -> memoryview | None:
        """Read the body of a frame; None when it is not all there yet."""
        start = self._at + HEADER.size
        if start + found.size > len(self._block):
            if found.size > _LARGEST_BLOCK:
                return await self._large(found)
            self._fill(HEADER.size + found.size)
            start = HEADER.size
        body = memoryview(self._block)[start : start + found.size]
        if not is_whole(found.header, body):
            self._check_doubt(found)
            return None
        # Arrays are views of it: they must be writable, and must not keep the whole block.
        return memoryview(bytearray(body)) if found.kind == BUFFERS else body

    async def _large(self, found: _Found) -> memoryview | None:
        """Read a body that is larger than a block, into memory of its own."""
        body = memoryview(bytearray(found.size))
        start = self._base + self._at + HEADER.size

        def read() -> bool:
            return self._file.read_into(body, start) and is_whole(found.header, body)

        if await self._store.call(read, found.size):
            return body
        self._check_doubt(found)
        return None

    def _check_doubt(self, found: _Found | None) -> None:
        """Decide whether a frame with wrong bytes may still become whole: the last one that another process writes."""
        place = self._base + self._at
        if self._file.is_ours or (found and place + HEADER.size + found.size < self._file.reach()):
            raise self._damaged(f"wrong bytes at {place} of {self._file.path}")

    def _damaged(self, what: str) -> StoredDataError:
        self._is_over = True
        return StoredDataError(
            f"stream {self._stream.name!r} is damaged at value {self._number}: {what}; run the flow again",
            file=self._file.path,
            stream=self._stream.name,
        )

    def _fill(self, least: int) -> None:
        """Read a block that begins at our place."""
        self._base, self._at = self._base + self._at, 0
        self._block = self._file.read(self._base, max(self._want, least))
        self._want = min(2 * self._want, _LARGEST_BLOCK)

    def _skip(self, found: _Found) -> None:
        """Go behind a frame of a value."""
        self._number += 1
        self._at += HEADER.size + found.size
        if self._at > len(self._block):
            self._move(self._base + self._at)

    def _move(self, place: int) -> None:
        """Go to an offset, and forget the block."""
        self._base, self._block, self._at = place, b"", 0
        self._want = _FIRST_BLOCK
