"""What tells one version of an input or output from another: size and time of change, and the content by choice.

Knows files and folders; must not know steps. Attempts note these texts, plans compare them.
"""

from __future__ import annotations

import os
from array import array
from collections.abc import Sequence
from contextlib import suppress
from errno import ELOOP, EMLINK, ENOENT, ENOTDIR
from hashlib import sha256
from stat import S_ISDIR
from typing import NamedTuple

__all__ = [
    "ABSENT",
    "States",
    "content_digest",
    "digest_within",
    "print_of",
    "same_version",
    "state_of",
    "states_in",
]

_PIECE = 1 << 20
_SMALL = 1 << 16
_FEW = 4  # files for which opening their folder does not pay
_READING = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)


def state_of(path: str) -> os.stat_result | None:
    """Ask for the facts of a file or folder; links are followed.

    Returns
    -------
    os.stat_result or None
        None when nothing is there (as behind a dangling link).

    Raises
    ------
    OSError
        It is there and cannot be looked at.

    Examples
    --------
    >>> state_of("no such file") is None
    True
    """
    try:
        return os.stat(path)
    except OSError as error:
        if error.errno in (ENOENT, ENOTDIR, ELOOP):
            return None
        raise


def print_of(path: str, *, content: bool = False) -> str | None:
    """Give the text that tells this version of a file or folder.

    Parameters
    ----------
    path : str
        A file or folder; links are followed.
    content : bool, default False
        Read it, and add the digest of the content.

    Returns
    -------
    str or None
        ``"<size> <mtime_ns>"``, with the digest behind when asked for; None when nothing is there. Of a folder: bytes
        of all files in it and the newest time of change, so that an edit deep inside counts.

    Raises
    ------
    OSError
        It is there and cannot be looked at.

    Examples
    --------
    >>> print_of("no such file") is None
    True
    """
    found = state_of(path)
    if found is None:
        return None
    if S_ISDIR(found.st_mode):
        size, newest = _of_folder(path, found.st_mtime_ns)
    else:
        size, newest = found.st_size, found.st_mtime_ns
    return f"{size} {newest} {content_digest(path)}" if content else f"{size} {newest}"


class States(NamedTuple):
    """Sizes and times of change of some files, place by place; `ABSENT` where nothing is there."""

    #: In bytes.
    sizes: array[int]
    #: In nanoseconds since 1970.
    times: array[int]

    def text(self, place: int) -> str | None:
        """Give what `print_of` gives for one."""
        return None if self.sizes[place] == ABSENT else f"{self.sizes[place]} {self.times[place]}"

    def known_times(self) -> list[int | None]:
        """Give the times, None where nothing is there."""
        return [None if size == ABSENT else time for size, time in zip(self.sizes, self.times, strict=True)]

    def texts(self) -> list[str | None]:
        """Give what `print_of` gives for each."""
        return [
            None if size == ABSENT else f"{size} {time}"
            for size, time in zip(self.sizes, self.times, strict=True)
        ]


#: Size of what is not there.
ABSENT = -1


def states_in(folder: str, names: Sequence[str]) -> States:
    """Look at many files of one folder; each as `print_of` looks at it.

    Parameters
    ----------
    folder : str
        Where they are.
    names : sequence of str
        Their names in it, or relative paths.

    Raises
    ------
    OSError
        One is there and cannot be looked at.

    Notes
    -----
    The folder is opened once: looking at a file by its name alone costs two thirds of what a long path does.

    Examples
    --------
    >>> states_in("no such folder", ["a", "b"]).texts()
    [None, None]
    """
    opened = -1
    if len(names) > _FEW and os.stat in os.supports_dir_fd:
        with suppress(OSError):  # then each path says what is wrong with it
            opened = os.open(folder, os.O_RDONLY | getattr(os, "O_CLOEXEC", 0))
    if opened < 0:
        return _states_of([print_of(os.path.join(folder, name)) for name in names])
    found: list[os.stat_result | None] = []
    stat, note, rest = os.stat, found.append, iter(names)
    try:
        while len(found) < len(names):
            try:
                for name in rest:
                    note(stat(name, dir_fd=opened))
            except OSError:
                note(None)
    finally:
        os.close(opened)
    whole = [state for state in found if state is not None]
    if len(whole) == len(found) and not any(map(S_ISDIR, [state.st_mode for state in whole])):
        return States(
            array("q", [state.st_size for state in whole]), array("q", [state.st_mtime_ns for state in whole])
        )
    return _states_of(
        [
            f"{state.st_size} {state.st_mtime_ns}"
            if state is not None and not S_ISDIR(state.st_mode)
            else print_of(os.path.join(folder, name))
            for name, state in zip(names, found, strict=True)
        ]
    )


