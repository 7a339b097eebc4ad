"""What became of a run, from what its program has left: the manifest, its events, an exit code, its last words.

Knows files of runs and exit codes; must not know histories or services. Files tell, and exit codes only hint.
"""

from __future__ import annotations

import signal
from typing import Any, NamedTuple

from sinagot.engine.acts.solo import solo_id
from sinagot.engine.job import Outcome, job_key
from sinagot.engine.state.history import iter_events
from sinagot.schedule.history.facts import State

__all__ = ["CANCEL", "End", "end_of", "signal_name"]

#: Beginning of the message of a launch that goes on, and that somebody wants to end.
CANCEL = "cancelled by "
_LONGEST = 4096


class End(NamedTuple):
    """How a run ended, and why."""

    state: State
    message: str


def end_of(
    state: str,
    run_id: str,
    pipeline: str,
    manifest: dict[str, Any],
    *,
    exit_code: int | None,
    tail: str,
    wish: str,
    is_stopping: bool,
    is_restarted: bool = False,
) -> End:
    """Say what became of a run whose program has ended.

    Parameters
    ----------
    state : str
        The state folder.
    run_id, pipeline : str
        The run.
    manifest : dict
        Of the run; empty where none was written.
    exit_code : int or None
        Of the program; negative for a signal, None where nobody was there to see it.
    tail : str
        End of what it printed.
    wish : str
        Who has cancelled it, as `CANCEL` begins; else empty.
    is_stopping : bool
        The service has told it to end, because it ends itself.
    is_restarted : bool
        The machine that it ran on was started anew since: a signal that nobody answers for came with its shutdown.
    """
    words = f": {tail.strip()}" if tail.strip() else ""
    if manifest.get("end"):
        if manifest.get("ok"):
            return End(State.DONE, "")
        signum = manifest.get("stopped_by")
        if signum is None:
            return End(
                State.FAILED, _cause(state, run_id, pipeline) or words[2:][-_LONGEST:] or "a stage failed"
            )
        name = signal_name(signum)
        if is_restarted and not wish and not is_stopping:
            return End(State.LOST, f"ended by {name}, and the machine was started anew since")
        return _ended_early(wish, is_stopping, f"cancelled by {name}")
    if wish or is_stopping:
        return _ended_early(wish, is_stopping, "")
    if exit_code is None:
        return End(State.LOST, "its program ended without a word, and nobody was there to see why")
    if exit_code < 0:
        return End(State.LOST, f"its program was ended by {signal_name(-exit_code)}{words}"[:_LONGEST])
    when = "before it was on record how it ended" if manifest else "before anything ran"
    return End(State.FAILED, f"its program ended with exit code {exit_code} {when}{words}"[:_LONGEST])


def _ended_early(wish: str, is_stopping: bool, otherwise: str) -> End:
    if wish:
        return End(State.CANCELLED, wish)
    if is_stopping:
        return End(State.STOPPED, "the service was told to end it")
    return End(State.CANCELLED, otherwise)


def _cause(state: str, run_id: str, pipeline: str) -> str:
    """Give the cause of a failure, which no secret is in."""
    key = job_key(solo_id("pipeline", pipeline), None, None, pipeline.replace("/", "%2F"))
    for event in iter_events(f"{state}/runs/{run_id}"):
        if event.get("event") == Outcome.FAILED and event.get("key") == key:
            stage = f"stage {event['act']}: " if event.get("act") else ""
            return f"{stage}{event.get('exc_type')}: {event.get('exc_message')}"[:_LONGEST]
    return ""


def signal_name(number: Any) -> str:
    """Name a signal.

    Examples
    --------
    >>> signal_name(15), signal_name(99)
    ('SIGTERM', 'signal 99')
    """
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
