"""Duration, CPU time and peak memory of one attempt.

Knows the operating system's accounting; must not know jobs.
"""

from __future__ import annotations

import os
import sys
import time
from contextlib import suppress

__all__ = ["Meter"]

with suppress(ImportError):  # absent on Windows
    import resource


class Meter:
    """Duration, CPU time and peak memory of one attempt."""

    _clear: int | None = None
    _identity = (0, 0)
    #: What tells of this program, open; -1 when it is not, yet or any more.
    _status = -1
    #: Up to here the kernel may tell of the program that started this one: Linux hands its largest size on.
    _inherited: int | None = None
    #: Bytes that were seen from outside, of this process with all that it started; 0 where nobody looked.
    outside_peak = 0.0

    def __init__(self) -> None:
        self._reset_peak()
        self._start = time.perf_counter()
        self._cpu = self._cpu_now()

    @staticmethod
    def _reset_peak() -> None:
        """Start the peak anew, from what is resident now (Linux)."""
        if Meter._inherited is None:
            told, own = _largest(), _high_water()
            Meter._inherited = told if own and told > own else 0
        if Meter._clear == -1:
            return
        try:
            if Meter._clear is None or _identity_of(Meter._clear) != Meter._identity:
                # The first time, or a script has closed all descriptors: the number may be one of its own now.
                Meter._clear = os.open("/proc/self/clear_refs", os.O_WRONLY | os.O_CLOEXEC)
                Meter._identity = _identity_of(Meter._clear)
            os.pwrite(Meter._clear, b"5", 0)
        except OSError:
            Meter._clear = -1

    @staticmethod
    def _cpu_now() -> float:
        return sum(os.times()[:4])  # of this process and of those it has waited for, in user and system mode

    def facts(self) -> dict[str, float]:
        """Give `duration_s`, `cpu_s` and `peak_memory_mb` up to now."""
        peak = _largest()
        if peak <= (Meter._inherited or 0):
            peak = _high_water() or peak
        # kB on Linux, bytes on macOS
        own = peak / (1024 if sys.platform != "darwin" else 1 << 20)
        return {
            "duration_s": round(time.perf_counter() - self._start, 6),
            "cpu_s": round(self._cpu_now() - self._cpu, 3),
            "peak_memory_mb": round(max(own, self.outside_peak / (1 << 20)), 1),
        }


def _largest() -> int:
    """Ask the system for the largest resident size, in its own unit; 0 where it does not tell."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss if "resource" in globals() else 0


def _high_water() -> int:
    """Read the largest resident size of this program itself, in kB; 0 where the system does not tell."""
    for _ in range(2):
        try:
            text = os.pread(Meter._status, 4096, 0)  # opening it each time would double what a look costs
            place = text.find(b"VmHWM:")
            if place >= 0:
                return int(text[place + 6 : text.index(b"kB", place)])
        except (OSError, ValueError):
            pass
        try:  # the first time, or a script has closed all descriptors: another file may have the number now
            Meter._status = os.open("/proc/self/status", os.O_RDONLY | getattr(os, "O_CLOEXEC", 0))
        except OSError:
            return 0
    return 0


def _forget() -> None:
    """Begin anew in a forked child: what is open tells of its parent."""
    Meter._status, Meter._clear, Meter._inherited = -1, None, None


if hasattr(os, "register_at_fork"):  # pragma: no branch - absent on Windows
    os.register_at_fork(after_in_child=_forget)


def _identity_of(descriptor: int) -> tuple[int, int]:
    try:
        state = os.fstat(descriptor)
    except OSError:
        return 0, 0
    return state.st_dev, state.st_ino
