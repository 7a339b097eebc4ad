"""One run of a flow: its processors side by side, and what a failure, a cancellation or a standstill means for all.

Knows works and channels; must not know how a body is led (`running`) or who asked for the run (`flow_run`).
It is one task in the loop of the caller, and all that it begins is below it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from sinagot.engine.words import ACTS
from sinagot.errors import FlowStalled, UpstreamCancelled, UpstreamFailed
from sinagot.flow.channels import LocalChannel
from sinagot.flow.ends import Mark
from sinagot.flow.executors import Executor
from sinagot.flow.loops import start_soon
from sinagot.flow.ready import RunContext
from sinagot.flow.running import Work
from sinagot.flow.sources import Source, feed
from sinagot.flow.stalls import stalled, told
from sinagot.flow.status import FlowStatus, ProcessorStatus
from sinagot.flow.telling import Teller
from sinagot.flow.wiring import Wiring

__all__ = ["Keeper", "Leading"]

#: Seconds for which processors behind a failed one may go on with what it had written.
_DRAIN = 0.5
#: Seconds between two looks at who waits for whom, and for how long nobody must have moved.
_LOOK, _STILL = 0.25, 0.5


class Keeper:
    """Its end says that nobody can read the streams of a run any more."""

    __slots__ = ("__weakref__",)


class Leading:
    """Lead one run.

    Parameters
    ----------
    run_id : str
        Of the run.
    wiring : Wiring
        The flow.
    store : StreamStore
        Where the streams are.
    sources : sequence of Source
        The inputs.
    executor : Executor
        Runs processors.
    keeper : Keeper
        Whom the streams hold on to.
    closing, closed : Event
        Set in order to have the streams deleted, and when they are.
    teller : Teller
        Is told what happens.
    context : RunContext, optional
        What ready-made dependencies read.
    """

    def __init__(
        self,
        run_id: str,
        wiring: Wiring,
        store: Any,
        sources: list[Source],
        executor: Executor,
        keeper: Keeper,
        closing: Any,
        closed: Any,
        *,
        teller: Teller,
        context: RunContext | None = None,
    ) -> None:
        from anyio import Event
        from anyio.lowlevel import current_token

        #: The loop that it runs in.
        self.home = current_token()
        self._closing, self._closed = closing, closed
        self._teller = teller

        leads = {stream: one.max_lead for one in wiring.processors for stream in one.outputs}
        self.run_id = run_id
        self.wiring = wiring
        self.channels = {
            name: LocalChannel(name, store, wiring.producers.get(name), keeper, 1 if leads.get(name) else 64)
            for name in (*wiring.inputs, *wiring.outputs)
        }
        self.works = {
            one.name: Work(
                one,
                wiring.plans[one.name],
                {name: self.channels[name] for name in one.inputs},
                {name: self.channels[name] for name in one.outputs},
                teller,
                context,
                store,
            )
            for one in wiring.processors
        }
        self.errors: list[Exception] = []
        #: A key of `sinagot.engine.words.ACTS`.
        self.state = "RUNNING"
        self.ended = Event()
        self._sources = sources
        self._executor = executor
        self._group: Any = None
        self._is_cancelled = False
        self._left = len(self.works)
        self._over = Event()
        #: Makes what readers of a stream that ended early have to raise, and the mark for the store.
        self._root: Callable[[str], BaseException] | None = None
        self._mark = Mark.cancelled()

    # -- the run ---------------------------------------------------------------------------------------------------

    async def lead(self) -> None:
        """Run all processors until they have ended."""
        from anyio import CancelScope, create_task_group

        try:
            async with create_task_group() as group:
                self._group = group
                if self._is_cancelled:
                    group.cancel_scope.cancel()
                for work in self.works.values():
                    start_soon(group, self._one, work)
                for source in self._sources:
                    start_soon(group, self._feed, source)
                start_soon(group, self._watch)
                if self._teller.every is not None:
                    start_soon(group, self._tell, self._teller.every)
                await self._over.wait()
                group.cancel_scope.cancel()
        finally:
            with CancelScope(shield=True):
                for channel in self.channels.values():
                    await self._end_early(channel)
            states = {work.state for work in self.works.values()}
            self.state = "ERROR" if self.errors else "DONE" if states == {"DONE"} else "INTERRUPTED"
            self._group = None
            self._sources = []
            self.ended.set()

    async def _one(self, work: Work) -> None:
        """Run one processor, and see what comes of it."""
        from anyio import CancelScope, get_cancelled_exc_class

        error: BaseException | None = None
        try:
            with self._teller.around(work.processor.name), CancelScope() as scope:
                work.scope = scope
                if work.is_dismissed:
                    scope.cancel()
                try:
                    await self._executor.run(work)
                    work.state = "DONE"
                except get_cancelled_exc_class():
                    raise
                except BaseException as found:  # noqa: BLE001  (the code of the user)
                    error = found
        finally:
            with CancelScope(shield=True):
                await self._settle(work, error)
            self._left -= 1
            if not self._left:
                self._over.set()

    async def _settle(self, work: Work, error: BaseException | None) -> None:
        """End the streams of a processor that has ended, and its siblings when it failed."""
        name = work.processor.name
        for channel in work.inputs.values():
            channel.leave(work.seat)
        if work.state == "DONE":
            for channel in work.outputs.values():
                await channel.end(Mark.complete(), None)
            error = _failed_store(work.outputs.values())
            if error is None:
                self._teller.end(name, work.state, None, self._status_of(work))
                return
        is_derived = work.upstream is not None and isinstance(error, UpstreamFailed)
        if error is None or is_derived:
            work.state = "INTERRUPTED" if work.attempt else "SKIPPED"
        else:
            work.state = "ERROR"
            self._fail(name, error, f"processor {name!r}")
        self._teller.end(name, work.state, error if work.state == "ERROR" else None, self._status_of(work))
        for channel in work.outputs.values():
            await self._end_early(channel)

    async def _end_early(self, channel: LocalChannel) -> None:
        """End a stream that is not complete."""
        if self._root is not None:
            await channel.end(self._mark, partial(self._root, channel.name))
        else:
            mark = Mark.cancelled(channel.producer)
            await channel.end(mark, lambda: mark.error(channel.name) or UpstreamCancelled())

    async def _feed(self, source: Source) -> None:
        """Write an input."""
        from anyio import get_cancelled_exc_class

        try:
            await feed(source, self.channels)
            error = _failed_store(self.channels[name] for name in source.names)
            if error is not None:
                self._fail(None, error, source.told)
            return
        except get_cancelled_exc_class():
            raise
        except BaseException as error:  # noqa: BLE001  (the code of the user: an iterator)
            self._fail(None, error, source.told)
        for name in source.names:
            await self._end_early(self.channels[name])

    # -- failures --------------------------------------------------------------------------------------------------

    def _fail(self, processor: str | None, cause: BaseException, who: str) -> None:
        """Note a failure; the first one ends the run: those behind it may go on a moment, all others not."""
        said = f"{type(cause).__name__}: {cause}" if str(cause) else type(cause).__name__
        error = UpstreamFailed(f"{who} failed: {said}", processor=processor, cause=said)
        error.cause = cause
        error.__cause__ = cause
        self.errors.append(error)
        self._teller.trouble(error, cause, processor)
        if self._root is not None:
            return

        def root(stream: str) -> BaseException:
            told = UpstreamFailed(
                f"stream {stream!r} ended early: {error}", processor=processor, cause=said, stream=stream
            )
            told.cause = told.__cause__ = cause
            return told

        self._root, self._mark = root, Mark.failed(processor, cause)
        behind = self.wiring.behind(processor) if processor is not None else set(self.works)
        for name, work in self.works.items():
            if name not in behind:
                work.dismiss()
        if self._group is not None:
            start_soon(self._group, self._dismiss_all)

    async def _dismiss_all(self) -> None:
        from anyio import sleep

        await sleep(_DRAIN)
        for work in self.works.values():
            work.dismiss()

    async def _watch(self) -> None:
        """Look now and then whether processors wait for one another."""
        from anyio import current_time, sleep

        seen: list[Any] = []
        since = current_time()
        while True:
            await sleep(_LOOK)
            alive = [name for name, work in self.works.items() if work.state in ("WAITING", "RUNNING")]
            waits = {name: self.works[name].seat.wait for name in alive}
            found = {name: wait for name, wait in waits.items() if wait is not None}
            names = stalled(found, alive)
            now = [found[name] for name in names]
            if not now or len(now) != len(seen) or any(a is not b for a, b in zip(now, seen, strict=True)):
                seen, since = now, current_time()
            elif current_time() - since >= _STILL and self._root is None:
                self._stall(names, told(found, names))

    def _stall(self, names: list[str], text: str) -> None:
        message = f"the flow stands still, for its processors wait for one another: {text}"

        def root(stream: str | None = None) -> FlowStalled:
            return FlowStalled(message, waits=text, stream=stream, processor=names[0], cause=message)

        self.errors.append(root())
        self._teller.trouble(self.errors[-1], None, None)
        self._root, self._mark = root, Mark.failed(names[0], root())
        for work in self.works.values():
            work.dismiss()

    # -- from outside ----------------------------------------------------------------------------------------------

    def cancel(self) -> None:
        """Cancel all that goes on."""
        self._is_cancelled = True
        if self._group is not None:
            self._group.cancel_scope.cancel()

    def leave_threads(self) -> None:
        """Wait no longer for bodies in threads that do not hear of their cancellation."""
        for work in self.works.values():
            if work.thread is not None:
                work.thread.leave()

    async def close(self) -> None:
        """Cancel what goes on, and delete the streams."""
        self.cancel()
        for channel in self.channels.values():
            channel.remove()
        self._closing.set()
        await self._closed.wait()

    def release(self) -> None:
        """Cancel what nobody has a use for when results are not read: all but what processors without outputs need."""
        sources: dict[str, set[str]] = {}
        for source, target, _ in self.wiring.edges():
            sources.setdefault(target, set()).add(source)
        fresh = [name for name, work in self.works.items() if not work.outputs]
        kept = set(fresh)
        while fresh:
            new = sources.get(fresh.pop(), set()) - kept
            kept |= new
            fresh += new
        for name, work in self.works.items():
            if name not in kept:
                work.dismiss()

    async def _tell(self, every: float) -> None:
        from anyio import sleep

        while True:
            await sleep(every)
            self._teller.progress(self.status())

    def status(self) -> FlowStatus:
        """Say how the run and its processors stand."""
        found = {name: self._status_of(work) for name, work in self.works.items()}
        return FlowStatus(ACTS[self.state].text, found)

    @staticmethod
    def _status_of(work: Work) -> ProcessorStatus:
        waits = work.seat.wait
        return ProcessorStatus(
            ACTS[work.state].text,
            work.attempt,
            {stream: one.position(work.seat) for stream, one in work.inputs.items()},
            {stream: one.count for stream, one in work.outputs.items()},
            max((one.lead for one in work.outputs.values()), default=0),
            "" if waits is None else waits.why,
        )


def _failed_store(channels: Iterable[LocalChannel]) -> BaseException | None:
    """Say why a stream that was to be complete is not: the store lost values, or could not take its end mark."""
    for channel in channels:
        if channel.failure is not None:
            error = channel.failure()
            return error.__cause__ or error
    return None
