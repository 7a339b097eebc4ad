"""Draws the nodes of a workflow as Mermaid, as DOT, or as plain lines.

Knows names, functions and arguments; must not know data. What is known of one workflow's data comes as a word a node.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from sinagot.engine.words import TONES, tone_of
from sinagot.workflow.nodes import Call, Node, ScriptCall, fill, name_of
from sinagot.workflow.order import in_order, parts_of

__all__ = ["draw", "node_text"]

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
    order = in_order(nodes)
    known = states or {}
    edges = [(part, name) for name in order for part in parts_of(nodes[name], nodes)]
    if kind == "text":
        width = max(map(len, order), default=0)
        ends = [f"  [{known[name]}]" if name in known else "" for name in order]
        return "\n".join(
            f"{name:<{width}}  {node_text(nodes[name])}{end}" for name, end in zip(order, ends, strict=True)
        )
    if kind == "dot":
        return _dot(workflow.__name__, nodes, order, edges, known)
    return _mermaid(nodes, order, edges, known)


def _mermaid(
    nodes: Mapping[str, Node], order: list[str], edges: list[tuple[str, str]], states: Mapping[str, str]
) -> str:
    marks = {name: f"n{number}" for number, name in enumerate(order)}
    lines = ["flowchart TD"]
    for name in order:
        left, right = ("([", "])") if not isinstance(nodes[name], Call) else ("[", "]")
        word = f"<br/>{states[name]}" if name in states else ""
        lines.append(
            f'    {marks[name]}{left}"{_plain(name)}<br/>{_plain(node_text(nodes[name]))}{word}"{right}'
        )
    lines += [f"    {marks[part]} --> {marks[name]}" for part, name in edges]
    tones = {name: tone_of(states.get(name, "")) for name in order}
    lines += [
        f"    style {marks[name]} fill:{TONES[tone].light},color:{TONES[tone].light_ink}"
        for name, tone in tones.items()
        if tone
    ]
    return "\n".join(lines)


def _plain(text: str) -> str:
    """Write text so that Mermaid takes it as it is."""
    return re.sub(r'[#"<>&]', lambda match: f"#{ord(match[0])};", text)


def _dot(
    title: str,
    nodes: Mapping[str, Node],
    order: list[str],
    edges: list[tuple[str, str]],
    states: Mapping[str, str],
) -> str:
    lines = [f"digraph {_quoted(title)} {{"]
    for name in order:
        shape = "box" if isinstance(nodes[name], Call) else "ellipse"
        word = f"\n{states[name]}" if name in states else ""
        label = f"{name}\n{node_text(nodes[name])}{word}"
        lines.append(f"    {_quoted(name)} [label={_quoted(label)}, shape={shape}];")
    lines += [f"    {_quoted(part)} -> {_quoted(name)};" for part, name in edges]
    return "\n".join([*lines, "}"])


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'
