"""What the engine expects of an executor, and the two ways a batch can end.

Executors carry batches; a batch is a list of chains, a chain a tuple of jobs to be run in order by one worker, or one
call of a function.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, Protocol

from sinagot.engine.job import Job, JobResult

__all__ = ["BATCH_NUMBERS", "MOST_SENDS", "Arrival", "Chain", "Executor", "Lost", "SharedExecutor"]

#: In running order. A `CallJob` travels in the place of a job: executors ask no more of a job than it has.
Chain = tuple[Job, ...]
#: Batches are numbered through all runs of a process: an executor outlives a run.
BATCH_NUMBERS = itertools.count(1)
#: How often a batch is lost without a trace before its jobs are given up.
MOST_SENDS = 4


class Lost(NamedTuple):
    """A batch whose worker is gone: what was done is on disk, the rest is not."""

    text: str
    exit_code: int | None = None
    signal: str | None = None
    #: False when the place where jobs run is gone altogether: nothing can be submitted any more.
    usable: bool = True
    #: False when no job of the batch was begun: nobody is to blame.
    is_begun: bool = True
    #: What the job that was running is blamed for.
    exc_type: str = "WorkerLostError"
    #: Key and attempt of the job that was ended on purpose, and what was measured of it.
    key: str | None = None
    attempt: str | None = None
    facts: Mapping[str, float] = {}
    #: False when the worker was ended from outside, with the script that ran there: the script is not to blame.
    blames: bool = True
    #: How many workers were lost by it: Dask may have tried others by itself.
    times: int = 1
    #: The dead process, as its claims name it (host, PID, start), where that is known for sure.
    dead: tuple[str, int, str] | None = None


class Arrival(NamedTuple):
    """A batch that came back."""

    number: int
    #: One list a chain, as long as the chain or shorter (a job that is held ends its chain).
    results: list[list[JobResult]] | None
    lost: Lost | None = None


class Executor(Protocol):
    """Runs batches of jobs somewhere."""

    #: How many more batches may wait at a busy slot, so that it never idles.
    ahead: int
    #: True when jobs run in the calling thread.
    here: bool
    #: What the user should be told of the place where jobs run.
    notices: Sequence[str]

    @property
    def is_usable(self) -> bool:
        """False when the place where jobs run is gone: a later run needs another executor."""

    #: Seconds of work that one batch should hold, so that sending it costs little.
    batch_seconds: float

    @property
    def slots(self) -> int:
        """How many batches can run at once."""

    def warm(self, count: int) -> None:
        """Begin to make ready what so many chains can use; returns at once."""

    def submit(self, number: int, chains: list[Chain]) -> None:
        """Take a batch; returns at once unless jobs run here."""

    def collect(self, timeout: float) -> list[Arrival]:
        """Give the batches that came back; waits at most `timeout` seconds for the first."""

    def drain(self) -> None:
        """Ask workers to finish the running job and to leave the rest of their batches."""

    def kill(self) -> None:
        """End running jobs at once, with their whole process trees; their batches come back as lost."""

    def close(self) -> None:
        """End what this executor started, and only that."""


class SharedExecutor(Executor, Protocol):
    """An executor whose work comes from other threads than the one that owns it."""

    def waker(self) -> Callable[[], None]:
        """Give what ends a `collect` that waits; it can be called in any thread, and any number of times."""
