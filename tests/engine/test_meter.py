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


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_forked_child_tells_its_own_peak() -> None:
    """What a process opened to measure itself measures no child that it forks, and closed descriptors do no harm."""
    code = """
import os
from sinagot.engine.meter import Meter
Meter._inherited = 1 << 40  # as in a small child of a large program: the kernel's number says nothing
before = Meter().facts()["peak_memory_mb"]
reader, writer = os.pipe()
if not os.fork():
    ballast = bytearray(os.urandom(1 << 20)) * 200
    Meter._inherited = 1 << 40
    os.write(writer, str(Meter().facts()["peak_memory_mb"] - before).encode())
    os._exit(0)
os.wait()
assert float(os.read(reader, 100)) > 150
assert Meter().facts()["peak_memory_mb"] - before < 50
os.closerange(3, 100)
mine = [os.open(os.devnull, os.O_RDWR) for _ in range(20)]
assert Meter().facts()["peak_memory_mb"] - before < 50
os.closerange(3, 100)
assert 0 < Meter().facts()["peak_memory_mb"]
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False, text=True)
    assert done.returncode == 0, done.stderr
