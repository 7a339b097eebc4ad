"""Programs as users write them: no guard, no close, an exception in between; none hangs, none leaves a process."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import psutil
import pytest

from sinagot.testing import alive, await_true, make_workspace, script_text
from tests.chaos.conftest import HALVES, WHOLE, StartProgram, await_half, heal, let_go, outputs

pytestmark = pytest.mark.chaos

PLAIN = """
from sinagot import Workspace
print("STARTED", flush=True)
workspace = Workspace({folder!r})
report = workspace.steps.run({call})
print("ENDED", report.counts["done"], flush=True)
{rest}
"""


def plain(folder: Path, call: str, rest: str = "") -> str:
    """Give a program without a guard that calls `run()` at its top level and just ends."""
    return PLAIN.format(folder=str(folder), call=f"printing=False, {call}", rest=rest)


def test_replaced_dask_worker_does_not_run_the_program_again(tmp_path: Path, start: StartProgram) -> None:
    """kill -9 of a worker of our own cluster: another takes its place, the work goes on, the program runs once."""
    workspace = make_workspace(tmp_path, records=["R1", "R2", "R3"], scripts={"a": HALVES})
    program = start(plain(tmp_path, "mode='dask', workers=1"))
    child = await_half(workspace, "R1")["R1"]
    os.kill(psutil.Process(child).ppid(), signal.SIGKILL)
    await_true(lambda: not alive(child), "the script ends with its worker")
    let_go(workspace)
    assert program.wait() == 0, program.said
    assert program.said.count("STARTED") == 1
    assert set(outputs(workspace).values()) == {WHOLE}
    program.assert_no_orphans()
    heal(workspace)


@pytest.mark.parametrize("call", ["mode='processes', workers=2", "mode='dask', workers=2"])
def test_program_that_fails_after_its_run_ends(call: str, tmp_path: Path, start: StartProgram) -> None:
    """An exception of the user after a run ends the program as usual: at once, with code 1, and without leftovers."""
    workspace = make_workspace(tmp_path)
    program = start(plain(tmp_path, call, "raise ValueError('mine')"))
    assert program.wait() == 1
    assert "ENDED 6" in program.said and "ValueError: mine" in program.said
    program.assert_no_orphans()
    heal(workspace, left=0)


def test_program_that_forgets_its_background_run(tmp_path: Path, start: StartProgram) -> None:
    """A program that starts a run in the background and ends waits for it: nothing that was asked for is lost."""
    workspace = make_workspace(tmp_path, records=6)
    call = "mode='processes', workers=2, wait=False"
    program = start(plain(tmp_path, call))
    assert program.wait() == 0, program.said
    program.assert_no_orphans()
    heal(workspace, left=0)


def test_program_that_cannot_print(tmp_path: Path, start: StartProgram) -> None:
    """A closed standard output or a reader that has gone costs no job."""
    workspace = make_workspace(
        tmp_path, scripts={"a": script_text("print('said')\nself.path.output.touch()")}
    )
    text = f"""
        import os, sys
        from sinagot import Workspace
        end, other = os.pipe()
        os.dup2(other, 1)
        os.close(other)
        os.close(end)
        report = Workspace({str(tmp_path)!r}).steps.run()
        print(report.counts["done"], report.ok, file=sys.stderr)
        os._exit(0)
    """
    program = start(text)
    assert program.wait() == 0, program.said
    assert "3 True" in program.said
    heal(workspace, left=0)
