"""All that is known of one record: what holds of each step and why, its files, its log.

Knows which questions to ask the workspace; must not know how the answers are shown.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from fastapi import HTTPException
from pydantic import BaseModel, ConfigDict, Field

from sinagot.dashboard.cursors import read_cursor, write_cursor
from sinagot.engine.accounts.excerpts import Excerpt, excerpt_of
from sinagot.engine.state.decisions import Decisions
from sinagot.errors import CursorError, SinagotError
from sinagot.runlog.recent import LinePage, recent_lines
from sinagot.scripts.codes import StepStatus
from sinagot.workspace.looks import survey_of

if TYPE_CHECKING:
    from sinagot.engine.accounts.acts import AttemptActs
    from sinagot.engine.planning.graph import Slot, StepNode
    from sinagot.workspace.workspace import Workspace

__all__ = ["LEVELS", "Dossier", "LogQuery", "log_page"]

LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
#: Lines of a page of a log, matches of a path with free fields, signs of a message.
_PAGE = 200
_MOST_MATCHES = 100
_LONGEST = 20_000


class LogQuery(BaseModel):
    """Which lines of a log."""

    model_config = ConfigDict(extra="ignore")

    #: This level and graver ones.
    level: str = Field("", max_length=10, pattern="^(|DEBUG|INFO|WARNING|ERROR|CRITICAL)$")
    #: Part of the message or the traceback, whatever its case.
    text: str = Field("", max_length=200)
    #: Place of a step, such as ``RS-EEG-alpha``.
    step: str = Field("", max_length=300)
    #: Lines to pass over, from the newest on.
    skip: int = Field(0, ge=0, le=10_000_000)
    #: `next` of the page before, which costs the same however old the lines are; `skip` counts from there.
    cursor: str = Field("", max_length=200, pattern="^([0-9a-f][0-9a-f])*$")


class Dossier:
    """What is known of a record.

    Parameters
    ----------
    workspace : Workspace
        Where it is.
    record_id : str
        An id that is there.
    """

    def __init__(self, workspace: Workspace, record_id: str) -> None:
        self._workspace = workspace
        self._record_id = record_id
        self._survey = survey_of(workspace, [record_id])

    def facts(self) -> dict[str, Any]:
        """Give steps with status, reasons and files, and the decisions about the record."""
        nodes = self._workspace.nodes_of(self._workspace.records, None)
        verdicts, problem = self._verdicts()
        stages = self._stages(nodes)
        steps = []
        for node in nodes:
            place = _place_of(node)
            status = StepStatus.ERROR if node.error is not None else self._survey.status(0, node)
            row = verdicts.get((node.task, node.modality, node.label))
            reasons = [reason.text for reason in row["reasons"]] if row is not None else []
            failure = self._failure(node)
            steps.append(
                {
                    "place": place,
                    "task": node.task,
                    "modality": node.modality,
                    "label": node.label,
                    "status": status.name,
                    "verdict": row["verdict"].replace("_", " ") if row is not None else None,
                    "reasons": [str(node.error)] if node.error is not None else reasons,
                    "estimate_s": row["estimate_s"] if row is not None else None,
                    "failure": failure,
                    "excerpt": self._excerpt(place, failure),
                    "stages": stages.get(place),
                    "is_flow": node.job_step is not None and node.job_step.is_flow,
                    "files": list(self._files(node)),
                }
            )
        state = str(self._workspace.configuration.state_path)
        decisions = Decisions.read(state).of(self._record_id)
        return {"steps": steps, "plan_problem": problem, "decisions": decisions}

    def _stages(self, nodes: Sequence[StepNode]) -> dict[str, AttemptActs]:
        """Give the stages of pipelines and the processors of flows: of the last attempt of each."""
        if not any(node.job_step is not None and node.job_step.has_acts for node in nodes):
            return {}
        details = self._workspace.records.get(self._record_id).details()
        return {step.place: step.stages for step in details.steps if step.stages is not None}

    def acts(self, node: StepNode) -> AttemptActs | None:
        """Give the stages or processors of the last attempt of one step."""
        return self._stages([node]).get(_place_of(node))

    def _excerpt(self, place: str, failure: dict[str, Any] | None) -> Excerpt | None:
        """Give the user's line at which a step failed, as it was when it ran, with those round it."""
        if failure is None or not failure.get("where"):
            return None
        state, run_id = str(self._workspace.configuration.state_path), failure.get("run_id")
        return excerpt_of(state, str(run_id) if run_id else None, place, str(failure["where"]))

    def _verdicts(self) -> tuple[dict[tuple[Any, ...], dict[str, Any]], str]:
        """Give what a run would do with each step."""
        try:
            rows = self._workspace.records.get(self._record_id).steps.plan().iter_jobs()
            return {(row["task"], row["modality"], row["step_label"]): row for row in rows}, ""
        except SinagotError as error:  # a broken script: the others are shown all the same
            return {}, str(error)

    def _failure(self, node: StepNode) -> dict[str, Any] | None:
        from sinagot.engine.state.history import Marks

        state = str(self._workspace.configuration.state_path)
        return Marks(state, "failures").get(node.key(self._record_id))

    def _files(self, node: StepNode) -> Iterator[dict[str, Any]]:
        """Give the files of a step: side, name, place for links, path below the dataset, size and time."""
        if node.error is not None:
            return
        for number, (side, slot) in enumerate(_slots(node)):
            for item, path in enumerate(self._paths(slot)):
                try:
                    found = os.stat(path)
                    size, changed = found.st_size, found.st_mtime
                    is_folder = os.path.isdir(path)
                except OSError:
                    size, changed, is_folder = None, None, False
                yield {
                    "side": side,
                    "name": slot.name or "",
                    "slot": number,
                    "item": item,
                    "path": os.path.relpath(path, slot.root),
                    "size": None if is_folder else size,
                    "is_folder": is_folder,
                    "changed": changed,
                }

    def _paths(self, slot: Slot) -> list[str]:
        found = self._survey.resolve(slot, self._record_id)
        return [found] if isinstance(found, str) else found[:_MOST_MATCHES]

    def path(self, node: StepNode, slot: int, item: int) -> str:
        """Give the full path of a file by its place."""
        slots = _slots(node)
        if node.error is None and 0 <= slot < len(slots):
            paths = self._paths(slots[slot][1])
            if 0 <= item < len(paths):
                return paths[item]
        raise HTTPException(404, "there is no such file")


