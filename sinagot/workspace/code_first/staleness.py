"""Stored results that would be made otherwise now, of many workflows at once: who is told of them, and in what words.

Knows a code-first workspace's steps and how to look at the disk; must not decide what is done with such results.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from sinagot.workspace.code_first.node_blueprint import NodeBlueprint
from sinagot.workspace.looks import survey_of

if TYPE_CHECKING:
    from sinagot.engine.planning.graph import StepNode
    from sinagot.engine.planning.survey import Survey
    from sinagot.workspace.contracts import House

__all__ = ["Stale", "find_stale", "warn_of_stale"]

#: How many workflows are named.
_MOST_NAMED = 5


class Stale(NamedTuple):
    """The stale results of one node."""

    name: str
    #: Their workflows.
    ids: list[str]
    #: What changed, of the first of them.
    why: str
    #: Whether the results are stored; else they are made from what is stale.
    is_kept: bool

    @property
    def text(self) -> str:
        """Say it in one line."""
        names = ", ".join(self.ids[:_MOST_NAMED]) + (", ..." if len(self.ids) > _MOST_NAMED else "")
        verb = "are stale" if self.is_kept else "come from what is stale"
        if len(self.ids) == 1:
            verb = verb.replace("are", "is").replace("come", "comes")
        results = "1 result" if len(self.ids) == 1 else f"{len(self.ids):,} results"
        return f"{results} of {self.name!r} {verb}: {names} ({self.why})"


def find_stale(
    workspace: House, blueprint: NodeBlueprint, names: Sequence[str], ids: Sequence[str]
) -> list[Stale]:
    """Find the results of some nodes that would be made otherwise now, themselves or through what they are made from.

    Parameters
    ----------
    workspace : Workspace
        A code-first one.
    blueprint : NodeBlueprint
        Its blueprint.
    names : sequence of str
        Names of steps.
    ids : sequence of str
        The workflows.

    Returns
    -------
    list of Stale
        In the order of `names`; of nodes without stale results nothing.

    Notes
    -----
    One stat a path. What is not there is not stale: it is made when it is needed.
    """
    survey = survey_of(workspace, ids)
    graph = survey.graph
    asked = [blueprint.node_of(graph, blueprint.recipe.parts[name]) for name in names]
    feeding = {one.index: one for node in asked for one in blueprint.feeding(graph, node)}
    stale: dict[int, set[int]] = {}
    why: dict[int, str] = {}
    for number, node in sorted(feeding.items()):
        sources = [source for source in node.upstream if stale.get(source)]
        stale[number] = set[int]().union(*(stale[source] for source in sources))
        if sources:
            why[number] = why[sources[0]].removeprefix(f"{graph.nodes[sources[0]].label}: ")
            why[number] = f"{graph.nodes[sources[0]].label}: {why[number]}"
        if node.is_node and node.is_kept:
            own = _own(survey, node)
            stale[number] = {place for place in stale[number] | own if survey.present(node)[place]}
            if own:
                reasons = survey.changes.reasons(ids[min(own)], node)
                why[number] = "; ".join(reason.text for reason in reasons) or "it changed"
    return [
        Stale(node.label, [ids[place] for place in sorted(stale[node.index])], why[node.index], node.is_kept)
        for node in asked
        if stale[node.index]
    ]


def _own(survey: Survey, node: StepNode) -> set[int]:
    """Give the places of the workflows whose stored result is not what its step would make now."""
    present = survey.present(node)
    there = [place for place in range(len(survey.ids)) if present[place]]
    found = survey.changes.find_outdated([survey.ids[place] for place in there], [node])
    return {there[place] for place in found}


def warn_of_stale(
    workspace: House, blueprint: NodeBlueprint, names: Sequence[str], ids: Sequence[str], *, level: int
) -> None:
    """Warn once of all stale results of some nodes, and say how they are made again."""
    found = find_stale(workspace, blueprint, names, ids) if names and ids else []
    if not found:
        return
    title = type(workspace).__name__
    asked = ", ".join(repr(one.name) for one in found)
    text = "; ".join(one.text for one in found)
    warnings.warn(
        f"{text}; stored results are given as they are: {title}(..., stale='recompute').compute({asked}) makes them "
        "again",
        UserWarning,
        stacklevel=level,
    )
