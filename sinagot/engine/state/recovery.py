"""What is made of a job whose attempt died: finished from what it had committed, or cleared away.

Knows the trace that a dead process left in its events and its stage; must not run scripts. May die itself, at any
point: whoever comes next finds the trace of the trace.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from typing import Any, NamedTuple

from sinagot.dataset.commit import Stage
from sinagot.dataset.prints import print_of
from sinagot.engine.inputs import job_look
from sinagot.engine.job import Job, JobResult, Outcome
from sinagot.engine.paths import declared_inputs, flat_paths
from sinagot.engine.state.bench import Bench
from sinagot.engine.state.commits import Committed, read_commit
from sinagot.engine.state.entries import clear_after_death, context_of, event_of, source_of
from sinagot.engine.state.history import event_path, last_event
from sinagot.engine.state.origins import prints_of, same_prints, short_path
from sinagot.engine.state.owners import Owner
from sinagot.engine.state.sidecars import drop_old_sidecars, sidecars_of
from sinagot.runlog.capture import AttemptLog
from sinagot.runlog.lines import now_utc
from sinagot.runlog.read import newest_status
from sinagot.runlog.write import RecordLog
from sinagot.scripts.codes import StepStatus

__all__ = ["heal"]

#: How many deaths in a row are followed back.
_LONGEST_TRACE = 1000


class _Words(NamedTuple):
    """The last that is known of a job's attempt, and the run it was made in."""

    run_id: str
    event: dict[str, Any]
    #: The machine may have stopped since: what is there by its name and size may be empty all the same.
    is_doubtful: bool


def heal(
    job: Job, bench: Bench, former: Owner | None, rescue: Callable[[], object] | None = None
) -> JobResult | None:
    """Finish what a dead attempt had committed, or clear it away; the claim must be ours.

    Parameters
    ----------
    job : Job
        The job.
    bench : Bench
        Of this process.
    former : Owner or None
        The dead owner of its claim; None where that is not known.
    rescue : callable, optional
        Called when nothing can be finished, before what the attempt had written is cleared away.

    Returns
    -------
    JobResult or None
        That it is done; None when its script has to run.
    """
    words = _last_words(job, bench, former)
    result = _finish(job, bench, words) if words is not None else None
    if result is None and rescue is not None:
        rescue()
    clear_after_death(job, bench)
    if result is None and former is not None:
        # Whoever takes over from us must not follow the trace to what was just cleared away.
        bench.events.append({"event": "dropped", "key": job.key, "time": now_utc()})
    return result


def _last_words(job: Job, bench: Bench, former: Owner | None) -> _Words | None:
    """Follow the trace of deaths back to what an attempt itself has left."""
    if former is None:
        return None
    writer: Any = (former.run_id, former.host, former.pid, former.boot)
    for _ in range(_LONGEST_TRACE):
        run_id, host, pid, boot = writer
        event = last_event(event_path(job.options.state_path, run_id, host, pid), job.key)
        if event is None:
            return None
        if event.get("event") != "takes":
            return _Words(str(run_id), event, boot != bench.desk.owner.boot)
        writer = event.get("from")
        if not isinstance(writer, list) or len(writer) != 4:
            return None
    return None


def _finish(job: Job, bench: Bench, words: _Words) -> JobResult | None:
    kind, event = words.event.get("event"), words.event
    if kind == Outcome.DONE:
        # After a power cut the run has compared the outputs before it planned, and has marked what is damaged.
        if (words.is_doubtful and bench.failures.has(job.key)) or not _is_in_place(job, event):
            return None
    elif kind == "commit":
        committed = read_commit(event, job.options.output_path)
        if committed is None or (words.is_doubtful and not committed.is_provable):
            return None
        if not _roll_forward(job, bench, committed):
            return None
    else:
        return None
    if kind == "commit":
        event = _record_done(job, bench, event)
    if (job.force and words.run_id != job.options.run_id) or not _is_what_would_be_made(job, event):
        return None  # it is whole, and on record; but it is to be made again
    _say_finished(job, event, words.run_id)
    bench.failures.clear(job.key)
    return JobResult(job.key, Outcome.DONE, float(event.get("duration_s", 0.0)))


