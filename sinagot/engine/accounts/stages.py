"""Acts of a whole run, counted: of each stage how many jobs have it done, failed, running, and how long it takes.

Knows events of acts; must not know pipelines. Who asks again and again keeps an `ActTally`: it reads only what was
added, and remembers of each job the states of its newest attempt.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from statistics import median
from sys import intern
from typing import Any, NamedTuple

from sinagot.engine.accounts.acts import (
    ENDS,
    ActEvent,
    ActFacts,
    attempt_of_line,
    live_attempts,
    place_of_key,
    read_act,
    thinned,
    waiting,
    worker_of,
)
from sinagot.engine.accounts.values import NO_VALUES, ValuesTold, values_of
from sinagot.engine.acts.act import ActState
from sinagot.engine.causes import normalised
from sinagot.engine.job import parse_key
from sinagot.engine.state.history import ACT, event_files
from sinagot.engine.words import ACTS

__all__ = ["ActTally", "JobActs", "StageError", "StageFacts", "StepActs", "in_order_of"]

#: Causes of a stage that are told apart, records of each that are named, durations that are remembered.
_MOST_ERRORS = 20
_MOST_NAMED = 20
_MOST_DURATIONS = 200_000
_LONGEST = 2000
#: As they stand in files: members of an enumeration take several times as long to look up.
_RUNNING, _DONE = str(ActState.RUNNING), str(ActState.DONE)
_UNFINISHED = (_RUNNING, str(ActState.WAITING))


class StageError(NamedTuple):
    """What a stage failed with; message and line are those of the first."""

    exc_type: str
    message: str
    where: str
    #: Of jobs.
    number: int
    #: Ids of some of the records.
    records: tuple[str, ...]


class StageFacts(NamedTuple):
    """One stage, or one processor of a flow, over all jobs of a step in a run."""

    stage: str
    #: State -> number of jobs, by their newest attempt; in the order of `ACTS`.
    counts: dict[str, int]
    #: Of those that were done.
    median_s: float | None
    longest_s: float | None
    total_s: float
    #: The most frequent first.
    errors: tuple[StageError, ...]
    #: Of a processor of a flow: input -> values that all attempts have taken, stream -> values that they wrote.
    values_in: dict[str, int] | None = None
    values_out: dict[str, int] | None = None

    @property
    def state(self) -> str:
        """The one state that says most: running, else what went wrong, else how it ended."""
        order = (ActState.RUNNING, ActState.ERROR, ActState.INTERRUPTED, ActState.DONE, ActState.SKIPPED)
        return next((str(one) for one in order if self.counts.get(one)), str(ActState.WAITING))


class StepActs(NamedTuple):
    """The stages of one step in a run."""

    step: str
    #: Jobs of which acts are known.
    jobs: int
    #: In the order in which they came up.
    stages: tuple[StageFacts, ...]
    #: As of a `Description`: a pipeline has stages, a flow processors.
    kind: str = "pipeline"


class JobActs:
    """The newest attempt of one job: the state of each of its stages."""

    __slots__ = ("attempt", "is_over", "key", "place", "since", "states", "step", "values", "worker")

    def __init__(self, event: ActEvent, step: str, worker: str, place: int) -> None:
        self.key, self.attempt, self.since = event.key, event.attempt, event.time or ""
        self.step, self.worker = step, worker
        #: Where its first line begins in the file of the worker.
        self.place = place
        self.states: dict[str, str] = {}
        #: Of processors of a flow, until the attempt is over.
        self.values: dict[str, ValuesTold] = {}
        self.is_over = False

    def acts(self, order: Sequence[str] = ()) -> tuple[ActFacts, ...]:
        """Give its stages as they are now, without times.

        Parameters
        ----------
        order : sequence of str
            Names of stages that come first, also those that have not begun.
        """
        return tuple(
            waiting(name)._replace(
                state=self.states.get(name, str(ActState.WAITING)),
                **self.values.get(name, NO_VALUES)._asdict(),
            )
            for name in dict.fromkeys([*order, *self.states])
        )

    @property
    def told(self) -> str | None:
        """When the newest counts of the processor were told of which nothing was heard for longest."""
        times = (
            self.values.get(name, NO_VALUES).told for name, one in self.states.items() if one == _RUNNING
        )
        return min((time or self.since for time in times), default=None)

    @property
    def is_open(self) -> bool:
        """A stage has begun, and nothing tells of its end."""
        return not self.is_over and _RUNNING in self.states.values()


class _Stage:
    __slots__ = ("counts", "durations", "errors", "named", "spent", "values_in", "values_out")

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.durations = array("d")
        self.spent = 0.0
        self.errors: dict[tuple[str, str, str], list[Any]] = {}
        self.values_in: Counter[str] | None = None
        self.values_out: Counter[str] | None = None

    def value(self, new: ValuesTold, old: ValuesTold) -> None:
        """Take in the newest counts of an attempt in place of those before."""
        self.values_in, self.values_out = self.values_in or Counter(), self.values_out or Counter()
        for sums, now, before in (
            (self.values_in, new.values_in, old.values_in),
            (self.values_out, new.values_out, old.values_out),
        ):
            sums.update(now)
            sums.subtract(before)

    def fail(self, event: ActEvent) -> None:
        """Take in a failure."""
        kind, message, where = (
            str(event.facts.get(name) or "") for name in ("exc_type", "exc_message", "where")
        )
        group = (kind, where, normalised(message))
        if group not in self.errors and len(self.errors) >= _MOST_ERRORS:
            group = ("", "", "")
            kind, message, where = "", "further causes", ""
        known = self.errors.setdefault(group, [kind, message[:_LONGEST], where, 0, []])
        known[3] += 1
        record_id = (parse_key(event.key) or ("",))[0]
        if len(known[4]) < _MOST_NAMED:
            known[4].append(record_id)

    def told(self, name: str, moved: int) -> StageFacts:
        counts = self.counts.copy()
        counts[ActState.RUNNING] -= moved
        counts[ActState.INTERRUPTED] += moved
        errors = sorted(self.errors.values(), key=lambda one: -one[3])
        return StageFacts(
            name,
            {state: counts[state] for state in ACTS if counts[state] > 0},
            median(self.durations) if self.durations else None,
            max(self.durations, default=None),
            self.spent,
            tuple(StageError(one[0], one[1], one[2], one[3], tuple(one[4])) for one in errors),
            None if self.values_in is None else dict(self.values_in),
            None if self.values_out is None else dict(self.values_out),
        )


def in_order_of(steps: Iterable[StepActs], orders: Mapping[str, Sequence[str]]) -> list[StepActs]:
    """Put the stages of steps into a known order, with those of which nothing is known yet.

    Parameters
    ----------
    steps : iterable of StepActs
        As far as known.
    orders : mapping of str to sequence of str
        Step -> the names of its stages.
    """
    known = {one.step: one for one in steps}
    made = []
    for step in dict.fromkeys([*orders, *known]):
        found = known.get(step, StepActs(step, 0, ()))
        stages = {stage.stage: stage for stage in found.stages}
        names = dict.fromkeys([*orders.get(step, ()), *stages])
        made.append(
            found._replace(stages=tuple(stages.get(name) or _Stage().told(name, 0) for name in names))
        )
    return made


class ActTally:
    """Counts the acts of a run; each `read` takes in what came since the last.

    Parameters
    ----------
    state : str
        The state folder.
    run_id : str
        The run, whole.
    """

    def __init__(self, state: str, run_id: str) -> None:
        self._state = state
        self._run_id = run_id
        self._places: dict[str, int] = {}
        #: Key -> newest attempt.
        self.jobs: dict[str, JobActs] = {}
        self._open: dict[str, JobActs] = {}
        #: Attempts of flows that are not over.
        self._valued: dict[str, JobActs] = {}
        self._steps: dict[str, dict[str, _Stage]] = {}

    def read(self) -> None:
        """Take in what was written since the last time."""
        for path in event_files(f"{self._state}/runs/{self._run_id}"):
            try:
                with open(path, "rb") as file:
                    self._places[path] = self._take(file, self._places.get(path, 0), worker_of(path))
            except OSError:  # removed meanwhile
                continue

    def _take(self, file: Any, place: int, worker: str) -> int:
        def whole() -> Iterator[tuple[int, bytes]]:
            nonlocal place
            for line in file:
                if not line.endswith(b"\n"):
                    return  # it is being written
                start, place = place, place + len(line)
                yield start, line

        file.seek(place)
        for start, line in thinned(whole()):
            if line.startswith(ACT):
                event = read_act(line)
                if event is not None:
                    self._add(event, worker, start)
            elif (self._open or self._valued) and line.startswith(ENDS):
                name = attempt_of_line(line) or ""
                ended, valued = self._open.pop(name, None), self._valued.pop(name, None)
                if ended is not None:
                    ended.is_over = True
                if valued is not None:
                    valued.values = {}
        return place

    def _add(self, event: ActEvent, worker: str, place: int) -> None:
        job = self.jobs.get(event.key)
        if job is None or job.attempt != event.attempt:
            if job is not None and (event.time or "") < job.since:
                return  # of an attempt before it, which another process has written
            if job is not None:
                self._forget(job)
            step = place_of_key(event.key) if job is None else job.step
            job = self.jobs[event.key] = JobActs(event, intern(step), worker, place)
        stage = self._stage(job.step, event.act)
        before, state = job.states.get(event.act), intern(event.state)
        if before is not None:
            if before not in _UNFINISHED:
                return  # it had ended: the first end counts
            stage.counts[before] -= 1
        stage.counts[state] += 1
        job.states[intern(event.act)] = state
        if "values_in" in event.facts:
            self._take_values(job, stage, event)
        if state == _RUNNING:
            self._open[job.attempt] = job
            return
        if not job.is_open:
            self._open.pop(job.attempt, None)
        duration = event.facts.get("duration_s")
        if state == _DONE and isinstance(duration, int | float):
            stage.spent += duration
            if len(stage.durations) < _MOST_DURATIONS:
                stage.durations.append(duration)
        elif state == ActState.ERROR:
            stage.fail(event)

    def _stage(self, step: str, name: str) -> _Stage:
        stages = self._steps.setdefault(step, {})
        stage = stages.get(name)
        if stage is None:
            stage = stages[name] = _Stage()
        return stage

    def _take_values(self, job: JobActs, stage: _Stage, event: ActEvent) -> None:
        values = values_of(event.facts, event.time)
        stage.value(values, job.values.get(event.act, NO_VALUES))
        job.values[event.act] = values
        self._valued[job.attempt] = job

    def _forget(self, job: JobActs) -> None:
        """Count an attempt no more, after which there is another one; its failures stay told."""
        self._open.pop(job.attempt, None)
        self._valued.pop(job.attempt, None)
        for name, state in job.states.items():
            self._steps[job.step][name].counts[state] -= 1

    def cut_off(self) -> dict[str, JobActs]:
        """Give the attempts in which a stage has begun that nobody finishes any more, by their keys."""
        asked = [(job.key, job.attempt, job.worker) for job in self._open.values()]
        live = live_attempts(self._state, self._run_id, asked)
        unfinished = (job for job in self.jobs.values() if _RUNNING in job.states.values())
        return {job.key: job for job in unfinished if job.is_over or job.attempt not in live}

    def running(self) -> list[JobActs]:
        """Give the jobs that a live process is at now and in which a stage runs; the oldest first."""
        live = live_attempts(
            self._state, self._run_id, [(job.key, job.attempt, job.worker) for job in self._open.values()]
        )
        return sorted((job for job in self._open.values() if job.attempt in live), key=lambda one: one.since)

    def steps(self) -> list[StepActs]:
        """Give the stages of each step, as far as was read."""
        cut = list(self.cut_off().values())
        numbers = Counter(job.step for job in self.jobs.values())
        return [
            StepActs(
                step,
                numbers[step],
                tuple(
                    stage.told(name, sum(self._is_cut(job, step, name) for job in cut))
                    for name, stage in stages.items()
                ),
            )
            for step, stages in self._steps.items()
        ]

    def _is_cut(self, job: JobActs, step: str, stage: str) -> bool:
        return job.states.get(stage) == _RUNNING and job.step == step

    def find(self, step: str, stage: str | None = None, state: str | None = None) -> Iterator[JobActs]:
        """Give the jobs of a step, the newest first.

        Parameters
        ----------
        step : str
            With its task and modality.
        stage : str, optional
            Only jobs in which this stage is of the state; any stage when not given.
        state : str, optional
            Only jobs with a stage of this state, a value of `ActState`.
        """
        cut = self.cut_off()
        for job in sorted(self.jobs.values(), key=lambda one: one.since, reverse=True):
            if job.step != step:
                continue
            states = job.states if stage is None else {stage: job.states.get(stage, "")}
            if job.key in cut:
                states = {
                    name: str(ActState.INTERRUPTED) if one == _RUNNING else one
                    for name, one in states.items()
                }
            if state is None or state in states.values():
                yield job