def _states_of(texts: Sequence[str | None]) -> States:
    pairs = [(text or f"{ABSENT} 0").split(" ") for text in texts]
    return States(array("q", [int(size) for size, _ in pairs]), array("q", [int(time) for _, time in pairs]))


def _of_folder(folder: str, newest: int) -> tuple[int, int]:
    size = 0
    pending = [folder]
    while pending:
        with os.scandir(pending.pop()) as entries:
            for entry in entries:
                state = entry.stat(follow_symlinks=False)
                newest = max(newest, state.st_mtime_ns)
                if entry.is_dir(follow_symlinks=False):
                    pending.append(entry.path)
                else:
                    size += state.st_size
    return size, newest


def holds_file(folder: str) -> bool:
    """Say whether anything but folders lies below a folder.

    Parameters
    ----------
    folder : str
        A folder; of anything else, and where nothing is, the answer is no.

    Examples
    --------
    >>> holds_file("no such folder")
    False
    """
    try:
        with os.scandir(folder) as entries:
            return any(not entry.is_dir(follow_symlinks=False) or holds_file(entry.path) for entry in entries)
    except (FileNotFoundError, NotADirectoryError):
        return False


def content_digest(path: str) -> str:
    """Give the digest of a file, or of all files of a folder with their names: SHA-256, hexadecimal.

    Examples
    --------
    >>> import os
    >>> content_digest(os.devnull)[:8]
    'e3b0c442'
    """
    if not os.path.isdir(path):
        return _file_digest(path)
    digest = sha256()
    for folder, folders, names in os.walk(path):
        folders.sort()
        for name in sorted(names):
            file = os.path.join(folder, name)
            relative = os.path.relpath(file, path)
            digest.update(f"{_file_digest(file)} ".encode() + os.fsencode(relative) + b"\n")
    return digest.hexdigest()


def digest_within(path: str, most: int | None) -> str | None:
    """Give the digest of a file or folder, unless it has more bytes than somebody wants to read.

    Parameters
    ----------
    path : str
        A file or folder; a link has no content of its own, and no digest.
    most : int or None
        Bytes; None is no limit.

    Returns
    -------
    str or None
        As `content_digest` gives it.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.NamedTemporaryFile() as file:
    ...     file.write(b"abc") and file.flush()
    ...     digest_within(file.name, 2), digest_within(file.name, 3) == content_digest(file.name)
    (None, True)
    """
    try:
        descriptor = os.open(path, _READING)
    except OSError as error:
        if error.errno in (ELOOP, EMLINK):
            return None
        raise
    try:
        piece = os.read(descriptor, _SMALL)
        if len(piece) < _SMALL:
            return sha256(piece).hexdigest() if most is None or len(piece) <= most else None
    except IsADirectoryError:
        pass
    finally:
        os.close(descriptor)
    if most is not None and int((print_of(path) or "0").partition(" ")[0]) > most:
        return None
    return content_digest(path)


def _file_digest(path: str) -> str:
    digest = sha256()
    with open(path, "rb", buffering=0) as stream:
        while piece := stream.read(_PIECE):
            digest.update(piece)
    return digest.hexdigest()


def same_version(one: str | None, two: str | None) -> bool:
    """Say whether two texts of `print_of` tell the same version: by content where both know it, else by size and time.

    Examples
    --------
    >>> same_version("3 17 abc", "3 99 abc"), same_version("3 17", "3 17 abc"), same_version("3 17", "3 18")
    (True, True, False)
    """
    if one == two:
        return True
    if one is None or two is None:
        return False
    mine, other = one.split(" "), two.split(" ")
    if len(mine) == len(other) == 3:
        return mine[2] == other[2]
    return mine[:2] == other[:2]
