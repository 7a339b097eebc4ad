"""Decisions about ticks: what runs, what is made up for, what is skipped, by tables and by property."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sinagot.config.settings import PolicySettings
from sinagot.schedule.deciding import Choice, Standing, decide, waits_for
from sinagot.schedule.history.facts import Launch, Origin, State, Verdict

DAY = datetime(2026, 3, 2, tzinfo=UTC)
FIRED, CAUGHT_UP, QUEUED, SKIPPED, MISSED, DISABLED = (
    Verdict.FIRED,
    Verdict.CAUGHT_UP,
    Verdict.QUEUED,
    Verdict.SKIPPED,
    Verdict.MISSED,
    Verdict.DISABLED,
)


class Every:
    """Ticks at each whole multiple of a span."""

    def __init__(self, **span: float) -> None:
        self.span = timedelta(**span)

    def _number(self, moment: datetime) -> int:
        return (moment - DAY) // self.span

    def after(self, moment: datetime) -> Iterator[datetime]:
        """Give those after a moment."""
        number = self._number(moment)
        while True:
            number += 1
            yield DAY + number * self.span

    def until(self, moment: datetime) -> Iterator[datetime]:
        """Give those up to a moment, newest first."""
        number = self._number(moment)
        while True:
            yield DAY + number * self.span
            number -= 1


HOURLY = Every(hours=1)


def at(text: str) -> datetime:
    """Give a time of the day."""
    return datetime.fromisoformat(f"2026-03-02T{text}+00:00")


def told(choices: list[Choice]) -> list[tuple[str, Verdict, int]]:
    """Give what a table compares."""
    return [(f"{one.tick:%H:%M}", one.verdict, one.number) for one in choices]


def launch(tick: str, state: State = State.RUNNING, **facts: Any) -> Launch:
    """Make a launch of a tick that was asked for in time."""
    facts = {"asked": at(tick), **facts}
    name = facts.pop("run_id", f"run-{tick}-{facts.get('attempt', 1)}")
    return Launch(name, "p", Origin.SCHEDULE, state, schedule="p", tick=at(tick), **facts)


@pytest.mark.parametrize(
    ("rules", "now", "expected"),
    [
        (PolicySettings(), "13:30", [("12:00", MISSED, 2), ("13:00", CAUGHT_UP, 1)]),
        (PolicySettings(catchup="none"), "13:30", [("13:00", MISSED, 3)]),
        (
            PolicySettings(catchup="all"),
            "13:30",
            [("11:00", CAUGHT_UP, 1), ("12:00", CAUGHT_UP, 1), ("13:00", CAUGHT_UP, 1)],
        ),
        (
            PolicySettings(catchup="all", max_catchup=2),
            "13:30",
            [("11:00", MISSED, 1), ("12:00", CAUGHT_UP, 1), ("13:00", CAUGHT_UP, 1)],
        ),
        # Where a tick is on time, it is the one that runs.
        (PolicySettings(), "13:00:20", [("12:00", MISSED, 2), ("13:00", FIRED, 1)]),
        (
            PolicySettings(catchup="all"),
            "13:00:20",
            [("11:00", CAUGHT_UP, 1), ("12:00", CAUGHT_UP, 1), ("13:00", QUEUED, 1)],
        ),
        (
            PolicySettings(catchup="all", overlap="allow"),
            "13:00:20",
            [("11:00", CAUGHT_UP, 1), ("12:00", CAUGHT_UP, 1), ("13:00", FIRED, 1)],
        ),
        # What is later than its grace never runs.
        (PolicySettings(grace=900), "13:30", [("13:00", MISSED, 3)]),
        (PolicySettings(grace=3600), "13:30", [("12:00", MISSED, 2), ("13:00", CAUGHT_UP, 1)]),
        (
            PolicySettings(catchup="all", grace=5400),
            "13:30",
            [("11:00", MISSED, 1), ("12:00", CAUGHT_UP, 1), ("13:00", CAUGHT_UP, 1)],
        ),
        (PolicySettings(grace=30), "13:00:45", [("13:00", MISSED, 3)]),
        (PolicySettings(grace=0), "13:00:00.4", [("12:00", MISSED, 2), ("13:00", FIRED, 1)]),
    ],
)
def test_a_service_that_was_away_makes_up_as_the_policy_says(
    rules: Any, now: str, expected: list[Any]
) -> None:
    """Stopped after 10:00 and started again: each tick between comes to what catchup and grace say."""
    assert told(decide(at(now), HOURLY, rules, Standing(at("10:00")))) == expected


def test_what_is_seen_for_the_first_time_begins_now() -> None:
    """A new schedule makes up for nothing: one decision says since when its ticks count."""
    first = decide(at("13:30"), HOURLY, PolicySettings(), Standing(None))
    assert told(first) == [("13:30", Verdict.BEGUN, 1)]
    assert decide(at("13:59"), HOURLY, PolicySettings(), Standing(at("13:30"))) == []
    assert told(decide(at("14:00"), HOURLY, PolicySettings(), Standing(at("13:30")))) == [("14:00", FIRED, 1)]


@pytest.mark.parametrize(
    "rules", [PolicySettings(), PolicySettings(catchup="all"), PolicySettings(overlap="allow")]
)
def test_a_barred_schedule_runs_nothing_and_makes_up_for_nothing(rules: Any) -> None:
    """Ticks of a paused schedule are one decision, with the reason, and are decided for good."""
    found = decide(at("13:30"), HOURLY, rules, Standing(at("10:00"), barred="paused by ann: rebuilding"))
    assert told(found) == [("13:00", DISABLED, 3)]
    assert (found[0].reason, found[0].first) == ("paused by ann: rebuilding", at("11:00"))
    assert decide(at("13:30"), HOURLY, rules, Standing(found[0].tick)) == []


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        (PolicySettings(), [("14:00", SKIPPED, 1)]),
        (PolicySettings(overlap="queue"), [("14:00", QUEUED, 1)]),
        (PolicySettings(overlap="allow"), [("14:00", FIRED, 1)]),
    ],
)
def test_overlap_is_what_the_policy_says(rules: Any, expected: list[Any]) -> None:
    """A tick while the run before goes on is skipped, waits, or runs beside it; the reason names that run."""
    found = decide(at("14:00"), HOURLY, rules, Standing(at("13:00"), [launch("13:00")]))
    assert told(found) == expected
    assert ("run-13:00-1" in found[0].reason) is (rules.overlap != "allow")


def test_a_queue_has_an_end() -> None:
    """Where a hundred runs of a schedule wait already, the next tick is skipped."""
    waiting = [launch("10:00", State.QUEUED, run_id=f"r{number}") for number in range(100)]
    found = decide(at("14:00"), HOURLY, PolicySettings(overlap="queue"), Standing(at("13:00"), waiting))
    assert told(found) == [("14:00", SKIPPED, 1)]


def test_a_clock_set_forward_a_year_starts_no_storm() -> None:
    """Half a million missed ticks come to one run and one decision about the rest, and are not counted one by one."""
    asked: list[datetime] = []

    class Counted(Every):
        def until(self, moment: datetime) -> Iterator[datetime]:
            for tick in super().until(moment):
                asked.append(tick)
                yield tick

    now = DAY + timedelta(days=365, minutes=31)
    missed, fired = decide(now, Counted(minutes=1), PolicySettings(), Standing(DAY))
    assert (missed.verdict, missed.number, missed.first) == (MISSED, 9_999, DAY + timedelta(minutes=1))
    assert "more than 9,999" in missed.reason
    assert (fired.verdict, fired.tick) == (FIRED, now)
    assert len(asked) <= 10_001


def test_a_clock_set_back_decides_nothing_again() -> None:
    """At or before the newest decided tick nothing is ever decided."""
    assert decide(at("12:30"), HOURLY, PolicySettings(), Standing(at("14:00"))) == []
    assert told(decide(at("15:00"), HOURLY, PolicySettings(), Standing(at("14:00")))) == [("15:00", FIRED, 1)]


def test_a_time_table_that_is_another_since_counts_from_there() -> None:
    """What a changed time table would have asked for before it was changed is nobody's business."""
    facts = Standing(at("10:00"), floor=at("12:30"))
    assert decide(at("12:59"), HOURLY, PolicySettings(), facts) == []
    assert told(decide(at("13:00"), HOURLY, PolicySettings(), facts)) == [("13:00", FIRED, 1)]


