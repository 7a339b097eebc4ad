"""What a file system has room for, whether it is shared, and how what was written to it is brought to the disk.

Knows folders and the systems that they lie on; must not know runs or jobs. The engine asks before a run, and syncs in
groups.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterable
from errno import EACCES, EDQUOT, EIO, ENOSPC, EPERM, EROFS
from typing import Any, NamedTuple

__all__ = [
    "Room",
    "await_paths",
    "first_existing",
    "is_shared",
    "latency",
    "room_of",
    "sync_systems",
    "unwritable",
]

#: Seconds that a file on a drive of several machines is waited for.
_LATENCY = 5.0
_LIBRARY: list[Any] = []


class Room(NamedTuple):
    """What is free on a file system, for us; None where it does not say."""

    bytes: int
    files: int | None


def room_of(path: str) -> Room:
    """Say how much may still be written where a path lies, or will lie."""
    found = os.statvfs(first_existing(path))
    # Some systems make their inodes as they are needed, and count none.
    return Room(found.f_bavail * found.f_frsize, found.f_favail if found.f_files else None)


def first_existing(path: str) -> str:
    """Give a path, or the nearest folder above it that is there.

    Examples
    --------
    >>> first_existing("/no/such/folder")
    '/'
    """
    while not os.path.lexists(path):
        above = os.path.dirname(path)
        if above == path:
            return path
        path = above
    return path


def unwritable(folder: str) -> str | None:
    """Try whether a folder, which may have to be made, can be written; leaves nothing behind.

    Returns
    -------
    str or None
        Why not, in the words of the system.
    """
    existing = first_existing(folder)
    if not os.path.isdir(existing):  # something else is in the way: each job that meets it tells so
        return None
    nameless = getattr(os, "O_TMPFILE", None)
    if nameless is not None:
        try:
            # A file without a name is gone with its descriptor, whatever happens to us.
            os.close(os.open(existing, nameless | os.O_WRONLY | os.O_CLOEXEC, 0o600))
            return None
        except OSError as error:
            if error.errno in (EACCES, EROFS, ENOSPC, EDQUOT, EPERM, EIO):
                return error.strerror or str(error)
    if os.access(existing, os.W_OK | os.X_OK):  # a drive that has no such files
        return None
    is_sealed = bool(os.statvfs(existing).f_flag & os.ST_RDONLY)
    return os.strerror(EROFS if is_sealed else EACCES)


def is_shared(path: str) -> bool:
    """Say whether a path lies on a drive that other machines write too."""
    from sinagot.dataset.mounts import list_mounts, mount_of  # only where something is not to be seen

    mount = mount_of(first_existing(path), list_mounts())
    return mount is not None and mount.is_shared


def latency(folder: str, said: float | None) -> float:
    """Say for how many seconds a file that should be below a folder is waited for.

    Parameters
    ----------
    folder : str
        Where it should be.
    said : float or None
        What the user wants; None is what the drive needs.

    Examples
    --------
    >>> latency("anywhere", 2.0)
    2.0
    """
    if said is not None:
        return said
    return _LATENCY if is_shared(folder) else 0.0


def await_paths(paths: Iterable[str], seconds: float) -> None:
    """Wait until files that should be there are seen, or the time is over.

    Parameters
    ----------
    paths : iterable of str
        What another machine may have written just now.
    seconds : float
        How long; the pauses in between double.

    Notes
    -----
    The parent is listed each time: that makes a client of a network drive ask its server.
    """
    left = list(paths)
    end = time.monotonic() + seconds
    pause = 0.02
    while True:
        for path in left:
            with contextlib.suppress(OSError):
                os.listdir(os.path.dirname(path))
        left = [path for path in left if not os.path.exists(path)]
        rest = end - time.monotonic()
        if not left or rest <= 0:
            return
        time.sleep(min(pause, rest))
        pause = min(2 * pause, 1.0)


def sync_systems(folders: Iterable[str]) -> None:
    """Bring to the disk all that was written to the file systems of some folders.

    Parameters
    ----------
    folders : iterable of str
        Those that are not there are passed over.

    Raises
    ------
    OSError
        Something could not be written.

    Notes
    -----
    One ``syncfs`` a file system on Linux; elsewhere ``sync``, which is for all of them.
    """
    systems: dict[int, str] = {}
    for folder in folders:
        try:
            systems.setdefault(os.stat(folder).st_dev, folder)
        except FileNotFoundError:
            continue
    for folder in systems.values():
        descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
        try:
            _syncfs(descriptor)
        finally:
            os.close(descriptor)


def _syncfs(descriptor: int) -> None:
    import ctypes  # 2 ms that a run without work does not pay

    if not _LIBRARY:
        library = ctypes.CDLL(None, use_errno=True)
        _LIBRARY.append(getattr(library, "syncfs", None))
    if _LIBRARY[0] is None:
        os.sync()
    elif _LIBRARY[0](descriptor) != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
