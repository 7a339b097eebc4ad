"""Programs that drive a run in a process of their own, so that they can be killed; and what must hold afterwards."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from sinagot import Workspace
from sinagot.engine.accounts.report import FailureGroup, RunReport
from sinagot.engine.executors.contract import Executor
from sinagot.engine.executors.dask import DaskExecutor
from sinagot.engine.executors.processes import ProcessExecutor
from sinagot.testing import await_true, make_workspace, script_text

ROOT = Path(__file__).parents[2]
#: With `make chaos` every fault is injected on every executor. Else on Dask, which takes seconds to start, those that
#: mean something else there.
FULL = os.environ.get("SINAGOT_CHAOS") == "full"
#: Ways to run, one job at a time: the options of `run()`.
MODES: dict[str, dict[str, Any]] = {
    "main_process": {"mode": "main_process"},
    "processes": {"mode": "processes", "workers": 1},
    "dask": {"mode": "dask", "workers": 1},
}
MODES_NOW = {mode: options for mode, options in MODES.items() if FULL or mode != "dask"}
each_mode = pytest.mark.parametrize("mode", MODES_NOW)

#: Tests of this folder that `make test` runs, about a minute: those that the seed of the session chooses, of each file
#: at least one. Named on the command line, or with `make chaos`, all of them run.
MOST = 64


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave a minute of faults in a run of all tests; another seed has others."""
    here = Path(__file__).parent
    faults = [item for item in items if item.path.is_relative_to(here)]
    is_asked_for = any(
        here in (path := Path(name.partition("::")[0]).resolve(), *path.parents) for name in config.args
    )
    if FULL or is_asked_for or len(faults) <= MOST:
        return
    random.Random(config.getoption("randomly_seed", 0)).shuffle(faults)
    firsts = {item.path: item for item in reversed(faults)}.values()
    chosen = {*firsts, *[item for item in faults if item not in firsts][: MOST - len(firsts)]}
    config.hook.pytest_deselected(items=[item for item in faults if item not in chosen])
    items[:] = [item for item in items if item in chosen or not item.path.is_relative_to(here)]


#: For scripts: wait for a file, but not for ever.
WAITING = """
import signal
import sys

def await_file(path):
    end = time.monotonic() + 60
    while not path.exists():
        if time.monotonic() > end:
            raise TimeoutError(path)
        time.sleep(0.005)

def tell(path, text):
    path.with_suffix(".part").write_text(text)
    path.with_suffix(".part").replace(path)

def tell_when_asked_to_end(path):
    former = signal.getsignal(signal.SIGTERM)
    def note(*arguments):
        former(*arguments)
        tell(path, "")
    if callable(former) and sys.argv == ["sinagot-worker"]:
        signal.signal(signal.SIGTERM, note)
"""

#: Writes its output in two halves; in between it says that it is there, and waits until it is let go.
HALVES = script_text(
    """
    with self.path.output.open("w") as file:
        file.write("first half, ")
        file.flush()
        tell_when_asked_to_end(self.data_path / f"{self.id}.asked")
        tell(self.data_path / f"{self.id}.half", str(os.getpid()))
        await_file(self.data_path / "free")
        file.write("second half")
    """,
    before=WAITING,
)
WHOLE = "first half, second half"

#: The same, and notes that it begins.
NOTED = script_text(
    """
    with open(self.data_path / "begun.txt", "a") as begun:
        begun.write(f"{self.id}\\n")
    with self.path.output.open("w") as file:
        file.write("first half, ")
        file.flush()
        tell(self.data_path / f"{self.id}.half", str(os.getpid()))
        await_file(self.data_path / "free")
        file.write("second half")
    """,
    before=WAITING,
)

#: A program that runs all steps and says what became of it.
DRIVER = """
import json
import sys
from sinagot import Workspace

workspace = Workspace({folder!r})
try:
    report = workspace.steps.run(**{options!r})
    code = 0 if report.ok else 3
except (KeyboardInterrupt, SystemExit) as error:
    report, code = error.report, 128 + error.report.stopped_by
print("ENDED", json.dumps([report.stopped_by, report.counts]), flush=True)
sys.exit(code)
"""


class Program:
    """A Python program in a session of its own; all its processes carry a mark in their environment."""

    def __init__(self, folder: Path, text: str) -> None:
        name = uuid.uuid4().hex
        self._mark = f"SINAGOT_TEST_MARK={name}".encode()
        file = folder / f"program-{name[:8]}.py"
        file.write_text(dedent(text), encoding="utf-8")
        self._said = folder / f"said-{name[:8]}.txt"
        environment = {
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "SINAGOT_TEST_MARK": name,
            "PYTHONUNBUFFERED": "1",
            "DASK_TEMPORARY_DIRECTORY": str(folder / "dask"),
        }
        with self._said.open("wb") as said:
            self._known: set[int] = set()
            self.process = subprocess.Popen(
                [sys.executable, str(file)],
                cwd=folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def said(self) -> str:
        """Standard output and standard error up to now."""
        return self._said.read_text(encoding="utf-8", errors="replace")

    def wait(self, seconds: float = 100) -> int:
        """Wait for the end, and give the exit code."""
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"no end after {seconds} s; it said:\n{self.said}") from None

    def ended(self) -> tuple[int | None, dict[str, int]]:
        """Give signal and counts of the report of a program that has ended."""
        (line,) = [line for line in self.said.splitlines() if line.startswith("ENDED ")]
        stopped_by, counts = json.loads(line.removeprefix("ENDED "))
        return stopped_by, {outcome: count for outcome, count in counts.items() if count}

    def signal(self, number: int) -> None:
        """Send a signal to the program alone."""
        self._known.update(self.pids())
        self.process.send_signal(number)

    def signal_group(self, number: int) -> None:
        """Send a signal as a terminal does: to every process of the session's group."""
        self._known.update(self.pids())
        os.killpg(self.process.pid, number)

    def pids(self) -> list[int]:
        """List the processes that the program and its children are, as far as they live."""
        found = []
        for entry in os.listdir("/proc"):
            if entry.isdigit():
                try:
                    environment = Path(f"/proc/{entry}/environ").read_bytes()
                    state = Path(f"/proc/{entry}/stat").read_text().rpartition(")")[2].split()[0]
                except OSError:
                    continue
                # One that is dying has lost its environment a moment before it has ended.
                is_ours = self._mark in environment.split(b"\0") or (
                    not environment and int(entry) in self._known
                )
                if is_ours and state not in "ZX":
                    found.append(int(entry))
        return found

    def assert_no_orphans(self, seconds: float = 60) -> None:
        """Check that with the program all that it started has ended."""
        await_true(lambda: not self.pids(), f"processes of an ended program end: {self.said}", seconds)

    def end(self) -> None:
        """End whatever is left."""
        for pid in {*self.pids(), *([self.process.pid] if self.process.poll() is None else [])}:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        self.process.wait(60)


