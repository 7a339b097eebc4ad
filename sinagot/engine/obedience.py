"""How a stop that was asked for reaches the script that runs in this thread, and which of its failures come of it.

Knows stop requests; must not know jobs.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

__all__ = [
    "ScriptStoppedBySignals",
    "is_of_a_stop",
    "obeying",
    "signal_came",
    "stop_in_force",
    "stop_was_asked",
]

_STOP: list[Any] = []


def stop_was_asked() -> bool:
    """Say whether somebody asked this process to stop."""
    return any(stop.requested for stop in _STOP)


def signal_came() -> bool:
    """Say whether a signal stops this process: what a script would begin now has no time left."""
    return any(stop.is_hurried for stop in _STOP)


def stop_in_force() -> Any:
    """Give the stop request that hears the signals of this process; None when there is none."""
    return _STOP[0] if _STOP else None


def is_of_a_stop(error: BaseException) -> bool:
    """Say whether an attempt ended by the stop itself: a batch system signals the programs of a script as well."""
    code = getattr(error, "exit_code", getattr(error, "returncode", None))
    signals = [getattr(signal, name, signal.SIGTERM) for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGUSR1")]
    return isinstance(error, KeyboardInterrupt) or code in {
        *(-one for one in signals),
        *(128 + one for one in signals),
    }


class ScriptStoppedBySignals:
    """Tells the stop request of this process, if there is one, that a script runs in its thread."""

    def __init__(self) -> None:
        self._before: list[tuple[Any, bool]] = []

    def __enter__(self) -> None:
        self._before = [(stop, stop.script_running) for stop in _STOP]
        for stop, _ in self._before:
            stop.script_running = True
        if stop_was_asked():
            self.__exit__()
            raise KeyboardInterrupt  # it came after the driver looked: nothing new is started

    def __exit__(self, *error: object) -> None:
        for stop, was_running in self._before:
            stop.script_running = was_running  # a pipeline may run a script: it goes on when that has ended


@contextmanager
def obeying(stop: Any, begun: Callable[[Any], None] | None = None) -> Iterator[None]:
    """Let a stop request of the driver reach scripts that run in this thread, and whoever may want to stop them."""
    _STOP.append(stop)
    if begun is not None:
        begun(stop)
    try:
        yield
    finally:
        _STOP.remove(stop)
