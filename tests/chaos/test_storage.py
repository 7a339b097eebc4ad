"""Drives fail: full, sealed, limited, moved, late. Old outputs stay whole, the cause is told, and the next run heals."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from sinagot import Workspace
from sinagot.errors import StorageError
from sinagot.testing import make_workspace, script_text
from tests.chaos.conftest import StartProgram, litter, outputs, statuses
from tests.chaos.mounts import check_program, needs_mounts

pytestmark = pytest.mark.chaos


@needs_mounts
@pytest.mark.parametrize("mode", ["main_process", "processes"])
def test_full_disk(mode: str, tmp_path: Path, start: StartProgram) -> None:
    """Jobs that find no space fail with that cause, none is half there, status is readable; with space again all is done."""
    text = f"""
folder = {str(tmp_path / "lab")!r}
os.makedirs(folder)
mount("-t", "tmpfs", "-o", "size=5m", "tmpfs", folder)
from pathlib import Path
from sinagot import Workspace
from sinagot.testing import make_workspace, script_text

body = "self.path.output.write_bytes(self.id.encode() * 60_000)"
workspace = make_workspace(folder, records=12, scripts={{"a": script_text(body)}})
ballast = Path(folder, "ballast")
ballast.write_bytes(b"x" * 2_500_000)
report = workspace.steps.run(mode={mode!r}, workers=2, printing=False)
counts = report.counts
assert counts["done"] >= 2 and counts["failed"] >= 2 and counts["done"] + counts["failed"] == 12, counts
assert all("No space left" in group.message for group in report.failures), report.failures
for path in (workspace.data_path / "out").glob("[!.]*"):
    assert path.read_bytes() == path.stem.encode() * 60_000
status = [row["step_status"] for row in Workspace(folder).steps.iter_status()]
assert status.count(30) == counts["done"] and 20 not in status, status
ballast.unlink()
workspace.close()
mount("-o", "remount,size=40m", folder)
report = Workspace(folder).steps.run(mode="main_process", printing=False)
assert report.ok and report.counts["done"] == counts["failed"], report
assert len(list((workspace.data_path / "out").glob("[!.]*"))) == 12
"""
    check_program(start, text)


@needs_mounts
def test_next_to_nothing_left(tmp_path: Path, start: StartProgram) -> None:
    """A drive on which not even a failure could be written down is refused before any script runs, once."""
    text = f"""
folder = {str(tmp_path / "lab")!r}
os.makedirs(folder)
from pathlib import Path
from sinagot import Workspace
from sinagot.errors import StorageError
from sinagot.testing import make_workspace
workspace = make_workspace(folder)
data = str(workspace.data_path / "first")
os.makedirs(data)
mount("-t", "tmpfs", "-o", "size=2m", "tmpfs", str(workspace.data_path))
Path(workspace.data_path, "raw").mkdir()
Path(workspace.data_path, "raw/REC-1.txt").write_text("raw")
Path(workspace.data_path, "ballast").write_bytes(b"x" * 1_500_000)
try:
    Workspace(folder).steps.run(printing=False)
except StorageError as error:
    assert "no space for outputs" in str(error) and "kB left" in str(error), error
else:
    raise AssertionError("no refusal")
assert not list(workspace.data_path.glob("first/*"))
"""
    check_program(start, text)


@needs_mounts
@pytest.mark.parametrize("part", [".", "out", "LOG"])
def test_sealed_folder(part: str, tmp_path: Path, start: StartProgram) -> None:
    """A folder that can't be written is refused with one message before any script runs; the status is told all the same."""
    text = f"""
folder = {str(tmp_path / "lab")!r}
part = {part!r}
from pathlib import Path
from sinagot import Workspace
from sinagot.errors import StorageError
from sinagot.testing import make_workspace, script_text
body = '(self.data_path.parent / "started").touch()\\nself.path.output.write_text("x")'
workspace = make_workspace(folder, records=3, scripts={{"a": script_text(body)}})
assert workspace["REC-1"].steps.run(printing=False).ok
Path(folder, "started").unlink()
sealed = str(workspace.data_path / part)
mount("--bind", sealed, sealed)
mount("-o", "remount,bind,ro", sealed)
try:
    Workspace(folder).steps.run(printing=False)
except StorageError as error:
    assert "Read-only file system" in str(error) and "[path]" in str(error), error
else:
    raise AssertionError("no refusal")
assert not Path(folder, "started").exists()
assert [row["step_status"] for row in Workspace(folder).steps.iter_status()] == [30, 10, 10]
report = Workspace(folder)["REC-1"].steps.run(printing=False)
assert report.counts["up_to_date"] == 1
"""
    check_program(start, text)


