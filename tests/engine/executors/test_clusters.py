"""Clusters of any class that we start: what they are made with, where their workers come from, what becomes of lost ones."""

from __future__ import annotations

import contextlib
import gc
import signal
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import dask
import psutil
import pytest

from sinagot import Workspace
from sinagot.engine.executors import lookout
from sinagot.engine.executors.clusters import ClusterSettings, find_class, start_cluster
from sinagot.errors import ConfigurationError, MissingExtraError
from sinagot.testing import await_true, make_workspace, script_text
from tests.clusters import Slurm

SLURM = """
[run]
mode = "dask"
[log]
level = "ERROR"
[dask.cluster]
class = "dask_jobqueue.SLURMCluster"
cores = 1
memory = "1GB"
walltime = "00:10:00"
log_directory = "{folder}/logs"
{more}
[dask.cluster.scheduler_options]
host = "127.0.0.1"
"""

#: Says where it runs, and waits; the second time it does not wait.
WAITS_ONCE = script_text(
    """
    begun = self.data_path / f"{self.id}.begun"
    first = not begun.exists()
    with begun.open("a") as file:
        file.write(f"{os.getpid()}\\n")
    end = time.monotonic() + 60
    while first and self.id == "REC-1" and not (self.data_path / "free").exists():
        assert time.monotonic() < end
        time.sleep(0.01)
    self.path.output.write_text("whole")
    """
)


@pytest.fixture
def slurm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Slurm]:
    """Give stand-ins for the programs of SLURM, on the PATH."""
    import distributed  # noqa: F401  (its defaults must be there before one is changed: they go with the change)

    made = Slurm(tmp_path / "slurm")
    monkeypatch.setenv("PATH", str(made.programs), prepend=":")
    with dask.config.set({"distributed.deploy.lost-worker-timeout": "500ms"}):
        yield made
    made.end()


def open_lab(
    tmp_path: Path, slurm: Slurm, more: str, script: str = WAITS_ONCE, records: int = 3
) -> Workspace:
    settings = SLURM.format(folder=slurm.folder, more=more)
    return make_workspace(tmp_path / "lab", records=records, scripts={"a": script}, settings=settings)


@pytest.mark.slow
def test_workers_of_a_batch_system_that_are_lost_are_replaced_and_their_records_go_on(
    tmp_path: Path, slurm: Slurm
) -> None:
    """A job that SLURM kills takes its script along: nobody is blamed, a new job takes its place, and all ends with `close`."""
    with open_lab(tmp_path, slurm, "jobs = 1") as lab:
        report = lab.steps.run(printing=False, wait=False)
        begun = lab.data_path / "REC-1.begun"
        await_true(lambda: begun.exists() and begun.read_text(), "the script runs")
        worker = psutil.Process(int(begun.read_text())).parent()
        (job,) = slurm.pids()
        slurm.kill(job)
        with contextlib.suppress(psutil.NoSuchProcess):  # it may have gone with its job
            if worker is not None and worker.pid != 1:
                worker.kill()
        report.wait(100)
        assert report.ok, report.failures[0].traceback
        assert report.counts["done"] == 3
        assert len(begun.read_text().split()) == 2
        assert len(slurm.scripts()) >= 2
        assert "#SBATCH -t 00:10:00" in slurm.scripts()[0]
    await_true(lambda: not slurm.pids(), "the jobs are cancelled")


@pytest.mark.slow
def test_adaptive_cluster_asks_for_workers_when_there_is_work(tmp_path: Path, slurm: Slurm) -> None:
    """With `adapt` workers are asked for by the work, up to the maximum."""
    more = "[dask.cluster.adapt]\nminimum = 0\nmaximum = 2\ninterval = '100ms'\n"
    settings = SLURM.format(folder=slurm.folder, more="") + more
    with make_workspace(tmp_path / "lab", records=8, settings=settings) as lab:
        report, most = lab.steps.run(printing=False, wait=False), 0
        while report.is_running:
            most = max(most, len(slurm.pids()))
            time.sleep(0.01)
        assert report.wait(60).counts["done"] == 16
    # One that was let go may be ending while the next one begins.
    assert 1 <= most <= 3 and slurm.scripts()
    await_true(lambda: not slurm.pids(), "the jobs are cancelled")


