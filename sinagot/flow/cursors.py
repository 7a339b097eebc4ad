"""How streams are read: one, several side by side, or several as they come; and who is known to wait for them.

Knows that a channel has so many values and perhaps an end; must not know who writes it or where it is kept.
Below `streams`, whose `IO` is the front of it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any, Generic, Protocol, TypeVar, cast

from sinagot.errors import EmptyStreamError, FlowDefinitionError, UnevenStreamsError
from sinagot.flow.turns import Turn

__all__ = ["NOTHING", "Available", "Channel", "Cursor", "Seat", "Together", "first_of"]

T = TypeVar("T")

#: No value was given, where None is one.
NOTHING: Any = type("Nothing", (), {"__repr__": lambda _: "<nothing>"})()


class Seat(Protocol):
    """A processor as a reader: its position counts for those who wait for their slowest reader."""

    @property
    def name(self) -> str:
        """Of the processor."""


class Channel(Protocol):
    """One stream of a run, as its readers see it."""

    @property
    def name(self) -> str:
        """Of the stream."""

    @property
    def count(self) -> int:
        """How many values are there."""

    @property
    def is_ended(self) -> bool:
        """Nothing more will come."""

    @property
    def turn(self) -> Turn:
        """Of all that read and write in this loop."""

    def recent(self, number: int) -> Any:
        """Give a value that nobody can change and that was written lately; `NOTHING` when it has to be read."""

    def values(self, cursor: int) -> AsyncIterator[tuple[int, Any]]:
        """Read values with their numbers; those that are there without waiting."""

    def raise_for_end(self) -> None:
        """Raise what ended the stream before it was complete; do nothing when it is."""

    def taken(self, position: int, seat: Seat | None) -> None:
        """Note that a reader was handed the value before this position."""

    async def changed(self, seat: Seat | None, *others: Channel) -> None:
        """Wait until this or another channel has a new value or an end."""


class Cursor(Generic[T]):
    """Read one stream.

    Parameters
    ----------
    channel : Channel
        The stream.
    seat : Seat or None
        The processor that reads.
    cursor : int
        How many values are passed over.
    """

    __slots__ = ("_next", "_seat", "_values", "channel", "cursor")

    def __init__(self, channel: Channel, seat: Seat | None, cursor: Any = 0) -> None:
        if isinstance(cursor, bool) or not isinstance(cursor, int) or cursor < 0:
            raise FlowDefinitionError(
                f"cursor = {cursor!r} is no place in stream {channel.name!r}; it is a number of values, 0 or more",
                stream=channel.name,
            )
        self.channel = channel
        self.cursor = cursor
        self._seat = seat
        self._values: Any = None
        self._next = 0

    def __aiter__(self) -> AsyncIterator[T]:
        return self

    async def __anext__(self) -> T:
        channel = self.channel
        while self.cursor >= channel.count:
            if channel.is_ended:
                await self.aclose()
                channel.raise_for_end()
                raise StopAsyncIteration
            await channel.changed(self._seat)
        return await self.take()

    @property
    def has_value(self) -> bool:
        """A value is there and can be taken without waiting."""
        return self.cursor < self.channel.count

    async def take(self) -> T:
        """Take a value that is there."""
        channel = self.channel
        if channel.turn.is_over():
            await channel.turn.pass_on()
        value = channel.recent(self.cursor)
        if value is NOTHING:
            value = await self._stored()
        else:
            self.cursor += 1
        channel.taken(self.cursor, self._seat)
        return cast("T", value)

    async def _stored(self) -> Any:
        """Read the next value from the store."""
        if self._values is not None and self._next != self.cursor:  # those in between were recent ones
            seek = getattr(self._values, "seek", None)
            if seek is None:
                await self.aclose()
            else:
                seek(self.cursor)
        if self._values is None:
            self._values = self.channel.values(self.cursor)
        number, value = await anext(self._values)
        self.cursor = self._next = number + 1
        return value

    async def wait(self, *others: Cursor[Any]) -> None:
        """Wait until this or another cursor has a value or is at the end."""
        await self.channel.changed(self._seat, *(one.channel for one in others))

    async def aclose(self) -> None:
        """Let go of what the store holds open for this reader; reading on opens it anew."""
        values, self._values = self._values, None
        close = getattr(values, "aclose", None)
        if close is not None:
            await close()


async def first_of(channel: Channel, seat: Seat | None, default: Any) -> Any:
    """Wait for the first value of a stream.

    Raises
    ------
    EmptyStreamError
        When it has none, and there is no default.
    """
    cursor = Cursor[Any](channel, seat)
    async for value in cursor:
        await cursor.aclose()
        return value
    if default is NOTHING:
        name = channel.name
        raise EmptyStreamError(
            f"stream {name!r} is complete and has no value; `first(default=...)` says what to take then",
            stream=name,
        )
    return default


class Together:
    """Read several streams side by side, as tuples.

    Parameters
    ----------
    cursors : sequence of Cursor
        One for each stream.
    pad : object
        Stands for the values that shorter streams lack.
    strict : bool
        Streams of different length are an error.
    """

    def __init__(self, cursors: Sequence[Cursor[Any]], pad: Any, strict: bool) -> None:
        if strict and pad is not NOTHING:
            raise FlowDefinitionError(
                "stream_with: `pad` fills up shorter streams, `strict` refuses them; give one"
            )
        self._cursors = cursors
        self._pad = pad
        self._strict = strict
        self._ended: set[int] = set()

    def __aiter__(self) -> AsyncIterator[tuple[Any, ...]]:
        return self

    async def __anext__(self) -> tuple[Any, ...]:
        values = []
        for number, cursor in enumerate(self._cursors):
            if number in self._ended:
                values.append(self._pad)
                continue
            try:
                values.append(await anext(cursor))
            except StopAsyncIteration:
                if self._strict:
                    await self._be_even(number)
                if self._pad is NOTHING:
                    raise
                self._ended.add(number)
                values.append(self._pad)
        if len(self._ended) == len(self._cursors):
            raise StopAsyncIteration
        return tuple(values)

    async def _be_even(self, ended: int) -> None:
        """Raise unless all the streams end where one did."""
        count = self._cursors[ended].cursor
        for cursor in self._cursors:
            while not (cursor.has_value or cursor.channel.is_ended):
                await cursor.wait()
            if not cursor.has_value and cursor.cursor == count:
                cursor.channel.raise_for_end()
            else:
                short, long = self._cursors[ended].channel.name, cursor.channel.name
                raise UnevenStreamsError(
                    f"stream {short!r} ended after {count:,} values, stream {long!r} has more; "
                    f"without `strict` the shortest ends all, `pad` fills up",
                    stream=short,
                    other=long,
                )


class Available:
    """Read several streams in the order in which their values come.

    Parameters
    ----------
    cursors : sequence of Cursor
        One for each stream.
    named : callable
        Makes of a name and a value what is given.
    """

    def __init__(self, cursors: Sequence[Cursor[Any]], named: Callable[[str, Any], Any]) -> None:
        self._cursors = list(cursors)
        self._named = named

    def __aiter__(self) -> AsyncIterator[Any]:
        return self

    async def __anext__(self) -> Any:
        while True:
            # Behind the one that was read last: a stream with a backlog does not keep the others waiting.
            for cursor in self._cursors:
                if cursor.has_value:
                    self._cursors.remove(cursor)
                    self._cursors.append(cursor)
                    return self._named(cursor.channel.name, await cursor.take())
            for cursor in [one for one in self._cursors if one.channel.is_ended]:
                cursor.channel.raise_for_end()
                self._cursors.remove(cursor)
            if not self._cursors:
                raise StopAsyncIteration
            await self._cursors[0].wait(*self._cursors[1:])
