"""What an attempt may use, as far as the process that runs it has a say: its time, its threads, and who must know.

Knows the settings of steps and this process; must not know executors. A watcher in the parent ends what is over its
limits (`sinagot.engine.executors.watch`): a script that is stuck in C code would not let this process do it.
"""

from __future__ import annotations

import itertools
import os
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from types import TracebackType
from typing import TYPE_CHECKING, NamedTuple, Self

from sinagot.config.quantities import seconds_text
from sinagot.config.settings import StepSettings
from sinagot.engine.job import CallJob, Job, JobResult, Outcome

if TYPE_CHECKING:
    from sinagot.engine.meter import Meter

__all__ = [
    "THREAD_VARIABLES",
    "Began",
    "FailureCount",
    "Lane",
    "Limited",
    "Overrun",
    "Watcher",
    "end_overrun",
    "is_bloated",
    "is_child",
    "lane_of",
    "limited",
    "needs_child",
    "thread_variables",
    "timeout_text",
    "watched_by",
]

#: What numeric libraries read when they are loaded.
THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "NUMBA_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "BLIS_NUM_THREADS",
)


class Overrun(BaseException):
    """The running attempt took too long; no `except Exception` of a script stops it."""


class Lane(NamedTuple):
    """What kind of process a job needs: jobs of one lane travel together."""

    threads: int | None = None
    #: The process runs nothing else, before or after.
    is_alone: bool = False
    #: Somebody outside looks at its time and memory.
    is_watched: bool = False


class Began(NamedTuple):
    """What a watcher must know of an attempt that begins."""

    key: str
    attempt: str
    #: By `time.monotonic`, which all processes of a machine share.
    start: float
    timeout: float | None
    memory: int | None
    serial: int
    #: Seconds between being asked to end and being killed; None is what jobs get.
    grace: float | None = None


class Watcher(NamedTuple):
    """The way to whoever watches this process."""

    #: Called with a `Began`, or with None when the script has returned.
    tell: Callable[[Began | None], None]
    #: Gives the peak in bytes that was seen of the attempt of a number.
    peak: Callable[[int], float]


_watchers: list[Watcher] = []
_current: list[Limited] = []
_SERIALS = itertools.count(1)
_UNLIMITED = nullcontext()


def needs_child(settings: StepSettings) -> bool:
    """Say whether an attempt needs a process that can be killed."""
    return settings.timeout is not None or settings.memory is not None or bool(settings.isolate)


def lane_of(settings: StepSettings) -> Lane | None:
    """Give the lane of a step; None when any process will do.

    Examples
    --------
    >>> lane_of(StepSettings()) is None
    True
    >>> lane_of(StepSettings(threads=2, timeout=60.0))
    Lane(threads=2, is_alone=False, is_watched=True)
    """
    lane = Lane(settings.threads, bool(settings.isolate), needs_child(settings))
    return None if lane == Lane() else lane


def thread_variables(threads: int | None) -> dict[str, str]:
    """Give the environment that tells numeric libraries how many threads to use."""
    return {} if threads is None else dict.fromkeys(THREAD_VARIABLES, str(threads))


def timeout_text(timeout: float) -> str:
    """Say that an attempt took too long."""
    return f"took longer than {seconds_text(timeout)}"


def watched_by(watcher: Watcher) -> None:
    """Say who watches the attempts of this process."""
    _watchers[:] = [watcher]


def is_child() -> bool:
    """Say whether this process is a child that runs jobs for another."""
    return bool(_watchers)


def end_overrun() -> None:
    """Raise `Overrun` when the running attempt is over its time; for the handler of SIGTERM."""
    if _current and _current[0].is_over:
        raise Overrun(timeout_text(_current[0].timeout or 0.0))


def is_bloated(settings: StepSettings) -> bool:
    """Say whether this process is too large already to judge by it what a job with a limit needs."""
    if settings.memory is None:
        return False
    try:
        with open("/proc/self/statm", "rb") as file:
            resident = int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError):
        return False
    return resident > settings.memory / 2


def limited(job: Job | CallJob, attempt: str, meter: Meter) -> AbstractContextManager[object]:
    """Give the context in which the script of a job runs; nothing is done for a job without limits."""
    settings = job.step.settings
    if settings.threads is None and not needs_child(settings):
        return _UNLIMITED
    return Limited(job, attempt, meter)


class Limited:
    """The time in which the script of a job runs under its limits.

    Parameters
    ----------
    job : Job or CallJob
        Whose script or function it is.
    attempt : str
        Name of the attempt.
    meter : Meter
        Learns what was seen from outside.
    """

    __slots__ = ("_attempt", "_end", "_former", "_job", "_meter", "_serial", "_watcher", "timeout")

    def __init__(self, job: Job | CallJob, attempt: str, meter: Meter) -> None:
        settings = job.step.settings
        self._job, self._attempt, self._meter = job, attempt, meter
        self._watcher = _watchers[0] if _watchers and needs_child(settings) else None
        self.timeout = settings.timeout if self._watcher is not None else None
        self._former: dict[str, str | None] = {}
        self._end = 0.0
        self._serial = 0

    @property
    def is_over(self) -> bool:
        """The attempt took longer than it may."""
        return self.timeout is not None and time.monotonic() >= self._end

    def __enter__(self) -> Self:
        settings = self._job.step.settings
        for name, value in thread_variables(settings.threads).items():
            self._former[name] = os.environ.get(name)
            os.environ[name] = value
        if self._watcher is not None:
            self._serial = next(_SERIALS)
            start = time.monotonic()
            self._end = start + (self.timeout or 0.0)
            began = Began(
                self._job.key,
                self._attempt,
                start,
                self.timeout,
                settings.memory,
                self._serial,
                self._job.step.grace if isinstance(self._job, CallJob) else None,
            )
            self._watcher.tell(began)
            _current[:] = [self]
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        _current.clear()
        for name, value in self._former.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
        if self._watcher is None:
            return
        self._meter.outside_peak = self._watcher.peak(self._serial)
        is_over = self.is_over
        self._watcher.tell(None)
        if is_over and not isinstance(error, Overrun):
            # What it waited for was ended, or it would not hear: its result comes too late in any case.
            raise Overrun(timeout_text(self.timeout or 0.0))


class FailureCount:
    """Counts failed jobs, and says when there are too many to go on.

    Parameters
    ----------
    most : int, optional
        Nothing new is started after so many; without it, no number is too many.
    """

    def __init__(self, most: int | None) -> None:
        self._most = most
        self.count = 0

    @property
    def is_counting(self) -> bool:
        """Some number is too many."""
        return self._most is not None

    @property
    def is_full(self) -> bool:
        """There are too many."""
        return self._most is not None and self.count >= self._most

    def note(self, result: JobResult) -> None:
        """Take note of a result; one that is tried again is none yet."""
        if self._most is not None and result.outcome == Outcome.FAILED and result.retry is None:
            self.count += 1
