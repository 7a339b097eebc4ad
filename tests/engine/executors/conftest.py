"""Clusters that several tests share."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from tests.clusters import DaskProcesses

if TYPE_CHECKING:
    from distributed import Client


@pytest.fixture(scope="session")
def dask_processes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DaskProcesses]:
    """Give a running scheduler with two workers, each a process of its own."""
    with DaskProcesses(tmp_path_factory.mktemp("dask")) as processes:
        yield processes


@pytest.fixture(scope="session")
def dask_client(dask_processes: DaskProcesses) -> Iterator[Client]:
    """Give somebody else's client."""
    from distributed import Client

    with Client(dask_processes.address, set_as_default=False) as client:
        yield client
