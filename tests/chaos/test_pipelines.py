"""Steps that are pipelines, hurt between stages, inside of maps, and in the processes that stages have of their own."""

from __future__ import annotations

import os
import signal
from collections import Counter
from pathlib import Path

import pytest

from sinagot import Workspace
from sinagot.testing import await_true, make_workspace
from tests.chaos.conftest import (
    WAITING,
    WHOLE,
    StartProgram,
    await_half,
    driver,
    heal,
    let_go,
    outputs,
    statuses,
)

pytestmark = pytest.mark.chaos

#: Three stages; the one that `place` names waits, in the middle of what it does, until it is let go.
SCRIPT = """
import os
import time
from sinagot.pipeline import Pipeline, Stage, each
from sinagot.pipeline.input import dependency, param, path_in, path_out, record
{waiting}

def pause(name, id, raw, place):
    data = raw.parents[1]
    with open(data / "calls.txt", "a") as calls:
        calls.write(f"{{id}}-{{name}}\\n")
    if name == place:
        tell(data / f"{{id}}.half", str(os.getpid()))
        await_file(data / "free")

def read(raw, id, place):
    pause("read", id, raw, place)
    return ["first half", "second half"]

def part(text, raw, id, place):
    pause(text, id, raw, place)
    return text

def write(parts, out, raw, id, place):
    with out.open("w") as file:
        file.write(parts[0] + ", ")
        file.flush()
        pause("write", id, raw, place)
        file.write(parts[1])

facts = [path_in("raw"), record("id"), param("place")]
pipeline = Pipeline(
    "halves",
    {{"place": {place!r}}},
    paths={{"raw": ("raw", "{{id}}.txt"), "out": ("out", "{{id}}.txt")}},
    stages={{
        "read": Stage(read, facts),
        "part": Stage(part, [each(dependency("read", "text")), *facts], {limits}),
        "write": Stage(write, [dependency("part", "parts"), path_out("out"), *facts]),
    }},
)
"""


def halves(folder: Path, place: str, limits: str = "") -> Workspace:
    """Make a workspace of three records whose step is a pipeline."""
    script = SCRIPT.format(waiting=WAITING, place=place, limits=limits)
    return make_workspace(folder, records=["R1", "R2", "R3"], scripts={"a": script})


def calls(workspace: Workspace) -> Counter[str]:
    """Count the calls of stages that wait for nothing, by record and stage."""
    return Counter((workspace.data_path / "calls.txt").read_text().splitlines())


@pytest.mark.parametrize(
    ("place", "limits", "options"),
    [
        ("read", "", {"mode": "main_process"}),
        ("second half", "", {"mode": "processes", "workers": 1}),
        ("second half", "timeout=600", {"mode": "main_process"}),
        ("second half", "timeout=600", {"mode": "processes", "workers": 1}),
        ("write", "", {"mode": "processes", "workers": 1}),
    ],
    ids=["stage", "map", "process of a map", "process of a map in a process", "output"],
)
def test_driver_killed_inside_of_a_pipeline(
    tmp_path: Path, start: StartProgram, place: str, limits: str, options: dict[str, object]
) -> None:
    """kill -9 of the driver leaves no half output and no process, and the next run does that record again and no other."""
    workspace = halves(tmp_path, place, limits)
    program = start(driver(workspace, **options))
    await_half(workspace, "R1")
    program.signal(signal.SIGKILL)
    program.wait()
    program.assert_no_orphans()
    await_true(lambda: statuses(workspace) == [42, 10, 10], "what was running is interrupted")
    assert outputs(workspace) == {}
    let_go(workspace)
    heal(workspace, left=3)
    assert set(outputs(workspace).values()) == {WHOLE}
    found = calls(workspace)
    assert found["R1-read"] == 2 and all(found[f"{name}-write"] == 1 for name in ("R2", "R3"))


def test_killed_process_of_a_stage(tmp_path: Path, start: StartProgram) -> None:
    """kill -9 of the process of one element costs its record alone, and says by what; the others are done."""
    workspace = halves(tmp_path, "second half", "timeout=600")
    program = start(driver(workspace, mode="processes", workers=1))
    os.kill(await_half(workspace, "R1")["R1"], signal.SIGKILL)
    let_go(workspace)
    assert program.wait() == 3, program.said
    assert program.ended()[1] == {"done": 2, "failed": 1}
    assert statuses(workspace) == [40, 30, 30]
    last = workspace["R1"].logs_json()[-1]
    assert last["exc_type"] == "WorkerLostError" and "SIGKILL" in last["message"]
    assert "in stage 'part' of pipeline 'halves'" in last["traceback"]
    program.assert_no_orphans()
    heal(workspace, left=1)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize(
    ("place", "limits", "options"),
    [
        ("second half", "", {"mode": "main_process"}),
        ("second half", "timeout=600", {"mode": "main_process"}),
    ],
    ids=["map", "process of a map"],
)
def test_signal_lets_the_running_stage_finish_and_begins_no_other(
    tmp_path: Path,
    start: StartProgram,
    number: signal.Signals,
    place: str,
    limits: str,
    options: dict[str, object],
) -> None:
    """After a signal the stage that runs may end, none is begun: the record is INTERRUPTED, and the next run does it."""
    workspace = halves(tmp_path, place, limits)
    program = start(driver(workspace, **options))
    await_half(workspace, "R1")
    program.signal_group(number)
    await_true(lambda: "Stopping" in program.said, "the program notices the signal")
    let_go(workspace)
    assert program.wait() == 128 + number, program.said
    program.assert_no_orphans()
    assert outputs(workspace) == {} and statuses(workspace) == [42, 10, 10]
    lines = workspace["R1"].logs_json()
    assert lines[-1]["step_status"] == 42
    assert calls(workspace)["R1-write"] == 0
    heal(workspace, left=3)
