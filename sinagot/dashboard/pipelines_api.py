"""The API of pipelines and flows: which there are, what a run has done at each part, the attempts of their jobs.

Knows addresses and the shape of answers; the facts come from the same places as those of the pages.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Query
from pydantic import BaseModel

from sinagot.dashboard.answers import ActAnswer, AttemptAnswer
from sinagot.dashboard.api import ABSENT, REFUSALS, plain
from sinagot.dashboard.gallery import Exhibit, PipelineRow
from sinagot.dashboard.house import AtHome, House
from sinagot.dashboard.kinds import FLOWS, PIPELINES, AsKind, Kind
from sinagot.dashboard.launches import ScheduleAnswer, schedule_answer
from sinagot.dashboard.pages.pipelines import STATES, exhibit_of
from sinagot.engine.accounts.stages import StageFacts
from sinagot.errors import SinagotError
from sinagot.schedule.examiner import Catalogue

__all__ = ["router"]

router = APIRouter(prefix="/api/v1", tags=["pipelines"], responses=REFUSALS)

_Offset = Annotated[int, Query(ge=0, le=1 << 40, description="First of them, from 0.")]
_Limit = Annotated[int, Query(ge=1, le=200, description="At most so many.")]
_Run = Annotated[str, Query(max_length=200, description="The run, whole; else the newest that had it.")]


class StageErrorAnswer(BaseModel):
    """What a stage failed with; texts are those of the first."""

    exc_type: str
    message: str
    where: str
    #: Of jobs.
    number: int
    #: Ids of some of the records.
    records: list[str]


class StageAnswer(BaseModel):
    """One stage, or processor, over all jobs in a run."""

    stage: str
    #: The one that says most of WAITING, RUNNING, DONE, ERROR, SKIPPED, INTERRUPTED.
    state: str
    #: State -> number of jobs.
    counts: dict[str, int]
    median_s: float | None
    longest_s: float | None
    total_s: float
    errors: list[StageErrorAnswer]
    #: Of a processor: input -> values that all attempts have taken, stream -> values that they wrote.
    values_in: dict[str, int] | None
    values_out: dict[str, int] | None


class ParameterAnswer(BaseModel):
    """A parameter of a pipeline."""

    name: str
    #: Such as str, int, float, bool, date, choice, map, array; any where nothing is known.
    type: str
    #: Without a meaning where it is required.
    default: Any
    is_required: bool
    doc: str
    choices: list[Any]
    #: Its default is told as ***.
    is_secret: bool


class PipelineAnswer(BaseModel):
    """One pipeline, or flow, with its newest run."""

    #: Of a step with its task and modality; of others their name, by which they are run.
    step: str
    #: step, python (a file in pipelines/) or template (in conf/); null of flows, and of what is no more there.
    kind: str | None = None
    #: Where it is written.
    file: str | None = None
    parameters: list[ParameterAnswer] = []
    #: Why it can't be loaded.
    problem: str | None = None
    #: Of the pipeline; empty where no run has told it.
    name: str
    #: null of one that has not run.
    run_id: str | None
    #: Of the run: running, ended, stopped or died.
    run_state: str | None
    jobs: int
    stages: list[StageAnswer]


class PipelinesAnswer(BaseModel):
    """A part of the list of pipelines."""

    total: int
    offset: int
    pipelines: list[PipelineAnswer]
    #: Files that may define more, and can't be loaded: why.
    errors: list[str]


class FlowsAnswer(BaseModel):
    """A part of the list of flows."""

    total: int
    offset: int
    flows: list[PipelineAnswer]


class FlowNowAnswer(BaseModel):
    """One flow that runs now, for one record; of its processors no times are told."""

    run_id: str
    #: With its task and modality.
    step: str
    record_id: str
    key: str
    #: When its first processor began; when the oldest news of a running processor was told (UTC, ISO).
    since: str
    told: str | None
    acts: list[ActAnswer]


class RunningFlowsAnswer(BaseModel):
    """A part of the flows that run now."""

    total: int
    offset: int
    flows: list[FlowNowAnswer]


class EdgeAnswer(BaseModel):
    """What a stage has from another one; without an argument it is about order only. Of a flow: a stream."""

    source: str
    target: str
    argument: str | None
    output: str | None


class PipelineRunAnswer(PipelineAnswer):
    """One in one run, with its graph; the stages or processors stand in running order."""

    edges: list[EdgeAnswer]
    #: Of one that runs by itself.
    schedule: ScheduleAnswer | None = None


class AttemptsAnswer(BaseModel):
    """A part of the attempts, the newest first."""

    run_id: str
    total: int
    offset: int
    attempts: list[AttemptAnswer]


@router.get("/running-flows")
def running_flows(
    house: AtHome,
    run: Annotated[str, Query(max_length=200, description="Only flows of this run.")] = "",
    offset: _Offset = 0,
    limit: _Limit = 50,
) -> RunningFlowsAnswer:
    """List the flows that run now, the oldest first."""
    rows = house.gallery.running(run or None)
    found = [
        {**one._asdict(), "acts": [act._asdict() for act in one.acts]}
        for one in rows[offset : offset + limit]
    ]
    return RunningFlowsAnswer.model_validate(plain({"total": len(rows), "offset": offset, "flows": found}))


@router.get("/pipelines")
def pipelines(house: AtHome, offset: _Offset = 0, limit: _Limit = 50) -> PipelinesAnswer:
    """List the pipelines: steps and named ones of the workspace, and what has run lately."""
    rows = house.gallery.rows(PIPELINES, house.snapshot.view())
    catalogue = _catalogue(house)
    known = {row.step for row in rows}
    named = [
        PipelineRow(one["name"], one["name"], None, (), 0)
        for one in catalogue.rows
        if not one["steps"] and one["name"] not in known
    ]
    found = _listed([*rows, *named], PIPELINES, offset, limit)
    found["pipelines"] = [one | _written(catalogue, one["step"]) for one in found["pipelines"]]
    return PipelinesAnswer.model_validate(plain(found | {"errors": list(catalogue.errors)}))


@router.get("/flows")
def flows(house: AtHome, offset: _Offset = 0, limit: _Limit = 50) -> FlowsAnswer:
    """List the flows: steps of the workspace, and what has run lately."""
    rows = house.gallery.rows(FLOWS, house.snapshot.view())
    return FlowsAnswer.model_validate(plain(_listed(rows, FLOWS, offset, limit)))


@router.get("/flows/{step:path}/attempts", responses=ABSENT)
@router.get("/pipelines/{step:path}/attempts", responses=ABSENT)
def attempts(
    house: AtHome,
    kind: AsKind,
    step: str,
    run: _Run = "",
    stage: Annotated[
        str, Query(max_length=400, description="The stage that `state` is about; else any.")
    ] = "",
    state: Annotated[str, Query(pattern=STATES, description="Only jobs with a stage of this state.")] = "",
    offset: _Offset = 0,
    limit: _Limit = 50,
) -> AttemptsAnswer:
    """Give the stages, or processors, of each job: of its newest attempt in the run."""
    found = _exhibit(house, kind, step, run)
    total, rows = house.gallery.attempts(found, stage=stage, state=state, offset=offset, limit=limit)
    facts = [{**one._asdict(), "acts": [act._asdict() for act in one.acts]} for one in rows]
    return AttemptsAnswer.model_validate(
        plain({"run_id": found.run.run_id, "total": total, "offset": offset, "attempts": facts})
    )


@router.get("/flows/{step:path}", responses=ABSENT)
@router.get("/pipelines/{step:path}", responses=ABSENT)
def pipeline(house: AtHome, kind: AsKind, step: str, run: _Run = "") -> PipelineRunAnswer:
    """Tell what it is, when it runs by itself, what a run has done at each stage or processor, how they are joined."""
    catalogue = _catalogue(house) if kind == PIPELINES else Catalogue()
    written = _written(catalogue, step)
    is_newest = written and not run  # it need not have run
    found = house.gallery.show(kind, step) if is_newest else _exhibit(house, kind, step, run)
    told: dict[str, Any] = {"run_id": None, "run_state": None, "jobs": 0, "stages": [], "edges": []}
    if found is not None:
        told = {
            "run_id": found.run.run_id,
            "run_state": found.run.state,
            "jobs": found.jobs,
            "stages": [_stage(one) for one in found.stages],
            "edges": [one._asdict() for one in found.description.edges]
            if found.description is not None
            else [],
        }
    name = found.description.name if found is not None and found.description is not None else ""
    told |= {"step": step, "name": name or (step if written else ""), **written}
    if written:
        told["schedule"] = _schedule(house, step)
    return PipelineRunAnswer.model_validate(plain(told))


def _catalogue(house: House) -> Catalogue:
    try:
        return house.reception.catalogue()
    except SinagotError as error:  # what has run is told in any case
        return Catalogue(errors=(str(error),))


def _written(catalogue: Catalogue, step: str) -> dict[str, Any]:
    """Give what is known of a pipeline of the workspace; nothing of one that is not there."""
    for one in catalogue.rows:
        if step in one["steps"] or (step == one["name"] and not one["steps"]):
            return {key: one[key] for key in ("kind", "file", "parameters", "problem")}
    return {}


def _schedule(house: House, name: str) -> Any:
    service = house.reception.service
    try:
        return schedule_answer(service.state_of(name), service.next_ticks(name)).model_dump()
    except SinagotError:  # it has none, or nobody can say
        return None


def _exhibit(house: House, kind: Kind, step: str, run: str) -> Exhibit:
    found = exhibit_of(house, kind, step, run)
    if found is None:
        raise HTTPException(404, f"{kind.name} {step[:200]!r} has not run yet")
    return found


def _stage(stage: StageFacts) -> dict[str, Any]:
    return {**stage._asdict(), "state": stage.state, "errors": [one._asdict() for one in stage.errors]}


def _listed(rows: Sequence[PipelineRow], kind: Kind, offset: int, limit: int) -> dict[str, Any]:
    """Give a part of a list, under the name of its kind."""
    found = [
        {
            "step": row.step,
            "name": row.name,
            "run_id": row.run.run_id if row.run is not None else None,
            "run_state": row.run.state if row.run is not None else None,
            "jobs": row.jobs,
            "stages": [_stage(one) for one in row.stages],
        }
        for row in rows[offset : offset + limit]
    ]
    return {"total": len(rows), "offset": offset, kind.path: found}
