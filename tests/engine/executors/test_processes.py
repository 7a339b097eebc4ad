"""Jobs that run in warm child processes."""

from __future__ import annotations

import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from sinagot import Workspace
from sinagot.engine.accounts.report import RunReport
from sinagot.engine.executors.processes import ProcessExecutor
from sinagot.engine.executors.spares import SPARES
from sinagot.testing import WorkerContract, alive, await_true, make_workspace, script_text


class TestProcesses(WorkerContract):
    @classmethod
    def make_executor(cls) -> ProcessExecutor:
        return ProcessExecutor(2)


@pytest.fixture
def open_workspace(tmp_path: Path) -> Iterator[Callable[..., Workspace]]:
    """Give a maker of workspaces that end with the test."""
    made: list[Workspace] = []

    def make(**what: Any) -> Workspace:
        made.append(make_workspace(tmp_path / f"lab{len(made)}", **what))
        return made[-1]

    yield make
    for workspace in made:
        workspace.close()


def run(workspace: Workspace, **options: Any) -> RunReport:
    """Run all steps in two children."""
    return workspace.steps.run(**{"mode": "processes", "workers": 2, "printing": False, **options})


def pids(workspace: Workspace) -> set[int]:
    """Give the processes that wrote their number into the outputs."""
    return {int(path.read_text()) for path in (workspace.data_path / "out").iterdir()}


NUMBER = script_text("self.path.output.write_text(str(os.getpid()))")
NOTED = script_text(
    """
    with open(self.data_path / "begun.txt", "a") as begun:
        begun.write(f"{self.id} {os.getpid()}\\n")
    end = time.monotonic() + 60
    while self.id == "R1" and not (self.data_path / "free").exists():
        assert time.monotonic() < end
        time.sleep(0.005)
    self.path.output.write_text("")
    """
)


def begun(workspace: Workspace) -> list[tuple[str, int]]:
    """Give record and process of each start."""
    file = workspace.data_path / "begun.txt"
    lines = file.read_text().splitlines() if file.exists() else []
    return [(line.split()[0], int(line.split()[1])) for line in lines]


def test_full_pipes_stop_nobody(open_workspace: Callable[..., Workspace], monkeypatch, capsys) -> None:
    """Batches and results that are both larger than the pipe do not make parent and child wait for each other."""
    pair = socket.socketpair

    def narrow_pair() -> tuple[socket.socket, socket.socket]:
        ends = pair()
        for end in ends:
            end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        return ends

    monkeypatch.setattr(socket, "socketpair", narrow_pair)
    loud = script_text("self.logger.info('x' * 6000)\nself.path.output.touch()")
    workspace = open_workspace(records=150, scripts={"loud": loud})
    assert run(workspace, printing=True, workers=1).counts["done"] == 150
    assert capsys.readouterr().out.count("x" * 6000) == 150


def test_child_that_is_asked_to_end_is_replaced(open_workspace: Callable[..., Workspace]) -> None:
    """SIGTERM to a child lets its running job finish; the rest of its work is done elsewhere, each job once."""
    records = [f"R{number}" for number in range(1, 20)]
    workspace = open_workspace(records=records, scripts={"a": NOTED})

    def end_child() -> None:
        await_true(lambda: [pid for name, pid in begun(workspace) if name == "R1"], "R1 begins")
        (pid,) = [pid for name, pid in begun(workspace) if name == "R1"]
        os.kill(pid, signal.SIGTERM)
        (workspace.data_path / "free").touch()

    ender = threading.Thread(target=end_child)
    ender.start()
    report = run(workspace)
    ender.join(60)
    assert report.counts["done"] == len(records)
    assert sorted(name for name, _ in begun(workspace)) == sorted(records)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_child_that_ended_between_two_runs_costs_nothing(
    open_workspace: Callable[..., Workspace], number: int
) -> None:
    """Idle children that are gone are replaced before work is sent to them; no job is blamed."""
    workspace = open_workspace(records=6, scripts={"a": NUMBER})
    assert run(workspace).ok
    before = pids(workspace)
    for pid in before:
        os.kill(pid, number)
    await_true(lambda: not alive(*before), "they have ended")
    again = run(workspace, force=True)
    assert again.counts["done"] == 6
    assert not before & pids(workspace)


def test_children_are_kept_for_the_next_run(open_workspace: Callable[..., Workspace]) -> None:
    """Children stay warm from run to run, and end with the workspace."""
    workspace = open_workspace(records=6, scripts={"a": NUMBER})
    run(workspace)
    before = pids(workspace)
    run(workspace, force=True)
    assert pids(workspace) <= before
    workspace.close()
    assert not alive(*before)


def test_two_runs_at_a_time_in_one_workspace(open_workspace: Callable[..., Workspace]) -> None:
    """A run in the background and another one beside it each get all their results."""
    scripts = {"a": NOTED, "b": script_text("self.path.output.write_text('')", path_out=("b", "{id}.txt"))}
    workspace = open_workspace(records=["R1", "R2", "R3"], scripts=scripts)
    first = workspace.steps.run("a", mode="processes", workers=2, printing=False, wait=False)
    await_true(lambda: any(name == "R1" for name, _ in begun(workspace)), "the first run is under way")
    second = workspace.steps.run("b", mode="processes", workers=2, printing=False)
    assert second.counts["done"] == 3
    (workspace.data_path / "free").touch()
    assert first.wait(60).counts["done"] == 3


def test_no_process_can_be_started(open_workspace: Callable[..., Workspace], monkeypatch) -> None:
    """Where no child can be started the run ends, says so, and leaves everything to the next one."""
    workspace = open_workspace(records=3)
    SPARES.close()  # those that earlier tests have left would do the work

    def refuse(*arguments: Any, **options: Any) -> None:
        raise BlockingIOError(11, "Resource temporarily unavailable")

    with monkeypatch.context() as patch:
        patch.setattr("subprocess.Popen", refuse)
        report = run(workspace)
    assert report.counts["interrupted"] == 6 and not report.ok
    assert any("the place where jobs ran is gone" in warning for warning in report.warnings)
    assert run(workspace).ok
