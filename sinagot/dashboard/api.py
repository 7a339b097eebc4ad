"""The API: what the pages show, as JSON for programs, described by OpenAPI.

Knows addresses and the shape of answers; the facts come from the same places as those of the pages.
"""

from __future__ import annotations

import json
from bisect import bisect_right
from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Query, Response

from sinagot.dashboard.answers import (
    GridAnswer,
    LogAnswer,
    PreviewAnswer,
    RecordAnswer,
    RecordsAnswer,
    StatusAnswer,
    StepAnswer,
)
from sinagot.dashboard.cells import Choice, Chooser, changed_times
from sinagot.dashboard.cursors import Cursor, Limit, read_cursor, write_cursor
from sinagot.dashboard.dossier import Dossier, LogQuery, log_page
from sinagot.dashboard.house import AtHome, House, step_place
from sinagot.dashboard.previews import OutsideError, preview
from sinagot.dashboard.problems import Problem
from sinagot.engine.words import STATUS
from sinagot.scripts.codes import StepStatus

__all__ = ["ABSENT", "REFUSALS", "plain", "router"]

#: What any address may answer, and one that names something.
REFUSALS: dict[int | str, dict[str, Any]] = {
    400: {"model": Problem, "description": "The address is none of a page."},
    401: {"model": Problem, "description": "The token is missing or wrong."},
    403: {"model": Problem, "description": "The host is foreign, or another site asks."},
    413: {"model": Problem, "description": "The body is too large."},
    415: {"model": Problem, "description": "The body is not said to be JSON."},
    422: {"model": Problem, "description": "Something in the request is none of what is allowed."},
}
ABSENT: dict[int | str, dict[str, Any]] = {
    404: {"model": Problem, "description": "There is no such record or step."}
}

router = APIRouter(prefix="/api/v1", tags=["workspace"], responses=REFUSALS)

#: Rows of one window of the grid.
MOST_ROWS = 500
_chooser = Chooser()


@router.get("/status")
def status(house: AtHome) -> StatusAnswer:
    """Count the jobs of each status, step by step."""
    view = house.snapshot.view()
    return StatusAnswer(
        version=view.version,
        time=view.time,
        records=len(view.ids),
        totals=view.totals,
        steps=[
            StepAnswer(
                step=step_place(node),
                task=node.task,
                modality=node.modality,
                step_label=node.label,
                counts=counts,
                error=_text(str(node.error)) if node.error is not None else None,
            )
            for node, counts in zip(view.nodes, view.counts, strict=True)
        ],
        groups={step_place(node): StepStatus(code).name for node, code in view.groups},
        problems=[_text(problem) for problem in view.problems],
        error=_text(house.snapshot.error) if house.snapshot.error is not None else None,
    )


@router.get("/grid", response_model=GridAnswer, responses=ABSENT)
def grid(
    house: AtHome,
    offset: Annotated[int, Query(ge=0, le=1 << 40, description="First row, from 0.")] = 0,
    limit: Annotated[int, Query(ge=1, le=MOST_ROWS, description="Rows at most.")] = 100,
    search: Annotated[str, Query(max_length=200, description="Part of the id, whatever its case.")] = "",
    status: Annotated[
        str, Query(pattern=f"^(|{'|'.join(STATUS)})$", description="Only records with a step of this status.")
    ] = "",
    step: Annotated[
        str, Query(max_length=400, description="The step that `status` and `sort` are about; else any.")
    ] = "",
    sort: Annotated[str, Query(pattern="^(id|-id|status)$", description="Order of the rows.")] = "id",
) -> Response:
    """Give rows of the grid: an id, and for each step its status when its output was written, how long it took."""
    view = house.snapshot.view()
    number = None
    if step:
        number = next((place for place, node in enumerate(view.nodes) if step_place(node) == step), None)
        if number is None:
            raise HTTPException(404, f"there is no step {step!r} here")
    found = _chooser.find(view, Choice(search, status, number, sort))
    window = found[offset : offset + limit]
    times = changed_times(house.workspace, view, window)
    rows = [
        {
            "id": _text(view.ids[record]),
            "status": [column[record] for column in view.columns],
            "changed": [_whole(times.get((record, number))) for number in range(len(view.nodes))],
            "took": took,
        }
        for record, took in zip(window, house.durations.of(view, window), strict=True)
    ]
    answer: dict[str, Any] = {
        "version": view.version,
        "total": len(found),
        "offset": offset,
        "now": int(view.time),
    }
    answer |= {"steps": [step_place(node) for node in view.nodes], "rows": rows}
    return Response(json.dumps(answer, separators=(",", ":")), media_type="application/json")


