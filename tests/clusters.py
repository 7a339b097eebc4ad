"""A Dask cluster of real processes on the loopback interface, as `dask scheduler` and `dask worker` start it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from sinagot.testing import await_true

ROOT = Path(__file__).parents[1]

__all__ = ["DaskProcesses"]


class DaskProcesses:
    """One scheduler and some workers with one thread each, on free ports; `with` ends them."""

    def __init__(self, folder: Path, workers: int = 2) -> None:
        self.folder = folder
        self.address = ""
        self.scheduler: subprocess.Popen[bytes]
        self.workers: list[subprocess.Popen[bytes]] = []
        self._count = workers

    def _start(self, *words: str) -> subprocess.Popen[bytes]:
        environment = {
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "DASK_DISTRIBUTED__WORKER__PROFILE__ENABLED": "False",
        }
        with (self.folder / "dask.log").open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "dask", *words, "--host", "127.0.0.1"],
                cwd=self.folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def start_scheduler(self, port: int = 0) -> None:
        """Start the scheduler and learn its address."""
        file = self.folder / "scheduler.json"
        file.unlink(missing_ok=True)
        self.scheduler = self._start(
            "scheduler", "--port", str(port), "--no-dashboard", "--scheduler-file", str(file)
        )
        await_true(lambda: _address(file), "the Dask scheduler starts")
        self.address = _address(file)

    def start_worker(self) -> subprocess.Popen[bytes]:
        """Start one worker without a nanny: its process is the one that runs tasks."""
        worker = self._start("worker", self.address, "--nthreads", "1", "--no-nanny", "--no-dashboard")
        self.workers.append(worker)
        return worker

    def __enter__(self) -> Self:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.start_scheduler()
        for _ in range(self._count):
            self.start_worker()
        self.await_workers(self._count)
        return self

    def await_workers(self, count: int) -> None:
        """Wait until the scheduler knows so many workers."""
        from distributed import Client

        with Client(self.address, set_as_default=False) as client:
            client.wait_for_workers(count, timeout=60)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for process in [*self.workers, self.scheduler]:
            end(process)


def end(process: subprocess.Popen[Any], number: int = signal.SIGKILL) -> None:
    """End a process that a test started, with its group."""
    try:
        os.killpg(process.pid, number)
    except ProcessLookupError:
        pass
    process.wait(20)


def _address(file: Path) -> str:
    try:
        return str(json.loads(file.read_text())["address"])
    except (OSError, ValueError, KeyError):
        return ""
