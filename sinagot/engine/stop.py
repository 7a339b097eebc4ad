"""How a run is asked to stop: once with grace, twice at once.

Knows signals; must not know jobs. Handlers set flags only, and are put back when the run ends; signals that the
program handles itself are left alone.
"""

from __future__ import annotations

import math
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import Any, Self

__all__ = ["RunTerminated", "StopRequest", "insist", "run_interrupted"]

#: Seconds that runs within a run get to end their workers, after their grace.
_SETTLE = 2.0
#: Seconds between two signals of which the first was not heard.
_INSIST = 0.5


def run_interrupted(report: Any = None) -> KeyboardInterrupt:
    """Make what Ctrl-C leads to: a plain KeyboardInterrupt, whose `report` has what was done.

    Plain, because Python ends a program with the signal (130 for a shell) for this very class only; a program that
    ends otherwise does not end the shell loop in which it was called.
    """
    error = KeyboardInterrupt(f"run interrupted: {report!r}")
    error.report = report  # type: ignore[attr-defined]
    return error


class RunTerminated(SystemExit):
    """SIGTERM, SIGHUP or SIGUSR1 ended the run; what was done is in `report`."""

    def __init__(self, signum: int, report: Any = None) -> None:
        super().__init__(128 + signum)
        self.report = report
        self.signum = signum


class StopRequest:
    """Listens for signals while a run goes on.

    Parameters
    ----------
    grace : float, seconds
        What running scripts get after the first signal.
    here : bool
        Scripts run in this thread: the deadline and a second signal raise KeyboardInterrupt in them.

    Attributes
    ----------
    signum : int or None
        The first signal that came.
    """

    def __init__(self, grace: float, *, here: bool) -> None:
        self.grace = grace
        self.here = here
        self.signum: int | None = None
        self.times = 0
        #: True while a script runs in this thread.
        self.script_running = False
        self._deadline = 0.0
        self._old: dict[int, Any] = {}
        self._timer: threading.Timer | None = None
        self._is_over = threading.Event()
        self._followers: list[StopRequest] = []

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            wanted = {signal.SIGINT: signal.default_int_handler, signal.SIGTERM: signal.SIG_DFL}
            # SIGUSR1 is how batch systems warn before a time limit.
            for name in ("SIGHUP", "SIGUSR1"):
                if hasattr(signal, name):
                    wanted[getattr(signal, name)] = signal.SIG_DFL
            for number, default in wanted.items():
                if signal.getsignal(number) is default and not (
                    default is signal.SIG_DFL and _is_caught(number)
                ):
                    self._old[number] = signal.signal(number, self._receive)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._is_over.set()
        if self._timer is not None:
            self._timer.cancel()
        for number, handler in self._old.items():
            signal.signal(number, handler)

    @property
    def requested(self) -> bool:
        """A stop was asked for: nothing new is started."""
        return self.signum is not None

    @property
    def now(self) -> bool:
        """Grace is over, or a second signal came."""
        return self.times > 1 or (self.requested and time.monotonic() >= self._deadline)

    @property
    def is_hurried(self) -> bool:
        """A signal came: what runs has the time of the grace only."""
        return self.requested and self._deadline < math.inf

    def ask(self) -> None:
        """Ask to stop without haste: nothing new is started, and what runs may take its time."""
        if self.signum is None:
            self._deadline = math.inf
            self.signum = signal.SIGTERM

    def request(self, signum: int) -> None:
        """Ask to stop, as the signal would."""
        self._receive(signum, None)

    @contextmanager
    def leading(self, follower: StopRequest) -> Iterator[None]:
        """Let another request hear all that this one hears: that of a run within this run."""
        self._followers.append(follower)
        if self.requested:
            follower._hear(self)
        try:
            yield
        finally:
            self._followers.remove(follower)

    def _hear(self, leader: StopRequest) -> None:
        self.times = leader.times
        if self.signum is None:
            self._deadline = min(leader._deadline, time.monotonic() + self.grace)
            self.signum = leader.signum

    def _receive(self, signum: int, frame: FrameType | None) -> None:
        self.times += 1
        if self.signum is None:
            self.signum = signum
            self._deadline = time.monotonic() + self.grace
            _say(
                f"Stopping: running scripts get {self.grace:g} s, nothing new is started (Ctrl-C again: stop now)."
            )
            if self.here and self.script_running:
                self._again(self.grace)
            self._tell_followers()
            return
        self._tell_followers()
        if not (self.here and self.script_running):
            return
        if self.times == 2 and any(not one.here for one in self._followers):
            # Those end their workers and write down what became of the jobs; what runs here has to wait for that.
            self._again(_SETTLE)
        else:
            raise KeyboardInterrupt

    def _again(self, seconds: float) -> None:
        """Send the signal once more, after a while."""
        self._timer = threading.Timer(seconds, self._insist)
        self._timer.daemon = True
        self._timer.start()

    def _insist(self) -> None:
        insist(self.signum or signal.SIGTERM, lambda: self.times, self._is_over)

    def _tell_followers(self) -> None:
        for follower in self._followers:
            follower._hear(self)


def insist(signum: int, heard: Callable[[], int], is_over: threading.Event) -> None:
    """Send this process a signal until it is heard.

    Python tells a signal that comes just before a wait when the wait is over; the next one ends the wait.

    Parameters
    ----------
    signum : int
        Which.
    heard : callable
        Gives how many were heard up to now.
    is_over : Event
        Set when nobody listens any more.
    """
    before = heard()
    while heard() == before and not is_over.is_set():
        os.kill(os.getpid(), signum)
        is_over.wait(_INSIST)


def _is_caught(number: int) -> bool:
    """Say whether somebody beside Python handles a signal, as `faulthandler.register` does (Linux only)."""
    try:
        with open("/proc/self/status", "rb") as file:
            caught = next(int(line.split()[1], 16) for line in file if line.startswith(b"SigCgt:"))
    except (OSError, StopIteration, ValueError):
        return False
    return bool(caught >> (number - 1) & 1)


def _say(text: str) -> None:
    try:
        os.write(sys.__stderr__.fileno() if sys.__stderr__ is not None else 2, f"\n{text}\n".encode())
    except (OSError, ValueError):
        pass  # nobody listens
