"""`sinagot include`: take exclusions back.

Knows how to ask and to tell; a decision is written by the workspace. Keys of ``--json`` as those of `sinagot exclude`.
"""

from __future__ import annotations

import click

from sinagot.cli.completion import known
from sinagot.cli.exits import Exit
from sinagot.cli.options import choose_records, json_option, open_workspace, scope_options, workspace_options

__all__ = ["command"]


@click.command(
    "include",
    epilog="""
\b
Examples:
  sinagot include REC-7                          all of a record again
  sinagot include REC-7 --task RS                one task of an excluded record
  sinagot include REC-8 --step alpha --reason "channel O1 interpolated"

What was said last about a job holds: a part may be included within an excluded
record, and including a record takes back all that was excluded of it.

Exit code 5 when nothing of it was excluded.
""",
)
@click.argument("records", shell_complete=known("records"), metavar="RECORD...", nargs=-1, required=True)
@scope_options
@click.option("--step", shell_complete=known("steps"), metavar="NAME", help="Only this step.")
@click.option("--reason", metavar="TEXT", default="", help="Why.")
@json_option
@workspace_options
def command(
    records: tuple[str, ...],
    task: str | None,
    modality: str | None,
    step: str | None,
    reason: str,
    as_json: bool,
) -> int:
    """Take exclusions back.

    Of whole records, or of a task, a modality or a step of them.
    """
    from sinagot.cli.commands.exclude import tell_decisions
    from sinagot.cli.texts import clean, note

    made = choose_records(open_workspace(), task, modality, records).include(reason, step)
    tell_decisions(made, as_json=as_json)
    told = {one.target.record_id for one in made}
    for record_id in dict.fromkeys(records):
        if record_id not in told:
            note(f"{clean(record_id)}: nothing of it was excluded")
    return Exit.OK if made else Exit.NOTHING
