"""The executors that a workspace has started: each is lent to one run at a time, and kept for the next.

Knows when executors begin and end; must not know what runs in them.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager

from sinagot.engine.executors.contract import Executor

__all__ = ["ExecutorPool"]


class ExecutorPool:
    """Executors by key.

    Two runs at a time in one program get one executor each: an executor gives back batches, and does not know of runs.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._free: list[tuple[Hashable, Executor]] = []
        self._lent: list[Executor] = []

    @contextmanager
    def lend(self, key: Hashable, make: Callable[[], Executor]) -> Iterator[Executor]:
        """Lend an executor of a key for the time of the context.

        Parameters
        ----------
        key : hashable
            Executors of one key are alike.
        make : callable
            Makes one when none is free.
        """
        executor = self._take(key) or make()
        with self._lock:
            self._lent.append(executor)
        try:
            yield executor
        finally:
            with self._lock:
                was_closed = executor not in self._lent
                if not was_closed:
                    self._lent.remove(executor)
                    if executor.is_usable:
                        self._free.append((key, executor))
            if not was_closed and not executor.is_usable:
                executor.close()

    def _take(self, key: Hashable) -> Executor | None:
        with self._lock:
            for entry in list(self._free):
                if entry[0] == key:
                    self._free.remove(entry)
                    if entry[1].is_usable:
                        return entry[1]
                    entry[1].close()
        return None

    def close(self) -> None:
        """End all executors."""
        with self._lock:
            executors = [*self._lent, *(executor for _, executor in self._free)]
            self._lent.clear()
            self._free.clear()
        for executor in executors:
            executor.close()
