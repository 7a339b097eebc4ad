"""The graphs of pipelines and flows that a run keeps, so that whoever looks at it later imports nothing of the user.

Knows steps and their scripts; must not know how a run is made. Called when one is prepared.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from sinagot.pipeline.album import keep_portrait
from sinagot.pipeline.description import Description
from sinagot.scripts.classes import load_script

if TYPE_CHECKING:
    from sinagot.engine.planning.graph import StepNode
    from sinagot.scripts.sources import SourceSet

__all__ = ["keep_portraits"]


def keep_portraits(state: str, run_id: str, nodes: Sequence[StepNode]) -> None:
    """Keep the graph of each step that has one.

    Parameters
    ----------
    state : str
        The state folder.
    run_id : str
        The run, whole.
    nodes : sequence of StepNode
        Steps of the run.
    """
    for node in nodes:
        step = node.job_step
        if step is not None and step.has_acts:
            place = "-".join(part for part in (node.task, node.modality, node.label) if part)
            make = partial(_portrait, step.source, is_flow=step.is_flow)
            keep_portrait(state, run_id, place, step.source.digest, make)


def _portrait(source: SourceSet, *, is_flow: bool) -> Description:
    from sinagot.pipeline.portrait import description_of, description_of_flow  # where no run keeps it

    script: Any = load_script(source)
    if is_flow:
        return description_of_flow(script.flow_name, script.wiring)
    return description_of(script.pipeline)
