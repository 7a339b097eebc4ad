"""The API of the service: runs that are asked for, what happens in them, and schedules.

Knows addresses and status codes; what is done is the reception's. Every endpoint runs on a thread: none holds the
others up.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any

from fastapi import APIRouter, Header, HTTPException, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ConfigDict, Field, field_validator

from sinagot.dashboard.actions import MayAct
from sinagot.dashboard.answers import LaunchAnswer, RunAnswer
from sinagot.dashboard.api import ABSENT, REFUSALS
from sinagot.dashboard.cursors import Cursor, Limit, read_cursor, write_cursor
from sinagot.dashboard.house import AtHome, House
from sinagot.dashboard.launches import (
    LaunchesAnswer,
    ScheduleAnswer,
    SchedulesAnswer,
    TicksAnswer,
    launch_answer,
    run_answer,
    schedule_answer,
    tick_answer,
)
from sinagot.dashboard.problems import Problem
from sinagot.dashboard.reception import BY
from sinagot.dashboard.run_events import END, Now, StageNews
from sinagot.errors import (
    CursorError,
    HistoryUnavailableError,
    NotFoundError,
    SinagotError,
    WorkspaceBusyError,
)
from sinagot.schedule.history.facts import OPEN_STATES, Launch

__all__ = ["router"]

_UNAVAILABLE: dict[int | str, dict[str, Any]] = {
    503: {"model": Problem, "description": "Too many wait, or the history can't be reached; see Retry-After."}
}
_CONFLICT: dict[int | str, dict[str, Any]] = {
    409: {"model": Problem, "description": "It cannot be done as things stand."}
}
#: One event, as who reads the stream has it.
_EVENT = {
    "type": "object",
    "required": ["event", "data"],
    "properties": {
        "event": {"enum": ["state", "stage", "end"]},
        "data": {"type": "string", "contentMediaType": "application/json"},
        "id": {"type": "string"},
    },
}
#: Seconds after which a request that found no room may come again.
_AGAIN = "5"
_NEXT_TICKS = 5

router = APIRouter(prefix="/api/v1", tags=["service"], responses={**REFUSALS, **ABSENT, **_UNAVAILABLE})


class LaunchRequest(BaseModel):
    """A run of a pipeline."""

    model_config = ConfigDict(extra="forbid")

    #: Parameters by name, for this run; others are as the configuration has them.
    params: dict[str, Any] = Field(default_factory=dict)

    @field_validator("params")
    @classmethod
    def _is_plain(cls, value: dict[str, Any]) -> dict[str, Any]:
        """Refuse what JSON text cannot hold, though some readers take it."""
        try:
            json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
        except (ValueError, RecursionError) as error:
            raise ValueError(f"it holds what JSON has no words for: {type(error).__name__}") from None
        return value


class ScheduleRequest(BaseModel):
    """How a schedule is to stand."""

    model_config = ConfigDict(extra="forbid")

    paused: bool
    reason: Annotated[str, Field(max_length=2000)] = ""


@contextmanager
def _told() -> Iterator[None]:
    """Turn errors of the reception into answers."""
    try:
        yield
    except (NotFoundError, CursorError) as error:
        raise HTTPException(404, str(error)) from error
    except (WorkspaceBusyError, HistoryUnavailableError) as error:
        raise HTTPException(503, str(error), headers={"Retry-After": _AGAIN}) from error
    except SinagotError as error:
        raise HTTPException(409, str(error)) from error


# -- runs


@router.post(
    "/pipelines/{name:path}/runs",
    status_code=202,
    responses={
        **_CONFLICT,
        202: {
            "description": "It is on record, and runs when it is its turn.",
            "headers": {"Location": {"description": "Where it is told of.", "schema": {"type": "string"}}},
        },
    },
)
def launch(
    house: MayAct,
    response: Response,
    name: str,
    wish: LaunchRequest | None = None,
    idempotency_key: Annotated[
        str, Header(max_length=200, description="Of this request: sent again, it starts nothing more.")
    ] = "",
) -> LaunchAnswer:
    """Ask for a run of a pipeline; it is a program of its own, and goes on when the server ends."""
    with _told():
        made = house.reception.launch(name, wish.params if wish is not None else {}, idempotency_key)
    response.headers["Location"] = f"{house.prefix}/api/v1/runs/{made.run_id}"
    return launch_answer(made)


@router.get("/pipelines/{name:path}/runs")
def launches(house: AtHome, name: str, cursor: Cursor = "", limit: Limit = 100) -> LaunchesAnswer:
    """List the runs of a pipeline that the API or its schedule asked for, the last first."""
    with _told():
        found, more = house.reception.history.launches(pipeline=name, before=read_cursor(cursor), limit=limit)
    return LaunchesAnswer(runs=[launch_answer(one) for one in found], next=write_cursor(more))


@router.get("/runs/{run_id}")
def run(house: AtHome, run_id: str) -> RunAnswer:
    """Tell of a run, whoever asked for it."""
    with _told():
        return _run(house, run_id)


@router.delete("/runs/{run_id}", status_code=202, responses=_CONFLICT)
def cancel(house: MayAct, run_id: str) -> RunAnswer:
    """End a run: one that waits never begins, one that goes on is told to end, as Ctrl-C does."""
    with _told():
        found = house.reception.launch_of(run_id)
        if found is not None:
            house.reception.cancel(found)
            return _run(house, run_id)
        answer = _run(house, run_id)
        try:
            house.starter.cancel(run_id)
        except NotFoundError as error:
            raise HTTPException(409, str(error)) from error
        return answer


@router.get(
    "/runs/{run_id}/events",
    response_class=StreamingResponse,
    responses={
        200: {
            "description": "Server-sent events.",
            "content": {"text/event-stream": {"schema": _EVENT}},
        },
        204: {"description": "The last event was the end."},
    },
)
async def events(
    house: AtHome,
    run_id: str,
    last_event_id: Annotated[
        str, Header(max_length=30_000, description="Of the last event that was seen; it goes on behind it.")
    ] = "",
) -> Response:
    """Tell of a run as it goes on: `state`, `stage` for each change of a stage, `end` with the last state."""
    if last_event_id == END:
        return Response(status_code=204)
    if house.run_events.is_full:
        raise HTTPException(503, "too many listen; try again", headers={"Retry-After": _AGAIN})

    def look() -> Now:
        return _now(house, run_id)

    def first() -> None:
        with _told():
            look()

    await run_in_threadpool(first)
    news = StageNews(f"{house.chronicle.state}/runs/{run_id}", last_event_id)
    return StreamingResponse(
        house.run_events.lines(look, news),
        media_type="text/event-stream",
        headers={"X-Accel-Buffering": "no"},
    )


def _found(house: House, run_id: str) -> Launch | None:
    """Give a run that was asked for; a history that can't be reached hides no run that has a folder."""
    try:
        return house.reception.launch_of(run_id)
    except HistoryUnavailableError:
        if house.chronicle.run(run_id) is None:
            raise
        return None


