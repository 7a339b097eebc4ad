"""Jobs that run on Dask: clusters of each kind that we start, a scheduler at an address, somebody else's client."""

from __future__ import annotations

import os
import signal
import socket
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import dask
import psutil
import pytest

from sinagot import Workspace
from sinagot.engine.executors import dask as dask_executor
from sinagot.engine.executors import dask_worker
from sinagot.engine.executors.dask import DaskExecutor
from sinagot.engine.executors.greeting import Look, look_around
from sinagot.engine.state.bench import Bench
from sinagot.errors import ConfigurationError
from sinagot.testing import WorkerContract, alive, await_true, make_workspace, script_text
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
        assert self.client.submit(sum, [1, 2]).result(timeout=60) == 3


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


def test_no_scheduler_at_the_address(tmp_path: Path) -> None:
    """An address where nobody answers is a configuration error that names it; nothing is left half done."""
    workspace = make_workspace(tmp_path, settings="[dask.cluster]\nclass = 'a.B'\nconnect_timeout = '0.5 s'")
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
        assert reports[0].wait(60).counts["failed"] == 1
        await_true(lambda: not alive(pids[0]), "its script ends")
        (labs[1].data_path / "free").touch()
        assert reports[1].wait(60).counts["done"] == 1
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
        assert report.counts["interrupted"] == 1 and not report.ok
        why, unknown = report.warnings
        assert "place where jobs ran is gone" in why and cluster.address in why
        assert "not known is what became of 1 job(s): REC-1/a" in unknown
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
    found = set()
    for process in [me, *me.children(recursive=True)]:
        with suppress(psutil.Error):  # children of other tests may end meanwhile
            listening = [one for one in process.net_connections() if one.status == psutil.CONN_LISTEN]
            found.update(one.laddr for one in listening)
    return found


def test_no_worker_comes(tmp_path: Path) -> None:
    """A scheduler without workers ends the run after the configured time; the report names its address and what to do."""
    settings = "[dask.cluster]\nno_workers_timeout = '0.5 s'"
    with (
        DaskProcesses(tmp_path / "cluster", workers=0) as cluster,
        make_workspace(tmp_path, settings=settings) as lab,
    ):
        report = lab.steps.run(address=cluster.address, printing=False)
    assert report.counts["interrupted"] == 6
    (text,) = report.warnings
    assert f"no worker at the Dask scheduler {cluster.address} for 0.5 s" in text
    assert "dask worker" in text and "no_workers_timeout" in text


@pytest.mark.slow
def test_scheduler_that_answers_no_more(tmp_path: Path) -> None:
    """When the scheduler falls silent the run ends after `connect_timeout`; what was finished meanwhile counts as done."""
    settings = "[dask.cluster]\nconnect_timeout = '3 s'"
    lab = make_workspace(tmp_path / "lab", records=1, scripts={"a": WAITING}, settings=settings)
    with DaskProcesses(tmp_path / "cluster", workers=1) as cluster, lab:
        report = lab.steps.run(address=cluster.address, printing=False, wait=False)
        await_begin(lab)
        os.kill(cluster.scheduler.pid, signal.SIGSTOP)
        (lab.data_path / "free").touch()
        report.wait(60)
    assert report.counts["done"] == 1
    assert any(f"scheduler at {cluster.address} has not answered for 3 s" in text for text in report.warnings)


@pytest.mark.slow
def test_worker_ended_from_outside_does_not_cost_its_job(tmp_path: Path) -> None:
    """kill -9 of a worker: its script ends with it, is not blamed, and runs again on another one."""
    lab = make_workspace(tmp_path / "lab", records=1, scripts={"a": WAITING})
    with DaskProcesses(tmp_path / "cluster", workers=2) as cluster, lab:
        report = lab.steps.run(address=cluster.address, printing=False, wait=False)
        first = await_begin(lab)
        worker = psutil.Process(first).ppid()
        (lab.data_path / "REC-1.pid").unlink()
        os.kill(worker, signal.SIGKILL)
        assert await_begin(lab) != first
        (lab.data_path / "free").touch()
        assert report.wait(60).counts["done"] == 1
    assert not list((lab.data_path / ".sinagot" / "failures").glob("*"))


@pytest.mark.slow
@pytest.mark.parametrize("is_late", [False, True])
def test_script_that_loses_its_worker_again_and_again_is_blamed_in_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_late: bool
) -> None:
    """A script that takes its worker along each time is given up after four tries; the others are done.

    Also where its process dies a moment after the driver has looked for it.
    """
    if is_late:
        look = Bench.holder

        def look_too_soon(bench: Bench, job: Any, key: str) -> str | None:
            if key.startswith("REC-2"):
                await_true(lambda: look(bench, job, key) == "dead", "its process to die")
            return "live"

        monkeypatch.setattr(Bench, "holder", look_too_soon)
    body = """
        with open(self.data_path / f"{self.id}.begun", "a") as file:
            file.write("x")
        if self.id == "REC-2":
            os.kill(os.getppid(), 9)
            time.sleep(60)
        self.path.output.write_text("")
    """
    with make_workspace(tmp_path, scripts={"a": script_text(body)}) as lab:
        report = lab.steps.run(mode="dask", workers=2, printing=False)
        assert (report.counts["done"], report.counts["failed"]) == (2, 1)
        (group,) = report.failures
        assert group.records == ("REC-2",) and "given up after 4 tries" in group.message
        # A worker that is lost before the script has begun counts as well: nobody can tell.
        assert (lab.data_path / "REC-2.begun").read_text() in ("xxx", "xxxx")


@pytest.mark.parametrize(
    ("change", "sees", "refusal"),
    [
        ({"python": "3.9"}, True, r"worker on far has python 3\.9 \(here 3\."),
        ({"sinagot": "0.3.0"}, True, r"worker on far has sinagot 0\.3\.0"),
        ({"dask": "1.2"}, True, r"worker on far has dask 1\.2"),
        ({}, False, r"worker on far does not see .*run\.json.*mounted alike"),
        ({"dask": f"{dask.__version__}.post9"}, True, None),
    ],
)
def test_worker_that_is_not_fit_is_named_before_the_first_job(
    change: dict[str, str], sees: bool, refusal: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another Python or package, or another mount path, is refused by name; a small difference is a warning."""
    ours = look_around(str(tmp_path)).versions
    monkeypatch.setattr(dask_executor, "look_around", lambda path: Look("far", ours | change, sees))
    with make_workspace(tmp_path / "lab", settings="[dask.scheduler]\ntype = 'threads'") as lab:
        if refusal is None:
            report = lab.steps.run(mode="dask", workers=1, printing=False)
            assert report.ok and any("worker on far has dask" in text for text in report.warnings)
        else:
            with pytest.raises(ConfigurationError, match=refusal):
                lab.steps.run(mode="dask", workers=1, printing=False)
            assert lab.steps.run(mode="main_process", printing=False).counts["done"] == 6


def test_worker_that_comes_later_looks_for_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker that was not there when the run began compares itself before its first batch, and ends the run by name."""
    bad = Look("late", look_around(str(tmp_path)).versions, False)
    monkeypatch.setattr(dask_worker, "look_around", lambda path: bad)
    with make_workspace(tmp_path / "lab", settings="[dask.scheduler]\ntype = 'threads'") as lab:
        report = lab.steps.run(mode="dask", workers=1, printing=False)
        assert report.counts["interrupted"] == 6
        assert any("worker on late does not see" in text for text in report.warnings)
