"""`sinagot exclude`: leave records, or parts of them, out of runs, and say why.

Knows how to ask and to tell; a decision is written by the workspace. Keys of ``--json``: ``count`` (int) and
``decisions``, a list of ``decision`` (exclude or include), ``time`` (UTC), ``user``, ``host``, ``record_id``, ``task``,
``modality``, ``step`` (null stands for all), ``reason``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from sinagot.cli.completion import known
from sinagot.cli.exits import Exit
from sinagot.cli.options import choose_records, json_option, open_workspace, scope_options, workspace_options

if TYPE_CHECKING:
    from sinagot.engine.state.decisions import Decision
    from sinagot.workspace.workspace import Workspace

__all__ = ["command", "tell_decisions"]

#: Decisions that are written out.
_MOST_SHOWN = 20


@click.command(
    "exclude",
    epilog="""
\b
Examples:
  sinagot exclude REC-7 --reason "asleep after two minutes"
  sinagot exclude REC-7 REC-9 --task RS --reason "task not done"
  sinagot exclude REC-8 --modality EEG --step alpha --reason "channel O1 broken"
  sinagot exclude --list

What is excluded is not run, not even by --force; its files stay where they are.
Status, reports and counts say so; `sinagot include REC-7` takes it back. Who, when
and why are kept in .sinagot/decisions.jsonl.
""",
)
@click.argument("records", shell_complete=known("records"), metavar="[RECORD]...", nargs=-1)
@scope_options
@click.option("--step", shell_complete=known("steps"), metavar="NAME", help="Only this step.")
@click.option("--reason", metavar="TEXT", help="Why; required.")
@click.option("--list", "is_list", is_flag=True, help="Show what is excluded, by whom, when and why.")
@json_option
@workspace_options
def command(
    records: tuple[str, ...],
    task: str | None,
    modality: str | None,
    step: str | None,
    reason: str | None,
    is_list: bool,
    as_json: bool,
) -> int:
    """Exclude records, or a task, modality or step of them.

    Nothing is written unless all the records are there.
    """
    from sinagot.cli.findings import tell_without_data

    if is_list:
        return _list(open_workspace(), records, as_json=as_json)
    if not records:
        raise click.UsageError("name the records, or say --list to see what is excluded")
    if not (reason or "").strip():
        raise click.UsageError("--reason: others will ask why; write some words")
    workspace = open_workspace()
    scope = choose_records(workspace, task, modality, records)
    if not all(workspace.records.has(record_id) for record_id in records):
        tell_without_data(workspace.records, records)
        return Exit.NOTHING
    tell_decisions(scope.exclude(str(reason), step), as_json=as_json)
    return Exit.OK


def _list(workspace: Workspace, records: Sequence[str], *, as_json: bool) -> int:
    from sinagot.cli.exclusions import decision_lines
    from sinagot.cli.texts import say, warn
    from sinagot.workspace.excluding import read_decisions

    decisions = read_decisions(workspace.records)
    for text in decisions.warnings:
        warn(text)
    found = [one for one in decisions.in_force() if not records or one.target.record_id in records]
    if as_json:
        tell_decisions(found, as_json=True)
        return Exit.OK
    for line in decision_lines(found):
        say(line)
    if not found:
        say("Nothing is excluded.")
    return Exit.OK


def tell_decisions(made: Sequence[Decision], *, as_json: bool) -> None:
    """Say what was decided.

    Parameters
    ----------
    made : sequence of Decision
        One a record.
    as_json : bool
        For programs.
    """
    from sinagot.cli.exclusions import decision_lines
    from sinagot.cli.texts import print_json, say

    if as_json:
        print_json({"count": len(made), "decisions": [one.to_json() for one in made]})
        return
    for line in decision_lines(made[:_MOST_SHOWN]):
        say(line)
    if len(made) > _MOST_SHOWN:
        say(f"... and {len(made) - _MOST_SHOWN:,} more")
