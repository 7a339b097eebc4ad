"""Private folders of attempts: each mirrors the tree below the output root while a script writes.

Knows final paths and their twins; must not know what is published, or when. `sinagot.dataset.commit` moves what is in
such a folder into place.
"""

from __future__ import annotations

import contextlib
import os
from _thread import allocate_lock
from collections.abc import Iterable, Sequence

from sinagot.dataset.moves import remove
from sinagot.dataset.prints import digest_within, holds_file

__all__ = ["SpareFolders", "StageFolder"]

# Path segments that the mirror below the stage could not take over word for word.
_ODD_SEGMENTS = frozenset({"", os.curdir, os.pardir})


class SpareFolders:
    """Emptied stage folders of one process, for its next attempts: on a disk a rename costs a twentieth of making them.

    Renamed and not used as they are: whoever goes on writing to the path of an attempt that is over meets an error.
    """

    def __init__(self) -> None:
        #: First folder that was asked for below the stage -> the stage, and all that was made in it.
        self._kept: dict[str, tuple[str, tuple[str, ...]]] = {}
        self._guard = allocate_lock()

    def add(self, first: str, folder: str, inner: Iterable[str]) -> None:
        """Keep an emptied folder; `inner` are the relative paths of the folders in it."""
        with self._guard:
            former = self._kept.get(first)
            self._kept[first] = (folder, tuple(inner))
        if former is not None:
            remove(former[0])

    def take(self, first: str, folder: str) -> tuple[str, ...] | None:
        """Rename a kept folder; gives what it has in it, or None where none is fit for use."""
        kept = self._kept.pop(first, None)
        if kept is None:
            return None
        old, inner = kept
        try:
            os.rename(old, folder)
            # A thread or program that an earlier script left behind may have written there until this moment.
            if sum(len(os.listdir(path)) for path in (folder, *_within(folder, inner))) == len(inner):
                return inner
        except OSError:  # swept away, or a script changed what it may not
            pass
        remove(old)
        remove(folder)
        return None

    def clear(self) -> None:
        """Remove what is kept."""
        while self._kept:
            remove(self._kept.popitem()[1][0])


def _within(folder: str, inner: Iterable[str]) -> list[str]:
    return [folder + os.sep + relative for relative in inner]


