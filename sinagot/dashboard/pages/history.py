"""Runs, the picture of one run, and the failures that stand.

Knows which accounts are shown; must not know how they are made.
"""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import HTMLResponse

from sinagot.dashboard.house import AtHome, House
from sinagot.dashboard.kinds import kind_of
from sinagot.errors import HistoryUnavailableError
from sinagot.pipeline.album import read_portraits
from sinagot.schedule.history.facts import Launch

__all__ = ["router"]

router = APIRouter(include_in_schema=False)

#: Groups of failures that are shown, and records of each.
_MOST_GROUPS = 50
_MOST_RECORDS = 12


@router.get("/runs")
def runs(request: Request, house: AtHome) -> HTMLResponse:
    """Show the runs, newest first."""
    return house.page("runs.html", request, **_runs(house))


@router.get("/parts/runs")
def runs_part(request: Request, house: AtHome) -> HTMLResponse:
    """Show what changes of the page."""
    return house.page("runs_part.html", request, **_runs(house))


@router.get("/runs/{run_id}")
def run(request: Request, house: AtHome, run_id: str) -> HTMLResponse:
    """Show one run."""
    return house.page("run.html", request, **_run(house, run_id))


@router.get("/parts/runs/{run_id}")
def run_part(request: Request, house: AtHome, run_id: str) -> HTMLResponse:
    """Show what changes of the page of a run."""
    return house.page("run_part.html", request, **_run(house, run_id))


@router.get("/failures")
def failures(request: Request, house: AtHome) -> HTMLResponse:
    """Show the failures that stand, by cause."""
    return house.page("failures.html", request, **_failures(house))


@router.get("/parts/failures")
def failures_part(request: Request, house: AtHome) -> HTMLResponse:
    """Show what changes of the page."""
    return house.page("failures_part.html", request, **_failures(house))


def _runs(house: House) -> dict[str, Any]:
    return {
        "runs": house.chronicle.runs(),
        "underway": house.chronicle.underway(),
        "started": house.starter.told(),
    }


def _run(house: House, run_id: str) -> dict[str, Any]:
    facts, launch = house.chronicle.run(run_id), _launch(house, run_id)
    if facts is None:
        if launch is None:
            raise HTTPException(404, f"there is no run {run_id[:100]!r} here")
        return {"run": None, "run_id": run_id, "launch": launch}
    going = [one for one in house.chronicle.underway() if one.run_id == run_id]
    return {
        "run": facts,
        "run_id": run_id,
        "launch": launch,
        "going": going[0] if going else None,
        "timeline": house.chronicle.timeline(facts),
        "can_cancel": house.starter.may_cancel(facts),
        "pipelines": [
            (step, kind_of(one.kind)) for step, one in read_portraits(house.chronicle.state, run_id).items()
        ],
        "flows": house.gallery.running(run_id) if going else (),
    }


def _launch(house: House, run_id: str) -> Launch | None:
    """Give what is on record of a run that was asked for; a history that can't be reached hides no run."""
    try:
        return house.reception.launch_of(run_id)
    except HistoryUnavailableError:
        return None


def _failures(house: House) -> dict[str, Any]:
    found = house.chronicle.failures()
    view = house.snapshot.view()
    groups = [
        {
            "failure": one,
            "shown": one.records[:_MOST_RECORDS],
            "differences": house.chronicle.differences(view, one) if number < 10 else (),
            "words": _scope_words(one),
        }
        for number, one in enumerate(found[:_MOST_GROUPS])
    ]
    return {"groups": groups, "count": sum(one.count for one in found), "left": len(found) - len(groups)}


def _scope_words(failure: Any) -> list[str]:
    """Give the options that narrow a command to the step of a failure."""
    words = ["--step", failure.step_label]
    if failure.task:
        words += ["--task", failure.task]
    return words + (["--modality", failure.modality] if failure.modality else [])
