"""The driver is killed: nothing torn is seen, nothing is lost, and one plain run heals it."""

from __future__ import annotations

import signal
from pathlib import Path
from textwrap import dedent

import pytest

from sinagot import Workspace
from sinagot.testing import await_true, make_workspace, script_text
from tests.chaos.conftest import (
    HALVES,
    WHOLE,
    StartProgram,
    await_half,
    driver,
    heal,
    let_go,
    litter,
    outputs,
    statuses,
)

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(900)]  # a hundred deaths, on a busy machine too

MODES = pytest.mark.parametrize("mode", ["main_process", "processes", "dask"])


@MODES
def test_driver_killed_in_mid_write(mode: str, tmp_path: Path, start: StartProgram) -> None:
    """A killed driver leaves no half output and no process; the jobs it had begun are INTERRUPTED, and are done next."""
    workspace = make_workspace(tmp_path, records=["R1", "R2", "R3"], scripts={"a": HALVES})
    program = start(driver(workspace, mode=mode, **({} if mode == "main_process" else {"workers": 2})))
    begun = ("R1",) if mode == "main_process" else ("R1", "R2")
    await_half(workspace, *begun)
    running = [20 if record_id in begun else 10 for record_id in ("R1", "R2", "R3")]
    assert statuses(workspace) == running
    program.signal(signal.SIGKILL)
    assert program.wait() == -signal.SIGKILL
    program.assert_no_orphans()
    # A thread of a child that was in the midst of a call may go a moment after the first one.
    ended = [42 if status == 20 else status for status in running]
    await_true(lambda: statuses(workspace) == ended, "what was running is interrupted")
    assert outputs(workspace) == {}
    let_go(workspace)
    heal(workspace, left=3)
    assert set(outputs(workspace).values()) == {WHOLE}


#: Forks one driver after the other: each is killed at the next of its file operations, and then healed by a plain run.
SWEEPER = """
import importlib
import os
import random
import shutil
import signal
import sys
import traceback
from pathlib import Path

from sinagot import Workspace
from sinagot.engine.state.history import event_files, iter_all_events
from tests.chaos.conftest import heal, outputs, statuses

template, force, step = Path({template!r}), {force!r}, {step!r}
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT
chance = random.Random(1)


def in_child(function):
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            function()
            code = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def run_until(folder, number, force):
    left = number

    def hook(event, args):
        nonlocal left
        if event in ("os.rename", "os.remove", "os.link", "os.mkdir", "os.rmdir") or (
            event == "open" and isinstance(args[2], int) and args[2] & WRITING
        ):
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    def run():
        workspace = Workspace(folder)
        sys.addaudithook(hook)
        assert workspace.steps.run(printing=False, force=force).ok

    return in_child(run)


def check(folder):
    workspace = Workspace(folder)
    for name, text in {{**outputs(workspace, "a"), **outputs(workspace, "b"), **outputs(workspace, "c")}}.items():
        assert text in ("", "old", name + " is whole"), (name, text)
    if force:
        assert len(list(workspace.data_path.glob("[abc]/*.txt"))) == 3
    assert 20 not in statuses(workspace)


def committed(folder):
    last = {{}}
    runs = "dataset/.sinagot/runs"
    former = {{run.name for run in (template / runs).glob("*")}}
    for run in sorted((folder / runs).glob("*")):
        if run.name in former:
            continue
        for path in event_files(str(run)):
            last.update({{event["key"]: event["event"] for _, event in iter_all_events(path) if "key" in event}})
    return {{key.partition("/")[2] for key, event in last.items() if event in ("commit", "done")}}


def starts(folder, step):
    path = folder / (step + ".starts")
    return len(path.read_text()) if path.exists() else 0


def check_and_heal(folder):
    check(folder)
    steps = committed(folder)
    before = {{step: starts(folder, step) for step in ("two", "one")}}
    heal(Workspace(folder))
    check(folder)
    for step, count in before.items():
        again = starts(folder, step) - count
        assert again == 0 if step in steps else again <= 1, (step, again, steps)
    whole = {{name: text for part in "abc" for name, text in outputs(Workspace(folder), part).items()}}
    if not force or steps == {{"two", "one"}}:
        assert all(text == name + " is whole" for name, text in whole.items()), whole
    with folder.with_name("healed").open("a") as file:
        file.write("R" * len(steps))


def warm_up():
    shutil.copytree(template, template.with_name("warm"))
    heal(Workspace(template.with_name("warm")), force=force)
    loaded = [name for name in sys.modules if not name.startswith(("sinagot_script", "__"))]
    template.with_name("modules").write_text(" ".join(loaded))


assert in_child(warm_up) == 0
for name in template.with_name("modules").read_text().split():
    importlib.import_module(name)

number = killed = 0
while True:
    number += step
    folder = template.with_name(f"trial-{{number}}")
    shutil.copytree(template, folder)
    code = run_until(folder, number, force)
    if code == 0:
        break
    assert code == -signal.SIGKILL, (number, code)
    killed += 1
    if number % 3 == 0:  # recovery is killed too
        assert in_child(lambda: check(folder)) == 0, number
        run_until(folder, chance.randrange(1, 40), False)
    assert in_child(lambda: check_and_heal(folder)) == 0, number
    shutil.rmtree(folder)
print("KILLED", killed, "OF", number - step)
"""


