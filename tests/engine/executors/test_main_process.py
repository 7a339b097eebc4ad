"""Jobs that run in the calling thread."""

from __future__ import annotations

from sinagot.engine.executors.main_process import MainProcessExecutor
from sinagot.testing import ExecutorContract


class TestMainProcess(ExecutorContract):
    @classmethod
    def make_executor(cls) -> MainProcessExecutor:
        return MainProcessExecutor()
