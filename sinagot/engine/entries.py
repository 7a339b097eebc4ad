"""What is written down of a job: log lines, events, marks.

Knows the job and the files that keep its history; must not know how it is executed.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from sinagot.dataset.commit import Fingerprint, Published
from sinagot.dataset.moves import clear_beside
from sinagot.engine.bench import Bench
from sinagot.engine.job import Cause, Job, Outcome
from sinagot.engine.paths import flat_paths
from sinagot.engine.sweep import sweep
from sinagot.runlog.capture import AttemptLog
from sinagot.runlog.lines import now_utc
from sinagot.runlog.read import newest_status
from sinagot.runlog.write import RecordLog
from sinagot.scripts.codes import StepStatus

__all__ = [
    "cause_from",
    "clear_after_death",
    "context_of",
    "event_of",
    "note_missing",
    "note_up_to_date",
    "record_failure",
    "record_loss",
    "record_success",
]


def clear_after_death(job: Job, bench: Bench) -> None:
    """Clear away what a dead attempt left, in its stage and beside the outputs of its job; the claim must be ours."""
    sweep(job.options.state_path, job.options.stage_base)
    extras = (bench.extras.get(job.key) or {}).get("paths", ())
    for path in (*flat_paths(job.outputs), *flat_paths(job.control), *extras):
        clear_beside(path)


def note_missing(job: Job, missing: tuple[str, ...]) -> None:
    """Write the log line of a job whose input is not there, unless it is the newest line already."""
    options, step = job.options, job.step
    found = newest_status(options.log.folder, job.record_id, step.task, step.modality, step.label)
    if found is not None and found[0] == StepStatus.DATA_NOT_AVAILABLE:
        return
    log = AttemptLog(RecordLog(options.log, job.record_id), context_of(job, None), 0, None)
    log.line(StepStatus.DATA_NOT_AVAILABLE, f"Input data {', '.join(missing)} not available", level="WARNING")


def cause_from(mark: dict[str, Any]) -> Cause:
    """Read the cause of a failure back from its mark."""
    texts = [str(mark.get(name, "")) for name in ("exc_type", "exc_message", "traceback", "where")]
    return Cause(*texts)


def context_of(job: Job, attempt: str | None) -> dict[str, Any]:
    """Give what all log lines of an attempt share."""
    options, step = job.options, job.step
    return {
        "workspace_version": options.workspace_version,
        "record_id": job.record_id,
        "task": step.task,
        "modality": step.modality,
        "step_label": step.label,
        "run_id": options.run_id,
        "attempt": attempt,
    }


def note_up_to_date(job: Job) -> None:
    """Say in the log that there was nothing to do (asked for by debug runs only)."""
    log = AttemptLog(RecordLog(job.options.log, job.record_id), context_of(job, None), 0, None)
    log.line(StepStatus.DONE, "Run already processed")


def event_of(
    job: Job,
    attempt: str,
    outcome: str,
    facts: dict[str, float],
    *,
    published: Published | None = None,
    inputs: dict[str, Fingerprint | None] | None = None,
    cause: Cause | None = None,
) -> dict[str, Any]:
    """Make the event of an attempt that is over."""
    event: dict[str, Any] = {
        "event": outcome,
        "key": job.key,
        "attempt": attempt,
        "time": now_utc(),
        "record_id": job.record_id,
        "task": job.step.task,
        "modality": job.step.modality,
        "step_label": job.step.label,
        **facts,
        "script_hash": job.step.source.digest,
    }
    if inputs is not None:
        event["inputs"] = {path: list(print_) for path, print_ in inputs.items() if print_ is not None}
    if published is not None:
        event["outputs"] = [list(output) for output in published.outputs]
    if cause is not None:
        event |= {"exc_type": cause.exc_type, "exc_message": cause.message[:2000], "where": cause.where}
    return event


def record_success(
    job: Job,
    bench: Bench,
    attempt: str,
    facts: dict[str, Any],
    inputs: dict[str, Fingerprint | None],
    published: Published,
    log: AttemptLog,
) -> tuple[str, ...]:
    """Put an attempt on record that published its outputs: event, then log line.

    Returns
    -------
    tuple of str
        What could not be written down: the outputs are in place all the same, and that is what counts.
    """
    event = event_of(job, attempt, Outcome.DONE, facts, published=published, inputs=inputs)
    outputs = [path for path, *_ in published.outputs]
    return _tried(
        job,
        lambda: bench.events.append(event),
        lambda: log.finish(
            StepStatus.DONE,
            "Run finished",
            **facts,
            inputs=list(inputs),
            outputs=outputs,
            script_hash=job.step.source.digest,
            params={},
        ),
    )


def _tried(job: Job, *writes: Callable[[], None]) -> tuple[str, ...]:
    """Do each of some writes; a full disk must not hide what else can be said."""
    problems = []
    for write in writes:
        try:
            write()
        except OSError as error:
            problems.append(f"{job.key}: could not be written down: {error}")
    return tuple(problems)


def record_failure(
    job: Job,
    bench: Bench,
    attempt: str,
    status: StepStatus,
    cause: Cause,
    facts: dict[str, float],
    log: AttemptLog,
) -> tuple[str, ...]:
    """Put a failed or interrupted attempt on record: mark, event, log line.

    Returns
    -------
    tuple of str
        What could not be written down.
    """
    mark = {
        "status": int(status),
        "run_id": job.options.run_id,
        "attempt": attempt,
        "at": time.time(),
        "exc_type": cause.exc_type,
        "exc_message": cause.message,
        "where": cause.where,
        "traceback": cause.traceback,
    }
    outcome = Outcome.INTERRUPTED if status == StepStatus.INTERRUPTED else Outcome.FAILED
    event = event_of(job, attempt, outcome, facts, cause=cause)
    return _tried(
        job,
        lambda: bench.failures.set(job.key, mark),
        lambda: bench.events.append(event),
        lambda: log.finish(
            status,
            cause.message or cause.exc_type,
            level="ERROR",
            **facts,
            script_hash=job.step.source.digest,
            params={},
            exc_type=cause.exc_type,
            exc_message=cause.message,
            traceback=cause.traceback,
        ),
    )


def record_loss(job: Job, bench: Bench, status: StepStatus, cause: Cause) -> None:
    """Put an attempt on record whose worker died before it could."""
    attempt = bench.next_attempt()
    log = AttemptLog(RecordLog(job.options.log, job.record_id), context_of(job, attempt), 0, None)
    record_failure(job, bench, attempt, status, cause, {}, log)
