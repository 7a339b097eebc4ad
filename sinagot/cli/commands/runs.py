"""`sinagot runs`: which runs there were, one of them in detail, and what differs between two.

Knows the command line; how runs are shown is `sinagot.cli.history`'s. Keys of ``--json``: ``runs``, a list of
``run_id, state`` (running, ended, stopped, died), ``kind, start, end, duration_s, counts, jobs, records, ok, command,
host, pid, user, mode, workers, version, stopped_by, stopped_because, warnings, folder``. Of ``show`` that object,
with ``progress`` (null, or ``settled, total, rate, eta_s, running``), ``steps, slowest, failures, peak_memory_mb``,
``pipelines`` (also flows: list of ``step, kind, jobs, stages, attempts``; of a stage, or processor, ``stage, state,
counts, median_s, longest_s, total_s, errors, values_in, values_out`` (null for a stage); of an attempt ``key,
attempt, record_id, task, modality, step_label, step, worker, outcome, acts, run_id``, and of an act ``act, state,
begin, end, duration_s, tries, exc_type, exc_message, where, reason, failed_elements``, and of a processor ``values_in,
values_out, lead, waits_for, told``), and ``changes`` (what differs from the run before, as of ``diff``; null for the
first). Of ``diff``: ``a, b`` (ids), ``config, scripts, versions, packages, params, command`` (lists of ``name, old,
new``), ``outcomes`` (list of ``key, old, new``), ``steps`` (list of ``step, count_old, count_new, median_old,
median_new, ratio``), ``cleaned`` (ids of those whose configuration and failed jobs `sinagot clean` has removed).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from sinagot.cli.exits import Exit
from sinagot.cli.history import diff_json, diff_lines, run_json, run_lines, table_lines
from sinagot.cli.options import json_option, open_workspace, workspace_options
from sinagot.cli.texts import note, print_json, say, terminal_width

if TYPE_CHECKING:
    from sinagot.workspace.history import Runs

__all__ = ["command"]

_EXAMPLES = """
\b
Examples:
  sinagot runs                                 the newest 20
  sinagot runs --limit 3 --json
  sinagot runs show                            the newest run in detail
  sinagot runs show 20260131T235959            the beginning or the end of an id is enough
  sinagot runs diff 20260130T080000 last       what differs between two runs

A run is running, has ended, was stopped by a signal, or died: it has no end, and its process is gone. Exit code 5
when there is no such run.
"""


@click.group("runs", invoke_without_command=True, epilog=_EXAMPLES)
@click.option("--limit", type=click.IntRange(min=1), default=20, metavar="N", help="So many at most.  [20]")
@json_option
@workspace_options
@click.pass_context
def command(ctx: click.Context, limit: int, as_json: bool) -> int | None:
    """Show the history of runs, one of them, or what differs.

    Works while runs go on, in other processes and on other machines; writes nothing.
    """
    if ctx.invoked_subcommand is not None:
        return None
    runs = open_workspace().runs
    shown = [run.facts for run in runs.head(limit)]
    if as_json:
        print_json({"runs": [run_json(facts) for facts in shown]})
    else:
        for line in table_lines(shown, terminal_width()):
            say(line)
        if len(runs) > len(shown):
            note(f"{len(runs) - len(shown):,} older (--limit {len(runs)})")
    return _told(runs)


def _told(runs: Runs) -> int:
    if runs:
        return Exit.OK
    note("Nothing has run here yet: sinagot run")
    return Exit.NOTHING


@command.command("show", epilog=_EXAMPLES)
@click.argument("run_id", metavar="[ID|last]", default="last")
@json_option
@workspace_options
def show(run_id: str, as_json: bool) -> int:
    """Show a run: counts, steps, slowest jobs, failures.

    Also its warnings, its progress where it goes on, the stages of its pipelines, the processors of its flows, and what
    was different from the run before.
    """
    run = open_workspace(show_warnings=False).runs[run_id]
    if as_json:
        print_json(run_json(run.facts, run))
    else:
        for line in run_lines(run):
            say(line)
    return Exit.OK


@command.command("diff", epilog=_EXAMPLES)
@click.argument("first", metavar="A")
@click.argument("second", metavar="B")
@json_option
@workspace_options
def diff(first: str, second: str, as_json: bool) -> int:
    """Show what differs from run A to run B.

    Told are the configuration (by key), parameters, code (by file), versions, packages, the command, jobs that ended
    otherwise, and durations of steps.
    """
    runs = open_workspace(show_warnings=False).runs
    found = runs[first].diff(second)
    if as_json:
        print_json(diff_json(found))
    else:
        say(f"From run {found.a.run_id} to run {found.b.run_id}")
        for line in diff_lines(found):
            say(line)
    return Exit.OK
