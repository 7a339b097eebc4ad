"""Schedules: the list of them, and the page of one with its calendar, its next ticks and every decision.

Knows which accounts are shown; must not know how ticks are decided, or where decisions are kept.
"""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Any, NamedTuple
from zoneinfo import ZoneInfo

from fastapi import APIRouter, HTTPException, Query, Request
from fastapi.responses import HTMLResponse

from sinagot.dashboard.calendars import Sheet, bounds
from sinagot.dashboard.cursors import Cursor, read_cursor, write_cursor
from sinagot.dashboard.house import AtHome, House
from sinagot.engine.state.owners import Owner, start_time
from sinagot.engine.words import TICKS
from sinagot.errors import CursorError, HistoryUnavailableError, NotFoundError
from sinagot.schedule.history.facts import Decision, Launch, ServiceFacts
from sinagot.schedule.states import ScheduleState
from sinagot.schedule.tries import last_tries

__all__ = ["router"]

router = APIRouter(include_in_schema=False)

#: Decisions of one page, and ticks to come.
_PAGE = 50
_NEXT = 20
#: Years that a calendar is shown of.
_YEARS = range(1970, 2200)

_Month = Annotated[str, Query(pattern=r"^(\d{4}-(0[1-9]|1[0-2]))?$")]
_Date = Annotated[str, Query(pattern=r"^(\d{4}-\d\d-\d\d)?$")]


@router.get("/schedules")
def schedules(request: Request, house: AtHome) -> HTMLResponse:
    """Show which there are, and how they stand."""
    return house.page("schedules.html", request, **_schedules(house))


@router.get("/parts/schedules")
def schedules_part(request: Request, house: AtHome) -> HTMLResponse:
    """Show what changes of the page."""
    return house.page("schedules_part.html", request, **_schedules(house))


@router.get("/schedules/{name:path}")
def schedule(
    request: Request, house: AtHome, name: str, month: _Month = "", day: _Date = "", before: Cursor = ""
) -> HTMLResponse:
    """Show one."""
    return house.page("schedule.html", request, **_schedule(house, name, month, day, before))


@router.get("/parts/schedules/{name:path}")
def schedule_part(
    request: Request, house: AtHome, name: str, month: _Month = "", day: _Date = "", before: Cursor = ""
) -> HTMLResponse:
    """Show what changes of the page."""
    return house.page("schedule_part.html", request, **_schedule(house, name, month, day, before))


class _Moment(NamedTuple):
    """A tick, on the clock of its schedule and in UTC."""

    local: str
    utc: str


class _Row(NamedTuple):
    """A decision in a list, and what became of its run."""

    decision: Decision
    moment: _Moment
    first: _Moment | None
    #: The last try.
    run: Launch | None


def _zone_of(on: tuple[str, ...]) -> ZoneInfo:
    """Give the zone of the first time table; its name is the last word of the text."""
    return ZoneInfo(on[0].rpartition(" ")[2] if on else "Etc/UTC")


def _moment(tick: dt.datetime, zone: ZoneInfo) -> _Moment:
    return _Moment(f"{tick.astimezone(zone):%a %Y-%m-%d %H:%M %Z}", f"{tick:%Y-%m-%d %H:%M} UTC")


def _maybe_moment(tick: dt.datetime | None, state: ScheduleState) -> _Moment | None:
    return None if tick is None else _moment(tick, _zone_of(state.on))


def _living(house: House) -> list[ServiceFacts]:
    """Give the services that are not known to be dead, nor to leave ticks to others."""
    me = Owner.here("")
    idle = "" if house.reception.decides else house.reception.service.name
    return [
        one
        for one in house.reception.history.services()
        if one.name != idle
        and (one.host != me.host or (one.boot == me.boot and start_time(one.pid) == one.start))
    ]


def _schedules(house: House) -> dict[str, Any]:
    facts: dict[str, Any] = {"rows": [], "services": [], "problem": "", "wrong_files": []}
    try:
        service = house.reception.service
    except HistoryUnavailableError as error:
        return facts | {"problem": str(error)}
    try:
        facts["rows"] = [
            (one, *(_maybe_moment(tick, one) for tick in (one.next_tick, one.newest and one.newest.tick)))
            for one in service.states()
        ]
        facts["services"] = _living(house)
    except HistoryUnavailableError as error:
        facts["problem"] = str(error)
    return facts | {"wrong_files": list(service.roster.problems)}


def _schedule(house: House, name: str, month: str, day: str, before: str) -> dict[str, Any]:
    facts: dict[str, Any] = {"schedule": name, "month": month, "day": day, "before": before, "problem": ""}
    try:
        return facts | _facts(house, name, month, day, before)
    except HistoryUnavailableError as error:
        return facts | {"problem": str(error)}
    except CursorError as error:
        raise HTTPException(404, str(error)) from error


def _facts(house: House, name: str, month: str, day: str, before: str) -> dict[str, Any]:
    history, service = house.reception.history, house.reception.service
    state: ScheduleState | None = None
    ticks: list[dt.datetime] = []
    entry = None
    try:
        entry = service.entry(name)
        state, ticks = service.state_of(name), service.next_ticks(name, _NEXT)
    except NotFoundError as error:
        if history.newest(name) is None:
            raise HTTPException(404, str(error)) from error
    zone = _zone_of(entry.on if entry is not None else ())
    newest = history.newest(name)
    sheet = Sheet(
        name,
        entry.on if entry is not None else (),
        zone,
        entry.ticks if entry is not None else None,
        service.clock.now(),
        newest.tick if newest is not None else None,
        history,
        last_tries(history, name) if entry is not None and entry.policies.retries else {},
    )
    today = sheet.clock(sheet.now).date()
    date = _date(day) if day else None
    first = _date(f"{month}-01") if month else (date or today).replace(day=1)
    span = bounds(date, zone) if date is not None else (None, None)
    found, more = history.decisions(
        name, since=span[0], until=span[1], before=read_cursor(before), limit=_PAGE
    )
    return {
        "state": state,
        "zone": str(zone),
        "zones": sorted({one.rpartition(" ")[2] for one in sheet.on}),
        "services": _living(house),
        "next": [_moment(tick, zone) for tick in ticks],
        "weeks": house.calendars.month(sheet, first),
        "first": first,
        "former": f"{first - dt.timedelta(days=1):%Y-%m}",
        "later": f"{first + dt.timedelta(days=31):%Y-%m}",
        "today": today,
        "date": date or today,
        "hours": house.calendars.hours(sheet, date or today),
        "rows": [_row(house, sheet, one) for one in found],
        "more": write_cursor(more),
        "words": TICKS,
    }


def _date(text: str) -> dt.date:
    try:
        found = dt.date.fromisoformat(text)
    except ValueError:
        raise HTTPException(422, f"there is no day {text}") from None
    if found.year not in _YEARS:
        raise HTTPException(422, f"calendars go from {_YEARS[0]} to {_YEARS[-1]}")
    return found


def _row(house: House, sheet: Sheet, one: Decision) -> _Row:
    first = _moment(one.first, sheet.zone) if one.first is not None and one.number > 1 else None
    run = house.calendars.run(sheet, one.tick, one.run_id)
    return _Row(one, _moment(one.tick, sheet.zone), first, run)
