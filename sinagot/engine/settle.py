"""Finds out what a lost batch did, from the files it left.

Knows events, marks and claims of one run; must not know executors. Files tell: a future or a dead child can only hint.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from sinagot.engine.bench import bench_for
from sinagot.engine.claims import Claim
from sinagot.engine.entries import record_loss
from sinagot.engine.executors.contract import Lost
from sinagot.engine.history import iter_events
from sinagot.engine.job import Cause, Job, JobResult, Outcome, RunOptions
from sinagot.scripts.codes import StepStatus

__all__ = ["Found", "outcome", "read"]


class Found(NamedTuple):
    """Last event of each job of a batch in this run."""

    events: dict[str, dict[str, Any]]


def read(options: RunOptions, jobs: Sequence[Job]) -> Found:
    """Read what this run's event files say of some jobs."""
    keys = {job.key for job in jobs}
    events: dict[str, dict[str, Any]] = {}
    for event in iter_events(f"{options.state_path}/runs/{options.run_id}"):
        if event.get("key") in keys:
            events[event["key"]] = event
    return Found(events)


def outcome(job: Job, found: Found, lost: Lost, *, interrupted: bool) -> JobResult | None:
    """Say what became of a job, None when it was not begun.

    Parameters
    ----------
    job : Job
        A job of the lost batch.
    found : Found
        What the event files say.
    lost : Lost
        How the worker ended.
    interrupted : bool
        The worker was ended by us, on request.
    """
    bench = bench_for(job.options)
    claim = bench.desk.take(job.key)
    if not isinstance(claim, Claim):
        if claim.owner is not None and claim.owner.run_id == job.options.run_id:
            return None  # its worker has not died yet, or another worker of this run has it
        return JobResult(job.key, Outcome.HELD, by=claim.owner.run_id if claim.owner else None)
    try:
        event = found.events.get(job.key)
        if event is not None:
            if event.get("event") == Outcome.DONE:
                bench.failures.clear(job.key)  # it may have died just before
            return _from_event(job, event)
        if not claim.taken_over:
            return None
        status = StepStatus.INTERRUPTED if interrupted else StepStatus.ERROR
        kind = "Interrupted" if interrupted else "WorkerLostError"
        cause = Cause(kind, lost.text, "")
        record_loss(job, bench, status, cause)
        return JobResult(job.key, Outcome.INTERRUPTED if interrupted else Outcome.FAILED, cause=cause)
    finally:
        bench.desk.release(claim)


def _from_event(job: Job, event: dict[str, Any]) -> JobResult:
    kind = str(event.get("event"))
    duration = float(event.get("duration_s", 0.0))
    if kind == Outcome.DONE:
        return JobResult(job.key, Outcome.DONE, duration)
    cause = Cause(str(event.get("exc_type")), str(event.get("exc_message")), "", str(event.get("where", "")))
    return JobResult(job.key, kind if kind in Outcome.BAD else Outcome.FAILED, duration, cause)
