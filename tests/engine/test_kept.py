"""What failed attempts had written is kept: one folder a job, as long as its failure is on record."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from sinagot import Workspace
from sinagot.engine.accounts.report import RunReport
from sinagot.engine.executors import watch
from sinagot.engine.state.history import Marks
from sinagot.engine.state.kept import FailureMarks, kept_names
from sinagot.engine.state.sweep import sweep
from sinagot.testing import make_workspace, script_text

KEEP = "[run]\nkeep_failed = true\n"
#: Writes half of its output and fails while there is a file `bad` in the data folder; the file says how.
HALF = """
self.path.output.write_text(self.id)
bad = self.data_path / "bad"
if bad.exists():
    exec(bad.read_text())
"""


@pytest.fixture(params=["main_process", "processes"])
def mode(request: pytest.FixtureRequest) -> str:
    """Where jobs run."""
    return str(request.param)


@pytest.fixture
def open_workspace(tmp_path: Path) -> Iterator[Callable[..., Workspace]]:
    """Give a maker of workspaces that end with the test."""
    made: list[Workspace] = []

    def make(
        settings: str = KEEP, body: str = HALF, bad: str = "raise ValueError(self.id)", **what: Any
    ) -> Workspace:
        what = {"records": 1, "scripts": {"a": script_text(body)}} | what
        made.append(make_workspace(tmp_path / "lab", settings=settings, kind=Workspace, **what))
        (made[-1].data_path / "bad").write_text(bad)
        return made[-1]

    yield make
    for workspace in made:
        workspace.close()


def run(workspace: Workspace, mode: str = "main_process", **options: Any) -> RunReport:
    """Run all steps."""
    return workspace.steps.run(mode=mode, printing=False, **options)


def kept(workspace: Workspace) -> list[dict[str, str]]:
    """Give the files of each folder that is kept, with their texts."""
    folders = sorted((workspace.data_path / ".sinagot" / "failed").glob("*"))
    return [
        {
            path.relative_to(folder).as_posix(): path.read_text()
            for path in folder.rglob("*")
            if path.is_file()
        }
        for folder in folders
    ]


def test_what_a_failed_attempt_had_written_is_kept(
    open_workspace: Callable[..., Workspace], mode: str
) -> None:
    """The tree of the stage is kept, and the last line of the message and of the log's traceback says where."""
    workspace = open_workspace(records=3)
    report = run(workspace, mode)
    assert sorted(kept(workspace), key=str) == [
        {f"out/REC-{number}.txt": f"REC-{number}"} for number in (1, 2, 3)
    ]
    assert [group.count for group in report.failures] == [3]  # where it is kept makes no cause of its own
    line = workspace["REC-1"].logs_json()[-1]
    words, _, path = line["exc_message"].partition("\nwhat it had written is kept in ")
    assert words == "REC-1" and (Path(path) / "out" / "REC-1.txt").read_text() == "REC-1"
    assert Path(path) == workspace.data_path / ".sinagot" / "failed" / line["attempt"]
    assert line["traceback"].endswith(f"ValueError: REC-1\nwhat it had written is kept in {path}\n")
    assert not list((workspace.data_path / ".sinagot" / "stage").glob("*"))
    assert "\nwhat it had written is kept in " in report.failures[0].message


def test_only_the_newest_is_kept_until_the_job_is_done(
    open_workspace: Callable[..., Workspace], mode: str
) -> None:
    """A later failure takes the place of the former; one that wrote nothing leaves it; a success removes it."""
    workspace = open_workspace()
    run(workspace, mode)
    (first,) = (workspace.data_path / ".sinagot" / "failed").iterdir()
    (workspace.data_path / "bad").write_text("self.path.output.write_text('2'); raise ValueError")
    run(workspace, mode)
    assert kept(workspace) == [{"out/REC-1.txt": "2"}] and not first.exists()
    (workspace.data_path / "bad").write_text("self.path.output.unlink(); raise ValueError")
    report = run(workspace, mode)
    assert report.failures[0].message == "" and kept(workspace) == [{"out/REC-1.txt": "2"}]
    (workspace.data_path / "bad").unlink()
    assert run(workspace, mode).ok and kept(workspace) == []


