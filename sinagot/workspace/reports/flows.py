"""The way of the records of a scope through its steps: found, excluded, missing input, failed, done.

Knows scopes and looks the facts up; counts are those of `sinagot.engine.accounts.flow`, which add up.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from sinagot.dataset.scan import find_ids
from sinagot.engine.accounts.flow import (
    PLACES,
    WORDS,
    FlowCounts,
    JobPlace,
    mermaid_of,
    place_of,
    record_place,
)
from sinagot.engine.planning.graph import RecordGraph, StepNode
from sinagot.engine.planning.status import StepStatus
from sinagot.engine.planning.survey import Survey
from sinagot.errors import ConfigurationError
from sinagot.workspace.contracts import Selection
from sinagot.workspace.looks import survey_of
from sinagot.workspace.tables import flow_frame

if TYPE_CHECKING:
    from pandas import DataFrame

__all__ = ["FlowReport", "report_flow"]


class FlowReport:
    """Answer of `report_flow()`.

    Attributes
    ----------
    steps : list of FlowCounts
        One for each step of each unit; every record that was found is in each of them.
    records : FlowCounts
        Records as a whole: each stands where the worst of its jobs stands.
    strays : list of str
        Ids of records that were not found and of which there are results.
    ids : list of str
        The records that were found, sorted.
    """

    def __init__(
        self,
        steps: list[FlowCounts],
        records: FlowCounts,
        strays: Sequence[str] = (),
        ids: Sequence[str] = (),
        places: Sequence[bytes] = (),
    ) -> None:
        self.steps = steps
        self.records = records
        self.strays = list(strays)
        self.ids = list(ids)
        self._places = places

    def iter_places(self) -> Iterator[tuple[str, str, list[str]]]:
        """Give each record with the place where it stands as a whole, and those of its steps: words of `PLACES`."""
        for record_id, codes in zip(self.ids, self._places, strict=True):
            first, *others = [PLACES[code] for code in codes]
            yield record_id, first, others

    @property
    def jobs(self) -> FlowCounts:
        """All steps together."""
        excluded: Counter[str] = Counter()
        places: Counter[str] = Counter()
        for one in self.steps:
            excluded.update(one.excluded)
            places.update(one.places)
        return FlowCounts(
            "jobs",
            None,
            None,
            None,
            sum(one.found for one in self.steps),
            dict(excluded.most_common()),
            {place: places[place] for place in PLACES},
            sum(one.without_input for one in self.steps),
        )

    @property
    def rows(self) -> list[FlowCounts]:
        """Steps, all jobs, records."""
        return [*self.steps, self.jobs, self.records]

    @property
    def table(self) -> DataFrame:
        """One row a step, then all jobs, then records; columns of `PLACES` with found in front."""
        return flow_frame(
            [
                {"name": one.name, "found": one.found, **one.places, "without_input": one.without_input}
                for one in self.rows
            ]
        )

    def as_json(self) -> dict[str, Any]:
        """Give plain values: `steps`, `jobs`, `records` as `FlowCounts`, and `strays`."""
        return {
            "steps": [one.as_json() for one in self.steps],
            "jobs": self.jobs.as_json(),
            "records": self.records.as_json(),
            "strays": self.strays,
        }

    def mermaid(self) -> str:
        """Draw the way of the records as a Mermaid flowchart."""
        return mermaid_of(self.records)

    def __repr__(self) -> str:
        counts = self.records
        facts = [f"{count} {WORDS[place]}" for place, count in counts.places.items() if count]
        return f"<FlowReport instance | {counts.found} found: {', '.join(facts) or 'nothing'}>"

    def _repr_html_(self) -> str:
        from sinagot.workspace.display.cards import flow_card  # in notebooks only

        return flow_card(self)


def report_flow(scope: Selection, step: str | None) -> FlowReport:
    """Look where the records of a scope stand; see `Scope.report_flow`."""
    workspace = scope.workspace
    # A value that nothing stores is nowhere to be found: it counts with what is made from it.
    nodes = [node for node in workspace.nodes_of(scope, step) if node.is_kept or not node.is_node]
    ids = scope.record_ids()
    survey = survey_of(workspace, ids)
    stands = [[_stand(survey, record, node) for node in nodes] for record in range(len(ids))]
    # Of some records that were named, others are no strays.
    is_whole = not scope.is_record and getattr(scope, "_selected", None) is None
    found = set(ids)
    strays = [_made_ids(survey, node) - found if is_whole else set() for node in nodes]
    steps = [
        FlowCounts.of(
            node.place,
            [jobs[number] for jobs in stands],
            task=node.task,
            modality=node.modality,
            step=node.label,
            strays=len(strays[number]),
        )
        for number, node in enumerate(nodes)
    ]
    gone = sorted(set().union(*strays))
    records = [
        record_place(jobs)._replace(is_without_input=any(job.is_without_input for job in jobs))
        for jobs in stands
    ]
    workspace.note_problems(survey.problems)
    places = [
        bytes(PLACES.index(one.place) for one in (whole, *jobs))
        for whole, jobs in zip(records, stands, strict=True)
    ]
    return FlowReport(steps, FlowCounts.of("records", records, strays=len(gone)), gone, ids, places)


def _stand(survey: Survey, record: int, node: StepNode) -> JobPlace:
    """Say where one job stands."""
    record_id = survey.ids[record]
    exclusion = survey.exclusion(record_id, node)
    if exclusion is not None:
        return JobPlace("excluded", exclusion.reason)
    if node.error is not None:
        return JobPlace("failed")
    status = survey.status(record, node)
    if status in (StepStatus.DONE, StepStatus.OUTDATED):
        return JobPlace(place_of(status, is_missing=False), "", bool(survey.missing(node.inputs, record_id)))
    if status == StepStatus.INIT:
        return _lack(survey, record, node)
    if status == StepStatus.DATA_READY and survey.is_marked(record_id):
        return _behind(survey, record, node) or JobPlace("ready")
    return JobPlace(place_of(status, is_missing=False))


def _behind(survey: Survey, record: int, node: StepNode) -> JobPlace | None:
    """Say where a job with all its inputs stands when a step that feeds it failed or is unfinished."""
    for number in node.upstream:
        maker = survey.graph.nodes[number]
        facts = survey.facts(record, maker)
        if facts.failed or facts.claim == "dead":
            exclusion = survey.exclusion(survey.ids[record], maker)
            return JobPlace("waiting") if exclusion is None else JobPlace("excluded", exclusion.reason)
    return None


def _lack(survey: Survey, record: int, node: StepNode) -> JobPlace:
    """Say what a job without input waits for: data that are not there, a step that is excluded, or one to come."""
    graph: RecordGraph = survey.graph
    worst = JobPlace("waiting")
    for slot in node.inputs:
        if survey.exists(slot, survey.ids[record]):
            continue
        place = (slot.root, slot.pattern.canonical)
        makers = [
            maker
            for maker in (graph.nodes[number] for number in node.upstream)
            if any((made.root, made.pattern.canonical) == place for made in maker.outputs)
        ]
        if not makers:
            return JobPlace("missing_input")
        for maker in makers:
            before = _stand(survey, record, maker)
            if before.place == "missing_input":
                return before
            if before.place == "excluded":
                worst = before
    return worst


def _made_ids(survey: Survey, node: StepNode) -> set[str]:
    """List the records of which all outputs of a step are there, found or not."""
    if node.error is not None or not node.outputs:
        return set()
    try:
        patterns = [slot.pattern for slot in node.outputs]
        return set(find_ids(survey.listing(node.outputs[0].root), patterns, survey.rule))
    except ConfigurationError:  # one result for all records says nothing of single ones
        return set()
