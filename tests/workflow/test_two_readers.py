"""Several who read and compute one workspace at once: each step runs once, and everybody gets the data."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from sinagot.testing import await_true
from tests.workflow.conftest import COUNTING, Calls, Write, seeds

SLOW = (
    COUNTING
    + """
import time

@sg.step
def middle(number: int, workflow_id: str) -> int:
    note("middle", workflow_id)
    time.sleep(0.7)
    return number + 1

@sg.step
def last(number: int, workflow_id: str) -> int:
    note("last", workflow_id)
    return 10 * number

class Slow(sg.Workflow):
    number: int = sg.seed()
    mid: int = middle.step(number)
    end: int = last.step(mid)

class Slows(sg.Workspace[Slow]):
    number = sg.LocalStorage("number/{workflow_id}.txt")
    mid = sg.LocalStorage("mid/{workflow_id}.txt")
    end = sg.LocalStorage("end/{workflow_id}.txt")
"""
)
ID = "W00000"
PROGRAM = """
import json, sys
from slow_flow import Slows
with Slows(sys.argv[1]) as ws:
    if sys.argv[2] == "compute":
        report = ws.compute("end", progress=False)
        assert report.ok, report.failures
    print(json.dumps(ws["W00000"].end))
"""


@pytest.mark.parametrize("doors", [("read", "read"), ("read", "compute")])
def test_processes_that_want_the_same_data_wait_for_each_other(
    doors: tuple[str, str], calls: Calls, module: Write, tmp_path: Path
) -> None:
    """Of two programs one computes; the other one gets the data as well, whichever doors they came through."""
    root = seeds(tmp_path / "data", 1)
    module("slow_flow", SLOW)
    (tmp_path / "code" / "program.py").write_text(PROGRAM)
    programs = [
        subprocess.Popen(
            [sys.executable, "program.py", str(root), door],
            cwd=tmp_path / "code",
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for door in doors
    ]
    for program in programs:
        out, said = program.communicate(timeout=100)
        assert program.returncode == 0, said
        assert json.loads(out) == 10
    assert calls() == [f"last {ID}", f"middle {ID}"]


def in_threads(*tasks: Any) -> list[Any]:
    """Call functions at once; give what they give, or raise what they raise."""
    found: list[Any] = [None] * len(tasks)

    def call(place: int, task: Any) -> None:
        try:
            found[place] = task()
        except Exception as error:  # noqa: BLE001
            found[place] = error

    threads = [threading.Thread(target=call, args=item) for item in enumerate(tasks)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for one in found:
        if isinstance(one, Exception):
            raise one
    return found


def test_threads_that_want_the_same_data_wait_for_each_other(
    calls: Calls, module: Write, tmp_path: Path
) -> None:
    """Two threads that read one attribute, of one object or of two, compute it once."""
    flow, root = module("slow_flow", SLOW), seeds(tmp_path / "data", 1)
    with flow.Slows(root) as ws:
        workflow = ws[ID]
        assert in_threads(lambda: workflow.end, lambda: workflow.end, lambda: ws[ID].end) == [10, 10, 10]
    assert calls() == [f"last {ID}", f"middle {ID}"]


def test_batch_leaves_those_who_read_alone(calls: Calls, module: Write, tmp_path: Path) -> None:
    """A batch that begins while another thread computes an attribute takes no job from it, and waits for its result."""
    flow, root = module("slow_flow", SLOW), seeds(tmp_path / "data", 3)
    with flow.Slows(root) as ws:

        def read() -> int:
            return int(ws[ID].end)

        def compute() -> bool:
            await_true(lambda: f"middle {ID}" in calls(), "the other thread computes")
            return bool(ws.compute("end", progress=False).ok)

        assert in_threads(read, compute) == [10, True]
        assert sorted(calls()) == sorted(
            f"{step} W0000{number}" for step in ("last", "middle") for number in range(3)
        )
    runs = [json.loads(path.read_text()) for path in (root / ".sinagot" / "runs").glob("*/run.json")]
    assert len(runs) == 2 and all(run.get("end") for run in runs)
