"""The failures that stand now, over all runs, grouped by cause.

Knows the marks of failed attempts; must not know plans: a mark of a record that was excluded since stands too. One
mark at a time is in memory; of each group its records, and the texts of its newest failure.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any
from urllib.parse import unquote

from sinagot.engine.accounts.attempts import iso_of
from sinagot.engine.accounts.ledger import Failure
from sinagot.engine.job import Outcome, parse_key
from sinagot.engine.state.decisions import Decisions
from sinagot.engine.state.entries import cause_from
from sinagot.engine.state.history import Marks
from sinagot.scripts.codes import StepStatus

__all__ = ["FailureGroups", "StandingFailure", "current_failures"]


class StandingFailure:
    """Failures of one cause, that stand now or of one run; texts are those of the newest."""

    def __init__(self, newest: Failure, mark: dict[str, Any], step: str, records: tuple[str, ...]) -> None:
        cause = newest.cause
        self.exc_type = cause.exc_type or "Unknown"
        self.message = cause.message or ("" if cause.exc_type else "the note of this failure can't be read")
        #: Innermost line of the user's code, ``file:line in function``; empty when there is none.
        self.where = cause.where
        #: Of a pipeline: the stage that failed; else empty.
        self.stage = cause.stage
        self.traceback = cause.traceback
        #: ``failed`` or ``interrupted``.
        self.outcome = newest.outcome
        #: ``task-modality-step``, and the parts.
        self.step = step
        self.task, self.modality, self.step_label = newest.task, newest.modality, newest.step_label
        self.records = records
        #: Of the newest: when (UTC, ISO; None where that is not known), which attempt, in which run, of which record.
        at = mark.get("at")
        self.newest = iso_of(at) if isinstance(at, int | float) else None
        self.attempt = _text(mark.get("attempt"))
        self.run_id = _text(mark.get("run_id"))
        self.newest_record = newest.record_id

    @property
    def count(self) -> int:
        """Number of failed jobs of this cause."""
        return len(self.records)

    @property
    def cause(self) -> str:
        """One line for people."""
        return f"{self.exc_type}: {self.message.partition(chr(10))[0]}"


class FailureGroups:
    """Collects failures one by one; of each group its records, and what is known of the newest, are kept."""

    def __init__(self) -> None:
        self._records: dict[tuple[str, ...], list[str]] = {}
        self._newest: dict[tuple[str, ...], tuple[float, Failure, dict[str, Any]]] = {}

    def add(self, failure: Failure, facts: dict[str, Any]) -> None:
        """Take in a failure; `facts` may have ``at`` (seconds since 1970), ``attempt`` and ``run_id``."""
        group = (*failure.group, failure.outcome)
        self._records.setdefault(group, []).append(failure.record_id)
        at = facts.get("at")
        at = float(at) if isinstance(at, int | float) else 0.0
        if group not in self._newest or at > self._newest[group][0]:
            self._newest[group] = at, failure, facts

    def all(self) -> list[StandingFailure]:
        """Give the groups, the largest first."""
        made = [
            StandingFailure(failure, facts, group[3], tuple(sorted(self._records[group])))
            for group, (_, failure, facts) in self._newest.items()
        ]
        return sorted(made, key=lambda one: (-one.count, one.step, one.exc_type))


def current_failures(state: str, records: Collection[str] | None = None) -> list[StandingFailure]:
    """List the failures that stand now, grouped by exception type, line of the user's code, message and step.

    Parameters
    ----------
    state : str
        The state folder.
    records : collection of str, optional
        Only of these records.

    Returns
    -------
    list of StandingFailure
        The largest group first; records of each in order of their ids. What is excluded counts as excluded, everywhere.
    """
    marks, decisions = Marks(state, "failures"), Decisions.read(state)
    groups = FailureGroups()
    for name in sorted(marks.names()):
        mark = marks.read(name)
        if mark is None:  # done meanwhile
            continue
        key = mark.get("key") if isinstance(mark.get("key"), str) else unquote(name, errors="surrogateescape")
        place = parse_key(str(key)) or (str(key), None, None, "")
        if (records is None or place[0] in records) and decisions.exclusion(*place) is None:
            is_cut = mark.get("status") == StepStatus.INTERRUPTED
            outcome = Outcome.INTERRUPTED if is_cut else Outcome.FAILED
            groups.add(Failure(*place, cause_from(mark), outcome), mark)
    return groups.all()


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None
