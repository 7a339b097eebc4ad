"""Copies scripts and local modules, so that an edit during a run is not seen by that run.

Knows files named by their content; must not know which run they belong to.
The driver makes the copies before the first job; workers read them through `sinagot.scripts.sources.text_of`.
"""

from __future__ import annotations

import os
from collections.abc import Iterable

from sinagot.scripts.sources import LocalModule, SourceSet, text_of

__all__ = ["copy_sources"]


def copy_sources(sources: Iterable[SourceSet], folder: str) -> tuple[SourceSet, ...]:
    """Copy every file of some sets to a folder.

    Parameters
    ----------
    sources : iterable of SourceSet
        What to copy, exactly as it was when the sets were found.
    folder : str
        Made when absent.

    Returns
    -------
    tuple of SourceSet
        The same sets, reading from the copies.

    Raises
    ------
    OSError
        When the folder cannot be written.
    """
    os.makedirs(folder, exist_ok=True)
    done: set[str] = set()

    def copy(part: SourceSet | LocalModule) -> str:
        target = os.path.join(folder, f"{part.text_digest}.py")
        if target not in done and not os.path.exists(target):
            draft = f"{target}.{os.getpid()}"
            with open(draft, "wb") as stream:
                stream.write(text_of(part))
            os.replace(draft, target)
        done.add(target)
        return target

    return tuple(
        source
        if source.command is not None or not source.text_digest
        else source._replace(
            text=copy(source), modules=tuple(module._replace(text=copy(module)) for module in source.modules)
        )
        for source in sources
    )
