"""The nodes of a workflow for notebooks: boxes from top to bottom with lines between them, and a table.

Knows names, edges and words; must not know data. One inline drawing without script; nothing loads it unasked.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sinagot.engine.charts.picture import picture
from sinagot.engine.html import Markup, chip, code, joined, table
from sinagot.workflow.drawing import chart_of

__all__ = ["drawn"]

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
    chart = chart_of(workflow, states)
    head = ["node", "made by", *(["data"] if states else [])]
    rows = [
        (box.name, code(box.detail), *([chip(box.word) if box.word else ""] if states else []))
        for box in chart.boxes
    ]
    return joined(picture(chart), table(head, rows, most=_MOST_ROWS))
