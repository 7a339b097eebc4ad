"""Writing log lines: one open handler per record, few of them, each batch of lines in one piece.

Knows the log folder of a workspace and its limits; must not know attempts, statuses or what the lines say.
`capture` writes through it; logging and the two libraries behind it are imported with the first line, not
before.
"""

from __future__ import annotations

import os
from _thread import allocate_lock, get_ident
from collections import OrderedDict
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from sinagot.runlog.lines import log_file_name

if TYPE_CHECKING:
    from sinagot.runlog.handler import LineHandler

__all__ = ["MOST_OPEN", "LogTarget", "NoLog", "RecordLog", "close_all", "log_file_name"]

#: Log files that one process keeps open.
MOST_OPEN = 64


class LogTarget(NamedTuple):
    """Where the logs of a workspace stand.

    Attributes
    ----------
    folder : str
        The log folder, absolute; made by the first line.
    locks : str
        Folder of the lock files, shared by all who write there.
    max_bytes : int, bytes
        A file is turned before it grows beyond this; 0: never.
    backups : int
        Old parts to keep beside the newest one.
    """

    folder: str
    locks: str
    max_bytes: int = 4 * 1024 * 1024
    backups: int = 5


class RecordLog:
    """The log of one record.

    Parameters
    ----------
    target : LogTarget
        Where the logs stand.
    record_id : str
        Id of the record.

    Examples
    --------
    >>> import tempfile
    >>> from sinagot.runlog.lines import make_line
    >>> from sinagot.runlog.read import read_lines
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     log = RecordLog(LogTarget(folder + "/LOG", folder + "/locks"), "REC-1")
    ...     log.write(make_line({"record_id": "REC-1"}, 0, "Init run"))
    ...     close_all()
    ...     read_lines(folder + "/LOG", "REC-1")[0][0]["message"]
    'Init run'
    """

    __slots__ = ("_key", "path", "record_id", "target")

    def __init__(self, target: LogTarget, record_id: str) -> None:
        self.target = target
        self.record_id = record_id
        self.path = os.path.join(target.folder, log_file_name(record_id))
        self._key = (self.path, target.locks, target.max_bytes, target.backups)

    def write(self, *lines: Mapping[str, Any] | str) -> None:
        """Append lines as one piece: all in order, none of others between them.

        Parameters
        ----------
        *lines : mapping or str
            Lines as `make_line` gives them; any value is taken (NaN becomes null, unknown objects text). Or their
            texts, as `line_text` gives them.

        Raises
        ------
        OSError
            The lines are not on disk: no space, no permission, no plain file; its ``filename`` is the log
            or lock file.

        Notes
        -----
        One lock, two stats, one write: about 30 microseconds when the file is open. Not synced.
        """
        thread = get_ident()
        later = _logs.busy.get(thread)
        if later is not None:
            # Python ran a finaliser or a signal handler of somebody in the midst of our write, and it logs:
            # after us.
            later.append((self, lines))
            return
        if not lines:
            return
        _logs.busy[thread] = later = []
        try:
            handler = _logs.take(self._key)
            try:
                handler.write_lines(lines)
            finally:
                _logs.give_back(handler)
        finally:
            del _logs.busy[thread]
            for log, more in later:
                log.write(*more)

    def close(self) -> None:
        """Close the file; the next line opens it again."""
        if get_ident() not in _logs.busy:
            _logs.close_one(self._key)


class NoLog(RecordLog):
    """A log that is nowhere: what is written to it is shown at most.

    Examples
    --------
    >>> NoLog().write({"message": "hello"})
    """

    __slots__ = ()

    def __init__(self) -> None:
        super().__init__(LogTarget("", ""), "")

    def write(self, *lines: Mapping[str, Any] | str) -> None:
        """Write nothing."""


def close_all() -> None:
    """Close every open log and lock file of this process; the next line opens its file again."""
    thread = get_ident()
    if thread in _logs.busy:
        return  # Python ran the finaliser of a workspace in the midst of our own work, which holds the lock
    later: _Later = []
    _logs.busy[thread] = later
    try:
        _logs.close()
    finally:
        del _logs.busy[thread]
        for log, more in later:
            log.write(*more)


_Key = tuple[str, str, int, int]
_Later = list[tuple[RecordLog, tuple[Mapping[str, Any] | str, ...]]]


class _OpenLogs:
    """The log files that this process keeps open, the one used last at the end."""

    def __init__(self) -> None:
        self._guard = allocate_lock()
        self._handlers: OrderedDict[_Key, LineHandler] = OrderedDict()
        #: How many threads have a handler now, which may be one that was replaced meanwhile.
        self._writers = 0
        #: Threads that are writing, each with what it was asked to write meanwhile.
        self.busy: dict[int, _Later] = {}

    def take(self, key: _Key) -> LineHandler:
        """Give the handler of a file, for use until `give_back`."""
        with self._guard:
            handler = self._handlers.get(key)
            if handler is not None:
                self._handlers.move_to_end(key)
                handler.users += 1
                self._writers += 1
                return handler
        from sinagot.runlog.handler import LineHandler  # outside the lock: the first time it takes a while

        with self._guard:
            handler = self._handlers.get(key)
            if handler is None:  # else another thread was quicker
                handler = self._handlers[key] = self._to_reuse(key) or LineHandler(*key)
            handler.users += 1
            self._writers += 1
        return handler

    def _to_reuse(self, key: _Key) -> LineHandler | None:
        """Turn the handler that was idle for longest to another file, when there are as many as may be."""
        if len(self._handlers) < MOST_OPEN:
            return None
        _, oldest = self._handlers.popitem(last=False)
        if oldest.users:  # a slow writer has it still; it is closed when that is done
            oldest.is_stale = True
            return None
        oldest.point_at(*key)
        return oldest

    def give_back(self, handler: LineHandler) -> None:
        """End the use of a handler."""
        with self._guard:
            handler.users -= 1
            self._writers -= 1
            is_done = handler.is_stale and not handler.users
        if is_done:
            handler.close()

    def close_one(self, key: _Key) -> None:
        """Close one file; when it is in use, its writer does when it is done."""
        with self._guard:
            handler = self._handlers.pop(key, None)
            if handler is None:
                return
            handler.is_stale = True
            if not handler.users:
                handler.close()
            if not self._handlers and not self._writers:
                from sinagot.runlog.handler import LOCKS

                LOCKS.close()

    def close(self) -> None:
        """Close all files; one that is in use is closed when its writer is done."""
        with self._guard:
            handlers = list(self._handlers.values())
            self._handlers.clear()
            for handler in handlers:
                handler.is_stale = True
                if not handler.users:
                    handler.close()
            if handlers and not self._writers:
                from sinagot.runlog.handler import LOCKS

                LOCKS.close()

    def forget(self) -> None:
        """Let a forked child begin anew: its parent's files and locks are the parent's."""
        self._guard = allocate_lock()
        self._writers = 0
        self.busy.clear()
        inherited = list(self._handlers.values())
        self._handlers.clear()
        for handler in inherited:
            handler.forget()
        if inherited:
            from sinagot.runlog.handler import LOCKS

            LOCKS.forget()


_logs = _OpenLogs()
if hasattr(os, "register_at_fork"):  # pragma: no branch - absent on Windows
    os.register_at_fork(after_in_child=_logs.forget)
