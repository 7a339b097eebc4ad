"""Ctrl-C, SIGTERM, SIGHUP and SIGUSR1 in the middle of scripts: what runs may finish, nothing begins, all is accounted for."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import psutil
import pytest

from sinagot import Workspace
from sinagot.testing import await_true, make_workspace, script_text
from tests.chaos.conftest import (
    HALVES,
    MODES,
    MODES_NOW,
    WAITING,
    WHOLE,
    Program,
    StartProgram,
    await_half,
    driver,
    each_mode,
    heal,
    let_go,
    litter,
    outputs,
    statuses,
)

pytestmark = pytest.mark.chaos

RECORDS = ["R1", "R2", "R3", "R4"]

#: Does not care for anything that it can be asked.
DEAF = script_text(
    """
    (self.data_path / f"{self.id}.half").write_text("0")
    while not (self.data_path / "free").exists():
        try:
            time.sleep(0.01)
        except KeyboardInterrupt:
            (self.data_path / f"{self.id}.asked").touch()
            raise
    self.path.output.write_text("first half, second half")
    """
)


def begin(workspace: Workspace, start: StartProgram, mode: str) -> Program:
    """Start a driver, and wait until its first script is in mid-write."""
    program = start(driver(workspace, **MODES[mode]))
    await_half(workspace, "R1")
    return program


def ask(program: Program, number: int) -> None:
    """Send a signal as a terminal does, and wait until the program says that it is stopping."""
    program.signal_group(number)
    await_true(lambda: "Stopping" in program.said, "the program notices the signal")


@pytest.mark.parametrize(
    ("mode", "number"),
    [
        (mode, number)
        for mode in MODES
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1)
        if mode in MODES_NOW or number == signal.SIGINT
    ],
    ids=lambda value: value.name if isinstance(value, signal.Signals) else value,
)
def test_first_signal_lets_the_running_script_finish(
    mode: str, number: signal.Signals, tmp_path: Path, start: StartProgram
) -> None:
    """After one signal the running script ends well and is published; the others are not begun, and are reported so."""
    workspace = make_workspace(tmp_path, records=RECORDS, scripts={"a": HALVES})
    program = begin(workspace, start, mode)
    ask(program, number)
    if mode != "main_process":
        await_true((workspace.data_path / "R1.asked").exists, "the worker is asked to stop")
    assert program.process.poll() is None
    let_go(workspace)
    assert program.wait() == 128 + number
    assert program.ended() == (number, {"done": 1, "interrupted": 3})
    assert "running scripts get 10 s" in program.said and "Ctrl-C again" in program.said
    program.assert_no_orphans()
    assert outputs(workspace) == {"R1.txt": WHOLE}
    assert statuses(workspace) == [30, 10, 10, 10]
    assert litter(workspace) == []
    heal(workspace, left=3)


@each_mode
def test_second_signal_ends_the_running_script(mode: str, tmp_path: Path, start: StartProgram) -> None:
    """After a second signal the running script is ended at once: INTERRUPTED, nothing published, done by the next run."""
    workspace = make_workspace(tmp_path, records=RECORDS, scripts={"a": HALVES})
    program = begin(workspace, start, mode)
    ask(program, signal.SIGINT)
    program.signal_group(signal.SIGINT)
    assert program.wait() == 130
    assert program.ended() == (signal.SIGINT, {"interrupted": 4})
    program.assert_no_orphans()
    assert outputs(workspace) == {}
    assert statuses(workspace) == [42, 10, 10, 10]
    assert workspace["R1"].logs_json()[-1]["step_status"] == 42
    let_go(workspace)
    heal(workspace, left=4)


@each_mode
def test_grace_has_an_end(mode: str, tmp_path: Path, start: StartProgram) -> None:
    """A script that does not end within the grace is ended, without a second signal."""
    settings = "[run]\nstop_grace = 0.5"
    workspace = make_workspace(tmp_path, records=RECORDS, scripts={"a": DEAF}, settings=settings)
    program = begin(workspace, start, mode)
    ask(program, signal.SIGTERM)
    assert program.wait() == 143
    assert program.ended() == (signal.SIGTERM, {"interrupted": 4})
    program.assert_no_orphans()
    assert statuses(workspace) == [42, 10, 10, 10]
    let_go(workspace)
    heal(workspace, left=4)


@each_mode
def test_warning_of_a_batch_system_reaches_every_process(
    mode: str, tmp_path: Path, start: StartProgram
) -> None:
    """SIGUSR1 to driver, workers and children, as SLURM warns of a time limit, ends none of them before its script's end."""
    workspace = make_workspace(tmp_path, records=RECORDS, scripts={"a": HALVES})
    program = begin(workspace, start, mode)
    for pid in sorted(program.pids()):
        # Helpers of Python and Dask that know no such signal are not ours to ask.
        if mode != "dask" or pid in {program.process.pid, *await_half(workspace, "R1").values()}:
            os.kill(pid, signal.SIGUSR1)
    await_true(lambda: "Stopping" in program.said, "the driver has noticed")
    if mode != "main_process":
        await_true((workspace.data_path / "R1.asked").exists, "the worker is asked to stop")
    let_go(workspace)
    assert program.wait() == 128 + signal.SIGUSR1
    assert program.ended() == (signal.SIGUSR1, {"done": 1, "interrupted": 3})
    program.assert_no_orphans()
    heal(workspace, left=3)


