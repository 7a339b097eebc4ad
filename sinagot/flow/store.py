"""The contract of a store of streams: what a flow asks of the place where its values are kept.

Knows names, values, cursors and end marks; must not know files, servers or processors. `sinagot.flow.spool` keeps it
with files, other stores with other means; `tests/flow/contract.py` states its laws for all of them.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from types import TracebackType
from typing import Any, NamedTuple, Protocol, Self, runtime_checkable

from sinagot.flow.ends import Mark

__all__ = ["StreamState", "StreamStore"]


class StreamState(NamedTuple):
    """What is known of a stream at one moment."""

    name: str
    #: Number of values that were written.
    length: int
    #: How it ended; None while it is open, or was not begun.
    mark: Mark | None


@runtime_checkable
class StreamStore(Protocol):
    """Streams of the values of one run, by name.

    A stream has one producer and any number of readers, early and late, in any process that can reach the store; each
    sees all values in the order in which they were written. A stream needs no declaration: it begins with its first
    value or with its end mark. As an async context manager a store removes its streams when it is left.
    """

    async def append(self, name: str, value: Any) -> None:
        """Write one value behind the others.

        A value is written whole or not at all, whatever is cancelled. There is no back-pressure here: who wants it
        waits before the call.

        Parameters
        ----------
        name : str
            Name of the stream.
        value : object
            What to write; it may be changed by the caller as soon as this returns.

        Raises
        ------
        UnstorableDataError
            When the value has a part of a type that the store can't hold; the stream stays open and unchanged.
        SpoolLimitError
            When the stream would grow over its limit; it ends as failed.
        StorageError
            When the store can't write; the stream ends as failed.
        StreamEndedError
            When the stream has its end mark.
        """
        ...

    async def end(self, name: str, mark: Mark) -> bool:
        """Write the end mark: readers get what was written, then the mark.

        Parameters
        ----------
        name : str
            Name of the stream.
        mark : Mark
            Whether it is complete, failed or cancelled.

        Returns
        -------
        bool
            False when the stream had ended already: the first mark stands.
        """
        ...

    def read(self, name: str, cursor: int = 0) -> AsyncIterator[tuple[int, Any]]:
        """Read a stream from its beginning, or from a place in it, and wait for what is still to come.

        Parameters
        ----------
        name : str
            Name of the stream; it need not have begun.
        cursor : int, default 0
            Number of the first value to give, from 0: behind value k one goes on with ``cursor=k + 1``.

        Yields
        ------
        tuple
            The number of the value, and the value.

        Raises
        ------
        UpstreamFailed
            At the end of a stream whose producer failed or was lost; `UpstreamCancelled` when it was cancelled, for
            what was written is not all.
        StoredDataError
            When a value was damaged after it was written.
        """
        ...

    async def length(self, name: str) -> int:
        """Give the number of values that were written; 0 for a stream that was not begun.

        Parameters
        ----------
        name : str
            Name of the stream.
        """
        ...

    async def state(self, name: str) -> StreamState:
        """Say how long a stream is, and whether and how it ended.

        Parameters
        ----------
        name : str
            Name of the stream.
        """
        ...

    async def remove(self) -> None:
        """Close all, and delete the streams unless they are to be kept; a second call does nothing."""
        ...

    async def __aenter__(self) -> Self:
        """Give the store itself."""
        ...

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Remove the streams."""
        ...
