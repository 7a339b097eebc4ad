"""Streams that attempts in other processes write: each attempt has a piece of its own, and readers see one stream.

Knows a store, which piece begins at which value, and the names of what is said beside the streams; must not know
executors. A worker that was given up may write on: nobody reads behind the value where the next piece begins.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Sequence
from functools import partial
from types import TracebackType
from typing import Any, NamedTuple, Self

from sinagot.flow.ends import Mark
from sinagot.flow.spool import SpoolStore
from sinagot.flow.store import StreamState
from sinagot.flow.turns import Turn

__all__ = ["Piece", "PiecedStore", "free_prefix"]


class Piece(NamedTuple):
    """A part of a stream: what it is called in the store, and the number of its first value in the stream."""

    stored: str
    start: int


def free_prefix(names: Collection[str]) -> str:
    """Give the beginning of a name that none of these names has.

    Examples
    --------
    >>> free_prefix(["bar"]), free_prefix(["control streams"])
    ('control', '_control')
    """
    prefix = "control"
    while any(name.startswith(prefix) for name in names):
        prefix = f"_{prefix}"
    return prefix


class PiecedStore:
    """A store some of whose streams are written in pieces.

    Parameters
    ----------
    store : StreamStore
        Where all is kept.
    run_id : str
        Of the run that the streams are of.
    prefix : str
        With which no name of a stream of the run begins.
    """

    def __init__(self, store: Any, run_id: str, prefix: str) -> None:
        self.store = store
        self.run_id = run_id
        self.prefix = prefix
        self._put = getattr(store, "put", None)
        self._pieces: dict[str, list[Piece]] = {}
        self._counts: dict[str, int] = {}
        self._closed: set[str] = set()
        #: Of all that use the store.
        self.turn: Turn = getattr(store, "turn", None) or Turn()
        if store.is_alive is None:
            # What other processes write is looked for; who lives is known from their heartbeats.
            store.is_alive = lambda _: True

    # -- pieces ----------------------------------------------------------------------------------------------------

    def pieces(self, name: str) -> Sequence[Piece]:
        """Give the pieces of a stream, the first one first."""
        return self._pieces.get(name) or [Piece(name, 0)]

    def begin(self, name: str, attempt: int, start: int) -> None:
        """Note that an attempt writes a stream from now on; what is read of those before ends here."""
        stored = name if attempt == 1 else f"{self.prefix} piece {attempt} {name}"
        pieces = [one for one in self._pieces.get(name, []) if one.start < start]
        self.set_pieces(name, [*pieces, Piece(stored, start)], start)
        self._closed.discard(name)

    def set_pieces(self, name: str, pieces: Sequence[Piece], count: int) -> None:
        """Take over what the pieces of a stream are, and how many values are in them."""
        self._pieces[name] = [Piece(*one) for one in pieces]
        self._counts[name] = count

    def grown(self, name: str, count: int) -> None:
        """Note how many values there are."""
        self._counts[name] = count

    def close(self, name: str) -> None:
        """Note that its writer has ended, and said so: the end mark can be written by another."""
        self._closed.add(name)

    # -- the store -------------------------------------------------------------------------------------------------

    async def append(self, name: str, value: Any) -> None:
        """Write one value; see `StreamStore.append`."""
        await self.store.append(self.pieces(name)[-1].stored, value)

    def put(self, name: str, value: Any) -> Callable[[], Awaitable[None]] | None:
        """Write one value at once where the store can; else give what writes it."""
        stored = self.pieces(name)[-1].stored
        if self._put is None:
            return partial(self.store.append, stored, value)
        rest: Callable[[], Awaitable[None]] | None = self._put(stored, value)
        return rest

    async def end(self, name: str, mark: Mark) -> bool:
        """Write the end mark; see `StreamStore.end`.

        Readers of pieces learn the end from the run. So it is written only where the stream may outlive it.
        """
        if name not in self._pieces:
            return bool(await self.store.end(name, mark))
        if name in self._closed and (
            getattr(self.store, "keep", True) or not isinstance(self.store, SpoolStore)
        ):
            return bool(await self.store.end(self.pieces(name)[-1].stored, mark))
        return True

    def read(self, name: str, cursor: int = 0) -> AsyncIterator[tuple[int, Any]]:
        """Read a stream; see `StreamStore.read`."""
        if name in self._pieces:
            return _PieceReader(self, name, cursor)
        found: AsyncIterator[tuple[int, Any]] = self.store.read(name, cursor)
        return found

    async def length(self, name: str) -> int:
        """Give the number of values."""
        if name in self._counts:
            return self._counts[name]
        return int(await self.store.length(name))

    async def state(self, name: str) -> StreamState:
        """Say how long a stream is, and how it ended."""
        state = await self.store.state(self.pieces(name)[-1].stored)
        return StreamState(name, await self.length(name), state.mark)

    def stored(self, name: str) -> int:
        """Give how many values of a stream that is written here are where others can read them, without a wait."""
        count, piece = self._counts.get(name, 0), self.pieces(name)[-1]
        written = getattr(self.store, "written", None)
        return count if written is None else min(count, piece.start + written(piece.stored))

    async def settle(self, name: str) -> None:
        """Wait until all values that were written are stored.

        Raises
        ------
        UpstreamFailed
            When that failed, though nobody was told yet.
        """
        state = await self.store.state(self.pieces(name)[-1].stored)
        error = None if state.mark is None else state.mark.error(name)
        if error is not None:
            raise error.__cause__ or error

    async def remove(self) -> None:
        """Close all, and delete the streams."""
        await self.store.remove()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.remove()


class _PieceReader:
    """Reads the pieces of a stream one behind the other; asked for a value only when it is known to be there."""

    def __init__(self, store: PiecedStore, name: str, cursor: int) -> None:
        self._store, self._name, self._cursor = store, name, cursor
        self._values: Any = None
        self._piece: Piece | None = None

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> tuple[int, Any]:
        piece = [one for one in self._store.pieces(self._name) if one.start <= self._cursor][-1]
        if piece != self._piece:
            await self.aclose()
            self._piece = piece
            self._values = self._store.store.read(piece.stored, self._cursor - piece.start)
        number, value = await anext(self._values)
        self._cursor = piece.start + number + 1
        return self._cursor - 1, value

    async def aclose(self) -> None:
        values, self._values, self._piece = self._values, None, None
        close = getattr(values, "aclose", None)
        if close is not None:
            await close()
