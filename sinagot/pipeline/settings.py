"""Where the lines of a pipeline go: `LoggerSettings`, frozen, checked when made, opened when a run begins.

Knows the log file, its lock files and the console; must not know stages. The pipeline opens it once a run and makes the
voices of its stages of what it gets.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sinagot.errors import ConfigurationError, StorageError
from sinagot.pipeline.console import Console
from sinagot.runlog.capture import AttemptLog
from sinagot.runlog.lines import LEVELS, log_file_name
from sinagot.runlog.write import LogTarget, NoLog, RecordLog

__all__ = ["LoggerSettings", "lock_folder"]


@dataclass(frozen=True)
class LoggerSettings:
    """How a pipeline logs.

    Attributes
    ----------
    name : str
        Name of the log; the file is ``<name>.log``, its signs made safe for a file name.
    stream : bool
        Show lines on standard output.
    log_dir : str or Path, optional
        Folder of the log file, made by the first line; ``~`` is the home folder. Without it there is no file.
    file : bool
        Write the file.
    level : int or str
        What stages say below it is left out.
    max_bytes : int, bytes
        The file is turned before it grows beyond this; 0: never.
    backups : int
        Old parts to keep beside the newest one.

    Raises
    ------
    ConfigurationError
        A value cannot be used; the message says which, and what is allowed.

    Examples
    --------
    >>> LoggerSettings("ok enough", log_dir="/data/logs").path
    PosixPath('/data/logs/ok enough.log')
    >>> LoggerSettings("quiet", stream=False).path is None
    True
    """

    name: str
    stream: bool = True
    log_dir: str | Path | None = None
    file: bool = True
    level: int | str = "INFO"
    max_bytes: int = 4 * 1024 * 1024
    backups: int = 5

    def __post_init__(self) -> None:
        name: Any = self.name
        if not isinstance(name, str) or not name.strip():
            raise _wrong("name", self.name, "a text that is not empty")
        for key in ("stream", "file"):
            if not isinstance(getattr(self, key), bool):
                raise _wrong(key, getattr(self, key), "true or false")
        for key in ("max_bytes", "backups"):
            value = getattr(self, key)
            if isinstance(value, bool) or not isinstance(value, int) or value < 0:
                raise _wrong(key, value, "a whole number, 0 or more")
        _check_level(self.level)
        object.__setattr__(self, "log_dir", _folder(self.log_dir))

    @property
    def path(self) -> Path | None:
        """The log file; None when nothing is written."""
        if self.log_dir is None or not self.file:
            return None
        return Path(self.log_dir) / log_file_name(self.name)

    def log(self) -> RecordLog:
        """Give the log that lines are written to; one that writes nowhere where there is no file.

        Raises
        ------
        StorageError
            The private folder for lock files cannot be made, or belongs to somebody else.
        """
        if self.path is None:
            return NoLog()
        folder = str(self.log_dir)
        return RecordLog(LogTarget(folder, lock_folder(folder), self.max_bytes, self.backups), self.name)

    def printer(self) -> Console | None:
        """Give what shows lines on standard output; None when nothing is shown."""
        return Console(self.level) if self.stream else None

    def open(self, context: Mapping[str, Any], /, **fields: Any) -> AttemptLog:
        """Give the log of one run of the pipeline; its stages speak by voices of it, `AttemptLog.within`.

        Parameters
        ----------
        context : mapping
            What stands on every line: ``run_id``, ``attempt``, ``workspace_version``; ``record_id`` may be absent.
        **fields
            ``pipeline``, and what else stands on every line.

        Returns
        -------
        AttemptLog
            Nothing is written before its first line.

        Raises
        ------
        StorageError
            As `log`.
        """
        return AttemptLog(self.log(), context, self.level, self.printer(), fields)


def lock_folder(folder: str) -> str:
    """Give the folder of the lock files of a log folder, making it: private to the user, and not in the log folder.

    Parameters
    ----------
    folder : str
        The log folder; two ways to write it lead to one folder of locks.

    Raises
    ------
    StorageError
        It cannot be made, or what stands in its place belongs to somebody else.
    """
    import hashlib
    import tempfile

    digest = hashlib.sha256(os.fsencode(os.path.realpath(folder))).hexdigest()[:24]
    user = (
        os.getuid() if hasattr(os, "getuid") else "user"
    )  # elsewhere the temporary folder is the user's own
    base = "the folder for temporary files"
    try:
        base = os.path.join(tempfile.gettempdir(), f"sinagot-{user}")
        _make_private(base)
        path = os.path.join(base, digest)
        _make_private(path)
    except OSError as error:
        if isinstance(error, StorageError):
            raise
        text = f"{base}: lock files of the log cannot be kept here ({error.strerror or error}); set TMPDIR"
        raise StorageError(f"{text} to a folder that you can write to", path=base) from error
    return path


def _make_private(path: str) -> None:
    try:
        os.mkdir(path, 0o700)
    except FileExistsError:
        pass
    state = os.lstat(path)
    if not hasattr(os, "getuid"):  # pragma: no cover - Windows
        return
    if not stat.S_ISDIR(state.st_mode) or state.st_uid != os.getuid():
        raise StorageError(
            f"{path}: is no folder of yours, so lock files of the log cannot be kept here; remove it, or set TMPDIR to "
            "a folder that is yours",
            path=path,
        )
    if stat.S_IMODE(state.st_mode) & 0o077:
        os.chmod(path, 0o700)


def _folder(value: Any) -> Path | None:
    if value is None:
        return None
    if not isinstance(value, (str, Path)) or not str(value).strip() or "\0" in str(value):
        raise _wrong("log_dir", value, "a folder, as text or Path")
    folder = os.path.expanduser(value)
    if folder.startswith("~"):
        raise _wrong("log_dir", value, "a folder; there is no such user (a folder of that name is ./~...)")
    return Path(os.path.abspath(folder))


def _check_level(level: Any) -> None:
    is_name = isinstance(level, str) and level.upper() in LEVELS
    if not is_name and (isinstance(level, bool) or not isinstance(level, int)):
        raise _wrong("level", level, "DEBUG, INFO, WARNING, ERROR, CRITICAL or a number")


def _wrong(key: str, found: Any, allowed: str) -> ConfigurationError:
    return ConfigurationError.at(
        f"found {found!r}, allowed is {allowed}", key=f"LoggerSettings.{key}", found=found, allowed=allowed
    )