def two_steps(folder: Path) -> Workspace:
    """Make a workspace of one record and two steps that count their starts; the first one has two outputs."""
    starts = """
        with (self.data_path.parent / f"{self.label}.starts").open("a") as file:
            file.write("x")
    """
    two = """
        for path in self.path.output.values():
            path.write_text(f"{path.name} is whole")
    """
    one = 'self.path.output.write_text(f"{self.path.output.name} is whole")'
    both = {"a": ("a", "1-{id}.txt"), "b": ("b", "2-{id}.txt")}
    scripts = {
        "two": script_text(dedent(starts) + dedent(two), path_out=both),
        "one": script_text(dedent(starts) + one, both, ("c", "3-{id}.txt")),
    }
    return make_workspace(folder, records=["R"], scripts=scripts)


@pytest.mark.parametrize("force", [False, True], ids=["first run", "forced run"])
def test_driver_killed_at_any_file_operation(force: bool, tmp_path: Path, start: StartProgram) -> None:
    """Wherever a driver dies, each output is absent, old or whole; the next plain run heals, and repeats no committed step."""
    template = tmp_path / "template"
    workspace = two_steps(template)
    if force:
        heal(workspace)
        for path in workspace.data_path.glob("[abc]/*.txt"):
            path.write_text("old")
    program = start(SWEEPER.format(template=str(template), force=force, step=1))
    assert program.wait(280) == 0, program.said
    killed = int(program.said.split("KILLED ")[1].split()[0])
    assert killed > 20
    assert (tmp_path / "healed").stat().st_size > killed / 4, "many deaths came after a commit"


#: Kills one driver in mid-publication, then every recovery from it, each at a later file operation than the one before.
DIGGER = (
    SWEEPER.partition("assert in_child(warm_up)")[0]
    + """
assert in_child(warm_up) == 0
for name in template.with_name("modules").read_text().split():
    importlib.import_module(name)
folder = template.with_name("trial")
shutil.copytree(template, folder)
number = 1
while "two" not in committed(folder):  # the first death after a commit
    number += 1
    shutil.rmtree(folder)
    shutil.copytree(template, folder)
    assert run_until(folder, number, force) == -signal.SIGKILL
assert starts(folder, "two") == (2 if force else 1)
killed = 0
for number in range(1, 200):
    code = run_until(folder, number, False)
    if code == 0:
        break
    assert code == -signal.SIGKILL, (number, code)
    killed += 1
    assert in_child(lambda: check(folder)) == 0, number
assert code == 0
assert in_child(lambda: heal(Workspace(folder))) == 0
assert starts(folder, "two") == (2 if force else 1), starts(folder, "two")
print("KILLED", killed)
"""
)


@pytest.mark.parametrize("force", [False, True], ids=["first run", "forced run"])
def test_recovery_killed_again_and_again(force: bool, tmp_path: Path, start: StartProgram) -> None:
    """However often recovery is killed, each time a little later, no step is repeated whose outputs were complete."""
    template = tmp_path / "template"
    workspace = two_steps(template)
    if force:
        heal(workspace)
        for path in workspace.data_path.glob("[abc]/*.txt"):
            path.write_text("old")
    program = start(DIGGER.format(template=str(template), force=force, step=1))
    assert program.wait(280) == 0, program.said
    assert int(program.said.split("KILLED ")[1].split()[0]) > 20


@pytest.mark.parametrize("mode", ["processes", "dask"])
def test_worker_killed_in_mid_publication(mode: str, tmp_path: Path) -> None:
    """A worker that dies between two moves costs nothing: what it had committed is finished, and its script ran once."""
    body = """
    with (self.data_path / f"{self.id}.starts").open("a") as file:
        file.write("x")
    for path in self.path.output.values():
        path.write_text(self.id)
    if self.id == "R2":
        from sinagot.dataset import moves
        real = moves._move_one
        def end(progress, attempt, left=[2]):
            left[0] -= 1
            if not left[0]:
                os.kill(os.getpid(), 9)
            real(progress, attempt)
        moves._move_one = end
    """
    both = {"one": ("out", "{id}.1.txt"), "two": ("out", "{id}.2.txt")}
    scripts = {"a": script_text(body, path_out=both)}
    with make_workspace(tmp_path, records=["R1", "R2", "R3"], scripts=scripts) as workspace:
        report = workspace.steps.run(mode=mode, workers=2, printing=False)
        assert report.ok and report.counts["done"] == 3, report.failures
        assert len(outputs(workspace)) == 6
        assert [(workspace.data_path / f"R{n}.starts").read_text() for n in (1, 2, 3)] == ["x"] * 3
        assert workspace["R2"].logs_json()[-1]["message"] == "Run finished"
        assert litter(workspace, owners=False) == []
