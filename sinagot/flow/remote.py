"""The run's side of processors in other processes: what they report is taken over, what they must know is told.

Knows works, postings and silence; must not know what carries postings, which executors for Dask and Celery say. The
run stays the one place that knows how far each stream is, who reads it and how it ended.
"""

from __future__ import annotations

import logging
import pickle
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from sinagot.config.quantities import seconds_text
from sinagot.errors import FlowDefinitionError, FlowError, WorkerLostError
from sinagot.flow.beats import Beats
from sinagot.flow.handles import handle_of, opened_for_control, with_names
from sinagot.flow.lines import BEAT, Silence
from sinagot.flow.loops import is_in_trio
from sinagot.flow.pieces import PiecedStore
from sinagot.flow.postings import (
    REFUSED,
    InputFacts,
    Posting,
    beats_of,
    context_of,
    error_from,
    pack,
    packed_cause,
)
from sinagot.flow.running import Work
from sinagot.flow.stalls import Wait

__all__ = ["RemoteExecutor", "Sent"]

_LOG = logging.getLogger("sinagot.flow")

#: Seconds that a processor which is cancelled may take for its clean-up.
_GRACE = 10.0
#: Seconds in which the last words must arrive when the carrier says that all is over.
_LAST_WORDS = 3.0
#: How much longer than a run waits for a worker a worker waits for its run: it may be held up by its caller.
_PATIENCE = 3.0
#: Seconds for which changes are gathered before they are told: when the other side waits, and else.
_SOON, _LATER = 0.002, 0.02


class Sent(Protocol):
    """A posting on its way."""

    async def over(self) -> str | BaseException:
        """Wait until the carrier says that it is over: what `run_posting` gave, or what was raised."""

    async def idle(self, seconds: float) -> BaseException | None:
        """Say why nobody will begin it; None when somebody still may. It was not begun for so many seconds."""

    async def withdraw(self) -> None:
        """Take it back, as far as it was not begun."""

    async def give_up(self) -> None:
        """Take note that its worker is lost."""


class RemoteExecutor:
    """Run processors in other processes.

    Parameters
    ----------
    lost_after : float, seconds
        A worker of which nothing is heard for so long is given up.
    start_within : float, seconds
        After so long it is asked whether anybody will begin a processor that was sent.
    """

    #: Other processes read and write the streams.
    is_here = False
    is_remote = True
    #: Whom a processor waits for that was sent and not begun.
    place = "a worker"

    def __init__(self, lost_after: float, start_within: float) -> None:
        for name, value in (("lost_after", lost_after), ("start_within", start_within)):
            if isinstance(value, bool) or not value > 0:
                raise FlowDefinitionError(f"{name} = {value!r} is no number of seconds above 0")
        if lost_after < 2 * BEAT:
            raise FlowDefinitionError(
                f"lost_after = {lost_after!r} is too short: workers give a sign of life each second; give 2 or more"
            )
        self.lost_after = float(lost_after)
        self.start_within = float(start_within)
        self._beats = Beats()

    async def send(self, posting: Posting, data: bytes) -> Sent:
        """Send a posting; see the executors for Dask and Celery.

        Parameters
        ----------
        posting : Posting
            What is sent.
        data : bytes
            The same, pickled.
        """
        raise NotImplementedError

    async def run(self, work: Any) -> None:
        """Run one processor of one run until it has written all.

        Parameters
        ----------
        work : Work
            The processor.
        """
        from anyio import CancelScope, to_thread

        store = work.store
        assert isinstance(store, PiecedStore)  # the supervisor sees to it
        stream, handle = beats_of(store.prefix), handle_of(store.store)
        self._beats.hold(stream, handle)
        try:
            await work.run(lambda: _Attempt(self, work, store, handle).run())
        finally:
            with CancelScope(shield=True):
                await to_thread.run_sync(self._beats.let_go, stream, handle)


