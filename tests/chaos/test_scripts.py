"""Scripts that misbehave: each costs its own job and nothing else, and its cause can be read."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import psutil
import pytest

from sinagot import Workspace
from sinagot.engine.executors.contract import Executor
from sinagot.engine.executors.processes import ProcessExecutor
from sinagot.engine.report import FailureGroup, RunReport
from sinagot.testing import await_true, make_workspace, script_text
from tests.chaos.conftest import heal, litter, outputs, statuses

pytestmark = pytest.mark.chaos

RECORDS = ["R1", "R2", "R3"]
BOTH = {"a": ("out", "1-{id}.txt"), "b": ("out", "2-{id}.txt")}


class Lab:
    """Makes workspaces in which one record's script misbehaves, and runs them in one mode."""

    def __init__(self, folder: Path, executor: Executor | None) -> None:
        self.folder = folder
        self.executor = executor
        self.workspace: Workspace

    def make(self, body: str, **what: Any) -> Workspace:
        """Make a workspace; for record R2, until it is mended, `body` is run instead of writing the output."""
        good = "for path in (self.path.output.values() if isinstance(self.path.output, dict) else [self.path.output]):\n"
        good += "    path.write_text(f'{self.id} is whole')"
        lines = ["if self.id == 'R2' and not (self.data_path / 'mended').exists():"]
        lines += ["    " + line for line in body.strip().splitlines()] + ["    return", good]
        workspace = make_workspace(
            self.folder, records=RECORDS, scripts={"a": script_text("\n".join(lines), **what)}
        )
        executor = self.executor
        if executor is not None:
            workspace.executor = lambda key, make: nullcontext(executor)  # type: ignore[method-assign]
        self.workspace = workspace
        return workspace

    def run(self, **options: Any) -> RunReport:
        """Run all steps."""
        mode = "main_process" if self.executor is None else "processes"
        return self.workspace.steps.run(**{"mode": mode, "printing": False, **options})

    def failure(self) -> FailureGroup:
        """Run, and give the one failure; the other records are done, the bad one is ERROR, and a plain run heals."""
        report = self.run()
        assert {name: count for name, count in report.counts.items() if count} == {"done": 2, "failed": 1}
        (group,) = report.failures
        assert group.records == ("R2",)
        assert statuses(self.workspace) == [30, 40, 30]
        assert litter(self.workspace, owners=False) == []
        assert {name[-6:-4] for name in outputs(self.workspace)} == {"R1", "R3"}
        last = self.workspace["R2"].logs_json()[-1]
        assert (last["step_status"], last["exc_type"]) == (40, group.exc_type)
        (self.workspace.data_path / "mended").touch()
        heal(self.workspace, left=1)
        return group


@pytest.fixture(scope="module")
def children() -> Iterator[ProcessExecutor]:
    """Give an executor with two children."""
    executor = ProcessExecutor(2)
    yield executor
    executor.close()


@pytest.fixture(params=["main_process", "processes"])
def lab(request: pytest.FixtureRequest, tmp_path: Path) -> Lab:
    """Give a lab whose jobs run here, and one whose jobs run in children."""
    return Lab(tmp_path, None if request.param == "main_process" else request.getfixturevalue("children"))


@pytest.fixture
def far_lab(children: ProcessExecutor, tmp_path: Path) -> Lab:
    """Give a lab whose jobs run in children: for what a main process would not survive."""
    return Lab(tmp_path, children)


