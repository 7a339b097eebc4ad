"""The command `sinagot`: its sub-commands by name, and what becomes of the ways they end.

Knows the names of the commands and where each lives; must not import them, or anything heavy, before one is asked for.
The console script and ``python -m sinagot`` start here; `sinagot.cli.commands` does the work.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any

import click

from sinagot.cli.completion import VARIABLE, answer
from sinagot.cli.exits import Exit
from sinagot.cli.options import workspace_options
from sinagot.version import __version__

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

__all__ = ["COMMANDS", "group", "main"]

#: Name -> first line of its help; the help of all commands is shown without loading any. A test compares the two.
#: In the order of use: begin, run, look, decide, hand on, look after.
COMMANDS = {
    "init": "Write a commented workspace.toml and a first script.",
    "check": "Check configuration, scripts and patterns, and show what they find.",
    "status": "Show the status of every step of every record, and totals.",
    "run": "Run the steps that are not done.",
    "plan": "Say what a run would do, and why.",
    "watch": "Run new recordings as they arrive.",
    "pipeline": "List, check, show, run and export pipelines.",
    "schedule": "Run pipelines at their times, and show, pause and repeat them.",
    "show": "Show all about a record: files, steps, decisions, last error.",
    "why": "Say what a run would do with a record, and why.",
    "logs": "Show the log of a record, oldest line first.",
    "runs": "Show the history of runs, one of them, or what differs.",
    "serve": "Show the dashboard, answer programs, run what is due: pages, REST API and schedules.",
    "records": "List the ids of the records, one a line.",
    "exclude": "Exclude records, or a task, modality or step of them.",
    "include": "Take exclusions back.",
    "accept": "Settle changes that do not change results.",
    "report": "Write reports: where the records have gone, the text for a paper, a page.",
    "export": "Write status, attempts, logs or decisions as CSV, Parquet or JSON.",
    "config": "Show the configuration and the parameters that hold.",
    "submit": "Write a SLURM job array that runs what is not done.",
    "doctor": "Measure drives, Python and workers, and say what to set.",
    "clean": "Show what could go, and remove what is chosen.",
    "completion": "Print what teaches a shell to complete our words.",
}


class _LazyGroup(click.Group):
    """A group whose commands are modules, each loaded when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = import_module(f"sinagot.cli.commands.{cmd_name}").command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            from sinagot.config.hints import did_you_mean

            hint = did_you_mean(args[0], COMMANDS)
            raise click.UsageError(
                f"no command {args[0]!r}; commands are {', '.join(COMMANDS)}{'; ' + hint if hint else ''}",
                ctx,
            )
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem[str]]:
        """Complete commands by name, without loading any, and the options of the group."""
        from click.shell_completion import CompletionItem

        found = [
            CompletionItem(name, help=text) for name, text in COMMANDS.items() if name.startswith(incomplete)
        ]
        return found + click.Command.shell_complete(self, ctx, incomplete)

    def make_context(self, *args: Any, **extra: Any) -> click.Context:
        try:
            return super().make_context(*args, **extra)
        except BrokenPipeError:  # while it printed the help
            raise click.exceptions.Exit(_nobody_reads()) from None

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            return _nobody_reads()

    def main(self, *args: Any, standalone_mode: bool = True, **extra: Any) -> Any:
        """Run a command line; every way out has its exit code and, where it is an error, words for it."""
        main: Callable[..., Any] = super().main
        code = _ended(lambda: main(*args, standalone_mode=False, **extra))
        if standalone_mode:
            sys.exit(code)
        return code


def _ended(call: Callable[[], Any]) -> int:
    """Turn the end of a command into an exit code; what went wrong is said on standard error."""
    try:
        code = int(call() or Exit.OK)
        sys.stdout.flush()
    except BrokenPipeError:
        return _nobody_reads()
    except click.Abort:
        return Exit.INTERRUPTED
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except Exception as error:  # noqa: BLE001  the last place that can put an error into words
        from sinagot.cli.failures import explain

        return explain(error)
    return code


def _nobody_reads() -> int:
    """End quietly when the reader of our output has gone, as in ``sinagot status | head``."""
    from sinagot.cli.texts import silence

    silence()
    return Exit.PIPE


@click.group(
    cls=_LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="""
\b
Examples:
  sinagot init study                       a new workspace in the folder study
  sinagot -w study check                   is all as it should be?
  sinagot -w study run --jobs 4            run what is not done, in 4 processes
  sinagot -w study status                  what is done, what failed

\b
Exit codes:
  0  all that was asked for is done or up to date
  1  an unexpected error                   2  the command line is wrong
  3  some jobs failed                      4  configuration or script is wrong
  5  nothing matched                       6  the workspace is busy (--exclusive)
  130, 143, 129, 138  ended by Ctrl-C, SIGTERM, SIGHUP, SIGUSR1
""",
)
@workspace_options
@click.version_option(__version__, prog_name="sinagot", message="%(prog)s %(version)s")
def group() -> None:
    """Run a lab's scripts over every recording: nothing lost, nothing redone, nothing hidden.

    The workspace is the one given by -w, else by the environment variable SINAGOT_WORKSPACE, else the
    nearest folder upwards that holds a workspace.toml.
    """


def main(args: Sequence[str] | None = None) -> None:
    """Run the command line and leave the program with its exit code.

    Parameters
    ----------
    args : sequence of str, optional
        Words of the command line; those of the program when not given.
    """
    _fill_closed_streams()
    if VARIABLE in os.environ:
        sys.exit(answer(group, "sinagot", os.environ[VARIABLE]))
    for stream in (sys.stdout, sys.stderr):
        # A name that the terminal cannot show is no reason to fail.
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    group.main(args=None if args is None else list(args), prog_name="sinagot")


def _fill_closed_streams() -> None:
    """Put the null device where a standard stream is closed: else the next file that is opened gets its number."""
    closed = [name for name in ("stdin", "stdout", "stderr") if getattr(sys, name) is None]
    if not closed:
        return
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= 2:
        os.set_inheritable(descriptor, True)
    os.close(descriptor)
    for name in closed:
        setattr(sys, name, os.fdopen(os.open(os.devnull, os.O_RDWR), "r" if name == "stdin" else "w"))
