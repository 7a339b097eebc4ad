"""The API of what happened and what holds: runs, failures, decisions, configuration.

Knows addresses and the shape of answers; the facts come from the same places as those of the pages.
"""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Response

from sinagot.dashboard.answers import (
    ConfigurationAnswer,
    DecisionAnswer,
    FailureAnswer,
    ProgressAnswer,
    RunAnswer,
    ValueAnswer,
)
from sinagot.dashboard.api import REFUSALS, plain
from sinagot.dashboard.cursors import Cursor, read_cursor, write_cursor
from sinagot.dashboard.house import AtHome
from sinagot.dashboard.pages.settings import configuration_values
from sinagot.engine.state.decisions import Decisions

__all__ = ["router"]

router = APIRouter(prefix="/api/v1", tags=["accounts"], responses=REFUSALS)

_MOST_RECORDS = 100
_Limit = Annotated[int, Query(ge=1, le=200, description="At most so many.")]


@router.get(
    "/runs",
    responses={
        200: {
            "headers": {
                "Link": {"description": "Where the next part is, if any.", "schema": {"type": "string"}}
            }
        }
    },
)
def runs(house: AtHome, response: Response, cursor: Cursor = "", limit: _Limit = 50) -> list[RunAnswer]:
    """List runs, newest first; the header `Link` has the address of the next part."""
    last = read_cursor(cursor)
    found, has_more = house.chronicle.runs_after(last, limit)
    if has_more:
        address = f"{house.prefix}/api/v1/runs?limit={limit}&cursor={write_cursor(found[-1].run_id)}"
        response.headers["Link"] = f'<{address}>; rel="next"'
    return [RunAnswer.model_validate(plain(one._asdict())) for one in found]


@router.get("/underway")
def underway(house: AtHome) -> list[ProgressAnswer]:
    """Say how far the runs are that go on now."""
    return [
        ProgressAnswer.model_validate(
            plain({**one._asdict(), "counts": dict(one.counts), "running": [job.key for job in one.running]})
        )
        for one in house.chronicle.underway()
    ]


@router.get("/failures")
def failures(house: AtHome, limit: _Limit = 50) -> list[FailureAnswer]:
    """List the failures that stand, by cause, the largest group first."""
    view = house.snapshot.view()
    found = []
    for one in house.chronicle.failures()[:limit]:
        facts = {name: getattr(one, name) for name in FailureAnswer.model_fields if hasattr(one, name)}
        facts["records"] = one.records[:_MOST_RECORDS]
        facts["differences"] = house.chronicle.differences(view, one)
        found.append(FailureAnswer.model_validate(plain(facts)))
    return found


@router.get("/decisions")
def decisions(house: AtHome, limit: _Limit = 200) -> list[DecisionAnswer]:
    """List decisions, newest first."""
    found = Decisions.read(house.chronicle.state)
    force = set(found.in_force())
    return [
        DecisionAnswer.model_validate(plain({**one.to_json(), "in_force": one in force}))
        for one in reversed(found.all[-limit:])
    ]


@router.get("/configuration")
def configuration(house: AtHome) -> ConfigurationAnswer:
    """Tell every value that holds, and where it comes from."""
    values, steps, broken = configuration_values(house)

    def shaped(rows: list[dict[str, str]]) -> list[ValueAnswer]:
        return [ValueAnswer.model_validate(plain(row)) for row in rows]

    return ConfigurationAnswer(
        configuration=shaped(values),
        settings={place: shaped(settings) for place, settings, _ in steps},
        params={place: shaped(params) for place, _, params in steps},
        broken=plain(dict(broken)),
    )
