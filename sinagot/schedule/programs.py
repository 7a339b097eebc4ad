"""Runs as programs of their own: started, watched, found again and ended; they live on when who started them ends.

Knows command lines and processes; must not know HTTP, schedules or histories. No code of the user runs in the process
that starts them.
"""

from __future__ import annotations

import os
import select
import shlex
import signal
import subprocess
import sys
import tempfile
import threading
import time
import weakref
from collections.abc import Callable, Sequence
from typing import NamedTuple

from sinagot.engine.state.history import read_manifest
from sinagot.engine.state.owners import Owner, is_alive, start_time

__all__ = ["Program", "Started", "own_run", "send", "watch"]

#: Bytes of what a program printed that are told.
TAIL = 4096
_LOOK = 0.25  # seconds, where the system tells nothing
#: Variables that are nobody's business but ours.
_OURS = ("SINAGOT_TOKEN",)


class Started(NamedTuple):
    """A program that was started here."""

    command: str
    pid: int
    #: Seconds since 1970.
    since: float
    #: None while it goes on.
    exit_code: int | None
    #: End of what it printed.
    tail: str


class Program:
    """One program `sinagot`, in a session of its own, and what it prints, in a file without a name.

    Parameters
    ----------
    words : sequence of str
        Of its command line, after ``sinagot``. Every user of the machine can read them: nothing secret.
    given : bytes, optional
        What it reads from its standard input; it stands in no file that has a name.
    ended : callable, optional
        Called when it has ended, on a thread of its own.

    Raises
    ------
    OSError
        It could not be started.

    Examples
    --------
    >>> program = Program(["--version"])
    >>> program.process.wait()
    0
    >>> program.told().tail.startswith("sinagot ")
    True
    """

    def __init__(
        self, words: Sequence[str], *, given: bytes = b"", ended: Callable[[], object] | None = None
    ) -> None:
        self.shown = shlex.join(["sinagot", *words])
        self.since = time.time()
        self._ended = ended
        self._output = tempfile.TemporaryFile()  # noqa: SIM115  (open as long as the program is remembered)
        weakref.finalize(self, self._output.close)
        with tempfile.TemporaryFile() as source:
            source.write(given)
            source.seek(0)
            self.process = subprocess.Popen(
                [sys.executable, "-m", "sinagot", *words],
                stdin=source if given else subprocess.DEVNULL,
                stdout=self._output,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C ends who started it, not the program
                env={name: value for name, value in os.environ.items() if name not in _OURS},
            )
        self.start = start_time(self.process.pid)
        threading.Thread(target=self._wait, name="sinagot-child", daemon=True).start()

    def _wait(self) -> None:
        self.process.wait()
        if self._ended is not None:
            self._ended()

    @property
    def pid(self) -> int:
        """Its process."""
        return self.process.pid

    @property
    def tail(self) -> str:
        """End of what it printed."""
        size = os.fstat(self._output.fileno()).st_size
        return os.pread(self._output.fileno(), TAIL, max(size - TAIL, 0)).decode("utf-8", "replace")

    def told(self) -> Started:
        """Say how it stands."""
        return Started(self.shown, self.pid, self.since, self.process.returncode, self.tail)


def watch(pid: int, start: str, ended: Callable[[], object]) -> None:
    """Watch a program of this machine that somebody else has started.

    Parameters
    ----------
    pid : int
        Its process.
    start : str
        As `sinagot.engine.state.owners.start_time` gives it: a number may be another process's by now.
    ended : callable
        Called when it has ended, on a thread of its own; also when it had ended before.
    """

    def wait() -> None:
        _await_end(pid, start)
        ended()

    threading.Thread(target=wait, name="sinagot-watch", daemon=True).start()


def _await_end(pid: int, start: str) -> None:
    try:
        descriptor = os.pidfd_open(pid)  # Linux tells at once
    except (AttributeError, OSError):
        descriptor = -1
    try:
        if descriptor >= 0 and start_time(pid) == start:
            poll = select.poll()
            poll.register(descriptor, select.POLLIN)
            poll.poll()
        while start_time(pid) == start:
            time.sleep(_LOOK)
    finally:
        if descriptor >= 0:
            os.close(descriptor)


def own_run(state: str, run_id: str) -> Owner | None:
    """Give the process of a run that goes on, on this machine, and is of the same user; None of any other."""
    facts = read_manifest(state, run_id).get("owner")
    try:
        owner = Owner(*(facts[name] for name in Owner._fields)) if isinstance(facts, dict) else None
    except (KeyError, TypeError):
        owner = None
    if owner is None or not owner.is_of_this_boot or owner.pid == os.getpid():
        return None
    return owner if is_alive(owner, f"{state}/runs") is True and _is_of_this_user(owner.pid) else None


def _is_of_this_user(pid: int) -> bool:
    import psutil

    try:
        return psutil.Process(pid).uids().real == os.getuid()
    except (psutil.Error, OSError):
        return False


def send(pid: int, start: str, signum: int = signal.SIGINT) -> bool:
    """Send a signal to a process that is still the one that was meant; False when it is not, or is not ours."""
    if start_time(pid) != start or not start or not _is_of_this_user(pid):
        return False
    try:
        os.kill(pid, signum)
    except OSError:
        return False
    return True
