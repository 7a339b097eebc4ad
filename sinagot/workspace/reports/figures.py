"""Figures of a report, as drawings inside of a page: the way of the records, and durations of steps.

Pure: numbers and words in, SVG out. Each has a label that says the same in words; colours come from the style of the
page, so that they fit light and dark ground.
"""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from math import floor, log10

from sinagot.config.quantities import seconds_text
from sinagot.engine.html import Markup, text
from sinagot.workspace.reports.durations import Durations
from sinagot.workspace.reports.ways import Drop, Way

__all__ = ["durations_figure", "way_figure"]

_BOX = 200
_LINE = 18
#: Of an exclusion so many reasons stand in the figure; the table has all.
_MOST_REASONS = 4
_LONGEST = 44


def way_figure(way: Way) -> Markup:
    """Draw what was found, what drops out to the side, and what is left in the end."""
    drops = [drop for drop in way.drops if drop.number]
    parts: list[str] = []
    top, left = 0, way.found
    parts.append(_box(0, top, "found", left, "sg-box"))
    for drop in drops:
        lines = _reasons(drop)
        left -= drop.number
        height = 44 + _LINE * len(lines)
        middle = top + 44 + height // 2 + 6
        parts.append(_arrow(f"M{_BOX // 2} {top + 44}V{top + 44 + height + 12}"))
        parts.append(_arrow(f"M{_BOX // 2} {middle}H{_BOX + 36}"))
        parts.append(
            _box(_BOX + 40, middle - height // 2, drop.word.text, drop.number, drop.word.tone, lines)
        )
        top += 44 + height + 16
        is_last = drop is drops[-1]
        parts.append(_box(0, top, "done" if is_last else "remaining", left, "good" if is_last else "sg-box"))
    if not drops:
        parts.append(_arrow(f"M{_BOX // 2} 44V68"))
        top = 72
        parts.append(_box(0, top, "done", left, "good"))
    said = ", ".join(
        [f"{way.found:,} {way.noun} found", *(f"{one.number:,} {one.word.text}" for one in drops)]
    )
    return Markup(
        f'<svg class="way" role="img" aria-label="{_said(f"{said}, {way.done:,} done")}" '
        f'viewBox="-2 -2 620 {top + 50}" width="620" height="{top + 50}">'
        '<defs><marker id="head" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
        f'<path d="M0 0L8 4L0 8z" fill="currentColor"></path></marker></defs>{"".join(parts)}</svg>'
    )


def _reasons(drop: Drop) -> list[str]:
    lines = [
        f"{why if len(why) <= _LONGEST else why[:_LONGEST] + ' ...'}: {count:,}"
        for why, count in drop.reasons.items()
    ]
    more = len(lines) - _MOST_REASONS
    return (
        lines if more <= 0 else [*lines[:_MOST_REASONS], f"and {more:,} more reason{'s' if more > 1 else ''}"]
    )


def _shortened(why: str) -> str:
    return why if len(why) <= _LONGEST else f"{why[:_LONGEST]} ..."


def _box(x: int, y: int, word: str, number: int, tone: str, lines: list[str] | None = None) -> str:
    """Draw a box with a word, a number, and further lines; a place of no tone is only framed."""
    lines = lines or []
    width = _BOX if not lines else 330
    is_toned = tone != "sg-box"
    fill = f'class="sg-{tone}"' if is_toned else 'class="frame"'
    ink = f'class="sg-{tone}-on"' if is_toned else 'class="ink"'
    height = 44 + _LINE * len(lines)
    made = f'<rect {fill} x="{x}" y="{y}" width="{width}" height="{height}" rx="6"></rect>'
    made += f'<text {ink} x="{x + 12}" y="{y + 27}">{_said(word)}</text>'
    made += (
        f'<text {ink} x="{x + width - 12}" y="{y + 27}" text-anchor="end" font-weight="600">{number:,}</text>'
    )
    for place, line in enumerate(lines):
        made += f'<text {ink} x="{x + 12}" y="{y + 47 + _LINE * place}" font-size="13">{_said(line)}</text>'
    return made


def _arrow(path: str) -> str:
    return f'<path d="{path}" fill="none" stroke="currentColor" marker-end="url(#head)"></path>'


def _said(value: str) -> str:
    """Write a text of people for a drawing or a label: as `text` does, on one line."""
    return text(" ".join(value.split()) or "-")


def durations_figure(durations: Mapping[str, Durations]) -> Markup:
    """Draw for each step the span of its durations, the middle half and the median, on one scale of powers of ten."""
    if not durations:
        return Markup()
    spans = {name: one.quartiles() for name, one in durations.items()}
    least = max(min(span[0] for span in spans.values()), 1e-3)
    low = floor(log10(least))
    high = max(floor(log10(max(*(span[4] for span in spans.values()), least))) + 1, low + 1)
    name_width = 190
    plot = 420

    def at(seconds: float) -> float:
        place = (log10(max(seconds, 10.0**low)) - low) / (high - low)
        return name_width + plot * min(max(place, 0.0), 1.0)

    parts = []
    bottom = 26 * len(spans) + 6
    for power in range(low, high + 1):
        x = at(10.0**power)
        parts.append(f'<path d="M{x:.1f} 0V{bottom}" stroke="currentColor" stroke-opacity="0.25"></path>')
        label = seconds_text(10.0**power)
        parts.append(
            f'<text class="ink" x="{x:.1f}" y="{bottom + 18}" text-anchor="middle" font-size="12">{label}</text>'
        )
    for row, (name, (least, lower, median, upper, most)) in enumerate(spans.items()):
        y = 26 * row + 16
        title = f"{name}: median {seconds_text(median)}, half of them {seconds_text(lower)} to {seconds_text(upper)}"
        shown = name if len(name) <= 26 else f"{name[:25]}…"
        parts.append(
            f"<g><title>{_said(title)}</title>"
            f'<text class="ink" x="0" y="{y + 4}" font-size="13">{_said(shown)}</text>'
            f'<path d="M{at(least):.1f} {y}H{at(most):.1f}" stroke="currentColor"></path>'
            f'<rect class="sg-busy" x="{at(lower):.1f}" y="{y - 7}" '
            f'width="{max(at(upper) - at(lower), 2):.1f}" height="14" rx="2"></rect>'
            f'<path d="M{at(median):.1f} {y - 9}V{y + 9}" stroke="currentColor" stroke-width="2.5"></path></g>'
        )
    label = escape(f"durations of {len(spans)} steps; the table has the same numbers")
    return Markup(
        f'<svg class="durations" role="img" aria-label="{label}" viewBox="0 0 640 {bottom + 26}" width="640" '
        f'height="{bottom + 26}">{"".join(parts)}</svg>'
    )
