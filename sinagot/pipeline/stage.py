"""A stage: a function, where its arguments come from, what must be over before, and how often it is tried.

Immutable: state lives in the run, so that one stage serves any number of runs at once.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from sinagot.config.settings import StepSettings
from sinagot.errors import DependencyError, PipelineDefinitionError
from sinagot.flow.marks import dependencies_of
from sinagot.pipeline.input import Input, mentions

if TYPE_CHECKING:
    from sinagot.flow.depends import Plan

__all__ = ["Stage", "arguments_of"]


class Stage:
    """One stage of a pipeline.

    Parameters
    ----------
    function : callable
        What is called. Arguments with `sinagot.flow.Depends` need no input.
    inputs : sequence of Input
        Its arguments, see `sinagot.pipeline.input`.
    output_mapper : callable, optional
        Makes named outputs of what it returns; without it there is one, called ``return``.
    after : sequence of str
        Stages that must be over before, without data.
    retries : int, default 0
        How often it is tried again.
    timeout : float or str, seconds, optional
        Longest time, as a number or as ``"10 min"``; the stage runs in a child process then, which is ended with all
        that it started.
    retry_wait : float or str, seconds, optional
        Pause before the first repetition, doubled with each one; half a second when not given.
    retry_on : sequence of str, optional
        Names of exceptions, or ``"error"``, ``"timeout"``, ``"memory"``, ``"lost"``.
    memory : int or str, bytes, optional
        Most memory, as a number or as ``"2 GB"``.

    Raises
    ------
    PipelineDefinitionError
        Something of it is wrong.

    Examples
    --------
    >>> from sinagot.pipeline.input import known
    >>> Stage(pow, inputs=[known(2, "base"), known(5, "exp")])
    Stage(pow, inputs=[base=2, exp=5])
    """

    __slots__ = ("after", "function", "inputs", "output_mapper", "plan", "settings")

    function: Callable[..., Any]
    inputs: tuple[Input, ...]
    after: tuple[str, ...]
    output_mapper: Callable[[Any], Any] | None
    #: How what its function depends on is built; None where it depends on nothing.
    plan: Plan | None
    settings: StepSettings

    def __init__(
        self,
        function: Callable[..., Any],
        inputs: Sequence[Input] = (),
        output_mapper: Callable[[Any], Any] | None = None,
        after: Sequence[str] = (),
        retries: int = 0,
        timeout: float | str | None = None,
        *,
        retry_wait: float | str | None = None,
        retry_on: Sequence[str] | None = None,
        memory: int | str | None = None,
    ) -> None:
        if not callable(function):
            raise PipelineDefinitionError(f"a stage needs a function, found {function!r}")
        name = _name_of(function)
        if isinstance(inputs, Input) or not isinstance(inputs, Iterable):
            raise PipelineDefinitionError(
                f"stage of {name}: inputs must be a list of inputs, found {inputs!r}"
            )
        given: list[Any] = list(inputs)
        wrong = [one for one in given if not isinstance(one, Input)]
        if wrong:
            raise PipelineDefinitionError(
                f"stage of {name}: {wrong[0]!r} is no input; write param(...), known(...) or dependency(...)"
            )
        args = [one.as_arg for one in inputs]
        twice = next((arg for arg in args if args.count(arg) > 1), None)
        if twice is not None:
            raise PipelineDefinitionError(f"stage of {name}: argument {twice!r} has two inputs")
        if output_mapper is not None and not callable(output_mapper):
            raise PipelineDefinitionError(
                f"stage of {name}: output_mapper must be callable, found {output_mapper!r}"
            )
        put = object.__setattr__
        put(self, "function", function)
        put(self, "inputs", tuple(inputs))
        put(self, "output_mapper", output_mapper)
        put(self, "plan", _plan(name, function, self.inputs))
        put(self, "after", (after,) if isinstance(after, str) else tuple(after))
        said = {
            "retries": retries or None,
            "timeout": timeout,
            "retry_wait": retry_wait,
            "retry_on": retry_on,
            "memory": memory,
        }
        put(
            self,
            "settings",
            _settings(name, {key: value for key, value in said.items() if value is not None}),
        )

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError("a stage is immutable: make another one")

    __delattr__ = __setattr__  # type: ignore[assignment]

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuilt, tuple(getattr(self, name) for name in self.__slots__)

    def __repr__(self) -> str:
        inputs = ", ".join(f"{one.as_arg}={one.bind.what}" for one in self.inputs)
        after = f", after={list(self.after)}" if self.after else ""
        return f"Stage({_name_of(self.function)}, inputs=[{inputs}]{after})"

    @property
    def needs(self) -> tuple[str, ...]:
        """Names of the stages that must be over before, each once."""
        edges = [one.edge.stage for one in self.inputs if one.edge is not None]
        return tuple(dict.fromkeys([*edges, *self.after]))

    @property
    def paths(self) -> tuple[tuple[str, str], ...]:
        """Files of a record that it uses: ``in`` or ``out``, and the name."""
        named = [one.path for one in self.inputs if one.path is not None]
        return tuple(dict.fromkeys([*named, *(() if self.plan is None else self.plan.paths)]))

    @property
    def optional(self) -> frozenset[str]:
        """Those of them without which it can run."""
        needed = {one.edge.stage for one in self.inputs if one.edge is not None and one.edge.is_required}
        return frozenset(self.needs) - needed - frozenset(self.after)

    @property
    def writes(self) -> bool:
        """It writes a file of the record."""
        return any(way == "out" for way, _ in self.paths)

    @property
    def reads_stages(self) -> bool:
        """It may read what any stage has made, and does not say which: ``ctx.STAGES``."""
        built = () if self.plan is None else self.plan.nodes
        return any(one.reads_stages for one in self.inputs) or any(
            mentions(function, "STAGES") for function in (self.function, *(one.function for one in built))
        )


def _rebuilt(*values: Any) -> Stage:
    stage = Stage.__new__(Stage)
    for name, value in zip(Stage.__slots__, values, strict=True):
        object.__setattr__(stage, name, value)
    return stage


def _plan(name: str, function: Callable[..., Any], inputs: Sequence[Input]) -> Plan | None:
    """Say what the function depends on; arguments that nothing gives are told by `Pipeline.check`."""
    try:
        marks = dependencies_of(function)
        if not marks:
            return None
        from sinagot.flow.depends import plan_of  # most stages depend on nothing

        signature = arguments_of(function)
        assert signature is not None, "it has arguments"
        needed = [
            arg for arg, one in signature.parameters.items() if one.default is one.empty and arg not in marks
        ]
        known = dict.fromkeys([*(one.as_arg for one in inputs), *needed])
        return plan_of(function, known, [one.as_arg for one in inputs if one.is_each])
    except DependencyError as error:
        raise PipelineDefinitionError(f"stage of {name}: {error}") from error


def _settings(name: str, said: dict[str, Any]) -> StepSettings:
    if not said:
        return StepSettings()
    from sinagot.config.quantities import step_settings  # most stages say nothing

    try:
        return step_settings(said)
    except ValueError as error:
        key = str(error.args[-1])
        raise PipelineDefinitionError(
            f"stage of {name}: {key} must be {error.args[0]}; found {said.get(key)!r}"
        ) from error


def _name_of(function: Any) -> str:
    return getattr(function, "__name__", None) or type(function).__name__


def arguments_of(function: Callable[..., Any]) -> inspect.Signature | None:
    """Give the signature of a function; None of one that does not tell."""
    try:
        return inspect.signature(function)
    except (TypeError, ValueError):
        return None