StartProgram = Callable[[str], Program]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[StartProgram]:
    """Give a function that starts a program."""
    programs: list[Program] = []

    def do(text: str) -> Program:
        programs.append(Program(tmp_path, text))
        return programs[-1]

    yield do
    for program in programs:
        program.end()


def driver(workspace: Workspace, **options: Any) -> str:
    """Give the text of a program that runs all steps of a workspace."""
    return DRIVER.format(folder=str(workspace.data_path.parent), options={"printing": False, **options})


def statuses(workspace: Workspace) -> list[int]:
    """Give the status of each record and step, records first."""
    return [row["step_status"] for row in workspace.steps.iter_status()]


def await_half(workspace: Workspace, *record_ids: str) -> dict[str, int]:
    """Wait until the scripts of some records are in mid-write, and give their process ids."""
    files = {record_id: workspace.data_path / f"{record_id}.half" for record_id in record_ids}
    await_true(
        lambda: all(file.exists() and file.read_text() for file in files.values()),
        f"mid-write of {record_ids}",
    )
    return {record_id: int(file.read_text()) for record_id, file in files.items()}


def let_go(workspace: Workspace) -> None:
    """Let the scripts write their second halves."""
    (workspace.data_path / "free").touch()


def outputs(workspace: Workspace, folder: str = "out") -> dict[str, str]:
    """Give the text of each output."""
    paths = sorted((workspace.data_path / folder).glob("[!.]*"))
    return {path.name: path.read_text() for path in paths}


def litter(workspace: Workspace, *, owners: bool = True) -> list[str]:
    """List what an ended run must not leave: claims, owners, stages, and former versions beside the outputs."""
    root = workspace.data_path
    found = [path for kind in ("claims", "stage") for path in (root / ".sinagot" / kind).glob("*")]
    if (
        not owners
    ):  # a driver that died with its last job done leaves folders that would have served the next one
        found = [path for path in found if path.is_file() or any(files for *_, files in os.walk(path))]
    # An owner file that was never written belongs to nobody; for a minute it might be somebody's who just begins.
    else:
        found += [path for path in (root / ".sinagot" / "owners").glob("*") if path.stat().st_size]
    # Whoever lives may be removing things meanwhile: a walk bears that.
    for at, folders, files in os.walk(root):
        found += [Path(at, name) for name in (*folders, *files) if name.startswith(".sinagot-")]
    return sorted(str(path.relative_to(root)) for path in found)


def heal(workspace: Workspace, left: int | None = None, *, has_workers: bool = False, **options: Any) -> None:
    """Run again, plainly: what was left is done, all is well, nothing lies about but what live workers own."""
    report = workspace.steps.run(**{"mode": "main_process", "printing": False, **options})
    assert report.ok, report.failures[0].traceback
    if left is not None:
        assert report.counts["done"] == left
    if has_workers:  # one of them may have done the last job, and clears up after it
        await_true(lambda: not litter(workspace, owners=False), "workers clear up")
    assert set(statuses(workspace)) == {30}, statuses(workspace)
    # A run that has nothing to do touches nothing, what its predecessor left included.
    found = litter(workspace, owners=report.counts["done"] > 0 and not has_workers)
    assert found == [], found
    assert workspace.steps.run(printing=False).counts["up_to_date"] == report.total


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
            self.folder, records=["R1", "R2", "R3"], scripts={"a": script_text("\n".join(lines), **what)}
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


@pytest.fixture(scope="module")
def dask_workers() -> Iterator[DaskExecutor]:
    """Give an executor with two Dask workers."""
    executor = DaskExecutor("processes", workers=2)
    yield executor
    executor.close()


EXECUTORS = {"main_process": None, "processes": "children", "dask": "dask_workers"}


@pytest.fixture(params=list(MODES_NOW))
def lab(request: pytest.FixtureRequest, tmp_path: Path) -> Lab:
    """Give labs whose jobs run here, in children, and on Dask workers."""
    name = EXECUTORS[request.param]
    return Lab(tmp_path, None if name is None else request.getfixturevalue(name))


@pytest.fixture(params=list(MODES_NOW)[1:])
def far_lab(request: pytest.FixtureRequest, tmp_path: Path) -> Lab:
    """Give labs whose jobs run elsewhere: for what a main process would not survive."""
    return Lab(tmp_path, request.getfixturevalue(str(EXECUTORS[request.param])))