@pytest.mark.parametrize(
    ("body", "exc_type", "message"),
    [
        ("raise SystemExit(3)", "SystemExit", "3"),
        ("import sys; sys.exit()", "SystemExit", ""),
        ("raise KeyboardInterrupt", "KeyboardInterrupt", ""),
        ("raise GeneratorExit('odd')", "GeneratorExit", "odd"),
        ("raise MemoryError", "MemoryError", ""),
        ("def f(): f()\nf()", "RecursionError", "maximum recursion depth"),
        (
            "raise ExceptionGroup('several', [ValueError('one'), KeyError('two')])",
            "ExceptionGroup",
            "several",
        ),
    ],
    ids=["exit 3", "exit", "interrupt", "generator exit", "memory", "recursion", "group"],
)
def test_exception_of_any_kind_is_a_failure(lab: Lab, body: str, exc_type: str, message: str) -> None:
    """Whatever a script raises ends its own job, as ERROR with a cause, and nothing else."""
    lab.make(body)
    group = lab.failure()
    assert group.exc_type == exc_type
    assert message in group.message
    assert "a.py" in group.where


def test_exception_that_no_pickle_can_carry(lab: Lab) -> None:
    """An exception with a lock, a broken text or a class inside a function comes back as type, text and traceback."""
    lab.make(
        """
import threading
class Local(Exception):
    lock = threading.Lock()
    def __init__(self): self.mine = threading.Lock()
    def __str__(self): raise RuntimeError('no text')
    def __reduce__(self): raise RuntimeError('no pickle')
raise Local
"""
    )
    group = lab.failure()
    assert group.exc_type.endswith("Local")
    assert "raise Local" in group.traceback


def test_text_of_an_exception_is_cut(lab: Lab) -> None:
    """The text of a failure is at most some 64 KiB, however long the exception's own is."""
    lab.make("raise ValueError('x' * 50_000_000)")
    assert 60_000 < len(lab.failure().message) < 70_000


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ("os._exit(0)", "exited with code 0"),
        ("os._exit(3)", "exited with code 3"),
        ("import ctypes; ctypes.string_at(0)", "SIGSEGV"),
        ("os.abort()", "SIGABRT"),
        ("os.kill(os.getpid(), 9)", "SIGKILL"),
    ],
    ids=["exit 0", "exit 3", "segfault", "abort", "kill"],
)
def test_script_that_takes_its_process_down(far_lab: Lab, body: str, text: str) -> None:
    """A script that ends its process is blamed by name of what happened; it is run once."""
    noted = "(self.data_path / f'begun-{time.monotonic_ns()}').touch()\n" + body
    far_lab.make(noted)
    group = far_lab.failure()
    assert group.exc_type == "WorkerLostError"
    assert text in group.message
    assert len(list(far_lab.workspace.data_path.glob("begun-*"))) == 1


@pytest.mark.parametrize(
    "body", ["self.path.output['a'].write_text('half')", "pass"], ids=["one of two", "none"]
)
def test_output_that_was_not_written_is_named(lab: Lab, body: str) -> None:
    """A script that returns without all its outputs fails: what is missing is named, and neither is published."""
    lab.make(body, path_out=BOTH)
    group = lab.failure()
    assert group.exc_type.endswith("MissingOutputError")
    assert ("1-R2.txt" in group.message) == (body == "pass")
    assert "2-R2.txt" in group.message


def test_raising_after_writing_all_publishes_nothing(lab: Lab) -> None:
    """Outputs of a script that raises at its very end are not published."""
    lab.make("self.path.output.write_text('looks whole')\nraise ValueError('after all')")
    assert lab.failure().message == "after all"


@pytest.mark.parametrize(
    "change",
    ["self.path.input.unlink()", "self.path.input.write_text('other')", "os.utime(self.path.input, (1, 1))"],
    ids=["deleted", "rewritten", "touched"],
)
def test_input_that_changes_meanwhile(lab: Lab, change: str) -> None:
    """When an input is not what it was at the start, nothing made from it is published."""
    workspace = lab.make(f"{change}\nself.path.output.write_text('from what?')")
    report = lab.run()
    (group,) = report.failures
    assert group.exc_type.endswith("InputChangedError")
    assert "raw/R2.txt" in group.message
    assert sorted(outputs(workspace)) == ["R1.txt", "R3.txt"]
    (workspace.data_path / "raw" / "R2.txt").write_text("R2")
    (workspace.data_path / "mended").touch()
    heal(workspace, left=1)


