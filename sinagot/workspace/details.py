"""All that is known of one record: its files, steps, durations, decisions, and the last error of each step.

Knows where each fact stands; must not decide what it means. What `record.details()` gives; commands and pages show it.
"""

from __future__ import annotations

import os
import shlex
import time
from typing import Any, NamedTuple

from sinagot.config.hints import words_about
from sinagot.config.problems import key_text
from sinagot.engine.accounts.acts import AttemptActs, acts_of
from sinagot.engine.accounts.attempts import epoch_of, iso_of
from sinagot.engine.accounts.excerpts import Excerpt, excerpt_of
from sinagot.engine.planning.graph import Slot, StepNode
from sinagot.engine.planning.survey import Survey
from sinagot.engine.state.claims import file_key
from sinagot.engine.state.decisions import Decision
from sinagot.engine.state.history import Marks
from sinagot.engine.state.origins import Origins
from sinagot.engine.state.owners import held_claims
from sinagot.engine.words import STATUS
from sinagot.runlog.read import read_lines
from sinagot.scripts.codes import StepStatus
from sinagot.workspace.contracts import Selection
from sinagot.workspace.excluding import read_decisions
from sinagot.workspace.looks import survey_of

__all__ = ["FileDetails", "LastError", "RecordDetails", "StepDetails", "details_of"]

_BAD = (StepStatus.ERROR, StepStatus.INTERRUPTED)


class FileDetails(NamedTuple):
    """One declared path of a step."""

    #: ``"input"`` or ``"output"``.
    role: str
    #: Key in a dict of paths; None for a single path.
    name: str | None
    #: Full; with stars where nothing matches a field that is not part of the id.
    path: str
    is_there: bool
    is_folder: bool
    #: Bytes; None for folders and what is not there.
    size: int | None
    #: When it was changed last (UTC, ISO), and how many seconds ago.
    changed: str | None
    age_s: float | None


class LastError(NamedTuple):
    """Why the last attempt of a step failed."""

    exc_type: str
    message: str
    traceback: str
    #: ``file:line in function``, the innermost line of the user's code; empty when there is none.
    where: str
    #: When (UTC, ISO), in which run and attempt; None where it is not known.
    time: str | None
    run_id: str | None
    attempt: str | None
    #: The user's code round that line, as it ran.
    excerpt: Excerpt | None
    #: Name of what it had written, where that is kept.
    kept: str | None
    #: Of a pipeline: the stage that failed.
    stage: str | None = None


class StepDetails(NamedTuple):
    """One step of one unit of a record."""

    task: str | None
    modality: str | None
    step_index: int
    step_label: str
    status: StepStatus
    #: Of the last good attempt, as far as known: when it ended, what it took, in which run.
    finished: str | None
    duration_s: float | None
    cpu_s: float | None
    peak_memory_mb: float | None
    run_id: str | None
    attempt: str | None
    files: tuple[FileDetails, ...]
    #: The decision that excludes it.
    exclusion: Decision | None
    #: What is wrong with its script.
    problem: str | None
    error: LastError | None
    #: Of a pipeline: the stages of its last attempt, as far as known.
    stages: AttemptActs | None = None

    @property
    def word(self) -> str:
        """The status in the words of tables."""
        return STATUS[self.status.name].text

    @property
    def place(self) -> str:
        """The step with its task and modality."""
        return "-".join(part for part in (self.task, self.modality, self.step_label) if part)


class RecordDetails(NamedTuple):
    """All that is known of one record, at one moment."""

    record_id: str
    entities: dict[str, str]
    #: Its raw data are there.
    has_data: bool
    steps: tuple[StepDetails, ...]
    #: Oldest first.
    decisions: tuple[Decision, ...]
    #: What else is to be known, in lines for people.
    notes: tuple[str, ...]

    @property
    def files(self) -> tuple[FileDetails, ...]:
        """Every file once, inputs of a step before its outputs."""
        return tuple({file.path: file for step in self.steps for file in reversed(step.files)}.values())

    @property
    def last_error(self) -> LastError | None:
        """The newest of the errors that stand."""
        errors = [step.error for step in self.steps if step.error is not None]
        return max(errors, key=lambda error: error.time or "", default=None)

    def as_json(self) -> dict[str, Any]:
        """Give it as plain values."""
        return {
            "record_id": self.record_id,
            "entities": self.entities,
            "has_data": self.has_data,
            "steps": [_plain_step(step) for step in self.steps],
            "decisions": [one.to_json() for one in self.decisions],
            "notes": list(self.notes),
        }

    def __repr__(self) -> str:
        steps = ", ".join(f"{step.place} {step.word}" for step in self.steps)
        return f"<RecordDetails instance | {self.record_id}: {steps or 'no steps'}>"


