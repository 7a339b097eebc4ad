"""The line between a processor that runs elsewhere and its run: reports up, news down, and signs of life both ways.

Knows two streams beside those of the flow, and silence; must not know bodies. It has a thread and an event loop of its
own, so that a body that computes for long is not taken for dead.
"""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable, Mapping
from typing import Any

from sinagot.flow.handles import opened_for_control
from sinagot.flow.postings import Posting

__all__ = ["BEAT", "Line", "Silence"]

#: Seconds between two signs of life, and between two looks whether the other side gives any.
BEAT, _LOOK = 1.0, 0.5
#: Seconds for which changes are gathered before they are reported: when somebody may wait for them, and else.
_SOON, _LATER = 0.002, 0.02


class Silence:
    """For how long nothing was heard; time in which we could not have heard anything does not count."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def broken(self) -> None:
        """Note that something was heard."""
        self.seconds = 0.0

    async def last(self, limit: Callable[[], float]) -> None:
        """Return when nothing was heard for as many seconds as `limit` gives."""
        from anyio import current_time, sleep

        before = current_time()
        while self.seconds < limit():
            await sleep(_LOOK)
            now = current_time()
            self.seconds += min(now - before, 2 * _LOOK)
            before = now


class Line:
    """Report to a run, and hear from it.

    Parameters
    ----------
    posting : Posting
        What is run.
    sample : callable
        Gives how it stands; called in the thread of the line.
    heard : callable
        Called in the thread of the line with each piece of news.
    lost : callable
        Called there when the run is gone, or can't be reached, with an error.
    """

    def __init__(
        self,
        posting: Posting,
        sample: Callable[[], Mapping[str, Any]],
        heard: Callable[[Mapping[str, Any]], None],
        lost: Callable[[BaseException], None],
    ) -> None:
        self._posting = posting
        self._sample, self._heard, self._lost = sample, heard, lost
        self._silence = Silence()
        self._is_dirty = self._is_closing = False
        self._last: Mapping[str, Any] = {}
        self._ready = threading.Event()
        self._ring: Any = None
        self._soon: Callable[[Callable[[], None]], None] = lambda _: None
        self._thread = threading.Thread(
            target=self._serve, name=f"sinagot-line-{posting.processor}", daemon=True
        )

    def open(self) -> None:
        """Begin to report."""
        self._thread.start()
        self._ready.wait()

    def changed(self) -> None:
        """Say that there is something to be reported; in any thread."""
        if not self._is_dirty:
            self._is_dirty = True
            self._soon(self._rung)

    def close(self, last: Mapping[str, Any]) -> None:
        """Report the last, and end; waits until that is written."""
        self._last, self._is_closing = last, True
        self._is_dirty = True
        self._soon(self._rung)
        self._thread.join()

    def _rung(self) -> None:
        self._ring.set()

    # -- in the thread ---------------------------------------------------------------------------------------------

    def _serve(self) -> None:
        import anyio

        try:
            anyio.run(self._talk)
        except BaseException as error:  # noqa: BLE001  (the store: the processor must not go on without a line)
            self._lost(error)
        finally:
            self._soon = lambda _: None
            self._ready.set()

    async def _talk(self) -> None:
        from anyio import Event, create_task_group

        from sinagot.flow.loops import soon_caller

        self._ring = Event()
        self._soon = soon_caller()
        store = opened_for_control(self._posting.handle)
        try:
            begun = {"state": "begun", "host": socket.gethostname(), "pid": os.getpid()}
            await store.append(self._posting.up, begun)
            self._ready.set()
            async with create_task_group() as group:
                group.start_soon(self._listen, store)
                group.start_soon(self._feel, store)
                group.start_soon(self._watch)
                await self._report(store)
                group.cancel_scope.cancel()
            await store.append(self._posting.up, dict(self._last))
            await store.length(self._posting.up)  # which waits until it is stored
        finally:
            await store.remove()

    async def _report(self, store: Any) -> None:
        from anyio import Event, move_on_after, sleep

        is_open = False
        while not self._is_closing:
            with move_on_after(_LATER if is_open else BEAT):
                await self._ring.wait()
            self._ring = Event()
            await sleep(_SOON)
            self._is_dirty = False
            report = dict(self._sample())
            # Values that are on their way are told of when they are there, though nothing else changes.
            is_open = report.pop("is_open")
            await store.append(self._posting.up, report)
            if report.get("wait") is None:
                await sleep(_LATER)

    async def _listen(self, store: Any) -> None:
        async for _, news in store.read(self._posting.down):
            self._silence.broken()
            self._heard(news)

    async def _feel(self, store: Any) -> None:
        async for _ in store.read(self._posting.beats, await store.length(self._posting.beats)):
            self._silence.broken()

    async def _watch(self) -> None:
        await self._silence.last(lambda: self._posting.patience)
        self._lost(TimeoutError(f"the run gave no sign of life for {self._posting.patience:g} s"))
