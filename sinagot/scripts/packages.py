"""Versions of the packages that scripts import, looked up without importing anything.

Knows the names that scripts import and the folders where packages are installed; must not know steps or runs.
A run notes them in its manifest, a sidecar beside an output.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable, Iterator
from functools import lru_cache

from sinagot.errors import ScriptError
from sinagot.scripts.imports import IMPORTS, imported_names
from sinagot.scripts.sources import LocalModule, SourceSet, text_of

__all__ = ["packages_of"]

_FOLDER = re.compile(r"(?P<name>[A-Za-z0-9._]+)-(?P<version>[^-]+)(?:-py[\d.]+)?\.(?:dist|egg)-info")
_LONGEST_RECORD = 1 << 22
#: Modules whose distributions are called otherwise, of those that scripts import often: they are found at once.
_OTHER_NAMES = {
    "PIL": "pillow",
    "cv2": "opencv_python",
    "dateutil": "python_dateutil",
    "skimage": "scikit_image",
    "sklearn": "scikit_learn",
    "yaml": "pyyaml",
}


def packages_of(sources: Iterable[SourceSet]) -> dict[str, str]:
    """Give the versions of all installed packages that some scripts and their local modules import.

    Parameters
    ----------
    sources : iterable of SourceSet
        The scripts.

    Returns
    -------
    dict of str to str
        Name of the distribution -> version, sorted by name; `sinagot` and the standard library are left out, and
        packages of which no version is on record.

    Notes
    -----
    One listing of each folder of `sys.path` that holds packages; files are read only for a module that has another name
    than its distribution (`sklearn` of scikit-learn).
    """
    found: dict[str, str] = {}
    modules = sorted(set(_imported(sources)))
    folders = tuple(_dated_folders()) if modules else ()
    for module in modules:
        found.update(_versions_of(module, folders))
    return dict(sorted(found.items(), key=lambda pair: pair[0].lower()))


def _imported(sources: Iterable[SourceSet]) -> Iterator[str]:
    """Give the first part of each imported name that may be that of an installed package."""
    for source in sources:
        local = {module.name.partition(".")[0] for module in source.modules}
        parts: tuple[SourceSet | LocalModule, ...] = (
            source.modules if source.command is not None else (source, *source.modules)
        )
        for part in parts:
            for name in _names_in(part):
                first = name.partition(".")[0]
                if (
                    first
                    and first not in local
                    and first not in sys.stdlib_module_names
                    and first != "sinagot"
                ):
                    yield first


def _names_in(part: SourceSet | LocalModule) -> tuple[str, ...]:
    names = IMPORTS.get(part.text_digest)
    if names is None:
        try:
            names = IMPORTS[part.text_digest] = imported_names(text_of(part), part.path)
        except (ScriptError, SyntaxError, ValueError):  # a pickle, or edited since: nobody knows
            return ()
    return names


def _dated_folders() -> Iterator[tuple[str, int]]:
    """Give the folders that modules come from, each with its time of change: what is kept of it is of that time."""
    for folder in dict.fromkeys(sys.path):
        try:
            if folder:
                yield folder, os.stat(folder).st_mtime_ns
        except OSError:
            continue


@lru_cache(maxsize=256)
def _versions_of(module: str, folders: tuple[tuple[str, int], ...]) -> tuple[tuple[str, str], ...]:
    """Find the distribution that brings a module."""
    plain = _OTHER_NAMES.get(module) or _plain(module)
    for folder, changed in folders:
        for name, version, _ in _installed(folder, changed):
            if _plain(name) == plain:
                return ((name, version),)
    for folder, changed in folders:
        for name, version, info in _installed(folder, changed):
            if _brings(f"{folder}/{info}", module):
                return ((name, version),)
    return ()


@lru_cache(maxsize=64)
def _installed(folder: str, _changed: int) -> tuple[tuple[str, str, str], ...]:
    """List name, version and folder of the facts of each distribution in a folder."""
    try:
        names = os.listdir(folder)
    except OSError:
        return ()
    matches = (_FOLDER.fullmatch(name) for name in sorted(names))
    return tuple((match["name"], match["version"], match[0]) for match in matches if match is not None)


def _plain(name: str) -> str:
    """Write a name of a distribution as all its spellings are compared."""
    return re.sub(r"[-_.]+", "_", name).lower()


def _brings(info: str, module: str) -> bool:
    """Say whether a distribution installs a module, by what it has noted about itself."""
    try:
        with open(f"{info}/top_level.txt", encoding="utf-8", errors="replace") as file:
            return module in file.read().split()
    except OSError:
        pass
    try:
        with open(f"{info}/RECORD", encoding="utf-8", errors="replace") as file:
            text = "\n" + file.read(_LONGEST_RECORD)
    except OSError:
        return False
    return f"\n{module}/__init__.py," in text or f"\n{module}.py," in text