def _plain_step(step: StepDetails) -> dict[str, Any]:
    facts = step._asdict()
    facts["status"], facts["status_name"] = int(step.status), step.status.name
    facts["files"] = [file._asdict() for file in step.files]
    facts["exclusion"] = step.exclusion.to_json() if step.exclusion is not None else None
    facts["stages"] = None if step.stages is None else step.stages.as_json()
    if step.error is not None:
        excerpt = step.error.excerpt
        lines = [line._asdict() for line in excerpt.lines] if excerpt is not None else []
        facts["error"] = {
            **step.error._asdict(),
            "excerpt": {**excerpt._asdict(), "lines": lines} if excerpt is not None else None,
        }
    return facts


def details_of(
    record: Selection, record_id: str, *, has_data: bool, entities: dict[str, str]
) -> RecordDetails:
    """Look up all that is known of a record, or of its part of a task or modality.

    Parameters
    ----------
    record : Selection
        The scope.
    record_id : str
        Its id.
    has_data : bool
        Its raw data are there.
    entities : dict
        Values of the entities of its id.
    """
    workspace = record.workspace
    survey = survey_of(workspace, [record_id])
    look = _Look(record, record_id, survey)
    steps = tuple(look.step(node) for node in workspace.nodes_of(record, None))
    workspace.note_problems(survey.problems)
    return RecordDetails(
        record_id,
        entities,
        has_data,
        steps,
        tuple(look.decisions),
        tuple(look.notes(steps, has_data=has_data)),
    )


