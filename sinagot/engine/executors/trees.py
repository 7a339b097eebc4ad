"""A process with all that it started: which they are, what they use, and how they are ended for certain.

Knows the operating system's processes; must not know jobs.
"""

from __future__ import annotations

import contextlib
import os
import signal
from typing import NamedTuple

__all__ = ["Use", "kill_tree", "processes_of", "signal_tree", "use_of"]

#: How often newcomers are looked for while a tree is being stopped: one that forks faster than this is not there.
_ROUNDS = 50


class Use(NamedTuple):
    """What a tree of processes uses."""

    memory: int  # bytes
    cpu: float  # seconds since each began


def processes_of(pid: int) -> list[int]:
    """List a process and all that descend from it, parents first."""
    found = [pid]
    for parent in found:  # grows while it is walked
        try:
            threads = os.listdir(f"/proc/{parent}/task")
        except OSError:
            if os.path.exists("/proc/self/task"):
                continue  # it has ended
            return _processes_by_psutil(pid)
        for thread in threads:
            try:
                with open(f"/proc/{parent}/task/{thread}/children", "rb") as file:
                    found += [int(child) for child in file.read().split()]
            except FileNotFoundError:
                if not os.path.exists("/proc/thread-self/children"):
                    return _processes_by_psutil(pid)
            except OSError:
                continue
    return found


def _processes_by_psutil(pid: int) -> list[int]:
    import psutil

    try:
        return [pid, *(child.pid for child in psutil.Process(pid).children(recursive=True))]
    except psutil.Error:
        return [pid]


def use_of(pid: int, *, exactly: bool = False) -> Use:
    """Measure a process and all that it started.

    Parameters
    ----------
    pid : int
        The process at the top.
    exactly : bool
        Count memory that several of them share once: takes a hundred times as long.
    """
    memory = 0
    cpu = 0.0
    for one in processes_of(pid):
        memory += _memory_of(one, exactly=exactly)
        cpu += _cpu_of(one)
    return Use(memory, cpu)


def _memory_of(pid: int, *, exactly: bool) -> int:
    if exactly:
        with contextlib.suppress(OSError, ValueError), open(f"/proc/{pid}/smaps_rollup", "rb") as file:
            for line in file:
                if line.startswith(b"Pss:"):
                    return int(line.split()[1]) * 1024
    try:
        with open(f"/proc/{pid}/statm", "rb") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, IndexError):
        return 0 if os.path.exists("/proc/self/statm") else _psutil_use(pid).memory


def _cpu_of(pid: int) -> float:
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            fields = file.read().rpartition(b")")[2].split()
        return sum(map(int, fields[11:15])) / float(os.sysconf("SC_CLK_TCK"))
    except (OSError, IndexError):
        return 0.0 if os.path.exists("/proc/self/stat") else _psutil_use(pid).cpu


def _psutil_use(pid: int) -> Use:
    import psutil

    try:
        process = psutil.Process(pid)
        times = process.cpu_times()
        return Use(process.memory_info().rss, times.user + times.system)
    except psutil.Error:
        return Use(0, 0.0)


def signal_tree(pid: int, number: int) -> None:
    """Send a signal to a process and all that it started."""
    for one in processes_of(pid):
        with contextlib.suppress(OSError):
            os.kill(one, number)


def kill_tree(pid: int) -> None:
    """Kill a process and all that it started, also what has sessions of its own.

    They are stopped first, from the top down, until nobody new is found: who is stopped starts nothing.
    """
    stopped: dict[int, None] = {}
    for _ in range(_ROUNDS):
        new = [one for one in processes_of(pid) if one not in stopped]
        if not new:
            break
        for one in new:
            stopped[one] = None
            with contextlib.suppress(OSError):
                os.kill(one, signal.SIGSTOP)
    for one in reversed(stopped):
        with contextlib.suppress(OSError):
            os.kill(one, signal.SIGKILL)
