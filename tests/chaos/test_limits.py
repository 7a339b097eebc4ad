"""Scripts that start processes which want to survive: none does, whatever ends the job."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from sinagot.testing import alive, await_true, make_workspace, script_text
from tests.chaos.conftest import StartProgram, driver

pytestmark = pytest.mark.chaos

#: Starts three processes, in sessions of their own, deaf to signals, that are left by their parents. Shells are quick to
#: start: all of them are there before the script's time is over, on a busy machine too.
BOMB = """
import subprocess

DEAF = 'trap "" HUP INT TERM; echo $$ > "$0.part"; mv "$0.part" "$0"; exec sleep 120 > /dev/null 2>&1'
LEAVES = 'setsid sh -c "$1" "$0" & while ! [ -e "$0" ]; do sleep 0.01; done'

def explode(folder):
    pids = []
    for number in range(3):
        file = folder / f"left-{number}"
        subprocess.run(["sh", "-c", LEAVES, str(file), DEAF], check=True, stdin=subprocess.DEVNULL)
        pids.append(file.read_text().strip())
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
    await_true(lambda: (workspace.data_path / "pids").exists(), "the script has started them")
    pids = pids_of(workspace.data_path)
    program.signal(signal.SIGKILL)
    program.wait()
    await_true(lambda: not alive(*pids), "all of them end")
