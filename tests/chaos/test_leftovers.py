"""What a script leaves behind in its process: the next one finds a clean place, here, in children and on Dask."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path

import pytest

from sinagot.engine.executors.processes import ProcessExecutor
from sinagot.testing import alive, await_true, make_workspace, script_text
from tests.chaos.conftest import (
    MODES,
    Lab,
    StartProgram,
    driver,
    each_mode,
)

pytestmark = pytest.mark.chaos


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
    "blocked signals": (
        "import signal\nsignal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM, signal.SIGINT])",
        "__import__('signal').pthread_sigmask(0, [])",
    ),
    "permissions": (
        "os.umask(0o777)",
        "[line for line in open('/proc/self/status') if line.startswith('Umask')]",
    ),
    "locale": ("import locale\nlocale.setlocale(locale.LC_ALL, 'C')", "__import__('locale').setlocale(0)"),
    "logging": (
        "logging.basicConfig(level=0, force=True)\nlogging.disable(50)",
        "(logging.root.handlers, logging.root.level, logging.root.manager.disable)",
    ),
}
#: What only a process that is ours is cleaned of: the user's program has modules and alarms of its own.
FAR_CHANGES = {
    "search path": ("import sys\nsys.path[:] = ['/nowhere']", "__import__('sys').path"),
    "modules": (
        "import sys\nsys.modules['shutil'] = None\nsys.modules['subprocess'] = sys",
        "[str(__import__('sys').modules.get(name)) for name in ('shutil', 'subprocess')]",
    ),
    "alarm": (
        "import signal\nsignal.setitimer(signal.ITIMER_REAL, 100)",
        "__import__('signal').getitimer(0)",
    ),
}


def changing(do: str, ask: str) -> str:
    """Give a script that tells what it finds; that of R1 changes it."""
    body = f"""
(self.data_path / f"{{self.id}}.seen").write_text(str([os.getpid(), {ask}]))
self.path.output.write_text("")
if self.id == "R1":
"""
    return script_text(
        body + "\n".join("    " + line for line in do.splitlines()),
        before="import logging\nimport shutil\nimport subprocess",
    )


@pytest.fixture(scope="module")
def child() -> Iterator[ProcessExecutor]:
    """Give an executor with one child."""
    executor = ProcessExecutor(1)
    yield executor
    executor.close()


@pytest.mark.parametrize("change", CHANGES | FAR_CHANGES)
def test_next_script_finds_a_clean_process(change: str, child: ProcessExecutor, tmp_path: Path) -> None:
    """Whatever a script does to its process, the next one in the same process finds it as the first one did."""
    script = changing(*(CHANGES | FAR_CHANGES)[change])
    workspace = make_workspace(tmp_path, records=["R1", "R2"], scripts={"a": script})
    workspace.executor = lambda key, make: nullcontext(child)  # type: ignore[method-assign]
    report = workspace.steps.run(mode="processes", printing=False)
    assert report.ok, report.failures
    first, second = ((workspace.data_path / f"R{number}.seen").read_text() for number in (1, 2))
    assert first == second


@pytest.mark.parametrize("mode", ["main_process", "dask"])
def test_clean_process_everywhere(mode: str, tmp_path: Path, start: StartProgram) -> None:
    """The same in the user's own process and on a Dask worker, with all changes at once; then the program is as before."""
    changes = CHANGES if mode == "main_process" else CHANGES | FAR_CHANGES
    script = changing(
        "\n".join(do for do, _ in changes.values()), ", ".join(ask for _, ask in changes.values())
    )
    workspace = make_workspace(tmp_path / "lab", records=["R1", "R2"], scripts={"a": script})
    program = start(driver(workspace, **MODES[mode]))
    assert program.wait() == 0, program.said
    assert program.ended()[1] == {"done": 2}
    first, second = ((workspace.data_path / f"R{number}.seen").read_text() for number in (1, 2))
    assert first == second


@each_mode
def test_what_a_script_does_while_it_is_loaded_holds_for_all_its_jobs(
    mode: str, tmp_path: Path, start: StartProgram
) -> None:
    """What stands at the top of a script is done once in a process, and is there for the first record as for the last."""
    top = (
        "import logging, sys\nos.environ['LAB'] = 'here'\nsys.path.append('/lab/code')\nlogging.basicConfig()"
    )
    tell = (
        "self.path.output.write_text(str([os.environ.get('LAB'), sys.path[-1], len(logging.root.handlers)]))"
    )
    workspace = make_workspace(
        tmp_path / "lab",
        records=4,
        scripts={"a": script_text(tell, before=top, members="import sys, logging")},
    )
    # The driver of a first run executes the script to learn its paths, and its children inherit what that did.
    for _ in range(2):
        program = start(driver(workspace, force=True, **MODES[mode]))
        assert program.wait() == 0, program.said
        found = {path.read_text() for path in (workspace.data_path / "out").iterdir()}
        assert found == {"['here', '/lab/code', 1]"}


