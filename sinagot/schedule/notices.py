"""Messages about runs of schedules, as `[notify]` and the key `notify` of a pipeline say.

Knows launches, what a run has left in the state folder, and what a message holds; how it is sent is
`sinagot.workspace.notices`'s.
"""

from __future__ import annotations

import os
import threading
from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from sinagot.engine.accounts.attempts import iter_attempts
from sinagot.engine.acts.solo import solo_id
from sinagot.engine.job import Outcome
from sinagot.engine.words import OUTCOMES
from sinagot.schedule.history.facts import Launch, State
from sinagot.workspace.notices import send_message

if TYPE_CHECKING:
    from sinagot.config.settings import Configuration, NotifySettings

__all__ = ["launch_message", "tell_of"]

_OUTCOMES = {State.DONE: Outcome.DONE, State.FAILED: Outcome.FAILED, State.LOST: Outcome.FAILED}
#: Ends that somebody wanted: no failures, for who wants to hear of those alone.
_AS_WISHED = (State.DONE, State.CANCELLED)
_LONGEST = 500  # characters of a cause
#: Causes of failures in a message, and records that are named for each.
_MOST_CAUSES, _MOST_NAMED = 10, 20


def tell_of(
    launch: Launch, settings: NotifySettings, configuration: Configuration, problem: Callable[[str], object]
) -> threading.Thread:
    """Tell of a run that is over, on a thread of its own: no schedule waits for a slow server.

    Parameters
    ----------
    launch : Launch
        Of the run.
    settings : NotifySettings
        Say who is told, and when.
    configuration : Configuration
        Names the workspace.
    problem : callable
        Gets what went wrong with that, in words.

    Returns
    -------
    Thread
        It ends within the time of `settings`; who ends before it sends nothing.
    """

    def send() -> None:
        make = lambda: launch_message(launch, configuration)  # noqa: E731  (of two lines)
        for text in send_message(settings, make, ok=launch.state in _AS_WISHED):
            problem(f"run {launch.run_id}: {text}")

    thread = threading.Thread(target=send, name="sinagot-notice", daemon=True)
    thread.start()
    return thread


def launch_message(launch: Launch, configuration: Configuration) -> dict[str, Any]:
    """Give the message about a run, as plain values; the keys are those of messages about other runs, and some more."""
    outcome = _OUTCOMES.get(launch.state, Outcome.INTERRUPTED)
    counts, records, failures = _work_of(str(configuration.state_path), launch)
    tick = "" if launch.tick is None else f" for {launch.tick:%Y-%m-%d %H:%M} UTC"
    done = ", ".join(f"{count:,} {OUTCOMES[one].text}" for one, count in counts.items())
    title = (
        f"{configuration.root.name}: {launch.pipeline}{tick}: {launch.state}{f' ({done})' if done else ''}"
    )
    host = launch.host or os.uname().nodename
    tries = f", try {launch.attempt}" if launch.attempt > 1 else ""
    lines = [title, f"run {launch.run_id} on {host}: {_counted(records)}{tries}"]
    cause = launch.message.strip()[:_LONGEST]
    if cause:
        lines.append(f"{launch.state}: {cause}")
        facts = {"step": launch.pipeline, "exc_type": str(launch.state), "message": cause, "where": None}
        failures.append({**facts, "count": 1, "records": []})
    for one in failures:
        if one["records"]:
            named = ", ".join(one["records"][:5]) + (", ..." if one["count"] > 5 else "")
            first = str(one["message"]).partition("\n")[0]
            lines.append(
                f"failed: {one['step']}: {one['exc_type']}: {first} ({_counted(one['count'])}: {named})"
            )
    seconds = (launch.ended - launch.began).total_seconds() if launch.ended and launch.began else 0.0
    return {
        "event": "schedule",
        "title": title,
        "text": "\n".join(lines),
        "workspace": str(configuration.root),
        "run_id": launch.run_id,
        "ok": launch.state == State.DONE,
        "stopped_by": None,
        "records": records,
        "jobs": sum(counts.values()) or 1,
        "counts": counts or {outcome: 1},
        "duration_s": round(seconds, 3),
        "failures": failures,
        "host": host,
        "schedule": launch.schedule,
        "tick": None if launch.tick is None else launch.tick.isoformat(),
        "state": str(launch.state),
        "attempt": launch.attempt,
    }


def _counted(records: int) -> str:
    return f"{records:,} record{'' if records == 1 else 's'}"


def _work_of(state: str, launch: Launch) -> tuple[dict[str, int], int, list[dict[str, Any]]]:
    """Count what was done for records in a run, of each job the last; its own job, the pipeline, is none of them."""
    own = solo_id("pipeline", launch.pipeline)
    last: dict[tuple[Any, ...], dict[str, Any]] = {}
    for one in iter_attempts(state, launch.run_id):
        if one["record_id"] != own and one["retry_in_s"] is None:
            last[one["record_id"], one["task"], one["modality"], one["step_label"]] = one
    found = Counter(one["outcome"] for one in last.values())
    counts = {outcome: found[outcome] for outcome in Outcome.ALL if found[outcome]}
    groups: dict[tuple[Any, ...], list[str]] = {}
    for one in last.values():
        if one["outcome"] == Outcome.FAILED:
            cause = (one["step_label"], one["exc_type"], str(one["exc_message"])[:_LONGEST], one["where"])
            groups.setdefault(cause, []).append(one["record_id"])
    worst = sorted(groups.items(), key=lambda group: len(group[1]), reverse=True)[:_MOST_CAUSES]
    failures = [
        {
            **dict(zip(("step", "exc_type", "message", "where"), cause, strict=True)),
            "count": len(names),
            "records": names[:_MOST_NAMED],
        }
        for cause, names in worst
    ]
    return counts, len({record for record, *_ in last}), failures
