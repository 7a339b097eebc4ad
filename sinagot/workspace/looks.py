"""A look at the disk for some records of a workspace, at this moment.

Knows how a workspace's folders make a survey; must not decide what the facts mean.
"""

from __future__ import annotations

from collections.abc import Sequence

from sinagot.engine.planning.census import Census
from sinagot.engine.planning.graph import StepNode
from sinagot.engine.planning.groups import GroupSurvey, IdsOf
from sinagot.engine.planning.status import StepStatus
from sinagot.engine.planning.survey import Survey
from sinagot.errors import ScriptError
from sinagot.workspace.contracts import House, Selection
from sinagot.workspace.parameters import Parameters

__all__ = ["census_of", "group_ids", "group_status_of", "group_survey_of", "status_of", "survey_of"]


def survey_of(workspace: House, ids: Sequence[str], rerun: str | None = None) -> Survey:
    """Look at what is there for some records; `rerun` is when steps run again, whatever is said of them."""
    blueprint = workspace.blueprint
    configuration = workspace.configuration
    return Survey(
        blueprint.graph(),
        ids,
        blueprint.ids,
        str(configuration.state_path),
        str(configuration.log_path),
        rerun=rerun,
        params_of=Parameters(configuration, is_lenient=True),
        is_alone=len(ids) == 1,
    )


def status_of(survey: Survey, record: int, node: StepNode) -> StepStatus:
    """Give the status of a step for a record; a step that can't be loaded is an error."""
    return StepStatus.ERROR if node.error is not None else survey.status(record, node)


def group_status_of(survey: GroupSurvey, node: StepNode) -> StepStatus:
    """Give the status of a group step; one that can't be loaded is an error."""
    return StepStatus.ERROR if node.error is not None else survey.group_status(node)


def census_of(workspace: House, ids: Sequence[str], former: Census | None = None) -> Census:
    """Look at what is there for all records, beginning with what a former look knows."""
    blueprint = workspace.blueprint
    configuration = workspace.configuration
    return Census(
        blueprint.graph(),
        ids,
        blueprint.ids,
        str(configuration.state_path),
        str(configuration.log_path),
        params_of=Parameters(configuration, is_lenient=True),
        former=former,
    )


def group_survey_of(scope: Selection) -> GroupSurvey:
    """Look at what is there for the group steps of a scope."""
    blueprint = scope.workspace.blueprint
    configuration = scope.workspace.configuration
    return GroupSurvey(
        blueprint.graph(),
        blueprint.ids,
        str(configuration.state_path),
        str(configuration.log_path),
        params_of=Parameters(configuration, is_lenient=True),
        ids_of=group_ids(scope),
    )


def group_ids(scope: Selection, known: Sequence[str] | None = None) -> IdsOf:
    """Say how the records of a group step are listed: once for each task and modality.

    Parameters
    ----------
    scope : Selection
        All records of one task and modality, or of several.
    known : sequence of str, optional
        Its records, where they are listed already.
    """
    listed: dict[tuple[str | None, str | None], Sequence[str]] = {}
    if scope.is_unit and known is not None:
        listed[scope.task, scope.modality] = known

    def ids_of(node: StepNode) -> Sequence[str]:
        unit = (node.task, node.modality)
        if unit not in listed:
            try:
                listed[unit] = scope.workspace.make_collection(*unit).record_ids()
            except ScriptError:  # of the step that says where raw data are: that is told for itself
                listed[unit] = ()
        return listed[unit]

    return ids_of
