"""Calendars of schedules: what became of ticks, and which are to come, counted by day and by hour.

Knows days on the clock of a schedule, and what is on record of them; must not know pages. What is over and counted is
kept: a tick is decided once, so a day whose ticks all are decided is read once, however often a page asks.
"""

from __future__ import annotations

import calendar
import datetime as dt
import threading
from collections import Counter, OrderedDict
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple
from zoneinfo import ZoneInfo

from sinagot.engine.words import TICKS
from sinagot.schedule.history.facts import OPEN_STATES, Decision, Launch, State, Verdict

if TYPE_CHECKING:
    from sinagot.schedule.deciding import Ticks
    from sinagot.schedule.history.contract import History

__all__ = ["DUE", "Calendars", "Cell", "Sheet", "bounds"]

#: Word of a tick that is still to come.
DUE = "due"
#: States of runs that did not go well, and that nobody has wished.
BAD = (State.FAILED, State.LOST, State.STOPPED)
#: What one question may read, decisions and runs; the rest of a month is read by the next ones.
_MOST_READ = 3000
_MOST_RUNS = 100
_PART = 500
#: Days that are kept, of all schedules, and runs of which it is known how they ended.
_MOST_DAYS = 200
_MOST_ENDS = 100_000
_MOST_OVER = 1000
#: Days behind the end of a month in which ticks of it may be told of: those that were missed together are one decision.
_BEHIND = 7
_DAY = dt.timedelta(days=1)
_TINY = dt.timedelta(microseconds=1)

#: Hour -> word -> number of ticks.
_Hours = dict[int, Counter[str]]


class Sheet(NamedTuple):
    """A schedule, as a calendar needs it."""

    name: str
    #: Time tables, as texts.
    on: tuple[str, ...]
    #: On whose clock days are days.
    zone: ZoneInfo
    #: None where nobody knows when it ticks.
    ticks: Ticks | None
    #: UTC.
    now: dt.datetime
    #: Tick of the newest decision; None of a schedule that no service has seen.
    newest: dt.datetime | None
    history: History
    #: Last tries of ticks that were tried again.
    tries: Mapping[dt.datetime, Launch] = {}

    def clock(self, moment: dt.datetime) -> dt.datetime:
        """Give a moment on the clock of the schedule."""
        return moment.astimezone(self.zone)


class Cell(NamedTuple):
    """A day, or an hour of it."""

    date: dt.date
    #: None of a whole day.
    hour: int | None
    #: By word, in the order of tables.
    counts: Mapping[str, int]
    #: Ticks whose runs did not go well.
    failed: int = 0
    #: False: not all is read yet.
    is_counted: bool = True

    @property
    def bars(self) -> list[tuple[str, float, float]]:
        """Word, start and width in parts of a thousand; what is there at all can be seen."""
        total, start, found = sum(self.counts.values()), 0.0, []
        for word, number in self.counts.items():
            width = 1000 * number / total
            found.append((word, round(start, 2), round(max(width, 30), 2)))
            start += width
        return found


class _Day:
    """What was read of a day; later ticks are added to it."""

    def __init__(self) -> None:
        self.hours: _Hours = {}
        #: Decisions about several ticks of which the first is of a day before.
        self.spans: list[Decision] = []
        #: Ticks and their runs.
        self.runs: list[tuple[dt.datetime, str]] = []
        #: The last tick that was read.
        self.newest: dt.datetime | None = None


class _Sum(NamedTuple):
    """A day as it is shown: with what decisions of later days say of it, and with what is to come."""

    hours: _Hours
    failed: Counter[int]
    is_counted: bool