class _Attempt:
    """One attempt of one processor, as its run sees it."""

    def __init__(self, executor: RemoteExecutor, work: Work, store: PiecedStore, handle: Any) -> None:
        from anyio import Event

        self._executor, self._work, self._store, self._handle = executor, work, store, handle
        self._name = work.processor.name
        self._control: Any = None
        self._posting: Posting
        self._sent: Sent | None = None
        self._silence = Silence()
        #: Who has begun it; empty before.
        self._where = ""
        self._begun = Event()
        self._is_ending = False
        self._limit = executor.lost_after
        self._wait: Wait | None = None
        self._number = 0
        self._told: dict[tuple[str, str], Any] = {}
        self._flags: dict[str, bool] = {}
        self._change: Any = Event()
        self._over = Event()
        self._error: BaseException | None = None

    async def run(self) -> None:
        """Run it elsewhere until it has written all.

        Raises
        ------
        BaseException
            What its body raised, or why it could not be run.
        """
        from anyio import CancelScope, create_task_group

        self._posting = self._prepared()
        self._control = opened_for_control(self._handle)
        try:
            async with create_task_group() as group:
                scope = CancelScope(shield=True)
                group.start_soon(self._follow, scope)
                try:
                    await self._over.wait()
                finally:
                    if not self._over.is_set():
                        with CancelScope(shield=True):
                            await self._end_early()
                    scope.cancel()
            if isinstance(self._error, WorkerLostError):
                await self._give_up()
        finally:
            self._work.seat.wait = None
            with CancelScope(shield=True):
                await self._let_go()
        if self._error is not None:
            raise self._error

    def _prepared(self) -> Posting:
        """Make the posting, and a piece of each output for it."""
        work, store = self._work, self._store
        number = work.attempt
        for name, channel in work.outputs.items():
            store.begin(name, number, channel.count)
        stored = {name: store.pieces(name)[-1] for name in work.outputs}
        return Posting(
            store.run_id,
            self._name,
            number,
            pack(work.processor, work.plan),
            with_names(self._handle, ((name, one.stored) for name, one in stored.items())),
            store.prefix,
            "trio" if is_in_trio() else "asyncio",
            {name: InputFacts(one.producer, one.batch) for name, one in work.inputs.items()},
            stored,
            context_of(work.context),
            self._executor.lost_after * _PATIENCE,
        )

    async def _end_early(self) -> None:
        """Have it ended, and wait for its clean-up."""
        from anyio import move_on_after

        self._is_ending = True
        if not self._where:
            if self._sent is not None:
                await self._sent.withdraw()
            return
        self._raise_flag("end")
        with move_on_after(_GRACE) as limit:
            await self._over.wait()
        if limit.cancelled_caught:
            _LOG.warning("processor %r was cancelled, and goes on %s", self._name, self._where)

    async def _give_up(self) -> None:
        try:
            if self._sent is not None:
                await self._sent.give_up()
        except Exception as error:  # noqa: BLE001  (the cluster is gone as well: the next attempt will tell)
            _LOG.debug("the worker of processor %r can't be given up: %s", self._name, error)

    async def _let_go(self) -> None:
        """Tell whoever may still come, or wake up, that this attempt is over."""
        try:
            await self._control.append(self._posting.down, {"end": True})
            await self._control.length(self._posting.down)  # which waits until it is stored
        except Exception as error:  # noqa: BLE001  (the disk is full: nothing more can be told)
            _LOG.debug("processor %r: its end can't be told: %s", self._name, error)
        finally:
            await self._control.remove()

    # -- the tasks beside it ---------------------------------------------------------------------------------------

    async def _follow(self, scope: Any) -> None:
        """Do all that must go on while a cancelled processor cleans up."""
        from anyio import create_task_group

        with scope:
            async with create_task_group() as group:
                for one in (self._tell, self._hear, self._watch, self._carry):
                    group.start_soon(self._guarded, one)

    async def _guarded(self, task: Any) -> None:
        try:
            await task()
        except Exception as error:  # noqa: BLE001  (of the store or the carrier: it ends the attempt)
            self._finish(error)

    def _finish(self, error: BaseException | None) -> None:
        if not self._over.is_set():
            self._error = error
            self._over.set()

    async def _carry(self) -> None:
        """Send it, and hear from the carrier how it ended."""
        from anyio import CancelScope

        if not self._where:
            self._show(Wait((None,), f"for {self._executor.place} to begin it"))
        with CancelScope(shield=True):
            sent = self._sent = await self._executor.send(self._posting, pickle.dumps(self._posting))
            if self._is_ending:
                await self._sent.withdraw()
        state = await sent.over()
        if state == REFUSED:
            # It was given to a second worker: the first one runs it, or is dead. Its heartbeats tell which.
            self._limit = min(self._limit, _LAST_WORDS)
            self._begun.set()
            return
        # What it said itself counts for more, and may be on its way.
        await Silence().last(lambda: BEAT if isinstance(state, WorkerLostError) else _LAST_WORDS)
        self._finish(state if isinstance(state, BaseException) else self._lost("its task is over"))

    def _lost(self, why: str) -> WorkerLostError:
        return WorkerLostError(
            f"the worker of processor {self._name!r} {self._where or '(unknown)'} is lost: {why}"
        )

    async def _watch(self) -> None:
        """Find out that nobody begins it, or that its worker is dead."""
        from anyio import current_time, move_on_after

        begin = current_time()
        while not self._begun.is_set():
            with move_on_after(self._executor.start_within):
                await self._begun.wait()
            if not self._begun.is_set() and self._sent is not None:
                problem = await self._sent.idle(current_time() - begin)
                if problem is not None and not self._begun.is_set():
                    self._finish(problem)
                    return
        self._silence.broken()
        while self._silence.seconds < self._limit:
            await self._silence.last(lambda: self._limit)
            await self._control.length(self._posting.up)  # when the store is gone, that is what is wrong
        self._finish(self._lost(f"nothing was heard of it for {seconds_text(self._limit)}"))

    # -- down ------------------------------------------------------------------------------------------------------

    def _raise_flag(self, name: str) -> None:
        self._flags[name] = True
        self._change.set()

    async def _tell(self) -> None:
        """Tell what changes of its streams."""
        from anyio import Event, sleep

        work = self._work
        channels = (*work.inputs.values(), *work.outputs.values())
        try:
            while True:
                self._change = Event()
                for channel in channels:
                    channel.listen(self._change)
                news = self._news()
                if news:
                    self._number += 1
                    is_waiting = self._work.seat.wait is not None
                    if self._where:
                        self._show(None)
                    await self._control.append(self._posting.down, {"number": self._number, **news})
                    await sleep(_SOON if is_waiting else _LATER)
                else:
                    await self._change.wait()
                for channel in channels:
                    channel.unlisten(self._change)
        finally:
            for channel in channels:
                channel.unlisten(self._change)

    def _news(self) -> Mapping[str, Any]:
        """Give what is not yet told."""
        work, store = self._work, self._store
        now: dict[tuple[str, str], Any] = {}
        for name, channel in work.inputs.items():
            now["pieces", name] = [list(one) for one in store.pieces(name)]
            if channel.is_ended:
                now["ends", name] = (channel.count, channel.failure)
            else:
                now["counts", name] = channel.count
        for name, channel in work.outputs.items():
            if work.processor.max_lead is not None:
                now["positions", name] = dict(channel.positions)
        now |= {("flags", name): True for name in self._flags}
        news: dict[str, Any] = {}
        for (kind, name), value in now.items():
            if self._told.get((kind, name)) == value:
                continue
            self._told[kind, name] = value
            if kind == "flags":
                news[name] = value
                continue
            news.setdefault(kind, {})[name] = value if kind != "ends" else _packed_end(*value)
        return news

    # -- up --------------------------------------------------------------------------------------------------------

    async def _hear(self) -> None:
        """Take over what it reports."""
        async for _, report in self._control.read(self._posting.up):
            self._silence.broken()
            state = report["state"]
            if state == "begun":
                self._where = f"on host {report['host']} (process {report['pid']})"
                self._begun.set()
                self._show(None)
                self._raise_flag("go")
                continue
            for name, count in report["written"].items():
                self._store.grown(name, count)
                self._work.outputs[name].grown(count)
            for name, position in report["taken"].items():
                self._work.inputs[name].taken(position, self._work.seat)
            if state != "alive":
                for name in self._work.outputs:
                    self._store.close(name)
                self._finish(self._last_words(state, report))
                return
            waits = report["wait"]
            if waits is None or report["heard"] < self._number:
                self._show(None)
            else:
                self._show(Wait(tuple(waits[0]), waits[1], waits[2]))

    def _show(self, wait: Wait | None) -> None:
        """Say what it waits for; the same wait stays the same object, for it is looked at whether it goes on."""
        if wait is not None:
            if wait != self._wait:
                self._wait = wait
            wait = self._wait
        self._work.seat.wait = wait

    def _last_words(self, state: str, report: Mapping[str, Any]) -> BaseException | None:
        if report.get("cause") is not None:
            return error_from(report["cause"])
        if state == "done":
            return None
        return FlowError(f"processor {self._name!r} was ended {self._where}", processor=self._name)


def _packed_end(count: int, failure: Callable[[], BaseException] | None) -> list[Any]:
    return [count, None if failure is None else packed_cause(failure())]
