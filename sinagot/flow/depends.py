"""What a function gets its arguments from, as a plan: made once, before anything runs, and opened for each run.

Knows functions and names; must not know what runs them. `opening` builds what is planned here.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Mapping
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sinagot.config.hints import did_you_mean
from sinagot.errors import DependencyError
from sinagot.flow.marks import dependencies_of, name_of, signature_of, where_of
from sinagot.flow.nodes import Kind, Node

if TYPE_CHECKING:
    from sinagot.flow.ready import RunContext

__all__ = ["Plan", "plan_of"]

_BY_NAME = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)


@dataclass(frozen=True, eq=False)
class Plan:
    """Where each argument of a function comes from.

    Attributes
    ----------
    function : callable
        The function.
    given : tuple of str
        Arguments that the caller gives.
    dependencies : mapping of str to Node
        Arguments that are built.
    defaults : tuple of str
        Arguments that are left to the function.
    """

    function: Callable[..., Any]
    given: tuple[str, ...]
    dependencies: Mapping[str, Node]
    defaults: tuple[str, ...]

    @property
    def nodes(self) -> list[Node]:
        """All that is built, each once."""
        found: dict[int, Node] = {}
        waiting = list(self.dependencies.values())
        while waiting:
            node = waiting.pop()
            if id(node) not in found:
                found[id(node)] = node
                waiting += node.parts.values()
        return list(found.values())

    @property
    def paths(self) -> tuple[tuple[str, str], ...]:
        """Files of the record that are asked for: ``in`` or ``out``, and the name."""
        return tuple(dict.fromkeys(one.function.path for one in self.nodes if hasattr(one.function, "path")))

    def open(
        self, given: Mapping[str, Any], context: RunContext | None = None
    ) -> AbstractAsyncContextManager[dict[str, Any]]:
        """Build what the function depends on, within an event loop: of asyncio or of trio.

        Parameters
        ----------
        given : mapping
            Arguments by name. One that is a dependency is not built then.
        context : RunContext, optional
            What the ready-made dependencies read.

        Returns
        -------
        async context manager
            Gives all arguments. At its end clean-ups run in reverse order, shielded from cancellation.

        Notes
        -----
        Sync functions are called in the thread of the loop. An error of a clean-up that follows another error is a note
        of that one.
        """
        from sinagot.flow.opening import opened

        return opened(self.dependencies, given, context)

    def open_here(
        self, given: Mapping[str, Any], context: RunContext | None = None
    ) -> AbstractContextManager[dict[str, Any]]:
        """Build what the function depends on, in this thread; as `open`.

        Notes
        -----
        Async functions run in an event loop of asyncio in a thread of its own, which is started with the first of them
        and ends with the context.
        """
        from sinagot.flow.opening import OpenedHere

        return OpenedHere(self.dependencies, given, context)


def plan_of(function: Callable[..., Any], known: Collection[str], varying: Collection[str] = ()) -> Plan:
    """Say where each argument of a function comes from.

    Parameters
    ----------
    function : callable
        What is to be called.
    known : collection of str
        Arguments that will be given by name. A dependency gets those that it has an argument for, too.
    varying : collection of str
        Those of them that change from call to call, so that nothing that is built once can depend on them.

    Raises
    ------
    DependencyError
        An argument comes from nowhere, or functions depend on one another in a circle.

    Examples
    --------
    >>> from sinagot.flow import Depends
    >>> def get_rate(path):
    ...     return 500
    >>> def mean(path, low=8.0, rate=Depends(get_rate)):
    ...     return path, low, rate
    >>> plan = plan_of(mean, ["path"])
    >>> plan.given, list(plan.dependencies), plan.defaults
    (('path',), ['rate'], ('low',))
    >>> with plan.open_here({"path": "a.csv"}) as arguments:
    ...     mean(**arguments)
    ('a.csv', 8.0, 500)
    """
    marks = {name: one for name, one in dependencies_of(function).items() if name not in known}
    given, defaults = _others(function, marks, known)
    for name, is_needed in given.items():
        if is_needed and name not in known:
            raise _unresolved(function, name, known)
    planner = _Planner(frozenset(known), frozenset(varying), function)
    return Plan(
        function,
        tuple(name for name in given if name in known),
        {name: planner.node(one.function, one.use_cache) for name, one in marks.items()},
        (*defaults, *(name for name in given if name not in known)),
    )


def _others(
    function: Callable[..., Any], marks: Collection[str], known: Collection[str]
) -> tuple[dict[str, bool], tuple[str, ...]]:
    """Give the arguments that are not built: those that are given and whether they are needed, and the rest."""
    signature = signature_of(function)
    given: dict[str, bool] = {}
    defaults = []
    for name, one in signature.parameters.items() if signature is not None else ():
        if name in marks or one.kind in (one.VAR_KEYWORD, one.VAR_POSITIONAL):
            continue
        has_default = one.default is not one.empty
        if has_default and (name not in known or one.kind not in _BY_NAME):
            defaults.append(name)
        elif one.kind not in _BY_NAME:
            raise DependencyError(
                f"argument {name!r} of {name_of(function)}{where_of(function)} can be given by place only",
                function=name_of(function),
                argument=name,
            )
        else:
            given[name] = not has_default
    return given, tuple(defaults)


class _Planner:
    """Makes the nodes of one plan."""

    def __init__(self, known: frozenset[str], varying: frozenset[str], function: Callable[..., Any]) -> None:
        self._known, self._varying = known, varying
        self._nodes: dict[Any, Node] = {}
        self._path: list[Any] = [function]

    def node(self, function: Any, use_cache: bool) -> Node:
        key = _key(function)
        if use_cache and key in self._nodes:
            return self._nodes[key]
        if any(_key(one) == key for one in self._path):
            circle = " -> ".join(map(name_of, [*self._path, function]))
            raise DependencyError(
                f"dependencies go round in a circle: {circle}{where_of(function)}", function=name_of(function)
            )
        self._path.append(function)
        marks = dependencies_of(function)
        given, _ = _others(function, marks, self._known)
        for name, is_needed in given.items():
            if name in self._varying:
                raise DependencyError(
                    f"argument {name!r} of dependency {name_of(function)}{where_of(function)} is another one for each "
                    "element, and a dependency is built once for all of them",
                    function=name_of(function),
                    argument=name,
                )
            if is_needed and name not in self._known:
                raise _unresolved(function, name, self._known, "dependency ")
        parts = {name: self.node(one.function, one.use_cache) for name, one in marks.items()}
        self._path.pop()
        node = Node(function, _kind_of(function), given, parts)
        if use_cache:
            self._nodes[key] = node
        return node


def _key(function: Any) -> Any:
    try:
        hash(function)
    except TypeError:
        return id(function)
    return function


def _kind_of(function: Any) -> Kind:
    for one in (function, getattr(function, "__call__", None)):  # noqa: B004  (of an object that can be called)
        if isinstance(function, type):
            break
        if inspect.isasyncgenfunction(one):
            return Kind.ASYNC_GENERATOR
        if inspect.isgeneratorfunction(one):
            return Kind.GENERATOR
        if inspect.iscoroutinefunction(one):
            return Kind.AWAITED
    return Kind.VALUE


def _unresolved(
    function: Callable[..., Any], name: str, known: Collection[str], what: str = ""
) -> DependencyError:
    hint = did_you_mean(name, list(known))
    return DependencyError(
        f"argument {name!r} of {what}{name_of(function)}{where_of(function)} comes from nowhere: it has no input, no "
        f"Depends and no default; inputs are {', '.join(sorted(known)) or 'none'}{'; ' + hint if hint else ''}",
        function=name_of(function),
        argument=name,
    )
