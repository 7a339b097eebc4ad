"""A process with all that it started."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator

import psutil
import pytest

from sinagot.engine.executors import trees
from sinagot.testing import alive, await_true

FAMILY = """
import subprocess, sys, threading, time
tell = "import time; print('up', flush=True); time.sleep(60)"
def start(**how):
    child = subprocess.Popen([sys.executable, "-c", tell], stdout=subprocess.PIPE, **how)
    child.stdout.readline()
    print(child.pid, flush=True)
start()
thread = threading.Thread(target=lambda: (start(start_new_session=True), time.sleep(60)), daemon=True)
thread.start()
time.sleep(60)
"""


@pytest.fixture
def family() -> Iterator[tuple[subprocess.Popen[str], list[int]]]:
    """Give a process with two children: one started by a thread, in a session of its own."""
    process = subprocess.Popen([sys.executable, "-c", FAMILY], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    children = [int(process.stdout.readline()) for _ in range(2)]
    yield process, children
    for pid in (process.pid, *children):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, 9)
    process.wait()
    process.stdout.close()


def test_tree_is_found_and_killed(family: tuple[subprocess.Popen[str], list[int]]) -> None:
    """All that descends from a process is found, measured and killed, whatever its session or starting thread."""
    process, children = family
    assert sorted(trees.processes_of(process.pid)) == sorted([process.pid, *children])
    use = trees.use_of(process.pid)
    alone = psutil.Process(process.pid).memory_info().rss
    assert use.memory > alone and trees.use_of(process.pid, exactly=True).memory < use.memory
    trees.kill_tree(process.pid)
    assert process.wait(10) == -9
    await_true(lambda: not alive(*children), "children end")


def test_tree_without_a_list_of_children(family: tuple[subprocess.Popen[str], list[int]]) -> None:
    """Where the kernel lists no children the same is found in another way."""
    process, children = family
    assert sorted(trees._processes_by_psutil(process.pid)) == sorted([process.pid, *children])
    assert trees._psutil_use(process.pid).memory > 0


def test_process_that_has_ended_uses_nothing() -> None:
    """What is gone has no memory, and killing it again harms nobody."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    assert trees.use_of(process.pid) == trees.Use(0, 0.0) == trees._psutil_use(process.pid)
    assert trees._processes_by_psutil(process.pid) == [process.pid]
    trees.kill_tree(process.pid)
    trees.signal_tree(process.pid, 15)
