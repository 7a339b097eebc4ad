"""Code-first workspaces: workers killed, files torn, disks full, two at once. What is stored is whole, always."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from sinagot.dataset.prints import content_digest
from sinagot.testing import await_true
from tests.chaos.conftest import FULL, StartProgram
from tests.chaos.mounts import check_program, needs_mounts
from tests.workflow.conftest import COUNTING, Calls, Write, calls, litter, module, seeds
from tests.workflow.many import check_interrupt, check_many, needs_peaks

__all__ = ["calls", "module"]

pytestmark = pytest.mark.chaos

MANY = 10_000
only_with_all = pytest.mark.skipif(
    not FULL, reason="10,000 workflows are for `make chaos`; 2,000 are in tests/workflow/test_compute.py"
)

LARGE = (
    COUNTING
    + '''
import os
import time
from pathlib import Path

SIZE = 64 << 20

@sg.step
def large(number: int, workflow_id: str) -> bytes:
    note("large", workflow_id)
    return bytes([number]) * SIZE

class SlowBytes(bytes):
    """Bytes that are written in two halves."""

class SlowHandler(sg.TypeHandler, data_type=SlowBytes):
    def check(self, data):
        return data

    def write(self, path, data):
        with open(path, "wb") as file:
            file.write(data[: len(data) // 2])
            file.flush()
            flag = Path(os.environ["FLAG"])
            if not flag.exists():
                flag.write_text(str(os.getpid()))
                time.sleep(60)
            file.write(data[len(data) // 2 :])

    def read(self, path):
        return SlowBytes(path.read_bytes())

class Large(sg.Workflow):
    number: int = sg.seed()
    data: SlowBytes = large.step(number)

class Larges(sg.Workspace[Large]):
    number = sg.LocalStorage("number/{workflow_id}.txt")
    data = sg.LocalStorage("data/{workflow_id}.bin")
'''
)


@pytest.mark.parametrize("workers", [0, 1], ids=["here", "processes"])
def test_kill_in_the_middle_of_a_write(
    module: Write, tmp_path: Path, calls: Calls, monkeypatch: pytest.MonkeyPatch, workers: int
) -> None:
    """A process that is killed while it writes a large file leaves no half file, and the next run leaves no litter."""
    root = seeds(tmp_path / "root", 2)
    monkeypatch.setenv("FLAG", str(tmp_path / "flag"))
    flow = module("large_flow", LARGE)
    options = f", workers={workers}" if workers else ""
    (tmp_path / "code" / "program.py").write_text(
        f"from large_flow import Larges\nLarges({str(root)!r}).compute('data'{options})\n"
    )
    running = subprocess.Popen(
        [sys.executable, "program.py"], cwd=tmp_path / "code", stderr=subprocess.DEVNULL
    )
    flag = tmp_path / "flag"
    await_true(lambda: flag.exists() and flag.read_text(), "half of it is written")
    os.kill(int(flag.read_text()), signal.SIGKILL)
    running.wait(timeout=100)
    for file in (root / "data").glob("*") if (root / "data").exists() else ():
        assert file.stat().st_size == 64 << 20
    with flow.Larges(root) as ws:
        assert ws.compute("data").ok
        assert ws["W00001"].data == bytes([1]) * (64 << 20)
    assert sorted(path.name for path in (root / "data").iterdir()) == ["W00000.bin", "W00001.bin"]
    assert litter(root) == []


def test_torn_files_are_made_again(module: Write, tmp_path: Path, calls: Calls) -> None:
    """Whatever is cut, emptied or overwritten in storage: a batch makes it again, and keeps what it found."""
    text = (
        COUNTING
        + """
@sg.step
def twice(number: int, workflow_id: str) -> dict:
    note("twice", workflow_id)
    return {"value": 2 * number, "text": "x" * 1000}

@sg.step
def read(data: dict) -> int:
    return data["value"]

class Torn(sg.Workflow):
    number: int = sg.seed()
    data: dict = twice.step(number)
    value: int = read.step(data)

class Torns(sg.Workspace[Torn]):
    number = sg.LocalStorage("number/{workflow_id}.txt")
    data = sg.LocalStorage("data/{workflow_id}.json")
    value = sg.LocalStorage("value/{workflow_id}.txt")
