"""The shape of the answers of the API, as OpenAPI describes it.

Knows fields and their types; must not know where the values come from. Times are seconds since 1970.
"""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, Field

__all__ = [
    "ActAnswer",
    "AttemptAnswer",
    "ConfigurationAnswer",
    "DecisionAnswer",
    "FailureAnswer",
    "FileAnswer",
    "GridAnswer",
    "GridRow",
    "HealthAnswer",
    "LaunchAnswer",
    "LineAnswer",
    "LogAnswer",
    "PreviewAnswer",
    "ProgressAnswer",
    "RecordAnswer",
    "RecordsAnswer",
    "RunAnswer",
    "StatusAnswer",
    "StepAnswer",
    "StepOfRecord",
    "ValueAnswer",
]


class HealthAnswer(BaseModel):
    """The server is there."""

    status: str
    version: str
    #: ``ok``, or ``away`` while the history of schedules can't be reached: then nothing is decided or started.
    history: str


class StepAnswer(BaseModel):
    """One step of all records."""

    step: str
    task: str | None
    modality: str | None
    step_label: str
    #: Status name -> number of records.
    counts: dict[str, int]
    #: Why its script can't be loaded.
    error: str | None


class StatusAnswer(BaseModel):
    """All steps of all records, counted."""

    #: Grows with each change.
    version: int
    time: float
    records: int
    totals: dict[str, int]
    steps: list[StepAnswer]
    #: Steps that run once for all records -> status name.
    groups: dict[str, str]
    problems: list[str]
    error: str | None


class GridRow(BaseModel):
    """One record; lists go step by step, null stands for what is not known."""

    id: str
    #: Status codes.
    status: list[int]
    #: When outputs were written.
    changed: list[int | None]
    #: Seconds that the last attempt took.
    took: list[float | None]


class GridAnswer(BaseModel):
    """A window of the grid."""

    version: int
    #: Rows of the whole choice.
    total: int
    offset: int
    now: int
    #: Names of the columns.
    steps: list[str]
    rows: list[GridRow]


class FileAnswer(BaseModel):
    """One file of a step."""

    side: str
    name: str
    slot: int
    item: int
    #: Below the folder of data or outputs.
    path: str
    size: int | None
    is_folder: bool
    changed: float | None


class ActAnswer(BaseModel):
    """One stage, or processor, of one attempt."""

    act: str
    state: str
    #: UTC, ISO.
    begin: str | None
    end: str | None
    duration_s: float | None
    #: How often it was repeated.
    tries: int
    exc_type: str | None
    exc_message: str | None
    where: str | None
    #: Why it was skipped.
    reason: str | None
    failed_elements: list[int]
    #: Of a processor: input -> values that it has taken, stream -> values that it wrote; null where none are told yet.
    values_in: dict[str, int] | None
    values_out: dict[str, int] | None
    #: Of one that runs: how many of them its slowest reader has not yet taken, and what it waits for.
    lead: int | None
    waits_for: str
    #: When that was told (UTC, ISO).
    told: str | None


class AttemptAnswer(BaseModel):
    """One attempt with its stages or processors."""

    run_id: str
    key: str
    attempt: str
    record_id: str
    task: str | None
    modality: str | None
    step_label: str
    worker: str
    #: done, failed, interrupted, superseded; null of one that goes on or was cut off.
    outcome: str | None
    acts: list[ActAnswer]


class StepOfRecord(BaseModel):
    """One step of one record."""

    place: str
    task: str | None
    modality: str | None
    label: str
    status: str
    #: What a run would do.
    verdict: str | None
    reasons: list[str]
    estimate_s: float | None
    #: The note of the last attempt, where it failed.
    failure: dict[str, Any] | None
    #: Of a pipeline or a flow: its last attempt, as far as known.
    stages: AttemptAnswer | None
    files: list[FileAnswer]


