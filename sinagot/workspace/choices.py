"""Where the jobs of a run are executed: what the configuration says, what the call says, and who wins.

Knows the words of modes and schedulers; must not know jobs. Executors are imported when one is made.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sinagot.errors import ConfigurationError
from sinagot.workspace.contracts import House

if TYPE_CHECKING:
    from distributed import Client

    from sinagot.engine.executors.contract import Executor

__all__ = ["ExecutorChoice"]

_MODES = ("main_process", "processes", "dask")
#: Keys of `[dask.cluster]` that hold for every kind of cluster.
_TIMEOUTS = ("connect_timeout", "no_workers_timeout")


class ExecutorChoice:
    """Where the jobs of a run are executed; equal choices share one executor of the workspace."""

    def __init__(
        self,
        workspace: House,
        *,
        mode: str | None,
        workers: int | None,
        client: Client | None,
        address: str | None,
        debug: bool,
    ) -> None:
        configuration = workspace.configuration
        client = client if client is not None else workspace.client
        if mode is None:
            mode = configuration.run.mode
            if client is not None or address is not None:
                mode = "dask"
            elif workers is not None and mode == "main_process":
                mode = "processes"
        if mode not in _MODES:
            raise ConfigurationError.at(
                f"unknown run mode {mode!r}; allowed: {', '.join(_MODES)}", key="mode", found=mode
            )
        self.mode = "main_process" if debug else mode
        self.workers = workers if workers is not None else configuration.run.workers
        self.client = client
        self.scheduler = configuration.dask.scheduler
        self.cluster = dict(configuration.dask.cluster)
        if address is not None:
            self.cluster["address"] = address
        if "class" in self.cluster or address is not None:
            self.scheduler = "distributed"
        if address is not None:
            self.cluster.pop("class", None)
        if self.mode == "dask" and client is None and self.scheduler == "single-threaded":
            self.mode = "main_process"
        if self.mode == "dask" and client is None and self.scheduler != "distributed":
            self.cluster = {name: value for name, value in self.cluster.items() if name in _TIMEOUTS}

    @property
    def here(self) -> bool:
        """Jobs run in this thread."""
        return self.mode == "main_process"

    @property
    def key(self) -> tuple[Any, ...]:
        """What makes two choices one executor."""
        return (
            self.mode,
            self.workers,
            id(self.client),
            self.scheduler,
            tuple(sorted(map(repr, self.cluster.items()))),
        )

    def make(self) -> Executor:
        """Make the executor of this choice, unless jobs run here."""
        if self.mode == "processes":
            from sinagot.engine.executors.processes import ProcessExecutor

            return ProcessExecutor(self.workers)
        from sinagot.engine.executors.dask import DaskExecutor

        return DaskExecutor(self.scheduler, self.cluster, self.client, self.workers)
