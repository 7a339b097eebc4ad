"""What Python and the machine offer to runs: versions, numeric libraries, cores, memory, open files.

Knows what can be asked of this process and its limits; must not know drives or clusters. Numeric libraries are asked in
a program of their own: looking must not load them here.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from collections.abc import Iterator
from importlib import metadata
from typing import Any

from sinagot.config.quantities import bytes_text
from sinagot.dataset.findings import NOTE, PROBLEM, WARNING, Answer, Finding
from sinagot.engine.limits import THREAD_VARIABLES
from sinagot.engine.machine import cgroup_memory, usable_cores

__all__ = ["NAMES", "PACKAGES", "examine_machine", "examine_python", "installed_version"]

#: Packages whose versions are told, here and on workers.
PACKAGES = ("sinagot", "dask", "distributed", "pandas", "numpy")
#: Open files: below the first runs may fail, below the second large pools may.
_FEW_FILES = 128
_SMALL_FILES = 1024
_LITTLE_MEMORY = 512 << 20
_PATIENCE = 60  # seconds, for the program that loads numpy
_BLAS = """
import json
import numpy
found = {"blas": numpy.show_config(mode="dicts")["Build Dependencies"]["blas"], "pools": None}
try:
    import threadpoolctl
except ImportError:
    pass
else:
    numpy.dot(numpy.ones((2, 2)), numpy.ones((2, 2)))
    found["pools"] = threadpoolctl.threadpool_info()
