"""What of this machine the process may use: cores and memory, as affinity and control groups allow.

Knows the operating system's accounts; must not know jobs. Executors take their number of workers from here, and the
doctor tells it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator

__all__ = ["cgroup_cores", "cgroup_memory", "default_workers", "usable_cores"]

_CGROUPS = "/proc/self/cgroup"
_CGROUP_ROOT = "/sys/fs/cgroup"
#: Of cgroups of the first version, "no limit" is a number like this one.
_NO_LIMIT = 1 << 60


def default_workers() -> int:
    """Give how many worker processes a run has when nobody says: one for each whole core that may be used.

    Examples
    --------
    >>> default_workers() >= 1
    True
    """
    return max(1, int(usable_cores()))


def usable_cores() -> float:
    """Give the cores that this process may use: of the machine, of its affinity, of its cgroup.

    Returns
    -------
    float
        A cgroup may allow parts of a core.
    """
    count: float = os.cpu_count() or 1
    if hasattr(os, "sched_getaffinity"):
        count = len(os.sched_getaffinity(0))
    quota = cgroup_cores()
    return count if quota is None else min(count, quota)


def cgroup_cores() -> float | None:
    """Give the cores that the cgroup of this process, or one above it, allows.

    Returns
    -------
    float or None
        None without a limit.
    """
    found = []
    for folder in _cgroup_folders("cpu"):
        quota, _, period = _text(f"{folder}/cpu.max").partition(" ")
        if not quota:
            quota, period = _text(f"{folder}/cpu.cfs_quota_us"), _text(f"{folder}/cpu.cfs_period_us")
        if quota.isdecimal() and period.isdecimal() and int(period):
            found.append(int(quota) / int(period))
    return min(found, default=None)


def cgroup_memory() -> int | None:
    """Give the memory that the cgroup of this process, or one above it, allows.

    Returns
    -------
    int or None
        Bytes; None without a limit.
    """
    found = []
    for folder in _cgroup_folders("memory"):
        limit = _text(f"{folder}/memory.max") or _text(f"{folder}/memory.limit_in_bytes")
        if limit.isdecimal() and int(limit) < _NO_LIMIT:
            found.append(int(limit))
    return min(found, default=None)


def _cgroup_folders(controller: str) -> Iterator[str]:
    """Give the folders of this process's cgroup and of those above it, of either version."""
    for line in _text(_CGROUPS).splitlines():
        _, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if controllers and controller not in controllers.split(","):
            continue
        root = f"{_CGROUP_ROOT}/{controllers}" if controllers else _CGROUP_ROOT
        path = re.sub(r"/\.\.(?=/|$)", "", path).rstrip("/")
        while True:
            yield root + path
            if not path:
                break
            path = path.rpartition("/")[0]


def _text(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read().strip()
    except OSError:
        return ""
