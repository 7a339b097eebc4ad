"""`sinagot status`: totals, then records x steps.

Knows options; what a status is, is the workspace's. Keys of ``--json``: ``status``, a list of ``record_id``, ``task``,
``modality`` (null without tasks), ``step_index`` (from 1), ``step_label``, ``step_status`` (int, on disk and in Python
alike), ``status_name`` (text, such as ``"DONE"``); ``totals``, a list of ``task``, ``modality``, ``step_label`` and
``counts`` (object, status name -> number of records). Filters narrow both.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

import click

from sinagot.cli.completion import known
from sinagot.cli.exits import Exit
from sinagot.cli.options import (
    choose_records,
    json_option,
    open_workspace,
    record_option,
    scope_options,
    workspace_options,
)
from sinagot.cli.texts import clean, counted, note, plain_list, print_json, say, toned

if TYPE_CHECKING:
    from sinagot.cli.statuses import StatusTable
    from sinagot.workspace.records import RecordCollection

__all__ = ["command"]

#: Seconds between two pictures of ``--watch``.
_PAUSE = 2.0


@click.command(
    "status",
    epilog="""
\b
Words of the table (letters where it would be too wide):
  done (D)         all outputs are there      ready (r)     inputs are there, not run yet
  error (E)        the last attempt failed    no input (.)  an input is not there (yet)
  interrupted (I)  the last attempt was cut   running (>)   at this moment

\b
Examples:
  sinagot status
  sinagot status --task RS --modality EEG
  sinagot status --failed                       records with a step that failed or was cut
  sinagot status --since 2h                     records that somebody worked on since
  sinagot status --where mean=error,interrupted
  sinagot status | grep error
  sinagot status --totals
  sinagot status --watch                        until Ctrl-C

