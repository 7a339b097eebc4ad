"""A run of a pipeline for no record, with the history and the log of the workspace.

Knows workspaces, pipelines and the engine's attempt without a record; must not know stages.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sinagot.config.schedules import schedule_of
from sinagot.config.settings import DEFAULT_STOP_GRACE
from sinagot.engine.acts.inside import Inside
from sinagot.engine.acts.solo import Solo, run_solo, stopped_run
from sinagot.engine.obedience import ScriptStoppedBySignals, obeying
from sinagot.engine.state.history import reserve_run
from sinagot.engine.state.names import KnownNames
from sinagot.engine.stop import StopRequest
from sinagot.errors import PipelineDefinitionError, WorkspaceBusyError
from sinagot.pipeline.parameters import Parameters, secrets_of
from sinagot.pipeline.running import failure_of
from sinagot.runlog.printing import Printer
from sinagot.runlog.secrets import redact_value, redactor
from sinagot.scripts.modules import activated
from sinagot.scripts.snapshot import copy_sources
from sinagot.workspace.pipelines.parameters import PipelineParameters
from sinagot.workspace.running import manifest_of, run_options

if TYPE_CHECKING:
    from sinagot.pipeline.pipeline import Pipeline
    from sinagot.pipeline.result import PipelineResult
    from sinagot.workspace.contracts import House
    from sinagot.workspace.pipelines.listed import Listed

__all__ = ["check_alone", "perform", "run_alone", "run_outside"]


def run_alone(
    workspace: House,
    one: Listed,
    params: Mapping[str, Any],
    *,
    printing: bool,
    tell: Callable[[dict[str, Any]], None] = lambda event: None,
    run_id: str | None = None,
    logical_date: datetime | None = None,
) -> PipelineResult:
    """Run a pipeline of a workspace for no record; see `HousePipeline.run`.

    Parameters
    ----------
    workspace : Workspace
        Whose it is.
    one : HousePipeline
        Which.
    params : mapping
        What the call gives.
    printing : bool
        Show the lines of the log.
    tell : callable, optional
        Gets the events of its stages as they happen.
    run_id : str, optional
        What the run is to be called, where somebody waits for it by that name; a run of this name is begun once only.
    logical_date : datetime, optional
        The moment that the run is for; now when not given.

    Raises
    ------
    WorkspaceBusyError
        There is a run of this name.
    """
    pipeline = one.pipeline
    check_alone(one.name, pipeline)
    layers = PipelineParameters(workspace.configuration, one.name, pipeline.parameters, params)
    parameters = layers.checked()
    origins = layers.origins(parameters)
    redact = redactor(secrets_of(parameters) | pipeline.secrets)
    options = run_options(workspace, ignore_missing=False, debug=False, printing=printing)
    if run_id is not None:
        options = options._replace(run_id=run_id)

    def prepare(folder: str) -> dict[str, Any]:
        if run_id is not None and not reserve_run(options.state_path, run_id):
            raise WorkspaceBusyError(
                f"run {run_id} has begun before, or was given up: nothing was run", run_id=run_id
            )
        code = {} if one.code is None else {one.name: one.code}
        copy_sources(code.values(), f"{folder}/code")
        _save_names(workspace, [*workspace.pipelines])
        facts: dict[str, Any] = manifest_of(workspace, code, folder)
        told: dict[str, Any] = {
            "argv": facts["argv"],
            "mode": pipeline.place.mode,
            "workers": pipeline.width,
            "params": {shown.key: shown.value for shown in origins if shown.origin == "this run"},
            "parameters": [shown._asdict() for shown in origins],
            "stages": pipeline.description().as_json(),
        }
        if logical_date is not None:
            told["logical_date"] = logical_date.isoformat()
        return {**facts, **redact_value(told, redact)}

    solo = Solo(
        "pipeline",
        one.name,
        lambda inside: perform(pipeline, parameters, inside, logical_date),
        prepare,
        one.code,
        {shown.key: shown.value for shown in origins},
        tell,
        schedule_of(workspace.configuration).log_enable_write,
    )
    printer = Printer(options.level) if printing else None
    return run_solo(options, solo, stop_grace=workspace.configuration.run.stop_grace, printer=printer)


def run_outside(one: Listed, params: Mapping[str, Any]) -> PipelineResult:
    """Run the pipeline of a file outside of any workspace: its log settings tell where its lines go.

    Parameters
    ----------
    one : HousePipeline
        Which.
    params : mapping
        What the call gives.
    """
    pipeline = one.pipeline
    check_alone(one.name, pipeline)
    PipelineParameters(None, one.name, pipeline.parameters, params).checked()
    result: PipelineResult | None = None
    problem: BaseException | None = None
    with ExitStack() as stack:
        stop = stack.enter_context(StopRequest(DEFAULT_STOP_GRACE, here=True))
        stack.enter_context(obeying(stop))
        if one.code is not None:
            stack.enter_context(activated(one.code))
        try:
            with ScriptStoppedBySignals():
                result = pipeline.run(**params)
        except BaseException as error:  # noqa: BLE001  (raised again, with what a signal makes of it)
            problem = error
    if stop.signum is not None:
        raise stopped_run(stop.signum, result, problem) from problem
    if problem is not None:
        raise problem
    assert result is not None, "it has ended well"
    return result


def check_alone(name: str, pipeline: Pipeline) -> None:
    """Refuse a pipeline that cannot run by itself, before anything is written.

    Raises
    ------
    PipelineDefinitionError
        It reads files or facts of a record, or arguments of a stage do not fit.
    """
    known = pipeline.place.places
    for stage_name, stage in pipeline.stages.items():
        for one in stage.inputs:
            kind = one.place_kind
            if kind is not None and kind not in known:
                raise PipelineDefinitionError(
                    f"pipeline {name!r} is for single records: stage {stage_name!r} reads {one.bind.what} of a record. "
                    f"Run it as a step: sinagot run --step {name}",
                    pipeline=name,
                    stage=stage_name,
                )
    findings = pipeline.check()
    if findings:
        raise PipelineDefinitionError(f"pipeline {name!r}: {'; '.join(findings)}", pipeline=name)


def perform(
    pipeline: Pipeline, parameters: Parameters, inside: Inside, logical_date: datetime | None = None
) -> tuple[PipelineResult, str]:
    """Run the stages within an attempt; gives the last line of the log beside the result.

    Raises
    ------
    PipelineError
        A stage failed.
    """
    run = pipeline.run_of(parameters, inside.run_id, whole=inside.whole, logical_date=logical_date)
    scene = pipeline.place.scene(
        inside.log,
        note=inside.note,
        fields={"pipeline": pipeline.name},
        key=inside.key,
        files=inside.files,
        source=inside.source,
        secrets=pipeline.secrets | secrets_of(parameters),
    )
    result = run.perform(scene, pipeline.stages)
    error = failure_of(result, inside.log.redact)
    if error is not None:
        raise error
    return result, f"Run ended early: {result.message}" if result.message else "Run finished"


def _save_names(workspace: House, names: list[str]) -> None:
    """Keep the names of the pipelines for who completes words in a shell."""
    state = str(workspace.configuration.state_path)
    KnownNames.read(state)._replace(pipelines=names).save(state, is_all=True)
