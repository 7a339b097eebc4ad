"""What a pipeline is made of, as plain data: parameters, stages, edges, groups of stages.

Made by pipelines and by templates; views and DAG files know nothing else. A run keeps it in its folder, as JSON. Must
not know functions or values of a run.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple, Self, TypeVar

from sinagot.engine.charts.chart import in_order
from sinagot.errors import ConfigurationError
from sinagot.runlog.plain import plain_value

__all__ = ["Description", "EdgeView", "GroupView", "NodeView", "ParamView"]

_View = TypeVar("_View", bound=tuple[Any, ...])


class ParamView(NamedTuple):
    """A parameter.

    Attributes
    ----------
    name : str
        Any text.
    type : str
        Such as ``"str"``, ``"int"``, ``"float"``, ``"bool"``, ``"decimal"``, ``"date"``, ``"datetime"``, ``"choice"``,
        ``"map"``, ``"array"``; ``"any"`` when nothing is known.
    default : object
        What it is when nobody says otherwise; of no meaning when it is required.
    is_required : bool
        It has no default.
    doc : str
        What it means.
    choices : tuple
        Of a choice: what is allowed.
    is_secret : bool
        Nobody is to read its default: views show ``***``, JSON has it so, and a DAG file has nothing of it.
    """

    name: str
    type: str = "any"
    default: Any = None
    is_required: bool = False
    doc: str = ""
    choices: tuple[Any, ...] = ()
    is_secret: bool = False


class NodeView(NamedTuple):
    """A stage.

    Attributes
    ----------
    name : str
        Unique in the pipeline.
    label : str
        What people read, where it is not the name.
    kind : str
        ``"stage"``, ``"each"`` for one that runs once per element, or a kind of the templates, such as ``"bash"``; of a
        flow ``"processor"``, or ``"gatherer"`` for one that waits for all its inputs.
    group : str or None
        Name of the group it belongs to: the job of a template.
    doc : str
        What it does.
    source : str
        Where it is written: file and line.
    rule : str
        Which ends of the stages before let it run, as in `sinagot.engine.acts.act.RULES`.
    """

    name: str
    label: str = ""
    kind: str = "stage"
    group: str | None = None
    doc: str = ""
    source: str = ""
    rule: str = "all_success"


class EdgeView(NamedTuple):
    """What a stage has from another one.

    Attributes
    ----------
    source, target : str
        Names of the stage that comes first, and of the one that comes after it.
    argument : str or None
        Name of the argument that gets the value, of a flow that of the stream; None for an edge that is about order
        only.
    output : str or None
        Name of the output that is taken; None for what the stage returns.
    """

    source: str
    target: str
    argument: str | None = None
    output: str | None = None


class GroupView(NamedTuple):
    """Stages that belong together.

    Attributes
    ----------
    name : str
        Unique among the groups.
    label : str
        What people read, where it is not the name.
    doc : str
        What it is for.
    """

    name: str
    label: str = ""
    doc: str = ""


class Description(NamedTuple):
    """All that is told of a pipeline without running it.

    Attributes
    ----------
    name : str
        Of the pipeline.
    kind : str
        ``"pipeline"``, ``"template"`` when it was written in YAML, or ``"flow"``: its nodes are processors.
    doc : str
        What it is for.
    parameters : tuple of ParamView
        In the order of the user.
    nodes : tuple of NodeView
        In the order of the user.
    edges : tuple of EdgeView
        Each once.
    groups : tuple of GroupView
        In the order of the user; none in most pipelines.
    """

    name: str
    kind: str = "pipeline"
    doc: str = ""
    parameters: tuple[ParamView, ...] = ()
    nodes: tuple[NodeView, ...] = ()
    edges: tuple[EdgeView, ...] = ()
    groups: tuple[GroupView, ...] = ()

    def in_order(self) -> list[NodeView]:
        """Give the stages in the order in which one worker would run them.

        Returns
        -------
        list of NodeView
            Each behind those that it has edges from; of several that are ready, the one that was declared first.

        Raises
        ------
        ConfigurationError
            When two stages have one name, an edge names a stage that is not there, or stages wait for one another.

        Examples
        --------
        >>> nodes = (NodeView("mean"), NodeView("read"))
        >>> found = Description("p", nodes=nodes, edges=(EdgeView("read", "mean", "data"),)).in_order()
        >>> [node.name for node in found]
        ['read', 'mean']
        """
        nodes = {node.name: node for node in self.nodes}
        if len(nodes) != len(self.nodes):
            names = [node.name for node in self.nodes]
            twice = next(name for name in names if names.count(name) > 1)
            raise ConfigurationError(f"pipeline {self.name!r}: two stages are called {twice!r}")
        for edge in self.edges:
            for name in (edge.source, edge.target):
                if name not in nodes:
                    text = f"an edge from {edge.source!r} to {edge.target!r} names no stage: {name!r}"
                    raise ConfigurationError(f"pipeline {self.name!r}: {text}")
        order = in_order(list(nodes), ((edge.source, edge.target) for edge in self.edges))
        if len(order) < len(nodes):
            stuck = ", ".join(repr(name) for name in nodes if name not in set(order))
            raise ConfigurationError(f"pipeline {self.name!r}: stages wait for one another: {stuck}")
        return [nodes[name] for name in order]

    def before(self, name: str) -> set[str]:
        """Name all stages that have to be over before one, however far.

        Parameters
        ----------
        name : str
            Of a stage.

        Examples
        --------
        >>> edges = (EdgeView("a", "b"), EdgeView("b", "c"))
        >>> sorted(
        ...     Description("p", nodes=(NodeView("a"), NodeView("b"), NodeView("c")), edges=edges).before("c")
        ... )
        ['a', 'b']
        """
        sources: dict[str, list[str]] = {}
        for edge in self.edges:
            sources.setdefault(edge.target, []).append(edge.source)
        found: set[str] = set()
        left = list(sources.get(name, ()))
        while left:
            one = left.pop()
            if one not in found:
                found.add(one)
                left += sources.get(one, ())
        return found

    def as_json(self) -> dict[str, Any]:
        """Give plain values: what JSON has no word for is given as text."""
        return {
            **self._asdict(),
            "parameters": [
                one._replace(
                    default="***" if one.is_secret else plain_value(one.default),
                    choices=plain_value(one.choices),
                )._asdict()
                for one in self.parameters
            ],
            "nodes": [one._asdict() for one in self.nodes],
            "edges": [one._asdict() for one in self.edges],
            "groups": [one._asdict() for one in self.groups],
        }

    def to_json(self, indent: int | None = None) -> str:
        """Write it as JSON.

        Parameters
        ----------
        indent : int, optional
            Blanks before what is deeper; without it all is one line.

        Returns
        -------
        str
            ASCII text; `from_json` reads it.
        """
        return json.dumps(self.as_json(), indent=indent)

    @classmethod
    def from_json(cls, found: str | bytes | Mapping[str, Any]) -> Self:
        """Read what `to_json` wrote, of this version or of a later one.

        Parameters
        ----------
        found : str, bytes or mapping
            JSON, or what was read from it. Keys that nobody knows here are left out.

        Returns
        -------
        Description
            Defaults are plain values: dates, arrays and the like are texts now.

        Raises
        ------
        ConfigurationError
            When it is no description.

        Examples
        --------
        >>> one = Description("p", parameters=(ParamView("n", "int", 3),), nodes=(NodeView("a"),))
        >>> Description.from_json(one.to_json()) == one
        True
        >>> Description.from_json('{"name": "p", "colour": "red"}').name
        'p'
        """
        try:
            data = json.loads(found) if isinstance(found, (str, bytes)) else found
            parameters = _views(ParamView, data.get("parameters", ()))
            return cls(
                **_known(cls, data)
                | {
                    "parameters": tuple(one._replace(choices=tuple(one.choices)) for one in parameters),
                    "nodes": _views(NodeView, data.get("nodes", ())),
                    "edges": _views(EdgeView, data.get("edges", ())),
                    "groups": _views(GroupView, data.get("groups", ())),
                }
            )
        except (ValueError, TypeError, AttributeError) as error:
            raise ConfigurationError(f"this is no description of a pipeline: {error}") from error


def _known(kind: type[tuple[Any, ...]], found: Mapping[str, Any]) -> dict[str, Any]:
    fields: tuple[str, ...] = kind._fields  # type: ignore[attr-defined]  # of every NamedTuple
    return {name: found[name] for name in fields if name in found}


def _views(kind: type[_View], found: Iterable[Mapping[str, Any]]) -> tuple[_View, ...]:
    return tuple(kind(**_known(kind, one)) for one in found)