class Calendars:
    """Counts ticks, and keeps what was read of them."""

    def __init__(self) -> None:
        self._days: OrderedDict[tuple[str, str, dt.date], _Day] = OrderedDict()
        self._due: OrderedDict[tuple[tuple[str, ...], str, dt.date], _Hours] = OrderedDict()
        #: Run -> whether it did not go well; of those that are over.
        self._ends: OrderedDict[str, bool] = OrderedDict()
        #: The same as they are on record, of fewer.
        self._over: OrderedDict[str, Launch] = OrderedDict()
        self._guard = threading.RLock()

    def run(self, sheet: Sheet, tick: dt.datetime, run_id: str | None) -> Launch | None:
        """Give the run of a tick, of several tries the last; None where it is not on record.

        Parameters
        ----------
        sheet : Sheet
            The schedule.
        tick : datetime
            UTC.
        run_id : str, optional
            Of the first try; a tick that asked for none has no run.
        """
        found = sheet.tries.get(tick)
        if found is not None or run_id is None:
            return found
        with self._guard:
            found = self._over.get(run_id) or sheet.history.launch(run_id)
            if found is not None and found.state not in OPEN_STATES:
                _keep(self._over, run_id, found, _MOST_OVER)
        return found

    def month(self, sheet: Sheet, first: dt.date) -> list[list[Cell | None]]:
        """Give the weeks of a month, from Monday to Sunday; None for days of other months.

        Parameters
        ----------
        sheet : Sheet
            The schedule.
        first : date
            First day of the month.
        """
        last = first.replace(day=calendar.monthrange(first.year, first.month)[1])
        sums = self._sums(sheet, first, last)
        row: list[Cell | None] = [None] * first.weekday()
        row += [_cell(date, None, sums[date]) for date in sorted(sums)]
        row += [None] * (-len(row) % 7)
        return [row[start : start + 7] for start in range(0, len(row), 7)]

    def hours(self, sheet: Sheet, date: dt.date) -> list[Cell]:
        """Give the hours of a day in which there are ticks."""
        found = self._sums(sheet, date, date)[date]
        return [_cell(date, hour, found) for hour in sorted(found.hours)]

    def _sums(self, sheet: Sheet, first: dt.date, last: dt.date) -> dict[dt.date, _Sum]:
        """Count ticks from a day to another, the newest first; what is too much for one question is left out."""
        found: dict[dt.date, _Sum] = {}
        spans: list[Decision] = []
        decisions, runs = _MOST_READ, _MOST_RUNS
        newest = max(sheet.now, sheet.newest or sheet.now)
        last_read = min(last + _BEHIND * _DAY, sheet.clock(newest).date())
        with self._guard:
            for number in range((max(last, last_read) - first).days, -1, -1):
                date = first + number * _DAY
                day, cost = self._read(sheet, date, decisions)
                decisions -= cost
                if day is not None:
                    spans += day.spans
                if date <= last:
                    failed, cost, is_known = self._failed(sheet, day, runs)
                    runs -= cost
                    hours = {hour: Counter(counts) for hour, counts in day.hours.items()} if day else {}
                    self._add_due(sheet, date, hours)
                    found[date] = _Sum(hours, failed, day is not None and is_known)
        for decision in spans:
            _spread(sheet, decision, found)
        return found

    def _read(self, sheet: Sheet, date: dt.date, most: int) -> tuple[_Day | None, int]:
        """Give a day, and how many decisions were read for it; None where there are more than may be read now."""
        since, until = bounds(date, sheet.zone)
        key = (sheet.name, str(sheet.zone), date)
        day = self._days.get(key) or _Day()
        if (
            sheet.newest is None
            or since > sheet.newest
            or (day.newest is not None and day.newest >= sheet.newest)
        ):
            return day, 0
        begin = since if day.newest is None else max(since, day.newest + _TINY)
        if begin >= until:
            return day, 0
        read = list(islice(_decisions(sheet, begin, until), max(most, 0) + 1))
        if len(read) > most:
            return None, most
        for one in reversed(read):
            _take(sheet, day, one, since)
        # Nothing is ever decided about ticks before the newest.
        day.newest = min(sheet.newest, until)
        _keep(self._days, key, day, _MOST_DAYS)
        return day, len(read)

    def _failed(self, sheet: Sheet, day: _Day | None, most: int) -> tuple[Counter[int], int, bool]:
        """Count by hour the runs that did not go well; gives how many were looked up, and whether all are known."""
        failed: Counter[int] = Counter()
        cost = 0
        for tick, run_id in day.runs if day is not None else ():
            is_bad = self._ends.get(run_id)
            if is_bad is None:
                if cost >= most:
                    return failed, cost, False
                cost += 1
                one = self.run(sheet, tick, run_id)
                is_bad = one is not None and one.state in BAD
                if one is None or one.state not in OPEN_STATES:
                    _keep(self._ends, run_id, is_bad, _MOST_ENDS)
            failed[sheet.clock(tick).hour] += is_bad
        return failed, cost, True

    def _add_due(self, sheet: Sheet, date: dt.date, hours: _Hours) -> None:
        """Count the ticks of a day that are still to come."""
        since, until = bounds(date, sheet.zone)
        start = max(sheet.now, sheet.newest or sheet.now)
        if sheet.ticks is None or until <= start:
            return
        if since <= start:
            found = _due_hours(sheet, start, until)
        else:
            key = (sheet.on, str(sheet.zone), date)
            kept = self._due.get(key)
            found = kept if kept is not None else _due_hours(sheet, since - _TINY, until)
            _keep(self._due, key, found, _MOST_DAYS)
        for hour, counts in found.items():
            hours.setdefault(hour, Counter()).update(counts)


