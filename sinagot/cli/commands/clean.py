"""`sinagot clean`: what could go and how much room it takes; and, when it is chosen and agreed to, gone.

Knows how to show, ask and count; what may go is found by `sinagot.workspace.cleaning`.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import click

from sinagot.cli.completion import known
from sinagot.cli.exits import Exit
from sinagot.cli.options import (
    choose_records,
    open_workspace,
    scope_options,
    workspace_options,
    workspace_words,
)
from sinagot.cli.texts import clean, columns, command_line, counted, note, plain_list, say, short_path

if TYPE_CHECKING:
    from sinagot.workspace.cleaning import Item

__all__ = ["command"]

_F = TypeVar("_F", bound=Callable[..., Any])
#: Things that are named one by one.
_MOST_NAMED = 10
#: What there is to clean, and what is said of it.
_KINDS = {
    "runs": "history of old runs that nothing needs any more",
    "stage": "private folders that dead processes have left",
    "aside": "stored results that were damaged, kept for you",
    "failed": "what failed attempts had written, kept for you",
    "index": "caches; what needs them makes them again",
}


def _removing_options(command: _F) -> _F:
    """Add the options that say whether to ask."""
    command = click.option("--dry-run", is_flag=True, help="Show what would go; remove nothing.")(command)
    command = click.option("-y", "--yes", is_flag=True, help="Do not ask.")(command)
    return workspace_options(command)


@click.group(
    "clean",
    invoke_without_command=True,
    epilog="""
\b
Examples:
  sinagot clean                            what could go, and how much room it takes
  sinagot clean runs --keep-runs 5         old runs, but for what results come from
  sinagot clean runs --older-than 30d --yes
  sinagot clean stage                      what dead processes have left
  sinagot clean outputs --step mean        the outputs of a step, for all records
  sinagot clean outputs --step mean REC-1 --dry-run

Each of them shows what goes and asks. In a script say --yes; without it and without
a terminal nothing is removed, exit code 2.
""",
)
@workspace_options
@click.pass_context
def command(ctx: click.Context) -> int | None:
    """Show what could go, and remove what is chosen."""
    if ctx.invoked_subcommand is not None:
        return None
    from sinagot.config.quantities import bytes_text
    from sinagot.workspace.cleaning import find_items

    workspace = open_workspace()
    rows = [["", "", "frees", ""]]
    for kind, about in _KINDS.items():
        items = find_items(workspace, kind)
        rows.append([kind, f"{len(items):,}", bytes_text(sum(item.size for item in items)), about])
    for line in columns(rows, right=[1, 2]):
        say(line)
    say()
    words = workspace_words()
    say(f"Nothing was removed. Choose: {command_line(*words, 'clean', 'runs')}, ...; outputs of a step: "
        f"{command_line(*words, 'clean', 'outputs', '--step', 'NAME')}", wrap=True)  # fmt: skip
    return Exit.OK


@command.command(
    "runs",
    epilog="\b\nExamples:\n  sinagot clean runs --keep-runs 5\n  sinagot clean runs --older-than 30d",
)
@click.option(
    "--keep-runs", type=click.IntRange(min=1), metavar="N", help="Leave the newest N runs as they are (10)."
)
@click.option("--older-than", metavar="AGE", help="Only runs that ended so long ago: 12h, 30d.")
@_removing_options
def runs(keep_runs: int | None, older_than: str | None, yes: bool, dry_run: bool) -> int:
    """Make old runs small: what results come from stays, and what `accept` has settled.

    Status, `why` and what is outdated are the same afterwards. A run of which no result is left goes altogether.
    """
    from sinagot.cli.moments import read_age
    from sinagot.workspace.cleaning import KEPT_RUNS, find_items

    before = None if older_than is None else time.time() - read_age(older_than, "--older-than")
    # The age alone chooses where only an age is given; the newest run stays in any case.
    keep = keep_runs or (KEPT_RUNS if older_than is None else 1)
    items = find_items(open_workspace(), "runs", keep_runs=keep, before=before)
    return _remove(items, "run", yes=yes, dry_run=dry_run)


def _add_folder(kind: str, about: str) -> None:
    @command.command(kind, help=f"Remove {about}.", epilog=f"\b\nExamples:\n  sinagot clean {kind} --dry-run")
    @_removing_options
    def remove_folder(yes: bool, dry_run: bool) -> int:
        from sinagot.workspace.cleaning import find_items

        return _remove(find_items(open_workspace(), kind), "item", yes=yes, dry_run=dry_run)


for _kind in ("stage", "aside", "failed", "index"):
    _add_folder(_kind, _KINDS[_kind])


@command.command(
    "outputs",
    epilog="\b\nExamples:\n  sinagot clean outputs --step mean REC-1 REC-2\n  sinagot clean outputs --step mean --yes",
)
@click.argument("records", shell_complete=known("records"), metavar="[RECORD]...", nargs=-1)
@scope_options
@click.option("--step", required=True, shell_complete=known("steps"), metavar="NAME", help="The step.")
@_removing_options
def outputs(
    records: tuple[str, ...], task: str | None, modality: str | None, step: str, yes: bool, dry_run: bool
) -> int:
    """Remove what a step has made, so that the next run makes it again.

    Only files and folders under the paths that the step declares; of a link the link. Failures of these jobs are
    forgotten, their logs stay. A job that a run works on, or that died there, is left alone and named.
    """
    from sinagot.cli.findings import check_step, tell_without_data
    from sinagot.workspace.cleaning import find_outputs

    workspace = open_workspace()
    scope = choose_records(workspace, task, modality, records)
    check_step(scope, step)
    items, busy = find_outputs(scope, step)
    about = {key.partition("/")[0] for key in (*(item.name for item in items), *busy)}
    unknown = [one for one in records if one not in about and not workspace.records.has(one)]
    if unknown:  # a slip of the pen: nothing is removed
        tell_without_data(workspace.records, unknown)
        return Exit.NOTHING
    if busy:
        jobs = counted(len(busy), "job")
        note(f"Left alone, a run works on it or has died there: {jobs}: {clean(plain_list(busy))}")
    return _remove(items, "job", yes=yes, dry_run=dry_run)


def _remove(items: Sequence[Item], word: str, *, yes: bool, dry_run: bool) -> int:
    """Show what goes, ask, and remove it; the first that can't be removed ends it."""
    from sinagot.config.quantities import bytes_text

    if not items:
        say("There is nothing to remove.")
        return Exit.OK
    size = sum(item.size for item in items)
    rows = [[clean(short_path(item.name)), bytes_text(item.size)] for item in items[:_MOST_NAMED]]
    for line in columns(rows, right=[1]):
        say(f"  {line}")
    if len(items) > _MOST_NAMED:
        say(f"  ... and {len(items) - _MOST_NAMED:,} more")
    total = f"{counted(len(items), word)}, {bytes_text(size)}"
    if dry_run:
        say(f"Would go: {total}. Nothing was removed.")
        return Exit.OK
    if not yes:
        if not sys.stdin.isatty():
            raise click.UsageError(f"{total} would go: say --yes, where nobody can be asked")
        if not click.confirm(f"Remove {total}?"):
            say("Nothing was removed.")
            return Exit.OK
    for item in items:
        item.remove()
    say(f"Removed: {total}.")
    return Exit.OK
