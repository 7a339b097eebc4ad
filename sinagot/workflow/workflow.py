"""`Workflow`: a class whose attributes are data.

Knows its nodes, their types and their order; must not know where anything is stored. The workspace that an instance
belongs to reads and computes.
"""

from __future__ import annotations

import inspect
import sys
import typing
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any, ClassVar

from sinagot.config.hints import did_you_mean
from sinagot.errors import WorkflowError
from sinagot.workflow.drawing import draw
from sinagot.workflow.nodes import Call, Node, name_of
from sinagot.workflow.order import find_circle

__all__ = ["Workflow"]

#: Names that instances need for themselves.
_RESERVED = ("graph", "workflow_id", "workspace")


class Workflow:
    """Base of workflow classes: declare seeds and steps as attributes, read them as data.

    Parameters
    ----------
    workspace : Workspace
        Where the data are stored; workspaces make the instances.
    workflow_id : str
        Id of the record.

    Examples
    --------
    >>> import sinagot as sg
    >>> @sg.step
    ... def double(number: int) -> int:
    ...     return 2 * number
    >>> class Doubling(sg.Workflow):
    ...     number: int = sg.seed()
    ...     twice: int = double.step(number)
    ...     four_times: int = double.step(twice)
    >>> print(Doubling.graph("text"))
    number      seed
    twice       double(number)
    four_times  double(twice)
    """

    #: The nodes by name, those of parents first, in the order in which they stand there.
    __nodes__: ClassVar[dict[str, Node]] = {}
    #: What stands in the place of a node of a parent: a plain value.
    __constants__: ClassVar[dict[str, Any]] = {}
    __types__: ClassVar[dict[str, Any]] = {}

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        frame = sys._getframe(1)
        cls.__nodes__, cls.__constants__ = _collect(cls)
        cls.__types__ = dict(_types(cls, frame.f_locals))

    def __init__(self, workspace: Any, workflow_id: str) -> None:
        self.workspace = workspace
        self.workflow_id = workflow_id
        #: Values of nodes that are not stored, see `sinagot.engine.memory.Memory`.
        self._memory: Any = None

    @classmethod
    def graph(cls, kind: str = "mermaid") -> str:
        """Draw the nodes and what each is made from.

        Parameters
        ----------
        kind : {"mermaid", "dot", "text"}
            The language of the drawing.

        Returns
        -------
        str
            The drawing as text.
        """
        return draw(cls, kind)

    def _repr_html_(self) -> str:
        drawn: str = self.workspace.draw_workflow(self)
        return drawn

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *self.__nodes__})

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.workflow_id!r})"


def _collect(cls: type[Workflow]) -> tuple[dict[str, Node], dict[str, Any]]:
    """Give the nodes of a class and its parents by name, and plain values that took the place of a parent's node."""
    nodes: dict[str, Node] = {}
    constants: dict[str, Any] = {}
    for parent in reversed(cls.__mro__):
        for name, value in vars(parent).items():
            if isinstance(value, Node):
                if name in _RESERVED or name.startswith("_"):
                    raise WorkflowError(
                        f"{cls.__name__}.{name}: a node cannot have this name: {', '.join(_RESERVED)} and names that "
                        "begin with '_' are taken",
                        workflow=cls.__name__,
                        attribute=name,
                    )
                if value.name != name:
                    raise WorkflowError(
                        f"{cls.__name__}.{name} is the same node as {value.name}; call .step() once for each name",
                        workflow=cls.__name__,
                        attribute=name,
                    )
                nodes[name] = value
                constants.pop(name, None)
            elif name in nodes:
                del nodes[name]
                constants[name] = value
    for name in list(nodes):
        _name_inner(cls, name, nodes)
    circle = find_circle(nodes)
    if circle:
        raise WorkflowError(
            f"{cls.__name__}.{circle[0]} needs itself: {' -> '.join(circle)}; make one of them from something else",
            workflow=cls.__name__,
            attribute=circle[0],
        )
    return nodes, constants


def _name_inner(cls: type, name: str, nodes: dict[str, Node]) -> None:
    """Give nodes that stand inside of another one's arguments a name, and see that the others are of this class."""
    for number, part in enumerate(nodes[name].iter_parts(), start=1):
        if part.name and part.name in nodes:
            continue
        if isinstance(part, Call) and (not part.name or "." in part.name):
            if not part.name:
                part.name = f"{name}.{name_of(part.function)}{number if number > 1 else ''}"
            nodes[part.name] = part
            _name_inner(cls, part.name, nodes)
        elif not _is_constant(cls, part.name):
            shown = repr(part.name) if part.name else f"a {part.kind} without a name"
            hint = (
                did_you_mean(part.name, nodes)
                if part.name
                else "assign it to an attribute of the class first"
            )
            raise WorkflowError(
                f"{cls.__name__}.{name} is made from {shown}, which is no attribute of {cls.__name__}"
                f"{'; ' + hint if hint else ''}",
                workflow=cls.__name__,
                attribute=name,
            )


def _is_constant(cls: type, name: str) -> bool:
    return bool(name) and hasattr(cls, name) and not isinstance(inspect.getattr_static(cls, name), Node)


def _types(cls: type[Workflow], surroundings: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Give the type of each node's data: its annotation, or what its function says that it returns; else None."""
    for name, node in cls.__nodes__.items():
        found = _annotation(cls, name, surroundings)
        if found is None and isinstance(node, Call):
            found = _returned(node, surroundings)
        if found is not None:
            yield name, found


def _annotation(cls: type, name: str, surroundings: Mapping[str, Any]) -> Any:
    for parent in cls.__mro__:
        written = inspect.get_annotations(parent)
        if name in written:
            known = getattr(sys.modules.get(parent.__module__), "__dict__", {})
            return _resolve(written[name], known, surroundings, f"{cls.__name__}.{name}")
        if name in vars(parent):
            return None
    return None


def _returned(node: Call, surroundings: Mapping[str, Any]) -> Any:
    function = inspect.unwrap(node.function)
    while isinstance(function, partial):
        function = inspect.unwrap(function.func)
    if not hasattr(function, "__annotations__"):
        function = type(function).__call__  # an object that is called
    found = getattr(function, "__annotations__", {}).get("return")
    where = f"{node.name}: what {name_of(node.function)} returns"
    return _resolve(found, getattr(function, "__globals__", {}), surroundings, where)


def _resolve(written: Any, known: Mapping[str, Any], surroundings: Mapping[str, Any], where: str) -> Any:
    """Make a type of an annotation, which is text under ``from __future__ import annotations``."""
    if written is None:
        return None
    if isinstance(written, str):
        try:
            # Attributes of the class do not count: `date: date = seed()` means the type.
            outside = {key: value for key, value in surroundings.items() if not isinstance(value, Node)}
            written = eval(written, dict(known), outside)  # noqa: S307  (the user's own annotation)
        except Exception as error:
            raise WorkflowError(
                f"{where}: the annotation {written!r} cannot be resolved: {type(error).__name__}: {error}; import the "
                "type at the top of the module, outside of `if TYPE_CHECKING`",
                attribute=where.rpartition(".")[2],
            ) from error
    if typing.get_origin(written) is typing.ClassVar:
        return None
    return type(None) if written is None else written
