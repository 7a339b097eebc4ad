"""Laws of ticks: when they are, in any time zone and in both directions, told by looking at every minute."""

from __future__ import annotations

import datetime as dt
import os
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from itertools import islice
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sinagot.errors import ConfigurationError
from sinagot.pipeline.templates.cron import parsed
from sinagot.schedule import ticks
from sinagot.schedule.on import On

MINUTE = dt.timedelta(minutes=1)

#: Days on which the clocks of a zone are changed, each in its own way.
CHANGES = [
    ("America/New_York", dt.date(2024, 3, 10)),
    ("America/New_York", dt.date(2024, 11, 3)),
    ("Europe/Paris", dt.date(2024, 3, 31)),
    ("Europe/Paris", dt.date(2024, 10, 27)),
    ("Australia/Lord_Howe", dt.date(2024, 4, 7)),  # half an hour
    ("Australia/Lord_Howe", dt.date(2024, 10, 6)),
    ("Africa/Cairo", dt.date(2024, 4, 26)),  # at midnight
    ("Africa/Cairo", dt.date(2024, 10, 31)),
    ("America/St_Johns", dt.date(2006, 10, 29)),  # at a minute past midnight, back to the day before
    ("America/St_Johns", dt.date(2006, 4, 2)),
    ("America/Havana", dt.date(2024, 11, 3)),  # back to midnight
    ("Pacific/Apia", dt.date(2011, 12, 30)),  # a day that was left out
    ("Pacific/Kwajalein", dt.date(1969, 10, 1)),  # a day that came twice
    ("Africa/Casablanca", dt.date(2024, 3, 10)),
    ("Antarctica/Troll", dt.date(2024, 3, 31)),  # two hours
    ("Asia/Kathmandu", dt.date(2024, 3, 10)),  # never; 5 h 45 min
    ("Etc/UTC", dt.date(2024, 2, 29)),
]


def is_of_the_wall(text: str) -> bool:
    """Say whether a line is about times of the clock on the wall, and not about real time."""
    line = parsed(text)
    minute, hour = text.split()[:2]
    named = not minute.startswith("*") and not hour.startswith("*")
    return named and len(line.minutes) < 60 and len(line.hours) < 24


@cache
def minutes_of(change: tuple[str, dt.date]) -> list[tuple[dt.datetime, list[dt.datetime], bool]]:
    """List the minutes of some days: instant, what the clock showed or left out, and whether it shows that first."""
    zone, noon = ZoneInfo(change[0]), dt.datetime.combine(change[1], dt.time(12), dt.UTC)
    found = []
    latest = None
    for number in range(-61 * 60, 37 * 60):
        instant = noon + number * MINUTE
        wall = instant.astimezone(zone).replace(tzinfo=None, fold=0)
        shown = [wall]
        while latest is not None and shown[0] > latest + MINUTE:
            shown.insert(0, shown[0] - MINUTE)
        found.append((instant, shown, latest is None or wall > latest))
        latest = wall if latest is None else max(latest, wall)
    return found


def told(text: str, change: tuple[str, dt.date], first: dt.datetime, last: dt.datetime) -> list[dt.datetime]:
    """Find all ticks in a time, by looking at every minute."""
    line, of_the_wall = parsed(text), is_of_the_wall(text)

    def matches(wall: dt.datetime) -> bool:
        is_time = wall.minute in line.minutes and wall.hour in line.hours
        return is_time and wall.month in line.months and line.match_day(wall.date())

    return [
        instant
        for instant, shown, is_new in minutes_of(change)
        if first < instant <= last
        and (is_new and any(map(matches, shown)) if of_the_wall else matches(shown[-1]))
    ]


fields = st.tuples(
    st.sampled_from(["0", "30", "*", "*/15", "5,35", "0-59", "59", "1-10/3", "0,30"]),
    st.sampled_from(["*", "2", "1", "0", "*/3", "0-23", "1-4", "23", "0,12", "*/2"]),
    st.sampled_from(["*", "*", "*", "10", "1-15", "L", "30,31", "29"]),
    st.sampled_from(["*", "*", "*/2", "OCT-DEC"]),
    st.sampled_from(["*", "*", "SUN", "SAT#1", "5L", "1-5"]),
).map(" ".join)


times = st.integers(-12 * 60, 12 * 60)


