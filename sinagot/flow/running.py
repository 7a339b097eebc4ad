"""One processor of one run: begun when it may, its body led value by value, and begun anew after a failure.

Knows a processor, its plan and its channels; must not know its siblings: `leading` decides what a failure means for
them. The code of the user is called here.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

from sinagot.errors import FlowError
from sinagot.flow.channels import LocalChannel, LocalSeat
from sinagot.flow.processor import Processor
from sinagot.flow.ready import RunContext
from sinagot.flow.stalls import Wait
from sinagot.flow.streams import IO, IOVal
from sinagot.flow.telling import Teller
from sinagot.flow.threads import BodyThread, ThreadIO
from sinagot.flow.wiring import takes_any, undeclared

__all__ = ["Work"]

#: How long a body that is cancelled may take for its clean-up, in seconds.
_GRACE = 10.0


class Work:
    """Run one processor.

    Parameters
    ----------
    processor : Processor
        What is run.
    plan : Plan
        Where its arguments come from.
    inputs, outputs : mapping of str to LocalChannel
        Its streams, by name.
    teller : Teller
        Is told when it begins.
    context : RunContext, optional
        What ready-made dependencies read.
    store : StreamStore, optional
        Where their values are.
    """

    def __init__(
        self,
        processor: Processor,
        plan: Any,
        inputs: Mapping[str, LocalChannel],
        outputs: Mapping[str, LocalChannel],
        teller: Teller,
        context: RunContext | None = None,
        store: Any = None,
    ) -> None:
        self.processor = processor
        self.seat = LocalSeat(processor.name)
        #: A key of `sinagot.engine.words.ACTS`.
        self.state = "WAITING"
        self.attempt = 0
        self.error: BaseException | None = None
        #: Cancels it.
        self.scope: Any = None
        self.is_dismissed = False
        #: Of a body that is not async, while it runs.
        self.thread: BodyThread | None = None
        self.plan = plan
        self._teller = teller
        self.context = context
        #: Where the values of its streams are.
        self.store = store
        self.inputs = inputs
        self.outputs = outputs
        self._passed: dict[str, int] = {}
        for channel in inputs.values():
            channel.sit(self.seat)

    def dismiss(self) -> None:
        """Cancel it."""
        self.is_dismissed = True
        if self.scope is not None:
            self.scope.cancel()

    @property
    def upstream(self) -> LocalChannel | None:
        """An input that ended early; None when there is none."""
        return next((one for one in self.inputs.values() if one.failure is not None), None)

    async def run(self, once: Callable[[], Awaitable[None]] | None = None) -> None:
        """Run the processor until it has written all.

        Parameters
        ----------
        once : async callable, optional
            Runs its body once, elsewhere; by default that is done here.

        Raises
        ------
        BaseException
            What its body raised the last time.
        """
        if self.processor.wait:
            await self._complete_inputs()
        self.begin()
        while True:
            self.attempt += 1
            try:
                return await (once or self.once)()
            except Exception as error:
                if self.attempt > self.processor.retries or self.upstream is not None:
                    raise
                self._teller.again(self.processor.name, self.attempt, self.processor.retries + 1, error)

    def begin(self) -> None:
        """Note that it runs."""
        self.state = "RUNNING"
        self._teller.begin(self.processor.name)

    async def _complete_inputs(self) -> None:
        """Wait until all inputs are complete."""
        while open_ := [one for one in self.inputs.values() if not one.is_ended]:
            names = ", ".join(repr(one.name) for one in open_)
            who = ", ".join(repr(one.producer) if one.producer else "an input" for one in open_)
            whom = tuple(one.producer for one in open_)
            self.seat.wait = Wait(whom, f"for all of {names} from {who} (wait=True)", True)
            try:
                await open_[0].changed(None, *open_[1:])
            finally:
                self.seat.wait = None
        for one in self.inputs.values():
            one.raise_for_end()

    async def once(self) -> None:
        """Run the body once, from its beginning; as many values as are in an output already are passed over."""
        self._passed = {name: one.count for name, one in self.outputs.items()}
        kind = self.processor.kind
        if kind in ("generator", "function"):
            await self._in_thread()
            return
        from anyio import get_current_task

        self.seat.driver = get_current_task().id
        async with self._opened(
            {name: IO[Any](one, self.seat) for name, one in self.inputs.items()}
        ) as arguments:
            if kind == "coroutine":
                value = await self.processor.function(**arguments)
                if self._is_given(value):
                    await self._give(value)
                return
            async with _led(self.processor.function(**arguments)) as values:
                async for value in values:
                    await self._give(value)

    @asynccontextmanager
    async def _opened(self, given: Mapping[str, Any]) -> AsyncIterator[Mapping[str, Any]]:
        """Build what the body depends on, and give all its arguments."""
        rest = given if takes_any(self.processor.function) else {}
        async with self.plan.open(
            {name: one for name, one in given.items() if name in self.plan.given}, self.context
        ) as found:
            yield {**rest, **found}

    async def _in_thread(self) -> None:
        self.seat.driver = None
        thread = self.thread = BodyThread(f"sinagot-flow-{self.processor.name}")
        given = {name: ThreadIO(IO(one, self.seat), thread, one.batch) for name, one in self.inputs.items()}
        async with self._opened(given) as arguments:
            body = self._generate if self.processor.kind == "generator" else self._call
            await thread.run(partial(body, thread, arguments), self._give)

    def _call(self, thread: BodyThread, arguments: Mapping[str, Any]) -> None:
        value = self.processor.function(**arguments)
        if self._is_given(value):
            thread.put(value)

    def _generate(self, thread: BodyThread, arguments: Mapping[str, Any]) -> None:
        values: Iterator[Any] = self.processor.function(**arguments)
        try:
            put = thread.put if self.processor.max_lead is None else thread.put_and_wait
            for value in values:
                put(value)
        finally:
            values.close()  # type: ignore[attr-defined]  # a generator

    # -- values ----------------------------------------------------------------------------------------------------

    def _is_given(self, value: Any) -> bool:
        """Say whether what a function returned is its value; None is one where there is a single output."""
        return value is not None or len(self.processor.outputs) == 1

    async def _give(self, value: Any) -> None:
        """Write one value to its stream, and wait for room where that is asked for."""
        name, value = self._named(value)
        if name is None:
            return
        channel = self.outputs[name]
        if self._passed[name]:
            self._passed[name] -= 1
            return
        await channel.append(value)
        if self.processor.max_lead is not None:
            await channel.room(self.processor.max_lead, self.seat)

    def _named(self, value: Any) -> tuple[str | None, Any]:
        """Say which stream a value is for."""
        outputs: Sequence[str] = self.processor.outputs
        if isinstance(value, IOVal):
            if value.name not in outputs:
                raise undeclared(self.processor, value.name)
            return value.name, value.value
        if len(outputs) == 1:
            return outputs[0], value
        if value is None and not outputs:
            return None, None
        raise FlowError(
            f"processor {self.processor.name!r} gave {type(value).__name__} {value!r:.80}; with "
            + (
                f"outputs {', '.join(map(repr, outputs))}: write IOVal(name=..., value=...)"
                if outputs
                else "no output"
            )
            + f" ({self.processor.place})",
            processor=self.processor.name,
        )


@asynccontextmanager
async def _led(values: Any) -> AsyncIterator[Any]:
    """Close an async generator whatever happens, in a cancelled scope too: its clean-up may wait."""
    from anyio import move_on_after

    try:
        yield values
    finally:
        with move_on_after(_GRACE, shield=True):
            await values.aclose()
