"""The look at the records between their jobs and those of group steps."""

from __future__ import annotations

import threading
from pathlib import Path
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


@pytest.mark.parametrize("seconds", [0.0, 60.0])
def test_what_was_made_elsewhere_is_waited_for(tmp_path: Path, seconds: float) -> None:
    """On a drive that shows late what others write, an input that a job of this run has made is waited for; others are not."""
    path = tmp_path / "REC-1.txt"
    looks: list[bool] = []

    def look() -> Any:
        looks.append(path.exists())
        if len(looks) == 1:
            timer.start()
        missing = () if looks[-1] else ("REC-1", "REC-2")
        return SimpleNamespace(
            is_fed_now=lambda nodes, selected: False,
            members=lambda node: SimpleNamespace(missing=missing),
            missing=lambda slots, record_id: (str(tmp_path / f"{record_id}.txt"),),
            plan_group=lambda node, **options: PlannedJob(node.index, Verdict.RUN),
        )

    node: Any = SimpleNamespace(index=2, upstream=(1,), inputs=())
    ledger = SimpleNamespace(ids=["REC-1", "REC-2"], records_of=lambda number, outcome: [0])
    report: Any = SimpleNamespace(planned={}, dry=False, ledger=ledger)
    timer = threading.Timer(0.1, path.touch)
    made = Barrier([node], frozenset({1}), look, lambda: seconds)
    assert len(list(made.plan(report, ignore_missing=False, is_over=lambda: False))) == 1
    timer.join()
    assert looks == ([False, True] if seconds else [False])
