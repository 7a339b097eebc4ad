"""Processes that are killed from outside while a script writes: whose job it costs, who is blamed, and what goes on."""

from __future__ import annotations

import os
import signal
from collections import Counter
from pathlib import Path

import pytest

from sinagot.testing import alive, await_true, make_workspace, script_text
from tests.chaos.conftest import (
    HALVES,
    NOTED,
    WHOLE,
    StartProgram,
    await_half,
    driver,
    heal,
    let_go,
    outputs,
    statuses,
)
from tests.clusters import DaskProcesses, end

pytestmark = pytest.mark.chaos

#: The command line, as a program.
COMMAND = """
import sys
from sinagot.cli.main import main
sys.argv = ["sinagot", "-w", {folder!r}, "run", *{words!r}]
sys.exit(main())
"""


@pytest.mark.parametrize(
    ("mode", "settings"),
    [("main_process", "[steps.a]\nisolate = true"), ("processes", ""), ("dask", "")],
    ids=["main_process", "processes", "dask"],
)
def test_killed_process_of_a_script(mode: str, settings: str, tmp_path: Path, start: StartProgram) -> None:
    """kill -9 of the process that runs a script: ERROR with the signal's name, once; all others are done, each begun once."""
    workspace = make_workspace(
        tmp_path, records=["R1", "R2", "R3", "R4"], scripts={"a": NOTED}, settings=settings
    )
    program = start(driver(workspace, mode=mode, **({} if mode == "main_process" else {"workers": 2})))
    os.kill(await_half(workspace, "R1")["R1"], signal.SIGKILL)
    let_go(workspace)
    assert program.wait() == 3, program.said
    assert program.ended()[1] == {"done": 3, "failed": 1}
    assert statuses(workspace) == [40, 30, 30, 30]
    last = workspace["R1"].logs_json()[-1]
    assert last["exc_type"] == "WorkerLostError" and "SIGKILL" in last["message"]
    begun = workspace.data_path / "begun.txt"
    assert Counter(begun.read_text().split()) == {"R1": 1, "R2": 1, "R3": 1, "R4": 1}
    heal(workspace, left=1)
    assert set(outputs(workspace).values()) == {WHOLE}


@pytest.mark.slow
def test_killed_scheduler_and_what_was_finished(tmp_path: Path, start: StartProgram) -> None:
    """kill -9 of the scheduler: the command ends with 3 and names what is unknown; what the same batch had finished is done."""
    scripts = {
        "a": script_text("self.path.output.write_text('a')", path_out=("a", "{id}.txt")),
        "b": HALVES.replace("('raw', '{id}.txt')", "('a', '{id}.txt')"),
    }
    workspace = make_workspace(tmp_path / "lab", records=["R1"], scripts=scripts)
    with DaskProcesses(tmp_path / "cluster", workers=1) as cluster:
        folder = str(workspace.data_path.parent)
        program = start(COMMAND.format(folder=folder, words=["--address", cluster.address]))
        child = await_half(workspace, "R1")["R1"]
        end(cluster.scheduler)
        assert program.wait() == 3, program.said
        assert "not known is what became of 1 job(s): R1/b" in program.said
        assert statuses(workspace)[0] == 30
        for worker in cluster.workers:
            end(worker)
        await_true(lambda: not alive(child), "the script ends with its worker")
    await_true(lambda: statuses(workspace) == [30, 42], "what held the claim has ended with it")
    let_go(workspace)
    heal(workspace, left=1)


def test_program_of_a_script_that_outlives_the_driver(tmp_path: Path, start: StartProgram) -> None:
    """What a script of the main process started may outlive a killed driver: what it writes then changes no result."""
    body = """
        if (self.data_path / "free").exists():
            self.path.output.write_text("whole")
            return
        late = 'echo $$ > "$1.part"; mv "$1.part" "$1"; while ! [ -e "$2" ]; do sleep 0.02; done; echo late > "$0"; touch "$2.seen"'
        subprocess.run(["sh", "-c", late, self.path.output, self.data_path / "R1.half", self.data_path / "late"])
    """
    workspace = make_workspace(
        tmp_path, records=["R1"], scripts={"a": script_text(body, before="import subprocess")}
    )
    program = start(driver(workspace))
    orphan = await_half(workspace, "R1")["R1"]
    program.signal(signal.SIGKILL)
    program.wait()
    assert alive(orphan)
    let_go(workspace)
    heal(workspace, left=1)
    (workspace.data_path / "late").touch()
    await_true((workspace.data_path / "late.seen").exists, "it writes")
    await_true(lambda: not alive(orphan), "it ends")
    assert outputs(workspace) == {"R1.txt": "whole"}
    assert statuses(workspace) == [30]


@pytest.mark.parametrize("mode", ["processes", "dask"])
def test_frozen_script_whose_driver_died(mode: str, tmp_path: Path, start: StartProgram) -> None:
    """A frozen child of a killed driver may thaw: the next driver waits for its end, and the record is done once, and whole."""
    workspace = make_workspace(tmp_path, records=["R1", "R2"], scripts={"a": NOTED})
    first = start(driver(workspace, mode=mode, workers=1))
    child = await_half(workspace, "R1")["R1"]
    os.kill(child, signal.SIGSTOP)
    try:
        first.signal(signal.SIGKILL)
        first.wait()
        second = start(driver(workspace))
        await_half(workspace, "R2")
        let_go(workspace)
        await_true(lambda: statuses(workspace)[1] == 30, "all else is done")
        assert second.process.poll() is None
        assert (workspace.data_path / "begun.txt").read_text().split() == ["R1", "R2"]
    finally:
        os.kill(child, signal.SIGCONT)
    assert second.wait() == 0, second.said
    await_true(lambda: not alive(child), "the child ends with its driver")
    assert outputs(workspace) == {"R1.txt": WHOLE, "R2.txt": WHOLE}
    finished = [line for line in workspace["R1"].logs_json() if line["message"] == "Run finished"]
    assert len(finished) == 1
    heal(workspace, left=0)