class StageFolder:
    """The folder of one attempt, and which path in it stands for which final path.

    Parameters
    ----------
    base : str
        Folder of all stages, on the file system of the outputs: ``<root>/.sinagot/stage``. Made when needed.
    attempt : str
        Name of the attempt, unique and usable as a file name. A name used before opens that stage again.
    roots : str or sequence of str
        The output root: a final path below it keeps its relative path in the stage, others get one folder
        per parent. Further roots (the dataset) are where a published link may lead besides.
    spares : SpareFolders, optional
        Folders of earlier attempts of this process.

    Attributes
    ----------
    folder : str
        The private folder; it exists from the first `path` to `discard` or `release`.
    """

    __slots__ = (
        "_attempt",
        "_first",
        "_folders",
        "_outside",
        "_prefix",
        "_prefixes",
        "_spares",
        "_twins",
        "folder",
    )

    def __init__(
        self, base: str, attempt: str, roots: str | Sequence[str], spares: SpareFolders | None = None
    ) -> None:
        self.folder = base + os.sep + attempt
        self._attempt = attempt
        plain = (roots,) if isinstance(roots, str) else roots
        self._prefixes = tuple([root.rstrip(os.sep) + os.sep for root in plain])
        self._prefix = self._prefixes[0]
        self._spares = spares
        self._first = ""
        self._twins: dict[str, str] = {}
        self._folders: set[str] = set()  # made by us
        self._outside: dict[str, str] = {}  # name in the stage -> folder outside the root

    def path(self, final: str) -> str:
        """Return the staged twin of a final path; its parents are made, the output itself is not.

        Parameters
        ----------
        final : str
            Absolute final path of an output.

        Returns
        -------
        str
            Path in the private folder with the same file name and suffix.
        """
        staged = self._twins.get(final)
        if staged is None:
            staged = self._twins[final] = self._twin(final)
            folder = staged.rpartition(os.sep)[0]
            if not self._folders:
                self._begin(folder)
            if folder not in self._folders:
                self._make(folder)
        return staged

    def digest(self, final: str, most: int | None = None) -> str | None:
        """Return the digest of what is staged for a final path.

        Parameters
        ----------
        final : str
            What will be there.
        most : int, optional
            Bytes beyond which nothing is read.

        Returns
        -------
        str or None
            SHA-256, hexadecimal; None for a link, and for what has more bytes.
        """
        return digest_within(self._twins.get(final) or self._twin(final), most)

    def adopt(self, name: str) -> None:
        """Take over the folder of a dead attempt, under another name, so that nobody sweeps it away meanwhile.

        Parameters
        ----------
        name : str
            Name of an attempt that is alive. A folder that a former adopter left is found too.
        """
        base, attempt = os.path.split(self.folder)
        try:
            found = [one for one in os.listdir(base) if one.rpartition("~")[2] == attempt]
        except OSError:
            found = []
        self.folder = f"{base}/{name}~{attempt}"
        for one in found:
            with contextlib.suppress(OSError):  # swept away, or not empty: there can be only one
                os.rename(f"{base}/{one}", self.folder)

    def final(self, staged: str) -> str | None:
        """Return the final path of a path in the stage, ``None`` for a path elsewhere.

        Parameters
        ----------
        staged : str
            Any path; also of an undeclared file in the stage.

        Returns
        -------
        str or None
            Where it belongs.
        """
        if not staged.startswith(self.folder + os.sep):
            return None
        relative = staged[len(self.folder) + 1 :]
        first, _, rest = relative.partition(os.sep)
        if first in self._outside:
            return self._outside[first] + os.sep + rest
        return self._prefix + relative

    def with_finals(self, text: str) -> str:
        """Return a text with final paths where it names paths of the stage.

        Parameters
        ----------
        text : str
            Anything: a message, a traceback, what a script printed.

        Returns
        -------
        str
            What people can use: the stage is gone when they read it.
        """
        if self.folder not in text:
            return text
        for name, parent in self._outside.items():
            text = text.replace(f"{self.folder}{os.sep}{name}", parent)
        return text.replace(self.folder + os.sep, self._prefix).replace(
            self.folder, self._prefix.rstrip(os.sep)
        )

    def release(self) -> None:
        """Give the folder, from which all has been published, to the next attempt of this process."""
        if self._spares is None or not self._folders:
            self.discard()
            return
        skip = len(self.folder) + 1
        inner = [path[skip:] for path in self._folders if path != self.folder]
        self._spares.add(self._first, self.folder, inner)
        self._folders.clear()
        self._twins.clear()

    def keep(self, folder: str) -> bool:
        """Move the private folder, with all that was written in it, to where people may look at it.

        Parameters
        ----------
        folder : str
            Where it shall be, on the same file system; its parents are made.

        Returns
        -------
        bool
            False when no file is in it: then it stays where it is.

        Raises
        ------
        OSError
            The file system refused; it stays where it is.
        """
        if not holds_file(self.folder):
            return False
        os.makedirs(os.path.dirname(folder), exist_ok=True)
        os.rename(self.folder, folder)
        self._folders.clear()
        self._twins.clear()
        return True

    def discard(self) -> None:
        """Remove the private folder and whatever is left in it."""
        try:
            # Longest first is deepest first along each branch.
            for folder in sorted(self._folders, key=len, reverse=True):
                os.rmdir(folder)
        except OSError:  # not empty: the attempt failed, or left empty folders
            remove(self.folder)
        else:
            if not self._folders:  # a stage of an earlier process
                remove(self.folder)
        self._folders.clear()
        self._twins.clear()

    def _twin(self, final: str) -> str:
        """Return where a final path stands in the stage."""
        if final.startswith(self._prefix):
            relative = final[len(self._prefix) :]
            if _ODD_SEGMENTS.isdisjoint(relative.split(os.sep)):
                return self.folder + os.sep + relative
        from hashlib import sha256  # only for outputs outside the root

        parent, name = os.path.split(final)
        key = ".outside-" + sha256(os.fsencode(parent)).hexdigest()[:16]
        self._outside[key] = parent
        return os.sep.join((self.folder, key, name))

    def _begin(self, folder: str) -> None:
        """Take over what an earlier attempt left, if it began with the same folder."""
        self._first = folder[len(self.folder) :]
        inner = self._spares.take(self._first, self.folder) if self._spares is not None else None
        if inner is not None:
            self._folders = {self.folder, *_within(self.folder, inner)}

    def _make(self, folder: str) -> None:
        """Make a folder of the stage with its parents."""
        if folder != self.folder:
            parent = folder.rpartition(os.sep)[0]
            if parent not in self._folders:
                self._make(parent)
        try:
            os.mkdir(folder)
        except FileExistsError:
            pass
        except FileNotFoundError:  # the first stage ever, or a state folder removed meanwhile
            os.makedirs(folder, exist_ok=True)
        self._folders.add(folder)
