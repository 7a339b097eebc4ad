"""One attempt, seen from outside."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from sinagot.engine.executors import watch
from sinagot.engine.executors.slip import Slip
from sinagot.engine.executors.watch import Watch
from sinagot.engine.limits import Began


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[str]]:
    """Give a process that is deaf to SIGTERM."""
    deaf = "import signal, time; signal.signal(15, signal.SIG_IGN); print('up', flush=True); time.sleep(60)"
    process = subprocess.Popen([sys.executable, "-c", deaf], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    process.stdout.readline()
    yield process
    process.kill()
    process.wait()
    process.stdout.close()


def began(*, timeout: float | None = None, memory: int | None = None) -> Began:
    """Make what a child says of an attempt that has just begun."""
    return Began("R/a", "attempt-1", time.monotonic(), timeout, memory, 4)


def test_attempt_within_its_limits_is_left_alone(sleeper: subprocess.Popen[str]) -> None:
    """A look measures, tells the child what was seen, and changes nothing."""
    slip = Slip()
    one = Watch(sleeper.pid, began(timeout=60.0, memory=1 << 40), slip)
    assert not one.look() and one.verdict is None
    assert slip.read(4) > 1e6 and slip.read(5) == 0.0
    assert sleeper.poll() is None


def test_deaf_process_is_killed_after_a_grace(
    sleeper: subprocess.Popen[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Over its time a process is asked to end; when it does not, it is killed, and the verdict names the job."""
    monkeypatch.setattr(watch, "TERM_GRACE", 0.05)
    one = Watch(sleeper.pid, began(timeout=0.001), Slip())
    time.sleep(0.002)
    assert one.look() and sleeper.poll() is None
    time.sleep(0.06)
    assert one.look() and sleeper.wait(10) == -9
    assert one.verdict is not None
    assert (one.verdict.exc_type, one.verdict.text) == ("StepTimeoutError", "took longer than 0.001 s")
    assert (one.verdict.key, one.verdict.attempt) == ("R/a", "attempt-1")
    assert one.verdict.facts["duration_s"] >= 0.06


def test_large_process_is_killed_at_once(sleeper: subprocess.Popen[str]) -> None:
    """Over its memory a process is killed without being asked; the text has peak, limit and a proposal."""
    one = Watch(sleeper.pid, began(memory=1_000_000), Slip())
    assert one.look() and sleeper.wait(10) == -9
    assert one.verdict is not None and one.verdict.exc_type == "StepMemoryError"
    assert (
        one.verdict.text.startswith("out of memory: peak ")
        and " of 1 MB; raise `memory` to " in one.verdict.text
    )


@pytest.mark.parametrize(
    ("count", "proposal"), [(1.0e9, 1.0e9), (1.01e9, 1.5e9), (6.45e9, 6.5e9), (99e6, 100e6)]
)
def test_proposals_are_round(count: float, proposal: float) -> None:
    """Nobody writes 6.4513 GB into a configuration."""
    assert watch._rounded(count) == pytest.approx(proposal)
