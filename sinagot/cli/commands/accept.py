"""`sinagot accept`: what is there counts as made from what is there now.

Knows how to ask and to tell; what is outdated is the workspace's to say. Keys of ``--json``: ``count`` (int) and
``accepted``, a list of ``record_id``, ``step``, ``reasons`` (list of text).
"""

from __future__ import annotations

import click

from sinagot.cli.completion import known
from sinagot.cli.exits import Exit
from sinagot.cli.options import choose_records, json_option, open_workspace, scope_options, workspace_options

__all__ = ["command"]

_MOST_SHOWN = 20


@click.command(
    "accept",
    epilog="""
\b
Examples:
  sinagot accept --all --step mean --reason "only a comment changed"
  sinagot accept REC-1 REC-2 --reason "files were copied, times are new"

What is settled is told by `sinagot why` and `sinagot run --outdated --dry-run`
before; who, when and why are kept in .sinagot/runs.
""",
)
@click.argument("records", shell_complete=known("records"), metavar="[RECORD]...", nargs=-1)
@click.option("--all", "is_all", is_flag=True, help="All records.")
@scope_options
@click.option("--step", shell_complete=known("steps"), metavar="NAME", help="Only this step.")
@click.option("--reason", required=True, metavar="TEXT", help="Why results are good as they are.")
@json_option
@workspace_options
def command(
    records: tuple[str, ...],
    is_all: bool,
    task: str | None,
    modality: str | None,
    step: str | None,
    reason: str,
    as_json: bool,
) -> int:
    """Settle changes that do not change results.

    Results that are outdated (an input, the script, a parameter changed since they were made) count as made from
    what is there now. No script is run, no output is touched.
    """
    from sinagot.cli.texts import clean, counted, print_json, say

    if bool(records) == is_all:
        raise click.UsageError("name records, or say --all")
    if not reason.strip():
        raise click.UsageError("--reason: others will ask why; write some words")
    with open_workspace() as workspace:
        accepted = choose_records(workspace, task, modality, records).steps.accept(reason, step)
    if as_json:
        rows = [
            {"record_id": one.record_id, "step": one.node.place, "reasons": [why.text for why in one.reasons]}
            for one in accepted
        ]
        print_json({"count": len(rows), "accepted": rows})
        return Exit.OK if accepted else Exit.NOTHING
    for one in accepted[:_MOST_SHOWN]:
        say(f"{clean(one.record_id)} {one.node.place}: {clean('; '.join(why.text for why in one.reasons))}")
    if len(accepted) > _MOST_SHOWN:
        say(f"... and {len(accepted) - _MOST_SHOWN:,} more")
    say(f"{counted(len(accepted), 'result')} settled." if accepted else "Nothing here is outdated.")
    return Exit.OK if accepted else Exit.NOTHING
