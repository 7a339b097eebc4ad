"""One chain of jobs, run to its end in the children of this worker: with their limits, tried again, settled when lost.

Knows the driver and the children of a Dask worker; must not know Dask, nor who asked.
"""

from __future__ import annotations

import pickle
import sys
import zlib
from collections.abc import Sequence

from sinagot.engine.driver import Driver, Work
from sinagot.engine.executors.contract import Arrival, Chain
from sinagot.engine.executors.dask_worker import run_batch_in_child
from sinagot.engine.executors.greeting import Greeting
from sinagot.engine.job import Job, JobResult
from sinagot.engine.limits import lane_of
from sinagot.engine.stop import StopRequest

__all__ = ["run_to_end"]


class _Children:
    """The children of this worker as an executor: one batch at a time, waited for."""

    slots = 1
    ahead = 0
    here = False
    is_usable = True
    batch_seconds = 0.05
    notices: Sequence[str] = ()

    def __init__(self) -> None:
        self._done: list[Arrival] = []

    def warm(self, count: int) -> None:
        """Nothing to make ready."""

    def submit(self, number: int, chains: list[Chain]) -> None:
        """Run the batch."""
        options = chains[0][0].options
        payload = zlib.compress(pickle.dumps((number, chains)), 1)
        versions, manifest = Greeting.of(options.state_path, options.run_id)
        answer = pickle.loads(run_batch_in_child(payload, list(sys.path), (versions, manifest)))
        if isinstance(answer, list):
            self._done.append(Arrival(number, answer))
        else:
            self._done.append(Arrival(number, None, answer))

    def collect(self, timeout: float) -> list[Arrival]:
        """Give what was run since the last call."""
        done, self._done = self._done, []
        return done

    def drain(self) -> None:
        """Nothing runs while this is called."""

    def kill(self) -> None:
        """Nothing runs while this is called."""

    def close(self) -> None:
        """Leave the children to the worker."""


def run_to_end(jobs: Sequence[Job]) -> list[tuple[Job, JobResult]]:
    """Run a chain in children of this process.

    Parameters
    ----------
    jobs : sequence of Job
        In running order.

    Returns
    -------
    list of tuple of Job and JobResult
        Each job with what came of it; without those that were not begun.
    """
    results: dict[str, JobResult] = {}

    def book(work: Work, found: Sequence[JobResult]) -> None:
        results.update((job.key, result) for job, result in zip(work.jobs, found, strict=False))

    lanes = {
        place: lane for place, job in enumerate(jobs) if (lane := lane_of(job.step.settings)) is not None
    }
    driver = Driver(_Children(), StopRequest(0.0, here=False), book, lanes=lanes)
    driver.drive(iter([Work(0, tuple(range(len(jobs))), tuple(jobs))]), 1, lambda: None)
    return [(job, results[job.key]) for job in jobs if job.key in results]
