"""What an attempt gives to a script that is made of acts.

Knows jobs, benches and logs; must not know what the script is.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from sinagot.engine.job import Job
    from sinagot.engine.state.bench import Bench
    from sinagot.engine.whole import Whole
    from sinagot.runlog.capture import AttemptLog
    from sinagot.scripts.sources import SourceSet

__all__ = ["Inside", "inside_of"]


class Inside(NamedTuple):
    """The attempt, as seen from within."""

    run_id: str
    #: Of the job.
    key: str
    log: AttemptLog
    #: Takes events for the history of the run.
    note: Callable[[dict[str, Any]], None]
    #: Files of the user's code.
    files: tuple[str, ...]
    #: The script, with its local modules; None where the code is none of Python.
    source: SourceSet | None
    is_debugging: bool
    #: The run, for those that join it; None within a step.
    whole: Whole | None = None


def inside_of(job: Job, bench: Bench, log: AttemptLog) -> Inside:
    """Make it for an attempt of a job."""
    files = tuple(path for path, _ in job.step.source.files)
    return Inside(
        job.options.run_id, job.key, log, bench.events.append, files, job.step.source, job.options.debug
    )