@needs_mounts
def test_stage_on_another_file_system(tmp_path: Path, start: StartProgram) -> None:
    """Where outputs lie on another drive than the stage, they are copied beside their place and appear whole."""
    text = f"""
folder = {str(tmp_path / "lab")!r}
from sinagot import Workspace
from sinagot.testing import make_workspace
workspace = make_workspace(folder)
(workspace.data_path / "first").mkdir()
mount("-t", "tmpfs", "tmpfs", str(workspace.data_path / "first"))
assert Workspace(folder).steps.run(printing=False).counts["done"] == 6
assert Workspace(folder).steps.run(printing=False, rerun="outdated").counts["up_to_date"] == 6
assert sorted(path.name for path in (workspace.data_path / "first").iterdir()) == [f"REC-{{n}}.txt" for n in (1, 2, 3)]
assert (workspace.data_path / "first/REC-1.txt").read_text() == "REC-1first"
"""
    check_program(start, text)


@pytest.mark.parametrize("mode", ["main_process", "processes"])
def test_limit_of_file_size(mode: str, tmp_path: Path, start: StartProgram) -> None:
    """A file that would be larger than is allowed fails its own job, with the cause; nobody is killed by the signal."""
    text = f"""
import resource
from sinagot import Workspace
from sinagot.testing import make_workspace, script_text
body = "self.path.output.write_bytes(b'x' * (300_000 if self.id == 'R2' else 10))"
workspace = make_workspace({str(tmp_path / "lab")!r}, records=["R1", "R2", "R3"], scripts={{"a": script_text(body)}})
resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, resource.RLIM_INFINITY))
report = workspace.steps.run(mode={mode!r}, workers=1, printing=False)
assert (report.counts["done"], report.counts["failed"]) == (2, 1), report.counts
assert "File too large" in report.failures[0].message
workspace.close()
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
assert workspace.steps.run(mode="main_process", printing=False).counts["done"] == 1
"""
    program = start(text)
    assert program.wait() == 0, program.said


