"""What is on record of schedules, as plain values: decisions about ticks, launches, pauses, services.

Knows words only; whoever keeps them (`sinagot.schedule.history.contract`) and whoever decides share them. All times are
aware and in UTC.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple

__all__ = ["OPEN_STATES", "Decision", "Launch", "Origin", "Pause", "ServiceFacts", "State", "Verdict"]


class Verdict(StrEnum):
    """What became of a tick."""

    #: No tick: from this moment on those of the schedule count.
    BEGUN = "begun"
    #: A run was asked for, in time.
    FIRED = "fired"
    #: A run was asked for later than it was due: nobody was there.
    CAUGHT_UP = "caught-up"
    #: A run is asked for, and waits for the one before it to end.
    QUEUED = "queued"
    #: The run before it was still going.
    SKIPPED = "skipped-overlap"
    #: Nobody was there, and the policy does not make up for it.
    MISSED = "missed"
    #: The schedule was paused, or can't run as it is configured.
    DISABLED = "disabled"


class Origin(StrEnum):
    """Who asked for a run."""

    SCHEDULE = "schedule"
    API = "api"
    HAND = "hand"


class State(StrEnum):
    """How a launch stands."""

    #: It waits for its turn.
    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    #: A stage failed, or the pipeline can't run; the message says what.
    FAILED = "failed"
    #: Somebody ended it.
    CANCELLED = "cancelled"
    #: A service was told to end while it went on.
    STOPPED = "stopped"
    #: Its program or machine died without a word.
    LOST = "lost"


#: Of a launch that is not over.
OPEN_STATES = (State.QUEUED, State.RUNNING)


class Decision(NamedTuple):
    """What was decided about a tick of a schedule, once and for all; of ticks that were missed together, one line."""

    schedule: str
    #: Nominal time, UTC. Of several, the last of them.
    tick: datetime
    verdict: Verdict
    #: Why, in a sentence.
    reason: str
    #: When it was decided, UTC.
    time: datetime
    #: Which service decided.
    service: str
    #: Of the run that was asked for.
    run_id: str | None = None
    #: Number of ticks, and the first of them.
    number: int = 1
    first: datetime | None = None


class Launch(NamedTuple):
    """One run of a pipeline that was asked for: by a tick, by the API, by hand."""

    run_id: str
    pipeline: str
    origin: Origin
    state: State
    #: When it was asked for, UTC.
    asked: datetime
    params: Mapping[str, Any] = {}
    schedule: str | None = None
    #: Nominal time of its tick, UTC.
    tick: datetime | None = None
    #: 1, 2, ...: tries of one tick, or of one request, each with a run of its own.
    attempt: int = 1
    #: Not before this time: tries again wait.
    due: datetime | None = None
    #: Name of the service that holds it.
    service: str | None = None
    #: The program that runs it.
    host: str | None = None
    boot: str | None = None
    pid: int | None = None
    #: Start time of the process, as `sinagot.engine.state.owners` writes it.
    start: str | None = None
    began: datetime | None = None
    ended: datetime | None = None
    exit_code: int | None = None
    #: How it ended, in a sentence.
    message: str = ""
    #: Grows with each change: who changes it says which version was seen.
    version: int = 0


class Pause(NamedTuple):
    """A schedule that somebody has paused."""

    schedule: str
    since: datetime
    user: str
    reason: str


class ServiceFacts(NamedTuple):
    """One service process."""

    #: Host, process and start.
    name: str
    host: str
    boot: str
    pid: int
    start: str
    since: datetime
    #: Grows while it lives: others watch it change, and compare no clocks.
    beat: int
