"""A pipeline as HTML for notebooks: the graph with states and durations, its parameters, its stages.

Knows descriptions and words; must not know pipelines or runs: what is known of one is handed in. One piece of HTML
without script; where there are too many stages it shows the first, and counts the others.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

from sinagot.engine.charts.chart import one_line
from sinagot.engine.charts.picture import picture
from sinagot.engine.html import (
    Markup,
    bar,
    chip,
    code,
    joined,
    legend,
    paragraph,
    problem,
    table,
    told,
    wrapped,
)
from sinagot.engine.pace import duration_text
from sinagot.engine.words import ACTS
from sinagot.pipeline.description import Description, NodeView
from sinagot.pipeline.views.graph import chart_of, edge_label, kind_text, word_of
from sinagot.pipeline.views.listing import default_text

__all__ = ["page"]

_MOST_STAGES = 50
_MOST_SOURCES = 5
_MOST_ERRORS = 5
_LONGEST_ERROR = 2000


def page(
    description: Description,
    states: Mapping[str, str] | None = None,
    durations: Mapping[str, float] | None = None,
    errors: Mapping[str, object] | None = None,
) -> Markup:
    """Show a pipeline, with what is known of a run of it.

    Parameters
    ----------
    description : Description
        The pipeline.
    states : mapping of str to str, optional
        Name of a stage -> its state, a key of `sinagot.engine.words.ACTS`.
    durations : mapping of str to float, seconds, optional
        Name of a stage -> how long it took.
    errors : mapping of str to object, optional
        Name of a stage -> what it failed with: an exception, or its text.

    Returns
    -------
    Markup
        One ``<div class="sinagot">``. What is wrong with the description is shown in it.
    """
    parts = _parts(description, states or {}, durations or {}, errors or {})
    return told(one_line(description.name), parts)


def _parts(
    description: Description,
    states: Mapping[str, str],
    durations: Mapping[str, float],
    errors: Mapping[str, object],
) -> Iterator[Markup]:
    if description.doc:
        yield paragraph(description.doc.strip())
    chart = chart_of(description, states, durations)
    counts = Counter(str(states[box.name]).upper() for box in chart.boxes if box.word is not None)
    if counts:
        yield bar(counts, ACTS, len(chart.boxes))
        yield paragraph(legend(counts, ACTS))
    yield picture(chart)
    yield from _errors(errors)
    if description.parameters:
        rows = [
            (
                code(one.name),
                one.type,
                code(default_text(one)),
                one.doc,
            )
            for one in description.parameters
        ]
        yield table(["parameter", "type", "default", "meaning"], rows, most=_MOST_STAGES)
    yield _stages(description, states, durations)


def _errors(errors: Mapping[str, object]) -> Iterator[Markup]:
    for name, error in list(errors.items())[:_MOST_ERRORS]:
        said = f"{type(error).__name__}: {error}" if isinstance(error, BaseException) else str(error)
        yield problem(f"{one_line(name)}: {said[:_LONGEST_ERROR]}")
    if len(errors) > _MOST_ERRORS:
        yield paragraph(f"... and {len(errors) - _MOST_ERRORS:,} more errors")


def _stages(description: Description, states: Mapping[str, str], durations: Mapping[str, float]) -> Markup:
    """Give a row for each stage; what went wrong stands first where not all have room."""
    order = description.in_order()
    if len(order) > _MOST_STAGES:
        order.sort(
            key=lambda node: str(states.get(node.name)).upper() not in ("ERROR", "INTERRUPTED", "RUNNING")
        )
    takes: dict[str, list[str]] = {}
    for edge in dict.fromkeys(description.edges):
        label = edge_label(edge) if edge.argument is not None else ""
        takes.setdefault(edge.target, []).append(
            f"{label} from {edge.source}" if label else f"after {edge.source}"
        )
    groups = {one.name: one.label or one.name for one in description.groups}
    columns: list[tuple[str, list[object]]] = [("stage", [code(one_line(node.name)) for node in order])]
    columns.append(("group", [groups.get(node.group, node.group) if node.group else "" for node in order]))
    columns.append(("about", [_about(node) for node in order]))
    columns.append(("takes", [_sources(takes.get(node.name, [])) for node in order]))
    words = [word_of(states.get(node.name)) for node in order]
    columns.append(("state", [chip(word) if word else "" for word in words]))
    seconds = [durations.get(node.name) for node in order]
    columns.append(("time", ["" if one is None else duration_text(one) for one in seconds]))
    used = [(head, cells) for head, cells in columns if any(cells)]
    return table(
        [head for head, _ in used], zip(*(cells for _, cells in used), strict=True), most=_MOST_STAGES
    )


def _about(node: NodeView) -> Markup:
    """Say what a stage is and does."""
    first = next((line.strip() for line in node.doc.splitlines() if line.strip()), "")
    label = node.label if node.label != node.name else ""
    said = "; ".join(part for part in (label, kind_text(node), first) if part)
    return joined(said, " " if said and node.source else "", wrapped(node.source) if node.source else "")


def _sources(takes: list[str]) -> str:
    more = f", ... and {len(takes) - _MOST_SOURCES:,} more" if len(takes) > _MOST_SOURCES else ""
    return ", ".join(map(one_line, takes[:_MOST_SOURCES])) + more
