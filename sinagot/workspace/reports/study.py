"""The facts of a study: what was run, with which versions and parameters, and what became of the records.

Knows where facts are on record, of all runs or of one; must not know how they are shown. Everything is looked up once,
and reading writes nothing.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from sinagot.engine.accounts.attempts import iter_attempts
from sinagot.engine.accounts.runs import RunFacts, find_run, list_runs
from sinagot.engine.accounts.standing import StandingFailure, current_failures
from sinagot.engine.planning.graph import StepNode
from sinagot.engine.state.decisions import Decision, Decisions
from sinagot.engine.state.history import read_manifest
from sinagot.runlog.lines import now_utc
from sinagot.version import __version__
from sinagot.workspace.contracts import House, Selection
from sinagot.workspace.origins import OriginFinder, Shown
from sinagot.workspace.parameters import Parameters
from sinagot.workspace.reports.durations import Durations
from sinagot.workspace.reports.flows import FlowReport, report_flow
from sinagot.workspace.reports.outcomes import RunGrid, failures_of
from sinagot.workspace.reports.ways import Way, way_of_records, way_of_run

__all__ = ["ALL", "CITATION", "StepFacts", "Study", "study_of"]

#: What is reported when no run is named.
ALL = "all"
#: As CITATION.cff says it.
CITATION = f"The sinagot developers. sinagot (version {__version__}) [Computer software]."

#: Name -> version -> in how many runs.
Versions = dict[str, dict[str, int]]


class StepFacts(NamedTuple):
    """One step of the workspace."""

    name: str
    is_group: bool
    params: list[Shown]
    #: Records that have other values, with those values.
    own: dict[str, list[Shown]]


class Study(NamedTuple):
    """What a report tells, of all runs or of one."""

    #: Name of the workspace's folder, and its version.
    name: str
    version: str
    #: When this was looked up (UTC, ISO).
    made: str
    #: The one run; None when it is about all of them.
    run: RunFacts | None
    #: Newest first; the one when it is about one.
    runs: list[RunFacts]
    #: Where the records of the workspace stand now; None when it is about one run.
    flow: FlowReport | None
    #: What became of the attempts of the one run.
    grid: RunGrid | None
    way: Way
    versions: Versions
    #: None where no run has noted them.
    packages: Versions | None
    steps: list[StepFacts]
    #: Parameters that were given to runs, by run.
    overrides: dict[str, Mapping[str, Any]]
    decisions: list[Decision]
    failures: list[StandingFailure]
    durations: dict[str, Durations]
    hosts: dict[str, int]
    warnings: list[str]

    @property
    def span(self) -> tuple[str, str] | None:
        """When the first run began and the last one ended, or began; None when nothing ran."""
        starts = [run.start for run in self.runs if run.start]
        ends = [run.end or run.start or "" for run in self.runs]
        return (min(starts), max(ends)) if starts else None

    @property
    def params(self) -> list[tuple[str, str, Shown]]:
        """Every parameter: the step, the record where it is one of a single record, the value."""
        return [
            (step.name, record_id, one)
            for step in self.steps
            for record_id, params in (("", step.params), *step.own.items())
            for one in params
        ]

    @property
    def exclusions(self) -> list[tuple[str, int, int]]:
        """Reasons of exclusions, with how many records and how many jobs."""
        if self.flow is None:
            return []
        jobs, records = self.flow.jobs.excluded, self.flow.records.excluded
        return [(reason, records.get(reason, 0), count) for reason, count in jobs.items()]


def study_of(workspace: House, name: str = ALL) -> Study:
    """Look the facts up.

    Parameters
    ----------
    workspace : House
        What is reported.
    name : str, default "all"
        ``"all"``: the records as they stand now, and all runs. Or one run: ``"last"``, an id, its beginning or end.

    Raises
    ------
    UnknownRunError
        There is no such run.
    """
    configuration = workspace.configuration
    records = workspace.make_collection(None, None)
    state = str(configuration.state_path)
    run = None if name == ALL else find_run(state, name)
    runs = list_runs(state) if run is None else [run]
    manifests = {one.run_id: read_manifest(state, one.run_id) for one in runs}
    durations: dict[str, Durations] = {}
    grid = None if run is None else RunGrid()
    for one in runs:
        for attempt in iter_attempts(state, one.run_id):
            step = _place(attempt)
            if attempt["outcome"] == "done" and attempt["duration_s"] is not None:
                durations.setdefault(step, Durations()).add(attempt["duration_s"], attempt["peak_memory_mb"])
            if grid is not None:
                grid.add(step, attempt)
    flow = report_flow(records, None) if run is None else None
    warnings = [*configuration.warnings, *workspace.problems]
    for one in runs:
        warnings += [f"run {one.run_id}: {text}" for text in one.warnings]
    return Study(
        name=os.path.basename(str(configuration.root)) or str(configuration.root),
        version=workspace.version,
        made=now_utc(),
        run=run,
        runs=runs,
        flow=flow,
        grid=grid,
        way=way_of_records(flow.records) if flow is not None else way_of_run(runs[0]),
        versions=_versions(manifest.get("versions") for manifest in manifests.values()),
        packages=_packages(manifests.values()),
        steps=list(_steps(records, manifests[run.run_id].get("params") if run is not None else None)),
        overrides={
            run_id: given for run_id, one in manifests.items() if (given := _table(one.get("params")))
        },
        decisions=Decisions.read(state).in_force(),
        failures=current_failures(state) if run is None else failures_of(state, run.run_id),
        durations=dict(sorted(durations.items())),
        hosts=dict(Counter(one.host for one in runs if one.host).most_common()),
        warnings=list(dict.fromkeys(warnings)),
    )


def _place(attempt: Mapping[str, Any]) -> str:
    parts = (attempt["task"], attempt["modality"], attempt["step_label"])
    return "-".join(str(part) for part in parts if part)


def _table(found: object) -> dict[str, Any]:
    return found if isinstance(found, dict) else {}


def _versions(found: Iterable[object]) -> Versions:
    """Count in how many runs each version of each thing was used."""
    counted: dict[str, Counter[str]] = {}
    for versions in found:
        for name, version in versions.items() if isinstance(versions, dict) else ():
            if isinstance(version, str):
                counted.setdefault(str(name), Counter())[version] += 1
    return {name: dict(counts.most_common()) for name, counts in counted.items()}


def _packages(manifests: Iterable[Mapping[str, Any]]) -> Versions | None:
    noted = [
        _all_of(manifest["packages"]) for manifest in manifests if isinstance(manifest.get("packages"), dict)
    ]
    return dict(sorted(_versions(noted).items(), key=lambda pair: pair[0].lower())) if noted else None


def _all_of(packages: Mapping[str, object]) -> dict[str, object]:
    """Give the packages of all steps of a run."""
    return {name: version for found in packages.values() for name, version in _table(found).items()}


def _steps(records: Selection, override: object) -> Iterator[StepFacts]:
    """Give the steps with the parameters that hold; those that one run was given count for that run."""
    given = override if isinstance(override, dict) else None
    workspace = records.workspace
    finder = OriginFinder(workspace.configuration)
    parameters = Parameters(workspace.configuration, given, is_lenient=True)
    groups = workspace.groups_of(records, None)
    for node in (*workspace.nodes_of(records, None), *groups):
        if node.is_kept or not node.is_node:
            params = _params(finder, parameters, node)
            known = {(one.key, repr(one.value)) for one in params}
            own = {
                record_id: [one for one in values if (one.key, repr(one.value)) not in known]
                for record_id in sorted(parameters.exceptions)
                if node not in groups and (values := _params(finder, parameters, node, record_id))
            }
            yield StepFacts(
                node.place, node in groups, params, {name: found for name, found in own.items() if found}
            )


def _params(
    finder: OriginFinder, parameters: Parameters, node: StepNode, record_id: str | None = None
) -> list[Shown]:
    return [] if node.error is not None or node.is_node else list(finder.params(parameters, node, record_id))
