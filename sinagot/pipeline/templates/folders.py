"""Where YAML files are: the root of a library, its folder of files, and the files in it.

Knows the environment, names of files and folders; must not read a file.
`library` starts here.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from sinagot.config.settings import CONFIG_NAME
from sinagot.config.sources import absolute_path
from sinagot.errors import ConfigurationError

__all__ = ["DEFAULT_CONF", "Root", "find_root", "list_files"]

#: Folder of the YAML files below the root.
DEFAULT_CONF = "conf"

_ROOT_VARIABLE = "WORKFLOW_ROOT_PATH"
_CONF_VARIABLE = "WORKFLOW_CORE_PATH_CONF"
_WORKSPACE_VARIABLE = "SINAGOT_WORKSPACE"
# `module:Class=ROOT`, the form of a workspace that is written as a Python class.
_CLASS_FORM = re.compile(r"[A-Za-z_]\w*(\.\w+)*:[A-Za-z_]\w*=")
_ENDINGS = (".yaml", ".yml")


class Root(NamedTuple):
    """Where the files of a library are, and who said so."""

    folder: Path
    #: The folder that holds the files, at any depth.
    conf: Path
    #: In words, for messages.
    said_by: str


def find_root(
    root: str | os.PathLike[str] | None = None,
    conf: str | os.PathLike[str] | None = None,
    environ: Mapping[str, str] | None = None,
) -> Root:
    """Find the folder of the YAML files; it need not be there.

    Parameters
    ----------
    root : str or path-like, optional
        A folder. Else `WORKFLOW_ROOT_PATH`, else `SINAGOT_WORKSPACE`, else the nearest folder upwards with a
        ``workspace.toml``, else the current folder.
    conf : str or path-like, optional
        The folder of the files, from the root. Else `WORKFLOW_CORE_PATH_CONF`, else ``conf``.
    environ : mapping of str to str, optional
        The variables; those of the process by default. One that is set to nothing counts as unset.

    Returns
    -------
    Root
        With absolute paths; relative ones start at the current folder.

    Examples
    --------
    >>> find_root("/lab", environ={}).conf.as_posix()
    '/lab/conf'
    >>> found = find_root(environ={"WORKFLOW_ROOT_PATH": "/lab", "WORKFLOW_CORE_PATH_CONF": "flows/yaml"})
    >>> found.conf.as_posix(), found.said_by
    ('/lab/flows/yaml', 'WORKFLOW_ROOT_PATH')
    """
    variables = os.environ if environ is None else environ
    folder, said_by = _find_folder(root, variables)
    below = os.fspath(conf) if conf is not None else variables.get(_CONF_VARIABLE) or DEFAULT_CONF
    return Root(folder, absolute_path(below, folder), said_by)


def _find_folder(root: str | os.PathLike[str] | None, variables: Mapping[str, str]) -> tuple[Path, str]:
    if root is not None:
        return absolute_path(root), "the argument root"
    if variables.get(_ROOT_VARIABLE):
        return absolute_path(variables[_ROOT_VARIABLE]), _ROOT_VARIABLE
    named = variables.get(_WORKSPACE_VARIABLE)
    if named:
        path = absolute_path(named.partition("=")[2] if _CLASS_FORM.match(named) else named)
        return path.parent if path.is_file() else path, _WORKSPACE_VARIABLE
    here = Path.cwd()
    for folder in (here, *here.parents):
        if (folder / CONFIG_NAME).is_file():
            return folder, f"the nearest {CONFIG_NAME}"
    return here, "the current folder"


def list_files(conf: Path) -> tuple[list[Path], list[ConfigurationError]]:
    """List the YAML files of a folder, at any depth.

    Parameters
    ----------
    conf : Path
        The folder.

    Returns
    -------
    tuple of list of Path and list of ConfigurationError
        The files in the order of their paths, each file once however many links lead to it; and the folders that
        can't be listed. Hidden files and folders, and what an editor leaves behind, are passed over.
    """
    files: list[Path] = []
    problems: list[ConfigurationError] = []
    seen: set[tuple[int, int]] = set()
    folders = [conf]
    while folders:
        folder = folders.pop()
        try:
            about = os.stat(folder)
            if (about.st_dev, about.st_ino) in seen:
                continue  # a link that leads back up, or two links to one folder
            seen.add((about.st_dev, about.st_ino))
            with os.scandir(folder) as found:
                entries = sorted(found, key=lambda entry: entry.name)
        except OSError as error:
            problems.append(
                ConfigurationError.at(f"cannot be listed: {error.strerror or error}", file=folder)
            )
            continue
        below = []
        for entry in entries:
            if entry.name.startswith((".", "#")):
                continue
            kind, key = _look_at(entry, about.st_dev)
            if kind == "folder":
                below.append(folder / entry.name)
            elif entry.name.casefold().endswith(_ENDINGS) and key not in seen:
                seen.add(key)
                files.append(folder / entry.name)
        folders += reversed(below)
    return sorted(files), problems


def _look_at(entry: os.DirEntry[str], device: int) -> tuple[str, tuple[int, int]]:
    """Say what an entry is, and which file it leads to; only a link costs a system call."""
    try:
        if entry.is_dir():
            return "folder", (0, 0)
        if entry.is_symlink():
            about = entry.stat()
            return "file", (about.st_dev, about.st_ino)
    except OSError:
        pass  # a link that leads nowhere; reading it says so
    return "file", (device, entry.inode())
