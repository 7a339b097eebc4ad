"""`Recipe`: what a workflow class and its storages come to, node by node, ready for the engine.

Knows nodes, types, handlers and who needs what; must not know records on disk. A workspace makes graph nodes of it, an
attempt gets the script of a node from it, in any process.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator, Mapping
from functools import cached_property
from types import new_class
from typing import TYPE_CHECKING, Any

from sinagot.config.hints import did_you_mean
from sinagot.errors import WorkflowError
from sinagot.scripts.program import LIVE
from sinagot.scripts.sources import SourceSet
from sinagot.workflow.codes import NodeCode, storage_literals
from sinagot.workflow.nodes import Call, Node, ScriptCall, Seed
from sinagot.workflow.order import in_order, parts_of
from sinagot.workflow.parts import Part
from sinagot.workflow.storage import LocalStorage, TypeHandler, find_handler
from sinagot.workflow.workflow import Workflow

if TYPE_CHECKING:
    from sinagot.workflow.collecting import Collected

__all__ = ["Recipe"]

_NUMBERS = itertools.count(1)


class Recipe:
    """The nodes of a workflow class, with what a workspace class says of their storage.

    Parameters
    ----------
    workflow : type
        A `Workflow` class.
    storages : mapping of str to LocalStorage
        By name of the node.
    title : str
        Name of the workspace class, for messages.
    home : tuple of str, optional
        Module and qualified name of the workspace class; without it, the recipe cannot be found again elsewhere.
    is_checked : bool
        Whether every seed must have a storage.
    handlers : mapping of str to TypeHandler, optional
        By name of the node, where they are known already.
    collections : mapping of str to Collected, optional
        What is collected from all workflows, by name.

    Raises
    ------
    WorkflowError
        A storage of no node, a seed without storage, a type that cannot be stored so.
    """

    def __init__(
        self,
        workflow: type[Workflow],
        storages: Mapping[str, LocalStorage],
        *,
        title: str,
        home: tuple[str, str] | None = None,
        is_checked: bool = True,
        handlers: Mapping[str, TypeHandler] | None = None,
        collections: Mapping[str, Collected] | None = None,
    ) -> None:
        self._handlers = handlers
        self.collections = dict(collections or {})
        self.workflow = workflow
        self.title = title
        self.home = home
        self.storages = dict(storages)
        self._check_names()
        nodes = workflow.__nodes__
        #: In running order.
        self.parts: dict[str, Part] = {}
        for name in in_order(nodes):
            self.parts[name] = self._part(name, nodes[name], is_checked=is_checked)
        self._check_collections()
        #: Names this recipe in jobs.
        self.key: str = f"{os.getpid()}-{next(_NUMBERS)}-{os.urandom(4).hex()}"
        LIVE[self.key] = self
        self._scripts: dict[str, type] = {}
        if handlers is None:  # elsewhere it was checked where the class was made
            for part in self.steps:
                self.code.check_literals(part.name)

    def _check_names(self) -> None:
        nodes = self.workflow.__nodes__
        for name, storage in self.storages.items():
            if name not in nodes:
                hint = did_you_mean(name, nodes)
                raise WorkflowError(
                    f"{self.title}.{name} = {storage!r}: {self.workflow.__name__} has no node {name!r}; it has "
                    f"{', '.join(nodes) or 'none'}{'; ' + hint if hint else ''}",
                    workflow=self.workflow.__name__,
                    attribute=name,
                )
            if isinstance(nodes[name], ScriptCall):
                raise WorkflowError(
                    f"{self.title}.{name} = {storage!r}: it is the output of a script, which says itself where it lies",
                    workflow=self.workflow.__name__,
                    attribute=name,
                )

    def _check_collections(self) -> None:
        from sinagot.workflow.collection_files import CollectionFile

        for name, collected in self.collections.items():
            if collected.takes not in self.parts:
                hint = did_you_mean(collected.takes, self.parts)
                raise WorkflowError(
                    f"{self.title}.{name}: {self.workflow.__name__} has no node {collected.takes!r}"
                    f"{'; ' + hint if hint else ''}",
                    workflow=self.workflow.__name__,
                    attribute=name,
                )
            if name in self.parts:
                raise WorkflowError(
                    f"{self.title}.{name}: {self.workflow.__name__} has a node of this name; choose another",
                    workflow=self.workflow.__name__,
                    attribute=name,
                )
            if collected.storage is not None:
                CollectionFile(self, collected)

    def _part(self, name: str, node: Node, *, is_checked: bool) -> Part:
        storage = self.storages.get(name)
        annotation = self.workflow.__types__.get(name)
        where = f"{self.title}.{name}"
        if storage is None and isinstance(node, Seed) and is_checked:
            raise WorkflowError(
                f"{where}: a seed must be stored somewhere; write {name} = sg.LocalStorage(...)",
                workflow=self.workflow.__name__,
                attribute=name,
            )
        handler = None
        if self._handlers is not None:
            handler = self._handlers.get(name)
        elif storage is not None:
            handler = find_handler(annotation, storage, is_seed=isinstance(node, Seed), where=where)
        part = Part(name, node, annotation, storage, handler, tuple(parts_of(node, self.workflow.__nodes__)))
        files: dict[str, None] = {}
        values: dict[str, None] = {}
        for other in (self.parts[one] for one in part.takes):
            if other.is_kept or other.is_seed:
                files[other.name] = None
            else:
                files |= dict.fromkeys(other.files)
                values |= dict.fromkeys((*other.values, other.name))
        part.files, part.values = tuple(files), tuple(values)
        return part

    @property
    def seeds(self) -> Iterator[Part]:
        """The seeds."""
        return (part for part in self.parts.values() if part.is_seed)

    @property
    def steps(self) -> Iterator[Part]:
        """The steps, in running order; outputs of scripts are none of ours."""
        return (part for part in self.parts.values() if isinstance(part.node, Call))

    def literals(self, name: str) -> dict[str, Any]:
        """Give the plain values among the arguments of a step, and of those whose values it takes."""
        part = self.parts[name]
        found = dict(self.code.literals(name))
        for other in part.values:
            found |= {f"{other}.{key}": value for key, value in self.code.literals(other).items()}
        for other in part.files:
            storage = self.parts[other].storage
            if storage is not None and storage.read_kwargs:
                found[f"{other}.read_kwargs"] = storage_literals(storage.read_kwargs)
        if part.storage is not None and part.storage.write_kwargs:
            found["write_kwargs"] = storage_literals(part.storage.write_kwargs)
        return found

    # -- code

    @cached_property
    def code(self) -> NodeCode:
        """What the functions are made of, and how another process finds them."""
        return NodeCode(self)

    def source(self, name: str) -> SourceSet:
        """Give what names a step in a job."""
        return self.code.source(name)

    def script_class(self, name: str) -> type:
        """Give the script of a step, for an attempt.

        Parameters
        ----------
        name : str
            Name of the node.
        """
        from sinagot.workflow.collect_script import CollectScript
        from sinagot.workflow.evaluation import NodeScript

        found = self._scripts.get(name)
        if found is None:
            members: dict[str, Any] = {"RECIPE": self, "label": name, "__module__": __name__}
            kind: type = NodeScript
            if name in self.collections:
                kind, members["COLLECTION"] = CollectScript, name
            else:
                members["PART"] = self.parts[name]
            found = self._scripts[name] = new_class(
                "Script", (kind,), exec_body=lambda body: body.update(members)
            )
        return found

    def part(self, name: str) -> Part:
        """Give a node by its name."""
        return self.parts[name]

    def pickled(self) -> bytes:
        """Give the recipe as bytes, with all code that no module holds."""
        return self.code.pickled()

    def __reduce__(self) -> tuple[Any, ...]:
        handlers = {part.name: part.handler for part in self.parts.values() if part.handler is not None}
        return _rebuilt, (self.workflow, self.storages, self.title, handlers, self.collections)


def _rebuilt(
    workflow: type[Workflow],
    storages: Mapping[str, LocalStorage],
    title: str,
    handlers: Mapping[str, TypeHandler],
    collections: Mapping[str, Collected],
) -> Recipe:
    return Recipe(
        workflow, storages, title=title, is_checked=False, handlers=handlers, collections=collections
    )
