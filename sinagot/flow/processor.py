"""A processor: a function that reads named streams and writes named streams.

Knows the function, its names and how it is to be run; must not know other processors, or runs.
`wiring` joins processors by their names.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Literal

from sinagot.errors import DependencyError, FlowDefinitionError
from sinagot.flow.depends import Plan, plan_of

__all__ = ["Kind", "Processor", "place_of"]

#: What the body of a processor is.
Kind = Literal["async generator", "coroutine", "generator", "function"]


class Processor:
    """Declare a processor, and decorate the function that is its body.

    The body is an async generator, a generator, a coroutine function or a function; the latter two give one value.
    Generators that are not async, and functions, run in a thread of their own, where `IO.stream()` is a plain iterator
    and `IO.first()` gives the value itself. What they give is an `IOVal`, or, with a single output, the plain value.

    Parameters
    ----------
    name : str
        Of the processor, once in a flow.
    inputs : iterable of str
        Names of the streams that it reads, each a parameter of the function.
    outputs : iterable of str
        Names of the streams that it writes.
    wait : bool, default False
        It starts when its inputs are complete, once.
    max_lead : int, optional
        How many values of an output may be there that its slowest reader among the processors has not yet taken.
    retries : int, default 0
        How often it is begun anew after a failure. It reads from the beginning again; as many values as it had written
        to an output are passed over, so that readers see each once.

    Raises
    ------
    FlowDefinitionError
        When a name or a number cannot be used.

    Examples
    --------
    >>> double = Processor(name="double", inputs=["foo"], outputs=["bar"])
    >>> @double
    ... async def _double(foo):
    ...     async for value in foo.stream():
    ...         yield 2 * value
    >>> double
    <Processor 'double': foo -> bar>
    >>> double.kind
    'async generator'
    """

    __slots__ = ("_function", "_inputs", "_max_lead", "_name", "_outputs", "_plan", "_retries", "_wait")

    def __init__(
        self,
        name: str,
        inputs: Iterable[str] = (),
        outputs: Iterable[str] = (),
        wait: bool = False,
        max_lead: int | None = None,
        retries: int = 0,
    ) -> None:
        if not _is_name(name):
            raise FlowDefinitionError(f"the name of a processor is a text that is not empty, not {name!r}")
        self._name = name
        self._inputs = _names(name, "inputs", inputs)
        self._outputs = _names(name, "outputs", outputs)
        self._wait = bool(wait)
        self._max_lead = None if max_lead is None else _number(name, "max_lead", max_lead, 1)
        self._retries = _number(name, "retries", retries, 0)
        self._function: Callable[..., Any] | None = None
        self._plan: Plan | None = None

    @property
    def name(self) -> str:
        """Name of the processor."""
        return self._name

    @property
    def inputs(self) -> tuple[str, ...]:
        """Names of the streams that it reads."""
        return self._inputs

    @property
    def outputs(self) -> tuple[str, ...]:
        """Names of the streams that it writes."""
        return self._outputs

    @property
    def wait(self) -> bool:
        """It starts when its inputs are complete."""
        return self._wait

    @property
    def max_lead(self) -> int | None:
        """How far it may be ahead of its slowest reader among the processors."""
        return self._max_lead

    @property
    def retries(self) -> int:
        """How often it is begun anew after a failure."""
        return self._retries

    @property
    def is_decorated(self) -> bool:
        """It has a body."""
        return self._function is not None

    @property
    def function(self) -> Callable[..., Any]:
        """Its body.

        Raises
        ------
        FlowDefinitionError
            When it has none yet.
        """
        if self._function is None:
            raise FlowDefinitionError(
                f"processor {self.name!r} has no function; put it as a decorator on one", processor=self.name
            )
        return self._function

    @property
    def kind(self) -> Kind:
        """What its body is."""
        function = _inner(self.function)
        if inspect.isasyncgenfunction(function):
            return "async generator"
        if inspect.iscoroutinefunction(function):
            return "coroutine"
        return "generator" if inspect.isgeneratorfunction(function) else "function"

    @property
    def plan(self) -> Plan:
        """Where the arguments of its body come from.

        Raises
        ------
        FlowDefinitionError
            When one comes from nowhere.
        """
        if self._plan is None:
            try:
                self._plan = plan_of(self.function, self._inputs)
            except DependencyError as error:
                raise FlowDefinitionError(f"processor {self.name!r}: {error}", processor=self.name) from error
        return self._plan

    @property
    def place(self) -> str:
        """File and line of its body; empty where that is not known."""
        return "" if self._function is None else place_of(self._function)

    def __call__(self, function: Callable[..., Any]) -> Processor:
        """Take a function as the body; a processor has one, and does not change from then on.

        Parameters
        ----------
        function : callable
            The body.

        Returns
        -------
        Processor
            This one. The function is its attribute `function`.

        Raises
        ------
        FlowDefinitionError
            When it has a body already, or this is no function.
        """
        if self._function is not None:
            raise FlowDefinitionError(
                f"processor {self.name!r} is already the function {_called(self._function)}; "
                f"make another Processor for {_called(function)}",
                processor=self.name,
            )
        if isinstance(function, Processor) or not _can_be_called(function):
            raise FlowDefinitionError(
                f"processor {self.name!r} is put on a function, not on {function!r}", processor=self.name
            )
        self._function = function
        try:
            # Annotations that are texts may name what is local to the function round this one, which runs now.
            self._plan = plan_of(function, self._inputs)
        except DependencyError:
            self._plan = None  # perhaps it names what stands further down; `plan` will say
        return self

    def __repr__(self) -> str:
        wires = f"{', '.join(self.inputs) or 'nothing'} -> {', '.join(self.outputs) or 'nothing'}"
        return f"<Processor {self.name!r}: {wires}>"


def _names(processor: str, key: str, names: Iterable[str]) -> tuple[str, ...]:
    """Check names of streams."""
    if isinstance(names, str):
        raise FlowDefinitionError(
            f"processor {processor!r}: {key} is a list of names; write [{names!r}]", processor=processor
        )
    found = tuple(names)
    for number, name in enumerate(found):
        if not _is_name(name):
            raise FlowDefinitionError(
                f"processor {processor!r}: {name!r} in {key} is no name of a stream", processor=processor
            )
        if name in found[:number]:
            raise FlowDefinitionError(
                f"processor {processor!r}: {key} has {name!r} twice", processor=processor, stream=name
            )
    return found


def _is_name(name: Any) -> bool:
    return isinstance(name, str) and bool(name.strip())


def _can_be_called(function: Any) -> bool:
    return callable(function)


def _number(processor: str, key: str, value: Any, least: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise FlowDefinitionError(
            f"processor {processor!r}: {key} = {value!r} is no whole number of at least {least}",
            processor=processor,
        )
    return value


def _inner(function: Any) -> Any:
    """Give the function behind partial objects and instances with `__call__`."""
    while hasattr(function, "func"):
        function = function.func
    if inspect.isfunction(function) or inspect.ismethod(function) or inspect.isbuiltin(function):
        return function
    return getattr(type(function), "__call__", function)  # noqa: B004  (the function is wanted, not whether there is one)


def place_of(function: Any) -> str:
    """Say in which file and line a function is written.

    Examples
    --------
    >>> place_of(len)
    ''
    """
    code = getattr(inspect.unwrap(_inner(function)), "__code__", None)
    return "" if code is None else f"{Path(code.co_filename)}:{code.co_firstlineno}"


def _called(function: Any) -> str:
    name = getattr(_inner(function), "__name__", repr(function))
    place = place_of(function)
    return f"{name} ({place})" if place else str(name)
