"""A stream of one run as this process sees it: how far it is, who reads it, who waits, and how it ended.

Knows counts and positions; the values are in the store, and only the newest small ones here as well. Must not know
processors but by their seats. All of it is used in one event loop.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from functools import partial
from typing import Any

from sinagot.errors import FlowError, SinagotError, UpstreamFailed
from sinagot.flow.ends import Mark
from sinagot.flow.recent import Recent
from sinagot.flow.stalls import Wait
from sinagot.flow.turns import Turn

__all__ = ["LocalChannel", "LocalSeat"]


#: How often a writer looks how far it is ahead, and from where on it gives its readers a turn then, in values.
_EVERY, _FAR = 64, 512


class LocalSeat:
    """A processor as a reader and a writer.

    Parameters
    ----------
    name : str
        Of the processor.
    """

    __slots__ = ("driver", "name", "wait")

    def __init__(self, name: str) -> None:
        self.name = name
        #: Number of the task that its body runs in; None when it has a thread.
        self.driver: int | None = None
        #: What its body waits for right now.
        self.wait: Wait | None = None

    def is_driver(self) -> bool:
        """Say whether the caller is the body itself, not a task beside it."""
        if self.driver is None:
            return True
        from anyio import get_current_task

        return get_current_task().id == self.driver


class LocalChannel:
    """A stream of one run.

    Parameters
    ----------
    name : str
        Of the stream.
    store : StreamStore
        Where its values are.
    producer : str or None
        Name of the processor that writes it; None for an input of the flow.
    keeper : object
        Kept as long as somebody may read.
    batch : int
        Values that a thread may take ahead of its body.

    Notes
    -----
    A store may have what takes no wait: a method `put`, and a `turn`, as that of files has.
    """

    def __init__(self, name: str, store: Any, producer: str | None, keeper: Any, batch: int = 1) -> None:
        from anyio.lowlevel import current_token

        self.name = name
        self.producer = producer
        self.count = 0
        self.is_ended = False
        #: Makes what readers have to raise behind the last value; None when the stream is complete.
        self.failure: Callable[[], BaseException] | None = None
        #: Values that a thread may take ahead of its body.
        self.batch = batch
        #: Of all that read and write in this loop.
        self.turn: Turn = getattr(store, "turn", None) or Turn()
        #: Where its values are.
        self.store = store
        self._put = getattr(store, "put", None)
        self._recent = Recent()
        self._keeper = keeper
        self._home = current_token()
        self._is_removed = False
        self._positions: dict[str, int] = {}
        #: Where those have got to that sit no more.
        self._left: dict[str, int] = {}
        self._readers: set[Any] = set()
        self._writers: set[Any] = set()

    # -- writing ---------------------------------------------------------------------------------------------------

    async def append(self, value: Any) -> None:
        """Write one value, and give readers a turn when it is time."""
        if self._put is None:
            await self.store.append(self.name, value)
        else:
            rest = self._put(self.name, value)
            if rest is not None:
                await rest()
        count = self.count
        self._recent.add(count, value)
        self.count = count = count + 1
        if self._readers:
            self._wake(self._readers)
        if self.turn.is_over() or (not count % _EVERY and self.lead >= _FAR):
            # Those who wait for the value get it before the next one is made, which may take long and hold up all;
            # and those who lag behind catch up while what they need is still in memory.
            await self.turn.pass_on(2)

    async def end(self, mark: Any, failure: Callable[[], BaseException] | None) -> None:
        """Write the end mark, and tell readers what to raise behind the last value; the first mark stands."""
        if self.is_ended:
            return
        try:
            if not await self.store.end(self.name, mark):
                # The store ended it before us, as at its limit. Why we end it is known better here than there.
                found = (await self.store.state(self.name)).mark
                if found is not None:
                    is_whole = found.error(self.name) is None
                    failure = None if is_whole else failure or partial(_told_by, found, self.name)
            self.count = await self.store.length(self.name)
        except SinagotError as error:
            # Whoever reads elsewhere will not be told; those here must not wait for ever.
            failure = failure or partial(_told_by, Mark.failed(self.producer, error), self.name)
        self.failure, self.is_ended = failure, True
        self._wake(self._readers)

    async def room(self, lead: int, seat: LocalSeat) -> None:
        """Wait until the slowest reader among the processors is less than so many values behind."""
        from anyio import Event

        while slow := [name for name, at in self._positions.items() if self.count - at >= lead]:
            event = Event()
            self._writers.add(event)
            names = ", ".join(map(repr, slow))
            seat.wait = Wait(
                tuple(slow), f"for {names} to take values of {self.name!r} (max_lead={lead})", True
            )
            try:
                await event.wait()
            finally:
                seat.wait = None
                self._writers.discard(event)

    # -- a stream that is written or read elsewhere ----------------------------------------------------------------

    @property
    def positions(self) -> Mapping[str, int]:
        """How many values each processor that reads it was handed."""
        return self._positions

    def grown(self, count: int) -> None:
        """Note that there are more values, which somebody else wrote."""
        if count > self.count:
            self.count = count
            self._wake(self._readers)

    def listen(self, event: Any) -> None:
        """Have an event set at the next change: a value, the end, a reader that went on."""
        self._readers.add(event)
        self._writers.add(event)

    def unlisten(self, event: Any) -> None:
        """Forget an event."""
        self._readers.discard(event)
        self._writers.discard(event)

    @property
    def lead(self) -> int:
        """How many values its slowest reader among the processors is behind; 0 when none reads it."""
        return self.count - min(self._positions.values(), default=self.count)

    # -- reading ---------------------------------------------------------------------------------------------------

    def sit(self, seat: LocalSeat) -> None:
        """Count a processor as a reader."""
        self._positions[seat.name] = 0

    def leave(self, seat: LocalSeat) -> None:
        """Count a processor no more: it has ended."""
        position = self._positions.pop(seat.name, None)
        if position is not None:
            self._left[seat.name] = position
            self._wake(self._writers)

    def recent(self, number: int) -> Any:
        """Give a value that nobody can change and that was written lately; `NOTHING` when it has to be read."""
        return self._recent.get(number)

    def position(self, seat: LocalSeat) -> int:
        """Say how many values a processor was handed, also when it has ended."""
        return self._positions.get(seat.name, self._left.get(seat.name, 0))

    def values(self, cursor: int) -> AsyncIterator[tuple[int, Any]]:
        """Read values with their numbers."""
        if self._is_removed:
            raise FlowError(
                f"stream {self.name!r} was deleted when its run was left; read it before, or keep it with "
                f"keep_streams=True",
                stream=self.name,
            )
        values: AsyncIterator[tuple[int, Any]] = self.store.read(self.name, cursor)
        return values

    def raise_for_end(self) -> None:
        """Raise what ended the stream before it was complete; do nothing when it is."""
        if self.failure is not None:
            raise self.failure()

    def taken(self, position: int, seat: Any) -> None:
        """Note that a reader was handed the value before this position."""
        if seat is not None and position > self._positions.get(seat.name, position):
            self._positions[seat.name] = position
            if self._writers:
                self._wake(self._writers)

    async def changed(self, seat: Any, *others: Any) -> None:
        """Wait until this or another channel has a new value or an end."""
        from anyio import Event
        from anyio.lowlevel import current_token

        if current_token() != self._home:
            raise FlowError(
                f"stream {self.name!r} is written in another event loop; read it in the one where its flow was started",
                stream=self.name,
            )
        channels: tuple[LocalChannel, ...] = (self, *others)
        event = Event()
        for one in channels:
            one._readers.add(event)
        waits = seat is not None and seat.is_driver()
        if waits:
            names = " or ".join(repr(one.name) for one in channels)
            who = ", ".join(repr(one.producer) if one.producer else "an input" for one in channels)
            seat.wait = Wait(tuple(one.producer for one in channels), f"for a value of {names} from {who}")
        try:
            await event.wait()
        finally:
            if waits:
                seat.wait = None
            for one in channels:
                one._readers.discard(event)

    def remove(self) -> None:
        """Note that the values are gone."""
        self._is_removed = True
        self._recent = Recent()

    @staticmethod
    def _wake(events: set[Any]) -> None:
        for event in events:
            event.set()
        events.clear()


def _told_by(mark: Mark, stream: str) -> BaseException:
    """Make the error of a stream that is not complete."""
    return mark.error(stream) or UpstreamFailed(f"stream {stream!r} ended early", stream=stream)
