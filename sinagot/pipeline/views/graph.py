"""A pipeline as a graph of boxes and lines, ready to be drawn.

Knows descriptions, states and words; must not know how it is drawn: `sinagot.engine.charts` does that.
"""

from __future__ import annotations

from collections.abc import Mapping

from sinagot.engine.charts.chart import Box, Chart, Line
from sinagot.engine.pace import duration_text
from sinagot.engine.words import ACTS, Word
from sinagot.pipeline.description import Description, EdgeView, NodeView

__all__ = ["chart_of", "edge_label", "kind_text", "word_of"]

#: Kinds of stages and processors that are not told by their name.
_KINDS = {
    "stage": "",
    "each": "once per element",
    "processor": "",
    "gatherer": "waits for all its inputs",
}


def chart_of(
    description: Description,
    states: Mapping[str, str] | None = None,
    durations: Mapping[str, float] | None = None,
) -> Chart:
    """Give the stages and the edges of a pipeline as a graph.

    Parameters
    ----------
    description : Description
        The pipeline.
    states : mapping of str to str, optional
        Name of a stage -> its state, a key of `sinagot.engine.words.ACTS`.
    durations : mapping of str to float, seconds, optional
        Name of a stage -> how long it took.

    Returns
    -------
    Chart
        A box for each stage, in running order, and a line for each edge, in theirs.

    Raises
    ------
    ConfigurationError
        When the stages have no order.
    """
    states, durations = states or {}, durations or {}
    boxes = []
    for node in description.in_order():
        seconds = durations.get(node.name)
        boxes.append(
            Box(
                node.name,
                ", ".join(
                    part for part in (node.label if node.label != node.name else "", kind_text(node)) if part
                ),
                frame=node.group,
                word=word_of(states.get(node.name)),
                note="" if seconds is None else duration_text(seconds),
            )
        )
    edges = dict.fromkeys(description.edges)
    lines = [Line(edge.source, edge.target, edge_label(edge), edge.argument is not None) for edge in edges]
    return Chart(
        description.name, boxes, lines, {one.name: one.label or one.name for one in description.groups}
    )


def word_of(state: str | None) -> Word | None:
    """Give the word of a state; None where nothing is known.

    Examples
    --------
    >>> word_of("SKIPPED").text
    'skipped'
    """
    return None if state is None else ACTS.get(str(state).upper())


def kind_text(node: NodeView) -> str:
    """Say what a stage is, where that is not usual.

    Examples
    --------
    >>> kind_text(NodeView("a")), kind_text(NodeView("a", kind="bash"))
    ('', 'bash')
    """
    return _KINDS.get(node.kind, node.kind)


def edge_label(edge: EdgeView) -> str:
    """Say what goes along an edge.

    Examples
    --------
    >>> edge_label(EdgeView("a", "b", "table", "left")), edge_label(EdgeView("a", "b", "table", "return"))
    ('left as table', 'table')
    """
    output = "" if edge.output in (None, "return", edge.argument) else edge.output
    return " as ".join(part for part in (output, edge.argument) if part)
