"""Jobs run in warm child processes of this one, and are watched there when they have limits."""

from __future__ import annotations

import contextlib
import select
import time
from collections import Counter, deque
from collections.abc import Callable, Sequence

from sinagot.engine.executors.bell import Bell
from sinagot.engine.executors.children import FOR_JOBS, ChildProcess, close_children
from sinagot.engine.executors.contract import Arrival, Chain, Lost
from sinagot.engine.executors.spares import SPARES
from sinagot.engine.executors.watch import PAUSE
from sinagot.engine.limits import Lane, lane_of
from sinagot.engine.machine import default_workers

__all__ = ["ProcessExecutor"]


class ProcessExecutor:
    """A pool of warm children on this machine.

    Parameters
    ----------
    workers : int, optional
        Number of children, at most; one for each usable core when not given.
    leaves_spares : bool
        `close` makes as many fresh children ready as there were: another executor like this one may follow soon.
    """

    ahead = 2
    here = False
    is_usable = True
    batch_seconds = 0.05
    notices: Sequence[str] = ()

    def __init__(self, workers: int | None = None, *, leaves_spares: bool = False) -> None:
        self.slots = workers or default_workers()
        self._leaves_spares = leaves_spares
        #: How many children of each number of threads there were at once.
        self._most: Counter[int | None] = Counter()
        self._children: list[ChildProcess] = []
        self._failed: list[Arrival] = []
        #: Batches that wait for a child of another kind than those that are busy.
        self._waiting: deque[tuple[int, list[Chain]]] = deque()
        self._bell: Bell | None = None
        self._was_rung = False

    def warm(self, count: int) -> None:
        """Start children while the run is being prepared: a third of a second that would be waited for."""
        self._drop_ended()
        with contextlib.suppress(OSError):  # `submit` tries again, and says what is wrong
            while len(self._children) < min(count, self.slots):
                self._add(None, FOR_JOBS)

    def waker(self) -> Callable[[], None]:
        """Give what ends a `collect` that waits, from any thread."""
        if self._bell is None:
            self._bell = Bell()
        return self._bell.ring

    def submit(self, number: int, chains: list[Chain]) -> None:
        """Give the batch to the child with the least to do; a new one while there are few."""
        self._drop_ended()
        if not self._place(number, chains):
            self._waiting.append((number, chains))

    def _place(self, number: int, chains: list[Chain]) -> bool:
        """Give a batch to a child; False when it must wait for one to be idle."""
        lane = lane_of(chains[0][0].step.settings) or Lane()
        usable = [child for child in self._children if not child.is_draining]
        alike = [] if lane.is_alone else [child for child in usable if child.threads == lane.threads]
        chosen = min(alike, key=lambda child: len(child.numbers), default=None)
        busy = sum(1 for child in usable if child.numbers)
        if (chosen is None or chosen.numbers) and busy < self.slots:
            self._make_room(usable, lane)
            try:
                chosen = self._add(lane.threads)
            except OSError as error:
                if chosen is None:
                    lost = Lost(f"no worker process can be started: {error}", usable=False)
                    self._failed.append(Arrival(number, None, lost))
                    return True
        if chosen is None:
            return False
        chosen.post(number, chains)
        return True

    def _add(self, threads: int | None, ahead: Sequence[str] = ()) -> ChildProcess:
        """Take a fresh child in."""
        child = SPARES.take((), threads, ahead)
        self._children.append(child)
        alike = sum(one.threads == threads for one in self._children)
        self._most[threads] = max(self._most[threads], alike)
        return child

    def _make_room(self, usable: list[ChildProcess], lane: Lane) -> None:
        """End an idle child of another kind when there are many."""
        idle = [child for child in usable if not child.numbers]
        if len(idle) >= self.slots:
            other = next((child for child in idle if child.threads != lane.threads), idle[0])
            self._children.remove(other)
            other.close()

    def _drop_ended(self) -> None:
        """Let go of idle children that have ended, or are about to: a batch sent there would be lost."""
        for child in list(self._children):
            if not child.numbers and (child.is_draining or child.process.poll() is not None):
                self._children.remove(child)
                child.close()

    def collect(self, timeout: float) -> list[Arrival]:
        """Give the batches that came back."""
        end = time.monotonic() + timeout
        while True:
            arrivals, self._failed = self._failed, []
            busy = {child.channel.fileno(): child for child in self._children if child.numbers}
            if arrivals or not busy:
                return arrivals
            rest = max(end - time.monotonic(), 0.0)
            arrivals += self._listen(busy, rest)
            if self._waiting:
                self._drop_ended()
                while self._waiting and self._place(*self._waiting[0]):
                    self._waiting.popleft()
            if arrivals or rest == 0.0 or self._was_rung:
                self._was_rung = False
                return arrivals

    def _listen(self, busy: dict[int, ChildProcess], timeout: float) -> list[Arrival]:
        """Hear what children say within a time, and look at their jobs that have limits."""
        arrivals: list[Arrival] = []
        poll = select.poll()
        for descriptor, child in busy.items():
            poll.register(descriptor, select.POLLIN | (select.POLLOUT if child.channel.is_waiting else 0))
        bell = self._bell
        if bell is not None:
            poll.register(bell.fileno(), select.POLLIN)
        is_watched = any(child.watch is not None for child in busy.values())
        for descriptor, state in poll.poll((min(timeout, PAUSE) if is_watched else timeout) * 1000):
            if bell is not None and descriptor == bell.fileno():
                bell.hush()
                self._was_rung = True
                continue
            child = busy.pop(descriptor)
            if state & select.POLLOUT:
                with contextlib.suppress(OSError):
                    child.channel.flush()
            if not state & ~select.POLLOUT:
                continue
            answer = child.receive()
            if isinstance(answer, Arrival):
                arrivals.append(answer)
            elif answer is not None:
                self._children.remove(child)
                child.channel.close()
                arrivals += child.lost_batches(answer)
        if is_watched:
            for child in busy.values():  # those that said something just now are looked at next time
                child.look()
        return arrivals

    def drain(self) -> None:
        """Let each child finish its running job only; what waits does not begin."""
        self._failed += [Arrival(number, [[] for _ in chains]) for number, chains in self._waiting]
        self._waiting.clear()
        for child in self._children:
            if child.numbers:
                child.drain()

    def kill(self) -> None:
        """Kill all children with what they started; what waits does not begin."""
        self._failed += [Arrival(number, [[] for _ in chains]) for number, chains in self._waiting]
        self._waiting.clear()
        for child in self._children:
            if child.numbers:
                child.kill()

    def close(self) -> None:
        """End the children."""
        children, self._children = self._children, []
        close_children(children)
        if self._leaves_spares:
            for threads, count in self._most.items():
                SPARES.keep(count, threads=threads)
        if self._bell is not None:
            self._bell.close()
            self._bell = None
