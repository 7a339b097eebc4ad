"""Options that say which jobs are meant and when they run again: the same for `run` and for `plan`.

Knows options and what the workspace takes for them; must not decide which jobs they lead to.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import click

from sinagot.cli.completion import known
from sinagot.cli.options import choose_records, read_settings, record_option, scope_options
from sinagot.cli.selections import read_selection

if TYPE_CHECKING:
    from sinagot.workspace.records import RecordCollection
    from sinagot.workspace.workspace import Workspace

__all__ = ["Choice", "choosing_options"]

_F = TypeVar("_F", bound=Callable[..., Any])
#: Options that `steps.run` and `steps.plan` take under the same name.
_PASSED = ("force", "failed", "from_step", "until_step", "shard", "ignore_missing")
_OPTIONS = (
    click.option("--step", shell_complete=known("steps"), metavar="NAME", help="Only this step."),
    click.option("--force", is_flag=True, help="Run also what is up to date."),
    click.option(
        "--outdated", is_flag=True, help="Run also what was made from something that changed since."
    ),
    click.option("--failed", is_flag=True, help="Only records of which a step failed or was interrupted."),
    click.option(
        "--from",
        "from_step",
        shell_complete=known("steps"),
        metavar="STEP",
        help="Only this step and what comes after it.",
    ),
    click.option(
        "--until",
        "until_step",
        shell_complete=known("steps"),
        metavar="STEP",
        help="Only this step and what comes before it.",
    ),
    click.option("--shard", metavar="I/N", help="Only a share of the records, such as 2/8."),
    click.option(
        "--select",
        "selection",
        type=click.Path(dir_okay=False),
        metavar="FILE",
        help="Only records of a file, one id a line.",
    ),
    click.option(
        "--save-selection",
        type=click.Path(dir_okay=False),
        metavar="FILE",
        help="Write the ids of the records that this is about.",
    ),
    click.option(
        "--set",
        "settings",
        multiple=True,
        metavar="KEY=VALUE",
        help="A parameter for this run; it wins over the configuration.",
    ),
    click.option("--ignore-missing", is_flag=True, help="Run also where inputs are missing."),
)


def choosing_options(command: _F) -> _F:
    """Add the options that a `Choice` is read from.

    Parameters
    ----------
    command : callable
        A function that click makes a command of.
    """
    for option in reversed(_OPTIONS):
        command = option(command)
    return scope_options(record_option(command))


class Choice(NamedTuple):
    """What the user means, as far as the command line says it."""

    task: str | None
    modality: str | None
    #: Ids of records that were named one by one.
    named: tuple[str, ...]
    #: Ids that a file names; None without a file.
    selected: tuple[str, ...] | None
    step: str | None
    outdated: bool
    save_selection: str | None
    #: Of `steps.run`.
    options: Mapping[str, Any]

    @classmethod
    def read(cls, given: dict[str, Any]) -> Choice:
        """Take the values of the options out of those of a command; what is contradictory is a usage error."""
        options = {name: given.pop(name) for name in _PASSED}
        selection, settings = given.pop("selection"), given.pop("settings")
        names = ("task", "modality", "records", "step", "outdated", "save_selection")
        task, modality, records, step, outdated, save_selection = map(given.pop, names)
        if outdated:
            if options["force"]:
                raise click.UsageError("--outdated and --force: which of them?")
            options["rerun"] = "outdated"
        options["params"] = read_settings(settings)
        selected = None if selection is None else tuple(read_selection(selection))
        return cls(task, modality, records, selected, step, outdated, save_selection, options)

    @property
    def runs_again(self) -> bool:
        """Whether results that are older than an input run again anyway."""
        return bool(self.outdated or self.options["force"])

    def scope(self, workspace: Workspace) -> RecordCollection:
        """Give the records that are meant."""
        wanted = (*self.named, *(self.selected or ()))
        return choose_records(workspace, self.task, self.modality, wanted, is_given=self.selected is not None)

    def everything(self, workspace: Workspace) -> RecordCollection:
        """Give all records of the task and modality that are meant."""
        return choose_records(workspace, self.task, self.modality)
