"""Jobs are data: one unit x step to execute, and what came of it.

Everything a worker needs stands in the job as plain, picklable values; nothing here touches the disk.
The planner makes jobs, `sinagot.engine.attempt.run_job` turns each into a `JobResult`.
"""

from __future__ import annotations

from typing import NamedTuple

from sinagot.engine.paths import Paths
from sinagot.runlog.write import LogTarget
from sinagot.scripts.sources import SourceSet

__all__ = ["Cause", "Job", "JobResult", "JobStep", "Outcome", "RunOptions", "job_key"]


class Outcome:
    """What a run says of one job; the words are those of reports, tables and exit codes."""

    DONE = "done"
    UP_TO_DATE = "up_to_date"
    DONE_ELSEWHERE = "done_elsewhere"
    FAILED = "failed"
    MISSING_INPUT = "missing_input"
    BLOCKED = "blocked"
    INTERRUPTED = "interrupted"
    #: Not an end: another live run holds the job; the driver asks again.
    HELD = "held"

    #: In the order of tables; the position is the code kept for each job of a run.
    ALL = (DONE, UP_TO_DATE, DONE_ELSEWHERE, FAILED, MISSING_INPUT, BLOCKED, INTERRUPTED)
    #: Outcomes after which the run did not do what was asked.
    BAD = (FAILED, BLOCKED, INTERRUPTED)


class RunOptions(NamedTuple):
    """What all jobs of one run share; pickled once per batch."""

    run_id: str
    data_path: str
    output_path: str
    state_path: str
    log: LogTarget
    level: str
    scoped: bool
    workspace_version: str
    started: float
    force: bool = False
    ignore_missing: bool = False
    debug: bool = False
    printing: bool = True

    @property
    def stage_base(self) -> str:
        """Folder of the private stages: on the file system of the outputs, so that a move is a rename."""
        return f"{self.output_path}/.sinagot/stage"


class JobStep(NamedTuple):
    """What all jobs of one step of one unit kind share."""

    label: str
    task: str | None
    modality: str | None
    source: SourceSet
    atomic: bool


class Job(NamedTuple):
    """One step of one unit of one record, ready to be executed anywhere."""

    key: str
    record_id: str
    step: JobStep
    inputs: Paths
    outputs: Paths
    control: Paths | None
    #: Keys of the jobs whose outputs this one reads: a failure or an open claim of one of them blocks it.
    upstream: tuple[str, ...]
    options: RunOptions


class Cause(NamedTuple):
    """Why an attempt failed; text only, so that it travels and is stored as it is."""

    exc_type: str
    message: str
    traceback: str
    #: Innermost line of the user's code, ``file:line in function``; empty when there is none.
    where: str = ""


class JobResult(NamedTuple):
    """What came of one job."""

    key: str
    outcome: str
    duration: float = 0.0
    cause: Cause | None = None
    #: The other run that did or holds the job.
    by: str | None = None
    #: Paths that were missing, for ``missing_input``; keys of the upstream jobs, for ``blocked``.
    missing: tuple[str, ...] = ()
    #: Lines for standard output, collected where no terminal is.
    printed: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


def job_key(record_id: str, task: str | None, modality: str | None, label: str) -> str:
    """Give the readable key of a job.

    Examples
    --------
    >>> job_key("REC-1", "RS", "EEG", "alpha"), job_key("REC-1", None, None, "count")
    ('REC-1/RS/EEG/alpha', 'REC-1/count')
    """
    if task is None and modality is None:
        return f"{record_id}/{label}"
    return f"{record_id}/{task or '-'}/{modality or '-'}/{label}"
