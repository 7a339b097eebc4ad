"""Where the boxes of a graph stand: rows from top to bottom, few lines that cross, never too many of either.

Pure: a chart in, places out; must not know how it is drawn. What is too much is folded into boxes that count it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from itertools import pairwise
from typing import NamedTuple

from sinagot.engine.charts.chart import Box, Chart, Line, rows_of

__all__ = ["Layout", "Point", "fold", "lay_out"]

#: In a row: a box by its name, or a line on its way (its number, the number of the row).
_Key = str | tuple[int, int]

#: Pixels: a box, the room between two side by side, between rows, and for a line that passes a row.
WIDTH, HEIGHT, GAP, DROP, PASSAGE = 168, 44, 18, 38, 14
#: Boxes side by side, rows, and lines that are drawn; more are folded, or told as a number.
MOST_ACROSS, MOST_DOWN, MOST_LINES = 6, 40, 500
#: Passages of lines through rows in all; with more of them lines go straight.
_MOST_PASSAGES = 1500
_SWEEPS = 4


class Point(NamedTuple):
    """The left upper corner of a box, or where a line passes a row."""

    x: int
    y: int


class Layout(NamedTuple):
    """What stands where.

    Attributes
    ----------
    width, height : int, pixels
        Of the whole.
    boxes : list of (Box, Point)
        Boxes with their left upper corner.
    lines : list of (Line, list of Point)
        Lines with the points that they go through: from the lower edge of a box to the upper edge of another one.
    left_out : int
        Lines that are not drawn.
    """

    width: int
    height: int
    boxes: list[tuple[Box, Point]]
    lines: list[tuple[Line, list[Point]]]
    left_out: int


def fold(chart: Chart) -> tuple[list[list[Box]], list[Line]]:
    """Put boxes into rows, of which each has no more than can be read; the others become one box that counts them.

    Parameters
    ----------
    chart : Chart
        The graph; its boxes stand in order.

    Returns
    -------
    rows : list of list of Box
        From top to bottom.
    lines : list of Line
        Between those, each pair once.
    """
    row_of = rows_of([box.name for box in chart.boxes], [(line.source, line.target) for line in chart.lines])
    rows: list[list[Box]] = [[] for _ in range(1 + max(row_of.values(), default=-1))]
    for box in chart.boxes:
        rows[row_of[box.name]].append(box)
    stands_for: dict[str, str] = {}
    if len(rows) > MOST_DOWN:
        first, last = (MOST_DOWN - 1) // 2, MOST_DOWN // 2
        inner = rows[first : len(rows) - last]
        rows[first : len(rows) - last] = [
            [_counted([box for row in inner for box in row], stands_for, f", in {len(inner):,} rows")]
        ]
    for row in rows:
        if len(row) > MOST_ACROSS:
            # What went wrong, or is going on, is not folded before all else is.
            loud = [box for box in row if box.word is not None and box.word.tone in ("bad", "cut", "busy")]
            shown = {box.name for box in [*loud, *row][: MOST_ACROSS - 1]}
            kept = [box for box in row if box.name in shown]
            row[:] = [*kept, _counted([box for box in row if box.name not in shown], stands_for, "")]
    lines: dict[tuple[str, str], Line] = {}
    for line in chart.lines:
        ends = (stands_for.get(line.source, line.source), stands_for.get(line.target, line.target))
        if ends[0] != ends[1]:
            former = lines.get(ends)
            is_data = line.is_data or (former is not None and former.is_data)
            lines[ends] = Line(*ends, line.label, is_data)
    return rows, list(lines.values())


def _counted(boxes: list[Box], stands_for: dict[str, str], where: str) -> Box:
    """Give the box that stands for many, and note for whom it does."""
    stands_for.update((box.name, boxes[0].name) for box in boxes)
    total = sum(max(box.many, 1) for box in boxes)
    states = Counter(box.word.text for box in boxes if box.word is not None)
    note = ", ".join(f"{count:,} {word}" for word, count in states.most_common())
    # It stands under the name of the first of them, which no other box has.
    return Box(boxes[0].name, f"... and {total:,} more{where}", note=note, many=total)


def lay_out(chart: Chart) -> Layout:
    """Give boxes and lines their places.

    Parameters
    ----------
    chart : Chart
        The graph; its boxes stand in order.

    Returns
    -------
    Layout
        With no more boxes and lines than a page can show.

    Notes
    -----
    Rows by longest path, order in a row by the mean of the neighbours' places (Sugiyama, Tagawa and Toda, 1981), in a
    few sweeps: time grows with the number of lines that are drawn.
    """
    rows, found = fold(chart)
    lines = found[:MOST_LINES]
    row_of = {box.name: number for number, row in enumerate(rows) for box in row}
    many = sum(row_of[line.target] - row_of[line.source] - 1 for line in lines)
    grid: list[list[_Key]] = [[box.name for box in row] for row in rows]
    routes: list[list[_Key]] = []
    for number, line in enumerate(lines):
        between = range(row_of[line.source] + 1, row_of[line.target]) if many <= _MOST_PASSAGES else range(0)
        passages = [(number, row) for row in between]
        for passage in passages:
            grid[passage[1]].append(passage)
        routes.append([line.source, *passages, line.target])
    _untangle(grid, routes)
    lefts, width = _spread(grid)
    boxes = [
        (box, Point(lefts[box.name], number * (HEIGHT + DROP) + 1))
        for number, row in enumerate(rows)
        for box in row
    ]
    placed: dict[_Key, Point] = {box.name: point for box, point in boxes}
    drawn = [(line, _points(route, placed, lefts)) for line, route in zip(lines, routes, strict=True)]
    height = max(len(rows), 1) * (HEIGHT + DROP) - DROP + 2
    return Layout(width, height, boxes, drawn, len(found) - len(lines))


def _untangle(grid: list[list[_Key]], routes: list[list[_Key]]) -> None:
    """Order each row by where the neighbours of its members stand, downwards and upwards in turn."""
    above: dict[_Key, list[_Key]] = {name: [] for row in grid for name in row}
    below: dict[_Key, list[_Key]] = {name: [] for row in grid for name in row}
    for route in routes:
        for one, other in pairwise(route):
            above[other].append(one)
            below[one].append(other)
    place = {name: _middle(number, row) for row in grid for number, name in enumerate(row)}
    for sweep in range(_SWEEPS):
        is_down = not sweep % 2
        near = above if is_down else below
        for row in grid if is_down else reversed(grid):
            wish = {
                name: sum(place[one] for one in near[name]) / len(near[name]) if near[name] else place[name]
                for name in row
            }
            row.sort(key=wish.__getitem__)
            place.update((name, _middle(number, row)) for number, name in enumerate(row))


def _middle(number: int, row: list[_Key]) -> float:
    """Say how far from the middle of its row a member stands."""
    return number - (len(row) - 1) / 2


def _spread(grid: list[list[_Key]]) -> tuple[dict[_Key, int], int]:
    """Give each member of each row its left edge; rows are centred."""
    sizes = [[WIDTH if isinstance(name, str) else PASSAGE for name in row] for row in grid]
    lengths = [sum(row) + GAP * (len(row) - 1) for row in sizes]
    widest = max(lengths, default=0)
    lefts: dict[_Key, int] = {}
    for row, size, length in zip(grid, sizes, lengths, strict=True):
        left = (widest - length) // 2 + 1
        for name, one in zip(row, size, strict=True):
            lefts[name] = left
            left += one + GAP
    return lefts, widest + 2


def _points(route: list[_Key], boxes: Mapping[_Key, Point], lefts: Mapping[_Key, int]) -> list[Point]:
    """Give the points of a line; a passage has two, at the upper and the lower edge of its row."""
    source, target = boxes[route[0]], boxes[route[-1]]
    points = [Point(source.x + WIDTH // 2, source.y + HEIGHT)]
    for key in route[1:-1]:
        assert isinstance(key, tuple)
        x, y = lefts[key] + PASSAGE // 2, key[1] * (HEIGHT + DROP) + 1
        points += [Point(x, y), Point(x, y + HEIGHT)]
    return [*points, Point(target.x + WIDTH // 2, target.y)]
