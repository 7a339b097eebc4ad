"""Listings of folders: each folder is read once per command, and its names are kept.

Knows names and whether they are there; knows nothing of patterns or ids.
Made by each command anew; `sinagot.dataset.scan` and the engine's survey of outputs ask it.
"""

from __future__ import annotations

import os
from bisect import bisect_left
from collections.abc import Iterable, Sequence

__all__ = ["Listing", "Lookups", "OrderedNames", "below", "printable"]

# Below that many questions about a folder, looking through its names costs less than sorting them.
_QUESTIONS_BEFORE_SORTING = 4


class Listing:
    """What is in the folders below a root, read at most once each.

    Parameters
    ----------
    root : str
        The folder that relative paths start at.

    Attributes
    ----------
    root : str
        As given.

    Notes
    -----
    Paths are relative, with ``/``; ``""`` is the root; an absolute path stands for itself.
    Symbolic links are looked at: one that leads nowhere counts as absent. The cost is one
    `os.scandir` a folder and one `os.stat` a link.

    Examples
    --------
    >>> listing = Listing("example/nowhere")
    >>> listing.names("raw"), listing.exists("raw/REC-1.csv"), listing.problems
    (set(), False, [])
    """

    __slots__ = ("_backward", "_entries", "_forward", "_names", "_problems", "_questions", "root")

    def __init__(self, root: str) -> None:
        self.root = root
        self._problems: dict[str, None] = {}
        self._entries: dict[str, list[str]] = {}
        self._names: dict[str, set[str]] = {}
        self._forward: dict[str, list[str]] = {}
        self._backward: dict[str, list[str]] = {}
        self._questions: dict[str, int] = {}

    @property
    def problems(self) -> list[str]:
        """What could not be read or used, each once, in the order of discovery."""
        return list(self._problems)

    def entries(self, folder: str) -> list[str]:
        """Give the names in a folder, in the order of the file system.

        Parameters
        ----------
        folder : str
            A relative path; a folder that is not there has no names.

        Returns
        -------
        list of str
            Kept by the listing: not to be changed.
        """
        entries = self._entries.get(folder)
        if entries is None:
            entries = self._entries[folder] = self._read(folder)
        return entries

    def names(self, folder: str) -> set[str]:
        """Give the names in a folder as a set.

        Parameters
        ----------
        folder : str
            A relative path; a folder that is not there has no names.

        Returns
        -------
        set of str
            Kept by the listing: not to be changed.
        """
        names = self._names.get(folder)
        if names is None:
            names = self._names[folder] = set(self.entries(folder))
        return names

    def candidates(self, folder: str, head: str, tail: str) -> Sequence[str]:
        """Give the names that begin with `head` and end with `tail`.

        Parameters
        ----------
        folder : str
            A relative path.
        head, tail : str
            How names begin and end; they may overlap in a short name.

        Returns
        -------
        sequence of str
            In no particular order.

        Notes
        -----
        The first few questions about a folder look at all names; then they are sorted once in both
        directions, so that asking for each of n records costs n log n and not n * n.
        """
        names: Sequence[str] = self.entries(folder)
        questions = self._questions[folder] = self._questions.get(folder, 0) + 1
        if questions > _QUESTIONS_BEFORE_SORTING and (head or tail):
            names = self._narrowed(folder, head, tail)
        return [name for name in names if name.startswith(head) and name.endswith(tail)]

    def _narrowed(self, folder: str, head: str, tail: str) -> Sequence[str]:
        if folder not in self._forward:
            self._forward[folder] = sorted(self._entries[folder])
            self._backward[folder] = sorted(name[::-1] for name in self._entries[folder])
        forward, backward = self._forward[folder], self._backward[folder]
        begin, end = _span(forward, head)
        first, last = _span(backward, tail[::-1])
        if end - begin <= last - first:
            return forward[begin:end]
        return [name[::-1] for name in backward[first:last]]

    def path_of(self, relative: str) -> str:
        """Give the full path of a relative one."""
        return os.path.join(self.root, relative)

    def exists(self, relative: str) -> bool:
        """Tell whether a path leads to something now; asks the file system each time.

        Parameters
        ----------
        relative : str
            A relative path.

        Returns
        -------
        bool
            False also for a link that leads nowhere, and where one may not look (noted in `problems`).
        """
        try:
            os.stat(os.path.join(self.root, relative))
        except PermissionError as error:
            self.note(f"{printable(relative)}: cannot be reached ({error.strerror})")
            return False
        except (OSError, ValueError):
            return False
        return True

    def has(self, relative: str) -> bool:
        """Tell whether a path leads to something, from the listing of its folder if there is one.

        Parameters
        ----------
        relative : str
            A relative path.

        Returns
        -------
        bool
            As of the time when the folder was read.
        """
        folder, _, name = relative.rpartition("/")
        if folder in self._entries:
            return name in self.names(folder)
        return self.exists(relative)

    def having(self, folder: str, words: list[str], pieces: Sequence[str]) -> list[str]:
        """Choose the words whose path exists; the path is `pieces` joined by the word.

        Parameters
        ----------
        folder : str
            Where the paths start.
        words : list of str
            Ids, mostly.
        pieces : sequence of str
            What stands before, between and behind the word in the path below `folder`.

        Returns
        -------
        list of str
            In the given order.

        Notes
        -----
        One `access` a word, relative to the opened folder: half the cost of a stat of the whole path.
        """
        if not words or os.access not in os.supports_dir_fd:
            return [word for word in words if self.exists(below(folder, word.join(pieces)))]
        try:
            anchor = os.open(os.path.join(self.root, folder), os.O_RDONLY | os.O_DIRECTORY)
        except OSError:  # gone, or not ours to read, since it was listed
            return [word for word in words if self.exists(below(folder, word.join(pieces)))]
        try:
            access, present = os.access, os.F_OK
            found = [word for word in words if access(word.join(pieces), present, dir_fd=anchor)]
        finally:
            os.close(anchor)
        if len(found) < len(words):
            there = set(found)
            for word in words:  # absent, or unreachable? The second is noted.
                if word not in there:
                    self.exists(below(folder, word.join(pieces)))
        return found

    def forget(self, folder: str | None = None) -> None:
        """Read a folder anew at the next question.

        Parameters
        ----------
        folder : str, optional
            A relative path; all folders when not given.
        """
        for kept in (self._entries, self._names, self._forward, self._backward, self._questions):
            if folder is None:
                kept.clear()
            else:
                kept.pop(folder, None)

    def note(self, problem: str) -> None:
        """Add a problem, unless it is known.

        Parameters
        ----------
        problem : str
            One line that names the file or folder.
        """
        self._problems[problem] = None

    def _read(self, folder: str) -> list[str]:
        try:
            with os.scandir(os.path.join(self.root, folder)) as entries:
                return [entry.name for entry in entries if not entry.is_symlink() or _leads_somewhere(entry)]
        except (FileNotFoundError, NotADirectoryError):
            return []
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else str(error)
            self.note(f"{printable(folder) or '.'}: cannot be read ({reason})")
            return []


