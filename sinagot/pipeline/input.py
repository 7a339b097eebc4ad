"""Inputs of stages: which argument gets which value, and where that comes from.

Knows names and sources; must not know runs. What is made here is plain and immutable: one stage serves any number of
runs at once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from sinagot.engine.acts.current import Current
from sinagot.errors import PipelineDefinitionError
from sinagot.pipeline.context import ContextSource, ctx
from sinagot.pipeline.mappers import RETURN, DependencyInputMapper, KeyedInputMapper

__all__ = [
    "Dependency",
    "Input",
    "InputBinding",
    "bound",
    "dependency",
    "each",
    "immediate",
    "known",
    "mentions",
    "param",
    "path_in",
    "path_out",
    "record",
    "var",
]


class _Absent:
    """There is no default: any value, None too, may be one."""

    def __repr__(self) -> str:
        return "no default"

    def __reduce__(self) -> str:
        return "ABSENT"


ABSENT = _Absent()


@dataclass(frozen=True)
class InputBinding:
    """Where the value of an argument comes from; made by `immediate`, `contextual` or `callback`.

    Attributes
    ----------
    read : callable
        Gets the act that runs, and gives the value.
    what : str
        For people: what it is.
    """

    read: Callable[[Current], Any]
    what: str = ""

    @classmethod
    def immediate(cls, value: Any) -> InputBinding:
        """Bind a value that is known now.

        Examples
        --------
        >>> InputBinding.now(3).what
        '3'
        """
        return cls(_Constant(value), _short(value))

    @classmethod
    def contextual(cls, source: Any, mapper: Callable[[Any], Any] | None = None) -> InputBinding:
        """Bind what the run will know when the stage begins.

        Parameters
        ----------
        source : ContextSource
            ``ctx.PARAMETERS`` or another of them.
        mapper : callable, optional
            Takes the value out of it.

        Raises
        ------
        PipelineDefinitionError
            The source is none.
        """
        if not isinstance(source, ContextSource):
            raise PipelineDefinitionError(
                f"a contextual input takes ctx.PARAMETERS, ctx.STAGES or another of ctx; found {source!r}"
            )
        if mapper is not None and not callable(mapper):
            raise PipelineDefinitionError(
                f"the mapper of a contextual input is a function, or KeyedInputMapper(...); found {mapper!r}"
            )
        return cls(_Contextual(source, mapper), repr(source))

    @classmethod
    def callback(cls, function: Callable[[], Any]) -> InputBinding:
        """Bind what a function without arguments gives when the stage begins."""
        if not callable(function):
            raise PipelineDefinitionError(f"a callback input takes a function, found {function!r}")
        return cls(_Callback(function), f"{getattr(function, '__name__', 'callback')}()")

    now = immediate
    deferred = contextual


@dataclass(frozen=True, eq=False)
class _Constant:
    value: Any

    def __call__(self, current: Current) -> Any:
        return self.value


@dataclass(frozen=True)
class _Contextual:
    source: ContextSource
    mapper: Callable[[Any], Any] | None

    def __call__(self, current: Current) -> Any:
        value = self.source.read(current)
        return value if self.mapper is None else self.mapper(value)


@dataclass(frozen=True)
class _Callback:
    function: Callable[[], Any]

    def __call__(self, current: Current) -> Any:
        return self.function()


@dataclass(frozen=True)
class _Place:
    """A path or a fact of the record that the pipeline runs for."""

    kind: str
    name: str

    def __call__(self, current: Current) -> Any:
        return current.place.look_up(self.kind, self.name, current.name)


@dataclass(frozen=True)
class Dependency:
    """An edge that carries data: which output of which stage.

    Attributes
    ----------
    stage, output : str
        Which.
    default : object
        What is used when there is none.
    is_required : bool
        The stage cannot run without it.
    """

    stage: str
    output: str = RETURN
    default: Any = ABSENT
    is_required: bool = True

    def __call__(self, current: Current) -> Any:
        """Give the value in a run."""
        stages = ctx.STAGES.read(current)
        if not self.is_required and self.output not in (stages.get(self.stage) or {}):
            return None if self.default is ABSENT else self.default
        return DependencyInputMapper(self.stage, self.output)(stages)


@dataclass(frozen=True)
class Input:
    """One argument of a stage.

    Attributes
    ----------
    as_arg : str
        Name of the argument.
    bind : InputBinding
        Where its value comes from; any other value is bound as it is.
    logged : bool, default False
        The value is written into the log when the stage begins.

    Examples
    --------
    >>> Input(as_arg="bands", bind=InputBinding.deferred(ctx.PARAMETERS, mapper=lambda p: p["bands"])).as_arg
    'bands'
    """

    as_arg: str
    bind: Any
    logged: bool = False
    #: Of an edge that carries data.
    edge: Dependency | None = None
    #: Name of the parameter or variable that it reads, for checks.
    parameter: str | None = None
    variable: str | None = None
    #: ``in`` or ``out`` and the name of a path of the record.
    path: tuple[str, str] | None = None
    is_each: bool = False
    max_concurrency: int | None = None

    @property
    def place_kind(self) -> str | None:
        """What of a record it reads, ``"path"`` or ``"record"``; None where a run needs no record for it."""
        read = self.bind.read
        return read.kind if isinstance(read, _Place) else None

    def __post_init__(self) -> None:
        name: Any = self.as_arg
        if not isinstance(name, str) or not name.isidentifier():
            raise PipelineDefinitionError(f"as_arg must be the name of an argument, found {name!r}")
        if not isinstance(self.bind, InputBinding):
            object.__setattr__(self, "bind", InputBinding.immediate(self.bind))
        if isinstance(self.bind.read, _Contextual):
            self._look_at(self.bind.read)

    def _look_at(self, read: _Contextual) -> None:
        """Note what a mapper of ours names: it counts as if it were said by `dependency` or `param`."""
        source, mapper = read.source, read.mapper
        if isinstance(mapper, DependencyInputMapper) and source is ctx.STAGES and self.edge is None:
            object.__setattr__(self, "edge", Dependency(mapper.stage, mapper.output))
        elif isinstance(mapper, KeyedInputMapper) and source is ctx.PARAMETERS:
            object.__setattr__(self, "parameter", mapper.key)

    @property
    def constant(self) -> Any:
        """The value, where it is known before a run; else None."""
        return self.bind.read.value if isinstance(self.bind.read, _Constant) else None

    @property
    def reads_stages(self) -> bool:
        """It may read what any stage has made, and does not say which."""
        read = self.bind.read
        if isinstance(read, _Callback):
            return mentions(read.function, "STAGES")
        return isinstance(read, _Contextual) and read.source is ctx.STAGES and self.edge is None


def immediate(value: Any, as_arg: str, *, logged: bool = False) -> Input:
    """Give an argument a value that is known now; also called `known`."""
    return Input(as_arg, InputBinding.immediate(value), logged)


known = immediate


def param(name: str, as_arg: str | None = None, *, logged: bool = False) -> Input:
    """Give an argument the value of a parameter of the run.

    Examples
    --------
    >>> param("low").as_arg, param("low", as_arg="l_freq").parameter
    ('low', 'low')
    """
    binding = replace(
        InputBinding.contextual(ctx.PARAMETERS, KeyedInputMapper(name)), what=f"parameter {name}"
    )
    return Input(as_arg or _name(name), binding, logged, parameter=name)


def var(name: str, as_arg: str | None = None, *, logged: bool = False) -> Input:
    """Give an argument the value that a variable has when the stage begins."""
    binding = replace(InputBinding.contextual(ctx.VARIABLES, KeyedInputMapper(name)), what=f"variable {name}")
    return Input(as_arg or _name(name), binding, logged, variable=name)


def dependency(
    from_stage: str,
    as_arg: str | None = None,
    from_output: str = RETURN,
    default: Any = ABSENT,
    required: bool = True,
    *,
    logged: bool = False,
) -> Input:
    """Give an argument what another stage has made; that stage runs before.

    Parameters
    ----------
    from_stage : str
        Name of the stage.
    as_arg : str, optional
        Name of the argument; that of the stage when not given.
    from_output : str, default "return"
        Which of its outputs.
    default : object, optional
        What is used where the stage has given no such output, because it was skipped or failed.
    required : bool, default True
        Without it, and without a default, None is used there.
    logged : bool, default False
        The value is written into the log.
    """
    edge = Dependency(from_stage, from_output, default, bool(required) and default is ABSENT)
    what = from_stage if from_output == RETURN else f"{from_stage}.{from_output}"
    return Input(as_arg or _name(from_stage), InputBinding(edge, what), logged, edge=edge)


def each(one: Input, max_concurrency: int | None = None) -> Input:
    """Call the stage once for every element of an input; its result is the list of what came back, in that order.

    Parameters
    ----------
    one : Input
        An input whose value is a sequence; other inputs are the same for all elements.
    max_concurrency : int, optional
        How many elements may run at once; as many as the pipeline has workers when not given.

    Examples
    --------
    >>> each(dependency("files", as_arg="path"), max_concurrency=8).is_each
    True
    """
    if not isinstance(one, Input):
        raise PipelineDefinitionError(
            f"each() takes an input, such as dependency('files', as_arg='path'); found {one!r}"
        )
    is_count = (
        isinstance(max_concurrency, int) and not isinstance(max_concurrency, bool) and max_concurrency > 0
    )
    if max_concurrency is not None and not is_count:
        raise PipelineDefinitionError(f"max_concurrency must be 1 or more, found {max_concurrency!r}")
    return replace(one, is_each=True, max_concurrency=max_concurrency)


def path_in(name: str, as_arg: str | None = None) -> Input:
    """Give an argument the path of an input file of the record, by its name in `Pipeline.paths`."""
    return _path("in", name, as_arg)


def path_out(name: str, as_arg: str | None = None) -> Input:
    """Give an argument the path where an output file of the record is to be written."""
    return _path("out", name, as_arg)


def record(name: str, as_arg: str | None = None) -> Input:
    """Give an argument a fact of the record: ``"id"``, ``"task"``, ``"modality"`` or ``"step"``."""
    return Input(as_arg or _name(name), InputBinding(_Place("record", name), f"record {name}"))


def _path(way: str, name: str, as_arg: str | None) -> Input:
    binding = InputBinding(_Place("path", name), f"path {name}")
    return Input(as_arg or _name(name), binding, path=(way, name))


def _name(name: str) -> str:
    """Make the name of an argument of another name."""
    return str(name).replace("-", "_")


def mentions(function: Any, name: str) -> bool:
    """Say whether the code of a function, or of one that is made in it, has a name in it."""
    codes = [getattr(getattr(function, "func", function), "__code__", None)]
    while codes:
        code = codes.pop()
        if code is not None:
            if name in code.co_names:
                return True
            codes += [one for one in code.co_consts if hasattr(one, "co_names")]
    return False


def _short(value: Any) -> str:
    try:
        text = repr(value)
    except Exception:  # noqa: BLE001  (whatever the user's object does when it is shown)
        text = f"a {type(value).__name__}"
    return text if len(text) <= 40 else f"{type(value).__name__} ({text[:30]} ...)"


def bound(inputs: tuple[Input, ...], given: Mapping[str, Any], current: Current) -> dict[str, Any]:
    """Give the arguments of a stage; what is given wins."""
    return {
        one.as_arg: given[one.as_arg] if one.as_arg in given else one.bind.read(current) for one in inputs
    }
