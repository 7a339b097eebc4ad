"""What a pipeline in Python, or a flow, is made of, as a `Description`: read off its stages, without running anything.

Knows pipelines, stages and inputs, and how flows are wired; must not know views. Values that nobody
is to read are told as ``***``.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from types import NoneType, UnionType
from typing import TYPE_CHECKING, Any, Literal, Union, get_args, get_origin

from sinagot.pipeline.description import Description, EdgeView, NodeView, ParamView
from sinagot.pipeline.graph import needs_of
from sinagot.pipeline.mappers import RETURN
from sinagot.pipeline.parameters import REQUIRED, Parameters, secrets_of
from sinagot.pipeline.stage import Stage

if TYPE_CHECKING:
    from sinagot.flow.wiring import Wiring
    from sinagot.pipeline.contracts import Composed

__all__ = ["description_of", "description_of_flow"]

#: Name of a type -> what descriptions call it.
_TYPES = {
    "str": "str",
    "int": "int",
    "float": "float",
    "bool": "bool",
    "Decimal": "decimal",
    "date": "date",
    "datetime": "datetime",
    "dict": "map",
    "Mapping": "map",
    "list": "array",
    "tuple": "array",
    "set": "array",
    "Sequence": "array",
    "Path": "str",
    "SecretStr": "secret",
}


def description_of(pipeline: Composed) -> Description:
    """Describe a pipeline.

    Parameters
    ----------
    pipeline : Pipeline
        What is described.

    Examples
    --------
    >>> from sinagot.pipeline import Pipeline, Stage
    >>> from sinagot.pipeline.input import dependency
    >>> stages = {"read": Stage(list), "count": Stage(len, inputs=[dependency("read", as_arg="obj")])}
    >>> description_of(Pipeline("p", stages=stages)).edges
    (EdgeView(source='read', target='count', argument='obj', output=None),)
    """
    stages = pipeline.stages
    return Description(
        pipeline.name,
        parameters=tuple(_parameters(pipeline.parameters)),
        nodes=tuple(_node(name, stage) for name, stage in stages.items()),
        edges=tuple(_edges(stages)),
    )


def description_of_flow(name: str, wiring: Wiring) -> Description:
    """Describe a flow: its processors as nodes, and an edge for each stream from who writes it to each reader.

    Parameters
    ----------
    name : str
        Of the flow.
    wiring : Wiring
        How its processors hang together.

    Examples
    --------
    >>> from sinagot.flow import Flow, Processor
    >>> read = Processor("read", [], ["word"])(lambda: "a")
    >>> count = Processor("count", ["word"], ["size"])(lambda word: len(word.first()))
    >>> description_of_flow("words", Flow(read, count).wiring).edges
    (EdgeView(source='read', target='count', argument='word', output='word'),)
    """
    return Description(
        name,
        kind="flow",
        nodes=tuple(
            _node_of(one.name, "gatherer" if one.wait else "processor", one.function)
            for one in wiring.processors
        ),
        edges=tuple(EdgeView(source, target, stream, stream) for source, target, stream in wiring.edges()),
    )


def _parameters(parameters: Parameters) -> Iterator[ParamView]:
    fields: Mapping[str, Any] = parameters.model.model_fields if parameters.model is not None else {}
    for name, default in parameters.items():
        field = fields.get(name)
        kind, choices = _type_of(None if field is None else field.annotation)
        is_required = default is REQUIRED
        is_secret = bool(secrets_of({name: default})) or kind == "secret"
        shown = "***" if is_secret else None if is_required else default
        doc = (getattr(field, "description", None) or "") if field is not None else ""
        kind = "str" if kind == "secret" else kind
        yield ParamView(name, kind, shown, is_required, doc, choices, is_secret)


def _type_of(annotation: Any) -> tuple[str, tuple[Any, ...]]:
    """Give the word for a type, and what is allowed where it says so."""
    origin = get_origin(annotation)
    if origin is Literal:
        return "choice", get_args(annotation)
    if origin in (Union, UnionType):
        parts = [one for one in get_args(annotation) if one is not NoneType]
        return _type_of(parts[0]) if len(parts) == 1 else ("any", ())
    if origin is not None and not isinstance(origin, type):  # Annotated
        return _type_of(get_args(annotation)[0])
    return _TYPES.get(getattr(origin or annotation, "__name__", ""), "any"), ()


def _node(name: str, stage: Stage) -> NodeView:
    return _node_of(name, "each" if any(one.is_each for one in stage.inputs) else "stage", stage.function)


def _node_of(name: str, kind: str, function: Any) -> NodeView:
    while hasattr(function, "func"):
        function = function.func
    code = getattr(function, "__code__", None)
    source = "" if code is None else f"{code.co_filename}:{code.co_firstlineno}"
    return NodeView(name, kind=kind, doc=_first_line(function), source=source)


def _first_line(function: Any) -> str:
    """Give the first line of what is written in a function of itself."""
    doc = inspect.getdoc(function) if hasattr(function, "__code__") else None
    return (doc or "").partition("\n")[0]


def _edges(stages: Mapping[str, Stage]) -> Iterator[EdgeView]:
    needs = needs_of(stages)
    for name, stage in stages.items():
        carried = [(one.edge, one.as_arg) for one in stage.inputs if one.edge is not None]
        for edge, argument in carried:
            yield EdgeView(edge.stage, name, argument, None if edge.output == RETURN else edge.output)
        told = {edge.stage for edge, _ in carried}
        yield from (EdgeView(source, name) for source in dict.fromkeys(needs[name]) if source not in told)
