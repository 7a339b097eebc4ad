"""A quick look at a scope: how many records each step has of each status, within a time.

Knows surveys; must not decide what a status is. Pictures for notebooks are made from it: they must come at once.
"""

from __future__ import annotations

import time
from collections import Counter
from typing import NamedTuple

from sinagot.engine.planning.graph import StepNode
from sinagot.engine.planning.status import StepStatus
from sinagot.engine.planning.survey import Survey
from sinagot.workspace.contracts import Selection
from sinagot.workspace.looks import group_status_of, group_survey_of, status_of, survey_of

__all__ = ["Glance", "glance"]

#: Seconds that counting may take; listing the records comes on top.
LONGEST = 0.5


class Glance(NamedTuple):
    """What was seen.

    Attributes
    ----------
    ids : list of str
        All records.
    seen : int
        Records that are counted.
    steps : list of (StepNode, Counter)
        Steps with the number of records of each status, by its name.
    groups : list of (StepNode, str)
        Steps for all records with the name of their status; none where time was short.
    """

    ids: list[str]
    seen: int
    steps: list[tuple[StepNode, Counter[str]]]
    groups: list[tuple[StepNode, str]]

    @property
    def is_whole(self) -> bool:
        """Every record is counted."""
        return self.seen == len(self.ids)


def glance(scope: Selection, step_label: str | None = None, seconds: float | None = None) -> Glance:
    """Count statuses: of records of which all is there at once, of the others until the time is over.

    Parameters
    ----------
    scope : Selection
        A collection or a record.
    step_label : str, optional
        This step only.
    seconds : float, seconds, optional
        So long records are looked at one by one, one of them in any case; `LONGEST` when not given.

    Raises
    ------
    ScriptError
        No first step says where the raw data are.
    """
    workspace = scope.workspace
    ids = scope.record_ids()
    survey = survey_of(workspace, ids)
    # A value that nothing stores has no status of its own.
    nodes = [node for node in workspace.nodes_of(scope, step_label) if node.is_kept or not node.is_node]
    whole = _find_whole(survey, nodes)
    done = Counter({StepStatus.DONE.name: whole.count(1)}) if any(whole) else Counter[str]()
    counts = [done.copy() for _ in nodes]
    seen = whole.count(1)
    end = None
    for record in (number for number, is_whole in enumerate(whole) if not is_whole):
        for node, count in zip(nodes, counts, strict=True):
            count[status_of(survey, record, node).name] += 1
        seen += 1
        now = time.monotonic()
        end = end or now + (
            LONGEST if seconds is None else seconds
        )  # the first one is dear: folders are listed for it
        if now > end:
            break
    workspace.note_problems(survey.problems)
    groups = workspace.groups_of(scope, step_label) if seen == len(ids) else []
    look = group_survey_of(scope) if groups else None
    found = [(node, group_status_of(look, node).name) for node in groups] if look is not None else []
    return Glance(ids, seen, list(zip(nodes, counts, strict=True)), found)


def _find_whole(survey: Survey, nodes: list[StepNode]) -> bytes:
    """Say of each record (1 or 0) whether all steps are done, where listings alone tell."""
    flags = bytes(len(survey.ids))
    if not nodes or any(node.error is not None or survey.rerun_of(node) == "outdated" for node in nodes):
        return flags
    if any(not node.is_kept or any(slot.full is None for slot in node.outputs) for node in nodes):
        return flags  # never done, or one look at the disk for each record
    for number, node in enumerate(nodes):
        present = bytes(survey.present(node))
        flags = present if not number else bytes(a & b for a, b in zip(flags, present, strict=True))
    if not (survey.failed or survey.claims or survey.decisions):
        return flags
    return bytes(
        flag and not survey.is_marked(one) and not survey.decisions.speaks_of(one)
        for flag, one in zip(flags, survey.ids, strict=True)
    )
