"""No more processes, no more inodes: the cause is told, the driver lives, claims are free, and the next run does the rest."""

from __future__ import annotations

import errno
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from sinagot.engine.executors.spares import SPARES
from sinagot.testing import make_workspace, script_text
from tests.chaos.conftest import StartProgram, heal, litter, statuses
from tests.chaos.mounts import check_program, needs_mounts

pytestmark = pytest.mark.chaos


class Crowd:
    """Stands for `subprocess.Popen` on a machine that has room for so many further worker processes."""

    def __init__(self, room: int) -> None:
        self.room = room
        self.refused = 0
        self._start = subprocess.Popen

    def __call__(self, words: Any, *arguments: Any, **options: Any) -> Any:
        if "sinagot.engine.executors.child" in words:
            self.room -= 1
            if self.room < 0:
                self.refused += 1
                raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))
        return self._start(words, *arguments, **options)


def test_fewer_processes_than_wished(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where only one of four workers can be started, that one does all the work."""
    crowd = Crowd(1)
    SPARES.close()  # those that earlier tests have left would do the work
    monkeypatch.setattr(subprocess, "Popen", crowd)
    with make_workspace(tmp_path, records=12) as workspace:
        report = workspace.steps.run(mode="processes", workers=4, printing=False)
    assert report.ok and report.counts["done"] == 24
    assert crowd.refused
    heal(workspace, left=0)


@pytest.mark.parametrize("room", [0, 2])
def test_no_process_for_a_step_of_its_own(room: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a job that needs a process gets none, the run ends with the cause and all others accounted for; then it heals."""
    scripts = {
        name: script_text("self.path.output.touch()", path_out=(name, "{id}.txt")) for name in ("a", "b")
    }
    workspace = make_workspace(tmp_path, scripts=scripts, settings="[steps.b]\nisolate = true")
    SPARES.close()
    with workspace, monkeypatch.context() as patch:
        patch.setattr(subprocess, "Popen", Crowd(room))
        report = workspace.steps.run(mode="main_process", printing=False)
        assert not report.ok and sum(report.counts.values()) == 6
        assert report.counts["interrupted"] + report.counts["done"] == 6
        assert any("Resource temporarily unavailable" in text for text in report.warnings)
    assert litter(workspace) == [] and not {20, 40, 42} & set(statuses(workspace))
    heal(workspace, left=report.counts["interrupted"])


def test_no_process_on_a_dask_worker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A Dask worker on which no process can be started fails its jobs with that cause after some tries; the next run heals."""
    settings = "[dask.scheduler]\ntype = 'threads'"
    SPARES.close()
    with make_workspace(tmp_path, settings=settings) as workspace, monkeypatch.context() as patch:
        patch.setattr(subprocess, "Popen", Crowd(0))
        report = workspace.steps.run(mode="dask", workers=1, printing=False)
    assert report.counts["failed"] == 6
    assert all("Resource temporarily unavailable" in group.message for group in report.failures)
    assert litter(workspace) == []
    heal(workspace, left=6)


@pytest.mark.parametrize("mode", ["main_process", "processes"])
def test_script_that_cannot_fork(mode: str, tmp_path: Path, start: StartProgram) -> None:
    """A script that is refused a process or a thread fails with that cause; its neighbours are done."""
    text = f"""
import os
import resource
from sinagot.engine.executors.spares import SPARES
from sinagot.testing import make_workspace, script_text
body = '''
if self.id == "R2":
    # As the kernel says it: root knows no limit.
    def refuse(*arguments, **options):
        raise BlockingIOError(11, os.strerror(11))
    import _posixsubprocess, subprocess
    real, subprocess._fork_exec = subprocess._fork_exec, refuse
    try:
        subprocess.run(["true"], check=True)
    finally:
        subprocess._fork_exec = real
self.path.output.write_text("x")
'''
workspace = make_workspace({str(tmp_path / "lab")!r}, records=["R1", "R2", "R3"], scripts={{"a": script_text(body)}})
report = workspace.steps.run(mode={mode!r}, workers=1, printing=False)
assert (report.counts["done"], report.counts["failed"]) == (2, 1), report.counts
assert "Resource temporarily unavailable" in report.failures[0].message
workspace.close()
"""
    program = start(text)
    assert program.wait() == 0, program.said


@needs_mounts
@pytest.mark.parametrize("mode", ["main_process", "processes"])
def test_no_inodes_left(mode: str, tmp_path: Path, start: StartProgram) -> None:
    """A script that uses up all inodes of the drive fails with that cause; what it took is given back, and others are done."""
    text = f"""
folder = {str(tmp_path / "lab")!r}
os.makedirs(folder)
mount("-t", "tmpfs", "-o", "size=50m,nr_inodes=400", "tmpfs", folder)
from sinagot import Workspace
from sinagot.engine.executors.spares import SPARES
from sinagot.testing import make_workspace, script_text
body = '''
if self.id == "R2" and not (self.data_path / "mended").exists():
    for number in range(10_000):
        self.path.output.with_suffix(f".{{number}}").touch()
self.path.output.write_text("x")
'''
workspace = make_workspace(folder, records=["R1", "R2", "R3"], scripts={{"a": script_text(body)}})
report = workspace.steps.run(mode={mode!r}, workers=1, printing=False)
assert (report.counts["done"], report.counts["failed"]) == (2, 1), report.counts
assert "No space left" in report.failures[0].message
assert [row["step_status"] for row in Workspace(folder).steps.iter_status()] == [30, 40, 30]
assert os.statvfs(folder).f_ffree > 200
workspace.close()
(workspace.data_path / "mended").touch()
assert workspace.steps.run(mode="main_process", printing=False).counts["done"] == 1
"""
    check_program(start, text)
