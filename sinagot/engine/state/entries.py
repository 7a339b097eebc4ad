"""What is written down of a job: log lines, events, marks.

Knows the job and the files that keep its history; must not know how it is executed.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from sinagot.config.quantities import seconds_text
from sinagot.dataset.commit import Published
from sinagot.dataset.moves import clear_beside
from sinagot.dataset.prints import print_of
from sinagot.dataset.sidecars import sidecar_of
from sinagot.engine.job import Cause, Job, Outcome
from sinagot.engine.paths import flat_paths
from sinagot.engine.state.bench import Bench
from sinagot.engine.state.origins import params_text, prints_of, short_path
from sinagot.engine.state.sweep import sweep
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
    "members_text",
    "note_missing",
    "note_up_to_date",
    "record_failure",
    "record_loss",
    "record_success",
    "record_superseded",
    "source_of",
]

#: Of a job for all records: how many of those it cannot read, and of its inputs, stand in a log line.
_MOST_NAMED = 20
_MOST_LISTED = 100


def clear_after_death(job: Job, bench: Bench) -> None:
    """Clear away what a dead attempt left, in its stage and beside the outputs of its job; the claim must be ours."""
    sweep(job.options.state_path, job.options.stage_base)
    outputs, extras = flat_paths(job.outputs), bench.known_extras(job.key)
    for path in (*outputs, *map(sidecar_of, outputs), *flat_paths(job.control), *extras):
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
    kind, message, traceback, where, stage = (
        str(mark.get(name, "")) for name in ("exc_type", "exc_message", "traceback", "where", "stage")
    )
    return Cause(kind, message, traceback, where, stage=stage)


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


def members_text(job: Job) -> str:
    """Say in a log line how many records a job for all of them reads, and which it cannot."""
    if job.members is None:
        return ""
    text = f": {len(job.members)} of {len(job.members) + len(job.absent)} records"
    names = ", ".join(job.absent[:_MOST_NAMED]) + (", ..." if len(job.absent) > _MOST_NAMED else "")
    return f"{text}, without {names}" if names else text


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
    origin: dict[str, Any] | None = None,
    cause: Cause | None = None,
) -> dict[str, Any]:
    """Make the event of an attempt that is over; `origin` where it has made a result."""
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
        **tries_of(job),
        "code": job.step.source.digest,
        **(origin or {}),
    }
    if cause is not None:
        event |= {"exc_type": cause.exc_type, "exc_message": cause.message[:2000], "where": cause.where}
        event |= {"stage": cause.stage} if cause.stage else {}
    return event


def source_of(job: Job, inputs: dict[str, str | None]) -> dict[str, Any]:
    """Give what a result is made from, as `sinagot.engine.state.origins.Origin` keeps it."""
    roots = job.options.roots
    return {
        "inputs": prints_of(job.inputs, inputs.get, lambda path: short_path(path, *roots)),
        "params": params_text(job.params),
        "paths": job.step.paths,
        "code": job.step.source.digest,
    }


def _origin_of(
    job: Job, published: Published, source: dict[str, Any], digests: Mapping[str, str]
) -> dict[str, Any]:
    """Give what a result came from, in the form of `sinagot.engine.state.origins.Origin`."""
    made = {path: f"{size} {mtime_ns}" for path, size, mtime_ns in published.outputs if size}
    if job.step.settings.check == "content":
        made = {path: f"{text} {digests[path]}" if path in digests else text for path, text in made.items()}

    def short(path: str) -> str:
        return short_path(path, *job.options.roots)

    return {
        **source,
        # Of a folder, and of an empty file, more has to be looked at than its size.
        "outputs": prints_of(job.outputs, lambda path: made.get(path) or print_of(path), short),
    }


def record_success(
    job: Job,
    bench: Bench,
    attempt: str,
    facts: dict[str, Any],
    inputs: dict[str, str | None],
    published: Published,
    log: AttemptLog,
    source: dict[str, Any],
    digests: Mapping[str, str],
) -> tuple[str, ...]:
    """Put an attempt on record that published its outputs: event, then log line.

    Returns
    -------
    tuple of str
        What could not be written down: the outputs are in place all the same, and that is what counts.
    """
    event = event_of(job, attempt, Outcome.DONE, facts, origin=_origin_of(job, published, source, digests))
    outputs = [path for path, *_ in published.outputs]
    return _tried(
        job,
        lambda: bench.events.append(event),
        lambda: log.finish(
            StepStatus.DONE,
            "Run finished",
            **facts,
            **tries_of(job),
            inputs=list(inputs)[: None if job.members is None else _MOST_LISTED],
            outputs=outputs,
            script_hash=job.step.source.digest,
            params=dict(job.params),
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
    retry: float | None = None,
    inputs: Mapping[str, str | None] | None = None,
) -> tuple[str, ...]:
    """Put a failed or interrupted attempt on record: mark, event, log line.

    `retry` is the number of seconds until the job is tried again in this run; `inputs` is what the attempt has read:
    as long as it is the same, another attempt is not likely to do better.

    Returns
    -------
    tuple of str
        What could not be written down.
    """
    mark = {
        "key": job.key,
        "status": int(status),
        "run_id": job.options.run_id,
        "attempt": attempt,
        "at": time.time(),
        **tries_of(job),
        "exc_type": cause.exc_type,
        "exc_message": cause.message,
        "where": cause.where,
        "traceback": cause.traceback,
    }
    if cause.stage:
        mark["stage"] = cause.stage
    if inputs is not None and job.members is None:
        mark["inputs"] = dict(inputs)
    if cause.kept:
        mark["kept"] = cause.kept
    again: dict[str, Any] = {}
    message, *more = cause.message.split("\n", 1)
    message = message or cause.exc_type
    if retry is not None:
        mark["retry_at"] = time.time() + retry
        again = {"retry_in_s": retry}
        tries = (job.step.settings.retries or 0) + 1
        message = f"{message} (try {job.tries + 1} of {tries}, again in {seconds_text(retry)})"
    outcome = Outcome.INTERRUPTED if status == StepStatus.INTERRUPTED else Outcome.FAILED
    event = event_of(job, attempt, outcome, facts, cause=cause) | again
    return _tried(
        job,
        lambda: bench.failures.set(job.key, mark),
        lambda: bench.events.append(event),
        lambda: log.finish(
            status,
            "\n".join((message, *more)),
            level="ERROR",
            **facts,
            **tries_of(job),
            **again,
            script_hash=job.step.source.digest,
            params=dict(job.params),
            exc_type=cause.exc_type,
            exc_message=cause.message,
            traceback=cause.traceback,
        ),
    )


def record_superseded(
    job: Job, bench: Bench, attempt: str, cause: Cause, facts: dict[str, float], log: AttemptLog
) -> tuple[str, ...]:
    """Put an attempt on record that lost its claim while it ran; no mark: the job is another run's to judge."""
    text = f"superseded: another run took this job over meanwhile; nothing was published ({cause.exc_type})"
    return _tried(
        job,
        lambda: bench.events.append(event_of(job, attempt, "superseded", facts, cause=cause)),
        lambda: log.finish(StepStatus.PROCESSING, text, level="WARNING", **facts),
    )


def tries_of(job: Job) -> dict[str, Any]:
    """Say which try an attempt is, where a step may have several."""
    return {"try": job.tries + 1} if job.step.settings.retries or job.tries else {}


def record_loss(
    job: Job,
    bench: Bench,
    status: StepStatus,
    cause: Cause,
    *,
    attempt: str | None = None,
    facts: dict[str, float] | None = None,
    retry: float | None = None,
) -> None:
    """Put an attempt on record whose worker died before it could; a name and facts are known when it was watched."""
    inputs = None
    with suppress(OSError):  # one that can't be looked at may be why it failed
        inputs = {path: print_of(path) for path in flat_paths(job.inputs)}
    attempt = attempt or bench.next_attempt()
    log = AttemptLog(RecordLog(job.options.log, job.record_id), context_of(job, attempt), 0, None)
    record_failure(job, bench, attempt, status, cause, facts or {}, log, retry, inputs)
