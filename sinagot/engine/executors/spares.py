"""Fresh children that wait for the next run: started ahead, never used, and let go of when nobody comes for them.

Knows what a child takes over from its parent; must not know jobs. One that has run anything is never kept: a spare is
as good as a child that is started now, but for the time that it takes.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import sys
import threading
import time
from collections.abc import Sequence
from typing import Any, NamedTuple

from sinagot.engine.executors.children import FOR_ALL, ChildProcess
from sinagot.engine.limits import is_child

__all__ = ["SPARES", "Spares"]

#: Seconds that spares wait after the run that they were made ready for.
WAIT = 30.0
#: So many spares wait at most, whatever they are for.
MOST = 16
#: Lines of `/proc/thread-self/status` with what a process takes over from the thread that starts it.
_INHERITED = (
    b"Umask",
    b"Uid",
    b"Gid",
    b"Groups",
    b"SigBlk",
    b"SigIgn",
    b"Cap",
    b"NoNewPrivs",
    b"Seccomp:",
    b"Cpus_allowed:",
    b"Mems_allowed:",
)


class _Spare(NamedTuple):
    child: ChildProcess
    #: What it was born into; it serves only where a new one would be born into the same.
    birth: tuple[Any, ...]
    #: By `time.monotonic`.
    until: float


class Spares:
    """The spares of this process.

    Parameters
    ----------
    seconds : float
        How long they wait.

    Examples
    --------
    >>> spares = Spares()
    >>> spares.keep(1)
    >>> child = (
    ...     spares.take()
    ... )  # the one that waited, where the system lets us see that nothing has changed since
    >>> child.close()
    >>> spares.close()
    """

    def __init__(self, seconds: float = WAIT) -> None:
        self._seconds = seconds
        self._start_anew()
        atexit.register(self.close)
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._forget)

    def _start_anew(self) -> None:
        self._lock = threading.Lock()
        self._spares: list[_Spare] = []
        self._timer: threading.Timer | None = None

    def _forget(self) -> None:
        """Leave the spares to the process that this one was forked from."""
        spares = self._spares
        self._start_anew()
        for spare in spares:
            spare.child.disown()

    def take(
        self, path: Sequence[str] = (), threads: int | None = None, ahead: Sequence[str] = ()
    ) -> ChildProcess:
        """Give a fresh child: one that waited, or a new one.

        Parameters
        ----------
        path : sequence of str, optional
            Folders to search for modules beyond those of this process.
        threads : int, optional
            What its environment tells numeric libraries.
        ahead : sequence of str, optional
            Modules of ours that a new one loads before it is given anything.

        Raises
        ------
        OSError
            No process can be started.
        """
        if self._spares:
            birth = _birth(path, threads)
            while (found := self._find(birth)) is not None:
                if found.process.poll() is None:
                    return found
                found.discard()  # somebody has ended it
        return ChildProcess(path, threads, ahead)

    def _find(self, birth: tuple[Any, ...] | None) -> ChildProcess | None:
        with self._lock:
            for spare in self._spares:
                if spare.birth == birth:
                    self._spares.remove(spare)
                    if not self._spares:
                        self._rest()
                    return spare.child
        return None

    def keep(self, count: int, path: Sequence[str] = (), threads: int | None = None) -> None:
        """Have so many of a kind wait for the next run; returns before they are ready.

        Parameters
        ----------
        count : int
            How many; those that wait already are among them.
        path : sequence of str, optional
            As for `take`.
        threads : int, optional
            As for `take`.
        """
        birth = _birth(path, threads)
        # In a child everything that a job leaves behind is ended, spares too.
        if birth is None or is_child():
            return
        until = time.monotonic() + self._seconds
        with self._lock:
            alike = [spare for spare in self._spares if spare.birth == birth][:count]
            others = [spare for spare in self._spares if spare not in alike]
            alike = [spare._replace(until=until) for spare in alike]
            with contextlib.suppress(OSError):  # who needs one starts it, and learns what is wrong
                while len(alike) < min(count, MOST):
                    alike.append(_Spare(ChildProcess(path, threads, FOR_ALL), birth, until))
            self._spares = [*others, *alike]
            over, self._spares = self._spares[:-MOST], self._spares[-MOST:]
            if self._timer is None and self._spares:
                self._wait(self._seconds)
        for spare in over:
            spare.child.discard()

    def _wait(self, seconds: float) -> None:
        self._timer = threading.Timer(seconds, self._let_go)
        self._timer.name, self._timer.daemon = "sinagot-spares", True
        self._timer.start()

    def _rest(self) -> None:
        timer, self._timer = self._timer, None
        if timer is not None:
            timer.cancel()

    def _let_go(self) -> None:
        """End those for which nobody came."""
        with self._lock:
            now = time.monotonic()
            over = [spare for spare in self._spares if spare.until <= now]
            self._spares = [spare for spare in self._spares if spare.until > now]
            if self._timer is threading.current_thread():
                self._timer = None
                if self._spares:
                    self._wait(max(min(spare.until for spare in self._spares) - now, 0.1))
        for spare in over:
            spare.child.discard()

    def close(self) -> None:
        """End all that wait."""
        with self._lock:
            spares, self._spares = self._spares, []
            self._rest()
        for spare in spares:
            spare.child.discard()


def _birth(path: Sequence[str], threads: int | None) -> tuple[Any, ...] | None:
    """Give all that a child would take over if it were started now; None where that cannot be seen."""
    try:
        folder = os.stat(".")
        return (
            sys.executable,
            list(sys.path),
            list(path),
            threads,
            dict(os.environ),
            (os.getcwd(), folder.st_dev, folder.st_ino),
            [_file_of(descriptor) for descriptor in (1, 2)],
            [line for line in _read("thread-self/status").splitlines() if line.startswith(_INHERITED)],
            [_read(f"self/{name}") for name in ("limits", "cgroup", "oom_score_adj")],
            os.getpriority(os.PRIO_PROCESS, 0),
            os.sched_getscheduler(0),
        )
    except (OSError, AttributeError):  # not Linux, or the current folder was removed
        return None


def _file_of(descriptor: int) -> tuple[int, int] | None:
    try:
        found = os.fstat(descriptor)
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _read(name: str) -> bytes:
    with open(f"/proc/{name}", "rb") as file:
        return file.read()


#: Those of this process.
SPARES = Spares()