On a terminal the records that fit are shown; all of them with --all, and in a pipe.
Exit code 5 when there is no record; a step that failed is no error of this command.
""",
)
@scope_options
@record_option
@click.option("--step", shell_complete=known("steps"), metavar="NAME", help="Only this step.")
@click.option("--failed", is_flag=True, help="Only records of which a step failed or was interrupted.")
@click.option("--since", metavar="WHEN", help="Only records with an attempt since: 2h, 7d, 2026-01-31.")
@click.option(
    "--where",
    "conditions",
    metavar="STEP=STATUS",
    multiple=True,
    help="Only records of which the step has the status, or one of several: mean=error,ready. May be given several "
    "times: all must hold.",
)
@click.option(
    "-v",
    "--verbose",
    is_flag=True,
    help="Also count results that are older than an input, and unreadable log lines.",
)
@click.option("--totals", "only_totals", is_flag=True, help="Only the totals.")
@click.option("--all", "all_records", is_flag=True, help="Show all records, also where they do not fit.")
@click.option(
    "--watch",
    type=click.FloatRange(min=0.1, max=86400),
    is_flag=False,
    flag_value=_PAUSE,
    metavar="[SECONDS]",
    help="Draw it again and again, every 2 seconds, until Ctrl-C.",
)
@json_option
@workspace_options
def command(
    task: str | None,
    modality: str | None,
    records: tuple[str, ...],
    step: str | None,
    failed: bool,
    since: str | None,
    conditions: tuple[str, ...],
    verbose: bool,
    only_totals: bool,
    all_records: bool,
    watch: float | None,
    as_json: bool,
) -> int:
    """Show the status of every step of every record, and totals."""
    from sinagot.cli.findings import check_step, tell_problems
    from sinagot.cli.grids import Screen, grid_lines

    narrow = _narrowing(failed, since, conditions)
    if watch is not None:
        _check_watch(as_json=as_json)
    workspace = open_workspace()
    scope = choose_records(workspace, task, modality, records)
    check_step(scope, step)
    if watch is not None:
        return _watch(lambda: narrow(scope, step)[0], watch, only_totals=only_totals)
    table, count = narrow(scope, step)
    tell_problems(workspace)
    is_narrowed = bool(failed or since or conditions)
    if as_json:
        print_json(table.as_json())
    elif table.cells or table.groups:
        for line in grid_lines(table, Screen.of_terminal(), only_totals=only_totals, all_records=all_records):
            say(line)
        if verbose:
            say(
                f"{counted(scope.steps.count_older(step), 'result')} older than an input (sinagot run --outdated)"
            )
            _tell_unreadable(str(workspace.configuration.log_path), scope.ids())
    if is_narrowed:
        note(f"{len(table.cells):,} of {counted(count, 'record')}")
    return _code(scope, bool(table.groups), count, is_narrowed=is_narrowed)


def _code(scope: RecordCollection, has_groups: bool, count: int, *, is_narrowed: bool) -> int:
    """Give the exit code; where there is nothing to show, say why."""
    from sinagot.cli.findings import tell_nothing_found

    if count or (has_groups and scope.ids()):
        return Exit.OK
    if not scope.ids():
        tell_nothing_found(scope)
    elif not is_narrowed:
        note("No step is configured here.")
    return Exit.NOTHING


def _narrowing(
    failed: bool, since: str | None, conditions: tuple[str, ...]
) -> Callable[[RecordCollection, str | None], tuple[StatusTable, int]]:
    """Give what reads the table, narrowed by the filters, and the number of records before that."""
    from sinagot.cli.moments import read_moment
    from sinagot.cli.statuses import StatusTable, read_condition

    read = [read_condition(text) for text in conditions]
    moment = None if since is None else read_moment(since, "--since")

    def narrow(scope: RecordCollection, step: str | None) -> tuple[StatusTable, int]:
        table = StatusTable.read(scope.steps, step)
        count = len(table.cells)
        if failed:
            table = table.only_failed()
        if moment is not None:
            from sinagot.engine.state.recent import records_since

            table = table.only_ids(records_since(str(scope.workspace.configuration.state_path), moment))
        for condition in read if count or table.groups else ():
            table = table.only(condition)
        return table, count

    return narrow


def _check_watch(*, as_json: bool) -> None:
    if as_json:
        raise click.UsageError("--watch and --json: which of them?")
    if not sys.stdout.isatty() or os.environ.get("TERM") == "dumb":
        raise click.UsageError("--watch needs a terminal; for programs: sinagot status --json")


def _watch(read: Callable[[], StatusTable], pause: float, *, only_totals: bool) -> int:
    """Draw the status in place, again and again, until Ctrl-C."""
    import signal
    import time

    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        # A line that is too long must not become two.
        sys.stdout.write("\x1b[?7l\x1b[2J")
        while True:
            # Each line is cleared to its end, and then the rest of the screen: nothing flickers.
            lines = "".join(
                f"{toned(line)}\x1b[K\n" for line in _picture(read(), pause, only_totals=only_totals)
            )
            sys.stdout.write(f"\x1b[H{lines}\x1b[J")
            sys.stdout.flush()
            time.sleep(pause)
    except KeyboardInterrupt:
        return Exit.OK
    finally:
        sys.stdout.write("\x1b[?7h")


def _picture(table: StatusTable, pause: float, *, only_totals: bool) -> list[str]:
    """Give the lines of one picture, not more than fit."""
    from datetime import datetime

    from sinagot.cli.grids import Screen, grid_lines

    screen = Screen.of_terminal()
    head = f"{datetime.now().astimezone():%H:%M:%S}, every {pause:g} s until Ctrl-C"
    if not (table.cells or table.groups):
        return [head, "", "No record."]
    height = screen.height or 0
    lines = grid_lines(table, screen._replace(height=height - 2), only_totals=only_totals)
    return [head, "", *lines][: max(1, height - 1)]


def _tell_unreadable(folder: str, ids: list[str]) -> None:
    """Say how many lines of the records' logs can't be read, and whose they are."""
    from sinagot.runlog.read import count_unreadable

    found = count_unreadable(folder, ids)
    whose = plain_list([f"{clean(record_id)} ({count:,})" for record_id, count in found.items()])
    say(f"{counted(sum(found.values()), 'log line')} unreadable{': ' if found else ''}{whose}")
