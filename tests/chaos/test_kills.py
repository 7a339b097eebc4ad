"""Death at any moment: what is there is whole, nothing is lost, and the next plain run finishes exactly what is left.

Drivers are real programs, killed with real signals at seeded moments. The oracle knows every output byte from the record id.
"""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent

import psutil
import pytest

from sinagot import Workspace
from sinagot.testing import alive, await_true, make_workspace, script_text
from sinagot.utils import StepStatus
from tests.chaos.conftest import WAITING, await_half, let_go
from tests.clusters import DaskProcesses

ROOT = Path(__file__).parents[2]
RECORDS = 8
PIECES = 6
#: Trials of the soak: a few by default, many with `make chaos`.
TRIALS = 40 if os.environ.get("SINAGOT_CHAOS") == "full" else 4

#: Two outputs, written slowly in pieces, and a note of each start beside the data.
SLOW = f"""
    (self.data_path / "starts" / f"{{self.id}}-{{time.monotonic_ns()}}").touch()
    for name in ("a", "b"):
        with self.path.output[name].open("w") as file:
            for _ in range({PIECES}):
                file.write(self.id + name)
                file.flush()
                time.sleep(0.004)
"""
BOTH = {"a": ("a", "{id}.txt"), "b": ("b", "{id}.txt")}
JOIN = "self.path.output.write_text(self.path.input['a'].read_text() + self.path.input['b'].read_text())"

#: As `SLOW`; in the midst of its second output each script says which process it is, and waits until it is let go.
HELD = script_text(
    f"""
    (self.data_path / "starts" / f"{{self.id}}-{{time.monotonic_ns()}}").touch()
    for name in ("a", "b"):
        with self.path.output[name].open("w") as file:
            for piece in range({PIECES}):
                file.write(self.id + name)
                file.flush()
                if (name, piece) == ("b", 1):
                    tell(self.data_path / f"{{self.id}}.half", str(os.getpid()))
                    await_file(self.data_path / "free")
    """,
    path_out=BOTH,
    before=WAITING,
)


def expected(record_id: str) -> dict[str, str]:
    """Give every output of a record."""
    a, b = (record_id + "a") * PIECES, (record_id + "b") * PIECES
    return {f"a/{record_id}.txt": a, f"b/{record_id}.txt": b, f"joined/{record_id}.txt": a + b}


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Workspace]:
    """Give a workspace of slow records."""
    steps = {
        "slow": script_text(SLOW, path_out=BOTH),
        "join": script_text(JOIN, BOTH, ("joined", "{id}.txt")),
    }
    workspace = make_workspace(tmp_path, records=RECORDS, scripts=steps, settings="[log]\nlevel = 'ERROR'")
    (workspace.data_path / "starts").mkdir()
    yield workspace
    workspace.close()


