"""Runs that were asked for, and schedules, as the API tells of them: from facts to the shape of answers.

Knows facts and shapes; must not know addresses, or where facts come from. Values of parameters are not told: they may
be secret, and the run tells what of them may be shown.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from pydantic import BaseModel

from sinagot.dashboard.answers import LaunchAnswer, RunAnswer
from sinagot.dashboard.api import plain
from sinagot.engine.accounts.runs import RunFacts
from sinagot.schedule.history.facts import Decision, Launch
from sinagot.schedule.states import ScheduleState

__all__ = [
    "LaunchesAnswer",
    "PauseAnswer",
    "ScheduleAnswer",
    "SchedulesAnswer",
    "TickAnswer",
    "TicksAnswer",
    "launch_answer",
    "run_answer",
    "schedule_answer",
    "tick_answer",
]


class LaunchesAnswer(BaseModel):
    """A part of the runs that were asked for, the last first."""

    runs: list[LaunchAnswer]
    #: Cursor of the next part; null at the end.
    next: str | None


class TickAnswer(BaseModel):
    """What was decided about a tick; of ticks that came to the same in a row, about the last of them."""

    schedule: str
    #: UTC, ISO.
    tick: str
    #: begun, fired, caught-up, queued, skipped-overlap, missed or disabled.
    verdict: str
    reason: str
    #: When, and by which service.
    time: str
    service: str
    run_id: str | None
    number: int
    first: str | None


class TicksAnswer(BaseModel):
    """A part of the decisions, the latest tick first."""

    decisions: list[TickAnswer]
    #: Cursor of the next part; null at the end.
    next: str | None


class PauseAnswer(BaseModel):
    """Since when a schedule is paused, by whom and why."""

    since: str
    user: str
    reason: str


class ScheduleAnswer(BaseModel):
    """One schedule."""

    #: That of its pipeline.
    name: str
    #: Where it is written.
    file: str
    #: Cron texts with their time zones.
    on: list[str]
    policies: dict[str, str]
    #: Why its runs can't start; empty where they can.
    unable: str
    paused: bool
    pause: PauseAnswer | None
    #: The next moments, UTC, ISO; also of one that is paused.
    next_ticks: list[str]
    #: What was decided last.
    newest: TickAnswer | None
    #: Its runs that wait or go on, the oldest first.
    open: list[LaunchAnswer]


class SchedulesAnswer(BaseModel):
    """A part of the schedules, by name."""

    total: int
    schedules: list[ScheduleAnswer]
    #: Cursor of the next part; null at the end.
    next: str | None


def _iso(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()


def launch_answer(launch: Launch) -> LaunchAnswer:
    """Tell of a run that was asked for."""
    facts = {name: getattr(launch, name) for name in LaunchAnswer.model_fields}
    for name in ("asked", "tick", "due", "began", "ended"):
        facts[name] = _iso(facts[name])
    return LaunchAnswer.model_validate(
        plain(facts | {"origin": str(launch.origin), "state": str(launch.state)})
    )


def run_answer(facts: RunFacts | None, launch: Launch | None) -> RunAnswer:
    """Tell of a run by what is on record of it; at least one of both is known."""
    told = facts._asdict() if facts is not None else {}
    if launch is not None:
        told = _from_launch(launch, facts) | told
        # Its folder is there before it says what it is.
        told |= {"state": str(launch.state), "kind": "pipeline", "launch": launch_answer(launch).model_dump()}
    return RunAnswer.model_validate(plain(told))


def _from_launch(launch: Launch, facts: RunFacts | None) -> dict[str, object]:
    """Give what is known of a run of which there is no folder yet, or will never be one."""
    if facts is not None:
        return {}
    unknown = ("duration_s", "jobs", "records", "ok", "user", "mode", "workers", "version")
    return dict.fromkeys(unknown) | {
        "run_id": launch.run_id,
        "kind": "pipeline",
        "start": _iso(launch.began),
        "end": _iso(launch.ended),
        "counts": {},
        "command": "",
        "host": launch.host,
        "pid": launch.pid,
    }


def tick_answer(decision: Decision) -> TickAnswer:
    """Tell of a decision."""
    facts = decision._asdict() | {"verdict": str(decision.verdict)}
    for name in ("tick", "time", "first"):
        facts[name] = _iso(facts[name])
    return TickAnswer.model_validate(plain(facts))


def schedule_answer(state: ScheduleState, ticks: Sequence[datetime]) -> ScheduleAnswer:
    """Tell of a schedule and its next moments."""
    pause = state.pause
    return ScheduleAnswer(
        name=plain(state.name),
        file=plain(state.file),
        on=plain(list(state.on)),
        policies=plain(dict(state.policies)),
        unable=plain(state.unable),
        paused=pause is not None,
        pause=None
        if pause is None
        else PauseAnswer(since=pause.since.isoformat(), user=plain(pause.user), reason=plain(pause.reason)),
        next_ticks=[tick.isoformat() for tick in ticks],
        newest=None if state.newest is None else tick_answer(state.newest),
        open=[launch_answer(launch) for launch in state.open],
    )
