"""Small graphs of steps, without files."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from sinagot.dataset.patterns import PathPattern
from sinagot.engine.planning.graph import Slot, StepNode

NOTHING: frozenset[str] = frozenset()


def slot(path: str, root: str = "/data", name: str | None = None) -> Slot:
    """Make a slot from text."""
    return Slot(name, PathPattern(path), root, NOTHING)


@pytest.fixture
def make_node() -> Callable[..., StepNode]:
    """Give a function that makes a step from the texts of its paths; all steps of one unit count from 1."""
    counts: dict[Any, int] = {}

    def make(
        label: str,
        inputs: Sequence[str] = (),
        outputs: Sequence[str] = (),
        unit: tuple[str | None, str | None] = (None, None),
    ) -> StepNode:
        counts[unit] = counts.get(unit, 0) + 1
        return StepNode(
            label,
            counts[unit],
            *unit,
            inputs=[slot(f"{path}/{{id}}.csv") for path in inputs],
            outputs=[slot(f"{path}/{{id}}.csv") for path in outputs],
        )

    return make
