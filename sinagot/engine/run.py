"""One run: survey, plan, do, account.

Knows plans and jobs as values; must not know workspaces. Nothing is written, and no executor is made, before a
job has to run: a second run over finished work costs its listings.
"""

from __future__ import annotations

import time
from array import array
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from itertools import chain
from typing import Any

from sinagot.dataset.volumes import latency
from sinagot.engine.accounts.ledger import Ledger
from sinagot.engine.accounts.report import RunReport
from sinagot.engine.attempt import obeying
from sinagot.engine.barrier import Barrier
from sinagot.engine.driver import Driver, Work
from sinagot.engine.executors.contract import Executor
from sinagot.engine.ground import Ground
from sinagot.engine.job import Cause, Job, JobResult, Outcome
from sinagot.engine.limits import lane_of
from sinagot.engine.planning.graph import StepNode
from sinagot.engine.planning.groups import GroupSurvey
from sinagot.engine.planning.jobs import JobMaker
from sinagot.engine.planning.plan import PlannedJob, Verdict
from sinagot.engine.planning.survey import Survey
from sinagot.engine.request import Prepared, Progress, RunRequest
from sinagot.engine.state.begun import drop_idle
from sinagot.engine.state.entries import note_missing, note_up_to_date
from sinagot.engine.state.sweep import sweep
from sinagot.engine.stop import StopRequest
from sinagot.errors import StorageError
from sinagot.runlog.printing import Printer

__all__ = ["Prepared", "Progress", "RunRequest", "run"]

