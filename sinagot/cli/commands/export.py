"""`sinagot export`: status, attempts, log lines or decisions as a file for other programs.

Knows where rows come from; formats are known by `sinagot.cli.exports`, columns are told in the how-to on exports.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import click

from sinagot.cli.completion import known
from sinagot.cli.exits import Exit
from sinagot.cli.exports import FORMATS, TABLES
from sinagot.cli.options import (
    choose_records,
    open_workspace,
    record_option,
    scope_options,
    workspace_options,
)
from sinagot.cli.texts import counted, note

if TYPE_CHECKING:
    from sinagot.workspace.records import RecordCollection

__all__ = ["command"]

Row = dict[str, Any]


@click.command(
    "export",
    epilog="""
\b
Tables:
  status      one row a record and step
  jobs        one row an attempt of a job that is over: outcome, time, memory, cause
  logs        one row a log line
  decisions   one row an exclusion or inclusion

\b
Examples:
  sinagot export status > status.csv
  sinagot export jobs -o jobs.parquet
  sinagot export logs --record REC-1 --format json
  sinagot export decisions -o decisions.csv --force

Times are UTC. The format is that of the file's ending, else CSV. A file appears
whole or not at all.
""",
)
@click.argument("table", type=click.Choice(list(TABLES)))
@scope_options
@record_option
@click.option("--step", shell_complete=known("steps"), metavar="NAME", help="Only this step.")
@click.option(
    "--format", "form", type=click.Choice(FORMATS), help="Format; by default that of the file's ending."
)
@click.option(
    "-o", "--output", "file", type=click.Path(dir_okay=False), metavar="FILE", help="Write a file; - prints."
)
@click.option("--force", is_flag=True, help="Replace the file if it is there.")
@workspace_options
def command(
    table: str,
    task: str | None,
    modality: str | None,
    records: tuple[str, ...],
    step: str | None,
    form: str | None,
    file: str | None,
    force: bool,
) -> int:
    """Write status, attempts, logs or decisions as CSV, Parquet or JSON."""
    from sinagot.cli.exports import export
    from sinagot.cli.findings import check_step

    file = None if file == "-" else file
    ending = os.path.splitext(file or "")[1].lower().lstrip(".")
    form = form or (ending if ending in FORMATS else "csv")
    if form == "parquet" and file is None:
        raise click.UsageError("Parquet is no text: name a file by -o FILE")
    workspace = open_workspace()
    scope = choose_records(workspace, task, modality, records)
    check_step(scope, step)
    rows = _ROWS[table](scope, step, bool(records))
    count = export(table, rows, form, file, force=force)
    if file is not None:
        note(f"{file}: {counted(count, 'row')}")
    return Exit.OK


def _is_meant(scope: RecordCollection, step: str | None, row: Row, label: str = "step_label") -> bool:
    """Say whether a row is about the task, modality and step that are meant; a row about all of them is."""
    wanted = {"task": scope.task, "modality": scope.modality, label: step}
    return all(value is None or row.get(name) in (None, value) for name, value in wanted.items())


def _status_rows(scope: RecordCollection, step: str | None, is_named: bool) -> Iterator[Row]:
    from sinagot.engine.planning.status import StepStatus

    for row in scope.steps.iter_status(step):
        yield {
            **row,
            "step_status": int(row["step_status"]),
            "status_name": StepStatus(row["step_status"]).name,
        }


def _job_rows(scope: RecordCollection, step: str | None, is_named: bool) -> Iterator[Row]:
    from sinagot.engine.state.history import iter_events
    from sinagot.engine.state.kept import names_in

    runs = f"{scope.workspace.configuration.state_path}/runs"
    ids = set(scope.record_ids()) if is_named else None
    for run_id in sorted(names_in(runs)):
        for event in iter_events(f"{runs}/{run_id}"):
            row = {"run_id": run_id, **event, "outcome": event.get("event")}
            is_about = ids is None or row.get("record_id") in ids
            if (
                row["outcome"] in ("done", "failed", "interrupted")
                and is_about
                and _is_meant(scope, step, row)
            ):
                yield row


def _log_rows(scope: RecordCollection, step: str | None, is_named: bool) -> Iterator[Row]:
    from sinagot.runlog.read import read_lines
    from sinagot.scripts.group import GROUP_ID

    folder = str(scope.workspace.configuration.log_path)
    for record_id in (*scope.record_ids(), *(() if is_named else (GROUP_ID,))):
        for line in read_lines(folder, record_id)[0]:
            if _is_meant(scope, step, line):
                yield {**line, "record_id": record_id}


def _decision_rows(scope: RecordCollection, step: str | None, is_named: bool) -> Iterator[Row]:
    from sinagot.engine.state.decisions import Decisions

    ids = set(scope.record_ids()) if is_named else None
    for one in Decisions.read(str(scope.workspace.configuration.state_path)).all:
        row = one.to_json()
        if (ids is None or row["record_id"] in ids) and _is_meant(scope, step, row, "step"):
            yield row


_ROWS: dict[str, Callable[[RecordCollection, str | None, bool], Iterator[Row]]] = {
    "status": _status_rows,
    "jobs": _job_rows,
    "logs": _log_rows,
    "decisions": _decision_rows,
}