@pytest.mark.parametrize("catchup", ["none", "latest"])
def test_a_tick_that_could_not_be_put_on_record_is_not_late(catchup: str) -> None:
    """A service that was there when a tick was due, while the history was away, runs it when it is back."""
    facts = Standing(at("13:00"), tried=at("14:00:00.2"))
    found = decide(at("14:07"), HOURLY, PolicySettings(catchup=catchup), facts)
    assert told(found) == [("14:00", FIRED, 1)]
    facts = Standing(at("13:00"), tried=at("15:30"))
    assert told(decide(at("15:31"), HOURLY, PolicySettings(catchup="none"), facts)) == [("15:00", MISSED, 2)]


def _an_hour(rules: Any, *, seconds: float = 75) -> tuple[list[Verdict], list[tuple[float, float]], int]:
    """Play an hour of a run of 75 s every minute; give verdicts, when runs went on, and how many waited at last."""
    minutes, now = Every(minutes=1), DAY
    newest, verdicts = DAY - timedelta(seconds=1), list[Verdict]()
    open_: list[Launch] = []
    spans: dict[str, tuple[float, float]] = {}
    while now < DAY + timedelta(hours=1):
        open_ = [one for one in open_ if one.began is None or now < one.began + timedelta(seconds=seconds)]
        for choice in decide(now, minutes, rules, Standing(newest, open_)):
            newest = choice.tick
            verdicts.append(choice.verdict)
            if choice.asks:
                open_.append(
                    launch("00:00", State.QUEUED, run_id=str(len(verdicts)))._replace(
                        tick=choice.tick, asked=now
                    )
                )
        for at_, one in enumerate(open_):
            if one.state == State.QUEUED and waits_for(one, open_, rules.overlap) is None:
                open_[at_] = one._replace(state=State.RUNNING, began=now)
                begin = (now - DAY).total_seconds()
                spans[one.run_id] = begin, begin + seconds
        now += timedelta(seconds=5)
    return verdicts, sorted(spans.values()), sum(one.state == State.QUEUED for one in open_)


