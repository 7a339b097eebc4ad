"""What is said when a run is over: counts, failures by cause, and the commands to go on with.

Knows reports and how to word them; must not decide what failed. `sinagot.cli.commands.run` prints it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from sinagot.cli.exclusions import excluded_lines
from sinagot.cli.exits import Exit
from sinagot.cli.options import workspace_words
from sinagot.cli.texts import (
    clean,
    columns,
    command_line,
    counted,
    painted,
    plain_list,
    short_path,
    step_place,
)
from sinagot.config.hints import words_about
from sinagot.engine.pace import duration_text
from sinagot.engine.words import OUTCOMES
from sinagot.scripts.group import GROUP_ID
from sinagot.workspace.plans import Plan

if TYPE_CHECKING:
    from sinagot.engine.accounts.report import FailureGroup, RunReport
    from sinagot.workspace.workspace import Workspace

__all__ = ["exit_code", "older_lines", "report_json", "summary_lines"]

#: Seconds that may be spent on finding results that are older than an input.
_LEAST_LOOK = 0.1

#: Causes that are written out; all are in the JSON.
_MOST_GROUPS = 10
_LONGEST_MESSAGE = 160
#: Records that a command to copy names one by one.
_MOST_NAMED = 3


def exit_code(report: RunReport, *, is_broken: bool = False) -> int:
    """Give the exit code that a report stands for.

    Parameters
    ----------
    report : RunReport
        Of the run.
    is_broken : bool
        Some scripts could not be loaded.

    Returns
    -------
    int
        A code of `Exit`, or 128 plus the number of the signal that ended the run.
    """
    if report.stopped_by is not None:
        return 128 + report.stopped_by
    if is_broken:
        return Exit.INVALID
    if report.total == report.counts["missing_input"] + report.counts["excluded"]:
        return Exit.NOTHING
    return Exit.OK if report.ok or report.dry else Exit.FAILED


def report_json(report: RunReport, code: int) -> dict[str, Any]:
    """Give a report as plain values; the keys are documented in `sinagot.cli.commands.run`.

    Parameters
    ----------
    report : RunReport
        Of the run.
    code : int
        The exit code.

    Returns
    -------
    dict
        What `json` can write.
    """
    return {
        "run_id": report.run_id,
        "exit_code": code,
        "ok": code == Exit.OK,
        "dry_run": report.dry,
        "stopped_by": report.stopped_by,
        "stopped_because": report.stopped_because,
        "records": report.n_records,
        "jobs": report.total,
        "counts": report.counts,
        "duration_s": round(report.duration, 6),
        "plan": [dict(zip(("record_id", "step", "reason"), row, strict=True)) for row in report.plan],
        "verdicts": list(_verdict_rows(report)),
        "estimate_s": Plan(report).estimate,
        "failures": [
            {
                "step": group.step,
                "exc_type": group.exc_type,
                "message": group.message,
                "where": group.where or None,
                "stage": group.stage or None,
                "traceback": group.traceback or None,
                "count": group.count,
                "records": list(group.records),
                "differences": list(group.differences),
            }
            for group in report.failures
        ],
        "missing_input": [
            {"record_id": row["record_id"], "step": step_place(row)} for row in _missing_rows(report)
        ],
        "warnings": list(report.warnings),
    }


def _verdict_rows(report: RunReport) -> Iterator[dict[str, Any]]:
    """Give each job of a dry run with all reasons."""
    for row in Plan(report).iter_jobs() if report.dry else ():
        yield {
            "record_id": row["record_id"],
            "step": step_place(row),
            "verdict": row["verdict"],
            "reasons": [reason._asdict() for reason in row["reasons"]],
            "estimate_s": row["estimate_s"],
        }


def _missing_rows(report: RunReport) -> Iterator[dict[str, Any]]:
    if report.counts["missing_input"]:
        for row in report.iter_jobs():
            if row["outcome"] == "missing_input":
                yield row


def summary_lines(report: RunReport, workspace: Workspace, step: str | None) -> Iterator[str]:
    """Give the summary of a run.

    Parameters
    ----------
    report : RunReport
        Of the run.
    workspace : Workspace
        Where it ran.
    step : str or None
        Value of ``--step``.

    Yields
    ------
    str
        One line.
    """
    counts = report.counts
    jobs = f"{counted(report.total, 'job')} of {counted(report.n_records, 'record')}"
    if report.total and counts["up_to_date"] + counts["excluded"] == report.total:
        words = "up to date" if counts["up_to_date"] else "excluded"
        if words != "excluded" and counts["excluded"]:
            words = f"up to date ({counts['up_to_date']:,}) or excluded ({counts['excluded']:,})"
        yield f"Nothing to do: {jobs} {'is' if report.total == 1 else 'are'} {words}."
        yield from excluded_lines(report)
        return
    yield f"Run {report.run_id}: {jobs} in {duration_text(report.duration)}"
    told = {"blocked": "blocked (a step before it failed or is not finished)"}
    rows = [
        [f"{count:,}", told.get(outcome, OUTCOMES[outcome].text)]
        for outcome, count in counts.items()
        if count
    ]
    for line, row in zip(columns(rows, right=[0], gap=" "), rows, strict=True):
        yield "  " + painted(row[1].partition(" (")[0], line)
    yield from _missing_lines(report)
    yield from excluded_lines(report)
    yield from _failure_lines(report, workspace, step)
    if report.stopped_because is not None:
        yield ""
        left = counted(counts["not_begun"], "job")
        again = "The same command tries them, and what failed."
        yield f"Stopped: {report.stopped_because.removeprefix('the run was stopped ')}. Not begun: {left}. {again}"
    if report.stopped_by is not None:
        yield ""
        forced = click.get_current_context().params.get("force")
        again = "Jobs that were not begun keep their former results."
        yield f"Stopped. {again if forced else 'The same command goes on from here: nothing is done twice.'}"


def older_lines(report: RunReport, workspace: Workspace) -> Iterator[str]:
    """Say how many results are older than an input, where that is no reason to run.

    Parameters
    ----------
    report : RunReport
        Of the run.
    workspace : Workspace
        Where it ran.

    Yields
    ------
    str
        One line, if there are any.
    """
    from sinagot.workspace.looks import survey_of

    ledger = report.ledger
    nodes = [ledger.graph.nodes[number] for number in ledger.selected]
    # Every file is looked at: that must not take longer than what was asked for.
    seconds = max(_LEAST_LOOK, report.duration / 20)
    count, is_all = survey_of(workspace, ledger.ids).count_older(nodes, seconds)
    if count:
        about = "" if is_all else "at least "
        yield f"{about}{counted(count, 'result')} older than an input (sinagot run --outdated)"


def _missing_lines(report: RunReport) -> Iterator[str]:
    rows = list(_missing_rows(report))
    if not rows:
        return
    records = list(dict.fromkeys(row["record_id"] for row in rows))
    yield ""
    yield f"Missing input: {counted(len(records), 'record')}: {clean(plain_list(records))}"
    yield f"  which: {_command('logs', records[0], rows[0])}"


def _failure_lines(report: RunReport, workspace: Workspace, asked: str | None) -> Iterator[str]:
    # What waits for a failed step, or was stopped, has no cause of its own.
    groups = [group for group in report.failures if group.outcome == "failed"]
    if not groups:
        return
    steps = {
        node.place: {"task": node.task, "modality": node.modality, "step_label": node.label}
        for node in (*workspace.blueprint.graph().nodes, *workspace.blueprint.graph().groups)
    }
    yield ""
    yield "Failures by cause:"
    for group in groups[:_MOST_GROUPS]:
        yield from _group_lines(group, steps[group.step], asked)
    if len(groups) > _MOST_GROUPS:
        every = command_line(*workspace_words(), "runs", "show", "--json")
        yield f"  ... and {counted(len(groups) - _MOST_GROUPS, 'more cause')}; all of them: {every}"


def _group_lines(group: FailureGroup, step: dict[str, Any], asked: str | None) -> Iterator[str]:
    cause = clean(group.cause)
    if len(cause) > _LONGEST_MESSAGE:
        cause = f"{cause[:_LONGEST_MESSAGE]} ..."
    yield f"  {painted('failed', f'{group.step}: {cause}')}"
    is_group = GROUP_ID in group.records
    whose = f"{counted(group.count, 'record')}: {clean(plain_list(group.records))}"
    yield f"    {'for all records' if is_group else whose}"
    if group.where:
        stage = f", stage {group.stage}" if group.stage else ""
        yield clean(f"    at {short_path(group.where)}{stage}")
    for text in group.differences:
        yield f"    {clean(text)}"
    yield f"    log:   {_command('logs', group.records[0], step)}"
    named = group.records if group.count <= _MOST_NAMED and not is_group else ()
    only = () if is_group else ("--record", group.records[0])
    again = [word for record in named for word in ("--record", record)]
    # The steps behind the failed one wait for it: they run with it, unless one step was asked for.
    yield f"    again: {_command('run', None, step | {'step_label': asked}, *again)}"
    yield f"    debug: {_command('run', None, step, *only, '--debug')}"


def _command(name: str, record: str | None, step: dict[str, Any], *more: str) -> str:
    words: list[str] = []
    for option, key in (("--task", "task"), ("--modality", "modality"), ("--step", "step_label")):
        if step[key] is not None:
            words += [option, step[key]]
    asked = [name, *words, *more] if record is None else words_about(name, record, *words, *more)
    return command_line(*workspace_words(), *asked)
