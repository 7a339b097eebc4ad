"""One run in short: its steps with their durations and memory, its slowest jobs, its failures by cause.

Knows the attempts of a run; must not know manifests. The events are read once; kept in memory are eight bytes an
attempt, the slowest jobs, and the failures.
"""

from __future__ import annotations

import heapq
from array import array
from collections.abc import Mapping
from statistics import median
from typing import Any, NamedTuple

from sinagot.engine.accounts.attempts import iter_attempts
from sinagot.engine.accounts.ledger import Failure
from sinagot.engine.accounts.standing import FailureGroups, StandingFailure
from sinagot.engine.job import Cause, Outcome

__all__ = ["RunDigest", "SlowJob", "StepDigest", "digest_of_run", "place_of_attempt"]

#: Slowest jobs that are told.
MOST_SLOW = 5


class StepDigest(NamedTuple):
    """The attempts of one step in one run; durations and memory are those of good ones."""

    step: str
    counts: dict[str, int]
    #: Attempts that were tried again in the same run.
    retried: int
    median_s: float | None
    max_s: float | None
    total_s: float
    peak_memory_mb: float | None


class SlowJob(NamedTuple):
    """A good attempt that took long."""

    duration_s: float
    record_id: str
    step: str
    worker: str


class RunDigest(NamedTuple):
    """A run in short."""

    #: In the order in which they ended first.
    steps: tuple[StepDigest, ...]
    #: The slowest first.
    slowest: tuple[SlowJob, ...]
    #: The largest group first.
    failures: tuple[StandingFailure, ...]
    peak_memory_mb: float | None


class _Step:
    __slots__ = ("counts", "durations", "memory", "retried")

    def __init__(self) -> None:
        self.counts = dict.fromkeys((Outcome.DONE, Outcome.FAILED, Outcome.INTERRUPTED), 0)
        self.retried = 0
        self.durations = array("d")
        self.memory: float | None = None

    def add(self, attempt: Mapping[str, Any]) -> None:
        if attempt["retry_in_s"] is not None:
            self.retried += 1
            return
        self.counts[attempt["outcome"]] += 1
        if attempt["outcome"] != Outcome.DONE:
            return
        if attempt["duration_s"] is not None:
            self.durations.append(attempt["duration_s"])
        if attempt["peak_memory_mb"] is not None:
            self.memory = max(self.memory or 0.0, attempt["peak_memory_mb"])

    def digest(self, name: str) -> StepDigest:
        times = self.durations
        return StepDigest(
            name,
            self.counts,
            self.retried,
            median(times) if times else None,
            max(times, default=None),
            sum(times),
            self.memory,
        )


def place_of_attempt(attempt: Mapping[str, Any]) -> str:
    """Name the step of an attempt: ``task-modality-step``."""
    return "-".join(str(attempt[part]) for part in ("task", "modality", "step_label") if attempt[part])


def digest_of_run(state: str, run_id: str) -> RunDigest:
    """Give a run in short.

    Parameters
    ----------
    state : str
        The state folder.
    run_id : str
        The run, whole.
    """
    steps: dict[str, _Step] = {}
    slowest: list[SlowJob] = []
    groups = FailureGroups()
    for attempt in iter_attempts(state, run_id):
        name = place_of_attempt(attempt)
        steps.setdefault(name, _Step()).add(attempt)
        if attempt["outcome"] == Outcome.DONE:
            job = SlowJob(attempt["duration_s"] or 0.0, attempt["record_id"], name, attempt["worker"])
            if len(slowest) < MOST_SLOW:
                heapq.heappush(slowest, job)
            else:
                heapq.heappushpop(slowest, job)
        elif attempt["retry_in_s"] is None:
            groups.add(_failure(attempt), {**attempt, "at": attempt["end_s"], "run_id": run_id})
    made = tuple(step.digest(name) for name, step in steps.items())
    peaks = [step.peak_memory_mb for step in made if step.peak_memory_mb is not None]
    return RunDigest(
        made, tuple(sorted(slowest, reverse=True)), tuple(groups.all()), max(peaks, default=None)
    )


def _failure(attempt: Mapping[str, Any]) -> Failure:
    names = ("exc_type", "exc_message", "where", "stage")
    kind, message, where, stage = (str(attempt[name] or "") for name in names)
    place = (attempt["record_id"], attempt["task"], attempt["modality"], attempt["step_label"])
    return Failure(*place, Cause(kind, message, "", where, stage=stage), attempt["outcome"])
