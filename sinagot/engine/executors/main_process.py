"""Jobs run here, in order."""

from __future__ import annotations

from collections.abc import Callable

from sinagot.engine.attempt import run_chain
from sinagot.engine.executors.contract import Arrival, Chain
from sinagot.runlog.printing import Printer

__all__ = ["MainProcessExecutor"]


class MainProcessExecutor:
    """Runs each batch at once, in the calling thread.

    Parameters
    ----------
    stopping : callable, optional
        Says whether a stop was asked for; asked before each job.
    """

    slots = 1
    ahead = 0
    here = True
    is_usable = True
    batch_seconds = 0.05

    def __init__(self, stopping: Callable[[], bool] | None = None) -> None:
        self.stopping = stopping or (lambda: False)
        self._done: list[Arrival] = []

    def warm(self, count: int) -> None:
        """Nothing to make ready."""

    def submit(self, number: int, chains: list[Chain]) -> None:
        """Run the batch."""
        options = chains[0][0].options
        printer = Printer(options.level) if options.printing else None
        results = [run_chain(chain, self.stopping, printer=printer) for chain in chains]
        self._done.append(Arrival(number, results))

    def collect(self, timeout: float) -> list[Arrival]:
        """Give what was run since the last call."""
        done, self._done = self._done, []
        return done

    def drain(self) -> None:
        """Nothing waits here: `stopping` is asked between jobs."""

    def kill(self) -> None:
        """Nothing to kill: the signal reaches the script in this thread."""

    def close(self) -> None:
        """Nothing was started."""
