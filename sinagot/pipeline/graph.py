"""What must hold of the stages of a pipeline before any of them runs.

Pure: stages in, problems out. Must not know runs.
"""

from __future__ import annotations

import heapq
import inspect
from collections.abc import Collection, Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from typing import Any

from sinagot.config.hints import did_you_mean
from sinagot.errors import DependencyError, PipelineDefinitionError
from sinagot.flow.marks import dependencies_of
from sinagot.pipeline.input import Input, dependency, param, var
from sinagot.pipeline.mappers import RETURN
from sinagot.pipeline.stage import Stage, arguments_of

__all__ = ["check_edges", "findings_of", "inferred", "needs_of", "order_of"]


def check_edges(
    pipeline: str,
    stages: Mapping[str, Stage],
    parameters: Collection[str],
    variables: Collection[str],
    paths: Collection[str],
    new: str | None = None,
) -> None:
    """Raise where an input names what there is not, or stages wait for one another in a circle.

    Where `new` is said, all but that stage were checked before.

    Raises
    ------
    PipelineDefinitionError
        Names the stage, what it asks for, and what there is.
    """
    where = f"pipeline {pipeline!r}"
    for name, stage in stages.items() if new is None else ((new, stages[new]),):
        for source in stage.needs:
            if source not in stages:
                raise _unknown(
                    f"{where}: stage {name!r} needs stage {source!r}, which there is not",
                    source,
                    stages,
                    name,
                )
        for one in stage.inputs:
            for kind, asked, known in (
                ("parameter", one.parameter, parameters),
                ("variable", one.variable, variables),
            ):
                if asked is not None and asked not in known:
                    text = f"{where}: stage {name!r} reads {kind} {asked!r}, which there is not"
                    raise _unknown(text, asked, known, name)
            if one.edge is not None:
                _check_output(where, name, stages[one.edge.stage], one.edge.stage, one.edge.output)
        for _, path in stage.paths:
            if path not in paths:
                raise _unknown(
                    f"{where}: stage {name!r} reads path {path!r}, which there is not", path, paths, name
                )
    # Nobody waits for a stage that is new, unless for a file of its.
    if new is None or stages[new].writes or new in stages[new].needs:
        order_of(pipeline, stages)


def _check_output(where: str, name: str, source: Stage, source_name: str, output: str) -> None:
    mapper = source.output_mapper
    names = (RETURN,) if mapper is None else getattr(mapper, "names", None)
    if names is not None and output not in names:
        text = f"{where}: stage {name!r} needs output {output!r} of stage {source_name!r}, which has none"
        raise _unknown(text, output, names, name)


def _unknown(text: str, asked: str, known: Collection[str], stage: str) -> PipelineDefinitionError:
    hint = did_you_mean(str(asked), list(known))
    told = f"{text}; there is {', '.join(map(str, known)) or 'none'}{'; ' + hint if hint else ''}"
    return PipelineDefinitionError(told, stage=stage)


def order_of(pipeline: str, stages: Mapping[str, Stage]) -> list[str]:
    """Give the names of the stages in an order in which they can run.

    Raises
    ------
    PipelineDefinitionError
        There is a circle; the message names its stages.
    """
    try:
        sorter = TopologicalSorter(needs_of(stages))
        sorter.prepare()
    except CycleError as error:
        circle = " <- ".join(map(repr, error.args[1]))
        raise PipelineDefinitionError(
            f"pipeline {pipeline!r}: stages wait for one another in a circle: {circle}",
            stage=error.args[1][0],
        ) from None
    places = {name: place for place, name in enumerate(stages)}
    order: list[str] = []
    ready: list[tuple[int, str]] = []
    while sorter.is_active():
        for name in sorter.get_ready():
            heapq.heappush(ready, (places[name], name))
        order.append(heapq.heappop(ready)[1])
        sorter.done(order[-1])
    return order


def needs_of(stages: Mapping[str, Stage]) -> dict[str, tuple[str, ...]]:
    """Give what must be over before each stage: what it names, and whoever writes a file that it reads."""
    writers: dict[str, list[str]] = {}
    for name, stage in stages.items():
        for way, path in stage.paths:
            if way == "out":
                writers.setdefault(path, []).append(name)
    if not writers:
        return {name: stage.needs for name, stage in stages.items()}
    found = {}
    for name, stage in stages.items():
        read = [path for way, path in stage.paths if way == "in"]
        made = [writer for path in read for writer in writers.get(path, ()) if writer != name]
        found[name] = tuple(dict.fromkeys([*stage.needs, *made]))
    return found


def findings_of(stages: Mapping[str, Stage]) -> Iterator[tuple[str, str]]:
    """Give what would go wrong for sure when a stage is called: its name, and a sentence."""
    for name, stage in stages.items():
        signature = arguments_of(stage.function)
        if signature is None:
            continue
        if inspect.iscoroutinefunction(stage.function):
            yield name, "its function is async; give one that runs it: lambda: asyncio.run(...)"
        taken = signature.parameters
        args = [one.as_arg for one in stage.inputs]
        built = () if stage.plan is None else stage.plan.dependencies
        takes_any = any(one.kind is inspect.Parameter.VAR_KEYWORD for one in taken.values())
        for arg in args:
            if arg in taken and taken[arg].kind is inspect.Parameter.POSITIONAL_ONLY:
                yield name, f"argument {arg!r} of its function can be given by place only"
            elif arg not in taken and not takes_any:
                hint = did_you_mean(arg, list(taken))
                known = ", ".join(taken) or "none"
                yield (
                    name,
                    f"its function has no argument {arg!r}; it has {known}{'; ' + hint if hint else ''}",
                )
        for arg, one in taken.items():
            is_plain = one.kind in (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
            is_only = one.kind is inspect.Parameter.POSITIONAL_ONLY
            if (is_plain or is_only) and one.default is one.empty and arg not in args and arg not in built:
                yield name, f"argument {arg!r} of its function has no input"


def inferred(
    function: Any, stages: Collection[str], parameters: Collection[str], variables: Collection[str]
) -> list[Input]:
    """Give inputs by the names of a function's arguments: a stage, a parameter or a variable of that name."""
    signature = arguments_of(function)
    try:
        built = dependencies_of(function)
    except DependencyError:
        built = {}  # the stage that is made of it will tell
    found = []
    for arg in signature.parameters if signature is not None else ():
        if arg in built:
            continue
        if arg in stages:
            found.append(dependency(arg))
        elif arg in parameters:
            found.append(param(arg))
        elif arg in variables:
            found.append(var(arg))
    return found