def test_tries_of_one_run_leave_one_folder(open_workspace: Callable[..., Workspace], mode: str) -> None:
    """With retries only the last try is kept; the log line tells the tries in its first line."""
    workspace = open_workspace(f"{KEEP}retries = 2\nretry_wait = 0.05", bad="raise ValueError")
    report = run(workspace, mode)
    assert report.counts["failed"] == 1 and len(kept(workspace)) == 1
    first, *_, last = [line for line in workspace["REC-1"].logs_json() if line["step_status"] == 40]
    assert first["message"].startswith(
        "ValueError (try 1 of 3, again in 0.05 s)\nwhat it had written is kept in /"
    )
    assert (
        last["message"].startswith("ValueError\nwhat it had written")
        and report.failures[0].cause == "ValueError: "
    )


@pytest.mark.parametrize("how", ["off", "empty", "not atomic"])
def test_nothing_is_kept(open_workspace: Callable[..., Workspace], how: str) -> None:
    """Nothing is kept unless asked for, where nothing was written, and of what is written in place."""
    members = "ATOMIC = False" if how == "not atomic" else "KEEP_FAILED = True"
    body = "raise ValueError('no')" if how == "empty" else HALF
    settings = "[steps.a]\nkeep_failed = false" if how == "off" else KEEP
    workspace = open_workspace(
        settings, scripts={"a": script_text(body, members=members)}, bad="raise ValueError('no')"
    )
    assert run(workspace).failures[0].message == "no"
    assert kept(workspace) == [] and not (workspace.data_path / ".sinagot" / "failed").exists()