@each_mode
@pytest.mark.parametrize("daemon", [False, True], ids=["thread", "daemon"])
def test_thread_that_a_script_leaves(daemon: bool, mode: str, tmp_path: Path) -> None:
    """A thread that goes on after its script says nothing in the log of the next record; a child is replaced for it."""
    body = f"""
    self.path.output.write_text(str(os.getpid()))
    if self.id == "R1":
        threading.Thread(target=chat, args=(self.data_path,), daemon={daemon}).start()
        SAID.wait(20)
    else:
        SAID.clear()  # of another process, where the child was replaced
        SAID.wait(0.15)
        print("from R2")
    """
    before = """
    import logging
    import threading

    SAID = threading.Event()

    def chat(folder):
        end = time.monotonic() + 20
        while time.monotonic() < end and not (folder / "enough").exists():
            print("from a thread")
            logging.getLogger("lib").error("from a thread")
            SAID.set()
            time.sleep(0.01)
    """
    workspace = make_workspace(
        tmp_path, records=["R1", "R2"], scripts={"a": script_text(body, before=before)}
    )
    with workspace:
        report = workspace.steps.run(printing=False, **MODES[mode])  # type: ignore[arg-type]
        (workspace.data_path / "enough").touch()
    assert report.ok, report.failures
    said = {record.id: {line["message"] for line in record.logs_json()} for record in workspace.records.all()}
    assert "from a thread" in said["R1"]
    assert said["R2"] == {"Init run", "Processing run", "from R2", "Run finished"}
    pids = {path.read_text() for path in (workspace.data_path / "out").iterdir()}
    assert len(pids) == (2 if mode != "main_process" and not daemon else 1)


def test_threads_of_a_pool_are_heard(tmp_path: Path) -> None:
    """What threads of a pool say that an earlier record's script made belongs to the record that asked them; the child stays."""
    body = """
    POOL.submit(print, f"for {self.id}").result()
    self.path.output.write_text(str(os.getpid()))
    """
    before = "from concurrent.futures import ThreadPoolExecutor\nPOOL = ThreadPoolExecutor(1)"
    with make_workspace(tmp_path, scripts={"a": script_text(body, before=before)}) as workspace:
        assert workspace.steps.run(mode="processes", workers=1, printing=False).ok
    for record in workspace.records.all():
        assert f"for {record.id}" in [line["message"] for line in record.logs_json()]
    assert len({path.read_text() for path in (workspace.data_path / "out").iterdir()}) == 1


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
    await_true(lambda: not alive(*pids), "left-over processes end")


#: Prints a gigabyte and then some bytes that are no text, in a program whose own output leads nowhere.
LOUD = """
import os
import sys
os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
from sinagot import Workspace
with Workspace({folder!r}) as workspace:
    report = workspace.steps.run(printing=False, **{options!r})
print("OK" if report.ok else report.failures, file=sys.stderr)
"""


@each_mode
def test_a_gigabyte_of_prints(mode: str, tmp_path: Path, start: StartProgram) -> None:
    """A gigabyte of prints blocks nobody and fills neither memory nor disk: the log has its beginning, and counts the rest."""
    body = "for _ in range(1000): print('x' * 1_000_000)\nself.path.output.touch()"
    workspace = make_workspace(tmp_path / "lab", records=["R1"], scripts={"a": script_text(body)})
    program = start(LOUD.format(folder=str(tmp_path / "lab"), options=MODES[mode]))
    assert program.wait() == 0 and "OK" in program.said, program.said
    last = workspace["R1"].logs_json()[-1]
    assert last["stdout_dropped_bytes"] > 980_000_000 and last["peak_memory_mb"] < 500
    assert sum(path.stat().st_size for path in (workspace.data_path / "LOG").iterdir()) < 30_000_000


@each_mode
def test_prints_that_are_no_text(mode: str, tmp_path: Path, start: StartProgram) -> None:
    """Bytes of every value, by print, by the stream below and by a program of the script, harm neither job nor log."""
    body = """
    sys.stdout.buffer.write(bytes(range(256)) * 1000)
    os.write(1, bytes(range(256)) * 1000)
    subprocess.run(["head", "-c", "50000000", "/dev/urandom"], check=True)
    print(chr(0xDC80), chr(0), chr(27), "end")
    self.path.output.touch()
    """
    script = script_text(body, before="import subprocess, sys")
    workspace = make_workspace(tmp_path / "lab", records=["R1", "R2"], scripts={"a": script})
    program = start(LOUD.format(folder=str(tmp_path / "lab"), options=MODES[mode]))
    assert program.wait() == 0 and "OK" in program.said, program.said
    for record in workspace.records.all():
        lines = record.logs_json()
        assert lines[-1]["message"] == "Run finished" and lines[-2]["message"].endswith("end")
