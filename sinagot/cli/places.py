"""Where the workspace of a command line is: what was named, the environment, or the nearest folder upwards.

Knows names of files; must not open a workspace. `sinagot.cli.options` opens it, completion only looks into its state.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path

import click

__all__ = ["CLASS_NAME", "CONFIG_NAME", "META", "find_state", "find_workspace"]

CONFIG_NAME = "workspace.toml"
_VARIABLE = "SINAGOT_WORKSPACE"
#: As templates know it; the other one wins.
_ROOT_VARIABLE = "WORKFLOW_ROOT_PATH"
#: Beginning of the names under which a command line keeps what it was given.
META = "sinagot."
#: `module:Class=ROOT`, the form of workspaces written as Python classes.
CLASS_NAME = re.compile(r"[A-Za-z_]\w*(\.\w+)*:[A-Za-z_]\w*=")


def find_workspace(given: Sequence[str]) -> list[str]:
    """Find the configuration files: the given ones, that of the environment, or the nearest upwards.

    Parameters
    ----------
    given : sequence of str
        What the command line names.

    Raises
    ------
    UsageError
        There is none, or not what was named.
    """
    source = "-w/--workspace"
    for variable in (_VARIABLE, _ROOT_VARIABLE):
        if not given and os.environ.get(variable):
            given, source = (os.environ[variable],), variable
    for path in given:
        _check_given(path, source)
    if given:
        return list(given)
    here = Path.cwd()
    for folder in (here, *here.parents):
        if (folder / CONFIG_NAME).is_file():
            # A short name stays short in messages.
            return [os.path.relpath(folder / CONFIG_NAME) if folder == here else str(folder / CONFIG_NAME)]
    raise click.UsageError(
        f"no {CONFIG_NAME} in {here} or above it.\n"
        f"Go to your workspace, name it by -w PATH or by {_VARIABLE}, or make one: sinagot init"
    )


def _check_given(path: str, source: str) -> None:
    if CLASS_NAME.match(path):
        return
    expanded = Path(path).expanduser()
    if not expanded.exists():
        raise click.UsageError(f"{source}: no such file or folder: {path}")
    if expanded.is_dir() and not (expanded / CONFIG_NAME).exists():
        raise click.UsageError(f"{source}: no {CONFIG_NAME} in {path}; make one there: sinagot init {path}")


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

    data = ctx.meta.get(f"{META}data_path")
    data = None if data is None else os.path.abspath(os.path.expanduser(data))
    try:
        files = [os.path.expanduser(file) for file in find_workspace(ctx.meta.get(f"{META}workspace", ()))]
        if any(map(CLASS_NAME.match, files)):
            return f"{os.path.abspath(files[0].partition('=')[2])}/.sinagot"
        return read_state_folder(files, data)
    except (click.UsageError, OSError, ValueError):
        return None
