"""Options that several commands share, and the workspace and scope they lead to.

Knows where a workspace is looked for; must not know what commands do with it. Nothing is opened before a command asks.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import click

from sinagot.cli.completion import known
from sinagot.cli.places import CLASS_NAME, CONFIG_NAME, META, find_workspace

if TYPE_CHECKING:
    from sinagot.workspace.records import RecordCollection
    from sinagot.workspace.workspace import Workspace

__all__ = [
    "choose_records",
    "json_option",
    "open_workspace",
    "read_settings",
    "record_option",
    "scope_options",
    "workspace_options",
    "workspace_words",
]

_F = TypeVar("_F", bound=Callable[..., Any])


def _keep(ctx: click.Context, parameter: click.Parameter, value: Any) -> None:
    """Keep a value for `open_workspace`; an option after the command wins over the same one before it."""
    if value:
        ctx.meta[f"{META}{parameter.name}"] = value


def workspace_options(command: _F) -> _F:
    """Add the options that say which workspace is meant; they may stand before or after the command.

    Parameters
    ----------
    command : callable
        A function that click makes a command or group of.
    """
    for option in (
        click.option(
            "--scripts-path",
            metavar="PATH",
            expose_value=False,
            callback=_keep,
            help="Scripts folder, instead of the configured one.",
        ),
        click.option(
            "--data-path",
            metavar="PATH",
            expose_value=False,
            callback=_keep,
            help="Data folder, instead of the configured one.",
        ),
        click.option(
            "-w",
            "--workspace",
            metavar="PATH",
            multiple=True,
            expose_value=False,
            callback=_keep,
            help=f"Folder with a {CONFIG_NAME}, or a configuration file; several are merged. Or a class on a folder: "
            "module:Class=FOLDER.",
        ),
    ):
        command = option(command)
    return command


def scope_options(command: _F) -> _F:
    """Add the options that narrow to a task and a modality.

    Parameters
    ----------
    command : callable
        A function that click makes a command of.
    """
    for name, kind in (("modality", "modalities"), ("task", "tasks")):
        command = click.option(
            f"--{name}", metavar="NAME", shell_complete=known(kind), help=f"Only this {name}."
        )(command)
    return command


def record_option(command: _F) -> _F:
    """Add the option that names records.

    Parameters
    ----------
    command : callable
        A function that click makes a command of.
    """
    return click.option(
        "--record",
        "records",
        metavar="ID",
        multiple=True,
        shell_complete=known("records"),
        help="Only this record; may be given several times.",
    )(command)


def json_option(command: _F) -> _F:
    """Add ``--json``.

    Parameters
    ----------
    command : callable
        A function that click makes a command of.
    """
    return click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")(command)


def workspace_words() -> list[str]:
    """Give the words that lead to the same workspace again, for commands to copy.

    Returns
    -------
    list of str
        Options as they were given; empty when the workspace was found without.
    """
    meta = click.get_current_context().meta
    words: list[str] = []
    for path in meta.get(f"{META}workspace", ()):
        words += ["-w", path]
    for name in ("data_path", "scripts_path"):
        if f"{META}{name}" in meta:
            words += [f"--{name.replace('_', '-')}", meta[f"{META}{name}"]]
    return words


def open_workspace(*, show_warnings: bool = True) -> Workspace:
    """Open the workspace that the command line means.

    Parameters
    ----------
    show_warnings : bool
        Say the warnings of the configuration on standard error.

    Returns
    -------
    Workspace
        Opened; nothing was written.
    """
    import warnings

    from sinagot.cli.texts import shortened, warn
    from sinagot.workspace.workspace import Workspace

    meta = click.get_current_context().meta
    files = find_workspace(meta.get(f"{META}workspace", ()))
    # Paths of the command line start where the user is, not at the configuration's folder.
    folders = [
        os.path.abspath(os.path.expanduser(meta[f"{META}{name}"])) if f"{META}{name}" in meta else None
        for name in ("data_path", "scripts_path")
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # shown below, in words
        if any(map(CLASS_NAME.match, files)):
            workspace = _open_class(files, folders)
        else:
            workspace = Workspace([os.path.expanduser(file) for file in files], *folders)
    if show_warnings:
        for text in workspace.configuration.warnings:
            warn(shortened(text))
    return workspace


def _open_class(files: Sequence[str], folders: Sequence[str | None]) -> Workspace:
    """Open a workspace class on a folder: ``module:Class=ROOT``."""
    if len(files) > 1 or any(folders):
        raise click.UsageError(
            f"{next(filter(CLASS_NAME.match, files))!r} names a workspace class; nothing else can be named beside it"
        )
    from sinagot.workspace.code_first.doors import open_named

    name, _, root = files[0].partition("=")
    opened: Workspace = open_named(name, os.path.abspath(os.path.expanduser(root)), [os.getcwd()])
    return opened


def read_settings(settings: Sequence[str]) -> dict[str, Any]:
    """Read the values of ``--set``.

    Parameters
    ----------
    settings : sequence of str
        ``key=value`` each.

    Returns
    -------
    dict
        Parameters; the last one of a key wins.
    """
    if not settings:
        return {}
    from sinagot.config.params import Layer, merge_layers, parse_setting

    try:
        return merge_layers([Layer((), parse_setting(one)) for one in settings])
    except ValueError as error:
        raise click.UsageError(f"--set: {error}") from error


def choose_records(
    workspace: Workspace,
    task: str | None,
    modality: str | None,
    records: Sequence[str] = (),
    *,
    is_given: bool = False,
) -> RecordCollection:
    """Give the records that the options name.

    Parameters
    ----------
    workspace : Workspace
        Where they are.
    task, modality : str or None
        Values of ``--task`` and ``--modality``.
    records : sequence of str
        Values of ``--record``; all records when there are none.
    is_given : bool
        Records were named, even if there are none.

    Returns
    -------
    RecordCollection
        Narrowed to what was named.
    """
    scope = workspace.records
    if task is not None or modality is not None:
        scope = scope.get_subscope(task, modality)
    return scope.select(records) if records or is_given else scope
