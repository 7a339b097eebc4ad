"""One value for all workflows of a workspace: the data of one node, by id, as they are or stored as one file.

Knows nodes, tables and files of values; must not know which workflows there are: the engine says.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from sinagot.engine.memory import Memory
from sinagot.errors import StepFailedError, WorkflowError
from sinagot.scripts.group import GroupTemplate
from sinagot.scripts.program import ProgramScript
from sinagot.workflow.collection_files import CollectionFile
from sinagot.workflow.evaluation import Evaluation, no_way_to_return
from sinagot.workflow.nodes import Node
from sinagot.workflow.storage import LocalStorage

if TYPE_CHECKING:
    from sinagot.workflow.parts import Parts

__all__ = ["LEFT_OUT", "CollectScript", "Collected", "collect"]

#: What the log says of a workflow that failed: its id, and why.
LEFT_OUT = "%s is left out: %s"


class Collected:
    """The data of one node of all workflows; made by `collect`."""

    name: str = ""

    def __init__(self, node: Any, *, strict: bool = False, storage: LocalStorage | None = None) -> None:
        if not isinstance(node, Node) or not node.name:
            raise WorkflowError(
                f"collect() takes an attribute of a workflow class, as in Flow.alpha; found {node!r}"
            )
        self.node = node
        self.strict = strict
        self.storage = storage

    def to(
        self,
        path: str | os.PathLike[str] | Sequence[str],
        read_kwargs: Mapping[str, Any] | None = None,
        write_kwargs: Mapping[str, Any] | None = None,
    ) -> Collected:
        """Store what is collected in one file.

        Parameters
        ----------
        path : str, Path, or sequence of str
            Path below the root. In a table (``.csv``, ``.parquet``, ``.feather``) tables stand below each other, with
            the ids in a first column; in JSON, YAML and TOML values stand by id.
        read_kwargs, write_kwargs : mapping, optional
            As those of `LocalStorage`.
        """
        return Collected(self.node, strict=self.strict, storage=LocalStorage(path, read_kwargs, write_kwargs))

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def __get__(self, workspace: Any, owner: type | None = None) -> Any:
        return self if workspace is None else workspace.collected(self)

    def __repr__(self) -> str:
        return f"<collection {self.name or '(no name)'} of {self.node.name}>"

    @property
    def takes(self) -> str:
        """Name of the node."""
        return self.node.name


def collect(node: Any, *, strict: bool = False) -> Any:
    """Declare, on a workspace class, the data of one node of all workflows.

    Parameters
    ----------
    node : Node
        An attribute of the workflow class: ``Flow.alpha``.
    strict : bool
        Fail when a workflow fails; else it is left out, and named in a warning and in the log.

    Returns
    -------
    Any
        To be assigned to an attribute of a workspace class; there it gives a dict, id -> data. ``.to("path")`` stores
        it: a step for all records, run after them.

    Examples
    --------
    >>> import sinagot as sg
    >>> class Boats(sg.Workflow):
    ...     count: int = sg.seed()
    >>> class Harbor(sg.Workspace[Boats]):
    ...     count = sg.LocalStorage("count/{workflow_id}")
    ...     counts = sg.collect(Boats.count).to("tables/counts.csv")
    """
    return Collected(node, strict=strict)


class CollectScript(GroupTemplate, ProgramScript):
    """The script of a stored collection: computes or reads the data of each workflow, and writes them all."""

    RECIPE: ClassVar[Parts]
    COLLECTION: ClassVar[str]

    def run(self) -> None:
        """Collect and write."""
        with no_way_to_return():
            self._make()

    def _make(self) -> None:
        collected = self.RECIPE.collections[self.COLLECTION]
        file = CollectionFile(self.RECIPE, collected)
        part = self.RECIPE.parts[collected.takes]
        is_read = part.is_seed or part.is_kept
        found, failures = {}, {}
        for workflow_id, files in self.inputs.items():
            memory = Memory()
            memory.aside = self.memory.aside
            try:
                data = Evaluation(self.RECIPE, workflow_id, files, memory).value(collected.takes)
                found[workflow_id] = data if is_read else file.check(data)
            except Exception as error:  # noqa: BLE001  (one bad workflow does not stop the others)
                failures[workflow_id] = f"{type(error).__name__}: {error}"
                self.logger.error(LEFT_OUT, workflow_id, failures[workflow_id])
        left_out = [*self.missing, *failures]
        if left_out and collected.strict:
            first = next(iter(failures.values()), "its data are not there")
            raise StepFailedError(
                f"{len(left_out)} workflow(s) have no {collected.takes}, and the collection is strict: "
                f"{', '.join(left_out[:10])} ({first})"
            )
        file.write(Path(self.path.output), found)