"""
    )
    root = seeds(tmp_path / "root", 6)
    with module("torn_flow", text).Torns(root) as ws:
        assert ws.compute("value").ok
        before = {path: content_digest(str(path)) for path in root.glob("[dv]*/*")}
        files = sorted((root / "data").iterdir())
        files[0].write_bytes(files[0].read_bytes()[:100])
        files[1].write_bytes(b"")
        files[2].write_bytes(b"\0" * files[2].stat().st_size)
        files[3].unlink()
        os.utime(files[4], ns=(1, 1))
        calls.clear()
        # All that is stored: what is only on the way to something that is there would not be missed.
        assert ws.compute(workers=2).ok
        assert calls() == [f"twice W0000{number}" for number in range(4)]
        assert {path: content_digest(str(path)) for path in root.glob("[dv]*/*")} == before
        assert len(list((root / ".sinagot" / "aside").rglob("*.json"))) == 3
        assert [wf.value for wf in ws.values()] == [0, 2, 4, 6, 8, 10]


FULL_DISK = """
from pathlib import Path
root = Path({root!r})
mount("-t", "tmpfs", "-o", "size=8m", "tmpfs", str(root))
from full_flow import SIZE, Flows
from tests.workflow.conftest import litter, seeds

seeds(root, 8)
ballast = root / "ballast"
ballast.write_bytes(bytes(2_000_000))
with Flows(root) as ws:
    report = ws.compute("data"{options})
    counts = report.counts
    assert counts["done"] >= 1 and counts["failed"] >= 1 and counts["done"] + counts["failed"] == 8, counts
    assert all(group.exc_type == "OSError" for group in report.failures), report.failures
    assert all("No space left on device" in group.message for group in report.failures), report.failures
    found = sorted((root / "data").iterdir())
    assert len(found) == counts["done"]
    for path in found:
        assert path.read_bytes() == path.name.encode() * SIZE
    # Read one by one it is the same error, of the workflow that was asked for.
    lacking = next(name for name in ws if not (root / "data" / name).exists())
    try:
        ws[lacking].data
    except sg.StepFailedError as error:
        assert (error.workflow_id, error.node) == (lacking, "data") and isinstance(error.__cause__, OSError)
    else:
        raise AssertionError("there is space")
    assert sorted((root / "data").iterdir()) == found
ballast.unlink()
mount("-o", "remount,size=40m", str(root))
with Flows(root) as ws:
    assert ws.compute("data").counts["done"] == counts["failed"]
    assert all(wf.data == wf.workflow_id.encode() * SIZE for wf in ws.values())
assert len(list((root / "data").iterdir())) == 8
assert litter(root) == [], litter(root)
"""


@needs_mounts
@pytest.mark.parametrize("workers", [0, 2], ids=["here", "processes"])
def test_full_disk_fails_the_job_and_nothing_else(tmp_path: Path, start: StartProgram, workers: int) -> None:
    """A result for which there is no space is a failed step: nothing half is stored, and it is made when there is."""
    text = """
import sinagot as sg

SIZE = 400_000

@sg.step
def data(number: int, workflow_id: str) -> bytes:
    return workflow_id.encode() * SIZE

class Flow(sg.Workflow):
    number: int = sg.seed()
    data: bytes = data.step(number)

class Flows(sg.Workspace[Flow]):
    number = sg.LocalStorage("number/{workflow_id}.txt")
    data = sg.LocalStorage("data/{workflow_id}")
"""
    (tmp_path / "full_flow.py").write_text(text)
    (tmp_path / "root").mkdir()
    options = f", workers={workers}" if workers else ""
    check_program(
        start, "import sinagot as sg\n" + FULL_DISK.format(root=str(tmp_path / "root"), options=options)
    )


@only_with_all
@needs_peaks
@pytest.mark.timeout(900)
def test_ten_thousand_workflows_cost_their_caller_nothing(tmp_path: Path, calls: Calls) -> None:
    """Ten thousand workflows on two workers: memory stays flat, progress is told, the second run computes nothing."""
    check_many(tmp_path, calls, few=MANY // 10, many=MANY)


@only_with_all
@pytest.mark.timeout(900)
def test_interrupt_of_ten_thousand_leaves_whole_files_only(tmp_path: Path, calls: Calls) -> None:
    """Ctrl-C ends a large batch and leaves whole files; the next one does exactly what is left, and leaves no litter."""
    check_interrupt(tmp_path, calls, count=MANY)
