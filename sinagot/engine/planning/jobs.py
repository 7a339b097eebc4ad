"""Makes the jobs of planned steps: plain data, with all paths.

Knows a survey and what all jobs of a run share; must not decide what runs, nor execute anything.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sinagot.dataset.prints import print_of
from sinagot.engine.job import Job, JobStep, RunOptions
from sinagot.engine.paths import flat_paths
from sinagot.engine.planning.changes import DAMAGED, ParamsOf
from sinagot.engine.planning.graph import StepNode
from sinagot.engine.planning.plan import PlannedJob, Verdict
from sinagot.engine.planning.survey import Survey
from sinagot.engine.state.origins import prints_of

__all__ = ["JobMaker"]


class JobMaker:
    """Makes jobs for one run.

    Parameters
    ----------
    survey : Survey
        What is on disk.
    options : RunOptions
        What all jobs share.
    params_of : callable
        Step and record id -> parameters.
    wanted : frozenset of int
        Nodes whose values are made although nothing stores them.
    """

    def __init__(
        self, survey: Survey, options: RunOptions, params_of: ParamsOf, wanted: frozenset[int] = frozenset()
    ) -> None:
        self._survey = survey
        self._options = options
        self._params_of = params_of
        self._wanted = wanted
        #: What stood there of results that all records share, before anybody began to make one again.
        self._shared = {
            node.index: prints_of(survey.paths(node.outputs, node.is_dict_out, ""), print_of, str)
            for node in survey.graph.nodes
            if node.is_shared and node.error is None
        }
        #: Of these, the ones that are to be made again whatever is there, until a job for one has come to its end.
        self.remade = {one for one in self._shared if survey.rerun_of(survey.graph.nodes[one]) == "always"}

    def running(self, planned: Sequence[PlannedJob], *, is_dry: bool) -> list[PlannedJob]:
        """Give those of a planned chain that run, with what it shares with all records: whoever comes first makes it.

        Else a record could read what another one is just going to make again.
        """
        running = [job for job in planned if job.verdict == Verdict.RUN]
        if not running or not self.remade or is_dry:
            return running
        is_found = Verdict.UP_TO_DATE
        return [
            job for job in planned if job in running or (job.node in self.remade and job.verdict == is_found)
        ]

    def jobs(
        self, record: int, numbers: Sequence[int], steps: Mapping[int, JobStep | None]
    ) -> tuple[Job, ...]:
        """Make the jobs of one chain of a record.

        Parameters
        ----------
        record : int
            The record.
        numbers : sequence of int
            Nodes that run, in running order.
        steps : mapping of int to JobStep
            Steps as the run uses them.
        """
        graph = self._survey.graph
        made: dict[int, Job] = {}
        for number in numbers:
            step = steps[number]
            assert step is not None, "a broken step has no jobs"
            made[number] = self.job(record, number, step)
        for number, job in made.items():
            if not graph.nodes[number].is_kept and self._wanted.isdisjoint((number, *graph.takers[number])):
                served = dict.fromkeys(graph.stored_takers(number))
                made[number] = job._replace(serves=tuple(made[taker] for taker in served if taker in made))
        return tuple(made.values())

    def job(self, record: int, number: int, step: JobStep) -> Job:
        """Make one job."""
        survey = self._survey
        node = survey.graph.nodes[number]
        record_id = survey.ids[record]
        outputs = survey.paths(node.outputs, node.is_dict_out, record_id)
        force, former, is_damaged = self._redo(record, node)
        return Job(
            node.key(record_id),
            record_id,
            step,
            survey.paths(node.inputs, node.is_dict_in, record_id),
            outputs,
            survey.paths(node.control, False, record_id) if node.control else None,
            tuple(survey.graph.nodes[source].key(record_id) for source in node.upstream),
            self._options,
            self._params_of(node, record_id),
            force,
            former,
            damaged=tuple(flat_paths(outputs)) if is_damaged else (),
            failure=survey.failed_attempt(record_id, node),
        )

    def _redo(self, record: int, node: StepNode) -> tuple[bool, list[Any] | None, bool]:
        """Say whether a job runs whatever is there, which outputs of it are outdated, and whether they are damaged."""
        survey = self._survey
        if node.index in self._shared and survey.rerun_of(node) == "always":
            return True, self._shared[node.index], False
        rerun = survey.rerun_of(node, record)
        if rerun != "outdated" or not node.is_kept or not survey.present(node)[record]:
            return rerun == "always", None, False
        record_id = survey.ids[record]
        if survey.claim_run(node.key(record_id)) is not None:
            return False, None, False  # another run makes it now: what it will have made is not outdated
        outputs = self._shared.get(node.index) or survey.changes.present(record_id, node).outputs
        if node.settings.check != "content":
            return False, outputs, False
        reasons = survey.changes.reasons(record_id, node)
        return False, outputs, any(reason.code == DAMAGED for reason in reasons)
