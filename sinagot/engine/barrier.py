"""What lies between the jobs of records and those of group steps: a look at what the records have left.

Knows group surveys and what a dry run has planned; must not execute anything. `sinagot.engine.run` comes here when the
last job of the records is booked.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence

from sinagot.dataset.volumes import await_paths
from sinagot.engine.accounts.report import RunReport
from sinagot.engine.job import Outcome
from sinagot.engine.planning.graph import StepNode
from sinagot.engine.planning.groups import GroupSurvey
from sinagot.engine.planning.plan import PlannedJob, Verdict

__all__ = ["Barrier"]

#: Seconds that a record at which another run is just looking is waited for, and between two looks.
_PATIENCE = 10.0
_PAUSE = 0.1


class Barrier:
    """Plans the group steps of one run.

    Parameters
    ----------
    nodes : sequence of StepNode
        The group steps that were asked for.
    selected : frozenset of int
        Steps of records that were asked for.
    look : callable
        Makes a survey of this moment.
    latency : callable, optional
        Gives the seconds until a drive shows here what was made elsewhere.
    """

    def __init__(
        self,
        nodes: Sequence[StepNode],
        selected: frozenset[int],
        look: Callable[[], GroupSurvey],
        latency: Callable[[], float] = lambda: 0.0,
    ) -> None:
        self._latency = latency
        self._nodes = nodes
        self._selected = selected
        self._look = look
        self._survey: GroupSurvey | None = None

    @property
    def survey(self) -> GroupSurvey:
        """What was there when the barrier was passed."""
        if self._survey is None:
            self._survey = self._look()
        return self._survey

    @property
    def problems(self) -> list[str]:
        """Folders that could not be read."""
        return self._survey.problems if self._survey is not None else []

    def plan(
        self, report: RunReport, *, ignore_missing: bool, is_over: Callable[[], bool]
    ) -> Iterator[PlannedJob]:
        """Give each group step with its verdict, as the records are now.

        Parameters
        ----------
        report : RunReport
            Of a dry run it tells which records would be made before.
        ignore_missing : bool
            What the user asked for.
        is_over : callable
            Says that nobody is to be waited for.
        """
        if not self._nodes:
            return
        self._survey = self._look()
        end = time.monotonic() + _PATIENCE
        # Another run that comes to a record later than this one looks whether it is done.
        while (
            self._survey.is_fed_now(self._nodes, self._selected) and not is_over() and time.monotonic() < end
        ):
            time.sleep(_PAUSE)
            self._survey = self._look()
        seconds = 0.0 if report.dry else self._latency()
        if seconds and (unseen := list(self._unseen(report))):
            await_paths(unseen, seconds)
            self._survey = self._look()
        for node in self._nodes:
            yield self._survey.plan_group(
                node, ignore_missing=ignore_missing, coming=_coming(report, node), is_shown=report.dry
            )

    def _unseen(self, report: RunReport) -> Iterator[str]:
        """Give the inputs that jobs of this run have made, and that are not to be seen here yet."""
        ledger = report.ledger
        for node in self._nodes:
            done = {
                ledger.ids[record]
                for number in node.upstream
                if number in self._selected
                for record in ledger.records_of(number, Outcome.DONE)
            }
            for record_id in done.intersection(self.survey.members(node).missing):
                yield from self.survey.missing(node.inputs, record_id)


def _coming(report: RunReport, node: StepNode) -> list[str]:
    """Give the records of which, in a dry run, a step that feeds a group step would run."""
    running = {
        record
        for (record, number), planned in report.planned.items()
        if number in node.upstream and planned.verdict == Verdict.RUN
    }
    return [report.ledger.ids[record] for record in sorted(running)]
