"""How a stop that was asked for reaches the script that runs in this thread, and which of its failures come of it.

Knows stop requests; must not know jobs.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

__all__ = ["ScriptStoppedBySignals", "is_of_a_stop", "obeying", "stop_was_asked"]

_STOP: list[Any] = []


def stop_was_asked() -> bool:
    """Say whether somebody asked this process to stop."""
    return any(stop.requested for stop in _STOP)


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

    def __enter__(self) -> None:
        for stop in _STOP:
            stop.script_running = True
        if stop_was_asked():
            self.__exit__()
            raise KeyboardInterrupt  # it came after the driver looked: nothing new is started

    def __exit__(self, *error: object) -> None:
        for stop in _STOP:
            stop.script_running = False


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
