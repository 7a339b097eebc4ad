"""What a schedule's files say: its ticks over changes of the clock, as a service decides about them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from sinagot.config.settings import PolicySettings
from sinagot.schedule.deciding import Standing, decide
from sinagot.schedule.history.facts import Verdict
from sinagot.schedule.on import On
from sinagot.schedule.roster import MergedTicks


def fired(on: list[On], begin: datetime, hours: int) -> list[datetime]:
    """Decide every minute; give the ticks, which all have to be in time."""
    ticks, found, newest = MergedTicks(on), list[datetime](), begin
    for minute in range(1, hours * 60 + 1):
        now = begin + timedelta(minutes=minute, seconds=2)
        for choice in decide(now, ticks, PolicySettings(), Standing(newest)):
            assert choice.verdict == Verdict.FIRED
            newest = choice.tick
            found.append(choice.tick)
    return found


@pytest.mark.parametrize(
    ("day", "daily", "hourly"),
    [
        # New York leaves out 02:00 to 03:00: the first real instant stands for it.
        ("2026-03-08T05:00", "2026-03-08T07:00", 23),
        # And repeats 01:00 to 02:00.
        ("2026-11-01T04:00", "2026-11-01T05:30", 25),
        ("2026-07-01T04:00", "2026-07-01T06:30", 24),
    ],
)
def test_days_on_which_clocks_change(day: str, daily: str, hourly: int) -> None:
    """A daily schedule runs once a day, an hourly one in each real hour."""
    begin = datetime.fromisoformat(day).replace(tzinfo=UTC)
    wall = "30 1 * * *" if day.startswith("2026-11") else "30 2 * * *"
    once = fired([On(wall, "America/New_York")], begin, hourly)
    assert once == [datetime.fromisoformat(daily).replace(tzinfo=UTC)]
    assert len(fired([On("0 * * * *", "America/New_York")], begin, hourly)) == hourly


def test_several_time_tables_are_one_schedule() -> None:
    """A tick that stands in two tables of a schedule comes once; tables may be of different zones."""
    begin = datetime(2026, 1, 1, 5, 30, tzinfo=UTC)
    tables = [On("0 * * * *"), On("0 7 * * *", "Europe/Paris"), On("15 6 * * *")]
    assert [f"{one:%H:%M}" for one in fired(tables, begin, 2)] == ["06:00", "06:15", "07:00"]
