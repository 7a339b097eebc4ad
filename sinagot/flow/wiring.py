"""How processors hang together: names are the wires, each with one producer.

Pure: processors in, wires out, or an error that names who is wrong, where it is written, and what may have been meant.
`Flow.resolve` asks here, and so does every start, before any processor is begun.
"""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from sinagot.config.hints import did_you_mean
from sinagot.engine.charts.chart import in_order
from sinagot.errors import FlowDefinitionError
from sinagot.flow.depends import Plan
from sinagot.flow.processor import Processor
from sinagot.flow.streams import IOVal

__all__ = ["Wiring", "check_inputs", "takes_any", "undeclared", "wired"]


class Wiring(NamedTuple):
    """Processors that fit together.

    Attributes
    ----------
    processors : tuple of Processor
        Each behind those that it reads from.
    producers : mapping of str to str
        Name of a stream -> name of the processor that writes it.
    readers : mapping of str to tuple of str
        Name of a stream -> names of the processors that read it, those of inputs of the flow too.
    inputs : tuple of str
        Streams that no processor writes: they are given at the start.
    results : tuple of str
        Streams that no processor reads.
    plans : mapping of str to Plan
        Name of a processor -> where the arguments of its function come from.
    """

    processors: tuple[Processor, ...]
    producers: Mapping[str, str]
    readers: Mapping[str, tuple[str, ...]]
    inputs: tuple[str, ...]
    results: tuple[str, ...]
    plans: Mapping[str, Plan]

    @property
    def outputs(self) -> tuple[str, ...]:
        """All streams that processors write."""
        return tuple(self.producers)

    def edges(self) -> list[tuple[str, str, str]]:
        """List who writes what for whom: processor, processor, stream."""
        return [
            (self.producers[stream], reader, stream)
            for stream, readers in self.readers.items()
            if stream in self.producers
            for reader in readers
        ]

    def behind(self, processor: str) -> set[str]:
        """Name the processors that read from one, directly or by others."""
        found: set[str] = set()
        fresh = [processor]
        while fresh:
            one = fresh.pop()
            new = {target for source, target, _ in self.edges() if source == one} - found
            found |= new
            fresh += sorted(new)
        return found


def wired(processors: Sequence[Processor]) -> Wiring:
    """Join processors by the names of their streams.

    Parameters
    ----------
    processors : sequence of Processor
        Those of the flow, in any order.

    Returns
    -------
    Wiring
        How they hang together.

    Raises
    ------
    FlowDefinitionError
        When there is none, when two have one name, when one has no function, when two write one stream, when they wait
        for one another in a circle, or when a function and what is declared for it do not fit.

    Examples
    --------
    >>> double = Processor("double", ["foo"], ["bar"])(lambda foo: 2)
    >>> show = Processor("show", ["bar"])(lambda bar: None)
    >>> wiring = wired([show, double])
    >>> [one.name for one in wiring.processors], wiring.inputs, wiring.results
    (['double', 'show'], ('foo',), ())
    """
    if not processors:
        raise FlowDefinitionError("a flow needs at least one processor")
    by_name: dict[str, Processor] = {}
    for one in processors:
        former = by_name.setdefault(one.name, one)
        if former is not one:
            raise FlowDefinitionError(
                f"two processors are called {one.name!r}: {_places(former, one)}; give one another name",
                processor=one.name,
            )
        if not one.is_decorated:
            one.function  # noqa: B018  (raises, and says what is missing)
    producers = _producers(list(by_name.values()))
    readers: dict[str, tuple[str, ...]] = {}
    for one in by_name.values():
        for stream in one.inputs:
            readers[stream] = (*readers.get(stream, ()), one.name)
    edges = [
        (producers[name], reader, name)
        for name, all_ in readers.items()
        if name in producers
        for reader in all_
    ]
    order = in_order(list(by_name), [(source, target) for source, target, _ in edges])
    if len(order) < len(by_name):
        raise _circle(by_name, edges, set(by_name) - set(order))
    plans = {}
    for one in by_name.values():
        _fit_parameters(one)
        _fit_yields(one)
        plans[one.name] = one.plan
    inputs = tuple(name for name in readers if name not in producers)
    results = tuple(name for name in producers if name not in readers)
    return Wiring(tuple(by_name[name] for name in order), producers, readers, inputs, results, plans)


def _producers(processors: Sequence[Processor]) -> dict[str, str]:
    found: dict[str, Processor] = {}
    for one in processors:
        for stream in one.outputs:
            former = found.setdefault(stream, one)
            if former is not one:
                raise FlowDefinitionError(
                    f"stream {stream!r} has two producers, {former.name!r} and {one.name!r}: {_places(former, one)}; "
                    f"a stream is written by one processor",
                    processor=one.name,
                    stream=stream,
                )
    return {stream: one.name for stream, one in found.items()}


def _places(*processors: Processor) -> str:
    return " and ".join(one.place or f"<{one.name}>" for one in processors)


def _circle(
    by_name: Mapping[str, Processor], edges: Iterable[tuple[str, str, str]], left: set[str]
) -> FlowDefinitionError:
    """Make the error that walks one circle: backwards from any processor that has no place in the order."""
    before = {
        target: (source, stream) for source, target, stream in edges if source in left and target in left
    }
    path = [min(left & set(before))]
    streams: list[str] = []
    while True:
        source, stream = before[path[-1]]
        streams.append(stream)
        path.append(source)
        if source in path[:-1]:
            break
    start = path.index(path[-1])
    ring, wires = path[start:][::-1], streams[start:][::-1]
    told = repr(ring[0]) + "".join(
        f" -> {wire} -> {name!r}" for wire, name in zip(wires, ring[1:], strict=True)
    )
    where = _places(*(by_name[name] for name in dict.fromkeys(ring)))
    return FlowDefinitionError(
        f"processors wait for one another in a circle: {told}; {where}", processor=ring[0], circle=tuple(ring)
    )


