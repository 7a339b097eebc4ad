"""The log handler: whole lines, many writers, rotation that counts what it drops, errors that are told.

Knows `concurrent-log-handler`, whose class it extends and whose import takes longer than a run without work:
only `write` imports this module, when the first line is written. Must not know records or attempts.
"""

from __future__ import annotations

import contextlib
import errno
import io
import json
import logging
import os
import stat
import sys
import threading
import time
import zlib
from collections.abc import Mapping, Sequence
from typing import Any

from concurrent_log_handler import ConcurrentRotatingFileHandler

from sinagot.runlog.formatter import LineFormatter
from sinagot.runlog.parts import LineParser, all_lines, open_part

if sys.platform != "win32":  # pragma: no branch
    import fcntl

__all__ = ["LOCKS", "LOCK_FILES", "LOCK_PATIENCE", "LineHandler", "LockFiles"]

_HAS_FLOCK = sys.platform != "win32"

#: Lock files of one folder. One for each record would leave 100,000 files and cost an inode a record; with
#: 64 of them two busy records rarely meet, and a meeting costs the 20 microseconds that a write holds the
#: lock.
LOCK_FILES = 64
#: Seconds to wait for a lock. A frozen process may hold it for ever; an append without it is still whole
#: (`O_APPEND`).
LOCK_PATIENCE = 10.0

_OPEN_FLAGS = (
    os.O_RDWR
    | os.O_CREAT
    | getattr(os, "O_CLOEXEC", 0)
    | getattr(os, "O_NONBLOCK", 0)  # opening a FIFO must not wait for its other end
    | getattr(os, "O_BINARY", 0)
)

_LOG_FLAGS = _OPEN_FLAGS | os.O_APPEND | getattr(os, "O_NOFOLLOW", 0)

#: Seconds that the next writer waits for a lock that a former one did not get in time.
_patience: dict[str, float] = {}


class LockFiles:
    """The open lock files of this process: one for all handlers which the same file serves.

    The lock of the file holds off other processes, the one beside it the other threads of this one.
    """

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._open: dict[str, tuple[io.FileIO, Any]] = {}

    def get(self, path: str) -> tuple[io.FileIO, Any]:
        """Give the open file and the lock for threads, opening it when needed."""
        with self._guard:
            shared = self._open.get(path)
            if shared is None:
                shared = self._open[path] = (_open_lock(path), threading.RLock())
            return shared

    def reopen(self, path: str) -> io.FileIO:
        """Open a file again whose descriptor a script closed."""
        with self._guard:
            stream, thread_lock = self._open[path]
            with contextlib.suppress(OSError):
                stream.close()
            stream = _open_lock(path)
            self._open[path] = (stream, thread_lock)
            return stream

    def close(self) -> None:
        """Close all; no handler may be in use."""
        with self._guard:
            for stream, _ in self._open.values():
                stream.close()
            self._open.clear()

    def forget(self) -> None:
        """Close in a forked child what it inherited; the parent's hold on its locks stays as it is."""
        self._guard = threading.Lock()
        self.close()


#: Those of this process.
LOCKS = LockFiles()