def _keep(kept: OrderedDict[Any, Any], key: object, value: object, most: int) -> None:
    kept[key] = value
    kept.move_to_end(key)
    while len(kept) > most:
        kept.popitem(last=False)


def bounds(date: dt.date, zone: ZoneInfo) -> tuple[dt.datetime, dt.datetime]:
    """Give the begin of a day on a clock, and that of the next one, UTC.

    Examples
    --------
    >>> since, until = bounds(dt.date(2026, 3, 29), ZoneInfo("Europe/Paris"))
    >>> str(since), until - since
    ('2026-03-28 23:00:00+00:00', datetime.timedelta(seconds=82800))
    """
    midnight = dt.time()
    first, last = (dt.datetime.combine(one, midnight, zone).astimezone(dt.UTC) for one in (date, date + _DAY))
    return first, last


def _decisions(sheet: Sheet, since: dt.datetime, until: dt.datetime) -> Iterator[Decision]:
    before: str | None = None
    while True:
        part, before = sheet.history.decisions(
            sheet.name, since=since, until=until, before=before, limit=_PART
        )
        yield from part
        if before is None:
            return


def _take(sheet: Sheet, day: _Day, one: Decision, since: dt.datetime) -> None:
    """Add a decision to a day."""
    if one.verdict == Verdict.BEGUN:
        return
    if one.first is not None and one.first < since:
        day.spans.append(one)
        return
    for tick in _ticks_of(sheet, one):
        day.hours.setdefault(sheet.clock(tick).hour, Counter())[one.verdict] += 1
    if one.run_id is not None:
        day.runs.append((one.tick, one.run_id))


def _ticks_of(sheet: Sheet, decision: Decision) -> list[dt.datetime]:
    """Give the ticks that a decision is about, by the time table of today; all at the last where that is another."""
    if decision.number > 1 and decision.first is not None and sheet.ticks is not None:
        found = list(islice(sheet.ticks.after(decision.first - _TINY), decision.number))
        if found and found[-1] == decision.tick:
            return found
    return [decision.tick] * decision.number


def _spread(sheet: Sheet, decision: Decision, days: Mapping[dt.date, _Sum]) -> None:
    """Count ticks that were decided together on the days on which they were due."""
    for tick in _ticks_of(sheet, decision):
        moment = sheet.clock(tick)
        day = days.get(moment.date())
        if day is not None:
            day.hours.setdefault(moment.hour, Counter())[decision.verdict] += 1


def _due_hours(sheet: Sheet, after: dt.datetime, until: dt.datetime) -> _Hours:
    hours: _Hours = {}
    for tick in sheet.ticks.after(after) if sheet.ticks is not None else ():
        if tick >= until:
            break
        hours.setdefault(sheet.clock(tick).hour, Counter())[DUE] += 1
    return hours


def _cell(date: dt.date, hour: int | None, day: _Sum) -> Cell:
    hours = day.hours.values() if hour is None else [day.hours[hour]]
    total: Counter[str] = sum(hours, Counter())
    counts = {word: total[word] for word in TICKS if total[word]}
    return Cell(date, hour, counts, day.failed.total() if hour is None else day.failed[hour], day.is_counted)
