"""Scripts that start processes which want to survive: none does, whatever ends the job."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from sinagot.testing import alive, await_true, make_workspace, script_text
from tests.chaos.conftest import StartProgram, driver

pytestmark = pytest.mark.chaos

#: Starts three processes that start one each, in sessions of their own, deaf to signals, and are left by their parents.
BOMB = """
import subprocess
import sys

DEAF = "import signal, time; [signal.signal(n, signal.SIG_IGN) for n in (1, 2, 15)]; print('up', flush=True); time.sleep(120)"
LEAVES = (
    "import subprocess, sys; child = subprocess.Popen([sys.executable, '-c', sys.argv[1]], "
    "stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, start_new_session=True); child.stdout.readline(); print(child.pid, flush=True)"
)

def explode(folder):
    pids = []
    for _ in range(3):
        left = subprocess.run([sys.executable, "-c", LEAVES, DEAF], capture_output=True, text=True)
        pids.append(left.stdout.strip())
    (folder / "pids.part").write_text(" ".join([*pids, str(os.getpid())]))
    (folder / "pids.part").replace(folder / "pids")
"""


def pids_of(folder: Path) -> list[int]:
    """Give the processes that the script said it started, and its own."""
    return [int(pid) for pid in (folder / "pids").read_text().split()]


@pytest.mark.parametrize("mode", ["main_process", "processes"])
def test_timeout_ends_what_was_left_behind(tmp_path: Path, mode: str) -> None:
    """Processes that a script left behind in sessions of their own end with its timeout; the next job runs."""
    body = """
        if self.id == "REC-1":
            explode(self.data_path)
            time.sleep(60)
        self.path.output.touch()
    """
    workspace = make_workspace(
        tmp_path / "lab",
        scripts={"a": script_text(body, before=BOMB)},
        settings="[steps.a]\ntimeout = '2 s'",
    )
    with workspace:
        workers = {"workers": 1} if mode == "processes" else {}
        report = workspace.steps.run(mode=mode, printing=False, **workers)
        assert (report.counts["done"], report.counts["failed"]) == (2, 1)
        assert report.failures[0].exc_type == "StepTimeoutError"
        pids = pids_of(workspace.data_path)
        assert len(pids) == 4
        await_true(lambda: not alive(*pids), "all of them end")


def test_done_job_leaves_nobody_behind(tmp_path: Path) -> None:
    """Processes that a script left behind are ended when its job is done, and the next one finds a clean process."""
    body = "explode(self.data_path)\nself.path.output.touch()"
    workspace = make_workspace(tmp_path / "lab", records=1, scripts={"a": script_text(body, before=BOMB)})
    with workspace:
        assert workspace.steps.run(mode="processes", workers=1, printing=False).ok
        *left, _ = pids_of(workspace.data_path)
        await_true(lambda: not alive(*left), "all of them end")


def test_killed_driver_takes_all_along(tmp_path: Path, start: StartProgram) -> None:
    """When the driver dies by SIGKILL, what a script started ends within seconds, in other sessions too."""
    body = "explode(self.data_path)\ntime.sleep(60)\nself.path.output.touch()"
    workspace = make_workspace(tmp_path / "lab", records=1, scripts={"a": script_text(body, before=BOMB)})
    program = start(driver(workspace, mode="processes", workers=1))
    await_true(lambda: (workspace.data_path / "pids").exists(), "the script has started them", 30)
    pids = pids_of(workspace.data_path)
    program.signal(signal.SIGKILL)
    program.wait()
    await_true(lambda: not alive(*pids), "all of them end")
