"""Which installed packages a script and its local modules import, and in which version.

Knows texts and what is installed; must not know runs. A run notes it in its manifest; that alone makes nothing run
again: a lab that upgrades a library does not want to compute years of data anew without having asked for it.
"""

from __future__ import annotations

import sys
from typing import Any

from sinagot.scripts.imports import IMPORTS, imported_names
from sinagot.scripts.sources import LocalModule, SourceSet, text_of

__all__ = ["package_version", "packages_of"]


def package_version(name: str) -> str | None:
    """Give the version of an installed package, by the name that is imported.

    Parameters
    ----------
    name : str
        Of a module at the top of a package, such as ``numpy``.

    Returns
    -------
    str or None
        None for modules of Python itself, the user's own, and what does not say.

    Examples
    --------
    >>> package_version("json"), package_version("no_such_package"), package_version("pandas") is None
    (None, None, False)
    """
    if name in sys.stdlib_module_names or not name.isidentifier():
        return None
    from importlib.metadata import PackageNotFoundError, version  # brings a reader of mails along

    try:
        return version(name)
    except (PackageNotFoundError, ValueError):  # another name than that of its project
        found: Any = getattr(sys.modules.get(name), "__version__", None)
        return found if isinstance(found, str) else None


def packages_of(source: SourceSet) -> dict[str, str]:
    """Give the installed packages that the texts of a step import, wherever in them, with their versions.

    Parameters
    ----------
    source : SourceSet
        Of a step; a command and a class that travels by value have no texts.

    Returns
    -------
    dict of str to str
        Sorted by name.

    Notes
    -----
    The texts were read and parsed when the step was found; a package costs a look at its metadata.
    """
    if source.command is not None or not source.text_digest or (source.program and source.program.is_pickled):
        return {}
    local = {module.name.partition(".")[0] for module in source.modules} | {"sinagot", ""}
    if source.program is not None:
        local.add(source.program.module.partition(".")[0])
    names: set[str] = set()
    parts: tuple[SourceSet | LocalModule, ...] = (source, *source.modules)
    for part in parts:
        found = IMPORTS.get(part.text_digest)
        if found is None:
            found = IMPORTS[part.text_digest] = imported_names(text_of(part), part.path)
        names |= {name.partition(".")[0] for name in found}
    versions = {name: package_version(name) for name in sorted(names - local)}
    return {name: text for name, text in versions.items() if text is not None}