class Lookups:
    """The names in a folder, each looked up when it is asked for: for one record a folder of thousands is not listed.

    Parameters
    ----------
    listing : Listing
        Where the folder is, and where problems are noted.
    folder : str
        A relative path.

    Notes
    -----
    One `os.stat` a name; the answer is kept, so that whoever asks twice hears the same.

    Examples
    --------
    >>> "REC-1.csv" in Lookups(Listing("example/nowhere"), "raw")
    False
    """

    __slots__ = ("_folder", "_known", "_listing")

    def __init__(self, listing: Listing, folder: str) -> None:
        self._listing = listing
        self._folder = folder
        self._known: dict[str, bool] = {}

    def __contains__(self, name: str) -> bool:
        known = self._known.get(name)
        if known is None:
            known = self._known[name] = self._listing.exists(below(self._folder, name))
        return known


def printable(name: str) -> str:
    r"""Show a file name, whatever its bytes are.

    Examples
    --------
    >>> printable("caf\udce9")
    'caf\\xe9'
    """
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def _leads_somewhere(link: os.DirEntry[str]) -> bool:
    try:
        link.stat()
    except OSError:
        return False
    return True


def below(folder: str, name: str) -> str:
    """Join a folder and a name; ``""`` is the root."""
    return f"{folder}/{name}" if folder and folder != "/" else folder + name


def _span(ordered: list[str], head: str) -> tuple[int, int]:
    """Find where the words with this beginning stand in an ordered list (the end is outside)."""
    begin = bisect_left(ordered, head)
    end = bisect_left(ordered, True, begin, key=lambda word: not word.startswith(head))
    return begin, end


class OrderedNames:
    """Names in a folder, to be looked for by halves: half the room of a set, in three times its time.

    Examples
    --------
    >>> "b" in OrderedNames(["c", "a"]), "c" in OrderedNames(["c", "a"])
    (False, True)
    """

    __slots__ = ("_names",)

    def __init__(self, names: Iterable[str]) -> None:
        self._names = sorted(names)

    def __contains__(self, name: str) -> bool:
        place = bisect_left(self._names, name)
        return place < len(self._names) and self._names[place] == name
