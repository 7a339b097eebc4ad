"""What an attempt took is measured of the program that ran it."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux hands the size of a parent on")
def test_size_of_the_program_that_started_this_one_does_not_count() -> None:
    """A small program that a large one has started tells its own peak."""
    ballast = bytearray(os.urandom(1 << 20)) * 300
    code = "from sinagot.engine.meter import Meter; print(Meter().facts()['peak_memory_mb'])"
    peak = float(subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout)
    assert len(ballast) > 300_000_000 and 5 < peak < 200
