"""Which packages are installed, as a run keeps it: ``packages.txt``, lines ``name==version`` as pip reads them.

Knows names of folders; must not import packages, or their metadata, which would take a hundred times as long. Written
when a run begins, read when two runs are compared.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

__all__ = ["installed_packages", "read_packages", "save_packages"]

_FILE = "packages.txt"


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
    for path in sys.path if paths is None else paths:
        try:
            names = os.listdir(path or ".") if path.endswith("-packages") or paths is not None else []
        except OSError:  # an archive, or gone
            continue
        for name in names:
            stem, mark, _ = name.rpartition(".dist-info")
            package, dash, version = stem.rpartition("-")
            if mark and dash:
                found.setdefault(package.lower().replace("_", "-"), version)
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
