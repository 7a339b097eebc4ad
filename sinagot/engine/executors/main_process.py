"""Jobs run here, in order; those that must be ended when they are over their limits get a child process."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from sinagot.engine.attempt import run_chain
from sinagot.engine.executors.contract import Arrival, Chain
from sinagot.engine.job import JobResult
from sinagot.engine.limits import FailureCount, needs_child
from sinagot.runlog.printing import Printer

if TYPE_CHECKING:
    from sinagot.engine.executors.hygiene import Hygiene
    from sinagot.engine.executors.processes import ProcessExecutor

__all__ = ["MainProcessExecutor"]


class MainProcessExecutor:
    """Runs each batch at once, in the calling thread, or in a child while nothing else runs.

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
    notices: Sequence[str] = ()

    def __init__(self, stopping: Callable[[], bool] | None = None) -> None:
        self.stopping = stopping or (lambda: False)
        self._done: list[Arrival] = []
        self._side: ProcessExecutor | None = None
        self._run_id = ""
        self._failures = FailureCount(None)

    def warm(self, count: int) -> None:
        """Nothing to make ready."""

    def submit(self, number: int, chains: list[Chain]) -> None:
        """Run the batch, or let a child begin with it."""
        first = chains[0][0]
        options = first.options
        if not options.debug and needs_child(first.step.settings):
            self._child().submit(number, chains)
            return
        printer = Printer(options.level) if options.printing else None
        if options.run_id != self._run_id:
            self._run_id, self._failures = options.run_id, FailureCount(options.max_failures)
        failures = self._failures
        # In another thread of the user's program the process is not ours; who debugs wants to look round.
        is_alone = threading.current_thread() is threading.main_thread() and not options.debug
        hygiene = _hygiene() if is_alone else None

        def after(result: JobResult) -> None:
            if hygiene is not None:
                hygiene.restore()
            failures.note(result)

        try:
            results = [
                run_chain(
                    chain, lambda: self.stopping() or failures.is_full, after_job=after, printer=printer
                )
                for chain in chains
            ]
        finally:
            if hygiene is not None:
                hygiene.close()
        self._done.append(Arrival(number, results))

    def _child(self) -> ProcessExecutor:
        if self._side is None:
            from sinagot.engine.executors.processes import ProcessExecutor  # most runs need none

            self._side = ProcessExecutor(1)
        return self._side

    def collect(self, timeout: float) -> list[Arrival]:
        """Give what was run since the last call, or what the child ends within the time."""
        done, self._done = self._done, []
        if not done and self._side is not None:
            return self._side.collect(timeout)
        return done

    def drain(self) -> None:
        """Let the child finish its running job only; here, `stopping` is asked between jobs."""
        if self._side is not None:
            self._side.drain()

    def kill(self) -> None:
        """Kill the child; a script in this thread is reached by the signal."""
        if self._side is not None:
            self._side.kill()

    def close(self) -> None:
        """End the child."""
        if self._side is not None:
            self._side.close()


def _hygiene() -> Hygiene:
    from sinagot.engine.executors.hygiene import Hygiene  # what it needs takes longer than a run without work

    return Hygiene(is_ours=False)
