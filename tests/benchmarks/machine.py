"""What is measured on: cores, versions, and folders in memory and on disk.

Nothing that names the machine, its user or a path leaves this module.
"""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import NamedTuple

MEMORY = Path("/dev/shm")
DISK = Path("/var/tmp")
LIBRARIES = ("dask", "distributed", "pandas", "pyarrow", "concurrent-log-handler", "json-log-formatter")


class Place(NamedTuple):
    """A scratch folder, and what its file system is."""

    name: str
    folder: Path


@contextmanager
def places(disk: Path | None, *, disk_too: bool) -> Iterator[list[Place]]:
    """Make the scratch folders: memory first, then disk; removed at the end."""
    roots = [MEMORY] if MEMORY.is_dir() else []
    if disk_too or not roots:
        roots.append(disk or (DISK if DISK.is_dir() else Path(tempfile.gettempdir())))
    folders = [Path(tempfile.mkdtemp(prefix="sinagot-bench-", dir=root)) for root in roots]
    try:
        yield [Place(_file_system(folder), folder) for folder in folders]
    finally:
        for folder in folders:
            shutil.rmtree(folder, ignore_errors=True)


def _file_system(folder: Path) -> str:
    import psutil

    found = "disk"
    longest = -1
    for part in psutil.disk_partitions(all=True):
        if folder.is_relative_to(part.mountpoint) and len(part.mountpoint) > longest:
            found, longest = part.fstype, len(part.mountpoint)
    return found


def facts() -> list[tuple[str, str]]:
    """List what a reader needs to compare the figures with others."""
    load = os.getloadavg()[0]
    busy = f"{load:.2f} when the run began" + (", so other work was going on" if load > 0.5 else "")
    return [
        ("cores", f"{len(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else os.cpu_count()}"),
        ("processor", _processor()),
        ("system", f"{platform.system()} {platform.release()}"),
        ("Python", f"{platform.python_implementation()} {platform.python_version()}"),
        ("libraries", ", ".join(f"{name} {_version(name)}" for name in LIBRARIES)),
        ("peers", ", ".join(f"{name} {tool_version(name) or 'absent'}" for name in ("ninja", "make"))),
        ("load", busy),
    ]


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.machine()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "absent"


def tool_version(name: str) -> str | None:
    """Give the version of a program, None when it is absent."""
    program = shutil.which(name)
    if program is None:
        return None
    first = subprocess.run([program, "--version"], capture_output=True, text=True, check=False).stdout
    return (first.splitlines() or ["?"])[0].removeprefix("GNU Make ")
