"""Draws the nodes of a workflow as Mermaid, as DOT, or as plain lines.

Knows names, functions and arguments; must not know data. What is known of one workflow's data comes as a word a node.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sinagot.engine.charts.chart import Box, Chart, Line
from sinagot.engine.charts.texts import dot, mermaid
from sinagot.engine.words import NODES
from sinagot.workflow.nodes import Call, Node, ScriptCall, fill, name_of
from sinagot.workflow.order import in_order, parts_of

__all__ = ["chart_of", "draw", "node_text"]

_KINDS = ("mermaid", "dot", "text")
_LONGEST = 30


class _Name:
    """Shows a node among arguments by its name."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __repr__(self) -> str:
        return self._name


def node_text(node: Node) -> str:
    """Say what a node is, in one line.

    Examples
    --------
    >>> node_text(ScriptCall("count", "RS", None))
    'script count (RS)'
    """
    if isinstance(node, ScriptCall):
        place = "-".join(part for part in (node.task, node.modality) if part)
        return f"script {node.label}{f' ({place})' if place else ''}"
    if not isinstance(node, Call):
        return "seed"
    shown = [_short(value) for value in node.args]
    shown += [f"{name}={_short(value)}" for name, value in node.kwargs.items()]
    return f"{name_of(node.function)}({', '.join(shown)})"


def _short(value: Any) -> str:
    if not isinstance(value, (Node, list, tuple, dict, str, int, float, bool, type(None))):
        return f"<{type(value).__name__}>"
    text = repr(fill(value, lambda node: _Name(node.name)))
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}..."


def draw(workflow: Any, kind: str = "mermaid", states: Mapping[str, str] | None = None) -> str:
    """Draw a workflow class.

    Parameters
    ----------
    workflow : type
        A `Workflow` class.
    kind : {"mermaid", "dot", "text"}
        The language of the drawing.
    states : mapping of str to str, optional
        A word on each node's data.

    Returns
    -------
    str
        The drawing as text.

    Raises
    ------
    ValueError
        There is no such kind.
    """
    if kind not in _KINDS:
        raise ValueError(f"{kind!r} is no kind of drawing; there are {', '.join(_KINDS)}")
    nodes: Mapping[str, Node] = workflow.__nodes__
    known = states or {}
    if kind == "text":
        order = in_order(nodes)
        width = max(map(len, order), default=0)
        ends = [f"  [{known[name]}]" if name in known else "" for name in order]
        return "\n".join(
            f"{name:<{width}}  {node_text(nodes[name])}{end}" for name, end in zip(order, ends, strict=True)
        )
    chart = chart_of(workflow, known)
    return mermaid(chart) if kind == "mermaid" else dot(chart)


def chart_of(workflow: Any, states: Mapping[str, str]) -> Chart:
    """Give the nodes of a workflow class as a graph.

    Parameters
    ----------
    workflow : type
        A `Workflow` class.
    states : mapping of str to str
        A word of `sinagot.engine.words.NODES` on the data of some nodes.
    """
    nodes: Mapping[str, Node] = workflow.__nodes__
    order = in_order(nodes)
    boxes = [
        Box(
            name,
            node_text(nodes[name]),
            is_round=not isinstance(nodes[name], Call),
            word=NODES.get(states.get(name, "")),
        )
        for name in order
    ]
    lines = [Line(part, name) for name in order for part in parts_of(nodes[name], nodes)]
    return Chart(workflow.__name__, boxes, lines)
