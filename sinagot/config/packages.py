"""Which packages are installed, told by the names of folders: importing their metadata takes a hundred times as long.

Knows folders of modules; must not know scripts or runs. A run keeps ``packages.txt``, lines ``name==version`` as pip
reads them; it is read when two runs are compared.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

__all__ = [
    "Distribution",
    "dated_folders",
    "distributions",
    "installed_packages",
    "plain_name",
    "read_packages",
    "save_packages",
]

_FILE = "packages.txt"
_FOLDER = re.compile(r"(?P<name>[A-Za-z0-9._]+)-(?P<version>[^-]+)(?:-py[\d.]+)?\.(?:dist|egg)-info")


class Distribution(NamedTuple):
    """An installed package."""

    name: str
    version: str
    #: Folder of the facts about it.
    folder: str


def plain_name(name: str) -> str:
    """Write the name of a distribution as all its spellings are compared.

    Examples
    --------
    >>> plain_name("Scikit_Learn")
    'scikit-learn'
    """
    return re.sub(r"[-_.]+", "-", name).lower()


def dated_folders(paths: Sequence[str] | None = None) -> Iterator[tuple[str, int]]:
    """Give the folders that modules come from, each with its time of change: what is kept of it is of that time."""
    for folder in dict.fromkeys(sys.path if paths is None else paths):
        try:
            if folder:
                yield folder, os.stat(folder).st_mtime_ns
        except OSError:  # gone
            continue


@lru_cache(maxsize=64)
def distributions(folder: str, _changed: int) -> tuple[Distribution, ...]:
    """List the distributions in a folder; `_changed` is its time, see `dated_folders`."""
    try:
        names = os.listdir(folder)
    except OSError:  # an archive, or gone
        return ()
    matches = (_FOLDER.fullmatch(name) for name in sorted(names))
    return tuple(
        Distribution(found["name"], found["version"], f"{folder}/{found[0]}") for found in matches if found
    )


def installed_packages(paths: Sequence[str] | None = None) -> dict[str, str]:
    """List the installed packages by the names of the folders that describe them.

    Parameters
    ----------
    paths : sequence of str, optional
        Folders of modules; those of this Python when not given.

    Returns
    -------
    dict of str to str
        Version by name, sorted; of a package that is there twice the one that is imported.

    Examples
    --------
    >>> installed_packages()["click"].count(".") >= 1
    True
    """
    found: dict[str, str] = {}
    for dated in dated_folders(paths):
        for one in distributions(*dated):
            found.setdefault(plain_name(one.name), one.version)
    return dict(sorted(found.items()))


def save_packages(folder: str) -> None:
    """Write down in the folder of a run what is installed."""
    lines = (f"{name}=={version}\n" for name, version in installed_packages().items())
    with open(f"{folder}/{_FILE}", "w", encoding="utf-8") as file:
        file.writelines(lines)


def read_packages(folder: str) -> dict[str, str]:
    """Read what was installed for a run; empty where that was not written down."""
    try:
        with open(f"{folder}/{_FILE}", encoding="utf-8", errors="replace") as file:
            pairs = (line.strip().partition("==") for line in file)
            return {name: version for name, _, version in pairs if version}
    except OSError:
        return {}
