"""What can be done from a page: run, exclude and include, accept, cancel, pause and resume.

Knows what may be asked for, and asks the workspace for it, or starts a program. Every request passed the door: it has
the token, or comes from one of our own pages.
"""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, HTTPException
from pydantic import BaseModel, ConfigDict, Field

from sinagot.dashboard.house import AtHome, House
from sinagot.dashboard.problems import Problem
from sinagot.errors import InvalidIdError, NotFoundError, ScopeError, SinagotError

__all__ = ["MayAct", "router"]

#: Who pauses, for the record: everybody has the same token.
BY = "dashboard"
#: Records of one request.
MOST_RECORDS = 10_000

_Id = Annotated[str, Field(min_length=1, max_length=1000)]
_Name = Annotated[str, Field(min_length=1, max_length=300)]
#: Holds a sign that is no blank in any dialect of patterns: they differ about separators, NEL and the byte order mark.
_Reason = Annotated[str, Field(min_length=1, max_length=2000, pattern=r"[^\s\x1c-\x1f\x85\ufeff]")]


class _Target(BaseModel):
    """Which records, and which part of them; what is not named is all."""

    model_config = ConfigDict(extra="forbid")

    task: _Name | None = None
    modality: _Name | None = None
    step: _Name | None = None


class RunRequest(_Target):
    """A run of what is not done, or of more."""

    records: Annotated[list[_Id], Field(min_length=1, max_length=MOST_RECORDS)] | None = None
    #: Only records of which a step failed or was interrupted.
    failed: bool = False
    #: Also what was made from something that changed since.
    outdated: bool = False
    #: Also what is up to date.
    force: bool = False
    #: In so many processes.
    jobs: Annotated[int, Field(ge=1, le=1024)] | None = None


class DecisionRequest(_Target):
    """Records to leave out of runs, or to take in again, and why."""

    records: Annotated[list[_Id], Field(min_length=1, max_length=MOST_RECORDS)]
    reason: _Reason


class AcceptRequest(_Target):
    """Changes to settle, and why."""

    records: Annotated[list[_Id], Field(min_length=1, max_length=MOST_RECORDS)] | None = None
    reason: _Reason


class CancelRequest(BaseModel):
    """A run to end."""

    model_config = ConfigDict(extra="forbid")

    run_id: Annotated[str, Field(min_length=1, max_length=200)]


class PauseRequest(BaseModel):
    """A schedule to pause, and why."""

    model_config = ConfigDict(extra="forbid")

    schedule: _Name
    reason: _Reason


class ResumeRequest(BaseModel):
    """A schedule that is to go on."""

    model_config = ConfigDict(extra="forbid")

    schedule: _Name


class Done(BaseModel):
    """What came of it."""

    message: str
    #: Jobs or records that it was about; null where that is not known yet.
    count: int | None = None
    pid: int | None = None


def _may_act(house: AtHome) -> House:
    if house.read_only:
        raise HTTPException(
            403, "this server was started with --read-only: nothing can be started or changed"
        )
    return house


#: Parameter of an endpoint that starts or changes something: the house, where that is allowed.
MayAct = Annotated[House, Depends(_may_act)]

_RESPONSES: dict[int | str, dict[str, Any]] = {
    403: {"model": Problem, "description": "The server is read-only, or another site sent this."},
    404: {"model": Problem, "description": "There is no such record, step or run."},
    409: {"model": Problem, "description": "It cannot be done now."},
    413: {"model": Problem, "description": "The body is too large."},
    401: {"model": Problem, "description": "The token is missing or wrong."},
    400: {"model": Problem, "description": "The body is no JSON."},
    422: {"model": Problem, "description": "Something in the request is none of what is allowed."},
}

router = APIRouter(prefix="/api/v1/actions", tags=["actions"], responses=_RESPONSES)


@router.post("/run", status_code=202)
def run(house: MayAct, wish: RunRequest) -> Done:
    """Start a run as a program of its own; it goes on when the server ends."""
    _scope(house, wish, wish.records)
    options = [f"--{name}={value}" for name in ("task", "modality", "step") if (value := getattr(wish, name))]
    options += [f"--{name}" for name in ("failed", "outdated", "force") if getattr(wish, name)]
    if wish.jobs is not None:
        options.append(f"--jobs={wish.jobs}")
    try:
        started = house.starter.run(wish.records, options)
    except SinagotError as error:
        raise HTTPException(409, str(error)) from error
    return Done(message=f"started: {started.command[:500]}", pid=started.pid)


@router.post("/exclude")
def exclude(house: MayAct, wish: DecisionRequest) -> Done:
    """Leave records, or a part of them, out of runs."""
    scope = _scope(house, wish, wish.records)
    made = _decide(lambda: scope.exclude(wish.reason, wish.step))
    return Done(message=f"excluded: {len(made):,} record(s)", count=len(made))


@router.post("/include")
def include(house: MayAct, wish: DecisionRequest) -> Done:
    """Take exclusions back."""
    scope = _scope(house, wish, wish.records)
    made = _decide(lambda: scope.include(wish.reason, wish.step))
    return Done(message=f"included again: {len(made):,} record(s)", count=len(made))


@router.post("/accept")
def accept(house: MayAct, wish: AcceptRequest) -> Done:
    """Settle changes that do not change results; no script is run."""
    scope = _scope(house, wish, wish.records)
    made = _decide(lambda: scope.steps.accept(wish.reason, wish.step))
    return Done(message=f"settled: {len(made):,} result(s)", count=len(made))


@router.post("/cancel")
def cancel(house: MayAct, wish: CancelRequest) -> Done:
    """Tell a run on this machine to end, as Ctrl-C does."""
    if house.chronicle.run(wish.run_id) is None:
        raise HTTPException(404, f"there is no run {wish.run_id[:100]!r} here")
    try:
        pid = house.starter.cancel(wish.run_id)
    except NotFoundError as error:
        raise HTTPException(409, str(error)) from error
    return Done(message="it was told to end; what runs may finish", pid=pid)


@router.post("/pause")
def pause(house: MayAct, wish: PauseRequest) -> Done:
    """Pause a schedule; what it would have done meanwhile is not made up for."""
    state = _decide(lambda: house.reception.service.pause(wish.schedule, BY, wish.reason))
    return Done(message=f"paused: {state.name}")


@router.post("/resume")
def resume(house: MayAct, wish: ResumeRequest) -> Done:
    """Let a schedule go on that was paused."""
    state = _decide(lambda: house.reception.service.resume(wish.schedule, BY))
    return Done(message=f"goes on: {state.name}")


def _scope(house: House, wish: _Target, records: list[str] | None) -> Any:
    """Give the records that are meant; all of them are there."""
    scope: Any = house.workspace.records
    for record_id in records or ():
        house.record_number(record_id)
    try:
        if wish.task is not None or wish.modality is not None:
            scope = scope.get_subscope(wish.task, wish.modality)
        if wish.step is not None:
            nodes = [
                *house.workspace.nodes_of(scope, wish.step),
                *house.workspace.groups_of(scope, wish.step),
            ]
            if not nodes:
                raise HTTPException(404, f"there is no step {wish.step!r} here")
        return scope if records is None else scope.select(records)
    except (ScopeError, InvalidIdError, LookupError) as error:
        raise HTTPException(404, str(error)) from error


def _decide(call: Any) -> Any:
    try:
        return call()
    except (NotFoundError, LookupError) as error:
        raise HTTPException(404, str(error)) from error
    except (SinagotError, ValueError) as error:
        raise HTTPException(409, str(error)) from error
