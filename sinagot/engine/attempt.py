"""One attempt of one job: `run_job`, the same in every executor, and the only place that calls the user's code.

Knows a job and nothing else: claims it, looks again, runs the script into a private stage, publishes, writes down
what happened. The order of the last steps is what makes a crash harmless: publish, event, log line, mark, claim.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Collection, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from sinagot.dataset.commit import Published, Stage, written_in_place
from sinagot.dataset.moves import patiently
from sinagot.dataset.prints import print_of, same_version
from sinagot.engine.acts.inside import inside_of
from sinagot.engine.causes import cause_of, explain, packed
from sinagot.engine.inputs import Seen
from sinagot.engine.job import Job, JobResult, Outcome
from sinagot.engine.limits import limited
from sinagot.engine.memory import Memory
from sinagot.engine.meter import Meter
from sinagot.engine.obedience import ScriptStoppedBySignals, is_of_a_stop, obeying, stop_was_asked
from sinagot.engine.paths import as_paths, flat_paths, script_paths, with_parent
from sinagot.engine.retries import kinds_of, pause_before_retry, waits_for_retry
from sinagot.engine.state.aside import aside_folder, put_aside
from sinagot.engine.state.bench import Bench, bench_for
from sinagot.engine.state.claims import Claim, Held
from sinagot.engine.state.commits import note_commit
from sinagot.engine.state.entries import (
    cause_from,
    context_of,
    members_text,
    note_missing,
    record_failure,
    record_loss,
    record_success,
    record_superseded,
    source_of,
)
from sinagot.engine.state.kept import keep
from sinagot.engine.state.origins import prints_of, same_prints
from sinagot.engine.state.partial import Lacking, lacking_warning
from sinagot.engine.state.recovery import heal
from sinagot.engine.state.sidecars import drop_old_sidecars
from sinagot.errors import InputChangedError, SupersededError
from sinagot.runlog.capture import AttemptLog, capture
from sinagot.runlog.printing import Printer
from sinagot.runlog.read import newest_status
from sinagot.runlog.write import RecordLog
from sinagot.scripts.classes import load_script
from sinagot.scripts.codes import StepStatus
from sinagot.scripts.group import GroupTemplate
from sinagot.scripts.inside import InsideScript
from sinagot.scripts.modules import activated
from sinagot.scripts.program import ProgramScript

if TYPE_CHECKING:
    from sinagot.engine.state.provenance import Sidecars

__all__ = ["obeying", "run_chain", "run_job"]

#: In-place writers are told once per process and step.
_WARNED: set[str] = set()


def run_chain(
    chain: tuple[Job, ...],
    stopping: Callable[[], bool] = lambda: False,
    after_job: Callable[[JobResult], None] | None = None,
    printer: Printer | None = None,
    memory: Memory | None = None,
) -> list[JobResult]:
    """Run the jobs of one chain in order; values that are not stored pass from one to the next in `memory`.

    Returns
    -------
    list of JobResult
        As long as the chain; shorter when a job is held by another run or a stop was asked for.
    """
    results: list[JobResult] = []
    bad: set[str] = set()
    good: set[str] = set()
    memory = Memory() if memory is None else memory
    try:
        for job in chain:
            if stopping():
                break
            broken = tuple(key for key in job.upstream if key in bad)
            result = _blocked(job, broken) if broken else run_job(job, printer, done_here=good, memory=memory)
            if after_job is not None:
                after_job(result)
            results.append(result)
            if result.outcome == Outcome.HELD:
                break
            if result.outcome == Outcome.DONE:
                good.add(job.key)
            elif result.outcome not in (Outcome.DONE_ELSEWHERE, Outcome.UP_TO_DATE):
                bad.add(job.key)
    finally:
        memory.release()
    return results


def run_job(
    job: Job,
    printer: Printer | None = None,
    *,
    done_here: Collection[str] = frozenset(),
    memory: Memory | None = None,
) -> JobResult:
    """Execute one job, or find out why not.

    Parameters
    ----------
    job : Job
        What to do.
    printer : Printer, optional
        Where lines for people go; collected in the result when not given.
    done_here : collection of str
        Keys of jobs that this process has just done: of those no file needs to tell.
    memory : Memory, optional
        Values of the chain that no file holds.

    Returns
    -------
    JobResult
        With ``debug``, an exception of the script leaves instead, after the attempt is on record.
    """
    try:
        bench = bench_for(job.options)
        claim = bench.take(job)
    except OSError as error:  # no space, no permission: nothing was begun
        return JobResult(job.key, Outcome.FAILED, cause=cause_of(error, ()))
    if isinstance(claim, Held):
        return JobResult(job.key, Outcome.HELD, by=claim.owner.run_id if claim.owner else None)
    is_kept_on = False
    try:
        try:
            result = heal(job, bench, claim.former) if claim.taken_over else None
            if result is not None:
                return result
            seen = patiently(Seen, job, bench)
            result = _look_again(job, bench, claim, seen, done_here)
        except OSError as error:  # a name too long for the file system, a folder that may not be entered
            cause = cause_of(error, ())
            record_loss(job, bench, StepStatus.ERROR, cause)
            return JobResult(job.key, Outcome.FAILED, cause=cause)
        result = result or _attempt(job, bench, claim, seen, printer, memory)
        if memory is not None and not seen.outputs and result.outcome == Outcome.DONE:
            memory.hold(bench.desk, claim)
            is_kept_on = True
        return result
    finally:
        if not is_kept_on:
            bench.desk.release(claim)


def _look_again(
    job: Job, bench: Bench, claim: Claim, seen: Seen, done_here: Collection[str]
) -> JobResult | None:
    """Find out, now that nobody else can start the job, whether there is still something to do."""
    options = job.options
    mark = bench.failures.get(job.key) if seen.was_marked else None
    if mark is not None and mark.get("attempt") != job.failure and _is_of_others(job, mark):
        if mark.get("retry_at") is None:
            # Somebody else tried it since this run was planned: once is enough.
            by = mark.get("run_id")
            is_ours = by == options.run_id
            return JobResult(job.key, Outcome.FAILED, cause=cause_from(mark), by=None if is_ours else by)
        if waits_for_retry(mark):  # when it does not come to that, we do
            return JobResult(job.key, Outcome.HELD, by=mark.get("run_id"))
    if (
        (not job.force or job.former is not None)
        and not claim.taken_over
        and mark is None
        and seen.outputs
        and None not in seen.outputs.values()
        and not _is_still_outdated(job)
    ):
        found = newest_status(
            options.log.folder, job.record_id, job.step.task, job.step.modality, job.step.label
        )
        status, line = found or (None, {})
        is_of_this_run = line.get("run_id") == options.run_id
        if is_of_this_run and status == StepStatus.DONE:  # by a worker of this run that was believed lost
            return JobResult(job.key, Outcome.DONE)
        if (
            found is None or job.is_common
        ):  # brought from outside, or made just now for another task or record
            return JobResult(job.key, Outcome.UP_TO_DATE)
        by = None if is_of_this_run else line.get("run_id")  # an attempt of ours may have come too late
        return JobResult(job.key, Outcome.DONE_ELSEWHERE, by=by)
    if job.serves and all(map(partial(_is_served, bench), job.serves)):
        return JobResult(job.key, Outcome.UP_TO_DATE)  # nobody needs its value any more
    holders = {key: bench.holder(job, key) for key in job.upstream if key not in done_here}
    broken = tuple(key for key, holder in holders.items() if bench.failures.has(key) or holder == "dead")
    if broken:
        return _blocked(job, broken)
    if "live" in holders.values():
        # Another run is at the step before this one, or just looks whether it is done: ask again soon.
        return JobResult(job.key, Outcome.HELD)
    if not options.ignore_missing and None in seen.inputs.values():
        seen.wait_for_inputs(job)
    if not options.ignore_missing and None in seen.inputs.values():
        missing = tuple(path for path, found_print in seen.inputs.items() if found_print is None)
        note_missing(job, missing)
        return JobResult(job.key, Outcome.MISSING_INPUT, missing=missing)
    return None


def _is_of_others(job: Job, mark: Mapping[str, Any]) -> bool:
    """Say whether a failure is that of another run, or of another record of this one for which it was made too."""
    # Not told by a time: clocks differ, and are put right.
    if mark.get("run_id") != job.options.run_id:
        return True
    is_former_try = int(mark.get("try", 1)) <= job.tries or mark.get("status") == StepStatus.INTERRUPTED
    return job.is_common and not is_former_try


def _is_served(bench: Bench, job: Job) -> bool:
    """Say whether a job for which a value is made has been done meanwhile."""
    is_there = all(map(os.path.exists, flat_paths(job.outputs)))
    is_forced = job.force and job.former is None
    return is_there and not (is_forced or bench.failures.has(job.key) or _is_still_outdated(job))


def _is_still_outdated(job: Job) -> bool:
    """Say whether the outputs are still those that were found outdated; else another run has made them meanwhile."""
    if job.former is None:
        return False
    return same_prints(job.former, prints_of(job.outputs, print_of, str))


def _blocked(job: Job, broken: tuple[str, ...]) -> JobResult:
    return JobResult(job.key, Outcome.BLOCKED, missing=broken)


def _attempt(
    job: Job, bench: Bench, claim: Claim, seen: Seen, printer: Printer | None, memory: Memory | None
) -> JobResult:
    """Run the script and publish what it made; every way out is on record."""
    options, step = job.options, job.step
    attempt = bench.next_attempt()
    collected = printer is None and options.printing
    if collected:
        printer = Printer(options.level, collect=True)
    log = AttemptLog(RecordLog(options.log, job.record_id), context_of(job, attempt), options.level, printer)
    stage = Stage(bench.stage_base, attempt, options.output_path, bench.spares) if step.atomic else None
    if stage is not None:
        log.translate = stage.with_finals
    meter, began = Meter(), time.perf_counter()
    digests: dict[str, str] = {}
    try:
        log.line(StepStatus.INIT, "Init run", hold=True)
        log.line(StepStatus.PROCESSING, f"Processing run{members_text(job)}")
        if job.damaged:
            put_aside(job, attempt, log)
        with ScriptStoppedBySignals(), limited(job, attempt, meter):
            lacking = _call(job, bench, stage, log, memory)
        source = source_of(job, seen.inputs)
        intent = partial(note_commit, job, bench, attempt, began, source, digests=digests)
        sidecars = _sidecars(job, attempt, source, seen, began)
        published = _publish(job, bench, claim, stage, seen, intent, sidecars)
    except BaseException as error:
        if memory is not None:
            memory.error = error
        interrupted = stop_was_asked() and is_of_a_stop(error)
        is_late = bench.desk.was_taken(claim) and not options.debug
        cause = explain(error, [path for path, _ in step.source.files], stage, log.redact)
        if step.source.program is not None:
            cause = cause._replace(packed=packed(error))
        if stage is not None:
            if not (interrupted or is_late):
                cause = keep(job, attempt, stage, cause)
            stage.discard()
        status = StepStatus.INTERRUPTED if interrupted else StepStatus.ERROR
        facts = meter.facts()
        if is_late:
            # Whatever came of it came too late: what the other run makes of the job is asked for again.
            warnings = record_superseded(job, bench, attempt, cause, facts, log)
            return JobResult(job.key, Outcome.HELD, printed=_printed(printer, collected), warnings=warnings)
        retry = None if interrupted else pause_before_retry(job, cause, kinds_of(error))
        warnings = record_failure(job, bench, attempt, status, cause, facts, log, retry, seen.inputs)
        if options.debug:
            raise
        outcome = Outcome.INTERRUPTED if interrupted else Outcome.FAILED
        printed = _printed(printer, collected)
        return JobResult(
            job.key, outcome, facts["duration_s"], cause, printed=printed, warnings=warnings, retry=retry
        )
    facts = meter.facts()
    warnings = record_success(job, bench, attempt, facts, seen.inputs, published, log, source, digests)
    if seen.was_marked:
        bench.failures.clear(job.key)
    bench.partial.settle(job.key, lacking)
    warnings += lacking_warning(step.label, lacking)
    warnings += (*_in_place_warning(job, published), *(sidecars.warnings if sidecars else ()))
    return JobResult(
        job.key,
        Outcome.DONE,
        facts["duration_s"],
        printed=_printed(printer, collected),
        warnings=warnings,
        written=max([size for _, size, _ in published.outputs], default=0),
    )


def _printed(printer: Printer | None, collected: bool) -> tuple[str, ...]:
    return tuple(printer.lines) if collected and printer is not None else ()


def _call(job: Job, bench: Bench, stage: Stage | None, log: AttemptLog, memory: Memory | None) -> Lacking:
    """Make the script's object and run it: only here user code is called; give whom the result lacks."""
    options, step = job.options, job.step
    with activated(step.source), capture(log):
        script_class = load_script(step.source)
        script = script_class(
            bench.data_path,
            job.record_id,
            task=step.task,
            opts={},
            workspace_version=options.workspace_version,
        )
        script.label = step.label
        script.modality = step.modality
        script.debug = options.debug
        script._given_params = job.params
        script.status = StepStatus.PROCESSING
        script.logger = lambda: log.logger
        script.path = script_paths(
            job.inputs, job.outputs, job.control, stage.path if stage is not None else with_parent
        )
        if isinstance(script, GroupTemplate) and job.members is not None:
            script.inputs = {record_id: as_paths(paths) for record_id, paths in job.members.items()}
            script.missing = list(job.absent)
            script._again = job.again
        if isinstance(script, InsideScript):
            script.inside = inside_of(job, bench, log)
        if isinstance(script, ProgramScript):
            script.memory = memory if memory is not None else Memory()
            script.memory.aside = aside_folder(options.output_path)
        try:
            script.run()
        except SystemExit as error:
            made = stage.path if stage is not None else str
            is_whole = all(os.path.lexists(made(path)) for path in flat_paths(job.outputs))
            if error.code or options.debug or not is_whole:  # else it is another way to return
                raise
    lacking = script._left_out if isinstance(script, GroupTemplate) else {}
    bench.partial.note(job.key, lacking)  # before what lacks them is in place
    return lacking