def _place_of(node: StepNode) -> str:
    return "-".join(part for part in (node.task, node.modality, node.label) if part)


def _slots(node: StepNode) -> list[tuple[str, Slot]]:
    return [
        *(("input", slot) for slot in node.inputs),
        *(("output", slot) for slot in node.outputs),
        *(("control", slot) for slot in node.control),
    ]


def log_page(workspace: Workspace, record_id: str, query: LogQuery) -> LinePage:
    """Give a page of a record's log, newest line first.

    Parameters
    ----------
    workspace : Workspace
        Where the log is.
    record_id : str
        The record.
    query : LogQuery
        Which lines.
    """
    least = LEVELS.index(query.level) if query.level else 0
    text = query.text.casefold()

    def wanted(line: dict[str, Any]) -> bool:
        level = str(line.get("level") or ("ERROR" if line.get("step_status") == StepStatus.ERROR else "INFO"))
        if least and (level not in LEVELS or LEVELS.index(level) < least):
            return False
        if query.step and query.step != _place(line):
            return False
        return not text or any(text in str(line.get(name, "")).casefold() for name in _SEARCHED)

    folder = str(workspace.configuration.log_path)
    try:
        before = read_cursor(query.cursor)
        page = recent_lines(folder, record_id, skip=query.skip, limit=_PAGE, wanted=wanted, before=before)
    except CursorError as error:
        raise HTTPException(404, str(error)) from error
    return page._replace(lines=[_shown(line) for line in page.lines], next=write_cursor(page.next))


_SEARCHED = ("message", "exc_type", "traceback", "step_label")


def _place(line: dict[str, Any]) -> str:
    return "-".join(str(line[key]) for key in ("task", "modality", "step_label") if line.get(key))


def _shown(line: dict[str, Any]) -> dict[str, Any]:
    """Give what is shown of a line, each text with an end."""
    is_error = line.get("step_status") in (StepStatus.ERROR, StepStatus.DATA_NOT_AVAILABLE)
    level = str(line.get("level") or ("ERROR" if is_error else "INFO"))[:20]
    message = str(line.get("message", ""))
    kind = line.get("exc_type")
    if kind and not message.startswith(str(kind)):
        message = f"{kind}: {message}"
    duration = line.get("duration_s")
    return {
        "time": str(line.get("time", ""))[:40],
        "level": level if level in LEVELS else "INFO",
        "step": _place(line)[:300],
        "part": str(line.get("processor") or line.get("stage") or "")[:300],
        "message": _cut(message),
        "traceback": _cut(str(line.get("traceback") or "")),
        "duration_s": float(duration) if isinstance(duration, int | float) else None,
        "run_id": str(line.get("run_id") or "")[:80],
    }


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]} … ({len(text) - _LONGEST:,} more signs)"
