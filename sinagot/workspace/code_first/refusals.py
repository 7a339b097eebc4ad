"""Errors of data that could not be given: what failed or was refused on the way, as exceptions that users catch.

Knows answers of sessions and reports of runs; must not know how they were computed. Reading an attribute raises them,
and a batch that is asked to.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from sinagot.engine.job import Outcome
from sinagot.engine.memory import Memory
from sinagot.engine.planning.graph import RecordGraph, StepNode
from sinagot.engine.planning.plan import Verdict
from sinagot.engine.session import Answer
from sinagot.errors import MissingDataError, StepFailedError, StoredDataError
from sinagot.workspace.code_first.node_blueprint import NodeBlueprint

if TYPE_CHECKING:
    from sinagot.engine.accounts.report import RunReport

__all__ = ["raise_failure", "raise_failure_of"]


def raise_failure_of(
    blueprint: NodeBlueprint,
    graph: RecordGraph,
    node: StepNode,
    workflow_id: str,
    answer: Answer,
    memory: Memory,
) -> None:
    """Raise when the node could not be made: with the step's own exception where a step failed."""
    failed = [label for label, result in answer.results.items() if result.outcome == Outcome.FAILED]
    if failed:
        error = memory.error
        memory.forget_error()
        if isinstance(error, StoredDataError):
            raise error
        name = failed[0]
        cause = answer.results[name].cause
        blocked = tuple(
            label for label, result in answer.results.items() if result.outcome == Outcome.BLOCKED
        )
        behind = f"; not begun: {', '.join(blocked)}" if blocked else ""
        what = f"{cause.exc_type}: {cause.message}" if cause is not None else "it failed"
        raise StepFailedError(
            f"step {name!r} of {workflow_id!r} failed: {what}{behind}",
            workflow_id=workflow_id,
            node=name,
            blocked=blocked,
        ) from error
    for planned in answer.planned:
        one = graph.nodes[planned.node]
        if planned.verdict in (Verdict.MISSING_INPUT, Verdict.BLOCKED, Verdict.EXCLUDED):
            _raise_refusal(
                blueprint, one, node, workflow_id, planned.verdict, planned.missing, planned.reasons[0].text
            )
    for label, result in answer.results.items():
        if result.outcome not in (Outcome.DONE, Outcome.DONE_ELSEWHERE, Outcome.UP_TO_DATE):
            one = next(each for each in graph.nodes if each.label == label)
            _raise_refusal(blueprint, one, node, workflow_id, result.outcome, result.missing, result.outcome)


def _raise_refusal(
    blueprint: NodeBlueprint,
    one: StepNode,
    asked: StepNode,
    workflow_id: str,
    word: str,
    missing: Sequence[str],
    text: str,
) -> None:
    if word == Outcome.MISSING_INPUT:
        values = blueprint.values_of(workflow_id)
        paths = [slot.final(values) for slot in one.inputs if not slot.free]
        found = [slot.name for slot, path in zip(one.inputs, paths, strict=False) if path in missing]
        names = [name for name in found if name is not None]
        raise MissingDataError(
            f"{asked.label!r} of {workflow_id!r} cannot be made: {' and '.join(map(repr, names)) or 'input'} "
            f"is not there: {', '.join(missing)}",
            node=names[0] if names else one.label,
            workflow_id=workflow_id,
            record_id=workflow_id,
            path=Path(missing[0]) if missing else None,
        )
    raise StepFailedError(
        f"{asked.label!r} of {workflow_id!r} cannot be made: {one.label}: {text}",
        workflow_id=workflow_id,
        node=one.label,
        blocked=(asked.label,),
    )


def raise_failure(report: RunReport) -> None:
    """Raise what failed first in a run, with the exception of the user's step as its cause.

    Raises
    ------
    StepFailedError
        Where anything failed.
    """
    groups = [group for group in report.failures if group.outcome == Outcome.FAILED] or report.failures
    if not groups:
        return
    first, blocked = groups[0], [group for group in report.failures if group.outcome == Outcome.BLOCKED]
    raise StepFailedError(
        f"step {first.step!r} of {first.records[0]!r} failed: {first.cause}",
        report=report,
        workflow_id=first.records[0],
        node=first.step,
        blocked=tuple(group.step for group in blocked if first.records[0] in group.records),
    ) from first.exception
