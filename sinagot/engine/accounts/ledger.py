"""The books of one run: one byte a job, and the failures with their causes.

Knows outcomes; must not know how they came about. Kept small on purpose: 100,000 records x 2 steps cost 200 kB here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from sinagot.engine.causes import normalised
from sinagot.engine.job import Cause, Outcome
from sinagot.engine.planning.graph import RecordGraph, StepNode
from sinagot.scripts.group import GROUP_ID

__all__ = ["Failure", "Ledger"]

_CODE = {outcome: code for code, outcome in enumerate(Outcome.ALL)}
_PENDING = 255
#: Of a job that was not asked for, of a record of which others were.
_LEFT_OUT = 254
_LONGEST = 1000  # characters of a message, but for the first of its group


class Failure(NamedTuple):
    """One job that failed, was blocked or interrupted."""

    record_id: str
    task: str | None
    modality: str | None
    step_label: str
    cause: Cause
    outcome: str

    @property
    def group(self) -> tuple[str, str, str, str]:
        """Exception type, line of the user's code, message without names and numbers, and step: what failures share.

        Of pipelines the stage too, behind the line.
        """
        step = "-".join(part for part in (self.task, self.modality, self.step_label) if part)
        place = " ".join(part for part in (self.cause.where, self.cause.stage) if part)
        return self.cause.exc_type, place, normalised(self.cause.message), step


class Ledger:
    """What became of each job of a run.

    Parameters
    ----------
    graph : RecordGraph
        The steps.
    ids : sequence of str
        The records.
    selected : frozenset of int
        Nodes that were asked for.
    groups : frozenset of int
        Group steps that were asked for: each is one job, of the record with number 0.
    only : mapping, optional
        Record id -> the nodes that were asked for, where these differ from record to record.
    """

    def __init__(
        self,
        graph: RecordGraph,
        ids: Sequence[str],
        selected: frozenset[int],
        groups: frozenset[int] = frozenset(),
        only: Mapping[str, frozenset[int]] | None = None,
    ) -> None:
        self.graph = graph
        self.ids = ids
        self.selected = tuple(sorted(selected))
        self.groups = tuple(sorted(groups))
        self._codes = {node: bytearray(b"\xff") * len(ids) for node in self.selected}
        self._codes |= {node: bytearray(b"\xff") for node in self.groups}
        self.failures: list[Failure] = []
        self._groups: set[tuple[str, str, str, str]] = set()
        #: Why a job ended as it did, by record and node, where there is more to say than the outcome.
        self.reasons: dict[tuple[int, int], str] = {}
        #: Why the jobs that were still open at the end were not begun.
        self.end_reason: str | None = None
        self._only = only
        self._leave_out()

    @property
    def total(self) -> int:
        """How many jobs were asked for."""
        left_out = sum(codes.count(_LEFT_OUT) for codes in self._codes.values()) if self._only else 0
        return len(self.ids) * len(self.selected) + len(self.groups) - left_out

    def id_of(self, record: int, node: int) -> str:
        """Give the record id of a job."""
        return GROUP_ID if self.graph.is_group(node) else self.ids[record]

    def mark_all(self, outcome: str) -> None:
        """Book every job of records alike."""
        for node in self.selected:
            codes = self._codes[node]
            codes[:] = bytes([_CODE[outcome]]) * len(codes)
        self._leave_out()

    def unmark_record(self, record: int) -> None:
        """Book all jobs of one record as still open."""
        for node in self.selected:
            if self._codes[node][record] != _LEFT_OUT:
                self._codes[node][record] = _PENDING

    def _leave_out(self) -> None:
        """Strike the jobs that were not asked for."""
        for record, record_id in enumerate(self.ids if self._only is not None else ()):
            assert self._only is not None
            for node in self.selected:
                if node not in self._only[record_id]:
                    self._codes[node][record] = _LEFT_OUT

    def mark(self, record: int, node: int, outcome: str) -> None:
        """Book one job."""
        self._codes[node][record] = _CODE[outcome]

    def fail(self, record: int, node: StepNode, outcome: str, cause: Cause) -> None:
        """Book one job that failed, with its cause."""
        self.mark(record, node.index, outcome)
        failure = Failure(
            self.id_of(record, node.index), node.task, node.modality, node.label, cause, outcome
        )
        if failure.group in self._groups:
            # One traceback a group is kept here, the others in the logs: 100,000 of them would fill the memory.
            failure = failure._replace(
                cause=cause._replace(message=cause.message[:_LONGEST], traceback="", packed=b"")
            )
        self._groups.add(failure.group)
        self.reasons[record, node.index] = f"{cause.exc_type}: {failure.cause.message}"
        self.failures.append(failure)

    def adopt(self, other: Ledger) -> None:
        """Book anew what a later run over some of the same records has made of their jobs; nodes are the same."""
        places = {record_id: record for record, record_id in enumerate(self.ids)}
        again = set(other.ids)
        self.failures = [one for one in self.failures if one.record_id not in again]
        for record, node in other.jobs():
            if node not in self._codes or self.graph.is_group(node):
                continue
            place = places[other.ids[record]]
            self._codes[node][place] = other._codes[node][record]
            self.reasons.pop((place, node), None)
            if (record, node) in other.reasons:
                self.reasons[place, node] = other.reasons[record, node]
        self.failures += other.failures

    def close(self, outcome: str) -> None:
        """Book what is still open: an interrupted run leaves nothing unaccounted for."""
        code = _CODE[outcome]
        for codes in self._codes.values():
            codes[:] = codes.replace(b"\xff", bytes([code]))

    @property
    def counts(self) -> dict[str, int]:
        """Number of jobs of each outcome; the sum is `total` once the run is over."""
        return {
            outcome: sum(codes.count(code) for codes in self._codes.values())
            for outcome, code in _CODE.items()
        }

    def counts_of(self, node: int) -> dict[str, int]:
        """Count the jobs of each outcome of one step."""
        return {outcome: self._codes[node].count(code) for outcome, code in _CODE.items()}

    def records_of(self, node: int, outcome: str) -> Iterator[int]:
        """Give the records of which a step ended so."""
        codes, code, record = self._codes[node], _CODE[outcome], -1
        while (record := codes.find(code, record + 1)) >= 0:
            yield record

    def rows(self) -> Iterator[tuple[str, StepNode, str, str | None]]:
        """Give record id, step, outcome and reason of every job, record by record."""
        for record, node in self.jobs():
            code = self._codes[node][record]
            outcome = Outcome.ALL[code] if code != _PENDING else "pending"
            reason = self.reasons.get((record, node))
            if reason is None and outcome == Outcome.NOT_BEGUN:
                reason = self.end_reason
            yield self.id_of(record, node), self.graph.node(node), outcome, reason

    def jobs(self) -> Iterator[tuple[int, int]]:
        """Give record and node of every job, record by record, then those for all records."""
        for record in range(len(self.ids)):
            for node in self.selected:
                if self._codes[node][record] != _LEFT_OUT:
                    yield record, node
        for node in self.groups:
            yield 0, node
