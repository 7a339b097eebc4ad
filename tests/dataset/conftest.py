"""Folders on a disk and in memory, and functions that fail as systems do."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from sinagot.dataset import probes


def failing(number: int):
    """Return a function that raises an error of the system."""

    def fail(*arguments: object, **options: object) -> None:
        raise OSError(number, os.strerror(number))

    return fail


@pytest.fixture(params=["disk", "memory"])
def folder(request: pytest.FixtureRequest, tmp_path: Path):
    """Give a folder on a disk, and one in memory where there is such a file system."""
    if request.param == "disk":
        yield str(tmp_path)
        return
    if not os.path.isdir("/dev/shm"):
        pytest.skip("needs /dev/shm")
    base = f"/dev/shm/sinagot-test-{os.getpid()}-{time.monotonic_ns()}"
    with probes.probe_folder(base) as made:
        yield made
    assert not os.path.exists(base)
