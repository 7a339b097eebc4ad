"""The workspace: the door to a data folder and its scripts.

Knows the configuration and hands out scopes; must not execute anything itself. Opening reads the configuration and
writes nothing.
"""

from __future__ import annotations

import copy
import os
import weakref
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, overload

from sinagot.config.hints import did_you_mean
from sinagot.config.load import load_configuration
from sinagot.engine.executors.pool import ExecutorPool
from sinagot.errors import ConfigurationError, ScopeError
from sinagot.workspace.blueprint import Blueprint
from sinagot.workspace.classes import find_class
from sinagot.workspace.contracts import Selection
from sinagot.workspace.display.views import Views
from sinagot.workspace.records import Record, RecordCollection
from sinagot.workspace.steps import StepCollection
from sinagot.workspace.tables import decisions_frame

if TYPE_CHECKING:
    import logging

    from distributed import Client
    from pandas import DataFrame

    from sinagot.config.settings import Configuration
    from sinagot.dataset.findings import Finding
    from sinagot.engine.executors.contract import Executor
    from sinagot.engine.planning.graph import StepNode
    from sinagot.workspace.history import Runs
    from sinagot.workspace.pipelines.catalogue import Pipelines
    from sinagot.workspace.reports.flows import FlowReport
    from sinagot.workspace.reports.report import Report
    from sinagot.workspace.watch.watching import Watch

__all__ = ["Workspace"]

ConfigPath = str | os.PathLike[str]
#: Classes bound to workflow classes.
_BOUND: dict[tuple[type, Any], type] = {}


if TYPE_CHECKING:
    from typing_extensions import TypeVar

    from sinagot.workspace.code_first.bound import CodeFirst

    #: What ``ws[id]`` gives: a record, or a workflow where the class is bound to one.
    W = TypeVar("W", default=Record)

    class _Door(CodeFirst[W], Mapping[str, W]):
        """What type checkers see of both doors."""

else:
    W = Any

    class _Door:
        """`Workspace[W]` puts its own members in front."""

        def __class_getitem__(cls, item: Any) -> Any:
            return cls