def _publish(
    job: Job,
    bench: Bench,
    claim: Claim,
    stage: Stage | None,
    seen: Seen,
    intent: Callable[[Stage | None, tuple[tuple[str, int, int], ...]], None],
    sidecars: Sidecars | None,
) -> Published:
    """Check inputs and claim once more, then move the outputs into place."""
    finals = seen.outputs
    nonempty = bool(job.step.settings.nonempty)
    changed = [
        path
        for path, before in seen.inputs.items()
        if path not in finals and not same_version(before, print_of(path))
    ]
    if changed:
        raise InputChangedError(
            f"input changed while the script ran: {', '.join(changed)}; nothing was published",
            paths=tuple(changed),
        )

    def fence() -> None:
        if not bench.desk.is_ours(claim):
            raise SupersededError("another run took this job over meanwhile; nothing was published")

    if stage is None:
        fence()
        published = written_in_place(list(finals), flat_paths(job.control), nonempty=nonempty)
        if any(finals.values()):
            drop_old_sidecars(job)
        if sidecars is not None:
            sidecars.write()
        intent(None, published.outputs)
        return published
    noted = sidecars.stage(stage) if sidecars is not None else []
    known: set[str] | None = None

    def may_replace(path: str) -> bool:
        nonlocal known
        if known is None:
            known = bench.known_extras(job.key)
        return path in known

    def commit(files: tuple[tuple[str, int, int], ...]) -> None:
        fence()
        intent(stage, files)
        if len(noted) < len(finals) and any(finals.values()):
            drop_old_sidecars(job, noted)

    published = stage.publish(
        list(finals),
        flat_paths(job.control) + noted,
        may_replace=may_replace,
        before=finals,
        commit=commit,
        sync=job.options.is_full,
        nonempty=nonempty,
    )
    stage.release()
    if published.extras:
        bench.note_extras(job.key, published.extras)
    return published


def _sidecars(job: Job, attempt: str, source: dict[str, Any], seen: Seen, began: float) -> Sidecars | None:
    if not job.step.settings.provenance:
        return None
    from sinagot.engine.state.provenance import Sidecars  # few steps want it

    return Sidecars(job, attempt, source, seen.inputs, time.perf_counter() - began)


def _in_place_warning(job: Job, published: Published) -> tuple[str, ...]:
    if not published.in_place or not job.step.atomic:
        return ()
    name = f"{job.options.state_path}:{job.step.source.path}"
    if name in _WARNED:
        return ()
    _WARNED.add(name)
    text = (
        f"script {job.step.source.path} writes {', '.join(published.in_place)} in place instead of using "
        "self.path.output: a crash can leave it half written (set ATOMIC = False on the class if this is meant)"
    )
    return (text,)
