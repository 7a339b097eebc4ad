"""A graph that can be drawn: boxes, lines between them, frames round some; and the order and the rows of its boxes.

Pure: names in, names out; must not know what they stand for or how they are drawn.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from heapq import heapify, heappop, heappush
from typing import NamedTuple

from sinagot.engine.html import visible
from sinagot.engine.words import Word

__all__ = ["Box", "Chart", "Line", "in_order", "one_line", "rows_of"]


class Box(NamedTuple):
    """One node of a graph.

    Attributes
    ----------
    name : str
        Unique in the graph; any text.
    detail : str
        What else is said of it; drawings with little room leave it out.
    is_round : bool
        It is where something comes in.
    frame : str or None
        Name of the frame that it stands in.
    word : Word or None
        Its state.
    note : str
        Stands behind the state, such as how long it took.
    many : int
        How many it stands for, when it is several that have no room of their own; else 0.
    """

    name: str
    detail: str = ""
    is_round: bool = False
    frame: str | None = None
    word: Word | None = None
    note: str = ""
    many: int = 0


class Line(NamedTuple):
    """One edge of a graph.

    Attributes
    ----------
    source, target : str
        Names of boxes: what comes first, and what comes after it.
    label : str
        What goes along it.
    is_data : bool
        Something goes along it; otherwise it is about order only.
    """

    source: str
    target: str
    label: str = ""
    is_data: bool = True


class Chart(NamedTuple):
    """A graph.

    Attributes
    ----------
    name : str
        What it shows.
    boxes : sequence of Box
        Each behind those that lines lead to it from.
    lines : sequence of Line
        Between boxes of the graph.
    frames : mapping of str to str
        Name of a frame -> its title.
    """

    name: str
    boxes: Sequence[Box]
    lines: Sequence[Line]
    frames: Mapping[str, str] = {}


def in_order(names: Sequence[str], edges: Iterable[tuple[str, str]]) -> list[str]:
    """Give names so that each comes behind those that it depends on; of several the one that was named first.

    Parameters
    ----------
    names : sequence of str
        All of them, each once.
    edges : iterable of (str, str)
        What comes first, and what depends on it.

    Returns
    -------
    list of str
        The order; names that are part of a circle, or depend on one, are missing.

    Examples
    --------
    >>> in_order(["mean", "read", "plot"], [("read", "mean"), ("mean", "plot")])
    ['read', 'mean', 'plot']
    >>> in_order(["a", "b"], [("a", "b"), ("b", "a")])
    []
    """
    places = {name: place for place, name in enumerate(names)}
    after: dict[str, list[str]] = {name: [] for name in names}
    waits = dict.fromkeys(names, 0)
    for source, target in set(edges):
        after[source].append(target)
        waits[target] += 1
    ready = [place for name, place in places.items() if not waits[name]]
    heapify(ready)
    order = []
    while ready:
        name = names[heappop(ready)]
        order.append(name)
        for target in after[name]:
            waits[target] -= 1
            if not waits[target]:
                heappush(ready, places[target])
    return order


def rows_of(order: Sequence[str], edges: Iterable[tuple[str, str]]) -> dict[str, int]:
    """Give each name the number of its row: one below the lowest of those that it depends on.

    Examples
    --------
    >>> rows_of(["read", "mean", "plot"], [("read", "mean"), ("read", "plot"), ("mean", "plot")])
    {'read': 0, 'mean': 1, 'plot': 2}
    """
    before: dict[str, list[str]] = {name: [] for name in order}
    for source, target in edges:
        before[target].append(source)
    rows: dict[str, int] = {}
    for name in order:
        rows[name] = 1 + max((rows[one] for one in before[name]), default=-1)
    return rows


def one_line(text: str) -> str:
    r"""Write a text of people as one line without signs that cannot be seen.

    Examples
    --------
    >>> one_line("two\nlines\x1b")
    'two lines\\x1b'
    """
    return visible(" ".join(text.splitlines())) if not text.isprintable() else text
