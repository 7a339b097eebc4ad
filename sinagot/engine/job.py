"""Jobs are data: one unit x step to execute, and what came of it.

Everything a worker needs stands in the job as plain, picklable values; nothing here touches the disk.
The planner makes jobs, `sinagot.engine.attempt.run_job` turns each into a `JobResult`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from sinagot.config.settings import StepSettings
from sinagot.engine.paths import Paths
from sinagot.runlog.write import LogTarget
from sinagot.scripts.sources import SourceSet

__all__ = [
    "CallJob",
    "CallOptions",
    "CallStep",
    "Cause",
    "Job",
    "JobResult",
    "JobStep",
    "Outcome",
    "RunOptions",
    "job_key",
    "parse_key",
]


class Outcome:
    """What a run says of one job; the words are those of reports, tables and exit codes."""

    DONE = "done"
    UP_TO_DATE = "up_to_date"
    DONE_ELSEWHERE = "done_elsewhere"
    FAILED = "failed"
    MISSING_INPUT = "missing_input"
    BLOCKED = "blocked"
    EXCLUDED = "excluded"
    INTERRUPTED = "interrupted"
    #: The run was ended by failures before it came to the job.
    NOT_BEGUN = "not_begun"
    #: Not an end: another live run holds the job; the driver asks again.
    HELD = "held"
    #: Not an end: its worker was ended from outside while it was at the job.
    LOST = "lost"

    #: In the order of tables; the position is the code kept for each job of a run.
    ALL = (DONE, UP_TO_DATE, DONE_ELSEWHERE, FAILED, MISSING_INPUT, BLOCKED, EXCLUDED, INTERRUPTED, NOT_BEGUN)
    #: Outcomes after which the run did not do what was asked.
    BAD = (FAILED, BLOCKED, INTERRUPTED, NOT_BEGUN)


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
    ignore_missing: bool = False
    debug: bool = False
    printing: bool = True
    #: After so many failed jobs nothing new is started.
    max_failures: int | None = None
    #: ``"lazy"``: what was published is synced in groups; ``"full"``: each job's outputs before it is done.
    durability: str = "lazy"
    #: Seconds to wait for an input that should be there; None is what the drive needs.
    latency_wait: float | None = None
    #: Folders below which paths are noted short, as `RecordGraph.roots`.
    roots: tuple[str, ...] = ()

    @property
    def is_full(self) -> bool:
        """Whether a job is done only when its outputs are on the disk."""
        return self.durability == "full"

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
    settings: StepSettings = StepSettings()
    #: The declared paths, as text: a result of other paths is another result.
    paths: str = ""
    #: Its script has a class `Params` that checks parameters.
    typed: bool = False
    #: Its script is made of stages that are told of one by one, or of processors.
    is_pipeline: bool = False
    is_flow: bool = False

    @property
    def has_acts(self) -> bool:
        """What happens inside its attempts is told."""
        return self.is_pipeline or self.is_flow


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
    params: Mapping[str, Any] = {}
    #: The step runs whatever is there.
    force: bool = False
    #: What the outputs were when they were found outdated, or were to be made again for all records: whoever finds
    #: others has nothing to do. None where they are absent or nobody asked.
    former: list[Any] | None = None
    #: How often it was tried before in this run.
    tries: int = 0
    #: Of a job for all records: the inputs of each in the shape that the script declared; `inputs` lists them all.
    members: Mapping[str, Paths] | None = None
    #: Ids of the records that have none.
    absent: tuple[str, ...] = ()
    #: Ids of those that its outputs, which are there, were made without; nothing else changed since.
    again: tuple[str, ...] = ()
    #: Name of the failed attempt that the plan knew of.
    failure: str | None = None
    #: Of a job whose value is not stored: the jobs for which it is made. When all of them are done, so is this one.
    serves: tuple[Job, ...] = ()
    #: Outputs that are not what was made: they are put aside before the script runs, and made again.
    damaged: tuple[str, ...] = ()

    @property
    def is_common(self) -> bool:
        """Whether it stands in the chain of a record, and its result is that of all of them."""
        place = parse_key(self.key)
        return place is not None and place[0] != self.record_id and self.members is None


class CallOptions(NamedTuple):
    """What an executor and its children ask of the run that a call belongs to: there is no file of it anywhere."""

    run_id: str
    state_path: str = ""
    max_failures: int | None = None


class CallStep(NamedTuple):
    """The limits of a call."""

    settings: StepSettings = StepSettings()
    #: Seconds between being asked to end and being killed: it has nothing to put in order.
    grace: float = 1.0


class CallJob(NamedTuple):
    """One call of a function in a child process: it travels as jobs do, and has no claim, no events and no files."""

    key: str
    step: CallStep
    options: CallOptions
    #: What is called and with what, as `sinagot.engine.acts.calls.packed` gives it.
    payload: tuple[Any, ...]
    #: Where what is said meanwhile goes: a `sinagot.engine.acts.voices.Voice`, or None for the terminal alone.
    voice: Any = None
    #: The script whose local modules the function imports.
    source: SourceSet | None = None
    #: Files of the user's code, besides that of the function.
    files: tuple[str, ...] = ()
    #: Folders that are searched for modules where the function was sent from.
    path: tuple[str, ...] = ()


class Cause(NamedTuple):
    """Why an attempt failed; text, so that it travels and is stored as it is."""

    exc_type: str
    message: str
    traceback: str
    #: Innermost line of the user's code, ``file:line in function``; empty when there is none.
    where: str = ""
    #: Name of what the attempt had written, where that is kept.
    kept: str = ""
    #: Pickle of the exception, where somebody may want to catch it by its type: of nodes of workflow classes.
    packed: bytes = b""
    #: Name of the stage of a pipeline that failed; empty for other scripts.
    stage: str = ""


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
    #: Seconds until it is tried again in this run; None when this is its result.
    retry: float | None = None
    #: Bytes of its largest output.
    written: int = 0
    #: Of a call: what it gave, as `sinagot.engine.acts.calls.packed` gives it.
    value: tuple[Any, ...] = ()


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


def parse_key(key: str) -> tuple[str, str | None, str | None, str] | None:
    """Give the record id, task, modality and step that `job_key` made a key of; None for another text.

    Examples
    --------
    >>> parse_key("REC-1/RS/EEG/alpha"), parse_key("all/records/-/EEG/mean"), parse_key("alpha")
    (('REC-1', 'RS', 'EEG', 'alpha'), ('all/records', None, 'EEG', 'mean'), None)
    """
    parts = key.split("/")
    if len(parts) in (
        3,
        5,
    ):  # the id of a job for all records has a slash, so that no record can be called so
        parts[:2] = ["/".join(parts[:2])]
    if len(parts) == 2:
        return parts[0], None, None, parts[1]
    if len(parts) != 4:
        return None
    record_id, task, modality, label = parts
    return record_id, None if task == "-" else task, None if modality == "-" else modality, label
