"""How a pipeline is run: whole, with a status in place of an exception, one stage alone, or as tasks of others.

Knows runs and where they take place; must not know how stages are declared.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Self

from sinagot.config.hints import did_you_mean
from sinagot.engine.request import new_run_id
from sinagot.errors import NotFoundError, PipelineDefinitionError, PipelineError
from sinagot.pipeline.parameters import secrets_of
from sinagot.pipeline.place import Place
from sinagot.pipeline.result import PipelineResult
from sinagot.pipeline.running import PipelineRun, failure_of
from sinagot.pipeline.showing import Showing

if TYPE_CHECKING:
    from datetime import datetime

    from sinagot.engine.whole import Whole
    from sinagot.pipeline.parameters import Parameters, Variables
    from sinagot.pipeline.settings import LoggerSettings
    from sinagot.pipeline.stage import Stage
    from sinagot.pipeline.templates.outcome import Result
    from sinagot.pipeline.templates.template import PipelineTemplate

__all__ = ["Runnable"]

#: Stages that run at once where nothing else is said.
WIDTH = 8


class Runnable(Showing):
    """What can be run; `Pipeline` says what it is made of."""

    name: str
    parameters: Parameters
    variables: Variables
    log_settings: LoggerSettings | None
    on_error: str
    paths: dict[str, Any]
    place: Place
    _stages: dict[str, Stage]
    _template: PipelineTemplate | None

    @property
    def stages(self) -> Mapping[str, Stage]:
        """The stages by name, in the order in which they were given."""
        return dict(self._stages)

    @property
    def secrets(self) -> frozenset[str]:
        """Texts that nobody is to read, beside those of parameters."""
        if self._template is not None:
            return self._template.secrets
        known = [one.constant for stage in self._stages.values() for one in stage.inputs]
        return frozenset(secrets_of(self.variables) | {text for one in known for text in secrets_of(one)})

    @property
    def width(self) -> int:
        """How many stages may run at once."""
        said = None if self._template is None else self._template.settings.max_job_parallel
        return self.place.workers or said or WIDTH

    def check(self) -> list[str]:
        """Give what would go wrong for sure; to be overridden."""
        raise NotImplementedError

    def using(
        self,
        *,
        mode: str | None = None,
        workers: int | None = None,
        client: Any = None,
        address: str | None = None,
        record: Any = None,
        paths: Mapping[str, Any] | None = None,
    ) -> Self:
        """Give the same pipeline, with a say in where its stages run and for which files.

        Parameters
        ----------
        mode : {"threads", "main_process", "processes", "dask"}, optional
            ``threads``: here, several at once; ``main_process``: here, one after the other; ``processes``: in children
            of this process; ``dask``: on a cluster.
        workers : int, optional
            How many stages may run at once.
        client : distributed.Client, optional
            A cluster; it is left open.
        address : str, optional
            The address of a scheduler.
        record : str or mapping, optional
            What inputs of `record` read: an id, or a mapping of ``id``, ``task`` and so on.
        paths : mapping of str to path, optional
            What inputs of `path_in` and `path_out` read.

        Raises
        ------
        PipelineDefinitionError
            The mode is none of these.
        """
        made = self.__class__.__new__(self.__class__)
        made.__dict__.update(self.__dict__)
        made.place = self.place.changed(
            mode=mode, workers=workers, client=client, address=address, record=record, paths=paths
        )
        return made

    def run(self, /, **params: Any) -> PipelineResult:
        """Run all stages.

        Parameters
        ----------
        **params : object
            Values of parameters; the others have their defaults.

        Returns
        -------
        PipelineResult
            Stage -> value, and how each stage ended.

        Raises
        ------
        PipelineDefinitionError
            A parameter is unknown, missing or refused, or the arguments of a stage do not fit its function. Nothing was
            run.
        PipelineError
            A stage failed; the cause is chained, `result` has the rest.
        KeyboardInterrupt
            Ctrl-C; its `result` has what was done.
        """
        run = self._prepared(params)
        log, scene = self.place.open(self, run.info.run_id, run.parameters)
        try:
            return run.execute(log, scene, self._stages)
        finally:
            log.log.close()

    def execute(
        self, params: Mapping[str, Any] | None = None, *, logical_date: datetime | None = None
    ) -> Result:
        """Run all stages, and give a status in place of an exception where one fails.

        Parameters
        ----------
        params : mapping, optional
            Values of parameters, by any name.
        logical_date : datetime, optional
            The moment that the run is for; now when not given.

        Returns
        -------
        Result
            ``status`` 0 for success, 1 for failure; ``context`` with all outputs and errors; ``run_id``.

        Raises
        ------
        ConfigurationError, PipelineDefinitionError
            Parameters are wrong; nothing was run.
        PipelineError
            A stage failed, and ``WORKFLOW_CORE_STAGE_RAISE_ERROR`` (or `stage_raise_error` of `[schedule]`) is true.
        """
        from sinagot.config.schedules import schedule_of
        from sinagot.pipeline.templates.outcome import Result, Status

        settings = schedule_of(None) if self._template is None else self._template.settings
        run = self._prepared(params or {}, logical_date)
        log, scene = self.place.open(self, run.info.run_id, run.parameters)
        try:
            run.execute(log, scene, self._stages)
        except PipelineError as error:
            if settings.stage_raise_error:
                raise
            return Result(Status.FAILED, run.told(), run.info.run_id, error.__cause__ or error)
        finally:
            log.log.close()
        return Result(Status.SUCCESS, run.told(), run.info.run_id)

    def run_stage(self, name: str, /, **values: Any) -> Any:
        """Run one stage alone, for a look at it.

        Parameters
        ----------
        name : str
            The stage.
        **values : object
            Values of its arguments; those that are not given are found as in a run, except for what other stages make.

        Returns
        -------
        object
            What it returned.

        Raises
        ------
        NotFoundError
            There is no such stage.
        PipelineDefinitionError
            It needs what another stage makes, and that was not given.
        PipelineError
            It failed.
        """
        stage = self._stages.get(name)
        if stage is None:
            hint = did_you_mean(name, list(self._stages))
            raise NotFoundError(
                f"pipeline {self.name!r} has no stage {name!r}; it has {', '.join(self._stages) or 'none'}"
                + (f"; {hint}" if hint else ""),
                name=name,
                allowed=list(self._stages),
            )
        for one in stage.inputs:
            if one.edge is not None and one.edge.is_required and one.as_arg not in values:
                raise PipelineDefinitionError(
                    f"stage {name!r} needs {one.as_arg!r}, which stage {one.edge.stage!r} makes: give it, as in "
                    f"run_stage({name!r}, {one.as_arg}=...)",
                    pipeline=self.name,
                    stage=name,
                )
        run = PipelineRun(self, self.parameters.merged({}), new_run_id(), places=self.place.places)
        log, scene = self.place.open(self, run.info.run_id, run.parameters)
        try:
            result = run.perform(scene, {name: stage}, values)
        finally:
            log.log.close()
        error = failure_of(result)
        if error is not None:
            raise error
        return result.get(name)

    def run_apart(
        self, name: str, parameters: Mapping[str, Any], outputs: Mapping[str, Mapping[str, Any]]
    ) -> Mapping[str, Any] | None:
        """Run one stage in a program of its own, as a task of another scheduler.

        Parameters
        ----------
        name : str
            The stage.
        parameters : mapping
            Those that are to be other than by default.
        outputs : mapping of str to mapping
            Stage -> its outputs by name, of those before this one that ran well.

        Returns
        -------
        mapping or None
            Outputs by name; None when the stage has ended the pipeline well.

        Raises
        ------
        PipelineError
            It failed.
        """
        run = self._prepared(parameters)
        if self._template is not None:
            template_run: Any = run
            made: Mapping[str, Any] | None = template_run.apart(
                self.place.open(self, run.info.run_id, run.parameters)[1], name, outputs
            )
            return made
        run.outputs = {stage: dict(values) for stage, values in outputs.items() if stage in self._stages}
        log, scene = self.place.open(self, run.info.run_id, run.parameters)
        try:
            result = run.perform(scene, {name: self._stages[name]}, {})
        finally:
            log.log.close()
        error = failure_of(result)
        if error is not None:
            raise error
        return None if result.message else dict(result.outputs[name])

    def _prepared(self, params: Mapping[str, Any], logical_date: datetime | None = None) -> PipelineRun:
        """Make a run, after everything that can be checked before it was found good."""
        try:
            parameters = self.parameters.merged(params)
        except PipelineDefinitionError as error:
            raise PipelineDefinitionError(
                f"pipeline {self.name!r}: {error}", **{**error.facts, "pipeline": self.name}
            ) from None
        findings = self.check() if self._template is None else []
        if findings:
            raise PipelineDefinitionError(
                f"pipeline {self.name!r}: {'; '.join(findings)}", pipeline=self.name
            )
        return self.run_of(parameters, new_run_id(), logical_date=logical_date)

    def run_of(
        self,
        parameters: Parameters,
        run_id: str,
        *,
        whole: Whole | None = None,
        logical_date: datetime | None = None,
    ) -> PipelineRun:
        """Make a run, which is not begun.

        Parameters
        ----------
        parameters : Parameters
            A copy of its own, checked.
        run_id : str
            Its name.
        whole : Whole, optional
            The run of a workspace that it is, for stages that join it.
        logical_date : datetime, optional
            The moment that the run is for; now when not given.
        """
        if self._template is None:
            return PipelineRun(self, parameters, run_id, places=self.place.places)
        from sinagot.pipeline.templates.running import TemplateRun

        return TemplateRun(self, self._template, parameters, run_id, logical_date, whole)
