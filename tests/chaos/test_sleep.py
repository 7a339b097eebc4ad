"""Drivers that sleep, as a laptop with a closed lid does: briefly, or so long that others take over what they hold."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sinagot import Workspace
from sinagot.testing import await_true, make_workspace, script_text
from tests.chaos.conftest import (
    HALVES,
    MODES,
    WHOLE,
    Program,
    StartProgram,
    await_half,
    driver,
    each_mode,
    heal,
    let_go,
    outputs,
    statuses,
)

pytestmark = pytest.mark.chaos


HAS_HOSTS = subprocess.run(["unshare", "-ru", "true"], capture_output=True, check=False).returncode == 0


@pytest.fixture
def freeze() -> Iterator[Callable[[list[int]], None]]:
    """Give a function that stops processes; at the end all go on."""
    frozen: list[int] = []

    def do(pids: list[int]) -> None:
        for pid in pids:
            frozen.append(pid)
            os.kill(pid, signal.SIGSTOP)

    yield do
    thaw(frozen)


def thaw(pids: list[int]) -> None:
    """Let processes go on, as far as they live."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)


@each_mode
def test_sleep_of_all_processes(
    mode: str, tmp_path: Path, start: StartProgram, freeze: Callable[[list[int]], None]
) -> None:
    """A driver that sleeps with all its workers keeps what it holds from others of its host, and goes on where it was."""
    workspace = make_workspace(tmp_path, records=["R1", "R2"], scripts={"a": HALVES})
    program = start(driver(workspace, **MODES[mode]))
    await_half(workspace, "R1")
    pids = program.pids()
    freeze(pids)
    let_go(workspace)
    other = start(driver(workspace))
    # Its claim goes a moment after the output has come.
    await_true(lambda: statuses(workspace) == [20, 30], "the other driver does what is free")
    assert other.process.poll() is None
    thaw(pids)
    assert (program.wait(), other.wait()) == (0, 0), program.said
    ends = [one.ended()[1] for one in (program, other)]
    assert sum(counts.get("done", 0) for counts in ends) == 2
    assert outputs(workspace) == {"R1.txt": WHOLE, "R2.txt": WHOLE}
    program.assert_no_orphans()
    heal(workspace, left=0)


@pytest.mark.parametrize("mode", ["processes", "dask"])
def test_sleep_of_the_driver_alone(
    mode: str, tmp_path: Path, start: StartProgram, freeze: Callable[[list[int]], None]
) -> None:
    """Workers end what they have while their driver sleeps, and others may use it; on waking it knows all that was done."""
    workspace = make_workspace(tmp_path, records=["R1", "R2"], scripts={"a": HALVES})
    program = start(driver(workspace, **MODES[mode]))
    await_half(workspace, "R1")
    freeze([program.process.pid])
    let_go(workspace)
    await_true(lambda: statuses(workspace)[0] == 30, "the worker ends its job")
    other = start(driver(workspace))
    assert other.wait() == 0
    assert statuses(workspace) == [30, 30]
    thaw([program.process.pid])
    assert program.wait() == 0, program.said
    assert sum(program.ended()[1].values()) == 2
    assert outputs(workspace) == {"R1.txt": WHOLE, "R2.txt": WHOLE}
    heal(workspace, left=0)


# ---------------------------------------------------------------------- longer than the lease

#: Notes where it begins; waits until its own host is let go; then does what its host was told.
HOSTED = script_text(
    """
    host = os.uname().nodename
    with open(self.data_path / "begun.txt", "a") as begun:
        begun.write(f"{self.id} {host}\\n")
    end = time.monotonic() + 60
    while not (self.data_path / f"free-{host}").exists():
        assert time.monotonic() < end
        time.sleep(0.005)
    order = (self.data_path / f"free-{host}").read_text()
    if order == "fail":
        raise ValueError("too late")
    self.path.output.write_text(host)
    """
)

#: A lease of some seconds instead of half a minute: nothing else of a clock is changed.
SHORT_LEASE = """
import sinagot.engine.state.bench as bench
import sinagot.engine.state.claims as claims
claims.BEAT, bench.PULSE = 0.8, 0.1
"""


def on_host(name: str, text: str) -> str:
    """Give the text of a program that runs under a host name of its own: claims are judged by beats there."""
    return (
        "import os, subprocess, sys\n"
        'if "there" not in sys.argv:\n'
        '    os.execvp("unshare", ["unshare", "-ru", sys.executable, __file__, "there"])\n'
        f'subprocess.run(["hostname", {name!r}], check=True)\n{SHORT_LEASE}{text}'
    )


def begun(workspace: Workspace) -> list[str]:
    """List where scripts began."""
    file = workspace.data_path / "begun.txt"
    return file.read_text().splitlines() if file.exists() else []


@pytest.mark.skipif(
    not HAS_HOSTS, reason="host names of their own (user and UTS namespaces) are not allowed here"
)
@pytest.mark.parametrize("order", ["write", "fail"])
@pytest.mark.parametrize("when", ["after the other has ended", "while the other is at it"])
def test_sleep_beyond_the_lease(when: str, order: str, tmp_path: Path, start: StartProgram) -> None:
    """A driver that slept too long publishes nothing on waking, judges nothing, and takes the result of whoever took over."""
    workspace = make_workspace(tmp_path, records=["R1", "R2"], scripts={"a": HOSTED})
    sleeper = start(on_host("sleeper", driver(workspace)))
    await_true(lambda: "R1 sleeper" in begun(workspace), "the first script begins")
    sleeper.signal(signal.SIGSTOP)
    other = start(on_host("other", driver(workspace)))
    await_true(lambda: "R2 other" in begun(workspace), "the other does what is free")
    in_time = when.startswith("after")
    if in_time:
        (workspace.data_path / "free-other").write_text("write")
        assert other.wait() == 0, other.said
    else:
        # R2 is let go, R1 is taken over and waits.
        (workspace.data_path / "free-other").write_text("write")
        await_true(lambda: "R2.txt" in outputs(workspace), "R2 is done")
        (workspace.data_path / "free-other").unlink()
        await_true(lambda: "R1 other" in begun(workspace), "R1 is taken over")
    (workspace.data_path / "free-sleeper").write_text(order)
    sleeper.signal(signal.SIGCONT)
    await_true(lambda: superseded(workspace) == 1, "the late attempt is on record")
    assert outputs(workspace).get("R1.txt") == ("other" if in_time else None)
    (workspace.data_path / "free-other").write_text("write")
    assert (sleeper.wait(), other.wait()) == (0, 0), sleeper.said
    assert ended(sleeper) == {"done_elsewhere": 2} and ended(other) == {"done": 2}
    assert begun(workspace) == ["R1 sleeper", "R2 other", "R1 other"]
    assert set(outputs(workspace).values()) == {"other"}
    heal(workspace, left=0)


def ended(program: Program) -> dict[str, int]:
    """Give the counts of a program that has ended."""
    return program.ended()[1]


def superseded(workspace: Workspace) -> int:
    """Count the attempts on record that came too late."""
    files = (workspace.data_path / ".sinagot" / "runs").glob("*/events-*.jsonl")
    events = [json.loads(line) for file in files for line in file.read_text().splitlines() if line]
    return sum(event["event"] == "superseded" for event in events)
