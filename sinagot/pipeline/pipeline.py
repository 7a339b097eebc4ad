"""`Pipeline`: stages joined by data and order; the door for people.

Knows what a pipeline is made of, and asks `running` to run it. Holds no state of a run: the same object runs many
times, from many threads, and in other processes.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Self, TypeVar, overload

from sinagot.errors import PipelineDefinitionError
from sinagot.pipeline.description import Description
from sinagot.pipeline.graph import check_edges, findings_of, inferred
from sinagot.pipeline.input import Input
from sinagot.pipeline.parameters import Parameters, Variables
from sinagot.pipeline.place import Place
from sinagot.pipeline.portrait import description_of
from sinagot.pipeline.runnable import Runnable
from sinagot.pipeline.settings import LoggerSettings
from sinagot.pipeline.stage import Stage
from sinagot.pipeline.steps import script_class_of
from sinagot.scripts.template import ScriptTemplate

if TYPE_CHECKING:
    from sinagot.config.settings import ScheduleSettings
    from sinagot.pipeline.templates.template import PipelineTemplate

__all__ = ["Pipeline"]

_Function = TypeVar("_Function", bound=Callable[..., Any])


class Pipeline(Runnable):
    """Stages joined by data and order, run on the engine of the workspace.

    Parameters
    ----------
    name : str
        Stands on every line of its log.
    parameters : Parameters or mapping, optional
        What a run is told, with defaults.
    variables : Variables or mapping, optional
        What stages tell one another beside their outputs.
    stages : mapping of str to Stage, optional
        The stages by name; those that are ready at the same time start in this order.
    log_settings : LoggerSettings, optional
        Where its lines go when it runs by itself. As a step of a workspace they go to the log of the record.
    paths : mapping of str to path declaration, optional
        Files of a record, as ``PATH_IN`` and ``PATH_OUT`` of a script declare them; stages get them by `path_in` and
        `path_out`.
    on_error : {"stop", "continue"}, default "stop"
        After a failure nothing new is started; with ``"continue"`` whatever does not depend on it is run, and the run
        fails at its end.
    workers : int, optional
        How many stages may run at once; 8 when not given.

    Raises
    ------
    PipelineDefinitionError
        Stages name what there is not, or wait for one another in a circle.

    See Also
    --------
    Stage : one stage.
    sinagot.pipeline.input : where the arguments of stages come from.

    Notes
    -----
    Stages run on threads of this process unless `using` says otherwise; one that has a timeout runs in a process of
    its own.

    Examples
    --------
    >>> from sinagot.pipeline import LoggerSettings, Parameters, Pipeline, Stage
    >>> from sinagot.pipeline.input import dependency, param
    >>> pipeline = Pipeline(
    ...     "power of two",
    ...     Parameters.define(exponent=5),
    ...     stages={
    ...         "double": Stage(lambda power: 2 * power, inputs=[dependency("power")]),
    ...         "power": Stage(lambda exponent: 2**exponent, inputs=[param("exponent")]),
    ...     },
    ...     log_settings=LoggerSettings("powers", stream=False),
    ... )
    >>> dict(pipeline.run()), pipeline.run(exponent=3)["double"]
    ({'double': 64, 'power': 32}, 16)
    """

    def __init__(
        self,
        name: str,
        parameters: Parameters | Mapping[str, Any] | None = None,
        variables: Variables | Mapping[str, Any] | None = None,
        stages: Mapping[str, Stage] | None = None,
        log_settings: LoggerSettings | None = None,
        *,
        paths: Mapping[str, Any] | None = None,
        on_error: str = "stop",
        workers: int | None = None,
    ) -> None:
        given: Any = name
        if not isinstance(given, str) or not given:
            raise PipelineDefinitionError(f"a pipeline needs a name, found {name!r}")
        if on_error not in ("stop", "continue"):
            raise PipelineDefinitionError(
                f"on_error must be 'stop' or 'continue', found {on_error!r}", pipeline=name
            )
        if workers is not None and workers < 1:
            raise PipelineDefinitionError(f"workers must be 1 or more, found {workers!r}", pipeline=name)
        self.name = name
        self.parameters = parameters if isinstance(parameters, Parameters) else Parameters(parameters or {})
        self.variables = variables if isinstance(variables, Variables) else Variables(variables or {})
        self.log_settings = log_settings
        self.paths: dict[str, Any] = dict(paths or {})
        self.on_error = on_error
        self.place = Place(workers=workers)
        self._stages: dict[str, Stage] = {}
        for key, stage in (stages or {}).items():
            self._stages[self._checked_name(key)] = _checked_stage(name, key, stage)
        self._check_edges(self._stages)
        self._template: PipelineTemplate | None = None

    @classmethod
    def from_loader(
        cls,
        name: str,
        externals: Mapping[str, Any] | None = None,
        *,
        root: str | os.PathLike[str] | None = None,
        log_settings: LoggerSettings | None = None,
        settings: ScheduleSettings | None = None,
    ) -> Self:
        """Find a pipeline in the YAML files of a workspace.

        Parameters
        ----------
        name : str
            Its name.
        externals : mapping, optional
            Merged over what the file says.
        root : str or Path, optional
            Folder that holds ``conf``; else that of the environment, of the nearest workspace upwards, or this one.
        log_settings : LoggerSettings, optional
            Where its lines go.
        settings : ScheduleSettings, optional
            What holds for templates; else what the environment and the configuration in the folder say.

        Returns
        -------
        Pipeline
            One that runs the template.

        Raises
        ------
        ConfigurationError
            There is none of this name, or something of it is wrong: file, line and key of everything are told.
        """
        from sinagot.pipeline.templates.loading import TemplateParameters, load_template

        template = load_template(name, externals, root, settings)
        made = cls(name, TemplateParameters(template), log_settings=log_settings)
        made._template = template
        return made

    # -- what it is made of

    @overload
    def stage(self, function: _Function, /) -> _Function: ...

    @overload
    def stage(
        self,
        function: str | None = None,
        /,
        inputs: Sequence[Input] | None = None,
        *,
        name: str | None = None,
        **options: Any,
    ) -> Callable[[_Function], _Function]: ...

    def stage(
        self,
        function: Any = None,
        /,
        inputs: Sequence[Input] | None = None,
        *,
        name: str | None = None,
        **options: Any,
    ) -> Any:
        """Add a stage: ``@pipeline.stage``, or ``@pipeline.stage("name", inputs=[...], after=[...])``.

        Parameters
        ----------
        function : callable or str, optional
            The function; or the name of the stage, which is that of the function when not given.
        inputs : sequence of Input, optional
            Its arguments. When not given, they are found by name: an argument that is called as a stage, a parameter or
            a variable gets its value.
        name : str, optional
            The name of the stage.
        **options : object
            As for `Stage`.

        Raises
        ------
        PipelineDefinitionError
            There is a stage of this name, or it does not fit.

        Examples
        --------
        >>> from sinagot.pipeline import LoggerSettings, Pipeline
        >>> silent = LoggerSettings("squares", stream=False)
        >>> pipeline = Pipeline("squares", {"count": 3}, log_settings=silent)
        >>> @pipeline.stage
        ... def numbers(count):
        ...     return list(range(count))
        >>> @pipeline.stage
        ... def squares(numbers):
        ...     return [number**2 for number in numbers]
        >>> pipeline.run()["squares"]
        [0, 1, 4]
        """
        given_name = function if isinstance(function, str) else name

        def add(found: _Function) -> _Function:
            label = self._checked_name(given_name or getattr(found, "__name__", type(found).__name__))
            if label in self._stages:
                raise PipelineDefinitionError(
                    f"pipeline {self.name!r}: there is a stage {label!r} already",
                    pipeline=self.name,
                    stage=label,
                )
            taken = (
                inferred(found, self._stages, self.parameters, self.variables) if inputs is None else inputs
            )
            stages = {**self._stages, label: Stage(found, taken, **options)}
            self._check_edges(stages, label)
            self._stages = stages
            return found

        return add if function is None or isinstance(function, str) else add(function)

    def _checked_name(self, name: Any) -> str:
        if not isinstance(name, str) or not name:
            raise PipelineDefinitionError(
                f"pipeline {self.name!r}: the name of a stage must be text, found {name!r}",
                pipeline=self.name,
            )
        return name

    def _check_edges(self, stages: Mapping[str, Stage], new: str | None = None) -> None:
        check_edges(self.name, stages, self.parameters, self.variables, self.paths, new)

    def check(self) -> list[str]:
        """Give what would go wrong for sure, without running anything; an empty list when nothing is found.

        Returns
        -------
        list of str
            Sentences: arguments that a function lacks or does not know.
        """
        return [f"stage {name!r}: {text}" for name, text in findings_of(self._stages)]

    def description(self) -> Description:
        """Give parameters, stages and edges as plain data."""
        if self._template is not None:
            from sinagot.pipeline.templates.loading import description_of as described

            return described(self._template)
        return description_of(self)

    def script_class(self, step: str) -> type[ScriptTemplate]:
        """Give the script of a step whose file defines this pipeline in place of a class `Script`."""
        return script_class_of(self, step)

    def __repr__(self) -> str:
        return f"<Pipeline {self.name!r} | {len(self._stages)} stage{'' if len(self._stages) == 1 else 's'}>"


def _checked_stage(pipeline: str, name: str, stage: Any) -> Stage:
    if isinstance(stage, Stage):
        return stage
    if callable(stage):
        return Stage(stage)
    raise PipelineDefinitionError(
        f"pipeline {pipeline!r}: {name!r} must be a Stage, found {stage!r}", pipeline=pipeline
    )
