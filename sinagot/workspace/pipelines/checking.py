"""What would go wrong with the pipelines of a workspace for sure, found without running anything.

Knows pipelines, their tables and their parameters; must not know how problems are shown.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from sinagot.errors import SinagotError
from sinagot.workspace.parameters import Parameters
from sinagot.workspace.pipelines.listed import Listed
from sinagot.workspace.pipelines.parameters import PipelineParameters
from sinagot.workspace.pipelines.steps import table_doubts

if TYPE_CHECKING:
    from sinagot.workspace.contracts import House

__all__ = ["problems_of", "stray_tables_of"]


def problems_of(workspace: House | None, pipeline: Listed) -> list[str]:
    """Give all that is wrong with a pipeline.

    Parameters
    ----------
    workspace : Workspace, optional
        Whose it is.
    pipeline : HousePipeline
        Which.

    Returns
    -------
    list of str
        Each with the file, and the line where that is known.
    """
    try:
        made = pipeline.pipeline
    except SinagotError as error:
        return [str(one) for one in getattr(error, "problems", ()) or (error,)]
    found = [f"{pipeline.file}: pipeline {pipeline.name!r}: {text}" for text in made.check()]
    problems: Iterator[SinagotError]
    if workspace is not None and pipeline.kind == "step":
        problems = _of_step(workspace, pipeline)
    else:
        configuration = None if workspace is None else workspace.configuration
        layers = PipelineParameters(configuration, pipeline.name, made.parameters)
        # What a run has to be given is no problem before there is a run.
        problems = (one for one in layers.problems(are_all_given=False))
    return [*found, *map(str, problems)]


def _of_step(workspace: House, pipeline: Listed) -> Iterator[SinagotError]:
    """Check the parameters of a step, for all records."""
    graph = workspace.blueprint.graph()
    nodes = [node for node in (*graph.nodes, *graph.groups) if node.place in pipeline.places]
    yield from Parameters(workspace.configuration, is_fresh=True).problems(nodes)
    yield from (node.error for node in nodes if node.error is not None)


def stray_tables_of(workspace: House, pipelines: Any) -> list[str]:
    """Give the tables of `[pipelines]` that are about none; nothing is said of names that a broken file may define."""
    is_all_known = not pipelines.errors
    return table_doubts(workspace, list(pipelines) if is_all_known else None)