@pytest.mark.parametrize("bad", ["os.kill(os.getpid(), 9)", "x = bytearray(300_000_000); time.sleep(60)"])
def test_attempt_that_died_with_its_process_is_kept(
    open_workspace: Callable[..., Workspace], mode: str, bad: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a crash, or a kill for too much memory, left in the stage is kept like any failure's."""
    monkeypatch.setattr(watch, "TERM_GRACE", 0.3)
    workspace = open_workspace(f"{KEEP}memory = '200 MB'", bad=bad)
    (group,) = run(workspace, mode).failures
    assert group.exc_type in ("WorkerLostError", "StepMemoryError")
    assert kept(workspace) == [{"out/REC-1.txt": "REC-1"}]
    assert "\nwhat it had written is kept in " in group.message
    (workspace.data_path / "bad").unlink()
    assert run(workspace, mode).ok and kept(workspace) == []


def test_interrupted_attempt_is_not_kept(open_workspace: Callable[..., Workspace]) -> None:
    """Ctrl-C is no failure: what was written is thrown away, and what an earlier failure kept stays."""
    workspace = open_workspace(f"{KEEP}stop_grace = 0.1")
    run(workspace)
    (workspace.data_path / "bad").write_text(
        "import signal; self.path.output.write_text('2'); os.kill(os.getpid(), signal.SIGINT); time.sleep(60)"
    )
    with pytest.raises(KeyboardInterrupt):
        run(workspace)
    assert kept(workspace) == [{"out/REC-1.txt": "REC-1"}]


def test_full_disk_keeps_nothing_and_hides_nothing(
    open_workspace: Callable[..., Workspace], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the folder cannot be moved the failure is told as before, and the stage is cleared away."""
    workspace = open_workspace()
    real = os.makedirs

    def refuse(path: str, *given: Any, **more: Any) -> None:
        if os.fspath(path).endswith("/failed"):
            raise OSError(errno.ENOSPC, "No space left on device")
        real(path, *given, **more)

    monkeypatch.setattr(os, "makedirs", refuse)
    report = run(workspace)
    assert report.failures[0].message == "REC-1" and report.warnings == []
    assert kept(workspace) == [] and not list((workspace.data_path / ".sinagot" / "stage").glob("*"))


def test_state_on_another_file_system(
    open_workspace: Callable[..., Workspace], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where no rename leads from the outputs to the state folder, it is kept beside the stages."""
    workspace = open_workspace(f"{KEEP}[path]\nstate = '{tmp_path}/state'")
    real = os.rename

    def rename(source: str, target: str) -> None:
        if str(target).startswith(f"{tmp_path}/state/"):
            raise OSError(errno.EXDEV, "Invalid cross-device link")
        real(source, target)

    monkeypatch.setattr(os, "rename", rename)
    report = run(workspace)
    assert f"kept in {workspace.data_path}/.sinagot/failed/" in report.failures[0].message
    assert kept(workspace) == [{"out/REC-1.txt": "REC-1"}]
    (workspace.data_path / "bad").unlink()
    assert run(workspace).ok and kept(workspace) == []


def test_removed_state_folder_is_no_error(open_workspace: Callable[..., Workspace]) -> None:
    """What is kept may be removed by hand, and the state folder with it, before or while a script runs."""
    workspace = open_workspace()
    state = workspace.data_path / ".sinagot"
    run(workspace)
    shutil.rmtree(state / "failed")
    assert run(workspace).counts["failed"] == 1 and len(kept(workspace)) == 1
    shutil.rmtree(state)
    (workspace.data_path / "bad").write_text(
        f"import shutil; shutil.rmtree({str(state)!r}); raise ValueError"
    )
    assert run(workspace).failures[0].message == ""
    (workspace.data_path / "bad").unlink()
    assert run(workspace).ok


def make_litter(state: Path, name: str, run_id: str = "run") -> Path:
    """Keep something of a process that is no more."""
    (state / "runs" / run_id).mkdir(parents=True, exist_ok=True)
    folder = state / "failed" / name
    folder.mkdir(parents=True)
    (folder / "file").touch()
    return folder


def test_sweep_takes_what_no_mark_names(tmp_path: Path) -> None:
    """Litter goes, also half removed; what a mark names stays, and what another state folder may have kept."""
    named, litter = make_litter(tmp_path, "run-1-1"), make_litter(tmp_path, "run-1-2")
    half, foreign = make_litter(tmp_path, "swept-9-ab~"), make_litter(tmp_path, "other-1-1")
    marks = FailureMarks(str(tmp_path), f"{tmp_path}/stage")
    marks.set("R/a", {"status": 40, "kept": "run-1-1"})
    marks.set("R/a", {"status": 43})
    assert kept_names(str(tmp_path)) == {"run-1-1"}
    sweep(str(tmp_path), f"{tmp_path}/stage")
    assert [path.exists() for path in (named, litter, half, foreign)] == [True, False, False, True]
    marks.clear("R/a")
    assert not named.exists() and marks.get("R/a") is None


def test_broken_mark_costs_nothing_that_is_kept(tmp_path: Path) -> None:
    """While a mark cannot be read nobody knows what it names: all stays. One that names a path is not followed."""
    litter = make_litter(tmp_path, "run-1-1")
    marks = FailureMarks(str(tmp_path), f"{tmp_path}/stage")
    marks.set("R/a", {"kept": "../runs"})
    (tmp_path / "failures" / "R%2Fb").write_text('{"kept": "run')
    sweep(str(tmp_path), f"{tmp_path}/stage")
    assert litter.exists()
    marks.clear("R/a"), marks.clear("R/b")
    assert (tmp_path / "runs" / "run").exists() and not Marks(str(tmp_path), "failures").names()
    sweep(str(tmp_path), f"{tmp_path}/stage")
    assert not litter.exists()


def test_empty_output_is_a_failure_that_can_be_looked_at(
    open_workspace: Callable[..., Workspace], mode: str
) -> None:
    """With `nonempty` a step that leaves its output empty has failed: the former output stays, the cause names it."""
    workspace = open_workspace(
        f"{KEEP}[steps.a]\nnonempty = true",
        bad="self.path.output.write_text(''); (self.path.output.parent / 'x').touch()",
    )
    out = workspace.data_path / "out" / "REC-1.txt"
    out.parent.mkdir()
    out.write_text("former")
    report = run(workspace, mode, force=True)
    (group,) = report.failures
    assert group.exc_type.endswith("BadOutputError") and group.message.startswith(f"{out} is empty (")
    assert out.read_text() == "former" and kept(workspace) == [{"out/REC-1.txt": "", "out/x": ""}]
    (workspace.data_path / "bad").unlink()
    assert run(workspace, mode).ok and out.read_text() == "REC-1"


def test_empty_output_in_place_is_a_failure(open_workspace: Callable[..., Workspace]) -> None:
    """A step that writes in place fails as well, by what its class says; `[steps.NAME]` may take it back."""
    script = script_text(HALF, members="ATOMIC = False\nNONEMPTY = True")
    workspace = open_workspace("", scripts={"a": script}, bad="self.path.output.write_text('')")
    assert "REC-1.txt is empty" in run(workspace).failures[0].message
    assert [row["step_status"] for row in workspace.steps.iter_status()] == [40]
    with (workspace.data_path.parent / "workspace.toml").open("a") as file:
        file.write("[steps.a]\nnonempty = false\n")
    with Workspace(workspace.data_path.parent) as other:
        assert run(other).ok
