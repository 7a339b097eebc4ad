"""The nodes of a workflow for notebooks: boxes from top to bottom with lines between them, and a table.

Knows names, edges and words; must not know data. One inline drawing without script; nothing loads it unasked.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from sinagot.engine.html import Markup, chip, code, joined, table, text
from sinagot.engine.words import NODES, TONES, Word
from sinagot.workflow.drawing import node_text
from sinagot.workflow.nodes import Node
from sinagot.workflow.order import in_order, parts_of

__all__ = ["drawn", "picture"]

#: Pixels: a box, the room between boxes side by side, and between rows of them.
_WIDTH, _HEIGHT, _GAP, _DROP = 150, 44, 18, 34
#: A larger workflow is a table only: nobody could read the picture.
MOST_NODES = 40
_LONGEST = 21
_MOST_ROWS = 100


def drawn(workflow: Any, states: Mapping[str, str]) -> Markup:
    """Draw the nodes for a notebook: as a graph, and what each is made by, with what is known of its data.

    Parameters
    ----------
    workflow : type
        A `Workflow` class.
    states : mapping of str to str
        A word of `sinagot.engine.words.NODES` on each node's data; none when it is about no single workflow.
    """
    nodes: Mapping[str, Node] = workflow.__nodes__
    order = in_order(nodes)
    edges = [(part, name) for name in order for part in parts_of(nodes[name], nodes)]
    words = {name: NODES[state] for name, state in states.items() if state in NODES}
    said = ", ".join(f"{name} {words[name].text}" if name in words else name for name in order)
    head = ["node", "made by", *(["data"] if states else [])]
    rows = [
        (
            name,
            code(node_text(nodes[name])),
            *([chip(words[name]) if name in words else ""] if states else []),
        )
        for name in order
    ]
    return joined(picture(order, edges, words, said), table(head, rows, most=_MOST_ROWS))


def picture(
    order: Sequence[str], edges: Sequence[tuple[str, str]], words: Mapping[str, Word], title: str
) -> Markup:
    """Draw a graph.

    Parameters
    ----------
    order : sequence of str
        Names of the nodes, each after those that it is made from.
    edges : sequence of (str, str)
        What is read, and what is made from it.
    words : mapping of str to Word
        What is known of each node's data.
    title : str
        Says what the picture shows, to those who cannot see it.

    Returns
    -------
    Markup
        The drawing; empty where there are too many nodes for one.
    """
    if not order or len(order) > MOST_NODES:
        return Markup()
    places = _places(order, edges)
    width = max(x for x, _ in places.values()) + _WIDTH + 2
    height = max(y for _, y in places.values()) + _HEIGHT + 2
    lines = "".join(_line(places[one], places[other]) for one, other in edges)
    boxes = "".join(_box(name, places[name], words.get(name)) for name in order)
    label = escape(text(title), quote=True)
    return Markup(
        f'<svg class="sg-graph" role="img" aria-label="{label}" width="{width}" height="{height}" '
        f'viewBox="0 0 {width} {height}">{lines}{boxes}</svg>'
    )


def _places(order: Sequence[str], edges: Sequence[tuple[str, str]]) -> dict[str, tuple[int, int]]:
    """Put each node one row below the lowest of those that it is made from, near to them."""
    above: dict[str, list[str]] = {name: [] for name in order}
    for one, other in edges:
        above[other].append(one)
    rows: dict[str, int] = {}
    for name in order:
        rows[name] = 1 + max((rows[one] for one in above[name]), default=-1)
    places: dict[str, tuple[int, int]] = {}
    step = _WIDTH + _GAP
    widest = max(list(rows.values()).count(row) for row in set(rows.values()))
    for row in sorted(set(rows.values())):
        names = [name for name in order if rows[name] == row]
        names.sort(key=lambda name: sum(places[one][0] for one in above[name]) / max(len(above[name]), 1))
        left = (widest - len(names)) * step // 2
        for number, name in enumerate(names):
            places[name] = (left + number * step + 1, row * (_HEIGHT + _DROP) + 1)
    return places


def _line(start: tuple[int, int], end: tuple[int, int]) -> str:
    x1, y1 = start[0] + _WIDTH // 2, start[1] + _HEIGHT
    x2, y2 = end[0] + _WIDTH // 2, end[1]
    bend = _DROP // 2
    curve = f"M{x1} {y1} C{x1} {y1 + bend} {x2} {y2 - bend} {x2} {y2 - 5}"
    head = f"M{x2 - 4} {y2 - 6} L{x2} {y2} L{x2 + 4} {y2 - 6} Z"
    return (
        f'<path d="{curve}" fill="none" stroke="currentColor" stroke-opacity="0.6"></path>'
        f'<path d="{head}" fill="currentColor" fill-opacity="0.6"></path>'
    )


def _box(name: str, place: tuple[int, int], word: Word | None) -> str:
    x, y = place
    middle = x + _WIDTH // 2
    shown = name if len(name) <= _LONGEST else f"{name[: _LONGEST - 3]}..."
    tone = TONES[word.tone] if word is not None else None
    fill = f'class="sg-{word.tone}" fill="{tone.light}"' if word and tone else 'fill="none"'
    ink = f'class="sg-{word.tone}-on" fill="{tone.light_ink}"' if word and tone else 'fill="currentColor"'
    at = f'text-anchor="middle" x="{middle}"'
    said = f'<text {ink} {at} y="{y + 35}">{text(word.sign)} {text(word.text)}</text>' if word else ""
    return (
        f"<g><title>{text(name)}</title>"
        f'<rect {fill} x="{x}" y="{y}" width="{_WIDTH}" height="{_HEIGHT}" rx="6" stroke="currentColor"></rect>'
        f'<text {ink} {at} y="{y + 18}" font-weight="600">{text(shown)}</text>{said}</g>'
    )
