"""The shape of the answers of the API, as OpenAPI describes it.

Knows fields and their types; must not know where the values come from. Times are seconds since 1970.
"""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, Field

__all__ = [
    "FileAnswer",
    "GridAnswer",
    "LineAnswer",
    "LogAnswer",
    "PreviewAnswer",
    "Problem",
    "RecordAnswer",
    "StatusAnswer",
    "StepAnswer",
    "StepOfRecord",
]


class Problem(BaseModel):
    """Why there is no answer."""

    detail: str


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


class GridAnswer(BaseModel):
    """A window of the grid."""

    version: int
    #: Rows of the whole choice.
    total: int
    offset: int
    now: int
    #: Names of the columns.
    steps: list[str]
    #: Id; then step by step status codes, times of the outputs, and seconds that the last attempt took (null where
    #: that is not known).
    rows: list[tuple[str, list[int], list[int | None], list[float | None]]]


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
    files: list[FileAnswer]


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


class PreviewAnswer(BaseModel):
    """What is in a file."""

    kind: str
    size: int
    text: str
    header: list[str]
    rows: list[list[str]]
    #: Name, points, least and most value of each curve.
    curves: list[tuple[str, str, str, str]] = Field(default_factory=list)
    cut: str
