"""`sinagot plan`: what a run would do, and why, counted by step and reason, then job by job.

Knows options; what is told is what `run --dry-run` tells, by the same code: see `sinagot.cli.commands.run`, also for
the keys of ``--json``.
"""

from __future__ import annotations

from typing import Any

import click

from sinagot.cli.choices import Choice, choosing_options
from sinagot.cli.options import json_option, open_workspace, workspace_options

__all__ = ["command"]


@click.command(
    "plan",
    epilog="""
\b
Examples:
  sinagot plan                        what `sinagot run` would do
  sinagot plan --outdated             what `sinagot run --outdated` would do
  sinagot plan --step mean --all      every job of one step, also what is up to date
  sinagot plan --json | jq .estimate_s

Nothing is run and nothing is written. Exit code 5 when nothing matched, 4 when
configuration or script is wrong.
""",
)
@choosing_options
@click.option("--all", "all_jobs", is_flag=True, help="Show every job, also what is up to date.")
@json_option
@workspace_options
def command(as_json: bool, all_jobs: bool, **options: Any) -> int:
    """Say what a run would do, and why."""
    from sinagot.cli.runs import carry_out

    choice = Choice.read(options)
    with open_workspace() as workspace:
        return carry_out(workspace, choice, as_json=as_json, all_jobs=all_jobs, dry_run=True, debug=False)
