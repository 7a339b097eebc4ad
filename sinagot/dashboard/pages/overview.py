"""The overview: how far it is, what runs now, what failed, and what the disk has left.

Knows what is counted; the counts are the snapshot's.
"""

from __future__ import annotations

import os
import shutil
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from sinagot.dashboard.house import AtHome, House, step_place
from sinagot.engine.words import STATUS
from sinagot.scripts.codes import StepStatus

__all__ = ["router"]

router = APIRouter(include_in_schema=False)

#: Seconds after which the page is shown without counts.
_PATIENCE = 0.1


@router.get("/")
def overview(request: Request, house: AtHome) -> HTMLResponse:
    """Show the page; where counting for the first time takes long, what is counted follows."""
    is_counted = house.snapshot.view_within(_PATIENCE) is not None
    return house.page("overview.html", request, **(_facts(house) if is_counted else {"view": None}))


@router.get("/parts/overview")
def overview_part(request: Request, house: AtHome) -> HTMLResponse:
    """Show what changes of the page."""
    return house.page("overview_part.html", request, **_facts(house))


def _facts(house: House) -> dict[str, Any]:
    view = house.snapshot.view()
    size = len(view.ids)
    steps = [
        {
            "place": step_place(node),
            "error": str(node.error) if node.error is not None else None,
            "bars": _bars(counts, size),
            "counts": {name: counts[name] for name in STATUS if name in counts},
        }
        for node, counts in zip(view.nodes, view.counts, strict=True)
    ]
    return {
        "view": view,
        "error": house.snapshot.error,
        "totals": {name: view.totals[name] for name in STATUS if name in view.totals},
        "steps": steps,
        "groups": [(step_place(node), StepStatus(code).name) for node, code in view.groups],
        "disk": _disk(house),
        "underway": house.chronicle.underway(),
        "failures": house.chronicle.failures()[:5],
        "data_path": str(house.workspace.data_path),
    }


def _bars(counts: dict[str, int], size: int) -> list[tuple[str, float, float]]:
    """Give status, start and width in parts of a thousand; what is there at all can be seen."""
    bars, start = [], 0.0
    for name in STATUS:
        if counts.get(name):
            width = 1000 * counts[name] / max(size, 1)
            bars.append((name, round(start, 2), round(max(width, 3), 2)))
            start += width
    return bars


def _disk(house: House) -> dict[str, int] | None:
    try:
        usage = shutil.disk_usage(os.fspath(house.workspace.configuration.output_path))
    except OSError:
        return None
    return {"total": usage.total, "used": usage.used, "free": usage.free}