class LineHandler(ConcurrentRotatingFileHandler):
    """One open log file: a batch of lines is one lock and one write.

    Parameters
    ----------
    path : str
        The log file.
    locks : str
        Folder of the lock files.
    max_bytes : int
        Size beyond which the file is turned; 0: never.
    backups : int
        Old parts to keep.

    Notes
    -----
    What the base class does and this one must not: swallow errors of writing (a full disk loses lines
    without a word), rename through a temporary name (a kill in between hides a part from readers), follow
    links, wait on a FIFO.
    """

    stream: Any  # bytes here, not text
    stream_lock: Any

    def __init__(self, path: str, locks: str, max_bytes: int, backups: int) -> None:
        super().__init__(path, "a", encoding="ascii", lock_file_directory=locks)
        self.setFormatter(_FORMATTER)
        self.point_at(path, locks, max_bytes, backups)

    def point_at(self, path: str, locks: str, max_bytes: int, backups: int) -> None:
        """Serve another file from now on: making a handler costs more than opening a file."""
        self._close()
        self.baseFilename = path
        self.lockFilename = self.getLockFilename(locks)
        self.maxBytes = max_bytes
        self.backupCount = backups
        self.stream_lock = None
        self.users = 0
        self.is_stale = False
        self._lost = 0
        self._has_lock = False
        #: Size after our last piece, which ended with a line: at this size there is nothing to look for.
        self._whole_at = -1

    def write_lines(self, lines: Sequence[Mapping[str, Any] | str]) -> None:
        """Append lines as one piece.

        Raises
        ------
        OSError
            The lines are not on disk; names the file.
        """
        texts = [line if isinstance(line, str) else _FORMATTER.to_json(line) for line in lines]
        texts.append("")
        data = "\n".join(texts).encode("ascii")
        self._do_lock()
        try:
            size = self._ready_stream()
            if self._has_lock and 0 < self.maxBytes < size + len(data) and size:
                self.doRollover()
                size = self._ready_stream()
            if self._lost:
                texts[0] = f'{texts[0][:-1]}, "dropped": {self._lost}}}'
                data = "\n".join(texts).encode("ascii")
            self._append(self.stream.fileno(), size, data)
            self._lost = 0
            if not self._actual_keep_log_stream_open:  # pragma: no cover - Windows cannot rename an open file
                self._close()
        finally:
            self._do_unlock()

    def emit(self, record: logging.LogRecord) -> None:
        """Append the line of one record."""
        self.write_lines([json.loads(self.format(record))])

    def close(self) -> None:
        """Close the log file; the lock file is shared with other handlers and stays."""
        self.stream_lock = None
        super().close()

    def forget(self) -> None:
        """Close what a forked child inherited, without giving up the lock that its parent may hold."""
        self._close()
        self.stream_lock = None
        self.is_locked = False

    # -- opening -----------------------------------------------------------------------------------

    def getLockFilename(self, lock_file_directory: str | None) -> str:  # noqa: N802 - of the base class
        """Give one of the `LOCK_FILES` lock files: the one that the file's name leads to."""
        folder, name = os.path.split(self.baseFilename)
        number = zlib.crc32(name.encode("utf-8", "surrogatepass")) % LOCK_FILES
        return f"{lock_file_directory or folder}{os.sep}log-{number:02d}.lock"

    def do_open(self, mode: str | None = None) -> Any:
        """Open the log file for appending, as plain bytes."""
        stream, self._size = _open_regular(self.baseFilename, _LOG_FLAGS)
        return stream

    def _ready_stream(self) -> int:
        """Open the log file where that is needed, which another process may have turned meanwhile; gives its size."""
        if self.stream is not None and not self.stream.closed:
            try:
                there, ours = os.stat(self.baseFilename), os.fstat(self.stream.fileno())
                if there.st_ino == ours.st_ino and there.st_dev == ours.st_dev:
                    return ours.st_size
            except OSError:  # it is gone, or the script closed all descriptors that it did not know
                pass
            self._close()
        self.stream = self.do_open()
        self._whole_at = -1
        return self._size

    def _do_lock(self) -> None:
        if self.stream_lock is None or self.stream_lock.closed:
            self.stream_lock, self._thread_lock = LOCKS.get(self.lockFilename)
        # Not as the base class does it, which swallows what goes wrong; `forget` sees to forks.
        self._thread_lock.acquire()
        try:
            self._lock_stream_lock(self.stream_lock)
        except BaseException as error:
            self._thread_lock.release()
            if isinstance(error, Exception) and not isinstance(error, OSError):
                raise OSError(errno.ENOLCK, str(error), self.lockFilename) from error
            raise
        self.is_locked = True

    def _do_unlock(self) -> None:
        if not _HAS_FLOCK:  # pragma: no cover - Windows
            super()._do_unlock()
        else:
            try:
                if self._has_lock:
                    fcntl.flock(self.stream_lock.fileno(), fcntl.LOCK_UN)
            finally:
                self.is_locked = False
                self._thread_lock.release()

    def _lock_stream_lock(self, stream_lock: Any) -> None:
        """Take the lock, but wait for no holder for ever; see `LOCK_PATIENCE`."""
        if not _HAS_FLOCK:  # pragma: no cover - Windows
            super()._lock_stream_lock(stream_lock)
            self._has_lock = True
            return
        handle, pause, end = stream_lock.fileno(), 0.00005, 0.0
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                if error.errno == errno.EBADF:  # the script closed all descriptors that it did not know
                    self.stream_lock = LOCKS.reopen(self.lockFilename)
                    handle = self.stream_lock.fileno()
                    continue
                if error.errno not in (errno.EWOULDBLOCK, errno.EACCES):  # a file system without locks
                    self._has_lock = False
                    return
            else:
                if os.fstat(handle).st_nlink == 0:  # removed with the state folder: others lock a new one
                    self.stream_lock = LOCKS.reopen(self.lockFilename)
                    handle = self.stream_lock.fileno()
                    continue
                if _patience:
                    _patience.pop(self.lockFilename, None)
                self._has_lock = True
                return
            end = end or time.monotonic() + _patience.get(self.lockFilename, LOCK_PATIENCE)
            if time.monotonic() > end:
                _patience[self.lockFilename] = 0.02  # nobody needs to wait as long for the same holder
                self._has_lock = False
                return
            time.sleep(pause)
            pause = min(2 * pause, 0.005)

    # -- writing -----------------------------------------------------------------------------------

    def _append(self, handle: int, size: int, data: bytes) -> None:
        """Write all or nothing: where the disk is full half-way, what was written of the piece is taken back."""
        written = 0
        try:
            if size and size != self._whole_at and _last_byte(handle, size) != b"\n":
                data = b"\n" + data  # newline first: a line that was cut costs only itself
            while written < len(data):
                written += os.write(handle, data[written:] if written else data)
        except OSError as error:
            with contextlib.suppress(OSError):
                if self._has_lock and written and os.fstat(handle).st_size == size + written:
                    os.ftruncate(handle, size)
            raise OSError(error.errno, error.strerror, self.baseFilename) from error
        self._whole_at = size + len(data)

    def doRollover(self) -> None:  # noqa: N802 - of the base class
        """Turn the file: each part takes the next free number, and what falls off the end is counted.

        Between any two renames every part stands under a name that readers look at. Where a part cannot be
        renamed the file grows on: a log that is too large is better than none.
        """
        self._close()
        base = self.baseFilename
        parts = [f"{base}.{number}" for number in range(1, self.backupCount + 1)]
        free = next((i for i, part in enumerate(parts) if not os.path.lexists(part)), len(parts))
        try:
            lost = 0
            if free == len(parts):
                oldest = parts[-1] if parts else base
                lost = _count_lines(oldest) + next((n for n in map(_dropped_before, [base, *parts]) if n), 0)
            if not parts:
                os.truncate(base, 0)
            chain = [base, *parts[: free + 1]]
            for older, newer in reversed(list(zip(chain[1:], chain, strict=False))):
                os.replace(newer, older)
            self.num_rollovers += 1
            self._lost = max(lost, self._lost)
        except OSError:
            pass