def test_jobs_that_end_before_a_worker_has_begun_end_the_run(
    tmp_path: Path, slurm: Slurm, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When no job of the batch system is left and no worker ever came, the run ends and names jobs and address."""
    monkeypatch.setattr(lookout, "ENDED_TIMEOUT", 0.5)
    monkeypatch.setattr(lookout, "QUEUE_PAUSE", 0.1)
    monkeypatch.setattr(lookout, "PAUSE", 0.1)
    with open_lab(tmp_path, slurm, "jobs = 1\njob_script_prologue = ['exit 3']") as lab:
        report = lab.steps.run(printing=False)
    assert report.counts["interrupted"] == 3
    (text,) = report.warnings
    assert "the batch jobs 1 have ended" in text and "tcp://127.0.0.1:" in text and "run again" in text


def test_what_the_batch_system_has_against_a_job_is_told(tmp_path: Path, slurm: Slurm) -> None:
    """A job that `sbatch` refuses is an error with its words, before anything has run."""
    slurm.refuse("invalid partition specified: shorty")
    with (
        open_lab(tmp_path, slurm, "jobs = 1") as lab,
        pytest.raises(ConfigurationError, match=r"partition.*shorty"),
    ):
        lab.steps.run(printing=False)
    assert not (lab.data_path / ".sinagot").exists()


# A cluster class of Dask that raises in the middle of its making says so again when it is forgotten.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize(
    ("table", "words"),
    [
        ({"class": "distributed.NoSuchCluster"}, "distributed has no class 'NoSuchCluster'"),
        ({"class": "Cluster"}, "'module.Class' is one"),
        (
            {"class": "dask_jobqueue.SLURMCluster", "jobs": 1, "cores": 1, "memory": "1GB", "core": 8},
            "SLURMCluster refuses.*core",
        ),
        (
            {"class": "dask_jobqueue.SLURMCluster", "cores": 1, "memory": "1GB"},
            "starts no workers.*jobs = 10",
        ),
        ({"class": "dask_jobqueue:SLURMCluster", "jobs": 1}, "refuses its arguments.*how much cores"),
    ],
)
def test_cluster_that_cannot_be_made(table: dict[str, object], words: str) -> None:
    """A class that is not there, or that refuses what it gets, is a configuration error with its words."""
    with pytest.raises(ConfigurationError, match=f"(?s){words}"):
        start_cluster(ClusterSettings.of(table), None)
    gc.collect()


def test_class_of_a_package_that_takes_ctrl_c_does_not_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Importing dask-jobqueue leaves Ctrl-C as it is, and works in a run in the background as well."""
    before = signal.getsignal(signal.SIGINT)
    found: list[str] = []

    def find() -> None:
        for name in [name for name in sys.modules if name.partition(".")[0] == "dask_jobqueue"]:
            monkeypatch.delitem(sys.modules, name)
        found.append(find_class("dask_jobqueue.SLURMCluster").__name__)

    find()
    thread = threading.Thread(target=find)
    thread.start()
    thread.join(60)
    assert found == ["SLURMCluster"] * 2
    assert signal.getsignal(signal.SIGINT) is before


def test_missing_package_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """A cluster class whose package is not installed says what to install."""
    for name in [name for name in sys.modules if name.partition(".")[0] == "dask_jobqueue"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "dask_jobqueue", None)
    with pytest.raises(MissingExtraError, match=r"dask-jobqueue.*the extra 'slurm'") as caught:
        find_class("dask_jobqueue.SLURMCluster")
    assert caught.value.facts["extra"] == "slurm"
