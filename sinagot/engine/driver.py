"""Keeps an executor busy: sends batches of chains, takes them back, settles what was lost, tries again what failed.

Knows chains, executors and stop requests; must not know plans or ledgers. The number of batches in flight is
bounded, so that memory does not grow with the number of records.
"""

from __future__ import annotations

import heapq
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

from sinagot.engine import settle
from sinagot.engine.batches import BatchSize
from sinagot.engine.executors.contract import BATCH_NUMBERS, MOST_SENDS, Arrival, Executor, Lost
from sinagot.engine.job import Job, JobResult, Outcome
from sinagot.engine.limits import FailureCount, Lane
from sinagot.engine.stop import StopRequest

__all__ = ["Driver", "Work"]

#: Seconds between two looks at signals, waiting jobs and arrivals.
TICK = 0.2
#: Seconds between two looks at a job that another run holds.
HELD_PAUSE = 0.5


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


class _Late(NamedTuple):
    """Jobs that wait until it is time to try one of them again, and how they failed."""

    at: float
    number: int
    work: Work
    failed: list[tuple[Work, JobResult]]


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
    tell : callable, optional
        Called with a result that is not the last of its job.
    lanes : mapping of int to Lane
        Nodes whose jobs need a process of some kind.
    max_failures : int, optional
        Nothing new is started after so many failed jobs.
    """

    def __init__(
        self,
        executor: Executor,
        stop: StopRequest,
        book: Callable[[Work, Sequence[JobResult]], None],
        *,
        tell: Callable[[JobResult], None] = lambda result: None,
        lanes: Mapping[int, Lane] | None = None,
        max_failures: int | None = None,
    ) -> None:
        self._executor = executor
        self._stop = stop
        self._book = book
        self._size = BatchSize(executor.slots, executor.ahead, executor.batch_seconds)
        self._flight: dict[int, list[Work]] = {}
        self._again: deque[Work] = deque()
        self._held: deque[tuple[float, Work]] = deque()
        self._late: list[_Late] = []
        self._tell = tell
        self._lanes = lanes or {}
        self._failures = FailureCount(max_failures)
        self._sent = 0
        self._drained = self._killed = False
        self._usable = True
        #: Why the place where jobs run is gone, and the jobs of which is not known whether they were done.
        self._end_text = ""
        self._unknown: list[str] = []

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
            True when every chain came to an end; False after a stop or too many failures, or when the place where
            jobs run is gone.
        """
        try:
            while self._go_on(works, max(expected - self._sent, 1)):
                show()
        except BaseException:
            if self._flight:
                self._executor.kill()
            raise
        for late in self._late:
            for work, result in late.failed:  # there is no time for another try
                self._book(work, [result])
        return not self._stop.requested and self._usable and not self.is_full

    @property
    def is_full(self) -> bool:
        """So many jobs failed that nothing new was started."""
        return self._failures.is_full

    @property
    def may_go_on(self) -> bool:
        """Jobs of this run may be under way still: nobody could ask their workers to end."""
        return not self._usable or bool(self._unknown)

    def last_words(self) -> list[str]:
        """Say what the user should know when the place where jobs run is gone; nothing else."""
        if self._usable:
            return []
        words = [
            f"the run ended early: the place where jobs ran is gone: {self._end_text}; run again to go on"
        ]
        if self._unknown:
            named = ", ".join(self._unknown[:10]) + (", ..." if len(self._unknown) > 10 else "")
            words.append(
                f"not known is what became of {len(self._unknown)} job(s): {named}; "
                "their workers may still be at it, and the next run will find out"
            )
        return words

    def _go_on(self, works: Iterator[Work], left: int) -> bool:
        """Send what there is room for and take what came back; False when the run is over."""
        is_open = self._usable and not self._stop.requested and not self.is_full
        sent = self._send_more(works, left) if is_open else False
        if self._flight:
            for arrival in self._executor.collect(TICK):
                self._receive(arrival)
            self._obey()
            return True
        if not is_open:
            return False
        if not sent and (self._held or self._late):
            time.sleep(TICK)
        return sent or bool(self._held or self._again or self._late)

    def _obey(self) -> None:
        """Pass a stop on to the workers: first with grace, then without."""
        if (self._stop.requested or self.is_full) and not self._drained:
            self._drained = True
            self._executor.drain()
        if self._stop.now and not self._killed and self._flight:
            self._killed = True
            self._executor.kill()

    # -- sending

    def _send_more(self, works: Iterator[Work], left: int) -> bool:
        sent = False
        slots = self._executor.slots  # workers of a cluster come and go
        self._size.share_among(slots)
        while len(self._flight) < slots * (1 + self._executor.ahead) and not (sent and self._executor.here):
            batch = self._batch(works, self._size.next(left))
            if not batch:
                break
            number = next(BATCH_NUMBERS)
            self._flight[number] = batch
            self._sent += len(batch)
            self._executor.submit(number, [self._head(work) if self._lanes else work.jobs for work in batch])
            sent = True
        return sent

    def _batch(self, works: Iterator[Work], count: int) -> list[Work]:
        batch: list[Work] = []
        while len(batch) < count:
            work = self._next(works)
            if work is None:
                break
            if self._lanes:
                lane = self._lanes.get(work.nodes[0])
                if batch and (lane != self._lanes.get(batch[0].nodes[0]) or (lane and lane.is_alone)):
                    self._again.appendleft(work)
                    break
            batch.append(work)
        return batch

    def _head(self, work: Work) -> tuple[Job, ...]:
        """Give the jobs of a chain, from its first one on, that one process can run; the others are sent later."""
        lane = self._lanes.get(work.nodes[0])
        if lane is not None and lane.is_alone:
            return work.jobs[:1]
        count = next(
            (place for place, node in enumerate(work.nodes) if self._lanes.get(node) != lane), len(work.jobs)
        )
        return work.jobs[:count]

    def _next(self, works: Iterator[Work]) -> Work | None:
        """Give the next chain: what has to be sent again, what is planned, then what others held long enough."""
        if self._again:
            return self._again.popleft()
        if self._late and self._late[0].at <= time.monotonic():
            return heapq.heappop(self._late).work
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
            if self._usable and not lost.usable:
                self._usable, self._end_text = False, lost.text
            if lost.is_begun:
                self._settle(batch, lost)
            else:
                self._again.extend(batch)
            return
        for work, results in zip(batch, arrival.results, strict=True):
            self._take(work, results)
        seconds = sum(result.duration for results in arrival.results for result in results)
        self._size.learn(len(batch), seconds)

    def _take(self, work: Work, results: Sequence[JobResult]) -> None:
        """Book the results of a chain; what is left of it waits."""
        last = results[-1].outcome if results else None
        # Not by us: its worker was signalled from outside, as by a time limit, and lived to tell it.
        is_cut = last == Outcome.INTERRUPTED and not self._stop.requested and work.sends < MOST_SENDS
        is_held = last == Outcome.HELD or is_cut
        done = results[:-1] if is_held else results
        if is_held:
            self._tell(results[-1])
        if self._failures.is_counting or any(result.retry is not None for result in done):
            rest = self._account(work, done)
        else:
            self._book(work, done)
            rest = work.rest(len(done))
        if is_held and rest.jobs:
            rest = rest._replace(sends=rest.sends + is_cut)
            self._held.append((time.monotonic() + HELD_PAUSE, rest))
        elif rest.jobs:
            self._again.append(rest)

    def _account(self, work: Work, results: Sequence[JobResult | None]) -> Work:
        """Book what is over, put off what is tried again with what waits for it, and give the rest of the chain."""
        late = _put_off(work, results)
        over = [place for place, result in enumerate(results) if _is_over(result) and place not in late]
        booked = [result for result in map(results.__getitem__, over) if result is not None]
        for result in booked:
            self._failures.note(result)
        self._book(work.pick(over), booked)
        if late:
            failed = [
                (work.pick([place]), result)
                for place, result in enumerate(results)
                if result is not None and result.retry is not None
            ]
            for _, result in failed:
                self._tell(result)
            pause = max(result.retry or 0.0 for _, result in failed)
            again = {one.nodes[0] for one, _ in failed}
            waiting = work.pick(sorted(late))
            jobs = tuple(
                job._replace(tries=job.tries + 1) if node in again else job
                for node, job in zip(waiting.nodes, waiting.jobs, strict=True)
            )
            waiting = waiting._replace(jobs=jobs, sends=1)
            heapq.heappush(self._late, _Late(time.monotonic() + pause, next(BATCH_NUMBERS), waiting, failed))
        return work.pick(
            [place for place in range(len(work.jobs)) if place not in late and place not in over]
        )

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
        begun = [
            [job.key for result, job in zip(results, work.jobs, strict=True) if _is_lost(result)]
            for work, results in zip(batch, found, strict=True)
        ]
        for work, results, under_way in zip(batch, found, begun, strict=True):
            rest = self._account(work, results)
            if not rest.jobs:
                continue
            # What was under way may be what took its worker down; what was not begun is innocent then.
            sends = work.sends + lost.times if under_way or not any(begun) else work.sends
            rest = rest._replace(sends=sends if under_way or not got_on else 1)
            if not self._usable or self._stop.requested:
                self._unknown += under_way
            if rest.sends > MOST_SENDS:
                self._book(rest, [settle.give_up(job, lost, rest.sends - 1) for job in rest.jobs])
            elif any(result is not None and not _is_over(result) for result in results):
                self._held.append((time.monotonic() + HELD_PAUSE, rest))
            else:
                self._again.append(rest)


def _put_off(work: Work, results: Sequence[JobResult | None]) -> set[int]:
    """Find the places of jobs that are tried again, and of those whose input comes from one of them."""
    late = {place for place, result in enumerate(results) if result is not None and result.retry is not None}
    if not late:
        return late
    keys = {work.jobs[place].key for place in late}
    for place, job in enumerate(work.jobs):
        result = results[place] if place < len(results) else None
        is_open = not _is_over(result) or (result is not None and result.outcome == Outcome.BLOCKED)
        if is_open and not keys.isdisjoint(job.upstream):
            late.add(place)
            keys.add(job.key)
    return late


def _is_over(result: JobResult | None) -> bool:
    return result is not None and result.outcome not in (Outcome.HELD, Outcome.LOST)


def _is_lost(result: JobResult | None) -> bool:
    return result is not None and result.outcome == Outcome.LOST
