"""One line of the table: what was measured, against what, and what is asked of it.

Knows numbers and how they are shown; must not know how they were measured.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from statistics import median
from typing import NamedTuple


class Spread(NamedTuple):
    """The middle one of several values, and how far they lie apart."""

    middle: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Iterable[float]) -> Spread:
        found = list(values)
        return cls(median(found), min(found), max(found))


def ratio(ours: Sequence[float], peer: Sequence[float]) -> Spread:
    """Divide round by round, so that what slows the machine for a while slows both."""
    return Spread.of(mine / other if other else math.inf for mine, other in zip(ours, peer, strict=True))


class Goal(NamedTuple):
    """What is asked (`limit`) and where we are going (`aim`)."""

    limit: float | None = None
    aim: float | None = None
    at_least: bool = False

    def verdict(self, value: float) -> str:
        def is_met(bound: float) -> bool:
            return value >= bound if self.at_least else value <= bound

        if self.aim is not None and is_met(self.aim):
            return "aim met"
        if self.limit is not None:
            return "met" if is_met(self.limit) else "**missed**"
        return "" if self.aim is None else "aim missed"

    def text(self, unit: str) -> str:
        sign = "≥" if self.at_least else "≤"
        limit = f"{sign} {number(self.limit)}{unit}" if self.limit is not None else ""
        aim = f"{number(self.aim)}{unit}" if self.aim is not None and self.aim != self.limit else ""
        if limit and aim:
            return f"{limit} ({aim})"
        return limit or (f"({aim})" if aim else "")


class Figure(NamedTuple):
    """One line of the table."""

    what: str
    where: str
    ours: str
    against: str
    value: Spread | None = None
    unit: str = " x"
    goal: Goal = Goal()

    @property
    def verdict(self) -> str:
        if self.value is None:
            return ""
        said = self.goal.verdict(self.value.middle)
        limit = self.goal.limit
        if limit is not None and self.value.low <= limit < self.value.high:
            return f"{said}, rounds disagree"
        return said

    def cells(self) -> list[str]:
        shown = spread = ""
        if self.value is not None:
            shown = f"{number(self.value.middle)}{self.unit}"
            if self.value.low != self.value.high:
                spread = f"{number(self.value.low)} to {number(self.value.high)}"
        asked = self.goal.text(self.unit)
        return [self.what, self.where, self.ours, self.against, shown, spread, asked, self.verdict]


class Section(NamedTuple):
    """A row of the brief with all its figures, and how they are measured."""

    title: str
    how: str
    figures: list[Figure]
    #: Why there are no figures: what went wrong, or what was not asked for.
    problem: str = ""
    left_out: str = ""


def number(value: float) -> str:
    """Show three digits, and no digits that mean nothing."""
    if value == 0 or not math.isfinite(value):
        return f"{value:g}"
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def seconds(values: Iterable[float], kind: str = "") -> str:
    """Show the middle of some durations."""
    middle = median(values)
    text = f"{middle:.3g} s" if middle >= 1 else f"{middle * 1000:.3g} ms"
    return f"{text} {kind}".strip()
