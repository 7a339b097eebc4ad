"""One run: survey, plan, do, account. The driver of all executors.

Knows plans, jobs and executors as values; must not know workspaces. Nothing is written, and no executor is made, before a job has
to run: a second run over finished work costs its listings.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from typing import Any, NamedTuple

from sinagot.engine import settle
from sinagot.engine.attempt import obeying
from sinagot.engine.batches import BatchSize
from sinagot.engine.bench import close_benches
from sinagot.engine.entries import note_missing, note_up_to_date
from sinagot.engine.executors.contract import Arrival, Executor, Lost
from sinagot.engine.graph import RecordGraph
from sinagot.engine.history import RunFolder
from sinagot.engine.job import Cause, Job, JobResult, Outcome, RunOptions
from sinagot.engine.ledger import Ledger
from sinagot.engine.plan import PlannedJob, Verdict
from sinagot.engine.report import RunReport
from sinagot.engine.stop import StopRequest
from sinagot.engine.survey import Survey
from sinagot.runlog.printing import Printer
from sinagot.scripts.sources import SourceSet

__all__ = ["Prepared", "Progress", "RunRequest", "new_run_id", "run"]

#: Seconds between two looks at signals, waiting jobs and arrivals.
_TICK = 0.2
#: Seconds between two looks at a job that another run holds.
_HELD_PAUSE = 0.5
#: How often the rest of a lost batch is sent again before its jobs are given up.
_MOST_RESENDS = 3


def new_run_id() -> str:
    """Give a run id that sorts by time.

    Examples
    --------
    >>> len(new_run_id()) == len("20260131T235959-0a1b2c")
    True
    """
    return f"{time.strftime('%Y%m%dT%H%M%S', time.gmtime())}-{os.urandom(3).hex()}"


class Progress(NamedTuple):
    """What a progress display needs."""

    counts: Mapping[str, int]
    total: int
    last_failure: str | None


class Prepared(NamedTuple):
    """What is made ready when a run has something to do."""

    #: Step code as this run will use it, by node.
    sources: Mapping[int, SourceSet]
    manifest: Mapping[str, Any]


class RunRequest(NamedTuple):
    """One request to execute a plan."""

    graph: RecordGraph
    ids: Sequence[str]
    values_of: Callable[[str], Mapping[str, str]]
    #: Nodes that were asked for.
    selected: frozenset[int]
    options: RunOptions
    make_executor: Callable[[Callable[[], bool]], Executor]
    #: Called once, before the first job, with the run's folder: copies the code and gives the facts of the manifest.
    prepare: Callable[[str], Prepared]
    stop_grace: float = 10.0
    here: bool = True
    dry_run: bool = False
    progress: Callable[[Progress], None] | None = None


class _Work(NamedTuple):
    """A chain on its way: where it stands in the ledger, and its jobs."""

    record: int
    nodes: tuple[int, ...]
    jobs: tuple[Job, ...]
    sent: int = 1

    def rest(self, start: int) -> _Work:
        return self._replace(nodes=self.nodes[start:], jobs=self.jobs[start:])


def run(request: RunRequest, *, background: bool = False) -> RunReport:
    """Execute a request.

    Parameters
    ----------
    request : RunRequest
        What to do.
    background : bool
        Return at once; a thread goes on and the report fills.

    Returns
    -------
    RunReport
        Every job asked for is in it with its outcome. When a signal ended the run, `stopped_by` is its number.
    """
    this = _Run(request)
    if background:
        this.report.thread = threading.Thread(target=this.execute, name="sinagot-run")
        this.report.thread.start()
        return this.report
    return this.execute()


class _Run:
    """The state of one run while it goes on."""

    def __init__(self, request: RunRequest) -> None:
        self.request = request
        self.options = request.options
        self.graph = request.graph
        self.survey = Survey(
            request.graph, request.ids, request.values_of, self.options.state_path, self.options.log.folder
        )
        self.ledger = Ledger(request.graph, request.ids, request.selected)
        self.folder = RunFolder(self.options.state_path, self.options.run_id)
        self.report = RunReport(self.options.run_id, self.ledger, self.folder.path)
        self._printer = Printer(self.options.level)
        self._job_steps = {number: request.graph.nodes[number].job_step for number in request.selected}
        self._flight: dict[int, list[_Work]] = {}
        self._sent_at: dict[int, float] = {}
        self._held: list[tuple[float, _Work]] = []
        self._again: list[_Work] = []
        self._number = 0
        self._shown = 0.0
        self._last_failure: str | None = None

    # -- the whole

    def execute(self) -> RunReport:
        start = time.perf_counter()
        pending = self._sieve()
        works = self._plan(pending)
        first = next(works, None)
        if first is not None and not self.request.dry_run:
            self._drive(first, works, len(pending))
        for _ in works:
            pass  # a dry run: planning books each job
        self.report.warnings += [f"folder can't be read: {problem}" for problem in self.survey.problems]
        self.report.duration = time.perf_counter() - start
        self._show(final=True)
        return self.report

    def _sieve(self) -> list[int]:
        """Book what is up to date by set look-ups alone; give the records that need a closer look."""
        nodes = [self.graph.nodes[number] for number in sorted(self.request.selected)]
        count = len(self.request.ids)
        if self.options.force:
            return list(range(count))
        self.ledger.mark_all(Outcome.UP_TO_DATE)
        flags = None
        for node in nodes:
            present = self.survey.present(node)
            flags = (
                bytes(present) if flags is None else bytes(a & b for a, b in zip(flags, present, strict=True))
            )
        if flags is None:
            return []
        pending = [] if flags.count(1) == count else [number for number in range(count) if not flags[number]]
        if self.survey.failed or self.survey.claims:
            marked = {
                number
                for number, record_id in enumerate(self.request.ids)
                if self.survey.is_marked(record_id)
            }
            pending = sorted(marked.union(pending))
        if self.options.debug:
            self._log_up_to_date(set(pending))
        for number in pending:
            self.ledger.unmark_record(number)
        return pending

    def _plan(self, pending: Sequence[int]) -> Iterator[_Work]:
        """Give the chains that have something to run, planned one record at a time."""
        options = self.options
        for record in pending:
            plans = self.survey.plan(
                record,
                force=options.force,
                ignore_missing=options.ignore_missing,
                selected=self.request.selected,
            )
            for planned in plans:
                running = [job for job in planned if job.verdict == Verdict.RUN]
                for job in planned:
                    if job.verdict != Verdict.RUN:
                        self._book_plan(record, job)
                    elif self.request.dry_run:
                        self._book_dry(record, job)
                if running:
                    jobs = tuple(self._job(record, job.node) for job in running)
                    yield _Work(record, tuple(job.node for job in running), jobs)

    def _job(self, record: int, number: int) -> Job:
        node = self.graph.nodes[number]
        record_id = self.request.ids[record]
        step = self._job_steps[number]
        assert step is not None
        survey = self.survey
        return Job(
            node.key(record_id),
            record_id,
            step,
            survey.paths(node.inputs, node.is_dict_in, record_id),
            survey.paths(node.outputs, node.is_dict_out, record_id),
            survey.paths(node.control, False, record_id) if node.control else None,
            tuple(self.graph.nodes[source].key(record_id) for source in node.upstream),
            self.options,
        )

    # -- booking

    def _book_plan(self, record: int, planned: PlannedJob) -> None:
        """Book a job that will not run."""
        node = self.graph.nodes[planned.node]
        if planned.verdict == Verdict.UP_TO_DATE:
            self.ledger.mark(record, planned.node, Outcome.UP_TO_DATE)
        elif planned.verdict == Verdict.BLOCKED:
            text = planned.reasons[0].text
            self.ledger.fail(record, node, Outcome.BLOCKED, Cause("Blocked", text, ""))
        else:
            self.ledger.mark(record, planned.node, Outcome.MISSING_INPUT)
            self.ledger.missing[record, planned.node] = planned.missing
            if not self.request.dry_run:
                try:
                    note_missing(self._job(record, planned.node), planned.missing)
                except OSError as error:
                    self._warn_once(f"log line of a missing input can't be written: {error}")

    def _book_dry(self, record: int, planned: PlannedJob) -> None:
        node = self.graph.nodes[planned.node]
        reasons = "; ".join(reason.text for reason in planned.reasons)
        self.report.plan.append((self.request.ids[record], node.place, reasons))

    def _warn_once(self, text: str) -> None:
        if text not in self.report.warnings:
            self.report.warnings.append(text)

    def _book(self, work: _Work, results: Sequence[JobResult]) -> None:
        """Book the results of one chain; what is left of it is asked again later."""
        for position, result in enumerate(results):
            number = work.nodes[position]
            node = self.graph.nodes[number]
            if result.printed:
                self._printer.replay(result.printed)
            for warning in result.warnings:
                self._warn_once(warning)
            if result.outcome == Outcome.HELD:
                self._held.append((time.monotonic() + _HELD_PAUSE, work.rest(position)))
                return
            if result.by is not None:
                self.ledger.elsewhere[work.record, number] = result.by
            if result.outcome == Outcome.MISSING_INPUT:
                self.ledger.missing[work.record, number] = result.missing
            if result.outcome in Outcome.BAD:
                cause = result.cause or Cause(
                    "Blocked", f"the step before it failed: {', '.join(result.missing)}", ""
                )
                self.ledger.fail(work.record, node, result.outcome, cause)
                if result.outcome == Outcome.FAILED:
                    self._last_failure = (
                        f"{result.key}: {cause.exc_type}: {cause.message.partition(chr(10))[0][:120]}"
                    )
            else:
                self.ledger.mark(work.record, number, result.outcome)

    # -- driving

    def _drive(self, first: _Work, works: Iterator[_Work], pending: int) -> None:
        request = self.request
        prepared = request.prepare(self.folder.path)
        for number, source in prepared.sources.items():
            step = self._job_steps[number]
            self._job_steps[number] = step._replace(source=source) if step is not None else None
        # The first chain was planned before the run had its own copy of the code.
        first = first._replace(jobs=tuple(self._job(first.record, number) for number in first.nodes))
        self.folder.begin(records=len(request.ids), jobs=self.ledger.total, **prepared.manifest)
        here = request.here or self.options.debug
        exit_facts: dict[str, Any] = {}
        with ExitStack() as stack:
            stop = stack.enter_context(StopRequest(request.stop_grace, here=here))
            stack.enter_context(obeying(stop))
            stack.callback(lambda: self.folder.end(counts=self.ledger.counts, **exit_facts))
            stack.callback(close_benches, self.options.run_id)
            executor = request.make_executor(lambda: stop.requested)
            try:
                self._loop(executor, stop, first, works, pending)
            finally:
                self.report.stopped_by = stop.signum
                exit_facts |= {"stopped_by": stop.signum, "ok": self.report.ok}

    def _loop(
        self, executor: Executor, stop: StopRequest, first: _Work, works: Iterator[_Work], pending: int
    ) -> None:
        size = BatchSize(executor.slots, executor.ahead)
        room = executor.slots * (1 + executor.ahead)
        waiting: list[_Work] = [first]
        left = pending
        drained = killed = exhausted = usable = False
        usable = True
        while True:
            while not stop.requested and usable and len(self._flight) < room:
                batch: list[_Work] = []
                wanted = size.next(left)
                while len(batch) < wanted:
                    work = self._next(waiting, works)
                    if work is None:
                        exhausted = True
                        break
                    batch.append(work)
                    left -= 1
                if not batch:
                    break
                self._send(executor, batch)
                if executor.here:
                    break
            arrivals = executor.collect(0.0 if executor.here else _TICK) if self._flight else []
            for arrival in arrivals:
                usable = self._receive(arrival, size, executor, stop) and usable
            self._show()
            if stop.requested and not drained:
                drained = True
                executor.drain()
            if stop.now and not killed and self._flight:
                killed = True
                executor.kill()
            if self._flight:
                continue
            if stop.requested or not usable:
                break
            if exhausted and not waiting and not self._again:
                if not self._held:
                    break
                time.sleep(_TICK)
        self._account(stop, usable)

    def _next(self, waiting: list[_Work], works: Iterator[_Work]) -> _Work | None:
        """Give the next chain: first what waited, then what is planned, then what others held long enough."""
        for source in (waiting, self._again):
            if source:
                return source.pop(0)
        work = next(works, None)
        if work is None and self._held and self._held[0][0] <= time.monotonic():
            return self._held.pop(0)[1]
        return work

    def _send(self, executor: Executor, batch: list[_Work]) -> None:
        self._number += 1
        self._flight[self._number] = batch
        self._sent_at[self._number] = time.perf_counter()
        executor.submit(self._number, [work.jobs for work in batch])

    def _receive(self, arrival: Arrival, size: BatchSize, executor: Executor, stop: StopRequest) -> bool:
        """Book a batch that came back; False when nothing can be sent there any more."""
        batch = self._flight.pop(arrival.number)
        self._sent_at.pop(arrival.number)
        if arrival.results is None:
            lost = arrival.lost or Lost("the batch was lost")
            self._settle(batch, lost, stop)
            return lost.usable
        seconds = 0.0
        for work, results in zip(batch, arrival.results, strict=True):
            self._book(work, results)
            seconds += sum(result.duration for result in results)
            done = len(results)
            if done < len(work.jobs) and not (results and results[-1].outcome == Outcome.HELD):
                self._again.append(work.rest(done))
        size.learn(len(batch), seconds)
        return True

    def _settle(self, batch: list[_Work], lost: Lost, stop: StopRequest) -> None:
        """Find out from the files what a lost batch did; blame the job whose claim its dead worker left; send the rest again."""
        found = settle.read(self.options, [job for work in batch for job in work.jobs])
        for work in batch:
            results: list[JobResult] = []
            for job in work.jobs:
                result = settle.outcome(job, found, lost, interrupted=stop.requested)
                if result is None:
                    break
                results.append(result)
            self._book(work, results)
            rest = work.rest(len(results))
            if not rest.jobs:
                continue
            if any(result.outcome in Outcome.BAD for result in results) and self._depends(rest, results):
                blocked = [JobResult(job.key, Outcome.BLOCKED, missing=job.upstream) for job in rest.jobs]
                self._book(rest, blocked)
            elif rest.sent > _MOST_RESENDS:
                cause = Cause("WorkerLostError", f"{lost.text}; given up after {rest.sent} tries", "")
                self._book(rest, [JobResult(job.key, Outcome.FAILED, cause=cause) for job in rest.jobs])
            else:
                self._again.append(rest._replace(sent=rest.sent + 1))

    @staticmethod
    def _depends(rest: _Work, results: Sequence[JobResult]) -> bool:
        bad = {result.key for result in results if result.outcome in Outcome.BAD}
        return all(bad.intersection(job.upstream) for job in rest.jobs[:1])

    def _account(self, stop: StopRequest, usable: bool) -> None:
        """Book what was asked for and not begun."""
        if stop.requested:
            self.ledger.close(Outcome.INTERRUPTED)
        elif not usable:
            self.ledger.close(Outcome.INTERRUPTED)
            self._warn_once("the run ended early: the place where jobs ran is gone; run again to go on")

    # -- showing

    def _show(self, *, final: bool = False) -> None:
        if self.request.progress is None:
            return
        now = time.monotonic()
        if final or now - self._shown >= 0.1:
            self._shown = now
            self.request.progress(Progress(self.ledger.counts, self.ledger.total, self._last_failure))

    def _log_up_to_date(self, pending: set[int]) -> None:
        """With debug, say in the log that a step was processed already."""
        for record in range(len(self.request.ids)):
            if record not in pending:
                for number in sorted(self.request.selected):
                    if not self.request.dry_run:
                        note_up_to_date(self._job(record, number))