class RecordsAnswer(BaseModel):
    """A part of the ids, sorted."""

    #: Of the whole list.
    total: int
    records: list[str]
    #: Cursor of the next part; null at the end.
    next: str | None


class RecordAnswer(BaseModel):
    """One record."""

    record_id: str
    steps: list[StepOfRecord]
    #: Why it is not known what a run would do.
    plan_problem: str
    decisions: list[dict[str, Any]]


class LineAnswer(BaseModel):
    """One log line."""

    time: str
    level: str
    step: str
    #: Stage or processor, of a line that one has written.
    part: str
    message: str
    traceback: str
    duration_s: float | None
    run_id: str


class LogAnswer(BaseModel):
    """A page of a log, newest line first."""

    lines: list[LineAnswer]
    has_more: bool
    is_cut: bool
    bad: int
    #: Gives older lines as ``cursor``.
    next: str | None


class PreviewAnswer(BaseModel):
    """What is in a file."""

    kind: str
    size: int
    text: str
    header: list[str]
    rows: list[list[str]]
    #: Name, points, least and most value of each curve.
    curves: list[list[str]] = Field(default_factory=list)
    cut: str


class LaunchAnswer(BaseModel):
    """A run of a pipeline that was asked for. Times: UTC, ISO."""

    run_id: str
    pipeline: str
    #: schedule, api or hand.
    origin: str
    #: queued, running, done, failed, cancelled, stopped or lost.
    state: str
    asked: str
    schedule: str | None
    #: The moment of the schedule that it is for.
    tick: str | None
    #: 1 of the first try.
    attempt: int
    #: Not before this time.
    due: str | None
    began: str | None
    ended: str | None
    exit_code: int | None
    #: How it ended, in a sentence.
    message: str


class RunAnswer(BaseModel):
    """One run."""

    run_id: str
    #: running, ended, stopped (by a signal) or died. Of one that the API or a schedule asked for, in its own answer:
    #: queued, running, done, failed, cancelled, stopped or lost.
    state: str
    kind: str
    #: UTC, ISO.
    start: str | None
    end: str | None
    duration_s: float | None
    #: Outcome -> number of jobs.
    counts: dict[str, int]
    jobs: int | None
    records: int | None
    ok: bool | None
    command: str
    host: str | None
    pid: int | None
    user: str | None
    mode: str | None
    workers: int | None
    version: str | None
    #: How it was asked for, of one that the API or a schedule asked for; null of others, and in lists.
    launch: LaunchAnswer | None = None


class ProgressAnswer(BaseModel):
    """How far a run is that goes on."""

    run_id: str
    settled: int
    total: int
    counts: dict[str, int]
    #: Jobs in a second.
    rate: float
    eta_s: float | None
    elapsed_s: float | None
    #: Keys of the jobs that somebody is at.
    running: list[str]


class FailureAnswer(BaseModel):
    """Failures of one cause that stand now; texts are those of the newest."""

    step: str
    outcome: str
    exc_type: str
    message: str
    where: str
    #: Of a pipeline: the stage that failed; else empty.
    stage: str
    traceback: str
    count: int
    #: Ids of some of the records.
    records: list[str]
    newest_record: str
    run_id: str | None
    differences: list[str]


class DecisionAnswer(BaseModel):
    """One decision."""

    decision: str
    #: UTC, ISO.
    time: str
    user: str
    host: str
    record_id: str
    task: str | None
    modality: str | None
    step: str | None
    reason: str
    in_force: bool


class ValueAnswer(BaseModel):
    """One value, as JSON text, and where it comes from."""

    key: str
    value: str
    origin: str
    place: str


class ConfigurationAnswer(BaseModel):
    """What holds."""

    configuration: list[ValueAnswer]
    #: Step -> settings and parameters.
    settings: dict[str, list[ValueAnswer]]
    params: dict[str, list[ValueAnswer]]
    #: Steps that can't be loaded -> why.
    broken: dict[str, str]
