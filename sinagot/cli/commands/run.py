"""`sinagot run`: run what is not done, show progress, say what came of it.

Knows options, and how a report is shown; what runs is the workspace's to decide. Keys of ``--json``: ``run_id``;
``exit_code``; ``ok`` (bool, exit code 0); ``dry_run``; ``stopped_by`` (number of the signal, or null);
``stopped_because`` (text, or null: so many failures that nothing new was begun); ``records``, ``jobs`` (int, asked
for); ``counts`` (object, outcome -> number of jobs: done, up_to_date, done_elsewhere, failed, missing_input, blocked,
excluded, interrupted, not_begun); ``duration_s``; ``plan`` (dry run only: list of record_id, step, reason);
``verdicts`` (dry run only, of every job: list of record_id, step, verdict, reasons, each of which has code, text,
subject, old and new, and estimate_s); ``estimate_s`` (dry run only: seconds of work, or null where nothing is known);
``failures`` (one a cause: step, exc_type, message, where, traceback, count, records, differences); ``missing_input``
(list of record_id, step); ``warnings`` (list of text). A step is written ``task-modality-step``, without tasks
``step``.
"""

from __future__ import annotations

from typing import Any

import click

from sinagot.cli.choices import Choice, choosing_options
from sinagot.cli.options import json_option, open_workspace, workspace_options

__all__ = ["command"]


@click.command(
    "run",
    epilog="""
\b
Examples:
  sinagot run                                  all that is not done
  sinagot run --dry-run                        what would run, and why
  sinagot run --step mean --force              one step again, for all records
  sinagot run --record REC-1 --record REC-2    some records
  sinagot run --outdated                       also what changed since it was made
  sinagot run --failed --step mean             records that failed, again
  sinagot run --step alpha --set low=8.5       another parameter, for this run
  sinagot run --jobs 4                         in 4 processes of this machine
  sinagot run --dask --address tcp://head:8786
  sinagot run --record REC-1 --step mean --debug

\b
Exit codes:
  0  all that was asked for is done or up to date. Jobs whose input is missing
     are counted and named, and change nothing here: uneven data is normal
  3  a job failed, or waits for one that failed
  4  configuration or script is wrong; what could run has run
  5  nothing matched: no record, no step, or not one job has its input
  6  another run works here (--exclusive)
  130 Ctrl-C, 143 SIGTERM, 129 SIGHUP, 138 SIGUSR1: running scripts get a while
     to end, a second Ctrl-C ends them at once; the next run goes on from there
""",
)
@choosing_options
@click.option("--debug", is_flag=True, help="Run here, in order; stop at the first error with its traceback.")
@click.option("--dry-run", is_flag=True, help="Show what would run and why; do nothing.")
@click.option("-j", "--jobs", type=click.IntRange(min=1), metavar="N", help="Run in N processes.")
@click.option("--dask/--no-dask", default=None, help="Run through Dask; or without, whatever is configured.")
@click.option("--address", metavar="URL", help="Run through the Dask scheduler at this address.")
@click.option("--fail-fast", is_flag=True, help="Start nothing new after the first failed job.")
@click.option(
    "--max-failures", type=click.IntRange(min=1), metavar="N", help="Start nothing new after N failed jobs."
)
@click.option("--exclusive", is_flag=True, help="Do not start while another run works here.")
@json_option
@workspace_options
def command(as_json: bool, jobs: int | None, dask: bool | None, **options: Any) -> int:
    """Run the steps that are not done.

    A step of a record runs when its inputs are there and its outputs are not, or when its last attempt failed.
    With --outdated (or `rerun = "outdated"`) also when an input, the script, a parameter or a path changed.
    """
    from sinagot.cli.runs import carry_out  # what completes the options in a shell does not need it

    choice = Choice.read(options)
    if options["fail_fast"] and options["max_failures"]:
        raise click.UsageError("--fail-fast and --max-failures: which of them?")
    if options["debug"] and (jobs or dask or options["address"]):
        raise click.UsageError(
            "--debug runs here, one job after the other: leave out --jobs, --dask, --address"
        )
    with open_workspace() as workspace:
        mode = "dask" if dask or options["address"] else None
        if mode is None and dask is False and workspace.configuration.run.mode == "dask":
            mode = "processes" if jobs else "main_process"
        return carry_out(workspace, choice, as_json=as_json, mode=mode, workers=jobs, **options)
