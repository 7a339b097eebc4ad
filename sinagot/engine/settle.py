"""Finds out what a lost batch did, from the files it left.

Knows events, marks and claims of one run; must not know executors. Files tell: a future or a dead child can only hint.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sinagot.engine.bench import bench_for
from sinagot.engine.claims import Held
from sinagot.engine.entries import clear_after_death, record_loss
from sinagot.engine.executors.contract import Lost
from sinagot.engine.history import iter_events
from sinagot.engine.job import Cause, Job, JobResult, Outcome
from sinagot.scripts.codes import StepStatus

__all__ = ["give_up", "outcome", "read_events"]

Event = dict[str, Any]


def read_events(jobs: Sequence[Job]) -> dict[str, Event]:
    """Read the last event of each of some jobs of one run."""
    options = jobs[0].options
    keys = {job.key for job in jobs}
    run_folder = f"{options.state_path}/runs/{options.run_id}"
    return {event["key"]: event for event in iter_events(run_folder) if event.get("key") in keys}


def outcome(job: Job, event: Event | None, lost: Lost, *, is_stopped: bool) -> JobResult | None:
    """Say what became of a job of a lost batch.

    Parameters
    ----------
    job : Job
        The job.
    event : dict, optional
        Its last event in this run.
    lost : Lost
        How its worker ended.
    is_stopped : bool
        The worker was ended by us, on request.

    Returns
    -------
    JobResult or None
        None when the job was not begun, or when its worker may still be at it.
    """
    bench = bench_for(job.options)
    claim = bench.desk.take(job.key)
    if isinstance(claim, Held):
        owner = claim.owner
        if owner is not None and owner.run_id == job.options.run_id:
            return None
        return JobResult(job.key, Outcome.HELD, by=owner.run_id if owner else None)
    try:
        if claim.taken_over:
            clear_after_death(job, bench)
        if event is not None:
            if event.get("event") == Outcome.DONE:
                bench.failures.clear(job.key)  # the worker may have died just before
            return _from_event(job, event)
        if not claim.taken_over:
            return None
        kind = "Interrupted" if is_stopped else "WorkerLostError"
        cause = Cause(kind, lost.text, "")
        record_loss(job, bench, StepStatus.INTERRUPTED if is_stopped else StepStatus.ERROR, cause)
        return JobResult(job.key, Outcome.INTERRUPTED if is_stopped else Outcome.FAILED, cause=cause)
    finally:
        bench.desk.release(claim)


def give_up(job: Job, lost: Lost, sends: int) -> JobResult:
    """Put on record that a job's batches were lost again and again before it was begun."""
    cause = Cause("WorkerLostError", f"{lost.text}; given up after {sends} tries", "")
    record_loss(job, bench_for(job.options), StepStatus.ERROR, cause)
    return JobResult(job.key, Outcome.FAILED, cause=cause)


def _from_event(job: Job, event: Event) -> JobResult:
    kind = str(event.get("event"))
    duration = float(event.get("duration_s", 0.0))
    if kind == Outcome.DONE:
        return JobResult(job.key, Outcome.DONE, duration)
    cause = Cause(str(event.get("exc_type")), str(event.get("exc_message")), "", str(event.get("where", "")))
    return JobResult(job.key, kind if kind in Outcome.BAD else Outcome.FAILED, duration, cause)
