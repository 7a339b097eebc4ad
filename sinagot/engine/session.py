"""What is computed on demand, record by record, in this process: a run that goes on as long as somebody asks.

Knows plans, jobs and the folder of its run; must not know workspaces. The same plan, the same attempts, the same events
as those of any run: only who drives is another.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

from sinagot.dataset.records import RecordIds
from sinagot.engine.accounts.counts import Tally
from sinagot.engine.attempt import run_chain
from sinagot.engine.ground import Ground
from sinagot.engine.job import Job, JobResult, Outcome, RunOptions
from sinagot.engine.memory import Memory
from sinagot.engine.planning.changes import ParamsOf
from sinagot.engine.planning.graph import RecordGraph, StepNode
from sinagot.engine.planning.jobs import JobMaker
from sinagot.engine.planning.plan import PlannedJob, Verdict
from sinagot.engine.planning.survey import Survey
from sinagot.engine.request import Prepared
from sinagot.engine.state.bench import close_benches
from sinagot.engine.state.history import RunFolder
from sinagot.engine.state.origins import Origins
from sinagot.engine.state.sweep import sweep
from sinagot.errors import StorageError

__all__ = ["Answer", "Session"]

#: Seconds between two looks at a job that another run holds.
_PAUSE = 0.05
#: Seconds without a request after which the run ends: a program that only waits works on nothing.
IDLE = 20.0


class Answer(NamedTuple):
    """What came of one request: the plan, and the results of the jobs that ran, by name of their step."""

    planned: list[PlannedJob]
    results: dict[str, JobResult]


class Session:
    """A run in this process that computes what it is asked for, one record at a time.

    Parameters
    ----------
    options : RunOptions
        What all its jobs share.
    prepare : callable
        Called once, before the first job, with the run's folder.
    """

    def __init__(self, options: RunOptions, prepare: Callable[[str], Prepared]) -> None:
        self._options = options
        self._prepare = prepare
        self._ground = Ground(options)
        self._folder = RunFolder(options.state_path, options.run_id)
        self._guard = threading.RLock()
        self._is_begun = False
        self._tally = Tally()
        self._asked_at = time.monotonic()
        self._busy = 0
        self._over = threading.Event()

    @property
    def is_over(self) -> bool:
        """The run has ended: the next request needs another session."""
        return self._over.is_set()

    def compute(self, *args: Any, **options: Any) -> Answer:
        """Plan some steps of a record and run what has to be run; parameters as those of `_compute`.

        Raises
        ------
        StorageError
            A folder can't be written.
        """
        with self._at_work():
            return self._compute(*args, **options)

    def compute_each(
        self,
        graph: RecordGraph,
        rule: RecordIds,
        ids: Sequence[str],
        *,
        selected: frozenset[int],
        wanted: frozenset[int],
        spare: frozenset[int],
        params_of: ParamsOf,
        origins: Origins,
    ) -> Iterator[tuple[str, Answer, Memory]]:
        """Do as `compute` for many records; what is on disk is looked at once for all of them.

        Yields
        ------
        str, Answer, Memory
            Record, what came of it, and its values: they are gone when the caller lets go of them.
        """
        origins.refresh()
        survey = self._survey(graph, rule, ids, params_of, origins)
        for place, record_id in enumerate(ids):
            memory = Memory()
            with self._at_work():
                answer, is_held = self._once(
                    survey, place, memory, params_of, selected=selected, wanted=wanted, spare=spare
                )
                if is_held:
                    answer = self._compute(
                        graph,
                        rule,
                        record_id,
                        selected=selected,
                        wanted=wanted,
                        spare=spare,
                        params_of=params_of,
                        origins=origins,
                        memory=memory,
                    )
            yield record_id, answer, memory

    @contextmanager
    def _at_work(self) -> Iterator[None]:
        with self._guard:
            self._busy += 1
        try:
            yield
        finally:
            with self._guard:
                self._busy -= 1
                self._asked_at = time.monotonic()
                if self.is_over:
                    self._finish()

    def _compute(
        self,
        graph: RecordGraph,
        rule: RecordIds,
        record_id: str,
        *,
        selected: frozenset[int],
        wanted: frozenset[int],
        spare: frozenset[int],
        params_of: ParamsOf,
        origins: Origins,
        memory: Memory,
        is_known: Callable[[StepNode], bool] = lambda node: False,
    ) -> Answer:
        """Plan some steps of a record and run what has to be run; wait for what another run is at.

        Parameters
        ----------
        graph, rule : RecordGraph and RecordIds
            The steps, and what an id is.
        record_id : str
            The record.
        selected, wanted, spare : frozenset of int
            Nodes that are meant, those whose values are asked for although nothing stores them, and those that are on
            the way only.
        params_of : callable
            Step and record id -> parameters.
        origins : Origins
            What results came from; read on before each plan.
        memory : Memory
            Values that no file holds, kept from one request to the next.
        is_known : callable, optional
            Whether the value of a step is in the memory, and still true.

        Raises
        ------
        StorageError
            A folder can't be written.
        """
        results: dict[str, JobResult] = {}
        while True:
            # What another run was at is asked for once more.
            results = {name: one for name, one in results.items() if one.outcome != Outcome.HELD}
            origins.refresh()
            survey = self._survey(graph, rule, (record_id,), params_of, origins)
            answer, is_held = self._once(
                survey, 0, memory, params_of, selected=selected, wanted=wanted, spare=spare, is_known=is_known
            )
            results |= answer.results
            if not is_held:
                return Answer(answer.planned, results)
            time.sleep(_PAUSE)

    def _survey(
        self, graph: RecordGraph, rule: RecordIds, ids: Sequence[str], params_of: ParamsOf, origins: Origins
    ) -> Survey:
        state, log = self._options.state_path, self._options.log.folder
        survey = Survey(
            graph, ids, rule, state, log, params_of=params_of, origins=origins, is_alone=len(ids) == 1
        )
        survey.note_failures(range(len(ids)), range(len(graph.nodes)))
        return survey

    def _once(
        self,
        survey: Survey,
        place: int,
        memory: Memory,
        params_of: ParamsOf,
        *,
        selected: frozenset[int],
        wanted: frozenset[int],
        spare: frozenset[int],
        is_known: Callable[[StepNode], bool] = lambda node: False,
    ) -> tuple[Answer, bool]:
        """Plan some steps of a record of a survey and run what has to be run; say too whether another run is at it."""
        nodes = survey.graph.nodes
        plans = survey.plan(place, ignore_missing=False, selected=selected, wanted=wanted, spare=spare)
        maker = JobMaker(survey, self._options, params_of, wanted)
        results: dict[str, JobResult] = {}
        is_held = False
        for planned in plans:
            numbers = [
                job.node
                for job in planned
                if job.verdict == Verdict.RUN and (job.node in wanted or not is_known(nodes[job.node]))
            ]
            steps = {number: nodes[number].job_step for number in numbers}
            for job, result in self._run(maker.jobs(place, numbers, steps), memory):
                results[job.step.label] = result
                is_held = is_held or result.outcome == Outcome.HELD
        return Answer([job for planned in plans for job in planned], results), is_held

    def _run(self, jobs: Sequence[Job], memory: Memory) -> list[tuple[Job, JobResult]]:
        """Run a chain; a job that is to be tried again is, after its pause."""
        if not jobs:
            return []
        self._begin(jobs)
        while True:
            memory.forget_error()
            results = run_chain(tuple(jobs), memory=memory)
            pauses = [result.retry for result in results if result.retry is not None]
            if memory.error is not None and not isinstance(memory.error, Exception):
                raise memory.error  # Ctrl-C, or the script ends the program: that is not ours to swallow
            if not pauses:
                break
            time.sleep(max(pauses))
            jobs = [
                job._replace(tries=job.tries + 1) if result.retry is not None else job
                for job, result in zip(jobs, results, strict=False)
            ] + list(jobs[len(results) :])
        for result in results:
            self._tally.add(result.outcome)
        return list(zip(jobs, results, strict=False))

    def _begin(self, jobs: Sequence[Job]) -> None:
        """Write down that the run begins, before its first job."""
        with self._guard:
            if self._is_begun:
                return
            try:
                prepared = self._prepare(self._folder.path)
                sweep(self._options.state_path, self._options.stage_base)
                self._ground.enter(jobs, (), 1)
                self._folder.begin(kind="on demand", **prepared.manifest)
            except StorageError:
                raise
            except OSError as error:
                raise StorageError(
                    f"the state folder {self._options.state_path} can't be written: {error.strerror or error}",
                    path=self._options.state_path,
                ) from error
            self._is_begun = True
            threading.Thread(target=self._end_when_idle, name="sinagot-session", daemon=True).start()

    def _end_when_idle(self) -> None:
        """End the run when nobody has asked for a while: others may want the workspace for themselves."""
        while not self._over.wait(IDLE / 4):
            with self._guard:
                if not self._busy and time.monotonic() - self._asked_at >= IDLE:
                    self.close()

    def close(self) -> None:
        """End the run, once nobody waits for an answer any more; the next request needs another session."""
        with self._guard:
            self._over.set()
            self._finish()

    def _finish(self) -> None:
        with self._guard:
            if not self._is_begun or self._busy:
                return
            self._is_begun = False
            close_benches(self._options.run_id)
            self._ground.leave()
            self._folder.end(counts=self._tally.counts, ok=self._tally.ok)
