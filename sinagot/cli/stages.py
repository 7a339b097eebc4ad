"""Stages of pipelines and processors of flows in words: a line for an attempt, a table for a run.

Knows accounts of acts; must not know how the command line named the run or the record.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from sinagot.cli.moments import span
from sinagot.cli.texts import clean, columns, counted, painted, short_path
from sinagot.engine.accounts.values import values_text
from sinagot.engine.words import ACTS

if TYPE_CHECKING:
    from sinagot.engine.accounts.acts import ActFacts, AttemptActs
    from sinagot.engine.accounts.stages import StageError, StageFacts, StepActs
    from sinagot.workspace.history import Run

__all__ = ["attempt_line", "stage_lines", "stages_json"]

#: Attempts, and causes of a stage, that are told one by one; characters of a message in a line.
_MOST = 20
_MOST_CAUSES = 5
_MOST_NAMED = 5
_LONGEST = 100


def attempt_line(attempt: AttemptActs) -> str:
    """Tell the stages of an attempt in one line, in the order in which they began.

    Parameters
    ----------
    attempt : AttemptActs
        Which.
    """
    # Processors run side by side: no arrow leads from one to the next.
    is_flow = any(act.is_processor for act in attempt.acts)
    return clean((", " if is_flow else " -> ").join(map(_told, attempt.acts)))


def _told(act: ActFacts) -> str:
    again = f" (try {act.tries + 1})" if act.tries else ""
    counts = values_text(act.values_in, act.values_out)
    again += f" ({counts})" if counts else ""
    if act.state == "DONE":
        return f"{act.act} {span(act.duration_s)}{again}"
    word = f"{act.act} {ACTS[act.state].text}" if act.state != "ERROR" else f"{act.act} failed"
    why = f"{act.exc_type}: {_first(act.exc_message)}" if act.exc_type and act.state == "ERROR" else ""
    why = why or _first(act.reason) or (f"waits {_first(act.waits_for)}" if act.waits_for else "")
    return f"{word}{again}{': ' + why if why else ''}"


def _first(text: str | None) -> str:
    """Give the first line of a message, with an end."""
    line = (text or "").partition("\n")[0]
    return line if len(line) <= _LONGEST else f"{line[:_LONGEST]}..."


def stages_json(run: Run) -> list[dict[str, Any]]:
    """Give the stages of all pipelines of a run as plain values: counted, and of each attempt."""
    attempts: dict[str, list[dict[str, Any]]] = {}
    for one in run.acts():
        attempts.setdefault(one.step, []).append(one.as_json())
    return [
        {
            "step": step.step,
            "kind": step.kind,
            "jobs": step.jobs,
            "stages": [_stage_json(stage) for stage in step.stages],
            "attempts": attempts.get(step.step, []),
        }
        for step in run.stages()
    ]


def _stage_json(stage: StageFacts) -> dict[str, Any]:
    return {**stage._asdict(), "state": stage.state, "errors": [one._asdict() for one in stage.errors]}


def stage_lines(run: Run) -> Iterator[str]:
    """Tell the stages of all pipelines of a run, and the processors of its flows: tables, causes, single attempts."""
    for step in run.stages():
        yield ""
        word = "Processors" if step.kind == "flow" else "Stages"
        yield clean(f"{word} of {step.step} ({counted(step.jobs, 'job')})")
        yield from (f"  {line}" for line in _table(step))
        for stage in step.stages:
            for error in stage.errors[:_MOST_CAUSES]:
                yield painted("failed", f"  {_cause(stage.stage, error)}")
        yield from (f"  {line}" for line in _attempts(run, step))


def _table(step: StepActs) -> list[str]:
    shown = [state for state in ACTS if any(stage.counts.get(state) for stage in step.stages)]
    rows = [
        [
            "processor" if step.kind == "flow" else "stage",
            *(ACTS[state].text for state in shown),
            "median",
            "longest",
        ]
    ]
    for stage in step.stages:
        counts = [f"{stage.counts.get(state, 0):,}" for state in shown]
        rows.append([clean(stage.stage), *counts, span(stage.median_s), span(stage.longest_s)])
    return columns(rows, right=range(1, len(shown) + 3))


def _cause(stage: str, error: StageError) -> str:
    kind = f"{error.exc_type}: " if error.exc_type else ""
    where = f", at {short_path(error.where)}" if error.where else ""
    named = ", ".join([*error.records[:_MOST_NAMED], *(["..."] if error.number > _MOST_NAMED else [])])
    is_alone = any("/" in one for one in error.records)  # of a pipeline that ran for no record
    who = where if is_alone else f" ({counted(error.number, 'record')}: {named}{where})"
    return clean(f"{stage} failed: {kind}{_first(error.message)}{who}")


def _attempts(run: Run, step: StepActs) -> Iterator[str]:
    """Tell single attempts: all where they are few, else those that did not end well."""
    told = 0
    for attempt in run.acts(step.step, most=_MOST, is_all=step.jobs <= _MOST):
        told += 1
        who = attempt.step if "/" in attempt.record_id else attempt.record_id
        yield clean(f"{who or attempt.step}: ") + attempt_line(attempt)
    if told < step.jobs:
        yield f"... and {counted(step.jobs - told, 'more job')} (--json has all)"