class Workspace(Views, _Door[W]):
    """A data folder, the scripts that process it, and the configuration that maps one to the other.

    Parameters
    ----------
    config_path : str, Path, or list of those
        Configuration file, a folder that holds ``workspace.toml``, or several files that are merged.
    data_path, scripts_path : str or Path, optional
        Win over the configuration.
    client : distributed.Client, optional
        Jobs run through it; it stays open.

    Raises
    ------
    ConfigurationError
        The configuration is broken, or the data folder does not exist.

    Examples
    --------
    >>> import sinagot
    >>> ws = sinagot.Workspace("example/harbor")
    >>> ws
    <Workspace instance>
    >>> list(ws.records.iter_ids())
    ['REC-20200601', 'REC-20200602', 'REC-20200603']
    >>> ws["REC-20200602"]
    <Record instance | id: REC-20200602>
    """

    @overload
    def __init__(
        self,
        config_path: ConfigPath | Sequence[ConfigPath],
        data_path: ConfigPath | None = None,
        scripts_path: ConfigPath | None = None,
        *,
        client: Client | None = None,
    ) -> None: ...

    @overload
    def __init__(
        self, *root_path_segments: ConfigPath, stale: str | None = None, client: Client | None = None
    ) -> None: ...

    def __init__(  # type: ignore[misc]  # the second way is that of bound classes
        self,
        config_path: ConfigPath | Sequence[ConfigPath] = (),
        data_path: ConfigPath | None = None,
        scripts_path: ConfigPath | None = None,
        *,
        client: Client | None = None,
    ) -> None:
        if config_path == ():
            raise ConfigurationError(
                "no folder was given; open one with a workspace.toml: sinagot.Workspace(folder), or write the steps as "
                "a class: sinagot.Workspace[YourWorkflow](folder)"
            )
        configuration = load_configuration(config_path, data_path, scripts_path)
        self._open(configuration, Blueprint(configuration), client)

    def _open(self, configuration: Configuration, blueprint: Blueprint, client: Client | None) -> None:
        """Take in what the files say; nothing is written."""
        self._configuration = configuration
        self._blueprint = blueprint
        self.client = client
        self._workflows: Any = None
        self._executors = ExecutorPool()
        self._classes: dict[tuple[str, str], type] = {}
        self._logger: logging.Logger | None = None
        #: Folders that could not be read when last looked at.
        self.problems: list[str] = []
        for warning in self._configuration.warnings:
            import warnings

            warnings.warn(warning, UserWarning, stacklevel=3)
        # Pools and clusters that we start end with the object, whoever forgets to close it.
        self._finalizer = weakref.finalize(self, _close, self._executors)

    def __class_getitem__(cls, workflow: Any) -> Any:
        """Give the class of workspaces that are bound to a workflow class, always the same."""
        found = _BOUND.get((cls, workflow))
        if found is None:
            from sinagot.workspace.code_first.bound import bind  # most workspaces are of scripts

            found = _BOUND[cls, workflow] = bind(cls, workflow)
        return found

    # -- what it is

    @property
    def configuration(self) -> Any:
        """The resolved configuration, see `sinagot.config.settings.Configuration`."""
        return self._configuration

    @property
    def blueprint(self) -> Blueprint:
        """The compiled configuration."""
        return self._blueprint

    @property
    def config(self) -> dict[str, Any]:
        """A copy of the configuration as a dict, with the default sections filled in."""
        return copy.deepcopy(self._configuration.raw)

    @property
    def data_path(self) -> Path:
        """The data folder."""
        return Path(self._configuration.data_path)

    @property
    def scripts_path(self) -> Path:
        """The scripts folder."""
        return Path(self._configuration.scripts_path)

    @property
    def is_unit_mode(self) -> bool:
        """True when there are neither tasks nor modalities."""
        return bool(self._configuration.is_unit_mode)

    @property
    def info(self) -> dict[str, Any]:
        """A copy of the section `[info]`."""
        return copy.deepcopy(self._configuration.info)

    @property
    def version(self) -> str:
        """Version of the workspace; it stands in every log line. A subclass may override it."""
        return str(self._configuration.version)

    @property
    def logger(self) -> logging.Logger:
        """The logger named in `[log]`; it prints to standard output in the configured format and level."""
        if self._logger is None:
            from sinagot.workspace.logger import workspace_logger  # it imports logging

            self._logger = workspace_logger(self._configuration.log)
        return self._logger

    # -- scopes

    @property
    def records(self) -> RecordCollection:
        """All records."""
        return self.make_collection(None, None)

    @property
    def steps(self) -> StepCollection:
        """The steps of all records."""
        return self.records.steps

    @property
    def workflows(self) -> Any:
        """The code-first view of the same folder: a workspace of the class that `[workflow] class` names.

        Raises
        ------
        ConfigurationError
            None is named, or there is no such class.
        """
        if self._workflows is None:
            from sinagot.workspace.code_first.doors import open_configured  # most workspaces are of scripts

            self._workflows = open_configured(self._configuration, client=self.client)
        return self._workflows

    def get_subscope(self, task: str | None = None, modality: str | None = None) -> RecordCollection:
        """Narrow all records to a task, a modality or both; see `Scope.get_subscope`."""
        narrowed: RecordCollection = self.records.get_subscope(task, modality)
        return narrowed

    def decisions(self) -> DataFrame:
        """Give every decision about records, oldest first.

        Returns
        -------
        DataFrame
            One row a decision; columns `time` (UTC), `user`, `host`, `decision` (exclude or include), `record_id`,
            `task`, `modality`, `step_label` (None stands for all) and `reason`.
        """
        return decisions_frame(self.records)

    @property
    def runs(self) -> Runs:
        """All runs, newest first: ``ws.runs.last``, ``ws.runs["20260131T235959"]``, ``ws.runs.to_dataframe()``."""
        from sinagot.workspace.history import Runs  # most programs look forward

        return Runs(str(self._configuration.state_path), str(self._configuration.log_path))

    @property
    def pipelines(self) -> Pipelines:
        """All pipelines by name: ``ws.pipelines["night"].run(day="2026-01-31")``; those of steps are among them."""
        from sinagot.workspace.pipelines.catalogue import Pipelines  # many workspaces have none

        return Pipelines(self)

    def report_flow(self) -> FlowReport:
        """Say where all records have gone; see `Scope.report_flow`."""
        return self.records.report_flow()

    def report(self, run: str = "all") -> Report:
        """Gather what a paper, a colleague or an archive wants to know, of ``"all"`` or of one run; see `report_on`."""
        from sinagot.workspace.reports.report import report_on  # most programs look forward

        return report_on(self, run)

    def __getitem__(self, record_id: str) -> W:
        record: Any = self.records.get(record_id)
        return record  # type: ignore[no-any-return]  # of an unbound class, W is Record

    def get(self, record_id: str, default: Any = None) -> Any:
        """Give a record that has data, else `default`."""
        return self.records.get(record_id) if record_id in self else default

    def __contains__(self, record_id: object) -> bool:
        return self.records.has(record_id)

    def __iter__(self) -> Iterator[str]:
        return self.records.iter_ids()

    def __len__(self) -> int:
        return self.records.count()

    def __bool__(self) -> bool:
        return True

    def __getattr__(self, name: str) -> Any:
        if hasattr(type(self), name):
            return object.__getattribute__(
                self, name
            )  # a property raised an AttributeError: let that one be seen
        if name.startswith("_"):
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        config = self._configuration
        if name in config.tasks or name in config.modalities:
            return getattr(self.records, name)
        hint = did_you_mean(name, self.__dir__())
        raise ScopeError(
            f"{self!r} has no attribute {name!r}{'; ' + hint if hint else ''}", scope=self, attribute=name
        )

    def __dir__(self) -> list[str]:
        names = [*self._configuration.tasks, *self._configuration.modalities]
        return sorted({*super().__dir__(), *(name for name in names if name.isidentifier())})

    def _viewed(self) -> RecordCollection:
        return self.records

    def _repr_html_(self) -> str:
        from sinagot.workspace.display.cards import house_card  # in notebooks only

        return house_card(self, self.records)

    def __repr__(self) -> str:
        return "<Workspace instance>"

    # -- made for scopes

    def make_collection(self, task: str | None, modality: str | None) -> RecordCollection:
        """Make the collection of a scope, of the class that its modality asks for."""
        made: RecordCollection = self._class("RecordCollection", modality)(self, task, modality)
        return made

    def make_record(self, record_id: str, task: str | None, modality: str | None) -> Record:
        """Make a record of a scope, of the class that its modality asks for."""
        made: Record = self._class("Record", modality)(self, record_id, task, modality)
        return made

    def _class(self, kind: str, modality: str | None) -> type:
        if modality is None:
            return Record if kind == "Record" else RecordCollection
        if (kind, modality) not in self._classes:
            self._classes[kind, modality] = find_class(self._configuration, modality, kind)
        return self._classes[kind, modality]

    def fixed_task(self, modality: str) -> str | None:
        """Name the task that a custom class of a modality fixes."""
        for kind in ("RecordCollection", "Record"):
            task = getattr(self._class(kind, modality), "task", None)
            if isinstance(task, str):
                return task
        return None

    def nodes_of(self, scope: Selection, step_label: str | None) -> list[StepNode]:
        """List the steps of a scope, of one name where given, in configuration order."""
        places = {unit: place for place, unit in enumerate(self._blueprint.units())}
        nodes = [
            node
            for node in self._blueprint.graph().nodes
            if scope.task in (None, node.task)
            and scope.modality in (None, node.modality)
            and step_label in (None, node.label)
        ]
        return sorted(
            nodes, key=lambda node: (places.get((node.task, node.modality), len(places)), node.step_index)
        )

    def groups_of(self, scope: Selection, step_label: str | None) -> list[StepNode]:
        """List the group steps of a scope, of one name where given; none where it is about some records only."""
        return [
            node
            for node in (self._blueprint.graph().groups if scope.is_whole else ())
            if scope.task in (None, node.task)
            and scope.modality in (None, node.modality)
            and step_label in (None, node.label)
        ]

    def forget_problems(self) -> None:
        """Begin a new look at the disk."""
        self.problems = []

    def note_problems(self, problems: Sequence[str]) -> None:
        """Keep what this look at the disk could not read."""
        self.problems = list(dict.fromkeys([*self.problems, *problems]))

    # -- running

    def executor(self, key: Hashable, make: Callable[[], Executor]) -> AbstractContextManager[Executor]:
        """Lend an executor of a key to one run; it is made when none is free, and kept until `close`."""
        return self._executors.lend(key, make)

    def doctor(self, *, dask: bool = False, address: str | None = None) -> list[Finding]:
        """Measure the drives of this workspace, Python and the machine, and say what to set.

        Parameters
        ----------
        dask : bool
            Start the configured Dask cluster and look at its workers too.
        address : str, optional
            Look at the workers of this scheduler too.

        Returns
        -------
        list of Finding
            Named tuples of place, name, value, verdict (``"ok"``, ``"note"``, ``"warning"``, ``"problem"``), advice.

        Notes
        -----
        Writes in a folder of its own below the state folder, and removes it.
        """
        from sinagot.workspace.doctor.checkup import examine_workspace  # rarely needed

        return list(examine_workspace(self, dask=dask, address=address))

    def watch(self, **options: Any) -> Watch:
        """Run new recordings as they arrive: iterate over the `Watch` that it gives; options are those of its class."""
        from sinagot.workspace.watch.watching import Watch

        return Watch(self, **options)

    def close(self) -> None:
        """End the worker processes and clusters that this workspace started, and close its log files."""
        if self._workflows is not None:
            self._workflows.close()
        _close(self._executors)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _close(executors: ExecutorPool) -> None:
    executors.close()
    import sys

    runlog = sys.modules.get("sinagot.runlog.write")
    if runlog is not None:
        runlog.close_all()