@given(text=fields, change=st.sampled_from(CHANGES), shift=times)
@settings(max_examples=40, deadline=None)
def test_ticks_are_those_that_a_clock_shows(text: str, change: tuple[str, dt.date], shift: int) -> None:
    """Around each kind of change of the clocks, ticks are those that somebody would see who looks each minute."""
    first = dt.datetime.combine(change[1], dt.time(12), dt.UTC) + shift * MINUTE - dt.timedelta(days=1)
    last = first + dt.timedelta(days=2)
    on = On(text, change[0])
    expected = told(text, change, first, last)
    assert list(on.ticks(first, last)) == expected
    assert list(on.ticks(first, last, newest_first=True)) == expected[::-1]


@given(text=fields, change=st.sampled_from(CHANGES), seconds=st.integers(-90_000_000, 90_000_000))
@settings(max_examples=40, deadline=None)
def test_prev_mirrors_next(text: str, change: tuple[str, dt.date], seconds: int) -> None:
    """Between a tick and the next there is none: whoever goes on and back is where he was, from any second."""
    on = On(text, change[0])
    start = dt.datetime.combine(change[1], dt.time(12), dt.UTC) + dt.timedelta(
        microseconds=1_000_000 * seconds + 1
    )
    later, earlier = on.next(start).astimezone(dt.UTC), on.prev(start).astimezone(dt.UTC)
    assert earlier < start < later
    assert on.prev(later).astimezone(dt.UTC) == earlier and on.next(earlier).astimezone(dt.UTC) == later
    for tick in (later, earlier):
        both = on.prev(on.next(tick)), on.next(on.prev(tick))
        # Python holds no time of a repeated hour equal to one of another zone.
        assert {one.astimezone(dt.UTC) for one in both} == {tick}


#: Zone, cron line, start, and the ticks after it as a clock on the wall shows them.
TABLE = [
    # One real instant in the gap, once in the repeated hour.
    ("America/New_York", "30 2 * * *", "2024-03-09 12:00", "10 03:00-04:00, 11 02:30-04:00"),
    ("America/New_York", "30 1 * * *", "2024-11-02 12:00", "03 01:30-04:00, 04 01:30-05:00"),
    ("Europe/Paris", "15,45 2 * * *", "2024-03-30 12:00", "31 03:00+02:00, 01 02:15+02:00"),
    ("Europe/Paris", "30 2 * * *", "2024-10-26 12:00", "27 02:30+02:00, 28 02:30+01:00"),
    # Real time in the repeated hour and in the gap.
    ("America/New_York", "0 * * * *", "2024-11-03 00:30", "03 01:00-04:00, 03 01:00-05:00, 03 02:00-05:00"),
    ("America/New_York", "30 0-23 * * *", "2024-03-10 00:45", "10 01:30-05:00, 10 03:30-04:00"),
    ("Europe/Paris", "*/30 2 * * *", "2024-10-27 01:00", "27 02:00+02:00, 27 02:30+02:00, 27 02:00+01:00"),
    ("Europe/Paris", "*/30 2 * * *", "2024-03-31 01:00", "01 02:00+02:00"),
    # Half an hour: cronsim 2.8 goes from 00:00 to 04:00, and leaves out half hours.
    ("Australia/Lord_Howe", "0 */3 * * *", "2024-04-07 00:00", "07 03:00+10:30, 07 06:00+10:30"),
    (
        "Australia/Lord_Howe",
        "30 * * * *",
        "2024-04-07 01:00",
        "07 01:30+11:00, 07 01:30+10:30, 07 02:30+10:30",
    ),
    ("Australia/Lord_Howe", "15 2 * * *", "2024-10-05 12:00", "06 02:30+11:00, 07 02:15+11:00"),
    # At midnight: cronsim 2.8 gives a midnight that there was not, and ticks of an hour that was not asked for.
    ("Africa/Cairo", "*/30 0,1 26 4 *", "2024-04-25 12:00", "26 01:00+03:00, 26 01:30+03:00"),
    ("Africa/Cairo", "0 0 * * *", "2024-04-25 12:00", "26 01:00+03:00, 27 00:00+03:00"),
    # A minute past midnight, back to the day before: cronsim 2.8 never ends.
    ("America/St_Johns", "30 * 29 10 *", "2006-10-28 12:00", "29 00:30-03:30, 29 01:30-03:30"),
    ("America/St_Johns", "0 0 * * *", "2006-10-28 12:00", "29 00:00-02:30, 30 00:00-03:30"),
    # A day that was left out.
    ("Pacific/Apia", "0 12 * * *", "2011-12-28 13:00", "29 12:00-10:00, 31 00:00+14:00, 31 12:00+14:00"),
    ("Asia/Kathmandu", "0 6 * * *", "2024-03-10 00:00", "10 06:00+05:45, 11 06:00+05:45"),
    # Leap days, and ways to name days.
    ("Etc/UTC", "0 0 29 2 *", "2023-01-01", "29 00:00+00:00, 29 00:00+00:00"),
    ("Etc/UTC", "0 0 13 * FRI", "2024-09-07", "13 00:00+00:00, 20 00:00+00:00, 27 00:00+00:00"),
    ("Etc/UTC", "0 0 */2 * MON", "2024-04-02", "15 00:00+00:00, 29 00:00+00:00"),
    ("Etc/UTC", "0 12 ? * MON#1", "2024-04-02", "06 12:00+00:00, 03 12:00+00:00"),
    ("Etc/UTC", "0 0 L * *", "2024-02-01", "29 00:00+00:00, 31 00:00+00:00"),
    ("Etc/UTC", "@weekly", "2024-04-02", "07 00:00+00:00, 14 00:00+00:00"),
]


