"""The look at the records between their jobs and those of group steps."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from sinagot.engine import barrier
from sinagot.engine.barrier import Barrier
from sinagot.engine.planning.plan import PlannedJob, Verdict


class Looks:
    """Surveys of which the first ones find somebody at work."""

    def __init__(self, busy: int) -> None:
        self.busy = busy
        self.count = 0

    def __call__(self) -> Any:
        self.count += 1
        is_busy = self.count <= self.busy
        return SimpleNamespace(
            problems=[],
            is_fed_now=lambda nodes, selected: is_busy,
            plan_group=lambda node, **options: PlannedJob(node.index, Verdict.RUN),
        )


def plan(looks: Looks, *, is_over: bool = False) -> list[PlannedJob]:
    """Plan one group step."""
    node: Any = SimpleNamespace(index=2, upstream=(1,))
    report: Any = SimpleNamespace(planned={}, dry=False)
    made = Barrier([node], frozenset({1}), looks)  # type: ignore[arg-type]
    assert made.problems == []
    return list(made.plan(report, ignore_missing=False, is_over=lambda: is_over))


def test_another_run_that_looks_at_a_record_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """As long as somebody is at a job that feeds a group step, it is looked again."""
    monkeypatch.setattr(barrier, "_PAUSE", 0.001)
    looks = Looks(busy=3)
    assert plan(looks) == [PlannedJob(2, Verdict.RUN)]
    assert looks.count == 4


def test_nobody_is_waited_for_after_a_stop_or_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stop, and patience, end the waiting: what is at work is left out then."""
    looks = Looks(busy=100)
    plan(looks, is_over=True)
    assert looks.count == 1
    monkeypatch.setattr(barrier, "_PATIENCE", 0.0)
    plan(looks)
    assert looks.count == 2


def test_without_group_steps_nobody_looks() -> None:
    """Workspaces without group steps pay nothing."""
    looks = Looks(busy=0)
    report: Any = SimpleNamespace(planned={}, dry=False)
    assert (
        list(
            Barrier([], frozenset(), looks).plan(report, ignore_missing=False, is_over=lambda: True)  # type: ignore[arg-type]
        )
        == []
    )
    assert looks.count == 0