print(json.dumps(found, default=str))
"""

#: Names of all findings of this module.
NAMES = (
    "python",
    *PACKAGES,
    "file name encoding",
    "BLAS",
    "BLAS threads",
    "cores",
    "memory",
    "open files",
    "file size",
)


def installed_version(package: str) -> str | None:
    """Give the version of an installed package, without importing it.

    Parameters
    ----------
    package : str
        Its name as a distribution.

    Returns
    -------
    str or None
        None when it is not installed.
    """
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def examine_python(workers: int = 1) -> Iterator[Finding]:
    """Look at Python and the packages that matter.

    Parameters
    ----------
    workers : int
        Processes that a run has at work at once.

    Yields
    ------
    Finding
        One a thing that was looked at.
    """
    place = "Python"
    yield Finding(place, "python", f"{platform.python_version()} ({sys.executable})")
    for package in PACKAGES:
        version = installed_version(package)
        if version is not None:
            yield Finding(place, package, version)
        else:
            advice = "install sinagot again, with what it requires, in this environment."
            yield Finding(place, package, "not installed", WARNING, advice)
    yield Finding(place, "file name encoding", *_judge_encoding(sys.getfilesystemencoding()))
    found = _ask_numpy()
    yield Finding(place, "BLAS", *_judge_blas(found))
    variables = {name: os.environ[name] for name in THREAD_VARIABLES if os.environ.get(name)}
    answer = judge_threads(_pools(found), variables, workers, usable_cores())
    yield Finding(place, "BLAS threads", *answer)


def _judge_encoding(encoding: str) -> Answer:
    if encoding.lower().replace("-", "") == "utf8":
        return Answer(encoding)
    advice = "ids with accents may be shown wrongly or not found: set the locale to one with UTF-8, or PYTHONUTF8=1."
    return Answer(encoding, WARNING, advice)


def _ask_numpy() -> dict[str, Any]:
    """Load numpy in a program of its own and have it say what it works with; empty where that fails."""
    try:
        done = subprocess.run(
            [sys.executable, "-c", _BLAS],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_PATIENCE,
            check=False,
        )
        found = json.loads(done.stdout)
    except (OSError, ValueError, subprocess.TimeoutExpired):
        return {}
    return found if isinstance(found, dict) else {}


def _judge_blas(found: dict[str, Any]) -> Answer:
    if not found:
        return Answer("unknown: numpy can't be loaded", NOTE, "see what `python -c 'import numpy'` says.")
    blas = found["blas"]
    return Answer(f"{blas.get('name', 'unknown')} {blas.get('version', '')}".strip())


def _pools(found: dict[str, Any]) -> dict[str, int]:
    """Give library -> threads, as threadpoolctl tells them."""
    return {
        str(pool.get("internal_api")): int(pool["num_threads"])
        for pool in found.get("pools") or ()
        if pool.get("num_threads")
    }


def judge_threads(pools: dict[str, int], variables: dict[str, str], workers: int, cores: float) -> Answer:
    """Say how many threads numeric libraries take in each process, and whether that is too many.

    Parameters
    ----------
    pools : dict of str to int
        Library -> threads; empty when threadpoolctl is not there.
    variables : dict of str to str
        Environment variables that are set.
    workers : int
        Processes that a run has at work at once.
    cores : float
        What this process may use.

    Returns
    -------
    Answer
        A warning when all workers together would take more threads than there are cores.
    """
    words = [f"{count} ({name})" for name, count in pools.items()]
    words += [f"{name}={value}" for name, value in variables.items()]
    numbers = [int(value) for value in variables.values() if value.isdecimal()]
    threads = max(pools.values(), default=max(numbers, default=0))
    value = ", ".join(words) or "not set: a library takes all cores it sees"
    if workers > 1 and workers * (threads or cores) > cores:
        advice = (
            f"{workers} workers with {threads or 'all'} threads each are too many for {cores:g} cores: set threads = 1 "
            "in [run], or for the steps that compute much."
        )
        return Answer(value, NOTE if not threads else WARNING, advice)
    return Answer(value)


# -- the machine


def examine_machine(workers: int = 1) -> Iterator[Finding]:
    """Look at cores, memory and limits of this process.

    Parameters
    ----------
    workers : int
        Processes that a run has at work at once.

    Yields
    ------
    Finding
        One a thing that was looked at.
    """
    place = "machine"
    yield Finding(place, "cores", *_judge_cores(workers))
    yield Finding(place, "memory", *_judge_memory())
    try:
        import resource
    except ImportError:  # pragma: no cover - Windows
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    yield Finding(place, "open files", *judge_open_files(soft, hard, resource.RLIM_INFINITY))
    soft, _ = resource.getrlimit(resource.RLIMIT_FSIZE)
    yield Finding(place, "file size", *_judge_file_size(soft, resource.RLIM_INFINITY))


def _judge_cores(workers: int) -> Answer:
    total, usable = os.cpu_count() or 1, usable_cores()
    value = f"{usable:g}" if usable == total else f"{usable:g} of {total} (affinity or cgroup)"
    if workers > usable:
        return Answer(value, NOTE, f"{workers} workers are configured: more than there are cores for them.")
    return Answer(value)


def _judge_memory() -> Answer:
    import psutil

    memory = psutil.virtual_memory()
    free, total = memory.available, memory.total
    value = f"{bytes_text(free)} free of {bytes_text(total)}"
    limit = cgroup_memory()
    if limit is not None and limit < total:
        value += f", limited to {bytes_text(limit)} (cgroup)"
        free = min(free, limit)
    if free < _LITTLE_MEMORY:
        advice = "the system may kill what takes most: use fewer workers, and set memory for the steps that need much."
        return Answer(value, WARNING, advice)
    return Answer(value)


def judge_open_files(soft: int, hard: int, infinite: int) -> Answer:
    """Say how many files a process may have open.

    Parameters
    ----------
    soft, hard : int
        The limits.
    infinite : int
        The number that stands for no limit.

    Returns
    -------
    Answer
        With the command that raises it.
    """
    if soft == infinite:
        return Answer("no limit")
    highest = "any number" if hard == infinite else f"{hard:,}"
    value, advice = f"{soft:,} (may be raised to {highest})", "raise it: `ulimit -n 4096` before the run."
    if soft < _FEW_FILES:
        return Answer(value, PROBLEM, f"runs may fail for want of open files; {advice}")
    if soft < _SMALL_FILES:
        return Answer(value, NOTE, f"few for large pools of workers and for Dask; {advice}")
    return Answer(value)


def _judge_file_size(soft: int, infinite: int) -> Answer:
    if soft == infinite:
        return Answer("no limit")
    advice = "larger outputs fail; the limit is set by `ulimit -f` or the batch system."
    return Answer(f"at most {bytes_text(soft)}", WARNING, advice)