@pytest.mark.parametrize(("zone", "text", "start", "ticks"), TABLE)
def test_ticks_of_a_table(zone: str, text: str, start: str, ticks: str) -> None:
    """Each kind of line comes when its clock says so, over changes of the clocks and leap days."""
    pointer = On(text, zone).generate(start)
    found = [pointer.next for _ in ticks.split(",")]
    assert ", ".join(f"{tick:%d %H:%M}{tick.isoformat()[-6:]}" for tick in found) == ticks
    pointer.reset()
    assert pointer.next == found[0]


@pytest.mark.parametrize(
    ("zone", "day", "number"),
    [
        ("America/New_York", "2024-03-10", 23),
        ("America/New_York", "2024-11-03", 25),
        ("Europe/Paris", "2024-06-01", 24),
    ],
)
@pytest.mark.parametrize("text", ["@hourly", "17 0-23 * * *"])
def test_hourly_is_as_often_as_a_day_has_hours(zone: str, day: str, number: int, text: str) -> None:
    """An hourly line comes 23, 24 or 25 times a day, a daily one once."""
    midnight = dt.datetime.fromisoformat(day).replace(tzinfo=ZoneInfo(zone)) - dt.timedelta(microseconds=1)
    until = (midnight + dt.timedelta(days=1)).astimezone(dt.UTC)
    assert len(list(On(text, zone).ticks(midnight.astimezone(dt.UTC), until))) == number
    for hour in range(24):
        assert len(list(On(f"30 {hour} * * *", zone).ticks(midnight.astimezone(dt.UTC), until))) == 1


def test_many_ticks_are_told_without_a_walk_over_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who wants to know whether there are more than 10,000 in a year of minutes looks at eight days of them."""
    days = []

    def counted(line: Any, first: dt.date, step: int = 1) -> Iterator[dt.date]:
        for day in real(line, first, step):
            days.append(day)
            yield day

    real = ticks.days
    monkeypatch.setattr(ticks, "days", counted)
    first = dt.datetime(2024, 1, 1, tzinfo=dt.UTC)
    last = first.replace(year=2025)
    for newest_first in (False, True):
        days.clear()
        some = list(
            islice(On("* * * * *", "Europe/Paris").ticks(first, last, newest_first=newest_first), 10_001)
        )
        assert len(some) == 10_001 and len(days) <= 10
        assert some[0] == (last if newest_first else first + MINUTE)


def test_answers_do_not_depend_on_the_zone_of_the_machine() -> None:
    """With TZ=Asia/Tokyo and TZ=UTC all answers are the same: also of moments without an offset."""
    code = (
        "from sinagot.schedule.on import On\n"
        "for zone in ('America/New_York', 'Etc/UTC'):\n"
        "    ticks = On('30 */5 * * *', zone).generate('2024-11-02 22:00')\n"
        "    print([ticks.next.isoformat() for _ in range(9)], ticks.prev)\n"
    )
    found = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "TZ": zone},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for zone in ("Asia/Tokyo", "UTC")
    }
    assert len(found) == 1 and "2024-11-03T00:30:00-04:00" in found.pop()


@pytest.mark.parametrize("zone", ["Asia/Tokyo", "America/New_York", "Etc/UTC"])
def test_calendar_has_ends(zone: str) -> None:
    """At the first and last day of the calendar there is a tick or a plain error."""
    on = On("0 * * * *", zone)
    found = []
    for start in ("0001-01-01", "0001-01-02", "9999-12-30", "9999-12-31 23:59:59.999999"):
        for ask in (on.next, on.prev):
            try:
                found.append(f"{ask(start):%M}")
            except ConfigurationError as error:
                found.append(str(error))
    assert {one for one in found if len(one) > 2 and "has no tick" not in one} == set()
    assert found.count("00") >= 3
