"""Pipelines and flows: the lists of them, and the page of one in a run, with its graph, its parts and its attempts.

Knows which accounts are shown; must not know how they are made.
"""

from __future__ import annotations

import re
from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Query, Request
from fastapi.responses import HTMLResponse

from sinagot.dashboard.gallery import Exhibit
from sinagot.dashboard.house import AtHome, House
from sinagot.dashboard.kinds import FLOWS, AsKind, Kind
from sinagot.engine.words import ACTS

__all__ = ["STATES", "exhibit_of", "router"]

router = APIRouter(include_in_schema=False)

#: Attempts of one page; steps without a run that are looked for in the newest view, at most so long.
_PAGE = 50
_PATIENCE = 0.2
#: Name and run; a name may have slashes.
_OF_RUN = re.compile(r"(.+)/(\d{8}T\d{6}-[^/]*)", re.DOTALL)
#: What a state may be in an address.
STATES = f"^(|{'|'.join(ACTS)})$"

_State = Annotated[str, Query(pattern=STATES)]
_Stage = Annotated[str, Query(max_length=400)]
_Offset = Annotated[int, Query(ge=0, le=1 << 40)]


@router.get("/flows")
@router.get("/pipelines")
def pipelines(request: Request, house: AtHome, kind: AsKind) -> HTMLResponse:
    """Show which there are."""
    return house.page("pipelines.html", request, **_pipelines(house, kind))


@router.get("/parts/flows")
@router.get("/parts/pipelines")
def pipelines_part(request: Request, house: AtHome, kind: AsKind) -> HTMLResponse:
    """Show what changes of the page."""
    return house.page("pipelines_part.html", request, **_pipelines(house, kind))


@router.get("/flows/{rest:path}")
@router.get("/pipelines/{rest:path}")
def pipeline(
    request: Request,
    house: AtHome,
    kind: AsKind,
    rest: str,
    stage: _Stage = "",
    state: _State = "",
    offset: _Offset = 0,
) -> HTMLResponse:
    """Show one in a run, or in its newest one: a run that begins is followed."""
    return house.page("pipeline.html", request, **_pipeline(house, kind, rest, stage, state, offset))


@router.get("/parts/flows/{rest:path}")
@router.get("/parts/pipelines/{rest:path}")
def pipeline_part(
    request: Request,
    house: AtHome,
    kind: AsKind,
    rest: str,
    stage: _Stage = "",
    state: _State = "",
    offset: _Offset = 0,
) -> HTMLResponse:
    """Show what changes of the page."""
    return house.page("pipeline_part.html", request, **_pipeline(house, kind, rest, stage, state, offset))


def _pipelines(house: House, kind: Kind) -> dict[str, Any]:
    return {
        "kind": kind,
        "rows": house.gallery.rows(kind, house.snapshot.view_within(_PATIENCE)),
        "states": ACTS,
        "running": house.gallery.running() if kind == FLOWS else (),
    }


def exhibit_of(house: House, kind: Kind, step: str, run_id: str) -> Exhibit | None:
    """Look a pipeline or flow up, in a run or in the newest that had it; None for one that has not run.

    Raises
    ------
    HTTPException
        There is none.
    """
    found = house.gallery.show(kind, step, run_id or None)
    if found is None and (
        run_id or all(row.step != step for row in house.gallery.rows(kind, house.snapshot.view()))
    ):
        where = f" in run {run_id[:100]!r}" if run_id else " here"
        raise HTTPException(404, f"there is no {kind.name} {step[:200]!r}{where}")
    return found


def _pipeline(house: House, kind: Kind, rest: str, stage: str, state: str, offset: int) -> dict[str, Any]:
    run = _OF_RUN.fullmatch(rest)
    step, run_id = (run[1], run[2]) if run is not None else (rest, "")
    found = exhibit_of(house, kind, step, run_id)
    facts: dict[str, Any] = {
        "kind": kind,
        "step": step,
        "run_id": run_id,
        "stage": stage,
        "state": state,
        "offset": offset,
        "states": ACTS,
        "page": _PAGE,
        "found": found,
    }
    if found is None:
        return facts
    total, attempts = house.gallery.attempts(found, stage=stage, state=state, offset=offset, limit=_PAGE)
    shown = [name for name in ACTS if any(one.counts.get(name) for one in found.stages)]
    return {
        **facts,
        "shown": shown,
        "running": house.gallery.running(found.run.run_id) if kind == FLOWS else (),
        "total": total,
        "attempts": attempts,
        "timeline": house.chronicle.timeline(found.run),
    }
