"""The event loop that calls us, of trio or of asyncio: tasks of their own in it, and calls to it from anywhere.

Knows the two loops; must not know flows. `docs/decisions/0022-where-a-flow-runs.md` says why tasks are put there.
"""

from __future__ import annotations

import asyncio
import contextvars
import sys
import threading
from collections.abc import Callable, Coroutine, Generator
from concurrent.futures import Future
from functools import partial
from importlib import import_module
from typing import Any, TypeVar

__all__ = ["is_in_trio", "run_apart", "soon_caller", "spawn", "start_soon"]

_T = TypeVar("_T")

#: Tasks of asyncio that go on: the loop itself holds them weakly.
_TASKS: set[asyncio.Task[None]] = set()


def is_in_trio() -> bool:
    """Say whether the caller runs in a loop of trio."""
    # Who runs in a loop of trio has loaded it. asyncio may be the host of such a loop, so that is asked first.
    trio = sys.modules.get("trio")
    if trio is None:
        return False
    try:
        trio.lowlevel.current_task()
    except RuntimeError:
        return False
    return True


def run_apart(call: Callable[[], _T]) -> _T:
    """Call something that runs a loop of its own: here, or in another thread where this one is in a loop already.

    Parameters
    ----------
    call : callable
        What is called.

    Returns
    -------
    object
        What it gives; what it raises is raised.
    """
    if asyncio._get_running_loop() is None and not is_in_trio():
        return call()
    answer: Future[_T] = Future()

    def answered() -> None:
        try:
            answer.set_result(call())
        except BaseException as error:  # noqa: BLE001  (raised below, where it is waited for)
            answer.set_exception(error)

    # With a context of its own: that of the caller says which loop it is in.
    thread = threading.Thread(target=answered, name="sinagot-flow", daemon=True)
    thread.start()
    thread.join()
    return answer.result()


def spawn(function: Callable[[], Coroutine[Any, Any, None]], name: str) -> None:
    """Begin a task in the loop of the caller, which nobody waits for; it is cancelled when the loop ends.

    Parameters
    ----------
    function : async callable
        What it does; it raises nothing but its cancellation.
    name : str
        Of the task.
    """
    if is_in_trio():
        import_module("trio.lowlevel").spawn_system_task(
            function, name=name, context=contextvars.copy_context()
        )
        return
    task = asyncio.get_running_loop().create_task(function(), name=name)
    _TASKS.add(task)
    task.add_done_callback(_TASKS.discard)


def start_soon(group: Any, function: Callable[..., Coroutine[Any, Any, Any]], *args: Any) -> None:
    """Begin a task in a group; also one that asyncio cancels before its first step, with the loop, leaves no warning.

    Parameters
    ----------
    group : TaskGroup
        Of anyio.
    function : async callable
        What the task does.
    *args
        Its arguments.
    """
    name = getattr(function, "__qualname__", None)
    if is_in_trio():
        group.start_soon(function, *args, name=name)
    else:
        group.start_soon(_Unbegun, function, args, name=name)


class _Unbegun(Coroutine[Any, Any, Any]):
    """A call that is made with its first step: a coroutine that is thrown away before would give a warning."""

    def __init__(self, function: Callable[..., Coroutine[Any, Any, Any]], args: tuple[Any, ...]) -> None:
        self._call = partial(function, *args)
        self._begun: Coroutine[Any, Any, Any] | None = None

    def __await__(self) -> Generator[Any, Any, Any]:
        return self._call().__await__()

    def send(self, value: Any) -> Any:
        self._begun = self._begun or self._call()
        return self._begun.send(value)

    def throw(self, *error: Any) -> Any:
        if self._begun is None:
            raise error[0]
        return self._begun.throw(*error)

    def close(self) -> None:
        if self._begun is not None:
            self._begun.close()


def soon_caller() -> Callable[[Callable[[], Any]], None]:
    """Give a function that has another one called in this loop soon; it may be called in any thread, at any time.

    When the loop has ended, nothing is called.
    """
    if is_in_trio():
        token = import_module("trio.lowlevel").current_trio_token()
        call = token.run_sync_soon
    else:
        call = asyncio.get_running_loop().call_soon_threadsafe

    def soon(function: Callable[[], Any]) -> None:
        try:
            call(function)
        except RuntimeError:  # the loop has ended, and with it all that ran there
            return

    return soon
