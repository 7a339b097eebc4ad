"""Versions of the packages that scripts import, looked up without importing anything.

Knows the names that scripts import and the folders where packages are installed; must not know steps or runs.
A run notes them in its manifest, a sidecar beside an output.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from functools import lru_cache

from sinagot.config.packages import Distribution, dated_folders, distributions, plain_name
from sinagot.errors import ScriptError
from sinagot.scripts.imports import IMPORTS, imported_names
from sinagot.scripts.sources import LocalModule, SourceSet, text_of

__all__ = ["package_version", "packages_of"]

_LONGEST_RECORD = 1 << 22
#: Modules whose distributions are called otherwise, of those that scripts import often: they are found at once.
_OTHER_NAMES = {
    "PIL": "pillow",
    "cv2": "opencv-python",
    "dateutil": "python-dateutil",
    "skimage": "scikit-image",
    "sklearn": "scikit-learn",
    "yaml": "pyyaml",
}


def packages_of(source: SourceSet) -> dict[str, str]:
    """Give the versions of all installed packages that a script and its local modules import, wherever in them.

    Parameters
    ----------
    source : SourceSet
        Of a step; of a command only its local modules count, and a class that travels by value has no text.

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
    if source.program is not None and (source.program.is_pickled or not source.text_digest):
        return {}
    modules = sorted(set(_imported(source)))
    folders = tuple(dated_folders()) if modules else ()
    found = {one.name: one.version for module in modules for one in _bringing(module, folders)}
    return dict(sorted(found.items(), key=lambda pair: pair[0].lower()))


def package_version(module: str) -> str | None:
    """Give the version of the installed package that brings a module.

    Parameters
    ----------
    module : str
        As it is imported, such as ``numpy`` or ``sklearn``.

    Returns
    -------
    str or None
        None for modules of Python itself, the user's own, and what does not say.

    Examples
    --------
    >>> package_version("json"), package_version("no_such_package"), package_version("pandas") is None
    (None, None, False)
    """
    if module in sys.stdlib_module_names:
        return None
    return next((one.version for one in _bringing(module, tuple(dated_folders()))), None)


def _imported(source: SourceSet) -> Iterator[str]:
    """Give the first part of each imported name that may be that of an installed package."""
    local = {module.name.partition(".")[0] for module in source.modules} | {"sinagot", ""}
    if source.program is not None:
        local.add(source.program.module.partition(".")[0])
    parts: tuple[SourceSet | LocalModule, ...] = (
        source.modules if source.command is not None else (source, *source.modules)
    )
    for part in parts:
        for name in _names_in(part):
            first = name.partition(".")[0]
            if first not in local and first not in sys.stdlib_module_names:
                yield first


def _names_in(part: SourceSet | LocalModule) -> tuple[str, ...]:
    names = IMPORTS.get(part.text_digest)
    if names is None:
        try:
            names = IMPORTS[part.text_digest] = imported_names(text_of(part), part.path)
        except (ScriptError, SyntaxError, ValueError):  # a pickle, or edited since: nobody knows
            return ()
    return names


@lru_cache(maxsize=256)
def _bringing(module: str, folders: tuple[tuple[str, int], ...]) -> tuple[Distribution, ...]:
    """Find the distribution that brings a module."""
    plain = plain_name(_OTHER_NAMES.get(module, module))
    for dated in folders:
        for one in distributions(*dated):
            if plain_name(one.name) == plain:
                return (one,)
    for dated in folders:
        for one in distributions(*dated):
            if _brings(one.folder, module):
                return (one,)
    return ()


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
