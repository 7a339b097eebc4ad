"""Settles changes that do not change results: what stands there counts as made from what is there now.

Knows surveys and the history; must not decide what is outdated. The scripts are not run, the outputs stay as they are.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from sinagot.engine.planning.graph import StepNode
from sinagot.engine.planning.outdated import Present
from sinagot.engine.planning.plan import Reason
from sinagot.engine.planning.survey import Survey
from sinagot.engine.state.history import EventFile, RunFolder
from sinagot.runlog.lines import now_utc

__all__ = ["Accepted", "accept", "outdated_jobs"]


class Accepted(NamedTuple):
    """One result whose changes were settled."""

    record_id: str
    node: StepNode
    reasons: tuple[Reason, ...]


def outdated_jobs(survey: Survey, nodes: Sequence[StepNode]) -> Iterator[tuple[Accepted, Present]]:
    """Give the results of some steps that are not what would be made now, whatever their `rerun` says.

    Parameters
    ----------
    survey : Survey
        Of the records.
    nodes : sequence of StepNode
        The steps.

    Yields
    ------
    Accepted, Present
        The result with what changed, and what is there now. A result behind a failure or an open claim is left out:
        it is not finished.
    """
    for record, record_id in enumerate(survey.ids):
        for node in nodes:
            if node.error is not None or not survey.present(node)[record]:
                continue
            facts = survey.facts(record, node)
            if facts.claim is not None or facts.failed or facts.excluded is not None:
                continue
            reasons = survey.changes.reasons(record_id, node)
            if reasons:
                yield Accepted(record_id, node, reasons), survey.changes.present(record_id, node)


def accept(
    survey: Survey, nodes: Sequence[StepNode], state: str, run_id: str, facts: dict[str, Any]
) -> list[Accepted]:
    """Settle what changed for some results.

    Parameters
    ----------
    survey : Survey
        Of the records.
    nodes : sequence of StepNode
        The steps.
    state : str
        The state folder.
    run_id : str
        Names the folder that keeps it, as that of a run does.
    facts : dict
        Who, why, and what else its manifest should tell.

    Returns
    -------
    list of Accepted
        What was settled; nothing is written when there is nothing.

    Raises
    ------
    OSError
        It could not be written down.
    """
    accepted: list[Accepted] = []
    folder = RunFolder(state, run_id)
    file: EventFile | None = None
    try:
        for one, now in outdated_jobs(survey, nodes):
            if file is None:
                folder.begin(kind="accept", **facts)
                file = EventFile(folder.path, f"{os.uname().nodename}-{os.getpid()}")
            file.append(_event(survey, one, now))
            accepted.append(one)
    finally:
        if file is not None:
            file.close()
            folder.end(counts={"accepted": len(accepted)}, ok=True)
    return accepted


def _event(survey: Survey, one: Accepted, now: Present) -> dict[str, Any]:
    key = one.node.key(one.record_id)
    former = survey.changes.origins.get(key)
    return {
        "event": "accepted",
        "key": key,
        "time": now_utc(),
        "record_id": one.record_id,
        "task": one.node.task,
        "modality": one.node.modality,
        "step_label": one.node.label,
        "duration_s": former.duration if former is not None else 0.0,
        "inputs": now.inputs,
        "outputs": now.outputs,
        "code": now.code,
        "params": now.params,
        "paths": now.paths,
        "reasons": [reason.text for reason in one.reasons],
    }
