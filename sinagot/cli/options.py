"""Options that several commands share, and the workspace and scope they lead to.

Knows where a workspace is looked for; must not know what commands do with it. Nothing is opened before a command asks.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from sinagot.cli.completion import known

if TYPE_CHECKING:
    from sinagot.workspace.records import RecordCollection
    from sinagot.workspace.workspace import Workspace

__all__ = [
    "choose_records",
    "find_state",
    "json_option",
    "open_workspace",
    "read_settings",
    "record_option",
    "scope_options",
    "workspace_options",
    "workspace_words",
]

_F = TypeVar("_F", bound=Callable[..., Any])

_CONFIG_NAME = "workspace.toml"
_VARIABLE = "SINAGOT_WORKSPACE"
_META = "sinagot."
#: `module:Class=ROOT`, the form of workspaces written as Python classes.
_CLASS = re.compile(r"[A-Za-z_]\w*(\.\w+)*:[A-Za-z_]\w*=")


def _keep(ctx: click.Context, parameter: click.Parameter, value: Any) -> None:
    """Keep a value for `open_workspace`; an option after the command wins over the same one before it."""
    if value:
        ctx.meta[f"{_META}{parameter.name}"] = value


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
            help=f"Folder with a {_CONFIG_NAME}, or a configuration file; several are merged. Or a class on a folder: "
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
    for path in meta.get(f"{_META}workspace", ()):
        words += ["-w", path]
    for name in ("data_path", "scripts_path"):
        if f"{_META}{name}" in meta:
            words += [f"--{name.replace('_', '-')}", meta[f"{_META}{name}"]]
    return words


def _find_workspace(given: Sequence[str]) -> list[str]:
    """Find the configuration files: the given ones, that of the environment, or the nearest upwards."""
    source = "-w/--workspace"
    if not given and os.environ.get(_VARIABLE):
        given, source = (os.environ[_VARIABLE],), _VARIABLE
    for path in given:
        _check_given(path, source)
    if given:
        return list(given)
    here = Path.cwd()
    for folder in (here, *here.parents):
        if (folder / _CONFIG_NAME).is_file():
            # A short name stays short in messages.
            return [os.path.relpath(folder / _CONFIG_NAME) if folder == here else str(folder / _CONFIG_NAME)]
    raise click.UsageError(
        f"no {_CONFIG_NAME} in {here} or above it.\n"
        f"Go to your workspace, name it by -w PATH or by {_VARIABLE}, or make one: sinagot init"
    )


def _check_given(path: str, source: str) -> None:
    if _CLASS.match(path):
        return
    expanded = Path(path).expanduser()
    if not expanded.exists():
        raise click.UsageError(f"{source}: no such file or folder: {path}")
    if expanded.is_dir() and not (expanded / _CONFIG_NAME).exists():
        raise click.UsageError(f"{source}: no {_CONFIG_NAME} in {path}; make one there: sinagot init {path}")


def find_state(ctx: click.Context) -> str | None:
    """Find the state folder without opening the workspace.

    Parameters
    ----------
    ctx : Context
        Of a command line, as far as it goes.

    Returns
    -------
    str or None
        None where there is no workspace, or its configuration cannot be read.
    """
    from sinagot.config.sources import read_state_folder

    data = ctx.meta.get(f"{_META}data_path")
    data = None if data is None else os.path.abspath(os.path.expanduser(data))
    try:
        files = [os.path.expanduser(file) for file in _find_workspace(ctx.meta.get(f"{_META}workspace", ()))]
        if any(map(_CLASS.match, files)):
            return f"{os.path.abspath(files[0].partition('=')[2])}/.sinagot"
        return read_state_folder(files, data)
    except (click.UsageError, OSError, ValueError):
        return None


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
    files = _find_workspace(meta.get(f"{_META}workspace", ()))
    # Paths of the command line start where the user is, not at the configuration's folder.
    folders = [
        os.path.abspath(os.path.expanduser(meta[f"{_META}{name}"])) if f"{_META}{name}" in meta else None
        for name in ("data_path", "scripts_path")
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # shown below, in words
        if any(map(_CLASS.match, files)):
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
            f"{next(filter(_CLASS.match, files))!r} names a workspace class; nothing else can be named beside it"
        )
    from sinagot.workspace.doors import open_named

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
