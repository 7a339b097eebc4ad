"""Jobs that run on Dask: clusters of each kind that we start, a scheduler at an address, somebody else's client."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import pytest

from sinagot.engine.executors.dask import DaskExecutor
from sinagot.testing import WorkerContract

if TYPE_CHECKING:
    from distributed import Client

    from tests.clusters import DaskProcesses


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