def _is_in_place(job: Job, event: dict[str, Any]) -> bool:
    """Say whether the outputs of an attempt that was done are still those it made."""
    now = prints_of(job.outputs, print_of, _short(job))
    try:
        return None not in now and same_prints(event["outputs"], now)
    except (KeyError, TypeError, ValueError):
        return False


def _short(job: Job) -> Any:
    return lambda path: short_path(path, *job.options.roots)


def _roll_forward(job: Job, bench: Bench, committed: Committed) -> bool:
    """Move what was committed and waits in the stage; take back what is not whole."""
    if committed.in_place:
        return all(_has(path, size, mtime_ns) for path, size, mtime_ns in committed.files)
    stage = Stage(bench.stage_base, committed.attempt, job.options.output_path)
    stage.adopt(bench.next_attempt())
    is_whole = stage.recover(committed.files, committed.digests)
    stage.discard()
    outputs = flat_paths(job.outputs)
    if not is_whole or not all(os.path.exists(path) for path in outputs):
        return False
    drop_old_sidecars(job, tuple(final for final, *_ in committed.files))
    declared = {*outputs, *sidecars_of(job), *flat_paths(job.control)}
    extras = [final for final, *_ in committed.files if final not in declared]
    if extras:
        bench.note_extras(job.key, extras)
    return True


def _has(path: str, size: int, mtime_ns: int) -> bool:
    found = print_of(path)
    # The size of a folder counts for nothing in a commit.
    return found is not None and (not size or found == f"{size} {mtime_ns}")


def _record_done(job: Job, bench: Bench, event: dict[str, Any]) -> dict[str, Any]:
    """Write the event that the dead attempt could not."""
    origin = {name: event.get(name) for name in ("inputs", "params", "paths", "code")}
    origin["outputs"] = prints_of(job.outputs, print_of, _short(job))
    facts = {"duration_s": float(event.get("duration_s") or 0.0)}
    done = event_of(job, str(event["attempt"]), Outcome.DONE, facts, origin=origin) | {"recovered": True}
    bench.events.append(done, sync=job.options.is_full)
    return done


def _is_what_would_be_made(job: Job, event: dict[str, Any]) -> bool:
    """Say whether an attempt begun now would come from the same; an input that is gone could not be read again."""
    look = job_look(job)
    inputs = {path: look(path) for path in declared_inputs(job.inputs)}
    now = source_of(job, inputs)
    try:
        if any(event[name] != now[name] for name in ("params", "paths", "code")):
            return False
        return None in inputs.values() or same_prints(event["inputs"], now["inputs"])
    except (KeyError, TypeError, ValueError):
        return False


def _say_finished(job: Job, event: dict[str, Any], run_id: str) -> None:
    """Write the log line that the dead attempt could not."""
    attempt = str(event.get("attempt"))
    newest = newest_status(
        job.options.log.folder, job.record_id, job.step.task, job.step.modality, job.step.label
    )
    if newest is not None and newest[0] == StepStatus.DONE and newest[1].get("attempt") == attempt:
        return
    log = AttemptLog(RecordLog(job.options.log, job.record_id), context_of(job, attempt), 0, None)
    with contextlib.suppress(OSError):  # the outputs are in place and on record: that is what counts
        log.finish(
            StepStatus.DONE,
            "Run finished",
            duration_s=event.get("duration_s"),
            inputs=list(declared_inputs(job.inputs)),
            outputs=flat_paths(job.outputs),
            script_hash=event.get("code"),
            recovered=f"the process that ran it died (run {run_id}); its outputs were complete",
        )
