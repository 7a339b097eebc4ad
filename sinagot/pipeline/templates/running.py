"""Runs a template: jobs as their needs allow, in each its stages one after the other, all as acts of the engine.

Knows layouts and boards; must not know what a stage does: its kind gives the function. What the run knows grows in one
context, that expressions are looked up in.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from sinagot.config.problems import joined_error
from sinagot.engine.acts.act import Act, ActResult, ActState, SkipAct
from sinagot.engine.acts.board import Board
from sinagot.engine.acts.current import Current
from sinagot.engine.acts.scene import Scene
from sinagot.engine.acts.solo import stopped_run
from sinagot.errors import PipelineError, SinagotError
from sinagot.pipeline.parameters import Parameters
from sinagot.pipeline.result import PipelineResult
from sinagot.pipeline.running import PipelineRun
from sinagot.pipeline.templates.apart import Apart
from sinagot.pipeline.templates.joining import Joining, joins
from sinagot.pipeline.templates.layout import JobLayout, StageLayout, needs_of
from sinagot.pipeline.templates.matrix import label_of
from sinagot.pipeline.templates.stages.kind import Frame
from sinagot.pipeline.templates.variables import without_secrets
from sinagot.runlog.secrets import redact_value

if TYPE_CHECKING:
    from sinagot.engine.whole import Whole
    from sinagot.pipeline.contracts import Composed
    from sinagot.pipeline.templates.template import PipelineTemplate

__all__ = ["TemplateRun"]

#: Name of a branch, its stages, and its context.
Branch = tuple[str, tuple[StageLayout, ...], dict[str, Any]]


class TemplateRun(PipelineRun):
    """One run of a template.

    Parameters
    ----------
    pipeline : Pipeline
        What is run.
    template : PipelineTemplate
        Its layout, without problems.
    parameters : Parameters
        Checked.
    run_id : str
        Its name.
    logical_date : datetime, optional
        The moment that the run is for; now when not given.
    whole : Whole, optional
        The run of a workspace that it is.

    Attributes
    ----------
    context : dict
        What expressions are looked up in, and what the run came to.
    """

    def __init__(
        self,
        pipeline: Composed,
        template: PipelineTemplate,
        parameters: Parameters,
        run_id: str,
        logical_date: datetime | None = None,
        whole: Whole | None = None,
    ) -> None:
        super().__init__(pipeline, parameters, run_id)
        self.template = template
        self._whole = whole
        self._joining: Joining | None = None
        moment = logical_date or datetime.now(UTC)
        release = {"logical_date": moment, "run_id": run_id, "pipeline": template.name}
        self.context: dict[str, Any] = {"params": dict(parameters), "jobs": {}, "release": release}
        self._results: dict[str, ActResult] = {}
        self._scene: Scene | None = None

    @property
    def scene(self) -> Scene:
        """The surroundings of its acts."""
        assert self._scene is not None, "asked for while it runs"
        return self._scene

    @property
    def joining(self) -> Joining:
        """The runs of workspaces that it joins."""
        assert self._joining is not None, "asked for while it runs"
        return self._joining

    def look(self, source: str, current: Current) -> Any:
        """Give what a source of the context stands for."""
        return self.context["jobs"] if source == "STAGES" else super().look(source, current)

    def told(self) -> dict[str, Any]:
        """Give the context, without secrets."""
        context: dict[str, Any] = redact_value(self.context, self.scene.log.redact)
        return context

    def perform(
        self,
        scene: Scene,
        stages: Mapping[str, Any],
        given: Mapping[str, Any] | None = None,
        *,
        width: int | None = None,
    ) -> PipelineResult:
        """Run all jobs to their end; whatever failed stands in the result.

        Raises
        ------
        KeyboardInterrupt
            The program was stopped.
        """
        start = time.perf_counter()
        scene.place = self
        self._scene = scene
        self._joining = Joining(
            self.template.name,
            self.info.run_id,
            self._whole,
            is_needed=any(joins(job.stages) for job in self.template.jobs.values()),
            redact=scene.log.redact,
        )
        with self._joining as joining:
            try:
                found = self._jobs(self.template, self.context, "", width or self.pipeline.width)
            except KeyboardInterrupt as error:
                error.result = self._result(self._results, "", start, scene.log.redact)  # type: ignore[attr-defined]
                raise
            finally:
                scene.close()
            result = self._whole_result(found, start)
            joining.ok = result.ok
        if joining.signum is not None:
            raise stopped_run(joining.signum, result, None)
        return result

    def _whole_result(self, found: Mapping[str, ActResult], start: float) -> PipelineResult:
        named = {name.partition("/")[0].partition("[")[0] for name in self._results}
        # A job none of whose stages was reached stands for them.
        left = {name: result for name, result in found.items() if name not in named}
        return self._result({**self._results, **left}, "", start, self.scene.log.redact)

    def _jobs(
        self, template: PipelineTemplate, context: dict[str, Any], before: str, width: int
    ) -> dict[str, ActResult]:
        needs = needs_of(template.jobs)
        board = Board(self.scene, width=width, goes_on=True, mute=True)
        acts = [
            Act(
                f"{before}{name}",
                partial(self._job, template, job, context, before),
                partial(self._job_arguments, template, job, context),
                needs=tuple(f"{before}{other}" for other in needs[name]),
                rule=job.rule,
                settings=job.settings,
                is_local=True,
            )
            for name, job in template.jobs.items()
        ]
        return board.run(acts, partial(self._note_job, context, before))

    def _note_job(self, context: dict[str, Any], before: str, result: ActResult) -> None:
        result.error = without_secrets(result.error, self.scene.log.redact)
        entry = context["jobs"].setdefault(result.name.removeprefix(before), {"stages": {}})
        entry["status"] = str(result.state)
        if result.reason:
            entry["reason"] = result.reason
        if result.is_bad:
            entry["errors"] = _told(result, self.scene)

    def _job_arguments(
        self, template: PipelineTemplate, job: JobLayout, context: Mapping[str, Any]
    ) -> dict[str, Any]:
        seen = {**context, "matrix": {}, "stages": {}}
        if job.condition is not None and not job.condition.evaluate(seen, template.filters):
            raise SkipAct(f"its condition does not hold: {job.condition.text}")
        return {}

    def _job(self, template: PipelineTemplate, job: JobLayout, context: dict[str, Any], before: str) -> None:
        """Run a job, once for each combination of its matrix."""
        name = f"{before}{job.id}"
        entry: dict[str, Any] = {"stages": {}}
        context["jobs"][job.id] = entry
        values: list[dict[str, Any]] = []
        if job.strategy is not None:
            values = job.strategy.combinations({**context, "matrix": {}, "stages": {}}, template.filters)
        if not values:
            stages: dict[str, Any] = entry["stages"]
            self.stages_of(name, job.stages, {**context, "matrix": {}}, stages, template)
            return
        assert job.strategy is not None, "it gave the values"
        strategies: dict[str, Any] = {}
        entry["strategies"] = strategies
        # Labels are for people: expressions name them by their number.
        runs = entry["runs"] = []
        branches = []
        for one in values:
            label = label_of(one)
            strategies[label] = {"matrix": one, "stages": {}}
            runs.append(strategies[label])
            branches.append((f"{name}[{label}]", job.stages, {**context, "matrix": one}))
        made = [strategies[label_of(one)]["stages"] for one in values]
        width = job.strategy.width or self.pipeline.width
        self._branches(
            branches, made, template, width=width, goes_on=not job.strategy.is_fail_fast, notes=strategies
        )

    def apart(
        self, scene: Scene, name: str, outputs: Mapping[str, Mapping[str, Any]]
    ) -> Mapping[str, Any] | None:
        """Run one stage of a job alone, with what those before it gave; see `Runnable.run_apart`.

        Raises
        ------
        PipelineError
            It failed.
        """
        scene.place = self
        self._scene = scene
        self._joining = Joining(
            self.template.name, self.info.run_id, None, is_needed=False, redact=scene.log.redact
        )
        try:
            with self._joining as joining:
                found = Apart(self, self.template, name, outputs).run()
                joining.ok = True
                return found
        except Exception as error:
            text = f"pipeline {self.template.name!r}: stage {name!r} failed: {type(error).__name__}: {error}"
            raise PipelineError(text, pipeline=self.template.name, stage=name) from error
        finally:
            scene.close()

    # -- lists of stages

    def branches(self, name: str, branches: Sequence[Branch], *, width: int) -> list[dict[str, Any]]:
        """Run lists of stages side by side; give what each came to.

        Parameters
        ----------
        name : str
            Of the stage that steers them.
        branches : sequence of tuple
            Name, stages and context of each.
        width : int
            How many may run at once.

        Raises
        ------
        Exception
            What the first that failed, failed with; no branch begins after it.
        """
        made: list[dict[str, Any]] = [{} for _ in branches]
        self._branches(branches, made, self.template, width=width, goes_on=False)
        return [{"stages": stages} for stages in made]

    def _branches(
        self,
        branches: Sequence[Branch],
        made: Sequence[dict[str, Any]],
        template: PipelineTemplate,
        *,
        width: int,
        goes_on: bool,
        notes: Mapping[str, dict[str, Any]] | None = None,
    ) -> None:
        board = Board(self.scene, width=width, goes_on=goes_on, mute=True)
        acts = [
            Act(name, partial(self.stages_of, name, stages, context, into, template), is_local=True)
            for (name, stages, context), into in zip(branches, made, strict=True)
        ]
        found = list(board.run(acts).values())
        for note, result in zip((notes or {}).values(), found, strict=False):
            note["status"] = str(result.state)
            if result.is_bad:
                note["errors"] = _told(result, self.scene)
        _raise_first(found)

    def stages_of(
        self,
        name: str,
        stages: Sequence[StageLayout],
        context: Mapping[str, Any],
        into: dict[str, Any],
        template: PipelineTemplate,
    ) -> None:
        """Run stages one after the other; what they give is put into a mapping as it comes."""
        seen = {**context, "stages": {**context.get("stages", {})}}
        board = Board(self.scene, width=1)
        acts: list[Act] = []
        for stage in stages:
            full = f"{name}/{stage.id}"
            frame = Frame(seen, template.filters, self, full)
            acts.append(
                Act(
                    full,
                    _call,
                    partial(_arguments, stage, frame),
                    needs=(acts[-1].name,) if acts else (),
                    rule="none_failed",
                    settings=stage.settings,
                    gate=partial(_closed, stage, frame),
                    deliver=partial(self._deliver_stage, stage, full, into, seen["stages"]),
                    is_local=stage.kind.is_local,
                )
            )

        def note(result: ActResult) -> None:
            result.error = without_secrets(result.error, self.scene.log.redact)
            self._results[result.name] = result
            entry = into.setdefault(result.name.rpartition("/")[2], {"outputs": {}})
            entry["status"] = str(result.state)
            if result.is_bad:
                entry["errors"] = _told(result, self.scene)
                # What a stage came to that worked on many records, and failed for some of them.
                entry["outputs"] = getattr(result.error, "outputs", None) or entry["outputs"]

        try:
            found = list(board.run(acts, note).values())
        except KeyboardInterrupt as error:
            for result in getattr(error, "results", {}).values():
                if result.state == ActState.INTERRUPTED:
                    self._results.setdefault(result.name, result)
            raise
        if board.exit is not None and board.exit.error:
            raise board.exit
        _raise_first(found)

    def _deliver_stage(
        self,
        stage: StageLayout,
        full: str,
        into: dict[str, Any],
        seen: dict[str, Any],
        outputs: dict[str, Any],
    ) -> None:
        if stage.is_kept:
            into[stage.id] = seen[stage.id] = {"outputs": outputs}
        self.outputs[full] = outputs

    def triggered(
        self, frame: Frame, template: PipelineTemplate, params: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Run another pipeline within this run.

        Raises
        ------
        ConfigurationError
            Its parameters are wrong.
        Exception
            What its first job that failed, failed with.
        """
        values = checked(template, params)
        release = {**self.context["release"], "pipeline": template.name}
        context: dict[str, Any] = {"params": values, "jobs": {}, "release": release}
        found = self._jobs(template, context, f"{frame.name}/", self.pipeline.width)
        _raise_first(list(found.values()))
        return {"params": values, "jobs": context["jobs"]}


