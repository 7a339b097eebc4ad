"""Workspaces, scopes, steps, plans and flows as HTML, for notebooks.

Knows what each of them can tell at once; must not look at every record of a large workspace. Whatever is wrong is shown
instead of raised, and nothing is written.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from typing import Any

from sinagot.engine.accounts.cards import named
from sinagot.engine.html import (
    Markup,
    bar,
    chip,
    code,
    facts,
    joined,
    legend,
    paragraph,
    problem,
    table,
    told,
    wrapped,
)
from sinagot.engine.pace import duration_text
from sinagot.engine.planning.plan import Verdict
from sinagot.engine.words import PLACES, STATUS, VERDICTS
from sinagot.workflow.picture import drawn
from sinagot.workspace.contracts import Selection
from sinagot.workspace.display.glances import glance

__all__ = [
    "flow_card",
    "flows_card",
    "house_card",
    "pipelines_card",
    "plan_card",
    "scope_card",
    "steps_card",
    "workflow_card",
]

_MOST_STEPS = 50
_MOST_JOBS = 20
_MOST_PROBLEMS = 5


def house_card(workspace: Any, records: Selection) -> Markup:
    """Draw a workspace."""
    return told(type(workspace).__name__, _house_parts(workspace, records))


def _house_parts(workspace: Any, records: Selection) -> Iterator[Markup]:
    configuration = workspace.configuration
    yield facts(
        [
            ("folder", code(configuration.root)),
            ("data", code(configuration.data_path)),
            ("version", workspace.info.get("version")),
            ("tasks", ", ".join(configuration.tasks)),
            ("modalities", ", ".join(configuration.modalities)),
        ]
    )
    yield from _steps_parts(records)


def pipelines_card(pipelines: Any) -> Markup:
    """Draw the pipelines of a workspace."""
    return told("Pipelines", _pipelines_parts(pipelines))


def _pipelines_parts(pipelines: Any) -> Iterator[Markup]:
    rows = []
    for one in pipelines.values():
        made = one.pipeline if one.kind != "template" else None
        stages = ", ".join(made.stages) if made is not None else ""
        rows.append((one.name, one.kind, code(one.file), stages))
    yield table(["pipeline", "kind", "file", "stages"], rows, most=_MOST_STEPS)
    yield from (problem(str(error)) for error in pipelines.errors[:_MOST_PROBLEMS])


def scope_card(scope: Selection) -> Markup:
    """Draw a collection of records, or one record."""
    return told(repr(scope), _record_parts(scope) if scope.is_record else _steps_parts(scope))


def _record_parts(record: Any) -> Iterator[Markup]:
    yield facts(record.entities.items())
    look = glance(record)
    rows = [
        (node.place, joined(*(chip(STATUS[name]) for name in counts)), _wrong(node))
        for node, counts in look.steps
    ]
    yield table(["step", "status", ""], rows, most=_MOST_STEPS)
    yield from _problems(record.workspace)


def steps_card(scope: Selection, title: str, step_label: str | None = None) -> Markup:
    """Draw the steps of a scope, or one of them."""
    return told(
        title, _record_parts(scope) if _is_one(scope, step_label) else _steps_parts(scope, step_label)
    )


def _is_one(scope: Selection, step_label: str | None) -> bool:
    return scope.is_record and step_label is None


def _steps_parts(scope: Selection, step_label: str | None = None, noun: str = "record") -> Iterator[Markup]:
    """Give the records of a scope and the counts of each step, as pieces.

    Parameters
    ----------
    scope : Selection
        What is counted.
    step_label : str, optional
        This step only.
    noun : str
        What records are called.

    Yields
    ------
    Markup
        One below the other.
    """
    look = glance(scope, step_label)
    yield paragraph(f"{len(look.ids):,} {noun}{'' if len(look.ids) == 1 else 's'}", _first(look.ids))
    rows = [
        (node.place, bar(counts, STATUS, len(look.ids)), joined(legend(counts, STATUS), _wrong(node)))
        for node, counts in look.steps
    ]
    if rows and look.seen:
        yield table(["step", "", f"{noun}s by status"], rows, most=_MOST_STEPS)
    else:
        yield table(["step", ""], [(node.place, _wrong(node)) for node, _ in look.steps], most=_MOST_STEPS)
    if look.groups:
        group_rows = [(node.place, chip(STATUS[name]), _wrong(node)) for node, name in look.groups]
        yield table(["for all records", "status", ""], group_rows, most=_MOST_STEPS)
    if not look.is_whole:
        yield paragraph(
            f"Counted are {look.seen:,} {noun}s, so that it is quick; ", code("status()"), " tells of all."
        )
    yield from _problems(scope.workspace)


def _first(ids: list[str]) -> str:
    return f": {named(ids)}" if ids else ""


def _wrong(node: Any) -> Markup:
    """Say why a step cannot be loaded."""
    return problem(str(node.error)) if node.error is not None else Markup()


def _problems(workspace: Any) -> Iterator[Markup]:
    """Give the folders that could not be read."""
    data = str(workspace.configuration.data_path)
    if not os.path.isdir(data):
        yield problem(f"the data folder is not there (any more): {data}")
    for text in workspace.problems[:_MOST_PROBLEMS]:
        yield problem(f"folder can't be read: {text}")


def workflow_card(workflow: Any, values: Any) -> Markup:
    """Draw one workflow, with what is stored, stale, missing."""
    return told(repr(workflow), _workflow_parts(workflow, values))


def _workflow_parts(workflow: Any, values: Any) -> Iterator[Markup]:
    yield drawn(workflow.workspace.workflow_class, values.states(workflow.workflow_id))


def flows_card(workspace: Any) -> Markup:
    """Draw a workspace of workflows."""
    return told(repr(workspace), _flows_parts(workspace))


def _flows_parts(workspace: Any) -> Iterator[Markup]:
    yield drawn(workspace.workflow_class, {})
    yield from _steps_parts(workspace.records, noun="workflow")


def plan_card(plan: Any) -> Markup:
    """Draw a plan."""
    return told("Plan", _plan_parts(plan))


def _plan_parts(plan: Any) -> Iterator[Markup]:
    counts: Counter[str] = Counter()
    running: list[tuple[object, ...]] = []
    others: list[tuple[object, ...]] = []
    for row in plan.iter_jobs():  # may be many: only the first are written out
        verdict = row["verdict"]
        counts[verdict] += 1
        rows = running if verdict == Verdict.RUN else others
        if verdict != Verdict.UP_TO_DATE and len(rows) < _MOST_JOBS:
            place = "-".join(str(row[key]) for key in ("task", "modality", "step_label") if row[key])
            why = "; ".join(one.text for one in row["reasons"])
            seconds = row["estimate_s"]
            about = "" if seconds is None else duration_text(seconds)
            rows.append((row["record_id"], place, chip(VERDICTS[verdict]), about, wrapped(why)))
    if not counts:
        yield paragraph("no jobs")
        return
    yield bar(counts, VERDICTS)
    yield paragraph(legend(counts, VERDICTS))
    if plan.estimate is not None:
        yield paragraph(f"about {duration_text(plan.estimate)} of work")
    head = ["record", "step", "", "about", "why"]
    if plan.estimate is None:
        head.remove("about")
        running, others = ([(*row[:3], row[4]) for row in rows] for rows in (running, others))
    if running:
        yield table(head, running, total=counts[Verdict.RUN])
    if others:
        total = counts.total() - counts[Verdict.RUN] - counts[Verdict.UP_TO_DATE]
        yield table(head, others, total=total)
    for text in plan.warnings[:_MOST_PROBLEMS]:
        yield problem(f"Warning: {text}")


def flow_card(flow: Any) -> Markup:
    """Draw the way of the records."""
    return told("Where the records have gone", _flow_parts(flow))


def _flow_parts(flow: Any) -> Iterator[Markup]:
    rows = flow.rows
    used = [place for place in PLACES if any(one.places[place] for one in rows)]
    head = ["", "", "found", *(chip(PLACES[place]) for place in used)]
    cells = [
        (one.name, bar(one.places, PLACES, one.found), one.found, *(one.places[place] for place in used))
        for one in rows
    ]
    yield table(head, cells, most=_MOST_STEPS)
    if flow.records.excluded:
        yield table(["excluded because", "records"], flow.records.excluded.items())
    if flow.strays:
        yield paragraph(f"{len(flow.strays):,} ids have results, and no input: {named(flow.strays)}")
