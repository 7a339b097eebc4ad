"""How the inputs of a step are looked at: by size and time of change, and by their content where the step says so.

Knows settings, shapes of paths and jobs; must not know records. Plans, attempts and recovery ask here, so that what is
noted with a result is what is compared later.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial

from sinagot.config.settings import StepSettings
from sinagot.dataset.prints import print_of
from sinagot.engine.job import Job
from sinagot.engine.paths import Paths, flat_paths

__all__ = ["Look", "job_look", "look_at"]

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
