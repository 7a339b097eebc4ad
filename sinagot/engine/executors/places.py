"""Where work is executed: what the configuration says, what the call says, and who wins.

Knows the words of modes and schedulers; must not know workspaces or jobs. Executors are imported when one is made.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sinagot.config.settings import DaskSettings, RunSettings
from sinagot.errors import ConfigurationError

if TYPE_CHECKING:
    from distributed import Client

    from sinagot.engine.executors.contract import SharedExecutor

__all__ = ["Place"]

_MODES = ("main_process", "processes", "dask")
#: Keys of `[dask.cluster]` that hold for every kind of cluster.
_TIMEOUTS = ("connect_timeout", "no_workers_timeout")


class Place:
    """Where work is executed; equal places can share one executor.

    Parameters
    ----------
    run : RunSettings
        What `[run]` says.
    dask : DaskSettings
        What `[dask]` says.
    mode : str, optional
        Asked for by the call: ``main_process``, ``processes`` or ``dask``.
    workers : int, optional
        Number of workers.
    client : distributed.Client, optional
        An existing client; never closed.
    address : str, optional
        Of a scheduler that runs.
    debug : bool
        Work is done here, whatever is said.

    Raises
    ------
    ConfigurationError
        There is no such mode.

    Examples
    --------
    >>> Place().here, Place(workers=2).mode, Place(address="tcp://127.0.0.1:8786").mode
    (True, 'processes', 'dask')
    """

    def __init__(
        self,
        run: RunSettings = RunSettings("main_process"),  # noqa: B008  (a tuple)
        dask: DaskSettings = DaskSettings("processes", {}),  # noqa: B008  (it is copied)
        *,
        mode: str | None = None,
        workers: int | None = None,
        client: Client | None = None,
        address: str | None = None,
        debug: bool = False,
    ) -> None:
        if mode is None:
            mode = run.mode
            if client is not None or address is not None:
                mode = "dask"
            elif workers is not None and mode == "main_process":
                mode = "processes"
        if mode not in _MODES:
            raise ConfigurationError.at(
                f"unknown run mode {mode!r}; allowed: {', '.join(_MODES)}", key="mode", found=mode
            )
        self.mode = "main_process" if debug else mode
        self.workers = workers if workers is not None else run.workers
        self.client = client
        self.scheduler = dask.scheduler
        self.cluster = dict(dask.cluster)
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
        """Work is done in this thread."""
        return self.mode == "main_process"

    @property
    def key(self) -> tuple[Any, ...]:
        """What makes two places one executor."""
        return (
            self.mode,
            self.workers,
            id(self.client),
            self.scheduler,
            tuple(sorted(map(repr, self.cluster.items()))),
        )

    def make(self, *, leaves_spares: bool = False) -> SharedExecutor:
        """Make the executor; of a place that is here, one for what must have a process of its own.

        Parameters
        ----------
        leaves_spares : bool
            When it is closed, fresh processes are made ready for another one like it.
        """
        if self.mode != "dask":
            from sinagot.engine.executors.processes import ProcessExecutor

            return ProcessExecutor(self.workers, leaves_spares=leaves_spares)
        from sinagot.engine.executors.dask import DaskExecutor

        return DaskExecutor(
            self.scheduler, self.cluster, self.client, self.workers, leaves_spares=leaves_spares
        )
