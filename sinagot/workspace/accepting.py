"""From a scope to what is settled in it: who, when and why.

Knows workspaces; what is outdated is the engine's to say.
"""

from __future__ import annotations

import os
import sys

from sinagot.engine.planning.accept import Accepted
from sinagot.engine.planning.accept import accept as settle
from sinagot.engine.request import new_run_id
from sinagot.engine.state.decisions import user_name
from sinagot.workspace.contracts import Selection
from sinagot.workspace.looks import group_survey_of, survey_of

__all__ = ["accept"]


def accept(scope: Selection, reason: str, step_label: str | None) -> list[Accepted]:
    """Settle what changed for the results of a scope; see `StepCollection.accept`."""
    if not reason.strip():
        raise ValueError("a reason is needed: others will ask why")
    workspace = scope.workspace
    survey = survey_of(workspace, scope.record_ids())
    facts = {
        "reason": reason,
        "user": user_name(),
        "host": os.uname().nodename,
        "pid": os.getpid(),
        "argv": sys.argv,
    }
    state = str(workspace.configuration.state_path)
    accepted = settle(survey, workspace.nodes_of(scope, step_label), state, new_run_id(), facts)
    groups = workspace.groups_of(scope, step_label)
    if groups:
        accepted += settle(group_survey_of(scope), groups, state, new_run_id(), facts)
    return accepted
