"""What the workers of a cluster are, compared with this process."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import pytest

from sinagot import Workspace
from sinagot.workspace.doctor import workers
from sinagot.workspace.doctor.environment import PACKAGES, installed_version
from sinagot.workspace.doctor.workers import (
    NAMES,
    examine_client,
    examine_workers,
    judge_clocks,
    judge_memory,
    judge_versions,
)
from tests.clusters import DaskProcesses

HERE = {
    "python": "3.11.7",
    "sinagot": "1.0.0",
    "dask": "2026.8.0",
    "distributed": "2026.8.0",
    "pandas": "3.0.0",
}


class Cluster:
    """Stands for a client; each answer of a worker can be changed."""

    def __init__(self, *names: str) -> None:
        self.names = [f"tcp://{name}:1" for name in names]
        self.come = True
        self.answers: dict[Any, Any] = {
            os.path.isdir: os.path.isdir,
            time.time: time.time,
            os.getenv: lambda name: "1",
        }
        version = {
            "host": {"python": "3.11.7.final.0"},
            "packages": {one: installed_version(one) for one in PACKAGES},
        }
        self.versions: dict[str, Any] = dict.fromkeys(self.names, version)
        self.here = version

    def scheduler_info(self, n_workers: int = 5) -> dict[str, Any]:
        facts = {"nthreads": 2, "memory_limit": 2**33, "host": "node"}
        return {"address": "tcp://head:8786", "workers": dict.fromkeys(self.names, facts)}

    def wait_for_workers(self, count: int, timeout: float) -> None:
        if not self.come:
            raise TimeoutError

    def get_versions(self, packages: list[str] | None = None) -> dict[str, Any]:
        return {"workers": self.versions, "client": self.here}

    def run(self, function: Any, *arguments: Any, on_error: str) -> dict[str, Any]:
        answer = self.answers[function]
        return {name: answer(*arguments) for name in self.names}


def examined(cluster: Cluster, state: Path) -> dict[str, Any]:
    """Examine a made-up cluster and give the findings by name."""
    return {one.name: one for one in examine_client(cluster, str(state), [str(state)], patience=0.1)}


def test_workers_like_here(tmp_path: Path) -> None:
    """Where all is alike each finding says so, and nothing is left in the state folder."""
    found = examined(Cluster("a", "b"), tmp_path)
    assert list(found) == list(NAMES)
    assert {one.verdict for one in found.values()} == {"ok"}
    assert found["workers"].value == "2, with 4 threads together"
    assert list(tmp_path.iterdir()) == []


def test_no_worker_comes(tmp_path: Path) -> None:
    """A cluster without workers is a problem, and nobody waits for ever."""
    cluster = Cluster()
    cluster.come = False
    found = examined(cluster, tmp_path)
    assert found["workers"].verdict == "problem"
    assert "worker versions" not in found


def test_another_version_is_named(tmp_path: Path) -> None:
    """A worker with another version is named with both; one that does not answer is passed over."""
    cluster = Cluster("a", "b", "c")
    packages = {**cluster.here["packages"], "pandas": "2.0.0", "sinagot": None}
    cluster.versions = {
        **cluster.versions,
        "tcp://b:1": {**cluster.here, "packages": packages},
        "tcp://c:1": "OSError",
    }
    found = examined(cluster, tmp_path)["worker versions"]
    assert found.verdict == "problem"
    assert "node (tcp://b:1): sinagot none (here" in found.value
    assert "pandas 2.0.0 (here" in found.value
    assert "tcp://a:1" not in found.value


@pytest.mark.parametrize(
    ("other", "verdict"),
    [
        ({}, "ok"),
        ({"pandas": "2.9.0"}, "warning"),
        ({"python": "3.11.2"}, "warning"),
        ({"dask": "2026.9.0"}, "warning"),
        ({"dask": "2025.1.0"}, "problem"),
        ({"python": "3.12.1"}, "problem"),
        ({"sinagot": "0.9.0"}, "problem"),
    ],
)
def test_which_versions_matter(other: dict[str, str], verdict: str) -> None:
    """A difference for which a run refuses the worker is a problem, any other a warning."""
    assert judge_versions(HERE, {"one": HERE, "two": {**HERE, **other}, "three": HERE}).verdict == verdict


def test_the_worst_version_counts() -> None:
    """A slight difference of a later worker does not hide a grave one before it."""
    grave, slight = {**HERE, "sinagot": "0.1.0"}, {**HERE, "pandas": "2.0.0"}
    assert judge_versions(HERE, {"one": grave, "two": slight}).verdict == "problem"


def test_folders_that_workers_do_not_see(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker that does not see the data, or what is new in the state folder, is named with the folder."""
    monkeypatch.setattr(workers, "_LATENCY", 0.3)
    cluster = Cluster("a")
    cluster.answers[os.path.isdir] = lambda path: path == str(tmp_path)
    found = examined(cluster, tmp_path)["worker folders"]
    assert found.verdict == "problem"
    assert found.value == f"not seen: {tmp_path} (or what is new in it) on node (tcp://a:1)"
    cluster.answers[os.path.isdir] = lambda path: False
    assert f"{tmp_path} on node" in examined(cluster, tmp_path)["worker folders"].value


