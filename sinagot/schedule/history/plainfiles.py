"""Small JSON files below one folder: made whole and once, read with patience, counted where they are torn.

Knows files; must not know what is in them. Several hosts may use the folder at the same time: whatever two of them want
to make, one makes, by a hard link, which network drives keep exclusive too.
"""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from sinagot.dataset.moves import patiently, remove, sync
from sinagot.engine.state.claims import NO_LINKS
from sinagot.errors import HistoryUnavailableError

__all__ = ["PlainFiles"]

#: Folders of what is being made, and of what is being removed.
_NEW, _OLD = "new", "old"
#: Seconds after which what is in them is a dead process's.
_LONG_AGO = 3600.0
_TRIES = 4
#: What a file says that is torn, or that others may not read: no error of the drive.
_UNREADABLE = (errno.EACCES, errno.EPERM, errno.EISDIR, errno.ENOTDIR, errno.ELOOP, errno.ENXIO)


class PlainFiles:
    """The files below a folder.

    Parameters
    ----------
    root : str
        The folder; made when the first file is.
    """

    def __init__(self, root: str) -> None:
        self.root = root
        #: Files that were passed over because they could not be understood.
        self.skipped: set[str] = set()

    # -- reading: makes nothing

    def names(self, folder: str) -> list[str]:
        """List a folder, sorted; what is not there is empty."""
        with self._told("list", folder):
            try:
                return sorted(patiently(os.listdir, folder))
            except (FileNotFoundError, NotADirectoryError):
                return []

    def read(self, path: str) -> dict[str, Any] | None:
        """Read a file; None when it is absent, and when it is torn or something else, which is counted."""
        with self._told("read", path):
            try:
                with patiently(open, path, "rb") as file:
                    data = file.read()
            except FileNotFoundError:
                return None
            except OSError as error:
                if error.errno not in _UNREADABLE:
                    raise
                data = b""
        try:
            found = json.loads(data)
        except (ValueError, RecursionError):
            found = None
        if not isinstance(found, dict):
            self.skipped.add(path)
            return None
        return found

    # -- writing: on the disk when it returns

    def create(self, path: str, text: str, *, with_folder: bool = True, is_synced: bool = True) -> bool:
        """Make a file with its content in one step; False when there is one.

        Parameters
        ----------
        path : str
            The file.
        text : str
            Its content.
        with_folder : bool, default True
            Make its folder too; else False without it.
        is_synced : bool, default True
            Bring its content to the disk, not only its name.
        """
        if not with_folder and not os.path.isdir(os.path.dirname(path)):
            return False
        with self._told("make", path), self._draft(text, is_synced=is_synced) as draft:
            for _ in range(_TRIES):
                if with_folder:
                    self._make_folder(os.path.dirname(path))
                try:
                    self._link(draft, path, text)
                except FileExistsError:
                    return _is_same(
                        draft, path
                    )  # of a link that was asked for twice the first answer may be lost
                except (FileNotFoundError, NotADirectoryError):
                    if not with_folder:
                        return False
                    continue  # somebody has cleared away an empty folder
                _sync_folder(os.path.dirname(path))
                return True
            raise FileNotFoundError(errno.ENOENT, "its folder is removed again and again", path)

    def replace(self, path: str, text: str, *, is_synced: bool = True) -> None:
        """Make a file, or another one in its place: readers see one of the two."""
        with self._told("write", path), self._draft(text, is_synced=is_synced) as draft:
            self._make_folder(os.path.dirname(path))
            patiently(os.replace, draft, path)
            if is_synced:
                _sync_folder(os.path.dirname(path))

    def remove(self, path: str, *, is_synced: bool = True) -> bool:
        """Remove a file; False when there is none."""
        with self._told("remove", path):
            try:
                patiently(os.unlink, path)
            except (FileNotFoundError, NotADirectoryError):
                return False
            if is_synced:
                _sync_folder(os.path.dirname(path))
            return True

    # -- clearing away

    def discard(self, path: str) -> bool:
        """Remove a file or folder in one step, as others see it; False when it is not there."""
        aside = f"{self.root}/{_OLD}/{os.urandom(8).hex()}"
        with self._told("remove", path):
            self._make_folder(os.path.dirname(aside))
            try:
                patiently(os.replace, path, aside)
            except (FileNotFoundError, NotADirectoryError):
                return False
        # It goes with the next clearing: on a network drive another host may still see it in its former place, and
        # what it makes there must find that there is one already.
        with suppress(OSError):
            os.utime(aside)
        return True

    def clear(self) -> float:
        """Remove what was put aside long ago, and what dead processes were making; gives the time of the drive."""
        with self._told("write to", self.root), self._draft("{}") as draft:
            now = os.stat(draft).st_mtime  # clocks of hosts differ
            for folder in (f"{self.root}/{_NEW}", f"{self.root}/{_OLD}"):
                for name in self.names(folder):
                    with suppress(OSError):
                        if now - os.stat(f"{folder}/{name}").st_mtime > _LONG_AGO:
                            remove(f"{folder}/{name}")
            return now

    def age(self, path: str, now: float) -> float:
        """Give the seconds since something was changed; 0 when it is not there."""
        try:
            return now - os.stat(path).st_mtime
        except OSError:
            return 0.0

    # -- inner parts

    def _link(self, draft: str, path: str, text: str) -> None:
        try:
            patiently(os.link, draft, path)
        except OSError as error:
            if isinstance(error, FileExistsError) or error.errno not in NO_LINKS:
                raise
        else:
            return
        # A file system without hard links: exclusive too, but a death or a power cut may leave it torn.
        with open(path, "x", encoding="ascii") as file:
            _write(file, text)

    @contextmanager
    def _draft(self, text: str, *, is_synced: bool = True) -> Iterator[str]:
        """Write a file under a name of its own."""
        draft = f"{self.root}/{_NEW}/{os.uname().nodename}-{os.getpid()}-{os.urandom(6).hex()}"
        try:
            for _ in range(_TRIES):
                self._make_folder(os.path.dirname(draft))
                try:
                    file = open(draft, "x", encoding="ascii")  # noqa: SIM115
                except FileNotFoundError:  # the folder was removed by hand just now
                    continue
                with file:
                    _write(file, text, is_synced=is_synced)
                break
            yield draft
        finally:
            with suppress(OSError):
                os.unlink(draft)

    def _make_folder(self, folder: str) -> None:
        """Make a folder and those above it, and bring their names to the disk."""
        if os.path.isdir(folder):
            return
        parent = os.path.dirname(folder)
        if parent != folder:
            self._make_folder(parent)
        with suppress(FileExistsError):
            os.mkdir(folder)
            _sync_folder(parent)

    @contextmanager
    def _told(self, what: str, path: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            if isinstance(error, HistoryUnavailableError):
                raise
            raise HistoryUnavailableError(
                f"the history of schedules is not available: can't {what} {path}: {error.strerror or error}; "
                "look at the drive, its free space and its permissions",
                address=self.root,
            ) from error


def _write(file: Any, text: str, *, is_synced: bool = True) -> None:
    file.write(text + "\n")
    if is_synced:
        file.flush()
        os.fsync(file.fileno())


def _is_same(draft: str, path: str) -> bool:
    try:
        return os.path.samefile(draft, path)
    except OSError:
        return False


def _sync_folder(folder: str) -> None:
    with suppress(OSError):  # some shares can't sync folders
        sync(folder)
