"""What a service tells of a schedule, as plain values.

Knows words only; `sinagot.schedule.service` gives them, the command line and pages show them.
"""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from sinagot.schedule.history.facts import Decision, Launch, Pause

__all__ = ["ScheduleState"]


class ScheduleState(NamedTuple):
    """One schedule as it stands."""

    #: Of the pipeline, and so of the schedule.
    name: str
    #: Where it is written.
    file: str
    #: Its time tables, as cron texts with their zones: ``("0 6 * * * Europe/Paris",)``.
    on: tuple[str, ...]
    #: ``overlap``, ``catchup`` and so on, as they hold; texts.
    policies: dict[str, str]
    #: Why its runs can't start, in a sentence; empty where they can.
    unable: str
    #: None where it is not paused.
    pause: Pause | None
    #: Next nominal time, UTC; None where there is none, where it is paused or unable.
    next_tick: datetime | None
    #: What was decided last; None of one that no service has seen yet.
    newest: Decision | None
    #: Its runs that are queued or go on, oldest first.
    open: tuple[Launch, ...] = ()
