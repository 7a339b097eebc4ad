"""The data of one node on a worker of Dask: its jobs are run there, as anywhere, and the data are given back.

Knows jobs, and the class that they name; must not know Dask.
"""

from __future__ import annotations

import pickle
import sys
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from sinagot.engine.attempt import run_chain
from sinagot.engine.causes import unpacked
from sinagot.engine.executors.errand import run_to_end
from sinagot.engine.job import Job, JobResult, Outcome
from sinagot.engine.limits import needs_child
from sinagot.engine.memory import Memory
from sinagot.errors import MissingDataError, StepFailedError
from sinagot.scripts.program import owner_of
from sinagot.scripts.sources import SourceSet
from sinagot.workflow.evaluation import read_part

__all__ = ["RemoteNode", "remote_value"]

_PAUSE = 0.1  # seconds between two looks at a job that another run holds
_GOOD = (Outcome.DONE, Outcome.DONE_ELSEWHERE, Outcome.UP_TO_DATE)


class RemoteNode(NamedTuple):
    """What a worker must know."""

    name: str
    workflow_id: str
    jobs: tuple[Job, ...]
    #: The class that the node belongs to.
    owner: SourceSet
    #: Where the data lie: a path, a dict of those, or None where nothing stores them.
    files: Any


def remote_value(payload: bytes, path: Sequence[str]) -> Any:
    """Run the jobs of one node of one workflow that are to be run, and give its data.

    Parameters
    ----------
    payload : bytes
        A pickled `RemoteNode`.
    path : sequence of str
        Module search path of the driver.

    Raises
    ------
    StepFailedError
        A step failed.
    MissingDataError
        Input data are not there.
    """
    sys.path += [folder for folder in path if folder not in sys.path]
    request: RemoteNode = pickle.loads(payload)
    part = owner_of(request.owner).part(request.name)
    memory = Memory()
    _run(request, memory)
    if request.files is None:
        return memory.values[request.name][1]
    files = request.files
    if isinstance(files, dict):
        return {name: Path(one) for name, one in files.items()}
    return read_part(part, request.workflow_id, Path(files))


def _run(request: RemoteNode, memory: Memory) -> None:
    jobs = request.jobs
    stored = max((place + 1 for place, job in enumerate(jobs) if job.outputs), default=0)
    if any(needs_child(job.step.settings) for job in jobs[:stored]):
        _check(request, run_to_end(jobs[:stored]), memory)
        jobs = jobs[stored:]  # values that nothing stores are of use in this process only
    while jobs:
        memory.forget_error()
        results = run_chain(jobs, memory=memory)
        pauses = [result.retry for result in results if result.retry is not None]
        if pauses:
            time.sleep(max(pauses))
            jobs = tuple(
                job._replace(tries=job.tries + (place < len(results) and results[place].retry is not None))
                for place, job in enumerate(jobs)
            )
            continue
        if results and results[-1].outcome == Outcome.HELD:
            time.sleep(_PAUSE)
            continue
        _check(request, zip(jobs, results, strict=False), memory)
        return


def _check(request: RemoteNode, done: Iterable[tuple[Job, JobResult]], memory: Memory) -> None:
    """Raise what speaks against giving the data."""
    for job, result in done:
        if result.outcome == Outcome.MISSING_INPUT:
            missing = ", ".join(result.missing)
            raise MissingDataError(
                f"{request.name!r} of {request.workflow_id!r} cannot be made: not there: {missing}",
                node=request.name,
                workflow_id=request.workflow_id,
            )
        if result.outcome not in _GOOD:
            cause = result.cause
            what = f"{cause.exc_type}: {cause.message}" if cause is not None else result.outcome
            raise StepFailedError(
                f"step {job.step.label!r} of {request.workflow_id!r} failed: {what}",
                workflow_id=request.workflow_id,
                node=job.step.label,
            ) from memory.error or (unpacked(cause) if cause is not None else None)
