"""`sinagot records`: the ids, one a line, for people and for pipes.

Knows how to list; what a record is, is the workspace's. Keys of ``--json``: ``count`` (int) and ``records``, a list of
``record_id`` (text) and ``entities`` (object, entity -> value; empty when ids are not composed).
"""

from __future__ import annotations

import click

from sinagot.cli.exits import Exit
from sinagot.cli.options import choose_records, json_option, open_workspace, scope_options, workspace_options

__all__ = ["command"]


@click.command(
    "records",
    epilog="""
\b
Examples:
  sinagot records
  sinagot records --task RS --modality EEG
  sinagot records | wc -l

Exit code 5 when there is none.
""",
)
@scope_options
@json_option
@workspace_options
def command(task: str | None, modality: str | None, as_json: bool) -> int:
    """List the ids of the records, one a line.

    A record is there when its raw data are: the file of `[records] path`, or the inputs of the first step.
    """
    from sinagot.cli.findings import tell_nothing_found, tell_problems
    from sinagot.cli.texts import clean, print_json, say

    workspace = open_workspace()
    scope = choose_records(workspace, task, modality)
    ids = scope.ids()
    tell_problems(workspace)
    if as_json:
        records = [{"record_id": record_id, "entities": scope.get(record_id).entities} for record_id in ids]
        print_json({"count": len(ids), "records": records})
    elif ids:
        say("\n".join(map(clean, ids)))
    if not ids:
        tell_nothing_found(scope)
        return Exit.NOTHING
    return Exit.OK