def _whole(seconds: float | None) -> int | None:
    return None if seconds is None else int(seconds)


@router.get("/records")
def records(house: AtHome, cursor: Cursor = "", limit: Limit = 100) -> RecordsAnswer:
    """List the ids of the records, sorted, part by part."""
    ids = house.snapshot.view().ids
    last = read_cursor(cursor)
    begin = bisect_right(ids, last) if last is not None else 0
    part = ids[begin : begin + limit]
    has_more = begin + limit < len(ids)
    return RecordsAnswer(
        total=len(ids),
        records=[_text(record_id) for record_id in part],
        next=write_cursor(part[-1]) if has_more else None,
    )


@router.get("/records/{record_id}", responses=ABSENT)
def record(house: AtHome, record_id: str) -> RecordAnswer:
    """Tell all of a record: the status of its steps, why, and their files."""
    house.record_number(record_id)
    facts = Dossier(house.workspace, record_id).facts()
    for step in facts["steps"]:
        step["stages"] = step["stages"].as_json() if step["stages"] is not None else None
    decisions = [decision.to_json() for decision in facts["decisions"]]
    return RecordAnswer.model_validate(plain({"record_id": record_id, **facts, "decisions": decisions}))


@router.get("/records/{record_id}/log", responses=ABSENT, operation_id="log_of_record")
@router.get("/records/{record_id}/logs", responses=ABSENT)
def logs(house: AtHome, record_id: str, query: Annotated[LogQuery, Query()]) -> LogAnswer:
    """Give a page of the log of a record, newest line first; `skip` passes over the pages before."""
    house.record_number(record_id)
    return LogAnswer.model_validate(plain(log_page(house.workspace, record_id, query)._asdict()))


@router.get("/records/{record_id}/preview", responses=ABSENT)
def look(
    house: AtHome,
    record_id: str,
    step: Annotated[str, Query(max_length=400, description="Place of the step.")],
    slot: Annotated[int, Query(ge=0, le=10_000, description="Number of the file among those of the step.")],
    item: Annotated[
        int, Query(ge=0, le=10_000, description="Number of the match of a path with free fields.")
    ] = 0,
) -> PreviewAnswer:
    """Look into a file of a record, as far as pages show it."""
    house.record_number(record_id)
    path = Dossier(house.workspace, record_id).path(_step(house, step), slot, item)
    try:
        found = preview(path, house.roots)
    except OutsideError as error:
        raise HTTPException(403, str(error)) from error
    except OSError as error:
        raise HTTPException(404, error.strerror or "it can't be read") from error
    return PreviewAnswer.model_validate(plain(found._asdict()))


def _step(house: House, step: str) -> Any:
    return house.node(step)


def _text(text: str) -> str:
    """Give a text that JSON and UTF-8 can hold, whatever stood in a name."""
    return text.encode("utf-8", "replace").decode("utf-8")


def plain(value: Any) -> Any:
    """Give values that JSON can hold: no halves of surrogate pairs."""
    if isinstance(value, str):
        return value if value.isascii() else _text(value)
    if isinstance(value, dict):
        return {str(key): plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [plain(one) for one in value]
    return value