@pytest.mark.parametrize("mode", ["main_process", "processes", "dask"])
def test_no_descriptors_left(mode: str, tmp_path: Path, start: StartProgram) -> None:
    """A script that uses up all descriptors fails with that cause; the driver lives, and others are done."""
    text = f"""
import resource
from sinagot.testing import make_workspace, script_text
body = '''
if self.id == "R2":
    kept = [open(os.devnull) for _ in range(10_000)]
self.path.output.write_text("x")
'''
workspace = make_workspace({str(tmp_path / "lab")!r}, records=["R1", "R2", "R3"], scripts={{"a": script_text(body)}})
resource.setrlimit(resource.RLIMIT_NOFILE, (128, 128))
report = workspace.steps.run(mode={mode!r}, workers=1, printing=False)
assert (report.counts["done"], report.counts["failed"]) == (2, 1), report.counts
assert "Too many open files" in report.failures[0].message
workspace.close()
"""
    program = start(text)
    assert program.wait() == 0, program.said


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO, errno.EDQUOT], ids=["ENOSPC", "EIO", "EDQUOT"])
@pytest.mark.parametrize("place", ["commit", "done", "fsync", "replace"])
def test_error_while_publishing(
    place: str, code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An error of the drive at any point of a publication leaves the old output or the new one, whole; then all heals."""
    settings = '[run]\ndurability = "full"'
    scripts = {"a": script_text("self.path.output.write_text('new')")}
    workspace = make_workspace(tmp_path, records=["R1"], scripts=scripts, settings=settings)
    final = workspace.data_path / "out/R1.txt"
    final.parent.mkdir()
    final.write_text("old")

    def refuse(*_: object, **__: object) -> None:
        raise OSError(code, os.strerror(code))

    if place in ("commit", "done"):
        from sinagot.engine.state.history import EventFile

        real = EventFile.append
        monkeypatch.setattr(
            EventFile,
            "append",
            lambda self, data, **more: refuse() if data["event"] == place else real(self, data, **more),
        )
    elif place == "fsync":
        monkeypatch.setattr("sinagot.dataset.moves.os.fsync", refuse)
        # The note that a run begins is synced by the same function.
        monkeypatch.setattr("sinagot.engine.power.open_run", lambda *_: None)
    else:
        move = os.replace
        monkeypatch.setattr(
            "sinagot.dataset.moves.os.replace",
            lambda source, target: refuse() if "/stage/" in source else move(source, target),
        )
    report = workspace.steps.run(printing=False, force=True)
    monkeypatch.undo()
    if place == "done":  # it is in place, and that is what counts
        assert report.counts["done"] == 1 and "could not be written down" in report.warnings[0]
    else:
        assert report.counts["failed"] == 1 and os.strerror(code) in report.failures[0].message
        assert final.read_text() == "old"
        assert statuses(workspace) == [40]
        assert workspace.steps.run(printing=False).counts["done"] == 1
    assert final.read_text() == "new"
    assert statuses(workspace) == [30] and litter(workspace) == []


def test_output_folder_removed_during_the_run(tmp_path: Path) -> None:
    """Whoever removes the output folder, stage included, costs the running job at most; the next run makes what is missing."""
    body = """
    self.path.output.write_text("x")
    if self.id == "R2" and not (self.data_path / "removed").exists():
        import shutil
        (self.data_path / "removed").touch()
        shutil.rmtree(self.data_path / "out")
        shutil.rmtree(self.data_path / ".sinagot" / "stage")
    """
    workspace = make_workspace(tmp_path, records=["R1", "R2", "R3"], scripts={"a": script_text(body)})
    report = workspace.steps.run(printing=False, mode="main_process")
    assert (report.counts["done"], report.counts["failed"]) == (2, 1)
    assert sorted(outputs(workspace)) == ["R3.txt"]
    assert workspace.steps.run(printing=False, mode="main_process").counts["done"] == 2
    assert statuses(workspace) == [30, 30, 30] and litter(workspace) == []


def test_state_folder_removed_during_the_run(tmp_path: Path) -> None:
    """Whoever removes the state folder costs the running job; the others are done, and the next run does the rest."""
    body = """
    self.path.output.write_text("x")
    if self.id == "R2" and not (self.data_path / "removed").exists():
        import shutil
        (self.data_path / "removed").touch()
        shutil.rmtree(self.data_path / ".sinagot")
    """
    workspace = make_workspace(tmp_path, records=["R1", "R2", "R3"], scripts={"a": script_text(body)})
    report = workspace.steps.run(printing=False, mode="main_process")
    assert (report.counts["done"], report.counts["failed"]) == (2, 1), report.failures
    assert statuses(workspace)[0] == statuses(workspace)[2] == 30
    assert workspace.steps.run(printing=False, mode="main_process").counts["done"] == 1
    assert statuses(workspace) == [30, 30, 30] and litter(workspace) == []


def test_dataset_that_was_moved(tmp_path: Path) -> None:
    """A workspace that was moved or renamed is as done as before, by presence and by what results came from."""
    extra = "self.path.output.write_text('x')\nself.path.output.with_suffix('.side').write_text('y')"
    workspace = make_workspace(tmp_path / "here", scripts={"a": script_text(extra)})
    assert workspace.steps.run(printing=False).ok
    (tmp_path / "here").rename(tmp_path / "there")
    moved = Workspace(tmp_path / "there")
    assert statuses(moved) == [30, 30, 30]
    assert moved.steps.run(printing=False).counts["up_to_date"] == 3
    assert moved.steps.run(printing=False, rerun="outdated").counts["up_to_date"] == 3
    assert moved.steps.run(printing=False, force=True).counts["done"] == 3  # extras of its own are replaced


@pytest.mark.parametrize(("wait", "outcome"), [(60, "done"), (0, "missing_input")])
def test_input_that_is_seen_late(wait: int, outcome: str, tmp_path: Path) -> None:
    """An input that the plan has seen and that is not seen now is waited for, as long as the configuration says."""
    body = """
    self.path.output.write_text(self.path.input.read_text())
    if self.id == "R1":
        late = self.data_path / "raw" / "R2.txt"
        away = late.with_suffix(".away")
        late.rename(away)
        if WAIT:
            os.system(f"(sleep 0.4; mv '{away}' '{late}') &")
    """.replace("WAIT", str(wait))
    workspace = make_workspace(
        tmp_path,
        records=["R1", "R2"],
        scripts={"a": script_text(body)},
        settings=f"[run]\nlatency_wait = {wait}",
    )
    assert workspace.steps.run(printing=False, mode="main_process").counts[outcome] >= 1
    if outcome == "done":
        assert statuses(workspace) == [30, 30]


def test_space_is_compared_with_earlier_outputs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run warns when what is free is less than the largest earlier output of its steps, and names both."""
    from sinagot.dataset.volumes import Room

    scripts = {"a": script_text("self.path.output.write_bytes(bytes(3_000_000))")}
    workspace = make_workspace(tmp_path, records=2, scripts=scripts)
    assert workspace.steps.run(printing=False).warnings == []
    monkeypatch.setattr("sinagot.engine.ground.LITTLE", 0)
    monkeypatch.setattr("sinagot.engine.ground.room_of", lambda path: Room(2_500_000, None))
    (warning,) = workspace.steps.run(printing=False, force=True).warnings
    assert "2.5 MB left" in warning and "largest output of these steps took 3 MB" in warning
    monkeypatch.setattr("sinagot.engine.ground.room_of", lambda path: Room(10**9, 0))
    with pytest.raises(StorageError, match="no more files"):
        workspace.steps.run(printing=False, force=True)