def checked(template: PipelineTemplate, params: Mapping[str, Any]) -> dict[str, Any]:
    """Give the parameters of a template for a run.

    Raises
    ------
    ConfigurationError
        One is unknown, missing or of another type; all of them are told.
    """
    found = template.declarations.check(params)
    if found.problems:
        raise joined_error(list(found.problems))
    return dict(found.values)


def _call(function: Any, values: Mapping[str, Any]) -> dict[str, Any]:
    made: dict[str, Any] = function(**values)
    return made


def _closed(stage: StageLayout, frame: Frame) -> str | None:
    """Say why the condition of a stage keeps it from running; one that cannot be decided fails when it is bound."""
    with suppress(SinagotError):
        if stage.condition is not None and not stage.condition.evaluate(frame.context, frame.filters):
            return f"its condition does not hold: {stage.condition.text}"
    return None


def _arguments(stage: StageLayout, frame: Frame) -> dict[str, Any]:
    if stage.condition is not None:
        stage.condition.evaluate(frame.context, frame.filters)  # one that cannot be decided fails here
    function, values = stage.kind.call(frame)
    return {"function": function, "values": values}


def _told(result: ActResult, scene: Scene) -> dict[str, str]:
    """Say what went wrong, without secrets."""
    cause = result.cause
    if cause is None:
        return {"name": type(result.error).__name__, "message": scene.log.redact(str(result.error))}
    return {"name": cause.exc_type, "message": cause.message}


def _raise_first(found: Sequence[ActResult]) -> None:
    for result in found:
        if result.state in (ActState.ERROR, ActState.INTERRUPTED) and result.error is not None:
            raise result.error
