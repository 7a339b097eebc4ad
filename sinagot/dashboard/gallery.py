"""Pipelines and flows as pages show them: which there are, and the graph of one with what a run has done at each part.

Knows which accounts to ask, and keeps what it has read of runs; must not know how anything is shown. No code of the
user is needed: a run keeps the graphs.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Mapping
from typing import NamedTuple

from sinagot.dashboard.chronicle import Chronicle
from sinagot.dashboard.kinds import FLOWS, PIPELINES, Kind, kind_of
from sinagot.dashboard.snapshot import View
from sinagot.engine.accounts.acts import ActFacts, AttemptActs, read_attempts, waiting
from sinagot.engine.accounts.runs import RunFacts, run_ids
from sinagot.engine.accounts.stages import ActTally, StageFacts, StepActs, in_order_of
from sinagot.engine.accounts.values import values_note
from sinagot.engine.charts.picture import picture
from sinagot.engine.html import Markup
from sinagot.engine.job import parse_key
from sinagot.errors import SinagotError
from sinagot.pipeline.album import has_portraits, read_portrait, read_portraits
from sinagot.pipeline.description import Description, NodeView
from sinagot.pipeline.views.graph import chart_of

__all__ = ["Exhibit", "FlowNow", "Gallery", "PipelineRow"]

#: Newest runs that are looked through; runs of which the acts are kept; seconds that a look holds.
_MOST_RUNS = 100
_YOUNG = 5
_KEPT = 4
_FRESH = 0.5


class PipelineRow(NamedTuple):
    """One step that is a pipeline, or a flow, with its newest run."""

    step: str
    #: Of the pipeline; empty where no run has told it.
    name: str
    #: None of one that has not run.
    run: RunFacts | None
    stages: tuple[StageFacts, ...]
    jobs: int


class Exhibit(NamedTuple):
    """One pipeline, or flow, in one run."""

    step: str
    run: RunFacts
    #: None where the run could not describe it.
    description: Description | None
    stages: tuple[StageFacts, ...]
    jobs: int
    graph: Markup


class FlowNow(NamedTuple):
    """One flow that runs now, for one record."""

    run_id: str
    #: With its task and modality.
    step: str
    record_id: str
    key: str
    #: When its first processor began, and when was told what is known of the processor that has been silent longest
    #: (UTC, ISO).
    since: str
    told: str | None
    #: Its processors, in the order in which values go through them.
    acts: tuple[ActFacts, ...]


class Gallery:
    """Shows the pipelines and flows of a workspace.

    Parameters
    ----------
    chronicle : Chronicle
        What is known of its runs.
    """

    def __init__(self, chronicle: Chronicle) -> None:
        self._chronicle = chronicle
        self._state = chronicle.state
        self._tallies: OrderedDict[str, tuple[ActTally, float]] = OrderedDict()
        self._guard = threading.Lock()
        #: Run -> its pipelines and flows.
        self._known: dict[str, tuple[tuple[str, Kind], ...]] = {}

    # -- which there are

    def newest(self, kind: Kind) -> dict[str, str]:
        """Give each one of a kind that has run lately with its newest run."""
        found: dict[str, str] = {}
        known = {}
        for number, run_id in enumerate(run_ids(self._state)[:_MOST_RUNS]):
            steps = self._known.get(run_id)
            if steps is None:
                has = has_portraits(self._state, run_id)
                found_here = read_portraits(self._state, run_id) if has else {}
                steps = tuple((step, kind_of(one.kind)) for step, one in found_here.items())
            if steps or number >= _YOUNG:  # a run that has just begun may keep some in a moment
                known[run_id] = steps
            for step, its in steps:
                if its == kind:
                    found.setdefault(step, run_id)
        self._known = known
        return found

    def rows(self, kind: Kind, view: View | None) -> list[PipelineRow]:
        """List those of a kind: steps of the workspace, and what has run lately.

        Parameters
        ----------
        kind : Kind
            Pipelines or flows.
        view : View or None
            The newest one.
        """
        newest = self.newest(kind)
        places = [
            "-".join(part for part in (node.task, node.modality, node.label) if part)
            for node in (view.nodes if view is not None else ())
            if node.job_step is not None
            and (node.job_step.is_flow if kind == FLOWS else node.job_step.is_pipeline)
        ]
        return [self._row(kind, step, newest.get(step)) for step in dict.fromkeys([*places, *newest])]

    def _row(self, kind: Kind, step: str, run_id: str | None) -> PipelineRow:
        shown = self.show(kind, step, run_id) if run_id is not None else None
        if shown is None:
            return PipelineRow(step, "", None, (), 0)
        name = shown.description.name if shown.description is not None else ""
        return PipelineRow(step, name, shown.run, shown.stages, shown.jobs)

    # -- one of them

    def show(self, kind: Kind, step: str, run_id: str | None = None) -> Exhibit | None:
        """Show one in a run; None where there is none of the kind.

        Parameters
        ----------
        kind : Kind
            Pipelines or flows.
        step : str
            With its task and modality.
        run_id : str, optional
            The run, whole; the newest that had it when not given.
        """
        run_id = run_id or self.newest(kind).get(step)
        run = self._chronicle.run(run_id) if run_id is not None else None
        if run is None:
            return None
        description = read_portrait(self._state, run.run_id, step)
        with self._guard:
            found = {one.step: one for one in self._tally(run).steps()}
        if description is None and step not in found:
            return None
        if kind != _kind_shown(description, found.get(step)):
            return None
        orders = {step: _order(description)}
        known = [found[step]] if step in found else []
        shown: StepActs = in_order_of(known, orders)[0]
        graph = _graph(description, shown, is_going=run.state == "running")
        return Exhibit(step, run, description, shown.stages, shown.jobs, graph)

    def attempts(
        self, exhibit: Exhibit, *, stage: str = "", state: str = "", offset: int = 0, limit: int = 50
    ) -> tuple[int, list[AttemptActs]]:
        """Give a page of the newest attempts of the jobs of one, and how many there are.

        Parameters
        ----------
        exhibit : Exhibit
            The pipeline, or flow.
        stage, state : str
            Only those in which a stage, this or any, is of this state.
        offset, limit : int
            Which of them.
        """
        with self._guard:
            tally = self._tally(exhibit.run)
            jobs = list(tally.find(exhibit.step, stage or None, state or None))
        wanted = {job.attempt: (job.worker, job.place) for job in jobs[offset : offset + limit]}
        found = read_attempts(self._state, exhibit.run.run_id, wanted)
        return len(jobs), [found[name] for name in wanted if name in found]

    def running(self, run_id: str | None = None) -> list[FlowNow]:
        """List the flows that run now, the oldest first.

        Parameters
        ----------
        run_id : str, optional
            Only those of this run.
        """
        found = []
        for going in self._chronicle.underway():
            run = self._chronicle.run(going.run_id) if run_id in (None, going.run_id) else None
            if run is None or not has_portraits(self._state, run.run_id):
                continue
            flows = {
                step: _order(one)
                for step, one in read_portraits(self._state, run.run_id).items()
                if kind_of(one.kind) == FLOWS
            }
            with self._guard:
                jobs = [job for job in self._tally(run).running() if job.step in flows]
                for job in jobs:
                    record_id = (parse_key(job.key) or ("",))[0]
                    acts = job.acts(flows[job.step])
                    found.append(FlowNow(run.run_id, job.step, record_id, job.key, job.since, job.told, acts))
        return sorted(found, key=lambda one: (one.since, one.key))

    def inside(self, attempt: AttemptActs) -> tuple[Markup, AttemptActs]:
        """Draw the graph of one attempt, and put its parts in order, with those that have not begun.

        Parameters
        ----------
        attempt : AttemptActs
            As far as known; where its run keeps no graph, it stays as it is, and nothing is drawn.
        """
        description = read_portrait(self._state, attempt.run_id, attempt.step) if attempt.run_id else None
        if description is None:
            return Markup(), attempt
        facts = {one.act: one for one in attempt.acts}
        names = dict.fromkeys([*_order(description), *facts])
        acts = tuple(facts.get(name) or waiting(name) for name in names)
        states = {one.act: one.state for one in acts}
        notes = {one.act: values_note(one.values_in, one.values_out) for one in acts}
        return _drawn(description, states, notes), attempt._replace(acts=acts)

    def _tally(self, run: RunFacts) -> ActTally:
        """Give what was read of a run, with what came since; the lock must be ours."""
        tally, read = self._tallies.pop(run.run_id, (None, 0.0))
        tally = tally or ActTally(self._state, run.run_id)
        if time.monotonic() - read > _FRESH:
            tally.read()
            read = time.monotonic()
        self._tallies[run.run_id] = (tally, read)
        while len(self._tallies) > _KEPT:
            self._tallies.popitem(last=False)
        return tally


def _order(description: Description | None) -> list[str]:
    if description is None:
        return []
    try:
        return [node.name for node in description.in_order()]
    except SinagotError:  # of another version
        return [node.name for node in description.nodes]


def _graph(description: Description | None, shown: StepActs, *, is_going: bool) -> Markup:
    """Draw the graph; where no run could describe it, its stages without lines."""
    if description is None:
        description = Description(shown.step, nodes=tuple(NodeView(one.stage) for one in shown.stages))
    facts = {one.stage: one for one in shown.stages}
    states = {name: one.state for name, one in facts.items() if one.counts or is_going}
    return _drawn(description, states, {name: _note(one, shown.jobs) for name, one in facts.items()})


def _drawn(description: Description, states: Mapping[str, str], notes: Mapping[str, str]) -> Markup:
    try:
        chart = chart_of(description, states)
    except SinagotError:
        return Markup()
    return picture(chart._replace(boxes=[box._replace(note=notes.get(box.name, "")) for box in chart.boxes]))


def _note(stage: StageFacts, jobs: int) -> str:
    """Say how many jobs are in the state that a part shows, where there are several; else counts of values."""
    if jobs < 2 or not stage.counts:
        return values_note(stage.values_in, stage.values_out)
    return f"{stage.counts.get(stage.state, 0):,}"


def _kind_shown(description: Description | None, known: StepActs | None) -> Kind:
    """Say what a step was in a run; where no run could describe it, by what it has told."""
    if description is not None:
        return kind_of(description.kind)
    return (
        FLOWS if known is not None and any(one.values_in is not None for one in known.stages) else PIPELINES
    )
