"""Where a processor runs that was sent to another process: its streams are there, its run is told of and obeyed.

Knows one posting, the body by `running`, and the line to the run; must not know what carried it here. Executors have
`run_posting` called on workers.
"""

from __future__ import annotations

import pickle
import socket
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from typing import Any

from sinagot.errors import FlowError
from sinagot.flow.channels import LocalChannel
from sinagot.flow.handles import claim, opened
from sinagot.flow.lines import Line
from sinagot.flow.pieces import PiecedStore
from sinagot.flow.postings import CANCELLED, DONE, REFUSED, Posting, error_from, packed_cause, unpack
from sinagot.flow.processor import Processor
from sinagot.flow.running import Work
from sinagot.flow.telling import LogTeller

__all__ = ["run_posting"]


def run_posting(data: bytes) -> str:
    """Run one attempt of a processor, unless it is run already.

    Parameters
    ----------
    data : bytes
        A pickled `Posting`.

    Returns
    -------
    str
        ``done``, ``cancelled``, or ``refused`` when somebody else runs this attempt.

    Raises
    ------
    StorageError
        When the streams can't be reached from here; says for which host.
    Exception
        What its body raised. The run was told of it.
    """
    import anyio

    posting: Posting = pickle.loads(data)
    outpost = _Outpost(posting)
    state = anyio.run(outpost.main, backend=posting.backend)
    if isinstance(outpost.error, Exception):
        raise outpost.error
    if outpost.error is not None:  # what would end the worker
        raise FlowError(
            f"processor {posting.processor!r} raised {type(outpost.error).__name__}",
            processor=posting.processor,
        ) from outpost.error
    return state


class _Channel(LocalChannel):
    """A stream as a processor sees it whose run is elsewhere: what changes is reported."""

    def __init__(
        self, name: str, store: Any, producer: str | None, batch: int, changed: Callable[[], None]
    ) -> None:
        super().__init__(name, store, producer, None, batch)
        self._changed = changed

    async def append(self, value: Any) -> None:
        await super().append(value)
        self._changed()

    def taken(self, position: int, seat: Any) -> None:
        super().taken(position, seat)
        self._changed()

    async def room(self, lead: int, seat: Any) -> None:
        if self.lead >= lead:
            self._changed()
        await super().room(lead, seat)

    async def changed(self, seat: Any, *others: Any) -> None:
        self._changed()
        await super().changed(seat, *others)

    def moved(self, positions: Mapping[str, int]) -> None:
        """Note where the readers are."""
        self._positions = dict(positions)
        self._wake(self._writers)

    def cut(self, count: int, failure: Callable[[], BaseException] | None) -> None:
        """Note that the stream has ended."""
        self.count, self.failure, self.is_ended = count, failure, True
        self._wake(self._readers)