def _run(house: House, run_id: str) -> RunAnswer:
    made, facts = _found(house, run_id), house.chronicle.run(run_id)
    if made is None and facts is None:
        raise HTTPException(404, f"there is no run {run_id[:100]!r} here")
    return run_answer(facts, made)


def _now(house: House, run_id: str) -> Now:
    found = _run(house, run_id)
    is_over = found.state not in OPEN_STATES
    if not is_over:
        found.duration_s = None  # it grows, and is no news
    return Now(found.model_dump_json(), is_over)


# -- schedules


@router.get("/schedules")
def schedules(house: AtHome, cursor: Cursor = "", limit: Limit = 100) -> SchedulesAnswer:
    """List the schedules, by name."""
    last = read_cursor(cursor) or ""
    with _told():
        found = house.reception.service.states()
        rest = sorted((one for one in found if one.name > last), key=lambda one: one.name)
        part = [
            schedule_answer(one, house.reception.service.next_ticks(one.name, _NEXT_TICKS))
            for one in rest[:limit]
        ]
    return SchedulesAnswer(
        total=len(found),
        schedules=part,
        next=write_cursor(rest[limit - 1].name) if len(rest) > limit else None,
    )


@router.get("/schedules/{name:path}/decisions")
def decisions(house: AtHome, name: str, cursor: Cursor = "", limit: Limit = 100) -> TicksAnswer:
    """List what was decided about the ticks of a schedule, the latest first; also of one that is gone."""
    with _told():
        found, more = house.reception.history.decisions(name, before=read_cursor(cursor), limit=limit)
        if not found and not cursor:
            house.reception.service.state_of(name)
    return TicksAnswer(decisions=[tick_answer(one) for one in found], next=write_cursor(more))


@router.get("/schedules/{name:path}")
def schedule(house: AtHome, name: str) -> ScheduleAnswer:
    """Tell of a schedule: its next moments, whether it is paused, what was decided last, what goes on."""
    with _told():
        return _schedule(house, name)


@router.put("/schedules/{name:path}", responses=_CONFLICT)
def change(house: MayAct, name: str, wish: ScheduleRequest) -> ScheduleAnswer:
    """Pause a schedule, or let it go on; what it would have done in the pause is not made up for."""
    with _told():
        if wish.paused:
            house.reception.service.pause(name, BY, wish.reason)
        else:
            house.reception.service.resume(name, BY)
        return _schedule(house, name)


@router.delete("/schedules/{name:path}", status_code=204, responses=_CONFLICT)
def pause(house: MayAct, name: str) -> None:
    """Pause a schedule; what defines it is its file, which stays."""
    with _told():
        house.reception.service.pause(name, BY, "deleted by the API")


def _schedule(house: House, name: str) -> ScheduleAnswer:
    service = house.reception.service
    return schedule_answer(service.state_of(name), service.next_ticks(name, _NEXT_TICKS))