#: Records to run from which on names of files are worth forgetting.
_MANY = 1000
#: Warnings that are kept with a run.
_MOST_TOLD = 100


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
        self.ground = Ground(self.options)
        everything = partial(self._survey, request.all_ids)
        self._damaged, told = self.ground.examine(everything, is_dry=request.dry_run)
        self.survey = self._survey(lambda: request.ids)
        self.survey.add_failed(self._damaged)
        self._maker = JobMaker(self.survey, self.options, request.params_of, request.wanted)
        self.ledger = Ledger(request.graph, request.ids, request.selected, request.groups, request.only)
        self.folder = request.folder()
        self.report = RunReport(self.options.run_id, self.ledger, self.folder.path)
        self.report.dry = request.dry_run
        self.report.bind_rule(request.rule)
        self._printer = Printer(self.options.level)
        self._numbers = sorted(request.selected | request.groups)
        self._job_steps = {number: request.graph.node(number).job_step for number in self._numbers}
        self._shown = 0.0
        self._last_failure: str | None = None
        self._edited: Callable[[], Sequence[str]] = tuple
        self.report.warnings += told
        self.barrier = Barrier(
            [self.graph.node(number) for number in sorted(request.groups)],
            request.selected,
            self._survey_groups,
            lambda: latency(self.options.output_path, self.options.latency_wait),
        )

    def _survey(self, ids: Callable[[], Sequence[str]]) -> Survey:
        request, options = self.request, self.options
        records = ids()
        return Survey(
            request.graph,
            records,
            request.rule,
            options.state_path,
            options.log.folder,
            rerun=request.rerun,
            params_of=request.params_of,
            forced=request.forced,
            is_alone=len(records) == 1,
        )

    def _survey_groups(self) -> GroupSurvey:
        request, options = self.request, self.options
        survey = GroupSurvey(
            request.graph,
            request.rule,
            options.state_path,
            options.log.folder,
            rerun=request.rerun,
            params_of=request.params_of,
            forced=request.forced,
            ids_of=request.group_ids,
        )
        survey.add_failed(self._damaged)
        survey.failed_attempts = self.survey.failed_attempts
        return survey

    # -- the whole

    def execute(self) -> RunReport:
        try:
            return self._execute()
        finally:
            self._show(final=True)  # also where an exception ends it

    def _execute(self) -> RunReport:
        start = time.perf_counter()
        pending = self._sieve()
        if not self.request.dry_run:
            drop_idle(self.options.state_path, self.survey.idle_claims)
            self.survey.note_failures(pending, self.request.selected)
        if len(pending) > _MANY:
            self.survey.forget_names(self.request.selected)
        works = self._plan(pending)
        first = next(works, None)
        if first is not None and not self.request.dry_run:
            self._drive(first, works, len(pending))
        elif not self.request.dry_run:
            works = self._plan_groups()  # of the records nothing has to be done
            first = next(works, None)
            if first is not None:
                self._drive(first, works, len(self.request.groups))
        for _ in chain(works, self._plan_groups() if self.request.dry_run else ()):
            pass  # a dry run: planning books each job
        if self.request.dry_run and self.report.planned:
            from sinagot.engine.accounts.estimates import estimate  # a run that is none does not need it

            estimate(self.report, self.survey.changes.origins)
        unread = dict.fromkeys([*self.request.unread, *self.survey.problems, *self.barrier.problems])
        self.report.warnings += [f"folder can't be read: {problem}" for problem in unread]
        self.report.warnings += self.survey.decisions.warnings
        self.report.duration = time.perf_counter() - start
        return self.report

    def _sieve(self) -> Sequence[int]:
        """Book what is up to date by set look-ups alone; give the records that need a closer look."""
        nodes = [self.graph.nodes[number] for number in sorted(self.request.selected)]
        pending: Sequence[int]
        if self.request.wanted or any(self.survey.rerun_of(node) == "always" for node in nodes):
            return range(len(self.request.ids))
        self.ledger.mark_all(Outcome.UP_TO_DATE)
        watched = [node for node in nodes if node.is_kept and self.survey.rerun_of(node) == "outdated"]
        # Looking at each file tells what is there as well: where nothing differs, no folder needs to be listed.
        doubtful = self.survey.changes.find_doubtful(self.request.ids, nodes) if watched == nodes else None
        pending = self._absent(nodes) if doubtful is None or doubtful else ()
        if self.survey.failed or self.survey.claims:
            marked = {
                number
                for number, record_id in enumerate(self.request.ids)
                if self.survey.is_marked(record_id)
            }
            pending = sorted(marked.union(pending))
        if self.survey.decisions:
            decided = {
                number
                for number, record_id in enumerate(self.request.ids)
                if self.survey.decisions.speaks_of(record_id)
            }
            pending = sorted(decided.union(pending))
        if watched and doubtful != []:
            pending = sorted({*pending, *self._outdated(set(pending), watched, doubtful)})
        if watched and not self.request.dry_run:
            self.survey.changes.origins.save()
        if self.options.debug:
            self._log_up_to_date(set(pending))
        for number in pending:
            self.ledger.unmark_record(number)
        return pending

    def _absent(self, nodes: Sequence[StepNode]) -> Sequence[int]:
        """Give the records of which an output is not there."""
        flags = None
        for node in nodes:
            present = self.survey.present(node)
            flags = (
                bytes(present) if flags is None else bytes(a & b for a, b in zip(flags, present, strict=True))
            )
        if flags is None or flags.count(1) == len(flags):
            return ()
        # Four bytes a record: a list of numbers takes nine times as much.
        return array("I", [place for place, is_there in enumerate(flags) if not is_there])

    def _outdated(
        self, known: set[int], watched: Sequence[StepNode], doubtful: Sequence[int] | None
    ) -> Iterator[int]:
        """Give further records, of those in doubt, of which a result is not what would be made now."""
        ids = self.request.ids
        asked = range(len(ids)) if doubtful is None else doubtful
        unknown = [record for record in asked if record not in known] if known else asked
        for place in self.survey.changes.find_outdated([ids[record] for record in unknown], watched):
            yield unknown[place]

    def _plan(self, pending: Sequence[int]) -> Iterator[Work]:
        """Give the chains that have something to run, planned one record at a time."""
        options = self.options
        for record in pending:
            plans = self.survey.plan(
                record,
                ignore_missing=options.ignore_missing,
                selected=self.request.asked_of(record),
                wanted=self.request.wanted,
                spare=self.request.spare,
                is_shown=self.request.dry_run,
            )
            for planned in plans:
                running = self._maker.running(planned, is_dry=self.request.dry_run)
                for job in planned:
                    if job not in running:
                        self._book_plan(record, job)
                    elif self.request.dry_run:
                        self._book_dry(record, job)
                if running:
                    numbers = tuple(job.node for job in running)
                    yield Work(record, numbers, self._maker.jobs(record, numbers, self._job_steps))

    def _plan_groups(self, stop: StopRequest | None = None) -> Iterator[Work]:
        """Give the group steps that have something to do, as the records are now; a dry run, as they would be."""
        plans = self.barrier.plan(
            self.report,
            ignore_missing=self.options.ignore_missing,
            is_over=lambda: stop is None or stop.requested,
        )
        for planned in plans:
            if planned.verdict != Verdict.RUN:
                self._book_plan(0, planned)
            elif self.request.dry_run:
                self._book_dry(0, planned)
            else:
                yield Work(0, (planned.node,), (self._job(0, planned.node),))

    def _job(self, record: int, number: int) -> Job:
        node, step = self.graph.node(number), self._job_steps[number]
        assert step is not None
        record_id = self.ledger.id_of(record, number)
        if self.graph.is_group(number):
            params = self.request.params_of(node, record_id)
            return self.barrier.survey.job(node, step, self.options, params)
        return self._maker.job(record, number, step)

    def _with_copy(self, number: int, job: Job) -> Job:
        step = self._job_steps[number]
        return job if step is None else job._replace(step=step)

    # -- booking

    def _book_plan(self, record: int, planned: PlannedJob) -> None:
        """Book a job that will not run."""
        node = self.graph.node(planned.node)
        if self.request.dry_run:
            self.report.planned[record, planned.node] = planned
        if planned.verdict == Verdict.UP_TO_DATE:
            self.ledger.mark(record, planned.node, Outcome.UP_TO_DATE)
        elif planned.verdict == Verdict.EXCLUDED:
            self.ledger.mark(record, planned.node, Outcome.EXCLUDED)
            self.ledger.reasons[record, planned.node] = planned.reasons[0].text
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
        node = self.graph.node(planned.node)
        reasons = "; ".join(reason.text for reason in planned.reasons)
        self.report.plan.append((self.ledger.id_of(record, node.index), node.place, reasons))
        self.report.planned[record, planned.node] = planned

    def _warn_once(self, text: str) -> None:
        if text not in self.report.warnings:
            self.report.warnings.append(text)

    def _book(self, work: Work, results: Sequence[JobResult]) -> None:
        """Book the results of one chain, or of its beginning."""
        for number, result in zip(work.nodes, results, strict=False):
            self._tell(result)
            self._maker.remade.discard(number)
            if result.by is not None:
                self.ledger.reasons[work.record, number] = f"done by run {result.by}"
            if result.outcome == Outcome.MISSING_INPUT:
                self.ledger.reasons[work.record, number] = f"input not there: {', '.join(result.missing)}"
            if result.outcome in Outcome.BAD:
                self._book_bad(work.record, number, result)
            else:
                self.ledger.mark(work.record, number, result.outcome)
                self.ground.learn(self.graph.node(number).place, result.written)

    def _tell(self, result: JobResult) -> None:
        """Show what an attempt said."""
        if result.printed:
            self._printer.replay(result.printed)
        for warning in result.warnings:
            self._warn_once(warning)

    def _book_bad(self, record: int, number: int, result: JobResult) -> None:
        before = f"the step before it failed: {', '.join(result.missing)}"
        cause = result.cause or Cause("Blocked", before, "")
        self.ledger.fail(record, self.graph.node(number), result.outcome, cause)
        if result.outcome == Outcome.FAILED:
            first_line = cause.message.partition("\n")[0][:120]
            self._last_failure = f"{result.key}: {cause.exc_type}: {first_line}"

    # -- driving

    def _begin(self, jobs: Sequence[Job], slots: int) -> None:
        """Write down that the run begins, and with which code."""
        try:
            prepared = self.request.prepare(self.folder.path)
            sweep(self.options.state_path, self.options.stage_base)
            places = [self.graph.node(number).place for number in self._numbers]
            self.report.warnings += self.ground.enter(jobs, places, slots)
            size = {"records": len(self.request.ids), "jobs": self.ledger.total, "workers": slots}
            self.folder.begin(**size, booked=self.ledger.counts, **prepared.manifest)
        except StorageError:
            raise
        except OSError as error:
            raise StorageError(
                f"the state folder {self.options.state_path} can't be written: {error.strerror or error}; free space, "
                "or put it elsewhere with `state` (and `log`, `output`) below [path]",
                path=self.options.state_path,
            ) from error
        self._edited = prepared.edited
        for number, source in prepared.sources.items():
            step = self._job_steps[number]
            self._job_steps[number] = step._replace(source=source) if step is not None else None

    def _drive(self, first: Work, works: Iterator[Work], pending: int) -> None:
        request = self.request
        here = request.here or self.options.debug
        exit_facts: dict[str, Any] = {}
        with ExitStack() as stack:
            stop = stack.enter_context(StopRequest(request.stop_grace, here=here))
            stack.enter_context(request.hearing(stop))
            stack.enter_context(obeying(stop, request.begun))
            executor = stack.enter_context(request.lend_executor(lambda: stop.requested))
            executor.warm(pending)
            self._begin(first.jobs, executor.slots)
            # The first chain was planned before the run had its own copy of the code. What stood there then counts.
            first = first._replace(jobs=tuple(map(self._with_copy, first.nodes, first.jobs)))
            stack.callback(lambda: self._end(exit_facts))
            stack.callback(request.close)
            driver = self._driver(executor, stop)
            self._show()  # before the first job, which may take hours
            try:
                is_whole = driver.drive(chain([first], works), pending, self._show)
                if is_whole and not self.graph.is_group(first.nodes[0]):
                    # Not before: a group step reads what the records' steps have left in the end.
                    works = self._plan_groups(stop)
                    is_whole = driver.drive(works, len(self.request.groups), self._show)
                if driver.is_full and not stop.requested:
                    self._close_full(works)
                elif not is_whole:
                    self.ledger.close(Outcome.INTERRUPTED)
                for text in driver.last_words() if not stop.requested else ():
                    self._warn_once(text)
            finally:
                for text in executor.notices:
                    self._warn_once(text)
                self.report.stopped_by = stop.signum
                exit_facts |= {"stopped_by": stop.signum, "ok": self.report.ok, "may_go_on": driver.may_go_on}

    def _end(self, facts: Mapping[str, Any]) -> None:
        """Write down that the run is over, once what it did is safe."""
        for text in (*self._edited(), *self.ground.leave()):
            self._warn_once(text)
        try:
            why, told = self.report.stopped_because, self.report.warnings[:_MOST_TOLD]
            self.folder.end(counts=self.ledger.counts, stopped_because=why, warnings=told, **facts)
        except OSError as error:  # what was done is on record, job by job
            self._warn_once(f"the end of the run could not be written down: {error}")

    def _driver(self, executor: Executor, stop: StopRequest) -> Driver:
        lanes = {}
        for number, step in self._job_steps.items():
            lane = lane_of(step.settings) if step is not None and not self.options.debug else None
            if lane is not None:
                lanes[number] = lane
        return Driver(
            executor, stop, self._book, tell=self._tell, lanes=lanes, max_failures=self.options.max_failures
        )

    def _close_full(self, works: Iterator[Work]) -> None:
        """Account for what was not begun after too many failures; what needs no run is booked as it is."""
        for _ in works:
            pass
        most = self.options.max_failures
        reason = f"the run was stopped after {most} failed job{'' if most == 1 else 's'}"
        self.ledger.end_reason = reason
        self.ledger.close(Outcome.NOT_BEGUN)
        if self.ledger.counts[Outcome.NOT_BEGUN]:
            self.report.stopped_because = reason

    # -- showing

    def _show(self, *, final: bool = False) -> None:
        self.folder.note(lambda: self.ledger.counts)
        now = time.monotonic()
        if self.request.progress is not None and (final or now - self._shown >= 0.1):
            self._shown = now
            self.request.progress(Progress(self.ledger.counts, self.ledger.total, self._last_failure, final))

    def _log_up_to_date(self, pending: set[int]) -> None:
        """With debug, say in the log that a step was processed already."""
        for record in () if self.request.dry_run else range(len(self.request.ids)):
            if record not in pending:
                for number in sorted(self.request.selected):
                    note_up_to_date(self._job(record, number))
