"""Decisions of people, and the configuration that holds with the origin of each value.

Knows what is shown; who decides and what holds is the workspace's.
"""

from __future__ import annotations

import json
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from sinagot.dashboard.house import AtHome, House, step_place
from sinagot.engine.state.decisions import Decisions
from sinagot.workspace.origins import OriginFinder, Shown
from sinagot.workspace.parameters import Parameters

__all__ = ["configuration_values", "router"]

router = APIRouter(include_in_schema=False)

_MOST_DECISIONS = 500
_LONGEST = 400


@router.get("/decisions")
def decisions(request: Request, house: AtHome) -> HTMLResponse:
    """Show what was decided, by whom, when and why."""
    found = Decisions.read(house.chronicle.state)
    force = found.in_force()
    return house.page(
        "decisions.html",
        request,
        force=list(reversed(force[-_MOST_DECISIONS:])),
        all=list(reversed(found.all[-_MOST_DECISIONS:])),
        counts=(len(force), len(found.all)),
        warnings=found.warnings,
        steps=list(dict.fromkeys(node.label for node in house.snapshot.view().nodes)),
    )


@router.get("/configuration")
def configuration(request: Request, house: AtHome) -> HTMLResponse:
    """Show every value that holds, and where it comes from."""
    values, steps, broken = configuration_values(house)
    files = [str(file) for file in house.workspace.configuration.files]
    warnings = house.workspace.configuration.warnings
    return house.page(
        "configuration.html",
        request,
        values=values,
        steps=steps,
        broken=broken,
        files=files,
        warnings=warnings,
    )


def configuration_values(
    house: House,
) -> tuple[
    list[dict[str, Any]], list[tuple[str, list[dict[str, Any]], list[dict[str, Any]]]], list[tuple[str, str]]
]:
    """Give the values of the configuration, settings and parameters of each step, and steps that can't be loaded."""
    workspace = house.workspace
    finder = OriginFinder(workspace.configuration)
    parameters = Parameters(workspace.configuration, {})
    steps, broken = [], []
    scope = workspace.records
    for node in (*workspace.nodes_of(scope, None), *workspace.groups_of(scope, None)):
        if node.error is not None:
            broken.append((step_place(node), str(node.error)))
        elif not node.is_node:
            own = workspace.blueprint.library.spec(node.label, node.modality, node.task).settings
            settings = [_row(one) for one in finder.settings(node, own)]
            params = [_row(one) for one in finder.params(parameters, node, None)]
            steps.append((step_place(node), settings, params))
    return [_row(one) for one in finder.configuration()], steps, broken


def _row(one: Shown) -> dict[str, Any]:
    text = json.dumps(one.value, default=str, ensure_ascii=False)
    return {
        "key": one.key,
        "value": text if len(text) <= _LONGEST else f"{text[:_LONGEST]} …",
        "origin": one.origin,
        "place": one.place,
    }
