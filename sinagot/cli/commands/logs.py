"""`sinagot logs`: the log of a record as lines that people can read.

Knows how to show a line; what stands in it is written by `sinagot.runlog`. ``--json`` prints one object a line, each as
it stands in the file (fields: see the page on log lines), so that ``--follow --json`` can be piped.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING, Any

import click

from sinagot.cli.completion import known
from sinagot.cli.exits import Exit
from sinagot.cli.findings import check_step, is_group
from sinagot.cli.options import json_option, open_workspace, scope_options, workspace_options
from sinagot.cli.texts import clean, note, painted, print_json, say, step_place
from sinagot.scripts.group import GROUP_ID

if TYPE_CHECKING:
    from sinagot.workspace.records import Record

__all__ = ["command"]

_ERROR_STATUS = (40, 41)
#: Lines shown before new ones with --follow.
_TAIL = 10
#: Beginnings of what runs of pipelines for no record, schedules and services have in place of an id, see
#: `sinagot.engine.acts.solo.solo_id`.
_OF_NO_RECORD = ("pipelines/", "schedules/", "services/")


@click.command(
    "logs",
    epilog="""
\b
Examples:
  sinagot logs REC-20200601
  sinagot logs REC-20200601 --step count -n 20
  sinagot logs REC-20200601 --follow
  sinagot logs REC-20200601 --json | grep '"level": "ERROR"'
  sinagot logs table                           a step of `group_scripts`
  sinagot logs pipelines/night                 of `sinagot pipeline run night`
  sinagot logs schedules/night                 of what services decided about it

Times are local. Exit code 5 when there is no such line.
""",
)
@click.argument("record", shell_complete=known("records"))
@scope_options
@click.option("--step", shell_complete=known("steps"), metavar="NAME", help="Only lines of this step.")
@click.option("-n", "count", type=click.IntRange(min=0), metavar="N", help="Only the last N lines.")
@click.option("-f", "--follow", is_flag=True, help="Go on with lines as they are written, until Ctrl-C.")
@json_option
@workspace_options
def command(
    record: str,
    task: str | None,
    modality: str | None,
    step: str | None,
    count: int | None,
    follow: bool,
    as_json: bool,
) -> int:
    """Show the log of a record, oldest line first."""
    workspace = open_workspace()
    found: Record
    if is_group(workspace, record):
        step = record if step is None and record != GROUP_ID else step
        # Its lines are kept like those of a record, under a name that none can have.
        found = workspace.make_record(GROUP_ID, None, None)
    elif record.startswith(_OF_NO_RECORD):
        found = workspace.make_record(record, None, None)
    else:
        found = workspace.records.get(record)
    if task is not None or modality is not None:
        found = found.get_subscope(task, modality)
    lines = [line for line in found.logs_json() if step in (None, line.get("step_label"))]
    if not lines and "/" not in found.id:
        check_step(found, step)  # a step that is configured no more may have lines
    if follow and count is None:
        count = _TAIL
    shown = lines if count is None else lines[len(lines) - min(count, len(lines)) :]
    if follow:
        # One reader for old and new lines: nothing that is written meanwhile is missed or shown twice.
        for line in islice(_follow(found, step), len(lines) - len(shown), None):
            _show(line, as_json=as_json)
    for line in shown:
        _show(line, as_json=as_json)
    if not lines:
        what = f" of step {step}" if step is not None else ""
        note(f"No log lines{what} of record {record} in {workspace.configuration.log_path}")
        return Exit.NOTHING
    return Exit.OK


def _follow(record: Record, step: str | None) -> Iterator[dict[str, Any]]:
    from sinagot.runlog.read import follow

    folder = str(record.workspace.configuration.log_path)
    for line in follow(folder, record.id, step, from_start=True):
        if record.task in (None, line.get("task")) and record.modality in (None, line.get("modality")):
            yield line


def _show(line: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json(line, indent=None)
    else:
        say(_text(line))


def _text(line: dict[str, Any]) -> str:
    """Write a line: local time, level, step, message; what belongs to it is indented below."""
    is_error = line.get("step_status") in _ERROR_STATUS
    level = str(line.get("level") or ("ERROR" if is_error else "INFO"))
    message = str(line.get("message", ""))
    kind = line.get("exc_type")
    if kind and str(kind) not in message:
        message = f"{kind}: {message}"
    facts = f"  ({line['duration_s']:.3g} s)" if isinstance(line.get("duration_s"), int | float) else ""
    first, *more = clean(message).split("\n")
    place = clean(step_place(line)) + "".join(f" / {clean(str(name))}" for name in _inside(line))
    head = f"{_local_time(line.get('time'))}  {level:<7}  {place}: {first}{facts}"
    if is_error or level in ("ERROR", "CRITICAL"):
        head = painted("error", head)
    below = more
    if line.get("traceback"):
        below = clean(str(line["traceback"])).rstrip("\n").split("\n")
    return "\n".join([head, *(f"    {text}" for text in below)])


def _inside(line: dict[str, Any]) -> list[Any]:
    """Give the stage that a line is of, where its step is a pipeline, and which element of a list."""
    stage, element = line.get("stage", line.get("processor")), line.get("element")
    if stage is None:
        return []
    return [stage] if element is None else [stage, f"element {element}"]


def _local_time(text: Any) -> str:
    """Write the time of a line as local time, to the millisecond; times of old lines are UTC without saying so."""
    from datetime import UTC, datetime

    try:
        moment = datetime.fromisoformat(text)
    except (TypeError, ValueError):
        return clean(str(text or "-")).ljust(23)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return moment.astimezone().strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]