def test_script_that_says_a_lot(lab: Lab, capfd: pytest.CaptureFixture[str]) -> None:
    """Megabytes of prints neither block nor fill the memory: the log keeps a part and counts the rest."""
    lab.make("for _ in range(200): print('x' * 100_000)\nprint('end')\nraise ValueError('said it')")
    report = lab.run()
    assert report.counts["failed"] == 1
    last = lab.workspace["R2"].logs_json()[-1]
    assert last["stdout_dropped_bytes"] > 5_000_000
    log = lab.workspace.data_path / "LOG"
    assert sum(path.stat().st_size for path in log.iterdir()) < 30_000_000


def test_processes_that_a_script_leaves_are_ended(far_lab: Lab) -> None:
    """What a script started and left behind ends with its job, also in a session of its own."""
    body = """
import subprocess, sys
for apart in (False, True):
    child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(100)'], start_new_session=apart)
    (self.data_path / f'left-{child.pid}').touch()
self.path.output.write_text('')
"""
    workspace = far_lab.make(body)
    assert far_lab.run().ok
    pids = [int(path.name.removeprefix("left-")) for path in workspace.data_path.glob("left-*")]
    assert len(pids) == 2
    await_true(lambda: not any(map(psutil.pid_exists, pids)), "left-over processes end", 5)


#: What a script can do to its process, and what the next one asks.
CHANGES = {
    "folder": ("os.chdir('/')", "os.getcwd()"),
    "removed folder": (
        "import tempfile\nfolder = tempfile.mkdtemp()\nos.chdir(folder)\nos.rmdir(folder)",
        "os.getcwd()",
    ),
    "environment": ("os.environ['CHANGED'] = 'yes'\ndel os.environ['PATH']", "sorted(os.environ.items())"),
    "standard output": (
        "os.close(1)\nos.close(2)",
        "[os.path.exists(f'/proc/self/fd/{n}') for n in range(3)]",
    ),
    "redirected output": ("os.dup2(os.open('/dev/null', os.O_WRONLY), 1)", "os.readlink('/proc/self/fd/1')"),
    "python's output": (
        "import sys, io\nsys.stdout = io.StringIO()\nsys.stderr = None",
        "type(__import__('sys').stderr)",
    ),
    "signals": (
        "import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\nsignal.signal(signal.SIGUSR1, lambda *_: None)",
        "[str(__import__('signal').getsignal(n))[:30] for n in (10, 15)]",
    ),
    "locale": ("import locale\nlocale.setlocale(locale.LC_ALL, 'C')", "__import__('locale').setlocale(0)"),
    "logging": (
        "logging.basicConfig(level=0)\nlogging.disable(50)",
        "(logging.root.handlers, logging.root.level, logging.root.manager.disable)",
    ),
}


@pytest.mark.parametrize("change", CHANGES)
def test_next_script_finds_a_clean_process(change: str, tmp_path: Path) -> None:
    """Whatever a script does to its process, the next one in the same process finds it as the first one did."""
    do, ask = CHANGES[change]
    body = f"""
(self.data_path / f"{{self.id}}.seen").write_text(str([os.getpid(), {ask}]))
self.path.output.write_text("")
if self.id == "R1":
"""
    body += "\n".join("    " + line for line in do.splitlines())
    executor = ProcessExecutor(1)
    try:
        workspace = make_workspace(
            tmp_path, records=["R1", "R2"], scripts={"a": script_text(body, before="import logging")}
        )
        workspace.executor = lambda key, make: nullcontext(executor)  # type: ignore[method-assign]
        assert workspace.steps.run(mode="processes", printing=False).ok
    finally:
        executor.close()
    first, second = ((workspace.data_path / f"R{number}.seen").read_text() for number in (1, 2))
    assert first == second
