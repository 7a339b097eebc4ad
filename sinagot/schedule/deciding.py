"""What becomes of the ticks of a schedule: pure decisions, from facts to facts.

Knows times, policies and open launches; must not know clocks, files or programs. Whoever calls `decide` claims each
choice in the history, and whoever starts launches asks `waits_for` first.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple, Protocol

from sinagot.config.quantities import seconds_text
from sinagot.schedule.history.facts import Launch, State, Verdict

if TYPE_CHECKING:
    from sinagot.config.settings import PolicySettings

__all__ = ["ON_TIME", "Choice", "Standing", "Ticks", "decide", "waits_for"]

#: A tick that is decided in less than so many seconds is on time: of one schedule there is one such tick at most.
ON_TIME = 60.0
#: A shorter grace than this would miss every tick: no service wakes without delay.
_LEAST_GRACE = 1.0
#: Missed ticks are counted so far.
MOST_COUNTED = 10_000
#: Launches of one schedule that may wait for each other.
MOST_WAITING = 100


class Ticks(Protocol):
    """The nominal times of a schedule, aware and in UTC."""

    def after(self, moment: datetime) -> Iterator[datetime]:
        """Give those after a moment, oldest first, without end where the time table has none."""

    def until(self, moment: datetime) -> Iterator[datetime]:
        """Give those at a moment and before it, newest first."""


class Choice(NamedTuple):
    """What is to become of a tick, or of several in a row."""

    #: The last of them.
    tick: datetime
    verdict: Verdict
    reason: str
    number: int = 1
    first: datetime | None = None

    @property
    def asks(self) -> bool:
        """Whether a run is asked for."""
        return self.verdict in (Verdict.FIRED, Verdict.CAUGHT_UP, Verdict.QUEUED)


class Standing(NamedTuple):
    """How a schedule stands when it is decided about."""

    #: Tick of the newest decision; None of a schedule that nobody has seen yet.
    newest: datetime | None
    #: Its launches that are queued or go on, oldest first.
    open: Sequence[Launch] = ()
    #: Why its ticks are not to run: it is paused, or can't run; empty where they are.
    barred: str = ""
    #: Ticks up to here are nobody's business: the time table is another since.
    floor: datetime | None = None
    #: Since when a service was there that could not decide: the newest tick after it is not late.
    tried: datetime | None = None


def decide(
    now: datetime, ticks: Ticks, policies: PolicySettings, standing: Standing, most: int = MOST_COUNTED
) -> list[Choice]:
    """Decide about all ticks up to now that nobody has decided about, oldest first.

    Parameters
    ----------
    now : datetime
        UTC.
    ticks : Ticks
        Of the schedule.
    policies : PolicySettings
        What it does about late and overlapping ones.
    standing : Standing
        What is known of it.
    most : int
        Ticks are counted so far; it is said where there are more.

    Returns
    -------
    list of Choice
        Ticks in a row that come to the same stand in one.
    """
    if standing.newest is None:
        return [Choice(now, Verdict.BEGUN, "seen for the first time: its ticks count from now on")]
    after = max(standing.newest, standing.floor or standing.newest)
    if after >= now:
        return []
    found = _undecided(ticks, after, now, most)
    if not found.ticks:
        return []
    if standing.barred:
        return [found.one(Verdict.DISABLED, standing.barred, len(found.ticks))]
    on_time = _on_time(found.ticks, now, policies.grace, standing.tried)
    late = found.ticks[: len(found.ticks) - len(on_time)]
    picked = _picked(late, now, policies, has_newer=bool(on_time))
    missed = len(late) - len(picked)
    choices: list[Choice] = []
    if missed:
        why = _why_missed(late[missed - 1], now, policies, bool(on_time or picked))
        choices.append(found.one(Verdict.MISSED, why, missed))
    choices += _overlapping(picked, now, policies, standing.open, is_late=True)
    going: list[Launch | Choice] = [*standing.open, *(choice for choice in choices if choice.asks)]
    return choices + _overlapping(on_time, now, policies, going, is_late=False)


class _Undecided(NamedTuple):
    """Ticks that nobody has decided about, oldest first; of very many the newest, and the first of all."""

    ticks: list[datetime]
    first: datetime
    is_all: bool

    def one(self, verdict: Verdict, reason: str, number: int) -> Choice:
        """Make one choice of the first ones."""
        if not self.is_all:
            reason = f"more than {number:,} ticks; {reason}"
        return Choice(self.ticks[number - 1], verdict, reason, number, self.first if number > 1 else None)


def _undecided(ticks: Ticks, after: datetime, now: datetime, most: int) -> _Undecided:
    found: list[datetime] = []
    for tick in ticks.until(now):
        if tick <= after:
            break
        if len(found) == most:
            return _Undecided(found[::-1], next(ticks.after(after)), False)
        found.append(tick)
    found.reverse()
    return _Undecided(found, found[0] if found else now, True)


def _age(tick: datetime, now: datetime) -> float:
    return (now - tick).total_seconds()


def _is_within(tick: datetime, now: datetime, grace: float | None) -> bool:
    return grace is None or _age(tick, now) <= max(grace, _LEAST_GRACE)


def _on_time(
    ticks: Sequence[datetime], now: datetime, grace: float | None, tried: datetime | None
) -> list[datetime]:
    found = [tick for tick in ticks if _age(tick, now) < ON_TIME and _is_within(tick, now, grace)]
    if not found and tried is not None and _is_within(ticks[-1], now, grace):
        # A service was there when it was due, and the history was not.
        return [ticks[-1]] if _age(ticks[-1], tried) < ON_TIME else []
    return found


def _picked(
    late: Sequence[datetime], now: datetime, policies: PolicySettings, *, has_newer: bool
) -> list[datetime]:
    """Choose the late ticks that are made up for: always the newest ones."""
    number = {"none": 0, "latest": 0 if has_newer else 1}.get(policies.catchup, policies.max_catchup)
    return [tick for tick in late[max(len(late) - number, 0) :] if _is_within(tick, now, policies.grace)]


def _why_missed(tick: datetime, now: datetime, policies: PolicySettings, has_newer: bool) -> str:
    if policies.catchup != "none" and not _is_within(tick, now, policies.grace):
        return f"no service has decided in time; later than its grace of {seconds_text(policies.grace or 0)}"
    told = f"no service has decided in time; catchup: {policies.catchup}"
    if policies.catchup == "latest" and has_newer:
        return f"{told}, and a newer tick runs"
    return f"{told}, max-catchup: {policies.max_catchup}" if policies.catchup == "all" else told


def _overlapping(
    ticks: Sequence[datetime],
    now: datetime,
    policies: PolicySettings,
    before: Sequence[Launch | Choice],
    *,
    is_late: bool,
) -> list[Choice]:
    """Let ticks run, wait or be skipped, each with regard to those before it."""
    # All that is made up for runs one after the other, and a tick of the same moment after it.
    in_row = policies.catchup == "all" and (
        is_late or any(isinstance(one, Choice) and one.verdict == Verdict.CAUGHT_UP for one in before)
    )
    choices: list[Choice] = []
    for tick in ticks:
        going = [*before, *(choice for choice in choices if choice.asks)]
        verdict = Verdict.CAUGHT_UP if is_late else Verdict.FIRED
        age = max(_age(tick, now), 0.0)
        reason = "in time" if age < 1 else f"{seconds_text(round(age))} after its time"
        if is_late:
            reason = f"{seconds_text(age)} late; catchup: {policies.catchup}"
        if going and policies.overlap != "allow":
            told = _told(going)
            waiting = sum(isinstance(one, Choice) or one.state == State.QUEUED for one in going)
            if policies.overlap == "skip" and not in_row:
                verdict, reason = Verdict.SKIPPED, f"{told}; overlap: skip"
            elif waiting >= MOST_WAITING:
                verdict, reason = Verdict.SKIPPED, f"{waiting} runs of it wait already"
            else:
                verdict = verdict if is_late else Verdict.QUEUED
                reason = f"{reason}; {told}"
        choices.append(Choice(tick, verdict, reason))
    return choices


def _told(going: Sequence[Launch | Choice]) -> str:
    """Say which run is before it."""
    for one in going:
        if isinstance(one, Launch) and one.state == State.RUNNING:
            return f"run {one.run_id} goes on"
    one = going[0]
    if isinstance(one, Launch):
        return f"run {one.run_id} waits"
    return f"that of {one.tick:%Y-%m-%d %H:%M} runs first"


# -- starting


def waits_for(launch: Launch, others: Iterable[Launch], overlap: str) -> Launch | None:
    """Give the open launch that has to end before this one may begin; None when it may begin.

    Parameters
    ----------
    launch : Launch
        Queued.
    others : iterable of Launch
        All that are queued or go on; itself may be among them.
    overlap : str
        Policy of its schedule.

    Notes
    -----
    What waits is in one order for all services, so no two of them wait for each other.
    """
    if launch.schedule is None:
        return None
    for other in others:
        if other.schedule != launch.schedule or other.run_id == launch.run_id:
            continue
        is_former_try = other.tick == launch.tick and other.attempt < launch.attempt
        is_before = other.state == State.RUNNING or _rank(other) < _rank(launch)
        in_row = overlap != "allow" or (_is_late(launch) and _is_late(other))
        if is_former_try or (is_before and in_row):
            return other
    return None


def _rank(launch: Launch) -> tuple[datetime, int, datetime, str]:
    return launch.tick or launch.asked, launch.attempt, launch.asked, launch.run_id


def _is_late(launch: Launch) -> bool:
    return launch.tick is not None and _age(launch.tick, launch.asked) > ON_TIME
