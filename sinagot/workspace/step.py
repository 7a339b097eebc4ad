"""One step of a scope, as a user holds it: its script, its status, its logs, and a run of it alone.

Knows its scope; what it does is done by the scope's collection of steps (`sinagot.workspace.steps`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sinagot.errors import NotFoundError, NotUnitError
from sinagot.workspace.contracts import Selection
from sinagot.workspace.looks import survey_of
from sinagot.workspace.tables import logs_frame

if TYPE_CHECKING:
    from pandas import DataFrame

    from sinagot.engine.accounts.report import RunReport
    from sinagot.scripts.template import ScriptTemplate

__all__ = ["Step"]


class Step:
    """One step of a scope.

    Attributes
    ----------
    label : str
        Name of the script.
    model : Scope
        The scope that the step was taken from.
    """

    def __init__(self, model: Selection, label: str) -> None:
        self.model = model
        self.label = label

    @property
    def id(self) -> str | None:
        """Id of the record, None on a collection."""
        return getattr(self.model, "id", None) if self.model.is_record else None

    @property
    def task(self) -> str | None:
        """Task of the scope."""
        return self.model.task

    @property
    def modality(self) -> str | None:
        """Modality of the scope."""
        return self.model.modality

    @property
    def script_class(self) -> type[ScriptTemplate]:
        """The class `Script` of the script's file, as the file is now.

        Raises
        ------
        ScriptError
            The file is missing or broken.
        """
        return self.model.workspace.blueprint.script_class(self.label, self.modality, self.task)

    @property
    def script(self) -> ScriptTemplate:
        """An instance of the script's class; its paths are the final ones and it has no logger."""
        workspace = self.model.workspace
        made = self.script_class(
            workspace.data_path, self.id or "", task=self.task, workspace_version=workspace.version
        )
        made.label = self.label
        made.modality = self.modality
        if self.id is not None and self.model.is_unit:
            # Labels of tasks and modalities, and outputs elsewhere, are known here and not to the script.
            (node,) = workspace.nodes_of(self.model, self.label)
            survey = survey_of(workspace, [self.id])
            made.path = survey.script_paths(node, self.id)
            made._given_params = survey.params_of(node, self.id)
        return made

    def status(self) -> int:
        """Give the status of the step for its record: a value of `StepStatus`.

        Raises
        ------
        NotUnitError
            The step is of a collection, or of a record without its task and modality.
        """
        is_group = self.label in self.model.steps.group_names() and self.model.is_whole
        if (self.id is None and not is_group) or not self.model.is_unit:
            raise NotUnitError(
                f"{self!r}: a status belongs to one record, task and modality; use steps.status() for a table",
                scope=self.model,
            )
        for row in self.model.steps.iter_status(self.label):
            return int(row["step_status"])
        raise NotFoundError(f"no step {self.label!r}", name=self.label)

    def run(
        self, force: bool = False, ignore_missing: bool = False, debug: bool = False, **options: Any
    ) -> RunReport:
        """Run this step only; see `StepCollection.run`."""
        report: RunReport = self.model.steps.run(self.label, force, ignore_missing, debug, **options)
        return report

    def logs(self) -> DataFrame:
        """Give the log lines of the step as a table, newest first."""
        return logs_frame(self.model, self.label)

    def _repr_html_(self) -> str:
        from sinagot.workspace.display.cards import steps_card  # in notebooks only

        return steps_card(self.model, repr(self), self.label)

    def __repr__(self) -> str:
        if self.model.workspace.is_unit_mode:
            return f"<Step instance | label: {self.label}>"
        return f"<ScopedStep instance | task: {self.task}, modality: {self.modality}, label: {self.label}>"
