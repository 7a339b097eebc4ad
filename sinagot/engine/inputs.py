"""How the inputs of a step are looked at: by size and time of change, and by their content where the step says so.

Knows settings, shapes of paths and jobs; must not know records. Plans, attempts and recovery ask here, so that what is
noted with a result is what is compared later.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING

from sinagot.config.settings import StepSettings
from sinagot.dataset.commit import fingerprint
from sinagot.dataset.prints import print_of
from sinagot.engine.job import Job
from sinagot.engine.paths import Paths, declared_inputs, flat_paths

if TYPE_CHECKING:
    from sinagot.engine.state.bench import Bench

__all__ = ["Look", "Seen", "job_look", "look_at"]

#: Path -> its print.
Look = Callable[[str], str | None]


def look_at(settings: StepSettings, inputs: Iterable[Paths]) -> Look:
    """Give how inputs are looked at.

    Parameters
    ----------
    settings : StepSettings
        Of the step.
    inputs : iterable of Paths
        Of one record or of several, each in the shape that the step declared.

    Examples
    --------
    >>> look = look_at(
    ...     StepSettings(check=(("a", "digest"), ("b", "stat"))), [{"a": "/dev/null", "b": "/dev/null"}]
    ... )
    >>> len((look("/dev/null") or "").split(" "))
    3
    """
    if not isinstance(settings.check, tuple):
        return partial(print_of, content=settings.reads(None))
    read = {
        path
        for one in inputs
        if isinstance(one, dict)
        for name, value in one.items()
        if settings.reads(name)
        for path in flat_paths(value)
    }
    return lambda path: print_of(path, content=path in read)


def job_look(job: Job) -> Look:
    """Give how the inputs of a job are looked at."""
    return look_at(job.step.settings, (job.inputs,) if job.members is None else job.members.values())


class Seen:
    """What is on disk when the claim is ours: one stat a path, for all the questions that follow."""

    __slots__ = ("inputs", "outputs", "was_marked")

    def __init__(self, job: Job, bench: Bench) -> None:
        look, inputs, outputs = job_look(job), job.inputs, job.outputs
        many = (inputs,) if isinstance(inputs, str) else declared_inputs(inputs)
        self.inputs = {path: look(path) for path in many}
        self.outputs = {path: fingerprint(path) for path in flat_paths(outputs)}
        self.was_marked = bench.failures.has(job.key)

    def wait_for_inputs(self, job: Job) -> None:
        """Give a shared drive the time to show what the plan has seen, or the step before has made, elsewhere."""
        from sinagot.dataset.volumes import await_paths, latency  # it is nearly always there

        absent = [path for path, found in self.inputs.items() if found is None]
        seconds = latency(job.options.data_path, job.options.latency_wait)
        if seconds:
            await_paths(absent, seconds)
            look = job_look(job)
            self.inputs |= {path: look(path) for path in absent}
