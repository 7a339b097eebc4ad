"""What goes along the wires of a flow: named values, and the streams that they make up as their readers see them.

Knows that a stream has a name and can be read from any place; must not know who writes it, or where it is kept.
Processors and callers are handed `IO` objects, and give back `IOVal`s.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from sinagot.flow.cursors import NOTHING, Available, Channel, Cursor, Seat, Together, first_of

__all__ = ["IO", "IOVal"]

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class IOVal(Generic[T]):
    """Carry one value of a named stream.

    Attributes
    ----------
    name : str
        Of the stream.
    value : object
        What is carried.

    Examples
    --------
    >>> IOVal(name="bar", value=4)
    IOVal(name='bar', value=4)
    """

    name: str
    value: T


class IO(Generic[T]):
    """Read a stream: all of it, from its beginning, as often as wanted.

    A processor asks for one by a parameter with the name of an input, annotated as ``IO[int]``. `FlowRun` gives one
    for each output. Every reader sees every value, early or late, in the order in which they were written.

    Parameters
    ----------
    channel : Channel
        The stream.
    seat : Seat, optional
        The processor that reads; None for a reader outside of the flow, whom no processor waits for.
    """

    __slots__ = ("_channel", "_seat")

    def __init__(self, channel: Channel, seat: Seat | None = None) -> None:
        self._channel = channel
        self._seat = seat

    @property
    def name(self) -> str:
        """Name of the stream."""
        return self._channel.name

    def stream(self, cursor: int = 0) -> Cursor[T]:
        """Give the values one after the other, each as soon as it is there.

        Parameters
        ----------
        cursor : int, default 0
            How many values are passed over. The iterator has the attribute `cursor` as well: where it stands, which
            another one can go on from.

        Returns
        -------
        Cursor
            An asynchronous iterator. At the end of the stream it stops.

        Raises
        ------
        UpstreamFailed
            While it is read, behind what was written: the stream is not whole. `processor` says who is to blame and
            `cause` is what happened there.
        """
        return Cursor(self._channel, self._seat, cursor)

    def __aiter__(self) -> AsyncIterator[T]:
        return self.stream()

    async def first(self, default: Any = NOTHING) -> T:
        """Wait for the first value.

        Parameters
        ----------
        default : object, optional
            Given when the stream is complete and has no value.

        Returns
        -------
        object
            The value.

        Raises
        ------
        EmptyStreamError
            When the stream is complete, has no value, and there is no default.
        UpstreamFailed
            When the stream ended without a value because its processor failed.
        """
        value: T = await first_of(self._channel, self._seat, default)
        return value

    def stream_with(self, *others: IO[Any], pad: Any = NOTHING, strict: bool = False) -> Together:
        """Give the values of this stream and of others side by side.

        Parameters
        ----------
        *others : IO
            The other streams.
        pad : object, optional
            Stands for the values that shorter streams lack; without it the shortest stream ends all.
        strict : bool, default False
            Streams of different length are an error.

        Returns
        -------
        Together
            An asynchronous iterator of tuples.

        Raises
        ------
        FlowDefinitionError
            With both `pad` and `strict`.
        UnevenStreamsError
            While it is read, with `strict`, when one stream ends before another one.
        """
        return Together([self.stream(), *(one.stream() for one in others)], pad, strict)

    def as_available(self, *others: IO[Any]) -> Available:
        """Give the values of this stream and of others in the order in which they come.

        Parameters
        ----------
        *others : IO
            The other streams.

        Returns
        -------
        Available
            An asynchronous iterator of `IOVal`, which name their stream. It stops when all streams have ended.
        """
        return Available([self.stream(), *(one.stream() for one in others)], IOVal)

    def __repr__(self) -> str:
        return f"<IO {self.name!r}>"