def test_state_folder_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no new file can be made, what workers see of the data is told all the same."""

    def refuse(path: str, mode: int = 0o777) -> None:
        raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr(os, "mkdir", refuse)
    cluster = Cluster("a")
    found = examined(cluster, tmp_path)["worker folders"]
    assert found.verdict == "note"
    assert found.value.endswith("Permission denied")
    cluster.answers[os.path.isdir] = lambda path: False
    assert examined(cluster, tmp_path)["worker folders"].verdict == "problem"


def test_clocks_and_threads_of_workers(tmp_path: Path) -> None:
    """A worker in another time is named; libraries without a number of threads are worth a note."""
    cluster = Cluster("a")
    cluster.answers[time.time] = lambda: time.time() - 7200
    cluster.answers[os.getenv] = lambda name: None
    found = examined(cluster, tmp_path)
    assert found["worker clocks"].verdict == "note"
    assert "behind" in found["worker clocks"].value
    assert found["worker threads"] == (
        "Dask",
        "worker threads",
        "OMP_NUM_THREADS not set",
        "note",
        "numeric libraries take all cores in each worker: set threads = 1 in [run].",
    )


def test_small_differences_of_clocks() -> None:
    """Less than two seconds are not told."""
    assert judge_clocks({"a": 1.5, "b": -0.5}).value == "as here"
    assert judge_clocks({"a": 1.5, "b": 60.0}).value == "b is 60 s ahead"


@pytest.mark.parametrize(
    ("limits", "verdict", "value"),
    [
        ([0, 0], "ok", "no limit"),
        ([2**33], "ok", "8.59 GB each"),
        ([2**33, 2**28], "warning", "268 MB to 8.59 GB each"),
    ],
)
def test_memory_of_workers(limits: list[int], verdict: str, value: str) -> None:
    """The smallest limit counts."""
    answer = judge_memory(limits)
    assert (answer.verdict, answer.value) == (verdict, value)


def test_no_cluster_needed(harbor: Path) -> None:
    """The single-threaded scheduler has no workers, which is said."""
    with (harbor / "workspace.toml").open("a") as file:
        file.write("\n[dask.scheduler]\ntype = 'single-threaded'\n")
    with Workspace(harbor) as workspace:
        found = list(examine_workers(workspace))
    assert [one.value for one in found] == ["none: the scheduler single-threaded runs jobs in this process"]


def test_no_scheduler_answers(harbor: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A scheduler that does not answer is a problem among the findings, not an exception."""
    from sinagot.errors import ConfigurationError

    def refuse(self: object) -> None:
        raise ConfigurationError("no Dask scheduler answers at tcp://127.0.0.1:1")

    monkeypatch.setattr(workers.ExecutorChoice, "make", refuse)
    with Workspace(harbor) as workspace:
        found = list(examine_workers(workspace, "tcp://127.0.0.1:1"))
    assert [(one.name, one.verdict) for one in found] == [("cluster", "problem")]
    assert "no Dask scheduler answers" in found[0].value


@pytest.mark.slow
def test_real_workers(harbor: Path, tmp_path: Path) -> None:
    """Workers of a real cluster, in processes of their own, are asked, and all is as here."""
    with DaskProcesses(tmp_path / "cluster") as cluster, Workspace(harbor) as workspace:
        found = {one.name: one for one in workspace.doctor(address=cluster.address)}
    assert found["cluster"].value == cluster.address
    assert found["workers"].value == "2, with 2 threads together"
    assert found["worker versions"].value == "as here"
    assert found["worker folders"].verdict == "ok"
    assert not (harbor / "dataset" / ".sinagot").exists()