def test_uncaught_interrupt_says_what_happened(tmp_path: Path, start: StartProgram) -> None:
    """A program that catches nothing ends by the signal, as any other does: so the shell loop round it ends as well."""
    workspace = make_workspace(tmp_path, records=RECORDS, scripts={"a": HALVES})
    text = f"from sinagot import Workspace\nWorkspace({str(tmp_path)!r}).steps.run(printing=False)"
    program = start(text)
    await_half(workspace, "R1")
    ask(program, signal.SIGINT)
    let_go(workspace)
    assert program.wait() == -signal.SIGINT
    assert "KeyboardInterrupt: run interrupted: <RunReport instance" in program.said
    heal(workspace, left=3)


def test_notebook_goes_on_after_an_interrupt(tmp_path: Path, start: StartProgram) -> None:
    """After Ctrl-C the same process can run again on the same workspace: no claim of its former run is in its way."""
    workspace = make_workspace(tmp_path, records=RECORDS, scripts={"a": HALVES})
    text = f"""
        from sinagot import Workspace
        workspace = Workspace({str(tmp_path)!r})
        try:
            workspace.steps.run(printing=False, mode="processes", workers=1)
        except KeyboardInterrupt as error:
            print("FIRST", error.report.counts["interrupted"], flush=True)
        (workspace.data_path / "free").touch()
        report = workspace.steps.run(printing=False, mode="processes", workers=1)
        print("SECOND", report.counts["done"], report.ok, flush=True)
    """
    program = start(text)
    await_half(workspace, "R1")
    ask(program, signal.SIGINT)
    program.signal(signal.SIGINT)
    assert program.wait() == 0, program.said
    assert "FIRST 4" in program.said and "SECOND 4 True" in program.said
    program.assert_no_orphans()
    heal(workspace, left=0)


@each_mode
def test_program_of_a_script_that_is_signalled_too_is_no_failure(
    mode: str, tmp_path: Path, start: StartProgram
) -> None:
    """A batch system signals all processes: a script whose own program was ended by that is interrupted, not failed."""
    body = """
        tell_when_asked_to_end(self.data_path / f"{self.id}.asked")
        if (self.data_path / "free").exists():
            command = ["true"]
        else:
            command = ["sh", "-c", 'echo $$ > "$0"; exec sleep 60', str(self.data_path / "R1.half")]
        subprocess.run(command, check=True)
        self.path.output.write_text("")
    """
    scripts = {"a": script_text(body, before="import subprocess" + WAITING)}
    workspace = make_workspace(tmp_path, records=["R1"], scripts=scripts)
    program = begin(workspace, start, mode)
    child = psutil.Process(await_half(workspace, "R1")["R1"]).ppid()
    program.signal(signal.SIGTERM)
    await_true(lambda: "Stopping" in program.said, "the driver has noticed")
    if mode != "main_process":
        os.kill(child, signal.SIGTERM)
        # Signals of different processes come in no order.
        await_true((workspace.data_path / "R1.asked").exists, "the worker is asked to stop")
    os.kill(await_half(workspace, "R1")["R1"], signal.SIGTERM)
    assert program.wait() == 143
    assert program.ended() == (signal.SIGTERM, {"interrupted": 1})
    assert statuses(workspace) == [42]
    let_go(workspace)
    heal(workspace, left=1)
