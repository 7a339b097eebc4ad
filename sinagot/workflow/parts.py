"""The parts of a recipe, and what a recipe tells to whoever works on one of them.

Knows nodes, storages and handlers; must not know how a recipe is made, nor what is done with it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol

from sinagot.config.settings import StepSettings
from sinagot.workflow.nodes import Call, Node, ScriptCall, Seed
from sinagot.workflow.storage import LocalStorage, TypeHandler
from sinagot.workflow.workflow import Workflow

__all__ = ["Part", "Parts"]


class Part:
    """One node of a recipe.

    Attributes
    ----------
    name : str
        Name of the node.
    node : Node
        The node.
    storage : LocalStorage or None
        None where nothing is stored, and for the outputs of scripts.
    handler : TypeHandler or None
        Reads and writes the data; None where nothing is stored.
    takes : tuple of str
        Names of the nodes that it is made from.
    files : tuple of str
        Names of the seeds and stored nodes that it is made from, directly or through nodes that are not stored.
    values : tuple of str
        Names of the nodes in between.
    """

    __slots__ = ("annotation", "files", "handler", "name", "node", "storage", "takes", "values")

    def __init__(
        self,
        name: str,
        node: Node,
        annotation: Any,
        storage: LocalStorage | None,
        handler: TypeHandler | None,
        takes: tuple[str, ...],
    ) -> None:
        self.name = name
        self.node = node
        self.annotation = annotation
        self.storage = storage
        self.handler = handler
        self.takes = takes
        self.files: tuple[str, ...] = ()
        self.values: tuple[str, ...] = ()

    @property
    def is_seed(self) -> bool:
        """Its data are given."""
        return isinstance(self.node, Seed)

    @property
    def is_script(self) -> bool:
        """Its data are what a script of the TOML workspace writes."""
        return isinstance(self.node, ScriptCall)

    @property
    def is_kept(self) -> bool:
        """A file holds its data."""
        return self.storage is not None or self.is_script

    @property
    def settings(self) -> StepSettings:
        """What ``@sg.step(...)`` says."""
        found = self.node.options.settings if isinstance(self.node, Call) else None
        return found or StepSettings()


class Parts(Protocol):
    """A recipe, as those see it that compute, collect, or find the code of its parts."""

    #: Names it in jobs.
    key: str
    #: Name of the workspace class.
    title: str
    #: Module and qualified name of the workspace class.
    home: tuple[str, str] | None
    workflow: type[Workflow]
    #: In running order.
    parts: dict[str, Part]
    #: What is collected from all workflows, by name.
    collections: dict[str, Any]

    @property
    def steps(self) -> Iterator[Part]:
        """The parts that are computed."""
        ...  # pragma: no cover
