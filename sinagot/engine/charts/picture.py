"""A graph as one inline drawing: boxes from top to bottom with lines between them, signs and words on colours.

Pure: a chart in, markup out. It needs no script and no other file, and says in words what it shows.
"""

from __future__ import annotations

from html import escape
from itertools import pairwise

from sinagot.engine.charts.chart import Box, Chart, Line, one_line
from sinagot.engine.charts.layout import DROP, HEIGHT, WIDTH, Point, lay_out
from sinagot.engine.html import Markup, joined, paragraph, text
from sinagot.engine.words import TONES

__all__ = ["picture"]

#: Signs that have room in a box; boxes that the description of a picture names.
_LONGEST, _MOST_NAMED = 22, 40


def picture(chart: Chart) -> Markup:
    """Draw a graph.

    Parameters
    ----------
    chart : Chart
        The graph; its boxes stand in order.

    Returns
    -------
    Markup
        The drawing; empty where there is nothing to draw. What does not fit in is counted in it, and below it.
    """
    if not chart.boxes:
        return Markup()
    layout = lay_out(chart)
    lines = "".join(_path(line, points) for line, points in layout.lines)
    boxes = "".join(_box(box, point) for box, point in layout.boxes)
    named = [" ".join(part for part in (one_line(box.name), _state(box)) if part) for box in chart.boxes]
    more = f" and {len(named) - _MOST_NAMED:,} more" if len(named) > _MOST_NAMED else ""
    title, said = text(one_line(chart.name)), text(", ".join(named[:_MOST_NAMED]) + more)
    label = escape(f"{one_line(chart.name)}: {', '.join(named[:_MOST_NAMED])}{more}")
    size = f'width="{layout.width}" height="{layout.height}" viewBox="0 0 {layout.width} {layout.height}"'
    drawing = Markup(
        f'<svg class="sg-graph" role="img" aria-label="{text(Markup(label))}" {size}>'
        f"<title>{title}</title><desc>{said}</desc>{lines}{boxes}</svg>"
    )
    if not layout.left_out:
        return drawing
    return joined(drawing, paragraph(f"{layout.left_out:,} more lines are not drawn."))


def _path(line: Line, points: list[Point]) -> str:
    """Draw a line: curves between rows, straight within them, an arrow at its end."""
    start, end = points[0], points[-1]
    parts = [f"M{start.x} {start.y}"]
    for number, (one, other) in enumerate(pairwise(points)):
        if number % 2:  # through a row
            parts.append(f"L{other.x} {other.y}")
            continue
        stop = other.y - 5 if other is end else other.y
        bend = DROP // 2
        parts.append(f"C{one.x} {one.y + bend} {other.x} {other.y - bend} {other.x} {stop}")
    dashes = "" if line.is_data else ' stroke-dasharray="4 3"'
    head = f"M{end.x - 4} {end.y - 6} L{end.x} {end.y} L{end.x + 4} {end.y - 6} Z"
    return (
        f'<path d="{" ".join(parts)}" fill="none" stroke="currentColor" stroke-opacity="0.6"{dashes}></path>'
        f'<path d="{head}" fill="currentColor" fill-opacity="0.6"></path>'
    )


def _box(box: Box, place: Point) -> str:
    x, y = place
    is_fold = box.many > 0
    name = one_line(box.detail if is_fold else box.name)
    told = ", ".join(part for part in (name, "" if is_fold else one_line(box.detail), _state(box)) if part)
    tone = TONES[box.word.tone] if box.word is not None else None
    fill = f'class="sg-{box.word.tone}" fill="{tone.light}"' if box.word and tone else 'fill="none"'
    ink = (
        f'class="sg-{box.word.tone}-on" fill="{tone.light_ink}"'
        if box.word and tone
        else 'fill="currentColor"'
    )
    at = f'text-anchor="middle" x="{x + WIDTH // 2}"'
    sign = f"{box.word.sign} " if box.word else ""
    state = _state(box)
    said = f'<text {ink} {at} y="{y + 35}">{text(_cut(sign + state))}</text>' if state else ""
    dashes = ' stroke-dasharray="2 3"' if is_fold else ""
    low = y + 18 if state else y + 27
    return (
        f"<g><title>{text(told)}</title>"
        f'<rect {fill} x="{x}" y="{y}" width="{WIDTH}" height="{HEIGHT}" rx="{20 if box.is_round else 6}" '
        f'stroke="currentColor"{dashes}></rect>'
        f'<text {ink} {at} y="{low}" font-weight="600">{text(_cut(name))}</text>{said}</g>'
    )


def _state(box: Box) -> str:
    """Say what is known of a box, and what stands behind it."""
    return " ".join(part for part in (box.word.text if box.word else "", one_line(box.note)) if part)


def _cut(name: str) -> str:
    return name if len(name) <= _LONGEST else f"{name[: _LONGEST - 3]}..."
