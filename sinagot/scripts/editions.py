"""What a run was begun with: the files of its scripts and its configuration, so that it can say when one was edited.

Knows files and digests; must not know steps. A run asks once, at its end.
"""

from __future__ import annotations

from collections.abc import Iterable
from os import PathLike

from sinagot.scripts.sources import SourceSet, digest_of

__all__ = ["Editions"]


class Editions:
    """The texts that a run began with.

    Parameters
    ----------
    sources : iterable of SourceSet
        Its scripts.
    files : iterable of path
        Its configuration.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> file = Path(tempfile.mkdtemp(), "workspace.toml")
    >>> _ = file.write_text("[run]")
    >>> editions = Editions([], [file])
    >>> editions.edited()
    []
    >>> _ = file.write_text("[params]")
    >>> [text.partition("workspace.toml ")[2] for text in editions.edited()]
    ['was edited while the run went on: this run kept to what it began with, the next one goes by the new text']
    """

    def __init__(self, sources: Iterable[SourceSet], files: Iterable[str | PathLike[str]] = ()) -> None:
        # A class that travels by value has no file: the text that stands for it is no text of a file.
        self._scripts = {
            path: digest
            for source in sources
            if source.command is None
            for path, digest in source.files
            if path != source.path or source.program is None or not source.program.is_pickled
        }
        self._files = {str(file): _digest(str(file)) for file in files}

    def edited(self) -> list[str]:
        """Say of each file that is another now than it was."""
        until = "was edited while the run went on: this run kept to what it began with"
        found = [
            f"{path} {until}; `sinagot run --outdated` makes again what the former text has made"
            for path, digest in self._scripts.items()
            if _digest(path) != digest
        ]
        found += [
            f"{path} {until}, the next one goes by the new text"
            for path, digest in self._files.items()
            if _digest(path) != digest
        ]
        return found


def _digest(path: str) -> str | None:
    try:
        with open(path, "rb") as file:
            return digest_of(file.read())
    except OSError:
        return None
