"""Keeps an executor busy: sends batches of chains, takes them back, settles what was lost, waits for what others hold.

Knows chains, executors and stop requests; must not know plans or ledgers. The number of batches in flight is
bounded, so that memory does not grow with the number of records.
"""

from __future__ import annotations

import itertools
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from sinagot.engine import settle
from sinagot.engine.batches import BatchSize
from sinagot.engine.executors.contract import Arrival, Executor, Lost
from sinagot.engine.job import Job, JobResult, Outcome
from sinagot.engine.stop import StopRequest

__all__ = ["Driver", "Work"]

#: Seconds between two looks at signals, waiting jobs and arrivals.
TICK = 0.2
#: Seconds between two looks at a job that another run holds.
HELD_PAUSE = 0.5
#: How often a batch is lost without a trace before its jobs are given up.
MOST_SENDS = 4

#: Batches are numbered through all runs of a process: an executor outlives a run.
_NUMBERS = itertools.count(1)


class Work(NamedTuple):
    """A chain on its way: its record and nodes in the ledger, and its jobs."""

    record: int
    nodes: tuple[int, ...]
    jobs: tuple[Job, ...]
    sends: int = 1

    def rest(self, start: int) -> Work:
        """Give what is left of the chain from a position on."""
        return self._replace(nodes=self.nodes[start:], jobs=self.jobs[start:])

    def pick(self, positions: Sequence[int]) -> Work:
        """Give some jobs of the chain, in its order."""
        nodes = tuple(self.nodes[position] for position in positions)
        return self._replace(nodes=nodes, jobs=tuple(self.jobs[position] for position in positions))


class Driver:
    """Drives one executor through one run.

    Parameters
    ----------
    executor : Executor
        Where batches go.
    stop : StopRequest
        Asked between batches.
    book : callable
        Called with a chain and the results of its jobs, from the first one on.
    """

    def __init__(
        self, executor: Executor, stop: StopRequest, book: Callable[[Work, Sequence[JobResult]], None]
    ) -> None:
        self._executor = executor
        self._stop = stop
        self._book = book
        self._size = BatchSize(executor.slots, executor.ahead, executor.batch_seconds)
        self._room = executor.slots * (1 + executor.ahead)
        self._flight: dict[int, list[Work]] = {}
        self._again: deque[Work] = deque()
        self._held: deque[tuple[float, Work]] = deque()
        self._sent = 0
        self._drained = self._killed = False
        self._usable = True

    def drive(self, works: Iterator[Work], expected: int, show: Callable[[], None]) -> bool:
        """Run all chains.

        Parameters
        ----------
        works : iterator of Work
            The chains, made as they are needed.
        expected : int
            About how many there are.
        show : callable
            Called now and then.

        Returns
        -------
        bool
            True when every chain came to an end; False after a stop, or when the place where jobs run is gone.
        """
        try:
            while self._go_on(works, max(expected - self._sent, 1)):
                show()
        except BaseException:
            if self._flight and not self._executor.here:
                self._executor.kill()
            raise
        return not self._stop.requested and self._usable

    def _go_on(self, works: Iterator[Work], left: int) -> bool:
        """Send what there is room for and take what came back; False when the run is over."""
        is_open = self._usable and not self._stop.requested
        sent = self._send_more(works, left) if is_open else False
        if self._flight:
            for arrival in self._executor.collect(0.0 if self._executor.here else TICK):
                self._receive(arrival)
            self._obey()
            return True
        if not is_open:
            return False
        if not sent and self._held:
            time.sleep(TICK)
        return sent or bool(self._held or self._again)

    def _obey(self) -> None:
        """Pass a stop on to the workers: first with grace, then without."""
        if self._stop.requested and not self._drained:
            self._drained = True
            self._executor.drain()
        if self._stop.now and not self._killed and self._flight:
            self._killed = True
            self._executor.kill()

    # -- sending

    def _send_more(self, works: Iterator[Work], left: int) -> bool:
        sent = False
        while len(self._flight) < self._room and not (sent and self._executor.here):
            batch = self._batch(works, self._size.next(left))
            if not batch:
                break
            number = next(_NUMBERS)
            self._flight[number] = batch
            self._sent += len(batch)
            self._executor.submit(number, [work.jobs for work in batch])
            sent = True
        return sent

    def _batch(self, works: Iterator[Work], count: int) -> list[Work]:
        batch: list[Work] = []
        while len(batch) < count:
            work = self._next(works)
            if work is None:
                break
            batch.append(work)
        return batch

    def _next(self, works: Iterator[Work]) -> Work | None:
        """Give the next chain: what has to be sent again, what is planned, then what others held long enough."""
        if self._again:
            return self._again.popleft()
        work = next(works, None)
        if work is None and self._held and self._held[0][0] <= time.monotonic():
            return self._held.popleft()[1]
        return work

    # -- receiving

    def _receive(self, arrival: Arrival) -> None:
        batch = self._flight.pop(arrival.number, None)
        if batch is None:
            return  # of a run that was ended before its batches came back
        if arrival.results is None:
            lost = arrival.lost or Lost("the batch was lost")
            self._usable = self._usable and lost.usable
            self._settle(batch, lost)
            return
        for work, results in zip(batch, arrival.results, strict=True):
            self._take(work, results)
        seconds = sum(result.duration for results in arrival.results for result in results)
        self._size.learn(len(batch), seconds)

    def _take(self, work: Work, results: Sequence[JobResult]) -> None:
        """Book the results of a chain; what is left of it waits."""
        is_held = bool(results) and results[-1].outcome == Outcome.HELD
        done = results[:-1] if is_held else results
        self._book(work, done)
        rest = work.rest(len(done))
        if is_held:
            self._held.append((time.monotonic() + HELD_PAUSE, rest))
        elif rest.jobs:
            self._again.append(rest)

    def _settle(self, batch: list[Work], lost: Lost) -> None:
        """Find out from the files what a lost batch did; the job that died is blamed, the rest is sent again."""
        events = settle.read_events([job for work in batch for job in work.jobs])
        # Every job is looked at: one that was blocked or had no input leaves no event, and a later one may have died.
        found = [
            [
                settle.outcome(job, events.get(job.key), lost, is_stopped=self._stop.requested)
                for job in work.jobs
            ]
            for work in batch
        ]
        # A batch that got on, or in which one is to blame, is no sign that the others can't be run.
        got_on = any(_is_over(result) for results in found for result in results)
        for work, results in zip(batch, found, strict=True):
            over = [position for position, result in enumerate(results) if _is_over(result)]
            self._book(
                work.pick(over), [result for result in results if result is not None and _is_over(result)]
            )
            rest = work.pick([position for position in range(len(results)) if position not in over])
            if not rest.jobs:
                continue
            rest = rest._replace(sends=1 if got_on else work.sends + 1)
            if rest.sends > MOST_SENDS:
                self._book(rest, [settle.give_up(job, lost, work.sends) for job in rest.jobs])
            elif any(result is not None and result.outcome == Outcome.HELD for result in results):
                self._held.append((time.monotonic() + HELD_PAUSE, rest))
            else:
                self._again.append(rest)


def _is_over(result: JobResult | None) -> bool:
    return result is not None and result.outcome != Outcome.HELD
