"""An immutable selection: records or one record, x task or all, x modality or all.

Knows its workspace and what it narrows; every narrowing gives a new scope. Task and modality names are found on the
instance, never written on a class, so that two workspaces in one program never meet.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from sinagot.config.hints import did_you_mean
from sinagot.errors import ScopeError
from sinagot.workspace.contracts import House
from sinagot.workspace.display.views import Views
from sinagot.workspace.steps import StepCollection
from sinagot.workspace.tables import count_frame

if TYPE_CHECKING:
    import logging

    from pandas import DataFrame

    from sinagot.engine.state.decisions import Decision
    from sinagot.workspace.reports.flows import FlowReport

__all__ = ["Scope"]


class Scope(Views):
    """What collections of records and records have in common.

    Parameters
    ----------
    workspace : Workspace
        Where the scope belongs.
    task, modality : str, optional
        What it is narrowed to; None means all.

    Notes
    -----
    A custom class may fix `task` as a class attribute; its scopes are then of that task.
    """

    def __init__(self, workspace: House, task: str | None = None, modality: str | None = None) -> None:
        self._workspace = workspace
        self._modality = modality
        if not isinstance(getattr(type(self), "task", None), str):
            self._task = task

    # Properties that a custom class may replace by a plain class attribute.
    @property
    def task(self) -> str | None:
        """Name of the task, None for all (always None in unit mode)."""
        return self._task

    @property
    def modality(self) -> str | None:
        """Name of the modality, None for all (always None in unit mode)."""
        return self._modality

    @property
    def workspace(self) -> House:
        """The workspace of the scope."""
        return self._workspace

    @property
    def config(self) -> dict[str, Any]:
        """A copy of the configuration."""
        return self._workspace.config

    @property
    def logger(self) -> logging.Logger:
        """The logger of the workspace."""
        return self._workspace.logger

    @property
    def is_unit(self) -> bool:
        """True when task and modality are both set, and always in unit mode."""
        return self._workspace.is_unit_mode or (self.task is not None and self.modality is not None)

    @property
    def steps(self) -> StepCollection:
        """The steps of the scope."""
        return StepCollection(self)

    # -- narrowing

    def get_subscope(self, task: str | None = None, modality: str | None = None) -> Any:
        """Narrow the scope to a task, a modality or both.

        Parameters
        ----------
        task, modality : str, optional
            Names as in the configuration; None keeps what the scope has.

        Returns
        -------
        Scope
            A new one of the same kind (records stay records).

        Raises
        ------
        ScopeError
            The task, the modality or their combination is not configured; also an AttributeError.
        """
        wanted_task = self.task if task is None else task
        wanted_modality = self.modality if modality is None else modality
        problem = self._problem(task, modality, wanted_task, wanted_modality)
        if problem:
            raise ScopeError(f"{self!r}: {problem}", scope=self, attribute=task or modality)
        return self._narrowed(wanted_task, wanted_modality)

    def _problem(
        self, task: str | None, modality: str | None, wanted_task: str | None, wanted_modality: str | None
    ) -> str:
        config = self._workspace.configuration
        for kind, name, table in (("task", task, config.tasks), ("modality", modality, config.modalities)):
            if name is not None and name not in table:
                return f"no {kind} {name!r}; there {'are' if table else 'is'} {', '.join(table) or 'none'}"
        if (task is not None and self.task not in (None, task)) or (
            modality is not None and self.modality not in (None, modality)
        ):
            return f"the scope is narrowed to task {self.task}, modality {self.modality} already"
        if wanted_task is not None and wanted_modality is not None:
            allowed = config.tasks[wanted_task].modalities
            fixed = self._workspace.fixed_task(wanted_modality)
            if fixed not in (None, wanted_task):
                return f"modality {wanted_modality!r} is one of task {fixed!r} (its class says so)"
            if wanted_modality not in allowed and fixed is None:
                return (
                    f"task {wanted_task!r} has no modality {wanted_modality!r}; it has {', '.join(allowed)}"
                )
        return ""

    def _narrowed(self, task: str | None, modality: str | None) -> Scope:
        raise NotImplementedError

    def __getattr__(self, name: str) -> Any:
        if hasattr(type(self), name):
            # A property raised an AttributeError: let that one be seen, not a message about the property's name.
            return object.__getattribute__(self, name)
        if not name.startswith("_"):
            config = self._workspace.configuration
            if name in config.tasks and self.task is None:
                return self.get_subscope(task=name)
            if name in config.modalities and self.modality is None:
                return self.get_subscope(modality=name)
            raise ScopeError(
                f"{self!r} has no attribute {name!r}{self._near(name)}",
                scope=self,
                attribute=name,
                allowed=self._names(),
            )
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def _near(self, name: str) -> str:
        hint = did_you_mean(name, self.__dir__())
        return f"; {hint}" if hint else ""

    def _names(self) -> list[str]:
        """List the tasks and modalities that the scope can be narrowed to."""
        return [*self.iter_tasks(), *self._open_modalities()]

    def _open_modalities(self) -> list[str]:
        if self._workspace.is_unit_mode or self.modality is not None:
            return []
        names = list(self.iter_modalities())
        if self.task is None:
            # A modality that no task lists has no units, yet it may hold data of a plugin.
            names += [name for name in self._workspace.configuration.modalities if name not in names]
        return names

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *(name for name in self._names() if name.isidentifier())})

    # -- looking round

    def iter_tasks(self) -> Iterator[str]:
        """Give the names of the tasks, in configuration order; nothing when the task is fixed already."""
        if self.task is None and not self._workspace.is_unit_mode:
            units = self._workspace.blueprint.units(None, self.modality)
            yield from dict.fromkeys(str(task) for task, _ in units)

    def iter_modalities(self) -> Iterator[str]:
        """Give the names of the modalities, in configuration order; nothing when the modality is fixed already."""
        if self.modality is None and not self._workspace.is_unit_mode:
            units = self._workspace.blueprint.units(self.task, None)
            yield from dict.fromkeys(str(modality) for _, modality in units)

    def iter_units(self) -> Iterator[Any]:
        """Give the units of the scope, in configuration order; a unit gives itself."""
        if self.is_unit:
            yield self
            return
        for task, modality in self._workspace.blueprint.units(self.task, self.modality):
            yield self.get_subscope(
                task if self.task is None else None, modality if self.modality is None else None
            )

    def record_ids(self) -> list[str]:
        """List the ids of the records in the scope, sorted."""
        raise NotImplementedError

    # -- counting

    def count_step(
        self, step_label: str | None = None, position: str = "input", with_record_id: bool = False
    ) -> DataFrame:
        """Count, for each unit, the records whose files of a step are all there.

        Parameters
        ----------
        step_label : str, optional
            Name of the step; the first one of each unit when not given.
        position : {"input", "output"}
            Which files are looked at.
        with_record_id : bool
            One row per record instead of one per unit.

        Returns
        -------
        DataFrame
            Columns task, modality, count; record_id in front on a record or when asked for. Units with nothing to
            count have no row. What is excluded does not count.
        """
        return count_frame(self, step_label, position, with_record_id or self.is_record)

    def count_raw_data(self, with_record_id: bool = False) -> DataFrame:
        """Count, for each unit, the records whose raw data (inputs of the first step) are there; see `count_step`."""
        return self.count_step(None, "input", with_record_id)

    def count_detail(self, with_record_id: bool = False) -> DataFrame:
        """Count as `count_raw_data` does (the name of version 0.2)."""
        return self.count_raw_data(with_record_id)

    is_record = False

    @property
    def is_whole(self) -> bool:
        """True for a collection of all records of its tasks and modalities: group steps run there only."""
        return False

    def report_flow(self, step_label: str | None = None) -> FlowReport:
        """Say where the records have gone: found, excluded (by reason), missing input, failed, done.

        Parameters
        ----------
        step_label : str, optional
            This step only.

        Returns
        -------
        FlowReport
            Counts that add up, for each step and for the records; as a table, a Mermaid figure, plain values.

        Notes
        -----
        Results of records that were not found are counted besides, as results without input.

        Examples
        --------
        >>> import sinagot
        >>> sinagot.Workspace("example/harbor").records.report_flow("count")
        <FlowReport instance | 3 found: 3 not run yet>
        """
        from sinagot.workspace.reports.flows import report_flow

        return report_flow(self, step_label)

    # -- deciding

    def exclude(self, reason: str, step: str | None = None) -> list[Decision]:
        """Exclude what the scope holds: runs leave it out, and status and reports say so.

        Parameters
        ----------
        reason : str
            Why; it is kept with who and when.
        step : str, optional
            Only this step.

        Returns
        -------
        list of Decision
            One a record. A collection excludes the records that it has now, not those that arrive later.

        Raises
        ------
        NotFoundError
            There is no such step.
        StorageError
            The decision can't be written down.
        ValueError
            There is no reason.
        """
        from sinagot.workspace.excluding import exclude

        return exclude(self, reason, step)

    def include(self, reason: str = "", step: str | None = None) -> list[Decision]:
        """Take exclusions back, as a whole or for a part: what was said last about a job holds.

        Parameters
        ----------
        reason : str
            Why.
        step : str, optional
            Only this step.

        Returns
        -------
        list of Decision
            One for each record of which something was excluded.

        Raises
        ------
        NotFoundError
            There is no such step.
        StorageError
            The decision can't be written down.
        """
        from sinagot.workspace.excluding import include

        return include(self, reason, step)

    # -- texts

    def _facts(self) -> list[str]:
        """Give the parts of the text after the class name."""
        if self._workspace.is_unit_mode:
            return []
        return [f"task: {self.task}, modality: {self.modality}"]

    def __repr__(self) -> str:
        facts = ", ".join(self._facts())
        return f"<{self._shown_name()} instance{' | ' + facts if facts else ''}>"

    def _shown_name(self) -> str:
        kind = "Record" if self.is_record else "RecordCollection"
        if self.modality is not None and type(self).__module__ != "sinagot.workspace.records":
            return f"{self.modality[:1].upper()}{self.modality[1:]}{kind}"
        return kind
