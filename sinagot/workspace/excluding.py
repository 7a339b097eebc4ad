"""Excludes records, or parts of them, and takes that back: the surface of `sinagot.engine.state.decisions`.

Knows scopes; must not know what follows from a decision.
"""

from __future__ import annotations

from sinagot.config.hints import unknown_step
from sinagot.engine.state.decisions import (
    EXCLUDE,
    INCLUDE,
    Decision,
    Decisions,
    Target,
    append_decisions,
    decided,
)
from sinagot.workspace.contracts import Selection

__all__ = ["exclude", "include", "read_decisions"]


def read_decisions(scope: Selection) -> Decisions:
    """Read what was decided in the workspace of a scope."""
    return Decisions.read(str(scope.workspace.configuration.state_path))


def exclude(scope: Selection, reason: str, step: str | None) -> list[Decision]:
    """Exclude what a scope holds at this moment; see `Scope.exclude`."""
    if not reason.strip():
        raise ValueError("an exclusion needs a reason: whoever reads the report wants to know why")
    made = [decided(EXCLUDE, target, reason.strip()) for target in _targets(scope, step)]
    return _write(scope, made)


def include(scope: Selection, reason: str, step: str | None) -> list[Decision]:
    """Take exclusions back; see `Scope.include`."""
    decisions = read_decisions(scope)
    made = [
        decided(INCLUDE, target, reason.strip())
        for target in _targets(scope, step)
        if decisions.excludes_any(target)
    ]
    return _write(scope, made)


def _targets(scope: Selection, step: str | None) -> list[Target]:
    nodes = scope.workspace.nodes_of(scope, None)
    # Of a group step a record is left out by the same words.
    known = list(dict.fromkeys([*(node.label for node in nodes), *scope.steps.group_names()]))
    if step is not None and step not in known:
        raise unknown_step(repr(scope), step, known)
    # One line a record, also for a whole collection: what arrives later was not meant.
    return [Target(record_id, scope.task, scope.modality, step) for record_id in scope.record_ids()]


def _write(scope: Selection, made: list[Decision]) -> list[Decision]:
    if made:
        append_decisions(str(scope.workspace.configuration.state_path), made)
    return made
