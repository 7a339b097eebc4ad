"""One run: survey, plan, do, account.

Knows plans and jobs as values; must not know workspaces. Nothing is written, and no executor is made, before a
job has to run: a second run over finished work costs its listings.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from itertools import chain
from typing import Any, NamedTuple

from sinagot.dataset.records import RecordIds
from sinagot.engine.attempt import obeying
from sinagot.engine.bench import close_benches
from sinagot.engine.driver import Driver, Work
from sinagot.engine.entries import note_missing, note_up_to_date
from sinagot.engine.executors.contract import Executor
from sinagot.engine.graph import RecordGraph
from sinagot.engine.history import RunFolder
from sinagot.engine.job import Cause, Job, JobResult, Outcome, RunOptions
from sinagot.engine.ledger import Ledger
from sinagot.engine.plan import PlannedJob, Verdict
from sinagot.engine.report import RunReport
from sinagot.engine.stop import StopRequest
from sinagot.engine.survey import Survey
from sinagot.engine.sweep import sweep
from sinagot.errors import StorageError
from sinagot.runlog.printing import Printer
from sinagot.scripts.sources import SourceSet

__all__ = ["Prepared", "Progress", "RunRequest", "new_run_id", "run"]


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
    rule: RecordIds
    #: Nodes that were asked for.
    selected: frozenset[int]
    options: RunOptions
    #: Called with what says whether a stop was asked for.
    lend_executor: Callable[[Callable[[], bool]], AbstractContextManager[Executor]]
    #: Called once, before the first job, with the run's folder: copies the code and gives the facts of the manifest.
    prepare: Callable[[str], Prepared]
    stop_grace: float = 10.0
    here: bool = True
    dry_run: bool = False
    progress: Callable[[Progress], None] | None = None
    #: Folders that could not be read when the records were listed.
    unread: tuple[str, ...] = ()


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
        this.report.follow(this.execute)
        return this.report
    return this.execute()


class _Run:
    """The state of one run while it goes on."""

    def __init__(self, request: RunRequest) -> None:
        self.request = request
        self.options = request.options
        self.graph = request.graph
        self.survey = Survey(
            request.graph, request.ids, request.rule, self.options.state_path, self.options.log.folder
        )
        self.ledger = Ledger(request.graph, request.ids, request.selected)
        self.folder = RunFolder(self.options.state_path, self.options.run_id)
        self.report = RunReport(self.options.run_id, self.ledger, self.folder.path)
        self.report.dry = request.dry_run
        self._printer = Printer(self.options.level)
        self._job_steps = {number: request.graph.nodes[number].job_step for number in request.selected}
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
        unread = dict.fromkeys([*self.request.unread, *self.survey.problems])
        self.report.warnings += [f"folder can't be read: {problem}" for problem in unread]
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

    def _plan(self, pending: Sequence[int]) -> Iterator[Work]:
        """Give the chains that have something to run, planned one record at a time."""
        options = self.options
        for record in pending:
            plans = self.survey.plan(
                record,
                force=options.force,
                ignore_missing=options.ignore_missing,
                selected=self.request.selected,
                is_shown=self.request.dry_run,
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
                    yield Work(record, tuple(job.node for job in running), jobs)

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
            self.ledger.reasons[record, planned.node] = planned.reasons[0].text
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

    def _book(self, work: Work, results: Sequence[JobResult]) -> None:
        """Book the results of one chain, or of its beginning."""
        for number, result in zip(work.nodes, results, strict=False):
            if result.printed:
                self._printer.replay(result.printed)
            for warning in result.warnings:
                self._warn_once(warning)
            if result.by is not None:
                self.ledger.reasons[work.record, number] = f"done by run {result.by}"
            if result.outcome == Outcome.MISSING_INPUT:
                self.ledger.reasons[work.record, number] = f"input not there: {', '.join(result.missing)}"
            if result.outcome in Outcome.BAD:
                self._book_bad(work.record, number, result)
            else:
                self.ledger.mark(work.record, number, result.outcome)

    def _book_bad(self, record: int, number: int, result: JobResult) -> None:
        before = f"the step before it failed: {', '.join(result.missing)}"
        cause = result.cause or Cause("Blocked", before, "")
        self.ledger.fail(record, self.graph.nodes[number], result.outcome, cause)
        if result.outcome == Outcome.FAILED:
            first_line = cause.message.partition("\n")[0][:120]
            self._last_failure = f"{result.key}: {cause.exc_type}: {first_line}"

    # -- driving

    def _begin(self) -> None:
        """Write down that the run begins, and with which code."""
        try:
            prepared = self.request.prepare(self.folder.path)
            sweep(self.options.state_path, self.options.stage_base)
            self.folder.begin(records=len(self.request.ids), jobs=self.ledger.total, **prepared.manifest)
        except OSError as error:
            raise StorageError(
                f"the state folder {self.options.state_path} can't be written: {error.strerror or error}; free space, "
                "or put it elsewhere with `state` (and `log`, `output`) below [path]",
                path=self.options.state_path,
            ) from error
        for number, source in prepared.sources.items():
            step = self._job_steps[number]
            self._job_steps[number] = step._replace(source=source) if step is not None else None

    def _drive(self, first: Work, works: Iterator[Work], pending: int) -> None:
        request = self.request
        here = request.here or self.options.debug
        exit_facts: dict[str, Any] = {}
        with ExitStack() as stack:
            stop = stack.enter_context(StopRequest(request.stop_grace, here=here))
            stack.enter_context(obeying(stop))
            executor = stack.enter_context(request.lend_executor(lambda: stop.requested))
            executor.warm(pending)
            self._begin()
            # The first chain was planned before the run had its own copy of the code.
            first = first._replace(jobs=tuple(self._job(first.record, number) for number in first.nodes))
            stack.callback(lambda: self.folder.end(counts=self.ledger.counts, **exit_facts))
            stack.callback(close_benches, self.options.run_id)
            driver = Driver(executor, stop, self._book)
            self._show()  # before the first job, which may take hours
            try:
                is_whole = driver.drive(chain([first], works), pending, self._show)
                if not is_whole:
                    self.ledger.close(Outcome.INTERRUPTED)
                if not is_whole and not stop.requested:
                    self._warn_once(
                        "the run ended early: the place where jobs ran is gone; run again to go on"
                    )
            finally:
                self.report.stopped_by = stop.signum
                exit_facts |= {"stopped_by": stop.signum, "ok": self.report.ok}

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
