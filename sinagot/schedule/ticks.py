"""The instants of a cron line in a time zone, forwards and backwards.

Knows clocks on the wall and what a change of their offset does; must not know schedules or who asks.
`sinagot.schedule.on` gives them to people, `sinagot.schedule` runs pipelines at them.
"""

from __future__ import annotations

import datetime as dt
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple
from zoneinfo import ZoneInfo

from sinagot.pipeline.templates.cron import days, parsed

if TYPE_CHECKING:
    from cronsim import CronSim

__all__ = ["TimeTable", "time_table"]

_DAY = dt.timedelta(days=1)
_MINUTE = dt.timedelta(minutes=1)
_SECOND = dt.timedelta(seconds=1)
_MIDNIGHT = dt.time()


class TimeTable(NamedTuple):
    """A cron line that was read, in a time zone.

    Two kinds of lines meet a change of the offset in two ways, as Debian's cron has them. One with hours and minutes
    of its own means times of the clock on the wall: each comes once a day, the first time where an hour is repeated,
    at the end of the gap where it is left out. One that begins with ``*`` in the minute or the hour (or names all of
    them) means real time: it comes in both of the repeated hours, and not in the one that is left out.
    """

    line: CronSim
    zone: ZoneInfo
    #: Minutes of each day on which it comes.
    minutes: tuple[int, ...]
    is_of_the_wall: bool

    def instants(self, start: dt.datetime, step: int = 1) -> Iterator[dt.datetime]:
        """Give all instants after a start, or before it, in UTC; the start itself is none of them.

        Parameters
        ----------
        start : datetime
            Aware.
        step : int
            1 for those after it, -1 for those before it.
        """
        try:
            last = start.astimezone(dt.UTC)
            for part in self._parts(last, step):
                for instant in part:
                    # A gap puts several times on one instant.
                    if instant > last if step > 0 else instant < last:
                        yield instant
                        last = instant
        except OverflowError:
            return  # the calendar ends here

    def _parts(self, start: dt.datetime, step: int) -> Iterator[Iterable[dt.datetime]]:
        """Give the instants of days in the right order; days that are joined by a change of the offset as one."""
        together: list[dt.datetime] = []
        before: dt.date | None = None
        # A change may lead back to the day before, or from a day that is left out to the next.
        first = _moved(_clock(start, self.zone).date(), -step)
        for day in days(self.line, first, step):
            offset = self._offset_of(day)
            if together and (offset is not None or before != day - step * _DAY):
                yield sorted(together, reverse=step < 0)
                together = []
            if offset is None:
                together += _on_a_day_of_change(self, day)
                before = day
            else:
                midnight = dt.datetime.combine(day, _MIDNIGHT, dt.UTC) - offset
                yield self._on_a_plain_day(midnight, (start - midnight) / _MINUTE, step)
        yield sorted(together, reverse=step < 0)

    def _offset_of(self, day: dt.date) -> dt.timedelta | None:
        """Give the offset from UTC that holds from midnight to midnight; None where it changes."""
        first = dt.datetime.combine(day, _MIDNIGHT, self.zone).utcoffset()
        last = dt.datetime.combine(_moved(day, 1), _MIDNIGHT, self.zone).replace(fold=1).utcoffset()
        return first if first == last else None

    def _on_a_plain_day(self, midnight: dt.datetime, start: float, step: int) -> Iterator[dt.datetime]:
        """Give the instants of a day from a minute of it on, which may be before or after the day."""
        if step > 0:
            minutes = self.minutes[bisect_right(self.minutes, start) :]
        else:
            minutes = self.minutes[: bisect_left(self.minutes, start)][::-1]
        for minute in minutes:
            yield midnight + minute * _MINUTE


def time_table(text: str, zone: ZoneInfo) -> TimeTable:
    """Read a cron line.

    Parameters
    ----------
    text : str
        Five fields.
    zone : ZoneInfo
        Whose clock it is about.

    Raises
    ------
    ConfigurationError
        The text is no cron line.
    MissingExtraError
        The package that reads it is not installed.

    Examples
    --------
    >>> hourly = time_table("0 * * * *", ZoneInfo("Europe/Paris"))
    >>> str(next(hourly.instants(dt.datetime(2024, 1, 1, tzinfo=dt.UTC))))
    '2024-01-01 01:00:00+00:00'
    """
    line = parsed(text)
    minute, hour, *_ = text.split()
    is_of_the_clock = not (minute.startswith("*") or hour.startswith("*"))
    is_of_the_wall = is_of_the_clock and len(line.minutes) < 60 and len(line.hours) < 24
    minutes = tuple(60 * one + other for one in sorted(line.hours) for other in sorted(line.minutes))
    return TimeTable(line, zone, minutes, is_of_the_wall)


@lru_cache(maxsize=16)
def _on_a_day_of_change(table: TimeTable, day: dt.date) -> tuple[dt.datetime, ...]:
    """Give the instants of a day on which the offset changes; kept, for such a day is asked about again and again."""
    found: list[dt.datetime] = []
    for minute in table.minutes:
        wall = dt.datetime.combine(day, dt.time(minute // 60, minute % 60), dt.UTC)
        first, second = (
            wall.replace(tzinfo=table.zone, fold=fold).utcoffset() or dt.timedelta() for fold in (0, 1)
        )
        if first >= second:
            found.append(wall - first)
            if first > second and not table.is_of_the_wall:
                found.append(wall - second)
        elif table.is_of_the_wall:
            found.append(_end_of_gap(table.zone, wall - second, wall - first))
    return tuple(found)


def _end_of_gap(zone: ZoneInfo, before: dt.datetime, after: dt.datetime) -> dt.datetime:
    """Give the instant at which the offset changes: after the first of two, at the second at the latest."""
    old = _clock(before, zone).utcoffset()
    while after - before > _SECOND:
        middle = before + (after - before) // (2 * _SECOND) * _SECOND
        if _clock(middle, zone).utcoffset() == old:
            before = middle
        else:
            after = middle
    return after


def _clock(instant: dt.datetime, zone: ZoneInfo) -> dt.datetime:
    return instant.astimezone(zone)


def _moved(day: dt.date, step: int) -> dt.date:
    """Give the next day, or the one before; at the end of the calendar, the day itself."""
    try:
        return day + step * _DAY
    except OverflowError:
        return day
