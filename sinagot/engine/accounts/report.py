"""What a run says when it is over: counts, failures by cause, and every job in one table.

Knows the ledger and the run's files; must not know workspaces. pandas is not needed before a table is asked for; the
table itself is made by `sinagot.workspace.tables`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cached_property
from typing import TYPE_CHECKING, Any

from sinagot.engine.accounts.ledger import Failure, Ledger
from sinagot.engine.job import Outcome
from sinagot.engine.planning.plan import PlannedJob
from sinagot.errors import StepFailedError

if TYPE_CHECKING:
    from threading import Thread

    from pandas import DataFrame

    from sinagot.dataset.records import RecordIds
    from sinagot.engine.accounts.differences import Comparison

__all__ = ["FailureGroup", "RunReport"]


class FailureGroup:
    """Failures of one cause.

    Same exception type, same line of the user's code, same message but for names and numbers.
    """

    def __init__(
        self, first: Failure, step: str, records: tuple[str, ...], comparison: Comparison | None = None
    ) -> None:
        self.exc_type = first.cause.exc_type
        self.message = first.cause.message
        self.where = first.cause.where
        #: Of a pipeline: the stage that failed; else empty.
        self.stage = first.cause.stage
        self.traceback = first.cause.traceback
        #: ``failed``, ``blocked`` or ``interrupted``.
        self.outcome = first.outcome
        self.step = step
        self.records = records
        self._comparison = comparison
        self._cause = first.cause

    @property
    def count(self) -> int:
        """Number of failed jobs of this cause."""
        return len(self.records)

    @cached_property
    def differences(self) -> tuple[str, ...]:
        """What differs between these records and those of which the step was done in this run, in lines for people.

        Compared are the sizes of the inputs, the peak memory and the duration of at most 200 records of each side, and
        whether the same script passes in another task or modality.
        """
        return self._comparison.differences(self.step, self.records) if self._comparison is not None else ()

    @cached_property
    def exception(self) -> BaseException | None:
        """The first exception of a node of a workflow class, as it was raised; None where only its text is known."""
        from sinagot.engine.causes import unpacked  # it loads what the exception is made of

        return unpacked(self._cause)

    @property
    def cause(self) -> str:
        """One line for people."""
        return f"{self.exc_type}: {self.message.partition(chr(10))[0]}"


class RunReport:
    """Answer of `steps.run()`.

    Attributes
    ----------
    run_id : str
        Names the run's folder and its log lines; also set when nothing had to be done.
    counts : dict of str to int
        Number of jobs of each outcome, see `Outcome`; the sum is the number of jobs asked for.
    warnings : list of str
        What the user should know and that stops nothing.
    dry : bool
        True when nothing was run, see ``dry_run``; `counts` then tells what is up to date and `plan` what would run.
    """

    def __init__(self, run_id: str, ledger: Ledger, run_folder: str) -> None:
        self.run_id = run_id
        self.warnings: list[str] = []
        self.duration = 0.0
        self.dry = False
        self.plan: list[tuple[str, str, str]] = []
        #: Of a dry run: what was decided, by record and node, where that was not seen at once; and seconds, about.
        self.planned: dict[tuple[int, int], PlannedJob] = {}
        self.estimates: dict[tuple[int, int], float] = {}
        self.stopped_by: int | None = None
        #: Why the run began no more jobs, when failures were the reason.
        self.stopped_because: str | None = None
        self._ledger = ledger
        self._folder = run_folder
        self._rule: RecordIds | None = None
        self._frame: Callable[[RunReport], DataFrame] | None = None
        self._check: Callable[[RunReport], None] | None = None
        self._thread: Thread | None = None
        self._error: Exception | None = None

    def bind_frame(self, make: Callable[[RunReport], DataFrame]) -> None:
        """Say who makes the table `jobs`."""
        self._frame = make

    def bind_rule(self, rule: RecordIds) -> None:
        """Say what the ids of records are, so that failing ones can be compared with others."""
        self._rule = rule

    def bind_check(self, check: Callable[[RunReport], None]) -> None:
        """Say who tells, at the end, what a plain return would hide."""
        self._check = check

    def follow(self, execute: Callable[[], object]) -> None:
        """Let a thread execute the run that fills this report."""
        from threading import Thread

        self._thread = Thread(target=self._execute, args=(execute,), name="sinagot-run")
        self._thread.start()

    def _execute(self, execute: Callable[[], object]) -> None:
        try:
            execute()
        except Exception as error:  # noqa: BLE001 - raised again by `wait`
            self._error = error

    def wait(self, timeout: float | None = None) -> RunReport:
        """Wait for a run that was started with ``wait=False``.

        Parameters
        ----------
        timeout : float, seconds, optional
            For ever when not given.

        Raises
        ------
        TimeoutError
            The run is not over yet.

        Notes
        -----
        Raises what a run that is waited for raises: ScriptError, KeyboardInterrupt, and so on.
        """
        if self._thread is not None:
            self._thread.join(timeout)
            if self._thread.is_alive():
                raise TimeoutError(f"run {self.run_id} is not over after {timeout} s")
        if self._error is not None:
            raise self._error
        if self._check is not None:
            self._check(self)
        return self

    @property
    def is_running(self) -> bool:
        """True while a run that was started with ``wait=False`` goes on."""
        return self._thread is not None and self._thread.is_alive()

    @property
    def counts(self) -> dict[str, int]:
        """Number of jobs of each outcome."""
        return self._ledger.counts

    @property
    def total(self) -> int:
        """Number of jobs asked for."""
        return self._ledger.total

    @property
    def n_records(self) -> int:
        """Number of records looked at."""
        return len(self._ledger.ids)

    @property
    def ok(self) -> bool:
        """True when nothing failed, was blocked or interrupted; a missing input is no failure, see `counts`."""
        counts = self.counts
        return not any(counts[outcome] for outcome in Outcome.BAD)

    @property
    def failures(self) -> list[FailureGroup]:
        """Failures grouped by cause, the largest group first."""
        groups: dict[tuple[str, str, str, str], list[Failure]] = {}
        for failure in self._ledger.failures:
            groups.setdefault(failure.group, []).append(failure)
        comparison = self._compare() if groups else None
        made = [
            FailureGroup(items[0], step, tuple(item.record_id for item in items), comparison)
            for (_, _, _, step), items in groups.items()
        ]
        return sorted(made, key=lambda group: -group.count)

    def _compare(self) -> Comparison | None:
        if self._rule is None:
            return None
        from sinagot.engine.accounts.differences import (
            Comparison,  # a run in which nothing fails does not need it
        )

        return Comparison(self._ledger, self._rule, self._folder)

    def iter_jobs(self) -> Iterator[dict[str, Any]]:
        """Give one row a job: ids, step, outcome; the reason where there is one."""
        causes = {
            (failure.record_id, failure.task, failure.modality, failure.step_label): failure.cause
            for failure in self._ledger.failures
        }
        for record_id, node, outcome, reason in self._ledger.rows():
            cause = causes.get((record_id, node.task, node.modality, node.label))
            yield {
                "record_id": record_id,
                "task": node.task,
                "modality": node.modality,
                "step_index": node.step_index,
                "step_label": node.label,
                "outcome": outcome,
                "reason": reason,
                "exc_type": cause.exc_type if cause else None,
                "exc_message": cause.message if cause else None,
            }

    @property
    def ledger(self) -> Ledger:
        """The books of the run."""
        return self._ledger

    @property
    def folder(self) -> str:
        """The run's folder; it does not exist when nothing had to be done."""
        return self._folder

    @property
    def jobs(self) -> DataFrame:
        """One row per job: ids, step, `outcome`, `reason`, `exc_type`, `exc_message`, `attempt`, what was measured.

        Measured are `duration_s` and `cpu_s` (seconds) and `peak_memory_mb`; empty for jobs that did not run.
        """
        if self._frame is None:
            raise RuntimeError("this report has no table maker; use iter_jobs()")
        return self._frame(self)

    def raise_for_failures(self) -> None:
        """Raise `StepFailedError` when the report is not `ok`.

        Raises
        ------
        StepFailedError
            With the largest cause in its text and this report as `report`.
        """
        if self.ok:
            return
        text = self.summary()
        groups = self.failures
        if groups:
            text += f"; {groups[0].step}: {groups[0].cause} ({groups[0].count} record(s), first {groups[0].records[0]})"
        raise StepFailedError(text, report=self)

    def summary(self) -> str:
        """Give the counts as one line of words."""
        parts = [f"{count} {outcome.replace('_', ' ')}" for outcome, count in self.counts.items() if count]
        if self.plan:
            parts.insert(0, f"{len(self.plan)} would run")
        return ", ".join(parts) or "nothing to do"

    def __repr__(self) -> str:
        if self.is_running:
            return f"<RunReport instance | running: {self.total} jobs>"
        return f"<RunReport instance | {'ok' if self.ok else 'NOT OK'}: {self.summary()}>"

    def _repr_html_(self) -> str:
        from sinagot.engine.accounts.cards import report_card  # in notebooks only

        return report_card(self)