class _Look:
    """One look at one record: logs, marks and decisions are read once for all its steps."""

    def __init__(self, record: Selection, record_id: str, survey: Survey) -> None:
        configuration = record.workspace.configuration
        self._configuration = configuration
        self._state = str(configuration.state_path)
        self._id = record_id
        self._survey = survey
        self._now = time.time()
        self._marks = Marks(self._state, "failures")
        self._lines: dict[tuple[Any, Any, Any, str], dict[str, Any]] = {}
        for line in read_lines(str(configuration.log_path), record_id)[0]:
            kind = "good" if line.get("step_status") == StepStatus.DONE and "duration_s" in line else ""
            kind = "bad" if line.get("step_status") in (40, 42) else kind
            if kind:  # the newest stays
                self._lines[line.get("task"), line.get("modality"), line.get("step_label"), kind] = line
        self._origins: Origins | None = None
        self.decisions: list[Decision] = read_decisions(record).of(record_id)

    def step(self, node: StepNode) -> StepDetails:
        status = StepStatus.ERROR if node.error is not None else self._survey.status(0, node)
        good = self._good(node, status)
        error = self._error(node) if node.error is None and status in _BAD else None
        return StepDetails(
            task=node.task,
            modality=node.modality,
            step_index=node.step_index,
            step_label=node.label,
            status=status,
            finished=good.get("time"),
            duration_s=good.get("duration_s"),
            cpu_s=good.get("cpu_s"),
            peak_memory_mb=good.get("peak_memory_mb"),
            run_id=good.get("run_id"),
            attempt=good.get("attempt"),
            files=tuple(self._files(node)),
            exclusion=self._survey.exclusion(self._id, node),
            problem=str(node.error) if node.error is not None else None,
            error=error,
            stages=self._stages(node, status, good, error),
        )

    def _stages(
        self, node: StepNode, status: StepStatus, good: dict[str, Any], error: LastError | None
    ) -> AttemptActs | None:
        """Give the stages of the last attempt: of the one that holds the job, that failed, or that was done."""
        if node.job_step is None or not node.job_step.has_acts:
            return None
        key = node.key(self._id)
        run_id, attempt = good.get("run_id"), good.get("attempt")
        if error is not None:
            run_id, attempt = error.run_id, error.attempt
        if status in (StepStatus.PROCESSING, StepStatus.INTERRUPTED):
            for owner, _ in held_claims(self._state, [file_key(key)]).values():
                run_id, attempt = (None, None) if owner is None else (owner.run_id, None)
        found = acts_of(self._state, run_id, key, attempt) if run_id is not None else None
        # Of a worker that was lost another process has told, under a name of its own.
        return found or (acts_of(self._state, run_id, key) if run_id is not None and attempt else None)

    def _good(self, node: StepNode, status: StepStatus) -> dict[str, Any]:
        """Give what is known of the last good attempt: by the log, else by the history of runs."""
        line = self._lines.get((node.task, node.modality, node.label, "good"))
        if line is not None or status not in (StepStatus.DONE, StepStatus.OUTDATED) or not node.is_kept:
            return line or {}
        self._origins = self._origins or Origins(self._state)
        origin = self._origins.get(node.key(self._id))
        if origin is None:
            return {}
        return {"duration_s": origin.duration or None, "run_id": origin.run_id, "time": origin.time}

    def _files(self, node: StepNode) -> list[FileDetails]:
        found = []
        for role, slots in (("input", node.inputs), ("output", node.outputs)):
            for slot in slots:
                found += [self._file(role, slot, path) for path in self._paths(slot)]
        return found

    def _paths(self, slot: Slot) -> list[str]:
        paths = self._survey.resolve(slot, self._id)
        return [paths] if isinstance(paths, str) else paths or [self._survey.text(slot, self._id)]

    def _file(self, role: str, slot: Slot, path: str) -> FileDetails:
        try:
            state = os.stat(path)
        except (OSError, ValueError):
            return FileDetails(role, slot.name, path, False, False, None, None, None)
        is_folder = os.path.isdir(path)
        size = None if is_folder else state.st_size
        age = self._now - state.st_mtime
        return FileDetails(role, slot.name, path, True, is_folder, size, iso_of(state.st_mtime), age)

    def _error(self, node: StepNode) -> LastError | None:
        """Give why it failed: by the mark of the failure, else by the log, which is all that older versions left."""
        facts = self._marks.get(node.key(self._id))
        if not facts or "exc_type" not in facts:
            line = self._lines.get((node.task, node.modality, node.label, "bad"))
            if line is None:
                return None
            facts = {"exc_message": line.get("message"), **line, "at": epoch_of(line.get("time"))}
        at, run_id = facts.get("at"), _text(facts.get("run_id"))
        where = _text(facts.get("where")) or ""
        return LastError(
            exc_type=_text(facts.get("exc_type")) or "",
            message=_text(facts.get("exc_message")) or "",
            traceback=_text(facts.get("traceback")) or "",
            where=where,
            time=iso_of(at) if isinstance(at, int | float) else None,
            run_id=run_id,
            attempt=_text(facts.get("attempt")),
            excerpt=excerpt_of(self._state, run_id, node.place, where),
            kept=_text(facts.get("kept")),
            stage=_text(facts.get("stage")),
        )

    def notes(self, steps: tuple[StepDetails, ...], *, has_data: bool) -> list[str]:
        """Say what else is to be known of the record."""
        found = [] if has_data else ["no raw data of it are there"]
        own = self._configuration.raw.get("records", {}).get("exceptions", {}).get(self._id)
        if own:
            found.append(f'it has settings of its own: [records.exceptions."{self._id}"]')
        for name, table in self._configuration.raw.get("pipelines", {}).items():
            if self._id in table.get("records", {}):
                place = key_text(("pipelines", name, "records", self._id))
                found.append(f"it has parameters of its own: [{place}]")
        why = shlex.join(["sinagot", *words_about("why", self._id)])
        for step in steps:
            times = {
                role: [
                    epoch_of(file.changed) or 0.0
                    for file in step.files
                    if file.role == role and file.is_there
                ]
                for role in ("input", "output")
            }
            is_done = step.status == StepStatus.DONE
            if is_done and any(file.role == "input" and not file.is_there for file in step.files):
                found.append(f"{step.place}: its result is there, an input is not")
            elif (
                is_done and times["input"] and times["output"] and max(times["input"]) > min(times["output"])
            ):
                found.append(f"{step.place}: its result is older than an input ({why})")
        return found


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None
