"""One value for all workflows of a workspace: the data of one node, by id, as they are or stored as one file.

Knows what is declared; must not know how it is computed (`collect_script`) or stored (`collection_files`).
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

from sinagot.errors import WorkflowError
from sinagot.workflow.nodes import Node
from sinagot.workflow.storage import LocalStorage

__all__ = ["Collected", "collect"]


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
