"""Jobs that run in warm child processes."""

from __future__ import annotations

from sinagot.engine.executors.processes import ProcessExecutor
from sinagot.testing import WorkerContract


class TestProcesses(WorkerContract):
    @classmethod
    def make_executor(cls) -> ProcessExecutor:
        return ProcessExecutor(2)
