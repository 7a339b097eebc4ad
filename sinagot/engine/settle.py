"""Finds out what a lost batch did, from the files it left.

Knows events, marks and claims of one run; must not know executors. Files tell: a future or a dead child can only hint.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import partial
from typing import Any

from sinagot.engine.executors.contract import Lost
from sinagot.engine.job import Cause, Job, JobResult, Outcome
from sinagot.engine.retries import pause_before_retry
from sinagot.engine.state.bench import Bench, bench_for
from sinagot.engine.state.claims import Held
from sinagot.engine.state.entries import record_loss
from sinagot.engine.state.history import iter_events
from sinagot.engine.state.kept import keep_of_dead
from sinagot.engine.state.owners import Owner, bury
from sinagot.engine.state.recovery import heal
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
        None when the job was not begun. Of outcome `HELD` when another run is at it; `LOST` when it was begun and its
        worker was ended from outside, or may still be at it.
    """
    bench = bench_for(job.options)
    if event is not None and int(event.get("try", 1)) <= job.tries:
        event = None  # of a former try
    if lost.dead is not None:
        bury(*lost.dead)
    is_innocent = event is None and not (lost.blames or is_stopped)
    if is_innocent and bench.holder(job, job.key) == "dead":
        # The claim stays: whoever takes it over knows that the job was begun.
        return JobResult(job.key, Outcome.LOST)
    claim = bench.take(job)
    if isinstance(claim, Held):
        owner = claim.owner
        if owner is not None and owner.run_id == job.options.run_id:
            return JobResult(job.key, Outcome.LOST)
        return JobResult(job.key, Outcome.HELD, by=owner.run_id if owner else None)
    blame = _Blame(job, lost, is_stopped=is_stopped)
    try:
        if claim.taken_over:
            rescue = partial(blame.rescue, bench, claim.former) if event is None and not is_innocent else None
            healed = heal(job, bench, claim.former, rescue)
            if healed is not None:
                return healed
            if is_innocent:  # its process was still dying a moment ago
                return JobResult(job.key, Outcome.LOST)
        if event is not None:
            if event.get("event") == Outcome.DONE:
                bench.failures.clear(job.key)  # the worker may have died just before
            return _from_event(job, event)
        if not claim.taken_over:
            return _from_mark(job, bench)
        return blame.record(bench)
    finally:
        bench.desk.release(claim)


class _Blame:
    """That a job went down with its worker, or was ended on purpose."""

    def __init__(self, job: Job, lost: Lost, *, is_stopped: bool) -> None:
        self._job, self._lost = job, lost
        self._is_limited = lost.key == job.key
        self._is_interrupted = is_stopped and not self._is_limited
        kind = lost.exc_type if self._is_limited else "WorkerLostError"
        self._cause = Cause("Interrupted" if self._is_interrupted else kind, lost.text, "")

    def rescue(self, bench: Bench, former: Owner | None) -> None:
        """Keep what it had written, if its step says so."""
        if former is not None and not self._is_interrupted:
            self._cause = keep_of_dead(self._job, former, bench.next_attempt(), self._cause)

    def record(self, bench: Bench) -> JobResult:
        """Put it on record."""
        job, lost, cause = self._job, self._lost, self._cause
        if self._is_interrupted:
            record_loss(job, bench, StepStatus.INTERRUPTED, cause)
            return JobResult(job.key, Outcome.INTERRUPTED, cause=cause)
        retry = pause_before_retry(job, cause)
        facts, attempt = (dict(lost.facts), lost.attempt) if self._is_limited else ({}, None)
        record_loss(job, bench, StepStatus.ERROR, cause, attempt=attempt, facts=facts, retry=retry)
        return JobResult(job.key, Outcome.FAILED, facts.get("duration_s", 0.0), cause, retry=retry)


def give_up(job: Job, lost: Lost, sends: int) -> JobResult:
    """Put on record that a job's batches were lost again and again before it was begun."""
    bench = bench_for(job.options)
    cause = Cause("WorkerLostError", f"{lost.text}; given up after {sends} tries", "")
    claim = bench.take(job)
    if isinstance(claim, Held):
        record_loss(job, bench, StepStatus.ERROR, cause)
        return JobResult(job.key, Outcome.FAILED, cause=cause)
    try:
        healed = heal(job, bench, claim.former) if claim.taken_over else None
        if healed is not None:
            return healed
        record_loss(job, bench, StepStatus.ERROR, cause)
    finally:
        bench.desk.release(claim)
    return JobResult(job.key, Outcome.FAILED, cause=cause)


def _from_mark(job: Job, bench: Bench) -> JobResult | None:
    """Say that a job failed in this run, if its mark tells so; the event may be lost with the worker."""
    mark = bench.failures.get(job.key)
    if not mark or mark.get("run_id") != job.options.run_id or int(mark.get("try", 1)) <= job.tries:
        return None
    event = {"event": Outcome.FAILED, **mark}
    if mark.get("status") == StepStatus.INTERRUPTED:
        event["event"] = Outcome.INTERRUPTED
    if "retry_at" in mark:
        event["retry_in_s"] = max(float(mark["retry_at"]) - time.time(), 0.0)
    return _from_event(job, event)


def _from_event(job: Job, event: Event) -> JobResult:
    kind = str(event.get("event"))
    duration = float(event.get("duration_s", 0.0))
    if kind == Outcome.DONE:
        return JobResult(job.key, Outcome.DONE, duration)
    cause = Cause(
        str(event.get("exc_type")),
        str(event.get("exc_message")),
        "",
        str(event.get("where", "")),
        stage=str(event.get("stage") or ""),
    )
    retry = event.get("retry_in_s")
    outcome_word = kind if kind in Outcome.BAD else Outcome.FAILED
    return JobResult(
        job.key, outcome_word, duration, cause, retry=float(retry) if retry is not None else None
    )
