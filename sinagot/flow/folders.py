"""Private folders of runs: each belongs to a process that lives, or is deleted by the next one.

Knows folders, locks and this host; must not know streams. A run that ends deletes its folder itself; `left_in` finds
those of processes that were killed, `sweep` deletes them.
"""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterable
from time import monotonic, sleep

from sinagot.errors import StorageError

__all__ = ["Hold", "check_private", "delete", "left_in", "make_folder", "sweep"]

#: Seconds after which a process looks again for what others left.
_AGAIN = 600.0
_LOOKED: dict[str, float] = {}
#: Folders that stay when their run is over; nobody sweeps them.
_KEPT = "flow-"
#: How often it is tried to delete a folder into which somebody still writes, and seconds in between.
_TRIES, _PAUSE = 100, 0.05


def _prefix() -> str:
    """Begin the names of folders that are swept: of this host only, for locks of others may not be seen here."""
    return f"sinagot-flow-{hashlib.sha256(os.uname().nodename.encode()).hexdigest()[:8]}-"


class Hold:
    """The lock on a folder: it ends with the process, however that ends.

    Parameters
    ----------
    path : str
        The folder.

    Raises
    ------
    BlockingIOError
        When a process that lives has it.
    OSError
        When there is no such folder, or it can't be locked.
    """

    __slots__ = ("_descriptor",)

    def __init__(self, path: str) -> None:
        import fcntl

        self._descriptor: int | None = os.open(
            path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
        )
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if not os.path.samestat(os.fstat(self._descriptor), os.stat(path, follow_symlinks=False)):
                raise FileNotFoundError(path)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Let go of it; a second call does nothing."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)


def make_folder(parent: str, keep: bool) -> tuple[str, Hold | None]:
    """Make a folder that only this user can use.

    Parameters
    ----------
    parent : str
        Where.
    keep : bool
        It stays when this process has ended.

    Returns
    -------
    tuple
        Its path, and the lock that says that this process lives; None where there are no locks.

    Raises
    ------
    OSError
        When it can't be made.
    """
    while True:
        path = tempfile.mkdtemp(prefix=_KEPT if keep else _prefix(), dir=parent)  # with the mode 0700
        if keep:
            return path, None
        try:
            return path, Hold(path)
        except (BlockingIOError, FileNotFoundError):
            continue  # somebody swept it in the moment before it was locked
        except OSError:
            return path, None


def left_in(parent: str) -> list[str]:
    """Name the folders below one that may be of processes that were killed; the same place is not looked at too often.

    Parameters
    ----------
    parent : str
        Where folders are made.
    """
    now = monotonic()
    if now < _LOOKED.get(parent, 0.0):
        return []
    _LOOKED[parent] = now + _AGAIN
    prefix, user = _prefix(), os.geteuid()
    try:
        with os.scandir(parent) as entries:
            return [
                one.path
                for one in entries
                if one.name.startswith(prefix)
                and one.is_dir(follow_symlinks=False)
                and one.stat(follow_symlinks=False).st_uid == user
            ]
    except OSError:
        return []


def sweep(folders: Iterable[str]) -> None:
    """Delete those folders that no living process holds.

    Parameters
    ----------
    folders : iterable of str
        As `left_in` names them.
    """
    for path in folders:
        try:
            hold = Hold(path)
        except OSError:
            continue
        shutil.rmtree(path, ignore_errors=True)
        hold.close()


def check_private(folder: str) -> None:
    """Refuse a folder into which somebody else could put a pickle.

    Parameters
    ----------
    folder : str
        Where streams are to be kept.

    Raises
    ------
    StorageError
        When others than this user can write there, or it is not there.
    """
    try:
        facts = os.stat(folder)
    except OSError as error:
        raise StorageError(f"streams can't be kept in {folder}: {error.strerror}", path=folder) from error
    if facts.st_uid != os.geteuid() or facts.st_mode & 0o022:
        raise StorageError(
            f"streams can't be kept in {folder}: others can write it; make it private (chmod go-w)",
            path=folder,
            errno=errno.EPERM,
        )


def delete(folder: str) -> None:
    """Delete a folder; a worker that has not yet heard of the end may still make a file there.

    Parameters
    ----------
    folder : str
        What is deleted.

    Raises
    ------
    OSError
        When it can't be deleted.
    """
    for _ in range(_TRIES):
        try:
            return shutil.rmtree(folder)
        except OSError as error:
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                raise
            sleep(_PAUSE)
    return shutil.rmtree(folder)