def _fit_parameters(processor: Processor) -> None:
    """See that each input of a processor has a parameter."""
    parameters = _parameters(processor.function)
    if parameters is None or takes_any(processor.function):
        return
    named = [
        name for name, one in parameters.items() if one.kind not in (one.POSITIONAL_ONLY, one.VAR_POSITIONAL)
    ]
    for stream in processor.inputs:
        if stream not in named and not processor.wait:
            hint = did_you_mean(stream, [name for name in named if name not in processor.inputs])
            raise FlowDefinitionError(
                f"processor {processor.name!r} declares the input {stream!r}, "
                f"but its function has no parameter of that name{'; ' + hint if hint else ''} ({processor.place})",
                processor=processor.name,
                stream=stream,
            )


def takes_any(function: Callable[..., Any]) -> bool:
    """Say whether a function takes arguments of any name.

    Examples
    --------
    >>> takes_any(dict), takes_any(lambda foo: foo), takes_any(lambda **streams: streams)
    (False, False, True)
    """
    return any(one.kind is one.VAR_KEYWORD for one in (_parameters(function) or {}).values())


def _parameters(function: Callable[..., Any]) -> Mapping[str, inspect.Parameter] | None:
    """Give the parameters of a function; None where they are not known."""
    try:
        return inspect.signature(function).parameters
    except (TypeError, ValueError):
        return None


def _fit_yields(processor: Processor) -> None:
    """See that the names which the function writes in ``yield IOVal(name="...")`` are outputs of it."""
    for name in _written(processor.function):
        if name not in processor.outputs:
            raise undeclared(processor, name)


def undeclared(processor: Processor, stream: str) -> FlowDefinitionError:
    """Make the error about a value for a stream that is no output of the processor."""
    hint = did_you_mean(stream, processor.outputs)
    return FlowDefinitionError(
        f"processor {processor.name!r} gives a value for {stream!r}, which is not among its outputs "
        f"({', '.join(map(repr, processor.outputs)) or 'none'}){'; ' + hint if hint else ''} ({processor.place})",
        processor=processor.name,
        stream=stream,
    )


def _written(function: Callable[..., Any]) -> Iterator[str]:
    """Give the names in ``yield IOVal(name=...)`` and ``return IOVal(name=...)`` of a function that can be read."""
    code = getattr(function, "__code__", None)
    if code is None:
        return
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    except (OSError, TypeError, SyntaxError):
        return
    body = next(
        (node for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)), None
    )
    todo: list[ast.AST] = [] if body is None else [*body.body]
    while todo:
        node = todo.pop(0)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda | ast.ClassDef):
            continue  # what they give, they give to somebody else
        value = node.value if isinstance(node, ast.Yield | ast.Return) else None
        if isinstance(value, ast.Call) and _is_ioval(value.func, function):
            named = [one.value for one in value.keywords if one.arg == "name"] or value.args[:1]
            yield from (
                one.value for one in named if isinstance(one, ast.Constant) and isinstance(one.value, str)
            )
        todo += ast.iter_child_nodes(node)


def _is_ioval(called: ast.expr, function: Callable[..., Any]) -> bool:
    names: Mapping[str, Any] = getattr(function, "__globals__", {})
    if isinstance(called, ast.Name):
        return names.get(called.id) is IOVal
    if isinstance(called, ast.Attribute) and isinstance(called.value, ast.Name):
        return called.attr == "IOVal" and getattr(names.get(called.value.id), "IOVal", None) is IOVal
    return False


def check_inputs(wiring: Wiring, given: Iterable[str]) -> None:
    """See that a start has values for each input of a flow, and for nothing else.

    Parameters
    ----------
    wiring : Wiring
        The flow.
    given : iterable of str
        Names of the inputs that there are values for.

    Raises
    ------
    FlowDefinitionError
        When one is unknown or missing.
    """
    names = list(given)
    known = f"inputs of the flow are {', '.join(map(repr, wiring.inputs)) or 'none'}"
    for name in names:
        if name in wiring.producers:
            raise FlowDefinitionError(
                f"{name!r} is no input of the flow: processor {wiring.producers[name]!r} writes it; {known}",
                stream=name,
            )
        if name not in wiring.inputs:
            hint = did_you_mean(str(name), wiring.inputs)
            raise FlowDefinitionError(
                f"the flow has no input {name!r}; {known}{'; ' + hint if hint else ''}", stream=name
            )
    missing = [name for name in wiring.inputs if name not in names]
    if missing:
        raise FlowDefinitionError(
            "; ".join(_missing(wiring, name) for name in missing), stream=missing[0], missing=tuple(missing)
        )


def _missing(wiring: Wiring, name: str) -> str:
    readers = [one for one in wiring.processors if one.name in wiring.readers[name]]
    who = ", ".join(f"{one.name!r} ({one.place})" if one.place else repr(one.name) for one in readers)
    hint = did_you_mean(name, [stream for stream in wiring.outputs if stream not in wiring.readers])
    return f"input {name!r} of {who} is neither given nor written by a processor{'; ' + hint if hint else ''}"
