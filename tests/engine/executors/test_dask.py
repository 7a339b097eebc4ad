"""Jobs that run on Dask: clusters of each kind that we start, a scheduler at an address, somebody else's client."""

from __future__ import annotations

import os
import socket
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import psutil
import pytest

from sinagot import Workspace
from sinagot.engine.executors.dask import DaskExecutor
from sinagot.errors import ConfigurationError
from sinagot.testing import WorkerContract, await_true, make_workspace, script_text
from tests.clusters import DaskProcesses, end

if TYPE_CHECKING:
    from distributed import Client


class TestThreads(WorkerContract):
    @classmethod
    def make_executor(cls) -> DaskExecutor:
        return DaskExecutor("threads", workers=2)


class TestProcesses(WorkerContract):
    @classmethod
    def make_executor(cls) -> DaskExecutor:
        return DaskExecutor("processes", workers=2)


class TestDistributed(WorkerContract):
    @classmethod
    def make_executor(cls) -> DaskExecutor:
        return DaskExecutor(
            "distributed", {"n_workers": 2, "threads_per_worker": 1, "memory_limit": 0, "processes": False}
        )


class TestAddress(WorkerContract):
    address: ClassVar[str]

    @pytest.fixture(autouse=True, scope="class")
    @classmethod
    def _cluster(cls, dask_processes: DaskProcesses) -> None:
        cls.address = dask_processes.address

    @classmethod
    def make_executor(cls) -> DaskExecutor:
        return DaskExecutor(cluster={"address": cls.address})


class TestClient(WorkerContract):
    client: ClassVar[Client]

    @pytest.fixture(autouse=True, scope="class")
    @classmethod
    def _client(cls, dask_client: Client) -> None:
        cls.client = dask_client

    @classmethod
    def make_executor(cls) -> DaskExecutor:
        return DaskExecutor(client=cls.client)

    def test_client_of_others_stays_open(self, tmp_path: Path) -> None:
        """A client that was handed in works on after runs through it, after `close()`, and after the workspace is gone."""
        with make_workspace(tmp_path, settings="[log]\nlevel = 'ERROR'") as workspace:
            assert workspace.steps.run(client=self.client).ok
        assert self.client.status == "running"
        assert self.client.submit(sum, [1, 2]).result(timeout=20) == 3


SCHEDULERS = {
    "single-threaded": "[dask.scheduler]\ntype = 'single-threaded'",
    "threads": "[dask.scheduler]\ntype = 'threads'",
    "distributed": (
        "[dask.scheduler]\ntype = 'distributed'\n[dask.cluster]\nn_workers = 2\nthreads_per_worker = 1\nprocesses = false"
    ),
}

WAITING = script_text(
    """
    (self.data_path / f"{self.id}.pid").write_text(str(os.getpid()))
    end = time.monotonic() + 60
    while not (self.data_path / "free").exists():
        assert time.monotonic() < end
        time.sleep(0.005)
    self.path.output.write_text("")
    """
)


def await_begin(workspace: Workspace) -> int:
    """Wait until the only record's script runs, and give its process."""
    file = workspace.data_path / "REC-1.pid"
    await_true(lambda: file.exists() and file.read_text(), "the script runs")
    return int(file.read_text())


@pytest.mark.parametrize("settings", SCHEDULERS.values(), ids=SCHEDULERS)
def test_scheduler_types_of_the_configuration(settings: str, tmp_path: Path) -> None:
    """Each scheduler type runs every step, here or elsewhere."""
    settings = f"[run]\nmode = 'dask'\n[log]\nlevel = 'ERROR'\n{settings}"
    script = script_text("self.path.output.write_text(str(os.getpid()))")
    with make_workspace(tmp_path, scripts={"a": script}, settings=settings) as workspace:
        assert workspace.steps.run().counts["done"] == 3
    here = {path.read_text() for path in (workspace.data_path / "out").iterdir()} == {str(os.getpid())}
    assert here == ("single-threaded" in settings)


def test_no_scheduler_at_the_address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An address where nobody answers is a configuration error that names it; nothing is left half done."""
    monkeypatch.setattr("sinagot.engine.executors.dask.CONNECT_TIMEOUT", 1)
    workspace = make_workspace(tmp_path)
    with socket.socket() as taken:  # bound, but it does not listen
        taken.bind(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(ConfigurationError, match="no Dask scheduler answers") as caught:
            workspace.steps.run(address=address)
    assert caught.value.key == "dask.cluster.address"
    assert address in str(caught.value)
    assert workspace.steps.run(mode="main_process", printing=False).ok


def test_drivers_that_share_workers_do_not_stop_each_other(
    dask_processes: DaskProcesses, tmp_path: Path
) -> None:
    """A driver that ends its own scripts leaves those of another driver on the same workers alone."""
    executors = [DaskExecutor(cluster={"address": dask_processes.address}) for _ in range(2)]
    labs = [make_workspace(tmp_path / name, records=1, scripts={"a": WAITING}) for name in "ab"]
    try:
        for lab, executor in zip(labs, executors, strict=True):
            lab.executor = lambda key, make, one=executor: nullcontext(one)  # type: ignore[method-assign]
        reports = [lab.steps.run(mode="dask", printing=False, wait=False) for lab in labs]
        pids = [await_begin(lab) for lab in labs]
        executors[0].kill()
        assert reports[0].wait(20).counts["failed"] == 1
        assert not psutil.pid_exists(pids[0])
        (labs[1].data_path / "free").touch()
        assert reports[1].wait(20).counts["done"] == 1
        assert (labs[1].data_path / "REC-1.pid").read_text() == str(pids[1])
    finally:
        for executor in executors:
            executor.close()


def test_run_ends_with_its_scheduler_and_the_next_finds_a_new_one(tmp_path: Path) -> None:
    """When the scheduler dies the run ends and says so; the same workspace goes on with a scheduler that took its place."""
    lab = make_workspace(tmp_path / "lab", records=1, scripts={"a": WAITING})
    with DaskProcesses(tmp_path / "cluster", workers=1) as cluster, lab:
        report = lab.steps.run(address=cluster.address, printing=False, wait=False)
        await_begin(lab)
        end(cluster.scheduler)
        report.wait(60)
        assert not report.ok
        assert any("place where jobs ran is gone" in warning for warning in report.warnings)
        for worker in cluster.workers:
            end(worker)
        cluster.start_scheduler(int(cluster.address.rpartition(":")[2]))
        cluster.start_worker()
        cluster.await_workers(1)
        (lab.data_path / "free").touch()
        assert lab.steps.run(address=cluster.address, printing=False).counts["done"] == 1


@pytest.mark.parametrize("scheduler", ["threads", "processes"])
def test_nothing_listens_beyond_this_machine(scheduler: str) -> None:
    """A cluster that we start can be reached from this machine only."""
    before = _listening()
    executor = DaskExecutor(scheduler, workers=1)
    try:
        places = _listening() - before
    finally:
        executor.close()
    assert {place.ip for place in places} <= {"127.0.0.1", "::1"}


def _listening() -> set[Any]:
    me = psutil.Process()
    processes = [me, *me.children(recursive=True)]
    return {
        connection.laddr
        for process in processes
        for connection in process.net_connections()
        if connection.status == psutil.CONN_LISTEN
    }
