"""The grid of records and steps, and the page of one record: its steps, files and log.

Knows what is asked for; ids are looked up among those that are there, files are named by their step and place, never by
a path.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Query, Request, Response
from fastapi.responses import HTMLResponse, StreamingResponse

from sinagot.dashboard.dossier import Dossier, LogQuery, log_page
from sinagot.dashboard.house import AtHome, House, step_place
from sinagot.dashboard.previews import IMAGES, MOST_IMAGE, OutsideError, open_inside, preview
from sinagot.engine.words import STATUS
from sinagot.scripts.codes import StepStatus

__all__ = ["router"]

router = APIRouter(include_in_schema=False)

_PIECE = 1 << 16
#: A picture may hold scripts: it is shown as a picture only, whatever opens it.
_SEALED = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; sandbox"


@router.get("/grid")
def grid(request: Request, house: AtHome) -> HTMLResponse:
    """Show the grid; its rows are asked for by the page."""
    view = house.snapshot.view()
    codes = {
        int(StepStatus[name]): (word.text, word.sign, word.tone)
        for name, word in STATUS.items()
        if name in StepStatus.__members__
    }
    steps = [step_place(node) for node in view.nodes]
    return house.page("grid.html", request, view=view, steps=steps, words=STATUS, codes=codes)


@router.get("/records/{record_id}")
def record(
    request: Request, house: AtHome, record_id: str, log: Annotated[LogQuery, Query()]
) -> HTMLResponse:
    """Show one record."""
    place = house.record_number(record_id)
    return house.page("record.html", request, **_facts(house, place), **_log(house, record_id, log))


@router.get("/parts/records/{record_id}/steps")
def steps_part(request: Request, house: AtHome, record_id: str) -> HTMLResponse:
    """Show what changes of the page of a record."""
    return house.page("record_steps.html", request, **_facts(house, house.record_number(record_id)))


@router.get("/parts/records/{record_id}/flow")
def flow_part(request: Request, house: AtHome, record_id: str, step: str) -> HTMLResponse:
    """Show how far the flow of a record is."""
    house.record_number(record_id)
    found = Dossier(house.workspace, record_id).acts(house.node(step))
    if found is None:
        raise HTTPException(404, f"nothing is known of the processors of {step[:200]!r}")
    graph, stages = house.gallery.inside(found)
    shown = {"place": step, "stages": stages, "graph": graph}
    return house.page("record_flow.html", request, step=shown)


@router.get("/parts/records/{record_id}/log")
def log_part(
    request: Request, house: AtHome, record_id: str, log: Annotated[LogQuery, Query()]
) -> HTMLResponse:
    """Show a page of the log of a record."""
    house.record_number(record_id)
    return house.page("record_log.html", request, record_id=record_id, **_log(house, record_id, log))


@router.get("/parts/records/{record_id}/file")
def file_part(
    request: Request, house: AtHome, record_id: str, step: str, slot: int, item: int = 0
) -> HTMLResponse:
    """Show what is in a file."""
    house.record_number(record_id)
    path = Dossier(house.workspace, record_id).path(house.node(step), slot, item)
    facts: dict[str, Any] = {"record_id": record_id, "step": step, "slot": slot, "item": item, "path": path}
    try:
        shown, problem = preview(path, house.roots), ""
    except (OutsideError, OSError) as error:
        shown, problem = None, getattr(error, "strerror", None) or str(error)
    return house.page("preview.html", request, shown=shown, problem=problem, **facts)


@router.get("/records/{record_id}/file")
def raw_file(house: AtHome, record_id: str, step: str, slot: int, item: int = 0) -> Response:
    """Give a picture as it is, any other file to be kept."""
    house.record_number(record_id)
    path = Dossier(house.workspace, record_id).path(house.node(step), slot, item)
    try:
        file = open_inside(path, house.roots)
    except OutsideError as error:
        raise HTTPException(403, str(error)) from error
    except OSError as error:
        raise HTTPException(404, error.strerror or "it can't be read") from error
    size = file.seek(0, 2)
    file.seek(0)
    kind = next((kind for suffix, kind in IMAGES.items() if path.lower().endswith(suffix)), None)
    is_shown = kind is not None and size <= MOST_IMAGE
    headers = {
        "Content-Length": str(size),
        "Content-Disposition": "inline" if is_shown else "attachment",
        "Content-Security-Policy": _SEALED,
    }

    def pieces() -> Iterator[bytes]:
        left = size
        with file:
            while left > 0 and (piece := file.read(min(_PIECE, left))):
                left -= len(piece)
                yield piece

    return StreamingResponse(
        pieces(), media_type=kind if is_shown and kind else "application/octet-stream", headers=headers
    )


def _facts(house: House, place: int) -> dict[str, Any]:
    view = house.snapshot.view()
    record_id = view.ids[place]
    facts = Dossier(house.workspace, record_id).facts()
    for step in facts["steps"]:
        if step["is_flow"] and step["stages"] is not None:
            step["graph"], step["stages"] = house.gallery.inside(step["stages"])
    return {
        "record_id": record_id,
        "before": view.ids[place - 1] if place else None,
        "after": view.ids[place + 1] if place + 1 < len(view.ids) else None,
        **facts,
    }


def _log(house: House, record_id: str, log: LogQuery) -> dict[str, Any]:
    found = log_page(house.workspace, record_id, log)
    return {"log": log, "page": found}
