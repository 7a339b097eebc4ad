"""Steps of a scope: look at them, ask for their status, run them.

Knows scopes and makes requests of the engine from them; must not execute anything itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from sinagot.config.hints import did_you_mean
from sinagot.engine.status import StepStatus
from sinagot.errors import NotFoundError, NotUnitError
from sinagot.workspace.contracts import Selection
from sinagot.workspace.looks import survey_of
from sinagot.workspace.running import start_run
from sinagot.workspace.tables import logs_frame, status_frame

if TYPE_CHECKING:
    from distributed import Client
    from pandas import DataFrame

    from sinagot.engine.report import RunReport
    from sinagot.engine.run import Progress
    from sinagot.scripts.template import ScriptTemplate

__all__ = ["Step", "StepCollection"]


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
        library = self.model.workspace.blueprint.library
        return library.load(library.spec(self.label, self.modality, self.task))

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
            made.path = survey_of(workspace, [self.id]).script_paths(node, self.id)
        return made

    def status(self) -> int:
        """Give the status of the step for its record: a value of `StepStatus`.

        Raises
        ------
        NotUnitError
            The step is of a collection, or of a record without its task and modality.
        """
        if self.id is None or not self.model.is_unit:
            raise NotUnitError(
                f"{self!r}: a status belongs to one record, task and modality; use steps.status() for a table",
                scope=self.model,
            )
        for row in StepCollection(self.model).iter_status(self.label):
            return int(row["step_status"])
        raise NotFoundError(f"no step {self.label!r}", name=self.label)

    def run(
        self, force: bool = False, ignore_missing: bool = False, debug: bool = False, **options: Any
    ) -> RunReport:
        """Run this step only; see `StepCollection.run`."""
        return StepCollection(self.model).run(self.label, force, ignore_missing, debug, **options)

    def logs(self) -> DataFrame:
        """Give the log lines of the step as a table, newest first."""
        return logs_frame(self.model, self.label)

    def __repr__(self) -> str:
        if self.model.workspace.is_unit_mode:
            return f"<Step instance | label: {self.label}>"
        return f"<ScopedStep instance | task: {self.task}, modality: {self.modality}, label: {self.label}>"


class StepCollection:
    """The steps of a scope.

    Parameters
    ----------
    model : Scope
        A collection of records or a record.

    Examples
    --------
    >>> import sinagot
    >>> steps = sinagot.Workspace("example/harbor").steps
    >>> steps.scripts_names(), steps.count(), steps.get("mean")
    (['count', 'mean'], 2, <Step instance | label: mean>)
    """

    def __init__(self, model: Selection) -> None:
        self.model = model

    @property
    def _is_flat(self) -> bool:
        return self.model.workspace.is_unit_mode or self.model.modality is not None

    def _names(self, modality: str | None) -> list[str]:
        task = self.model.task
        workspace = self.model.workspace
        if (
            modality is not None
            and task is not None
            and modality not in workspace.configuration.tasks[task].modalities
        ):
            return []
        return workspace.blueprint.script_names(task, modality)

    def _by_modality(self, take: Callable[[str | None], Any]) -> Any:
        if self._is_flat:
            return take(self.model.modality)
        return {name: take(name) for name in self.model.workspace.configuration.modalities}

    def scripts_names(self) -> Any:
        """List the names of the steps; a dict modality -> list for a scope without a modality."""
        return self._by_modality(self._names)

    def count(self) -> Any:
        """Count the steps; a dict modality -> int for a scope without a modality."""
        return self._by_modality(lambda modality: len(self._names(modality)))

    def first(self) -> Any:
        """Give the first step, None without one; a dict for a scope without a modality."""

        def take(modality: str | None) -> Step | None:
            names = self._names(modality)
            return Step(self._of(modality), names[0]) if names else None

        return self._by_modality(take)

    def _of(self, modality: str | None) -> Selection:
        if modality is None or self.model.modality is not None:
            return self.model
        scope: Selection = self.model.get_subscope(modality=modality)
        return scope

    def get(self, script_name: str) -> Any:
        """Give a step by name; a dict modality -> step (None where unknown) for a scope without a modality.

        Raises
        ------
        NotFoundError
            There is no such step; also a LookupError.
        """
        if self._is_flat:
            self._check(script_name)
            return Step(self.model, script_name)
        return self._by_modality(
            lambda modality: (
                Step(self._of(modality), script_name) if script_name in self._names(modality) else None
            )
        )

    def all(self) -> Iterator[Step]:
        """Give the steps, modality by modality."""
        if self._is_flat:
            for name in self._names(self.model.modality):
                yield Step(self.model, name)
        else:
            for modality, names in self.scripts_names().items():
                for name in names:
                    yield Step(self._of(modality), name)

    def __iter__(self) -> Iterator[Step]:
        return self.all()

    def _check(self, step_label: str) -> None:
        names = self.scripts_names()
        known = (
            names
            if isinstance(names, list)
            else list(dict.fromkeys(name for some in names.values() for name in some))
        )
        if step_label not in known:
            hint = did_you_mean(step_label, known)
            text = f"{self.model!r} has no step {step_label!r}; steps are {', '.join(known) or 'none'}"
            raise NotFoundError(f"{text}; {hint}" if hint else text, name=step_label, allowed=known)

    def run(
        self,
        step_label: str | None = None,
        force: bool = False,
        ignore_missing: bool = False,
        debug: bool = False,
        *,
        dry_run: bool = False,
        mode: str | None = None,
        workers: int | None = None,
        client: Client | None = None,
        address: str | None = None,
        exclusive: bool = False,
        printing: bool = True,
        progress: Callable[[Progress], None] | None = None,
        wait: bool = True,
    ) -> RunReport:
        """Run the steps of the scope that are not done.

        Parameters
        ----------
        step_label : str, optional
            Run this step only.
        force : bool
            Run also what is up to date.
        ignore_missing : bool
            Run also where inputs are not there.
        debug : bool
            Run in this process, in order, and let the script's own exception out.
        dry_run : bool
            Plan only; the report's `plan` says what would run and why.
        mode : {"main_process", "processes", "dask"}, optional
            Where jobs run; as configured when not given.
        workers : int, optional
            Number of worker processes; without `mode` it means ``"processes"``.
        client : distributed.Client, optional
            Run through this client; it stays open.
        address : str, optional
            Run through the Dask scheduler at this address.
        exclusive : bool
            Refuse to start while another run works on the workspace.
        printing : bool
            Print the lines of the attempts to standard output.
        progress : callable, optional
            Called with a `Progress` some times a second.
        wait : bool
            Return when the run is over. With False a thread goes on with it and fills the report; see `RunReport.wait`.

        Returns
        -------
        RunReport
            What became of every job.

        Raises
        ------
        NotFoundError
            There is no such step.
        ScriptError
            Some scripts are broken; what could run has run, `report` has it.
        WorkspaceBusyError
            Exclusive use was asked for and another run is going on.
        KeyboardInterrupt
            Ctrl-C; its `report` has what was done.
        SystemExit
            SIGTERM or SIGHUP (code 143 or 129), with `report` as well.
        """
        if step_label is not None:
            self._check(step_label)
        return start_run(
            self.model,
            step_label,
            force=force,
            ignore_missing=ignore_missing,
            debug=debug,
            dry_run=dry_run,
            mode=mode,
            workers=workers,
            client=client,
            address=address,
            exclusive=exclusive,
            printing=printing,
            progress=progress,
            wait=wait,
        )

    def iter_status(self, step_label: str | None = None) -> Iterator[dict[str, Any]]:
        """Give one row a record, unit and step: `record_id, task, modality, step_index, step_label, step_status`."""
        model = self.model
        workspace = model.workspace
        nodes = workspace.nodes_of(model, step_label)
        ids = model.record_ids()
        survey = survey_of(workspace, ids)
        for record, record_id in enumerate(ids):
            for node in nodes:
                status = StepStatus.ERROR if node.error is not None else survey.status(record, node)
                yield {
                    "record_id": record_id,
                    "task": node.task,
                    "modality": node.modality,
                    "step_index": node.step_index,
                    "step_label": node.label,
                    "step_status": int(status),
                }
        workspace.note_problems(survey.problems)

    def status(self) -> DataFrame:
        """Give the status of every step as a table.

        Returns
        -------
        DataFrame
            One row a step and unit; columns `record_id, task, modality, step_index` (from 1), `step_label`,
            `step_status` (a value of `StepStatus`).
        """
        return status_frame(self.iter_status())

    def __repr__(self) -> str:
        if self.model.workspace.is_unit_mode:
            return "<StepCollection instance>"
        return f"<StepCollection instance | task: {self.model.task}, modality: {self.model.modality}>"
