"""Parameters of a pipeline that runs for no record: layers of the configuration, what a call gives, and its own check.

Knows tables and a pipeline's parameters; must not know stages. What is wrong is told with the file and the line of the
value, before any stage runs. `sinagot.workspace.parameters` does the same for steps.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from sinagot.config.hints import did_you_mean
from sinagot.config.params import OVERRIDE, Layer, merge_layers, pipeline_layers
from sinagot.config.problems import error_at, joined_error, key_text, shown
from sinagot.config.settings import Configuration
from sinagot.errors import ConfigurationError, PipelineDefinitionError
from sinagot.pipeline.parameters import REQUIRED, Parameters, secrets_of
from sinagot.runlog.plain import plain_value
from sinagot.scripts.params import TypedParams, ValueProblem, typed_params
from sinagot.workspace.origins import OriginFinder, Shown

__all__ = ["PipelineParameters"]

_SECRET = "***"


class _Told(NamedTuple):
    """A value that is wrong: where it stands, and what is said of it."""

    path: tuple[str, ...]
    layer: Layer | None
    text: str
    is_absent: bool = False


class PipelineParameters:
    """The parameters of one pipeline, for one question.

    Parameters
    ----------
    configuration : Configuration, optional
        The layers; None outside a workspace.
    name : str
        Of the pipeline, as tables have it.
    defaults : Parameters
        Those of the pipeline.
    override : mapping, optional
        What a call gave; it wins over every layer.
    """

    def __init__(
        self,
        configuration: Configuration | None,
        name: str,
        defaults: Parameters,
        override: Mapping[str, Any] | None = None,
    ) -> None:
        self._configuration = configuration
        self._name = name
        self._defaults = defaults
        self.layers = [] if configuration is None else pipeline_layers(configuration.raw, name)
        if override:
            self.layers.append(Layer(OVERRIDE, dict(override), is_of_step=True, is_override=True))

    @property
    def given(self) -> dict[str, Any]:
        """What is said of parameters that the pipeline has."""
        return {name: value for name, value in merge_layers(self.layers).items() if name in self._defaults}

    def checked(self) -> Parameters:
        """Give the parameters of a run, all of them checked.

        Raises
        ------
        ConfigurationError
            A name is unknown, a value is missing or refused; all that is wrong is told.
        """
        problems = list(self.problems())
        if problems:
            raise joined_error(problems)
        return self._defaults.merged(self.given)

    def problems(self, *, are_all_given: bool = True) -> Iterator[ConfigurationError]:
        """Give what is wrong, each with its place.

        Parameters
        ----------
        are_all_given : bool
            Nothing follows: a parameter that is required and absent is told too.
        """
        for one in (*self._unknown(), *self._refused()):
            if one.is_absent and not are_all_given:
                continue
            path = one.path if one.layer is None else (*one.layer.path, *one.path)
            if self._configuration is None or (one.layer is not None and one.layer.is_override):
                yield ConfigurationError.at(f"{one.text}; given for this run", key=key_text(path))
            else:
                yield error_at(
                    self._configuration.files,
                    ("pipelines", self._name, *path) if one.layer is None else path,
                    one.text,
                )

    def _unknown(self) -> Iterator[_Told]:
        known = ", ".join(self._defaults) or "none"
        for layer in self.layers:
            for name in layer.values if layer.is_of_step else ():
                if name not in self._defaults:
                    hint = did_you_mean(name, list(self._defaults))
                    text = f"pipeline {self._name!r} has no such parameter (it has {known})"
                    yield _Told((name,), layer, f"{text}; {hint}" if hint else text)

    def _refused(self) -> Iterator[_Told]:
        given, model = self.given, self._defaults.model
        if model is None:
            for name, value in self._defaults.items():
                if value is REQUIRED and name not in given:
                    yield _Told((name,), None, "required, and absent", is_absent=True)
            yield from self._refused_by_template(given)
            return
        defaults = {name: value for name, value in self._defaults.items() if value is not REQUIRED}
        found = typed_params(model, {**defaults, **given})
        for problem in [] if isinstance(found, TypedParams) else found:
            layer = next(
                (one for one in reversed(self.layers) if problem.path and one.holds(problem.path)), None
            )
            yield _Told(problem.path, layer, self._words(problem, layer), problem.is_missing)

    def _refused_by_template(self, given: Mapping[str, Any]) -> Iterator[_Told]:
        """Ask parameters that check their values themselves, one by one."""
        for name, value in given.items():
            try:
                self._defaults.merged({**self._fillers(), name: value})
            except ConfigurationError as error:
                layer = next((one for one in reversed(self.layers) if name in one.values), None)
                for problem in error.problems or (error,):
                    if str(problem.key or "").rpartition(".")[2] == name:
                        yield _Told((name,), layer, f"refused: {problem}")
            except PipelineDefinitionError:
                continue  # of others than this one

    def _fillers(self) -> dict[str, Any]:
        """Give what is written for parameters without a default: one of them must not hide what is asked."""
        given = self.given
        return {
            name: given[name] for name, value in self._defaults.items() if value is REQUIRED and name in given
        }

    def _words(self, problem: ValueProblem, layer: Layer | None) -> str:
        says = f"pipeline {self._name!r}: {problem.text}"
        if problem.is_missing:
            return f"required, and absent ({says})"
        if layer is None:
            return says
        value: Any = layer.values
        for key in problem.path:
            value = value[key]
        is_secret = problem.is_secret or secrets_of({"": self._defaults.get(problem.path[0])})
        return f"found {_SECRET if is_secret else shown(value)} ({says})"

    def faults(self) -> list[tuple[tuple[str, ...], str]]:
        """Give all that keeps a run from beginning: the path of the value, and what is wrong with it."""
        return [(one.path, one.text) for one in (*self._unknown(), *self._refused())]

    def secrets(self, parameters: Parameters) -> frozenset[str]:
        """Give the names of parameters of a run whose values nobody is to read."""
        return frozenset(name for name, value in parameters.items() if self._is_secret(name, value))

    def _is_secret(self, name: str, value: Any) -> bool:
        return bool(secrets_of({"": value, " ": self._defaults.get(name)}))

    # -- for people and manifests

    def origins(self, parameters: Parameters | None = None) -> list[Shown]:
        """Give every parameter with its value and where that comes from; secrets are told as ``***``.

        Parameters
        ----------
        parameters : Parameters, optional
            Those of a run; when not given, values are as they are written, and may be wrong.
        """
        values: dict[str, Any] = dict(self._defaults) | self.given if parameters is None else dict(parameters)
        found: list[Shown] = []
        finder = None if self._configuration is None else OriginFinder(self._configuration)
        for name, value in values.items():
            is_secret = self._is_secret(name, value)
            plain = _SECRET if is_secret else None if value is REQUIRED else plain_value(value)
            layer = next((one for one in reversed(self.layers) if name in one.values), None)
            if layer is None:
                found.append(Shown(key_text((name,)), plain, "required" if value is REQUIRED else "default"))
            elif layer.is_override or finder is None:
                found.append(Shown(key_text((name,)), plain, "this run"))
            else:
                found.append(
                    finder.shown_at(key_text((name,)), (*layer.path, name), plain, key_text(layer.path))
                )
        return found
