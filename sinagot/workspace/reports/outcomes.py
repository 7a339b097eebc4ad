"""What became of each record in one run, as its events tell, and why jobs failed in it.

Knows attempts of a run; must not know where records stand now.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from sinagot.engine.accounts.attempts import iter_attempts
from sinagot.engine.accounts.ledger import Failure
from sinagot.engine.accounts.standing import StandingFailure
from sinagot.engine.job import Cause, Outcome, job_key
from sinagot.engine.state.history import Marks

__all__ = ["RunGrid", "failures_of"]


class RunGrid:
    """Records and steps of a run, each with the outcome of its last attempt."""

    def __init__(self) -> None:
        #: In the order in which they came up.
        self.steps: list[str] = []
        self._rows: dict[str, dict[int, tuple[float, str]]] = {}

    def add(self, step: str, attempt: Mapping[str, Any]) -> None:
        """Take in an attempt; of several of one job the last one counts."""
        if step not in self.steps:
            self.steps.append(step)
        number = self.steps.index(step)
        row = self._rows.setdefault(attempt["record_id"], {})
        end = attempt["end_s"] or 0.0
        if number not in row or end >= row[number][0]:
            row[number] = (end, attempt["outcome"])

    def __len__(self) -> int:
        return len(self._rows)

    def iter_outcomes(self) -> Iterator[tuple[str, list[str | None]]]:
        """Give each record with its outcome in each step; None where the run did not try it."""
        for record_id in sorted(self._rows):
            row = self._rows[record_id]
            yield record_id, [row[number][1] if number in row else None for number in range(len(self.steps))]


def failures_of(state: str, run_id: str) -> list[StandingFailure]:
    """List the jobs whose last attempt in a run failed or was interrupted, grouped by cause, the largest group first.

    A traceback is told where the mark of that very attempt is still there.
    """
    last: dict[tuple[Any, ...], dict[str, Any]] = {}
    for attempt in iter_attempts(state, run_id):
        key = (attempt["record_id"], attempt["task"], attempt["modality"], attempt["step_label"])
        if key not in last or (attempt["end_s"] or 0.0) >= (last[key]["end_s"] or 0.0):
            last[key] = attempt
    marks = Marks(state, "failures")
    groups: dict[tuple[str, ...], list[tuple[Failure, dict[str, Any]]]] = {}
    for key, attempt in last.items():
        if attempt["outcome"] != Outcome.DONE:
            kind, message, where, stage = (
                attempt[name] or "" for name in ("exc_type", "exc_message", "where", "stage")
            )
            cause = Cause(kind, message, "", where, stage=stage)
            failure = Failure(*key, cause, attempt["outcome"])
            groups.setdefault((*failure.group, failure.outcome), []).append((failure, attempt))
    made = []
    for (_, _, _, step, _), items in groups.items():
        failure, attempt = max(items, key=lambda item: item[1]["end_s"] or 0.0)
        mark = _mark_of(marks, failure, attempt)
        whole = failure._replace(cause=failure.cause._replace(traceback=str(mark.get("traceback") or "")))
        facts = {"at": attempt["end_s"], "attempt": attempt["attempt"], "run_id": run_id}
        made.append(StandingFailure(whole, facts, step, tuple(sorted(item[0].record_id for item in items))))
    return sorted(made, key=lambda one: (-one.count, one.step, one.exc_type))


def _mark_of(marks: Marks, failure: Failure, attempt: Mapping[str, Any]) -> dict[str, Any]:
    key = job_key(failure.record_id, failure.task, failure.modality, failure.step_label)
    mark = marks.get(key) or {}
    return mark if mark.get("attempt") == attempt["attempt"] else {}
