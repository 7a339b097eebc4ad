"""Builds what a plan names, and cleans up after it: in an event loop, or in a thread without one.

Knows plans and generators; must not know why something is called. Here functions of the user are called, on behalf of
whoever opens a plan.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Generator, Mapping
from contextlib import (
    AbstractAsyncContextManager,
    AbstractContextManager,
    ExitStack,
    asynccontextmanager,
    contextmanager,
)
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Any

from sinagot.errors import DependencyError
from sinagot.flow.marks import code_of, name_of, where_of
from sinagot.flow.nodes import Kind, Node
from sinagot.flow.ready import RUN, RunContext

if TYPE_CHECKING:
    from anyio.from_thread import BlockingPortal

__all__ = ["OpenedHere", "opened"]


def _building(
    dependencies: Mapping[str, Node], given: Mapping[str, Any]
) -> Generator[tuple[Node, dict[str, Any]], Any, dict[str, Any]]:
    """Ask for each value that is to be built, parts first; give all arguments of the function."""
    built: dict[int, Any] = {}

    def value_of(node: Node) -> Generator[tuple[Node, dict[str, Any]], Any, Any]:
        if id(node) not in built:
            arguments = {}
            for name, part in node.parts.items():
                arguments[name] = yield from value_of(part)
            for name, is_needed in node.given.items():
                if name in given:
                    arguments[name] = given[name]
                elif is_needed:
                    raise DependencyError(
                        f"dependency {name_of(node.function)}{where_of(node.function)} needs {name!r}, which was not "
                        "given",
                        function=name_of(node.function),
                        argument=name,
                    )
            built[id(node)] = yield node, arguments
        return built[id(node)]

    found = dict(given)
    for name, node in dependencies.items():
        if name not in given:
            found[name] = yield from value_of(node)
    return found


class _Ending:
    """The error with which it ends, and what becomes of those of clean-ups."""

    def __init__(self, cancelled: tuple[type[BaseException], ...] = ()) -> None:
        self.error: BaseException | None = None
        self._cancelled = cancelled
        #: Which dependency has taken the error for its own.
        self.kept_by: Node | None = None

    @property
    def is_cancelled(self) -> bool:
        """It was cancelled, and nothing failed."""
        return isinstance(self.error, self._cancelled)

    @property
    def told(self) -> tuple[type[BaseException] | None, BaseException | None, TracebackType | None]:
        """What a clean-up is told."""
        error = self.error
        return (None, None, None) if error is None else (type(error), error, error.__traceback__)

    def take(self, node: Node, problem: BaseException) -> None:
        """Take what a clean-up raised: the first error stays what it was, and gets a note."""
        first = self.error
        problem = problem if _is_same(problem, first) else _as_left(node, problem)
        if first is None:
            self.error = problem
        elif _is_same(problem, first) or (
            isinstance(first, self._cancelled) and isinstance(problem, self._cancelled)
        ):
            pass
        elif isinstance(first, self._cancelled) or (
            isinstance(first, Exception) and not isinstance(problem, Exception)
        ):
            # Nobody looks at the notes of a cancellation; and a stop is meant for all.
            self.error = problem
        else:
            first.add_note(
                f"the clean-up of dependency {name_of(node.function)} failed as well: "
                f"{type(problem).__name__}: {problem}"
            )


#: What `contextlib` says of generators that do not yield one value.
_YIELDS = {
    "generator didn't yield": "none",
    "generator didn't stop": "more than one",
    "generator didn't stop after throw()": "more than one",
    "generator didn't stop after athrow()": "more than one",
}


def _as_left(node: Node, problem: BaseException) -> BaseException:
    """Give an error as it left the function: without the lines of what has called it."""
    if type(problem) is RuntimeError and str(problem) in _YIELDS:
        told = DependencyError(
            f"dependency {name_of(node.function)}{where_of(node.function)} must yield one value, and it yields "
            f"{_YIELDS[str(problem)]}",
            function=name_of(node.function),
        )
        told.__suppress_context__ = True
        return told
    code, trace = code_of(node.function), problem.__traceback__
    while trace is not None and trace.tb_frame.f_code is not code:
        trace = trace.tb_next
    return problem if trace is None else problem.with_traceback(trace)


def _is_same(problem: BaseException, first: BaseException | None) -> bool:
    """Say whether an error is the first one, come back, perhaps in a group: as task groups give it."""
    if isinstance(problem, BaseExceptionGroup):
        return all(_is_same(one, first) for one in problem.exceptions)
    return problem is first


@asynccontextmanager
async def opened(
    dependencies: Mapping[str, Node], given: Mapping[str, Any], context: RunContext | None
) -> AsyncIterator[dict[str, Any]]:
    """Open a plan in an event loop; see `Plan.open`."""
    import anyio
    from anyio.lowlevel import checkpoint_if_cancelled

    ending = _Ending((anyio.get_cancelled_exc_class(),))
    held: list[tuple[Node, Any]] = []
    token = RUN.set(context)
    try:
        try:
            yield await _built(_building(dependencies, given), held)
        except BaseException as error:  # noqa: BLE001  (raised again, after the clean-ups)
            ending.error = error
        for _, manager in held:
            if isinstance(manager, _Shieldable):
                manager.scope.shield = True
        for node, manager in reversed(held):
            try:
                if isinstance(manager, _Shieldable):
                    is_swallowed = await manager.close(*ending.told)
                    ending.kept_by = node if is_swallowed else ending.kept_by
                else:
                    manager.__exit__(*ending.told)
            except BaseException as problem:  # noqa: BLE001  (the others must be cleaned up as well)
                ending.take(node, problem)
        if ending.is_cancelled and ending.kept_by is not None:
            # A scope of its own has ended it; or the one around all, which is seen again without the shields.
            await checkpoint_if_cancelled()
            ending.error = DependencyError(
                f"dependency {name_of(ending.kept_by.function)} cancelled what depends on it",
                function=name_of(ending.kept_by.function),
            )
        if ending.error is not None:
            raise ending.error
    finally:
        RUN.reset(token)


class _Shieldable:
    """An async generator inside of a scope, which becomes a shield before any of them is closed.

    Scopes must nest, so that it has to be there before the generator opens one of its own, as a task group. And each
    has one: a cancellation reaches the task groups of all generators, and that of one would cut off the clean-up of
    those built after it.
    """

    def __init__(self, manager: AbstractAsyncContextManager[Any]) -> None:
        import anyio

        self._manager = manager
        self.scope = anyio.CancelScope()

    async def open(self) -> Any:
        with ExitStack() as stack:
            stack.enter_context(self.scope)
            value = await self._manager.__aenter__()
            stack.pop_all()
        return value

    async def close(self, *told: Any) -> bool:
        try:
            return bool(await self._manager.__aexit__(*told))
        finally:
            self.scope.__exit__(None, None, None)


async def _built(
    asked: Generator[tuple[Node, dict[str, Any]], Any, dict[str, Any]], held: list[tuple[Node, Any]]
) -> dict[str, Any]:
    """Build what is asked for."""
    value: Any = None
    while True:
        try:
            node, arguments = asked.send(value)
        except StopIteration as end:
            found: dict[str, Any] = end.value
            return found
        try:
            match node.kind:
                case Kind.VALUE:
                    value = node.function(**arguments)
                case Kind.AWAITED:
                    value = await node.function(**arguments)
                case Kind.GENERATOR:
                    manager: Any = contextmanager(node.function)(**arguments)
                    value = manager.__enter__()
                    held.append((node, manager))
                case Kind.ASYNC_GENERATOR:
                    manager = _Shieldable(asynccontextmanager(node.function)(**arguments))
                    value = await manager.open()
                    held.append((node, manager))
        except Exception as problem:  # noqa: BLE001  (it is raised again, as it was)
            raise _as_left(node, problem)  # noqa: B904  (mostly the same)


class OpenedHere(AbstractContextManager[dict[str, Any]]):
    """Opens a plan in a thread without an event loop; see `Plan.open_here`.

    Parameters
    ----------
    dependencies : mapping of str to Node
        What is built.
    given : mapping
        Arguments by name.
    context : RunContext, optional
        What the ready-made dependencies read.
    """

    def __init__(
        self, dependencies: Mapping[str, Node], given: Mapping[str, Any], context: RunContext | None
    ) -> None:
        self._dependencies, self._given, self._context = dependencies, given, context
        self._held: list[tuple[Node, Any]] = []
        self._stack = ExitStack()

    def __enter__(self) -> dict[str, Any]:
        self._stack.callback(RUN.reset, RUN.set(self._context))
        try:
            return _built_here(_building(self._dependencies, self._given), self._held, _Loop(self._stack))
        except BaseException as error:
            self._close(error)
            raise

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close(error)

    def _close(self, error: BaseException | None) -> None:
        """Clean up; another error is raised only where it weighs more."""
        ending = _Ending()
        ending.error = error
        with self._stack:
            for node, manager in reversed(self._held):
                try:
                    manager.__exit__(*ending.told)
                except BaseException as problem:  # noqa: BLE001  (the others must be cleaned up as well)
                    ending.take(node, problem)
        if ending.error is not None and ending.error is not error:
            raise ending.error


class _Loop:
    """The event loop of one opening, in a thread of its own: started when the first asks for it."""

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack
        self._portal: BlockingPortal | None = None

    @property
    def portal(self) -> BlockingPortal:
        """The door to it."""
        if self._portal is None:
            from anyio.from_thread import start_blocking_portal

            self._portal = self._stack.enter_context(start_blocking_portal(name="sinagot-dependencies"))
        return self._portal


def _built_here(
    asked: Generator[tuple[Node, dict[str, Any]], Any, dict[str, Any]],
    held: list[tuple[Node, Any]],
    loop: _Loop,
) -> dict[str, Any]:
    """Build what is asked for."""
    value: Any = None
    while True:
        try:
            node, arguments = asked.send(value)
        except StopIteration as end:
            found: dict[str, Any] = end.value
            return found
        call: Callable[..., Any] = node.function
        try:
            match node.kind:
                case Kind.VALUE:
                    value = call(**arguments)
                    continue
                case Kind.AWAITED:
                    value = loop.portal.call(partial(call, **arguments))
                    continue
                case Kind.GENERATOR:
                    manager: Any = contextmanager(call)(**arguments)
                case Kind.ASYNC_GENERATOR:
                    manager = loop.portal.wrap_async_context_manager(asynccontextmanager(call)(**arguments))
            value = manager.__enter__()
        except Exception as problem:  # noqa: BLE001  (it is raised again, as it was)
            raise _as_left(node, problem)  # noqa: B904  (mostly the same)
        held.append((node, manager))
