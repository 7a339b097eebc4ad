"""One run of a pipeline: all that changes while it goes on stands here, and nothing of it in a pipeline or a stage.

Knows stages and the engine's acts; must not know who asked: a program, an attempt of a step, a template.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

from sinagot.config.hints import did_you_mean
from sinagot.engine.acts.act import Act, ActResult, ActState
from sinagot.engine.acts.board import Board
from sinagot.engine.acts.calls import Carried
from sinagot.engine.acts.current import CURRENT, Current
from sinagot.engine.acts.scene import Scene
from sinagot.engine.causes import STAGE
from sinagot.errors import PipelineDefinitionError, PipelineError
from sinagot.pipeline.carrying import carried
from sinagot.pipeline.dependencies import WithDependencies
from sinagot.pipeline.graph import needs_of
from sinagot.pipeline.input import bound
from sinagot.pipeline.mappers import outputs_of
from sinagot.pipeline.parameters import Parameters, Variables
from sinagot.pipeline.result import PipelineResult
from sinagot.pipeline.stage import Stage
from sinagot.runlog.capture import AttemptLog, capture
from sinagot.runlog.listeners import LISTENERS
from sinagot.runlog.texts import safe_text, type_name

if TYPE_CHECKING:
    from sinagot.pipeline.contracts import Composed

__all__ = ["PipelineInfo", "PipelineRun", "StageInfo"]


class PipelineInfo(NamedTuple):
    """What `ctx.PIPELINE` tells."""

    name: str
    run_id: str


class StageInfo(NamedTuple):
    """What `ctx.STAGE` tells: the stage, its how manyth try this is, and which element of a list it works on."""

    name: str
    attempt: int
    element: int | None = None


class PipelineRun:
    """One run.

    Parameters
    ----------
    pipeline : Pipeline
        What is run.
    parameters : Parameters
        A copy of its own, checked.
    run_id : str
        Its name.
    places : mapping of str to mapping
        ``"path"`` and ``"record"``: what inputs of these kinds read.
    keeps : bool
        Values are kept until the end; else only as long as a stage may read them. Where one asks for `ctx.STAGES`, that
        is until the end too.
    """

    def __init__(
        self,
        pipeline: Composed,
        parameters: Parameters,
        run_id: str,
        *,
        places: Mapping[str, Mapping[str, Any]] | None = None,
        keeps: bool = True,
    ) -> None:
        self.pipeline = pipeline
        self.parameters = parameters
        self.variables: Variables = pipeline.variables.copy()
        self.info = PipelineInfo(pipeline.name, run_id)
        self.outputs: dict[str, dict[str, Any]] = {}
        self._places = places or {}
        self._stages = pipeline.stages
        self._keeps = keeps or any(stage.reads_stages for stage in self._stages.values())
        self._needs = needs_of(self._stages)
        self._readers = Counter(
            one.edge.stage for stage in self._stages.values() for one in stage.inputs if one.edge is not None
        )

    # -- what stages ask for

    def look(self, source: str, current: Current) -> Any:
        """Give what a source of the context stands for."""
        match source:
            case "PARAMETERS":
                return self.parameters
            case "VARIABLES":
                return self.variables
            case "STAGES":
                return MappingProxyType(self.outputs)
            case "STAGE":
                return StageInfo(current.name, current.tries + 1, current.element)
            case "PIPELINE":
                return self.info
        return getattr(LISTENERS.current(), "logger", None)

    def carried(self, current: Current) -> Carried:
        """Give what goes along with a stage that runs in another process."""
        return carried(self, current._replace(place=None))

    def take_back(self, changes: Mapping[str, Any]) -> None:
        """Take over the variables that a stage has set in another process."""
        self.variables.update(changes)

    def look_up(self, kind: str, name: str, stage: str) -> Any:
        """Give a path, or a fact, of the record that the run is for."""
        known = self._places.get(kind)
        if known is None:
            raise PipelineDefinitionError(
                f"stage {stage!r} reads {kind} {name!r} of a record, and this run has none: run the pipeline as a step "
                "of a workspace, or give them: pipeline.using(record=..., paths={...}).run()",
                stage=stage,
            )
        if name not in known:
            hint = did_you_mean(name, list(known))
            raise PipelineDefinitionError(
                f"stage {stage!r}: there is no {kind} {name!r}; there is {', '.join(known)}"
                + (f"; {hint}" if hint else ""),
                stage=stage,
            )
        return known[name]

    # -- acts

    def act_of(self, name: str, stage: Stage, given: Mapping[str, Any] | None = None) -> Act:
        """Give the act of a stage."""
        eaches = [one for one in stage.inputs if one.is_each]
        widths = [one.max_concurrency for one in eaches if one.max_concurrency is not None]
        built = None if stage.plan is None else WithDependencies(stage.plan, self._places)
        return Act(
            name,
            built or stage.function,
            partial(self._arguments, stage, given or {}),
            needs=self._needs[name] if given is None else (),
            optional=stage.optional if given is None else frozenset(),
            settings=stage.settings,
            each=tuple(one.as_arg for one in eaches),
            width=min(widths) if widths else None,
            deliver=partial(self._deliver, name, stage),
            around=None if built is None else built.open,
        )

    def _arguments(self, stage: Stage, given: Mapping[str, Any]) -> dict[str, Any]:
        current = CURRENT.get()
        assert current is not None, "a stage is bound while its act runs"
        values = bound(stage.inputs, given, current)
        logged = {one.as_arg: values[one.as_arg] for one in stage.inputs if one.logged}
        if logged:
            voice = LISTENERS.current()
            if voice is not None:
                voice.say("Stage input", 20, "INFO", extra=logged)
        return {**given, **values}

    def _deliver(self, name: str, stage: Stage, value: Any) -> None:
        self.outputs[name] = outputs_of(stage.output_mapper, value)

    def _settle(self, result: ActResult) -> None:
        """Let go of values that nobody reads any more."""
        stage = self._stages.get(result.name)
        for one in stage.inputs if stage is not None and not self._keeps else ():
            if one.edge is not None:
                self._readers[one.edge.stage] -= 1
                if not self._readers[one.edge.stage]:
                    self.outputs.pop(one.edge.stage, None)
        if not self._keeps and not self._readers[result.name]:
            self.outputs.pop(result.name, None)

    def perform(
        self,
        scene: Scene,
        stages: Mapping[str, Stage],
        given: Mapping[str, Any] | None = None,
        *,
        width: int | None = None,
    ) -> PipelineResult:
        """Run stages to their end; whatever failed stands in the result.

        Raises
        ------
        KeyboardInterrupt
            The program was stopped; its `result` tells what was done.
        """
        start = time.perf_counter()
        scene.place = self
        board = Board(scene, width=width or self.pipeline.width, goes_on=self.pipeline.on_error == "continue")
        acts = [self.act_of(name, stage, given) for name, stage in stages.items()]
        try:
            found = board.run(acts, self._settle)
        except KeyboardInterrupt as error:
            results = getattr(error, "results", {})
            error.result = self._result(results, "", start, scene.log.redact)  # type: ignore[attr-defined]
            raise
        finally:
            scene.close()
        return self._result(found, scene.log.redact(str(board.exit or "")), start, scene.log.redact)

    def _result(
        self, found: Mapping[str, ActResult], message: str, start: float, redact: Callable[[str], str]
    ) -> PipelineResult:
        return PipelineResult(
            self.info.name,
            self.info.run_id,
            self.outputs,
            found,
            message=message,
            duration=time.perf_counter() - start,
            describe=self.pipeline.description,
            redact=redact,
        )

    def told(self) -> dict[str, Any]:
        """Give what is known at the end: parameters, and outputs by stage."""
        return {
            "params": dict(self.parameters),
            "stages": {name: dict(one) for name, one in self.outputs.items()},
        }

    # -- from beginning to end, with the lines that an attempt has

    def execute(self, log: AttemptLog, scene: Scene, stages: Mapping[str, Stage]) -> PipelineResult:
        """Run all stages, and tell the log.

        Raises
        ------
        PipelineError
            A stage failed.
        KeyboardInterrupt
            The program was stopped.
        """
        start = time.perf_counter()
        log.line(0, "Init run", hold=True)
        log.line(20, "Processing run")
        try:
            with capture(log):
                result = self.perform(scene, stages)
        except KeyboardInterrupt:
            self._finish(log, 42, "Run interrupted", "ERROR", start)
            raise
        error = failure_of(result, log.redact)
        if error is None:
            told = f"Run ended early: {result.message}" if result.message else "Run finished"
            self._finish(log, 30, told, "INFO", start)
            return result
        cause = error.__cause__ or error
        self._finish(
            log, 40, str(error), "ERROR", start, exc_type=type_name(type(cause)), exc_message=str(cause)
        )
        raise error

    def _finish(
        self, log: AttemptLog, status: int, text: str, level: str, start: float, **facts: Any
    ) -> None:
        with suppress(OSError):  # the lines before it could be written, or the run would have failed before
            log.finish(status, text, level, duration_s=round(time.perf_counter() - start, 6), **facts)


def failure_of(result: PipelineResult, redact: Callable[[str], str] = str) -> PipelineError | None:
    """Give the error of a run that failed, with its cause chained; None of one that did not."""
    if result.ok:
        return None
    bad = [name for name, state in result.status.items() if state == ActState.ERROR]
    first = (
        bad[0]
        if bad
        else next(name for name, state in result.status.items() if state == ActState.INTERRUPTED)
    )
    cause = result.errors.get(first)
    kind = redact(f"{type(cause).__name__}: {safe_text(cause)}") if cause is not None else "failed"
    others = f" (and {_names(bad[1:])})" if len(bad) > 1 else ""
    skipped = [name for name, state in result.status.items() if state == ActState.SKIPPED]
    told = f"; skipped: {_names(skipped)}" if skipped else ""
    error = PipelineError(
        f"pipeline {result.pipeline!r}: stage {first!r} failed: {kind}{others}{told}",
        pipeline=result.pipeline,
        stage=first,
        result=result,
    )
    error.__cause__ = cause
    if cause is not None:
        with suppress(AttributeError, TypeError):  # of an exception that takes no attributes it is not told
            setattr(cause, STAGE, first)
    return error


def _names(names: Sequence[str]) -> str:
    shown = ", ".join(map(repr, names[:5]))
    return f"{shown}, ... ({len(names)})" if len(names) > 5 else shown
