"""What a run would do, and why: every job with its verdict, its reasons and about how long it takes.

Knows the answer of a dry run; must not decide anything: the run itself decides by the same function.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from sinagot.config.quantities import seconds_text
from sinagot.engine.planning.plan import NOT_NEEDED, PlannedJob, Reason, Verdict
from sinagot.workspace.tables import plan_frame

if TYPE_CHECKING:
    from pandas import DataFrame

    from sinagot.engine.accounts.report import RunReport

__all__ = ["Plan"]

# Of jobs that were not looked at one by one: nothing is to be done.
_SEEN_AT_ONCE = PlannedJob(-1, Verdict.UP_TO_DATE, (Reason("outputs_present", "all outputs are there"),))
_NOT_NEEDED = PlannedJob(-1, Verdict.UP_TO_DATE, (NOT_NEEDED,))


class Plan:
    """Answer of `steps.plan()`.

    Parameters
    ----------
    report : RunReport
        Of a dry run.

    Examples
    --------
    >>> import sinagot
    >>> sinagot.Workspace("example/harbor").steps.plan(force=True).counts
    {'run': 6}
    """

    def __init__(self, report: RunReport) -> None:
        self._report = report

    def iter_jobs(self) -> Iterator[dict[str, Any]]:
        """Give one row a job: ids, step, verdict, reasons (list of `Reason`) and seconds, about, where known."""
        report = self._report
        ledger = report.ledger
        for record, number in ledger.jobs():
            node = ledger.graph.node(number)
            seen = _SEEN_AT_ONCE if node.is_kept else _NOT_NEEDED
            planned = report.planned.get((record, number), seen)
            yield {
                "record_id": ledger.id_of(record, number),
                "task": node.task,
                "modality": node.modality,
                "step_index": node.step_index,
                "step_label": node.label,
                "verdict": planned.verdict,
                "reasons": list(planned.reasons),
                "estimate_s": report.estimates.get((record, number)),
            }

    @property
    def jobs(self) -> DataFrame:
        """One row per job: ids, step, `verdict`, `reasons` (text), `estimate_s` (seconds)."""
        return plan_frame(self.iter_jobs())

    @property
    def counts(self) -> dict[str, int]:
        """Number of jobs of each verdict."""
        return dict(Counter(row["verdict"] for row in self.iter_jobs()))

    @property
    def estimate(self) -> float | None:
        """Seconds of work, from how long it took before; None when nothing would run, or nothing is known."""
        return sum(self._report.estimates.values()) if self._report.estimates else None

    @property
    def warnings(self) -> list[str]:
        """What the user should know."""
        return self._report.warnings

    def _repr_html_(self) -> str:
        from sinagot.workspace.display.cards import plan_card  # in notebooks only

        return plan_card(self)

    def __repr__(self) -> str:
        facts = [f"{count} {verdict.replace('_', ' ')}" for verdict, count in self.counts.items()]
        about = "" if self.estimate is None else f" | about {seconds_text(self.estimate)} of work"
        return f"<Plan instance | {', '.join(facts) or 'no jobs'}{about}>"
