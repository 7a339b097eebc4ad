"""A run, or a plan, as the command line asks for it: started, shown while it goes on, told when it is over.

Knows the workspace's `run` and how its report is shown; must not know the words of the command line, which
`sinagot.cli.choices` has read. `sinagot.cli.commands.run` and `sinagot.cli.commands.plan` start here.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, redirect_stdout, suppress
from typing import TYPE_CHECKING, Any

from sinagot.cli.choices import Choice
from sinagot.cli.exits import Exit
from sinagot.cli.failures import explain_script, plain
from sinagot.cli.findings import tell_nothing_found, tell_without_data
from sinagot.cli.plans import plan_lines
from sinagot.cli.progress import ProgressDisplay
from sinagot.cli.selections import write_selection
from sinagot.cli.summary import exit_code, older_lines, report_json, summary_lines
from sinagot.cli.texts import note, print_json, say, shortened, silence, warn
from sinagot.workspace.notices import send_notice

if TYPE_CHECKING:
    from sinagot.engine.accounts.report import RunReport
    from sinagot.workspace.records import RecordCollection
    from sinagot.workspace.workspace import Workspace

__all__ = ["carry_out", "stdout_for_json"]


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
    with stdout_for_json() if as_json else nullcontext():
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
    if not choice.options.get("debug") and not options.get("debug"):  # with it somebody looks on
        for text in send_notice(report, workspace.configuration):
            warn(text)
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
def stdout_for_json() -> Iterator[None]:
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