def start(workspace: Workspace, call: str, *, guarded: bool = True) -> subprocess.Popen[str]:
    """Start a program that opens the workspace and runs its steps, as a user would write it."""
    folder = workspace.data_path.parent
    guard = "if __name__ == '__main__':\n    " if guarded else ""
    file = folder / f"driver-{time.monotonic_ns()}.py"
    file.write_text(f"import sinagot\n{guard}print(sinagot.Workspace({str(folder)!r}).steps.run({call}))\n")
    return subprocess.Popen(
        [sys.executable, str(file)],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def await_stopping(driver: subprocess.Popen[str]) -> None:
    """Wait until a driver says that it was asked to stop; what it says later is still to be read."""
    assert driver.stderr is not None
    for line in driver.stderr:
        if "Stopping" in line:
            return
    raise AssertionError("it never said so")


def starts(workspace: Workspace) -> int:
    """Count the scripts that were started."""
    return len(list((workspace.data_path / "starts").iterdir()))


def audit(workspace: Workspace) -> None:
    """Nothing torn stands under a final name, and what is called done is there."""
    for record_id in workspace.records.ids():
        for name, text in expected(record_id).items():
            path = workspace.data_path / name
            if path.exists():
                assert path.read_text() == text
    for row in workspace.steps.iter_status():
        if row["step_status"] == StepStatus.DONE:
            names = [
                name
                for name in expected(row["record_id"])
                if name.startswith("joined") == (row["step_label"] == "join")
            ]
            assert all((workspace.data_path / name).exists() for name in names)


def heal(workspace: Workspace) -> None:
    """One plain run later all is done, with the right bytes, and no litter is left."""
    report = workspace.steps.run()
    assert report.ok, report
    audit(workspace)
    assert {row["step_status"] for row in workspace.steps.iter_status()} == {StepStatus.DONE}
    state = workspace.data_path / ".sinagot"
    assert [*(state / "claims").iterdir(), *(state / "stage").iterdir()] == []
    assert workspace.steps.run().counts["up_to_date"] == 2 * RECORDS


CALLS = {
    "main_process": "",
    "processes": "mode='processes', workers=2",
    "dask": "mode='dask', workers=2",
}


@pytest.mark.chaos
@pytest.mark.parametrize("call", ["", "mode='processes', workers=2"], ids=["main_process", "processes"])
def test_killed_driver_loses_and_tears_nothing(lab: Workspace, call: str) -> None:
    """kill -9 of the whole program at seeded moments, again and again: whole files only, and a plain run heals."""
    moments = random.Random(20261121)
    for _ in range(TRIALS):
        before = starts(lab)
        driver = start(lab, call)
        await_true(
            lambda seen=before, program=driver: starts(lab) > seen or program.poll() is not None,
            "a script starts",
        )
        time.sleep(moments.uniform(0, 0.15))
        with contextlib.suppress(ProcessLookupError):  # it was done already
            os.killpg(driver.pid, signal.SIGKILL)
        driver.communicate()
        audit(lab)
    heal(lab)
    # One start a record, and one more for each job that was under way at a kill.
    assert starts(lab) <= RECORDS + 2 * TRIALS


@pytest.mark.chaos
def test_children_end_with_their_driver(lab: Workspace) -> None:
    """kill -9 of the driver alone: its worker processes are gone within seconds and publish nothing torn."""
    driver = start(lab, CALLS["processes"])
    await_true(lambda: starts(lab) > 1, "scripts start")
    children = psutil.Process(driver.pid).children(recursive=True)
    assert children
    driver.kill()
    driver.communicate()
    await_true(lambda: not alive(*(child.pid for child in children)), "the workers end")
    audit(lab)
    heal(lab)


@pytest.mark.chaos
@pytest.mark.parametrize("mode", ["processes", "dask"])
def test_killed_worker_costs_its_own_job(lab: Workspace, mode: str) -> None:
    """kill -9 of a process in the midst of a script: that job is blamed, what reads it is blocked, all others are done."""
    (lab.scripts_path / "slow.py").write_text(HELD)
    driver = start(lab, CALLS[mode])
    os.kill(await_half(lab, "REC-1")["REC-1"], signal.SIGKILL)
    let_go(lab)
    out, err = driver.communicate(timeout=100)
    assert f"NOT OK: {2 * RECORDS - 2} done, 1 failed, 1 blocked" in out, err
    audit(lab)
    statuses = {(row["record_id"], row["step_label"]): row["step_status"] for row in lab.steps.iter_status()}
    assert statuses.pop(("REC-1", "slow")) == StepStatus.ERROR
    assert statuses.pop(("REC-1", "join")) == StepStatus.INIT
    assert set(statuses.values()) == {StepStatus.DONE}
    last = lab["REC-1"].logs_json()[-1]
    assert (last["step_label"], last["exc_type"]) == ("slow", "WorkerLostError") and "SIGKILL" in last[
        "message"
    ]
    assert starts(lab) == RECORDS
    heal(lab)
    assert starts(lab) == RECORDS + 1


@pytest.mark.chaos
def test_killed_dask_worker_costs_no_more_than_its_job(lab: Workspace, tmp_path: Path) -> None:
    """kill -9 of a worker in the midst of a script: nobody is blamed, the other worker does all, one script begins anew."""
    (lab.scripts_path / "slow.py").write_text(HELD)
    with DaskProcesses(tmp_path / "cluster") as cluster:
        driver = start(lab, f"address={cluster.address!r}")
        script = psutil.Process(await_half(lab, "REC-1")["REC-1"])
        (worker,) = [worker for worker in cluster.workers if worker.pid == script.ppid()]
        worker.kill()
        await_true(lambda: not alive(script.pid), "the script ends with its worker")
        let_go(lab)
        out, err = driver.communicate(timeout=90)
    assert f"ok: {2 * RECORDS} done>" in out, err
    audit(lab)
    assert {row["step_status"] for row in lab.steps.iter_status()} == {StepStatus.DONE}
    assert not list((lab.data_path / ".sinagot" / "failures").glob("*"))
    assert starts(lab) == RECORDS + 1
    heal(lab)


@pytest.mark.chaos
@pytest.mark.parametrize(
    "calls",
    [
        ("", ""),
        (CALLS["processes"], ""),
        (CALLS["processes"], CALLS["processes"]),
        (CALLS["dask"], CALLS["processes"]),
        (CALLS["dask"], CALLS["dask"]),
    ],
)
def test_two_drivers_run_each_step_once(lab: Workspace, calls: tuple[str, str]) -> None:
    """Two programs at once on one workspace: each script starts once, both end well, and both know that all is done."""
    drivers = [start(lab, call) for call in calls]
    for driver in drivers:
        out, err = driver.communicate(timeout=100)
        assert driver.returncode == 0, err
        assert "ok" in out
    assert starts(lab) == RECORDS
    heal(lab)


@pytest.mark.chaos
@pytest.mark.parametrize("mode", list(CALLS))
def test_ctrl_c_gives_grace_and_a_second_one_does_not(lab: Workspace, mode: str) -> None:
    """After Ctrl-C running scripts finish, nothing new starts, and the program ends by KeyboardInterrupt; what is left is run next."""
    (lab.scripts_path / "slow.py").write_text(HELD)
    driver = start(lab, CALLS[mode])
    await_half(lab, "REC-1")
    driver.send_signal(signal.SIGINT)
    await_stopping(driver)
    let_go(lab)
    _, err = driver.communicate(timeout=100)
    assert driver.returncode == -signal.SIGINT
    assert "run interrupted" in err
    assert starts(lab) < RECORDS
    audit(lab)
    assert StepStatus.PROCESSING not in {row["step_status"] for row in lab.steps.iter_status()}
    heal(lab)
    assert starts(lab) <= RECORDS + 2


@pytest.mark.chaos
@pytest.mark.parametrize("mode", ["main_process", "processes"])
def test_second_ctrl_c_stops_now(lab: Workspace, mode: str) -> None:
    """A script that does not end by itself is killed by the second Ctrl-C and is INTERRUPTED; its records are run next time."""
    wait = "while not (self.data_path / 'go').exists():\n    time.sleep(0.01)\n"
    body = "(self.data_path / 'starts' / self.id).touch()\n" + wait + dedent(SLOW)
    endless = script_text(body, path_out=BOTH)
    (lab.scripts_path / "slow.py").write_text(endless)
    driver = start(lab, CALLS[mode])
    await_true(lambda: starts(lab) > 0, "a script starts")
    driver.send_signal(signal.SIGINT)
    await_stopping(driver)
    assert driver.poll() is None
    driver.send_signal(signal.SIGINT)
    _, err = driver.communicate(timeout=100)
    assert driver.returncode == -signal.SIGINT
    assert "run interrupted" in err
    codes = [row["step_status"] for row in lab.steps.iter_status() if row["step_label"] == "slow"]
    assert StepStatus.INTERRUPTED in codes and StepStatus.DONE not in codes
    (lab.data_path / "go").touch()
    heal(lab)


@pytest.mark.chaos
def test_sigterm_ends_with_143(lab: Workspace) -> None:
    """SIGTERM, as a batch system sends it, gives the same grace and exit code 143."""
    (lab.scripts_path / "slow.py").write_text(HELD)
    driver = start(lab, CALLS["processes"])
    await_half(lab, "REC-1")
    driver.send_signal(signal.SIGTERM)
    await_stopping(driver)
    let_go(lab)
    driver.communicate(timeout=100)
    assert driver.returncode == 143
    audit(lab)
    heal(lab)


@pytest.mark.chaos
@pytest.mark.parametrize("mode", ["processes", "dask"])
def test_program_without_guard_and_close_loses_nothing(lab: Workspace, mode: str) -> None:
    """A plain program that calls run() at module level and just ends: it runs once, all is on disk, no process is left."""
    driver = start(lab, CALLS[mode], guarded=False)
    seen: set[psutil.Process] = set()

    def is_over() -> bool:
        try:
            seen.update(psutil.Process(driver.pid).children(recursive=True))
        except psutil.Error:
            pass
        return driver.poll() is not None

    await_true(is_over, "the program ends", 90)
    out, err = driver.communicate()
    assert driver.returncode == 0, err
    assert out.count("RunReport") == 1
    assert starts(lab) == RECORDS
    await_true(lambda: not alive(*(process.pid for process in seen)), "all processes end")
    heal(lab)
