"""A running cluster whose parts are killed or frozen while scripts are in mid-write."""

from __future__ import annotations

import contextlib
import os
import signal
from pathlib import Path

import psutil
import pytest

from sinagot.testing import alive, await_true, make_workspace
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
)
from tests.clusters import DaskProcesses, end

pytestmark = pytest.mark.chaos


@pytest.mark.slow
def test_scheduler_killed_in_mid_run(tmp_path: Path, start: StartProgram) -> None:
    """kill -9 of the scheduler: the driver ends with code 3 and no job unaccounted for; the next plain run does the rest."""
    workspace = make_workspace(tmp_path / "lab", records=["R1", "R2"], scripts={"a": HALVES})
    with DaskProcesses(tmp_path / "cluster", workers=1) as cluster:
        program = start(driver(workspace, address=cluster.address))
        child = await_half(workspace, "R1")["R1"]
        end(cluster.scheduler)
        assert program.wait() == 3
        assert program.ended()[1] == {"interrupted": 2}
        for worker in cluster.workers:
            end(worker)
        await_true(lambda: not alive(child), "the script ends with its worker")
    let_go(workspace)
    heal(workspace, left=2)
    assert outputs(workspace) == {"R1.txt": WHOLE, "R2.txt": WHOLE}


@pytest.mark.slow
def test_nanny_killed_and_its_worker_left_alone(tmp_path: Path, start: StartProgram) -> None:
    """kill -9 of a nanny: whether its worker goes on or ends, each record is done once, and whole."""
    workspace = make_workspace(tmp_path / "lab", records=["R1", "R2"], scripts={"a": HALVES})
    with DaskProcesses(tmp_path / "cluster", workers=0) as cluster:
        nanny = cluster.start_worker("--nanny")
        cluster.await_workers(1)
        program = start(driver(workspace, address=cluster.address))
        script = psutil.Process(await_half(workspace, "R1")["R1"])
        worker = script.parent()
        os.kill(nanny.pid, signal.SIGKILL)
        cluster.start_worker()
        let_go(workspace)
        assert program.wait() == 0, program.said
        assert program.ended()[1] == {"done": 2}
        with contextlib.suppress(psutil.NoSuchProcess):
            if worker is not None:
                worker.kill()
        await_true(lambda: not alive(script.pid), "the script's process ends")
    assert outputs(workspace) == {"R1.txt": WHOLE, "R2.txt": WHOLE}
    heal(workspace, left=0)


@pytest.mark.slow
def test_frozen_worker_that_thaws(tmp_path: Path, start: StartProgram) -> None:
    """A worker that freezes is given up by Dask; its record is not started twice while the script's process lives."""
    workspace = make_workspace(tmp_path / "lab", records=["R1"], scripts={"a": NOTED})
    cluster = DaskProcesses(tmp_path / "cluster", workers=2)
    cluster.settings = {"DASK_DISTRIBUTED__SCHEDULER__WORKER_TTL": "4s"}
    with cluster:
        program = start(driver(workspace, address=cluster.address))
        child = await_half(workspace, "R1")["R1"]
        worker = psutil.Process(child).ppid()
        try:
            os.kill(worker, signal.SIGSTOP)
            await_true(lambda: "remov" in cluster.log().lower(), "Dask gives the worker up")
            owners = workspace.data_path / ".sinagot" / "owners"
            await_true(lambda: len(list(owners.iterdir())) > 1, "another worker asks for the job")
            let_go(workspace)  # the child goes on: only its worker is frozen
            assert program.wait() == 0, program.said
        finally:
            os.kill(worker, signal.SIGCONT)
        assert program.ended()[1] == {"done": 1}
    assert outputs(workspace) == {"R1.txt": WHOLE}
    assert (workspace.data_path / "begun.txt").read_text().split() == ["R1"]
    finished = [line for line in workspace.records.get("R1").logs_json() if line["message"] == "Run finished"]
    assert len(finished) == 1
    heal(workspace, left=0)
