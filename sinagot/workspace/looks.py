"""A look at the disk for some records of a workspace, at this moment.

Knows how a workspace's folders make a survey; must not decide what the facts mean.
"""

from __future__ import annotations

from collections.abc import Sequence

from sinagot.engine.survey import Survey
from sinagot.workspace.contracts import House

__all__ = ["survey_of"]


def survey_of(workspace: House, ids: Sequence[str]) -> Survey:
    """Look at what is there for some records."""
    blueprint = workspace.blueprint
    configuration = workspace.configuration
    return Survey(
        blueprint.graph(), ids, blueprint.ids, str(configuration.state_path), str(configuration.log_path)
    )
