"""A Dask cluster in processes of its own, for the cases that need one.

Knows how to start one and who of it takes CPU time; must not know what runs on it.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from measuring import ENVIRONMENT, PROBES, MeasuringError


class Cluster(NamedTuple):
    """A running Dask cluster: how to reach it, and whose CPU time counts."""

    address: str
    pid: int


@contextmanager
def cluster(workers: int = 2) -> Iterator[Cluster]:
    """Run a cluster of some workers."""
    program = [sys.executable, PROBES / "cluster.py", str(workers)]
    environment = {**ENVIRONMENT, "PYTHONPATH": str(PROBES)}  # its workers import the bare work by name
    with subprocess.Popen(
        program,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=environment,
    ) as child:
        assert child.stdout is not None and child.stdin is not None
        address = child.stdout.readline().strip()
        if not address:
            raise MeasuringError("the Dask cluster did not start")
        try:
            yield Cluster(address, child.pid)
        finally:
            child.stdin.close()
