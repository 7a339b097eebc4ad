"""Whether a file or folder is still being written: what is the same at two looks, some time apart, is at rest.

Knows files and folders; must not know records, nor how long is long enough.
"""

from __future__ import annotations

import os
from stat import S_ISDIR

__all__ = ["MOST_ENTRIES", "Still", "is_empty", "still_of"]

#: Entries of a folder that are looked at; of a larger one no more than that is known.
MOST_ENTRIES = 100_000
_ASK = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0)

#: Number of entries, bytes, sum of the times of content, newest time of any change, inode.
Still = tuple[int, int, int, int, int]


def still_of(path: str, *, is_shared: bool = False) -> Still | str:
    """Give what is the same at two looks when nobody writes meanwhile.

    Parameters
    ----------
    path : str
        A file or folder; links are followed.
    is_shared : bool
        On a drive of several machines: the file is opened, so that the drive asks its server for what is true now.

    Returns
    -------
    tuple of int or str
        A text where it can't be looked at.

    Notes
    -----
    The time of change alone tells nothing: copies keep the times of their originals (``cp -p``, ``rsync -t``), and
    clocks of cameras and amplifiers are wrong. Of a folder all entries count, down to `MOST_ENTRIES`.

    Examples
    --------
    >>> still_of("example/harbor/workspace.toml") == still_of("example/harbor/workspace.toml", is_shared=True)
    True
    >>> still_of("no such file")
    'No such file or directory'
    """
    try:
        found = _fresh(path) if is_shared else os.stat(path)
        if not S_ISDIR(found.st_mode):
            return 1, found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino
        return _of_folder(path, found, is_shared=is_shared)
    except OSError as error:
        return error.strerror or str(error)


def is_empty(state: object) -> bool:
    """Say whether something has no bytes yet, or could not be looked at: many programs write into it later.

    Parameters
    ----------
    state : object
        What `still_of` gave.

    Examples
    --------
    >>> is_empty(still_of("no such file")), is_empty(still_of("example/harbor/workspace.toml"))
    (True, False)
    """
    return not (isinstance(state, tuple) and state[1])


def _fresh(path: str) -> os.stat_result:
    opened = os.open(path, _ASK)
    try:
        return os.fstat(opened)
    finally:
        os.close(opened)


def _of_folder(folder: str, top: os.stat_result, *, is_shared: bool) -> Still:
    count, size, times, changed = 0, 0, top.st_mtime_ns, top.st_ctime_ns
    pending = [folder]
    while pending and count < MOST_ENTRIES:
        with os.scandir(pending.pop()) as entries:
            for entry in entries:
                count += 1
                is_folder = entry.is_dir(follow_symlinks=False)
                is_asked = is_shared and entry.is_file(follow_symlinks=False)
                state = _fresh(entry.path) if is_asked else entry.stat(follow_symlinks=False)
                times, changed = times + state.st_mtime_ns, max(changed, state.st_ctime_ns)
                if is_folder:
                    pending.append(entry.path)
                else:
                    size += state.st_size
                if count >= MOST_ENTRIES:
                    break
    return count, size, times, changed, top.st_ino
