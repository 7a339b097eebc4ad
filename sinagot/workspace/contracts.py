"""What the parts of this layer know of each other: a workspace as scopes see it, a scope as steps and tables see it.

Types only. They let each module import what stands below it and name what stands above it without importing it.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import logging
    from pathlib import Path

    from distributed import Client

    from sinagot.config.settings import Configuration
    from sinagot.engine.accounts.report import RunReport
    from sinagot.engine.executors.contract import Executor
    from sinagot.engine.planning.graph import StepNode
    from sinagot.workspace.blueprint import Blueprint

__all__ = ["House", "Selection", "Steps"]


class House(Protocol):
    """A workspace, as scopes see it."""

    client: Client | None
    #: What could not be read when last looked at.
    problems: list[str]

    @property
    def configuration(self) -> Configuration:
        """The resolved configuration."""

    @property
    def blueprint(self) -> Blueprint:
        """The compiled configuration."""

    @property
    def config(self) -> dict[str, Any]:
        """A copy of the configuration as a dict."""

    @property
    def data_path(self) -> Path:
        """The data folder."""

    @property
    def is_unit_mode(self) -> bool:
        """True when there are neither tasks nor modalities."""

    @property
    def pipelines(self) -> Any:
        """Its pipelines, by name."""

    @property
    def version(self) -> str:
        """Version of the workspace."""

    @property
    def logger(self) -> logging.Logger:
        """The logger named in `[log]`."""

    def make_collection(self, task: str | None, modality: str | None) -> Any:
        """Make the collection of a scope."""

    def make_record(self, record_id: str, task: str | None, modality: str | None) -> Any:
        """Make a record of a scope."""

    def fixed_task(self, modality: str) -> str | None:
        """Name the task that a custom class of a modality fixes."""

    def nodes_of(self, scope: Selection, step_label: str | None) -> list[StepNode]:
        """List the steps of a scope, of one name where given, in configuration order."""

    def groups_of(self, scope: Selection, step_label: str | None) -> list[StepNode]:
        """List the group steps of a scope, of one name where given, in configuration order."""

    def forget_problems(self) -> None:
        """Begin a new look at the disk."""

    def note_problems(self, problems: Sequence[str]) -> None:
        """Keep what this look at the disk could not read."""

    def executor(self, key: Hashable, make: Callable[[], Executor]) -> AbstractContextManager[Executor]:
        """Lend an executor of a key to one run; made when none is free, kept until the workspace is closed."""


class Steps(Protocol):
    """The steps of a scope, as a step and the exclusions see them."""

    def group_names(self) -> list[str]:
        """List the labels of the group steps."""

    def iter_status(self, step_label: str | None = None) -> Iterator[dict[str, Any]]:
        """Give one row per record and step."""

    @property
    def run(self) -> Callable[..., RunReport]:
        """Runs what is not done; the options are those of `sinagot.workspace.steps.StepCollection.run`."""


class Selection(Protocol):
    """A scope, as steps and tables see it."""

    #: True for a record, False for a collection.
    is_record: bool

    @property
    def is_whole(self) -> bool:
        """True for a collection of all records."""

    @property
    def workspace(self) -> House:
        """The workspace of the scope."""

    @property
    def task(self) -> str | None:
        """Name of the task, None for all."""

    @property
    def modality(self) -> str | None:
        """Name of the modality, None for all."""

    @property
    def is_unit(self) -> bool:
        """True when task and modality are both set, and always in unit mode."""

    @property
    def steps(self) -> Steps:
        """The steps of the scope."""

    def record_ids(self) -> list[str]:
        """List the ids of the records in the scope, sorted."""

    def get_subscope(self, task: str | None = None, modality: str | None = None) -> Any:
        """Narrow the scope."""