class _Outpost:
    """Runs one posting."""

    def __init__(self, posting: Posting) -> None:
        self.posting = posting
        self.error: BaseException | None = None
        self._line = Line(posting, self._standing, self._hear, self._lose)
        self._inputs: dict[str, _Channel] = {}
        self._outputs: dict[str, _Channel] = {}
        self._work: Work
        self._store: PiecedStore
        self._scope: Any = None
        self._lost: BaseException | None = None
        self._state = CANCELLED
        self._heard = 0
        self._news: deque[Mapping[str, Any]] = deque()
        self._ring: Any = None
        self._go: Any = None
        self._is_built: Any = None
        self._soon: Callable[[Callable[[], None]], None] = lambda _: None

    async def main(self) -> str:
        """Claim the attempt, and run it when the run says that it is wanted."""
        from anyio import CancelScope, Event, create_task_group

        from sinagot.flow.loops import soon_caller

        posting = self.posting
        self._ring, self._go, self._is_built = Event(), Event(), Event()
        self._soon = soon_caller()
        self._store = PiecedStore(opened(posting.handle), posting.run_id, posting.prefix)
        try:
            if not await claim(self._store.store, posting.claim):
                return REFUSED
            with CancelScope() as self._scope:
                self._line.open()
                async with create_task_group() as group:
                    group.start_soon(self._obey)
                    await self._body()
                    group.cancel_scope.cancel()
            with CancelScope(shield=True):
                await self._close()
            return self._state
        finally:
            with CancelScope(shield=True):
                await self._store.remove()

    async def _body(self) -> None:
        """Run the body, and keep what leaves it."""
        from anyio import get_cancelled_exc_class

        try:
            self._build(*unpack(self.posting.parcel))
            self._is_built.set()
            await self._go.wait()
            await self._work.once()
            for name in self._outputs:
                await self._store.settle(name)
            self._state = DONE
        except get_cancelled_exc_class():
            raise
        except BaseException as error:  # noqa: BLE001  (of the user: told to the run, and raised by `run_posting`)
            self.error, self._state = error, "failed"

    async def _close(self) -> None:
        from anyio import to_thread

        if self._state != DONE:
            for name in self._outputs:
                with suppress(Exception):  # what failed first is told
                    await self._store.settle(name)
        last: dict[str, Any] = {**self._standing(), "state": self._state, "wait": None}
        if self.error is not None:
            last["cause"] = packed_cause(self.error)
        await to_thread.run_sync(self._line.close, last)
        if self._lost is not None and self.error is None:
            self.error = FlowError(
                f"processor {self.posting.processor!r} was ended on host {socket.gethostname()}: it lost its run: "
                f"{type(self._lost).__name__}: {self._lost}",
                processor=self.posting.processor,
            )

    def _build(self, processor: Processor, plan: Any) -> None:
        posting, changed = self.posting, self._line.changed
        for name, facts in posting.inputs.items():
            self._inputs[name] = _Channel(name, self._store, facts.producer, facts.batch, changed)
        for name, piece in posting.outputs.items():
            self._store.set_pieces(name, [piece], piece.start)
            self._outputs[name] = _Channel(name, self._store, processor.name, 1, changed)
            self._outputs[name].count = piece.start
        self._work = Work(processor, plan, self._inputs, self._outputs, LogTeller(), posting.context)
        self._work.attempt = posting.attempt

    # -- up: called in the thread of the line ----------------------------------------------------------------------

    def _standing(self) -> Mapping[str, Any]:
        """Say how it stands; what was heard is looked at first, so that a wait is never younger than it."""
        heard = self._heard
        wait = self._work.seat.wait if self._outputs or self._inputs else None
        counts = {name: one.count for name, one in self._outputs.items()}
        for name, count in counts.items():
            self._store.grown(name, count)
        written = {name: self._store.stored(name) for name in counts}
        if written != counts:
            wait = None  # what is on its way may be what others wait for: this is no standstill
        return {
            "state": "alive",
            "is_open": written != counts,
            "heard": heard,
            "wait": None if wait is None else [list(wait.whom), wait.why, wait.needs_all],
            "taken": {
                name: one.positions.get(self.posting.processor, 0) for name, one in self._inputs.items()
            },
            "written": written,
        }

    def _hear(self, news: Mapping[str, Any]) -> None:
        self._soon(partial(self._put, news))

    def _lose(self, error: BaseException) -> None:
        self._lost = error
        self._soon(self._cancel)

    # -- down: called in the loop of the body ----------------------------------------------------------------------

    def _put(self, news: Mapping[str, Any]) -> None:
        self._news.append(news)
        if news.get("end"):
            self._cancel()  # also while nobody listens yet
        self._ring.set()

    def _cancel(self) -> None:
        if self._scope is not None:
            self._scope.cancel()

    async def _obey(self) -> None:
        from anyio import Event
        from anyio.lowlevel import checkpoint

        await self._is_built.wait()
        while True:
            while self._news:
                news = self._news.popleft()
                self._take(news)
                # Whoever was woken by it has his turn before it counts as heard: else he would seem to wait still.
                for _ in range(4):
                    await checkpoint()
                self._heard = news.get("number", self._heard)
                self._line.changed()
            self._ring = Event()
            await self._ring.wait()

    def _take(self, news: Mapping[str, Any]) -> None:
        """Take over what the run knows of the streams."""
        for name, pieces in news.get("pieces", {}).items():
            self._store.set_pieces(name, pieces, 0)
        for name, count in news.get("counts", {}).items():
            self._inputs[name].grown(count)
        for name, (count, cause) in news.get("ends", {}).items():
            self._inputs[name].cut(count, None if cause is None else partial(error_from, cause))
        for name, positions in news.get("positions", {}).items():
            self._outputs[name].moved(positions)
        if news.get("go"):
            self._go.set()