def _open_lock(path: str) -> io.FileIO:
    """Open a lock file; one that a colleague made may be readable only, which is enough to lock it."""
    try:
        return _open_regular(path, _OPEN_FLAGS)[0]
    except PermissionError:
        return _open_regular(path, _OPEN_FLAGS & ~(os.O_RDWR | os.O_CREAT) | os.O_RDONLY)[0]


def _open_regular(path: str, flags: int) -> tuple[io.FileIO, int]:
    """Open a file that is a plain file, making its folder when that is missing; gives its size too."""
    try:
        handle = os.open(path, flags, 0o666)
    except FileNotFoundError:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        handle = os.open(path, flags, 0o666)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise OSError(error.errno, "is a symbolic link; a log must be a plain file", path) from error
        raise
    state = os.fstat(handle)
    if not stat.S_ISREG(state.st_mode):
        os.close(handle)
        raise OSError(errno.EINVAL, "is no plain file", path)
    stream = io.FileIO(handle, "r" if flags & (os.O_RDWR | os.O_WRONLY) == os.O_RDONLY else "r+")
    return stream, state.st_size


def _last_byte(handle: int, size: int) -> bytes:
    if hasattr(os, "pread"):
        return os.pread(handle, 1, size - 1)
    os.lseek(handle, size - 1, os.SEEK_SET)  # pragma: no cover - Windows
    return os.read(handle, 1)  # pragma: no cover - Windows


def _count_lines(path: str) -> int:
    """Count lines, a last one without end among them, in pieces."""
    lines, last = 0, b"\n"
    with open(path, "rb", buffering=0) as stream:
        while piece := stream.read(1 << 20):
            lines += piece.count(b"\n")
            last = piece[-1:]
    return lines + (last != b"\n")


def _dropped_before(path: str) -> int:
    """Give the largest count that a part tells of what had fallen off the end before it."""
    parser, most = LineParser(), 0
    try:
        stream = open_part(path)
    except OSError:
        return 0
    for lines in all_lines([stream] if stream is not None else [], parser):
        for line in lines:
            count = (parser.parse_one(line) or {}).get("dropped") if b'"dropped"' in line else None
            if type(count) is int and count > most:
                most = count
    return most


_FORMATTER = LineFormatter()