@pytest.mark.parametrize(
    ("overlap", "counts", "side_by_side"),
    [
        ("skip", {FIRED: 30, SKIPPED: 30}, 1),
        # The first is alone; the others queue behind it, and one more waits every five minutes.
        ("queue", {FIRED: 1, QUEUED: 59}, 1),
        ("allow", {FIRED: 60}, 2),
    ],
)
def test_a_run_longer_than_its_interval(overlap: str, counts: dict[Verdict, int], side_by_side: int) -> None:
    """75 s every minute for an hour: skipped every other time, one after the other, or two at a time."""
    verdicts, spans, waiting = _an_hour(PolicySettings(overlap=overlap))
    assert {one: verdicts.count(one) for one in set(verdicts)} == counts
    most = max(sum(begin <= moment < end for begin, end in spans) for moment, _ in spans)
    assert most == side_by_side
    assert len(spans) + waiting == sum(verdicts.count(one) for one in (FIRED, QUEUED))


def test_tries_again_wait_for_the_first_and_others_for_them() -> None:
    """A second try of a tick never runs beside the first, whatever the policy; what waits is in one order."""
    first, second = launch("13:00"), launch("13:00", State.QUEUED, attempt=2)
    later = launch("14:00", State.QUEUED)
    assert waits_for(second, [first, second, later], "allow") is first
    assert waits_for(later, [second, later], "queue") is second
    assert waits_for(second, [second, later], "queue") is None
    assert waits_for(later, [first, second, later], "allow") is None
    assert waits_for(later._replace(schedule=None), [first], "skip") is None


def test_what_is_made_up_for_runs_one_after_the_other() -> None:
    """Launches of late ticks run in a row even where overlapping is allowed."""
    old = [launch(f"{hour}:00", State.QUEUED, asked=at("13:30")) for hour in (11, 12)]
    assert waits_for(old[1], old, "allow") is old[0]
    assert waits_for(old[0], old, "allow") is None


@given(
    steps=st.lists(st.integers(-7200, 7200), min_size=1, max_size=25),
    minutes=st.integers(1, 90),
    rules=st.builds(
        PolicySettings,
        overlap=st.sampled_from(["skip", "queue", "allow"]),
        catchup=st.sampled_from(["latest", "all", "none"]),
        max_catchup=st.integers(1, 4),
        grace=st.none() | st.integers(0, 5000),
    ),
    stops=st.sets(st.integers(0, 24)),
)
def test_every_tick_is_decided_once(steps: list[int], minutes: int, rules: Any, stops: set[int]) -> None:
    """However the clock goes, forward or back, each tick up to the latest moment is in one decision and no other."""
    ticks, newest, now, furthest = Every(minutes=minutes), DAY, DAY, DAY
    decided: list[datetime] = []
    for number, step in enumerate(steps):
        now += timedelta(seconds=step)
        furthest = max(furthest, now)
        facts = Standing(newest, barred="paused" if number in stops else "")
        for choice in decide(now, ticks, rules, facts):
            group = [one for one in decided if one == choice.tick]
            assert not group
            first = choice.first or choice.tick
            run = []
            for tick in ticks.after(first - timedelta(seconds=1)):
                if tick > choice.tick:
                    break
                run.append(tick)
            assert len(run) == choice.number
            decided += run
            newest = choice.tick
            late = (now - choice.tick).total_seconds()
            assert not choice.asks or rules.grace is None or late <= max(rules.grace, 1)
            assert choice.verdict != FIRED or late <= 60
    expected = []
    for tick in ticks.after(DAY):
        if tick > furthest:
            break
        expected.append(tick)
    assert decided == expected
