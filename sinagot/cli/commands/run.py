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

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, redirect_stdout, suppress
from typing import TYPE_CHECKING, Any

import click

from sinagot.cli.choices import Choice, choosing_options
from sinagot.cli.exits import Exit
from sinagot.cli.failures import explain_script, plain
from sinagot.cli.findings import tell_nothing_found, tell_without_data
from sinagot.cli.options import json_option, open_workspace, workspace_options
from sinagot.cli.plans import plan_lines
from sinagot.cli.progress import ProgressDisplay
from sinagot.cli.selections import write_selection
from sinagot.cli.summary import exit_code, older_lines, report_json, summary_lines
from sinagot.cli.texts import note, print_json, say, shortened, silence, warn

if TYPE_CHECKING:
    from sinagot.engine.accounts.report import RunReport
    from sinagot.workspace.records import RecordCollection
    from sinagot.workspace.workspace import Workspace

__all__ = ["carry_out", "command"]


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


def carry_out(
    workspace: Workspace, choice: Choice, *, as_json: bool, all_jobs: bool = False, **options: Any
) -> int:
    """Run, or plan, what was chosen, and tell what came of it.

    Parameters
    ----------
    workspace : Workspace
        Open.
    choice : Choice
        What is meant.
    as_json : bool
        Tell it as JSON.
    all_jobs : bool
        Of a plan, show every job.
    **options
        Of `steps.run`; with `dry_run` nothing is done.

    Returns
    -------
    int
        The exit code.
    """
    scope = choice.scope(workspace)
    with _stdout_for_json() if as_json else nullcontext():
        report, error = _run(workspace, scope, choice.step, **choice.options, **options)
    if report is None:
        return Exit.FAILED
    if choice.save_selection is not None:
        write_selection(choice.save_selection, report.ledger.ids)
    code = exit_code(report, is_broken=error is not None)
    with _telling(report):
        _tell(report, code, workspace, choice, as_json=as_json, all_jobs=all_jobs)
        if error is not None:
            note(f"Error: {shortened(plain(error))}")
        if code == Exit.NOTHING:
            _tell_why(report, scope, choice.everything(workspace), choice.named)
    return code


@contextmanager
def _telling(report: RunReport) -> Iterator[None]:
    """Let the exit code tell of the work, which is done, also where nobody can be told more."""
    try:
        yield
        sys.stdout.flush()
    except OSError as error:
        if report.stopped_by is None:  # else the terminal is gone, which is what SIGHUP said
            if isinstance(error, BrokenPipeError):
                raise
            with suppress(OSError):
                note(f"Standard output can't be written: {error.strerror or error}; the exit code is true.")
        silence()


@contextmanager
def _stdout_for_json() -> Iterator[None]:
    """Let what scripts print go to standard error: standard output is for the JSON alone."""
    stdout = sys.__stdout__
    if stdout is None or sys.stdout is not stdout or stdout.fileno() != 1:  # replaced by whoever called us
        with redirect_stdout(sys.stderr):
            yield
        return
    with redirect_stdout(sys.stderr):
        stdout.flush()
        kept = os.dup(1)
        os.dup2(2, 1)  # programs that scripts start, and libraries that write by themselves
        try:
            yield
        finally:
            stdout.flush()
            os.dup2(kept, 1)
            os.close(kept)


def _run(
    workspace: Workspace, scope: RecordCollection, step: str | None, *, debug: bool, **options: Any
) -> tuple[RunReport | None, Exception | None]:
    """Run with a progress display; give the report, and the error of broken scripts beside it."""
    from sinagot.engine.stop import RunTerminated
    from sinagot.errors import ScriptError

    # A bar and a debugger do not share a terminal.
    with ProgressDisplay(is_terminal=False if debug else None) as display:
        try:
            update = display.update if not options["dry_run"] else None
            return scope.steps.run(step, debug=debug, printing=False, progress=update, **options), None
        except (KeyboardInterrupt, RunTerminated) as stop:
            report: RunReport | None = getattr(stop, "report", None)
            if report is None:
                raise
            return report, None
        except ScriptError as error:
            if error.report is None:
                raise
            return error.report, error
        except (Exception, SystemExit) as error:
            if debug and explain_script(error, str(workspace.scripts_path)):
                return None, None
            raise


def _tell(
    report: RunReport, code: int, workspace: Workspace, choice: Choice, *, as_json: bool, all_jobs: bool
) -> None:
    """Print the report, and its warnings on standard error."""
    if as_json:
        print_json(report_json(report, code))
    elif report.total:
        told = (
            plan_lines(report, all_jobs=all_jobs)
            if report.dry
            else summary_lines(report, workspace, choice.step)
        )
        # What a plan has found older is about to be made again, where that was asked for.
        looks = not report.dry or not choice.runs_again
        for line in (*told, *(older_lines(report, workspace) if looks else ())):
            # A command to copy stays in one piece.
            say(line, wrap=not line.startswith(("    log:", "    again:", "    debug:", "  which:")))
    for text in report.warnings:
        warn(text)


def _tell_why(
    report: RunReport, scope: RecordCollection, everything: RecordCollection, records: tuple[str, ...]
) -> None:
    """Say on standard error why nothing matched."""
    if records:
        tell_without_data(everything, records)
    elif not report.n_records:
        tell_nothing_found(scope)
    elif not report.total:
        note("No step is configured here.")
