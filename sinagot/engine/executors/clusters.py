"""Clusters that we start: Dask's own on this machine, or one of any cluster class, such as those for batch systems.

Knows cluster classes and their arguments; must not know batches. Dask is imported when a cluster is made, not before.
"""

from __future__ import annotations

import contextlib
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from importlib import import_module
from types import ModuleType
from typing import Any, NamedTuple

from sinagot.config.quantities import seconds_of
from sinagot.engine.executors import dask_worker
from sinagot.engine.machine import default_workers
from sinagot.errors import ConfigurationError, MissingExtraError

__all__ = [
    "ClusterSettings",
    "JobQueue",
    "close_cluster",
    "hidden_main",
    "refill",
    "start_cluster",
    "start_local",
]

#: Seconds to wait for a scheduler at an address, and for one that was there to answer again.
CONNECT_TIMEOUT = 30.0
#: Seconds without any worker after which a run ends; jobs of a batch system may have to wait in its queue.
NO_WORKERS_TIMEOUT = 600.0
NO_WORKERS_IN_QUEUE_TIMEOUT = 86400.0
#: What is set while a scheduler of ours is made: a worker that dies is blamed once and by us.
SCHEDULER_SETTINGS = {
    "distributed.scheduler.allowed-failures": 0,
    "distributed.admin.low-level-log-length": 100,
}


class ClusterSettings(NamedTuple):
    """What `[dask.cluster]` says, with our own keys apart from the arguments of the cluster class."""

    arguments: dict[str, Any]
    path: str | None = None
    address: str | None = None
    jobs: int | None = None
    adapt: dict[str, Any] | None = None
    connect_timeout: float = CONNECT_TIMEOUT
    no_workers_timeout: float = NO_WORKERS_TIMEOUT

    @classmethod
    def of(cls, table: Mapping[str, Any]) -> ClusterSettings:
        """Read the table.

        Parameters
        ----------
        table : mapping
            As it is written, checked.

        Examples
        --------
        >>> settings = ClusterSettings.of({"class": "a.B", "jobs": 2, "cores": 8, "connect_timeout": "1 min"})
        >>> settings.path, settings.jobs, settings.arguments, settings.connect_timeout
        ('a.B', 2, {'cores': 8}, 60.0)
        """
        own = ("class", "address", "jobs", "adapt", "connect_timeout", "no_workers_timeout")
        path = table.get("class")
        patience = NO_WORKERS_TIMEOUT if path is None else NO_WORKERS_IN_QUEUE_TIMEOUT
        return cls(
            {name: value for name, value in table.items() if name not in own},
            path,
            table.get("address"),
            table.get("jobs"),
            table.get("adapt"),
            seconds_of(table.get("connect_timeout", CONNECT_TIMEOUT)),
            seconds_of(table.get("no_workers_timeout", patience)),
        )


class _NamelessMain(ModuleType):
    """Stands for `__main__` while a worker is started: all of it is there but for the file that it came from."""

    def __init__(self, main: ModuleType) -> None:
        super().__init__("__main__")
        self._sinagot_main = main

    def __getattr__(self, name: str) -> Any:
        if name == "__file__":
            raise AttributeError(name)
        return getattr(self._sinagot_main, name)


_HIDING = threading.Lock()
_HIDDEN: list[ModuleType] = []


@contextlib.contextmanager
def hidden_main() -> Iterator[None]:
    """Start worker processes without running the user's program in them.

    `multiprocessing` runs the file of `__main__` again in each process it spawns; a script that calls `steps.run()` at
    module level, without a guard, would start itself over and over.
    """
    with _HIDING:  # several clusters and nannies may be at it at once
        _HIDDEN.append(_HIDDEN[0] if _HIDDEN else sys.modules["__main__"])
        if len(_HIDDEN) == 1:
            sys.modules["__main__"] = _NamelessMain(_HIDDEN[0])
    try:
        yield
    finally:
        with _HIDING:
            main = _HIDDEN.pop()
            if not _HIDDEN:
                sys.modules["__main__"] = main


def _nanny_class() -> type:
    """Give a class of nannies that hide `__main__` also from a worker that takes a dead one's place."""
    from distributed import Nanny

    class HidingNanny(Nanny):
        async def instantiate(self) -> Any:
            with hidden_main():
                return await super().instantiate()

    return HidingNanny


def start_local(scheduler: str, arguments: dict[str, Any], workers: int | None) -> Any:
    """Start a `distributed.LocalCluster`.

    Parameters
    ----------
    scheduler : str
        ``threads``, ``processes`` or ``distributed``.
    arguments : dict
        Of the class.
    workers : int, optional
        Number of workers, where `arguments` do not say it.

    Raises
    ------
    ConfigurationError
        The class refuses its arguments.
    """
    import dask
    from distributed import LocalCluster

    if scheduler == "threads":
        arguments = {
            "n_workers": 1,
            "processes": False,
            "threads_per_worker": workers or default_workers(),
            **arguments,
        }
    elif scheduler == "processes":
        arguments = {"n_workers": workers or default_workers(), "threads_per_worker": 1, **arguments}
    elif workers is not None:
        arguments["n_workers"] = workers
    with dask.config.set(SCHEDULER_SETTINGS), hidden_main():
        return _made(LocalCluster, _local_arguments(arguments))


def _local_arguments(arguments: dict[str, Any]) -> dict[str, Any]:
    """Add what holds for every cluster on this machine: nothing listens beyond it unless told to."""
    arguments.setdefault("dashboard_address", "127.0.0.1:0")
    arguments.setdefault("worker_dashboard_address", "127.0.0.1:0")
    if arguments.get("processes", True):
        arguments.setdefault("worker_class", _nanny_class())
        arguments["preload"] = [dask_worker.__name__, *_as_list(arguments.get("preload"))]
    return arguments


def start_cluster(settings: ClusterSettings, workers: int | None) -> Any:
    """Start a cluster of the class that the configuration names, and ask it for workers.

    Parameters
    ----------
    settings : ClusterSettings
        With the class as `path`.
    workers : int, optional
        Number of workers, where `settings` do not say it.

    Raises
    ------
    ConfigurationError
        There is no such class, it refuses its arguments, or the batch system refuses the first job.
    MissingExtraError
        Its package is not installed.
    """
    import dask
    from distributed import LocalCluster

    kind = find_class(settings.path or "")
    arguments = dict(settings.arguments)
    is_queue = _is_queue(kind)
    if kind is LocalCluster:
        arguments = _local_arguments(arguments)
    if is_queue:
        # Workers on other machines must reach the scheduler; the dashboard is for people, and stays here.
        options = dask.config.get(f"jobqueue.{kind.job_cls.config_name}.scheduler-options", None)
        options = arguments.get("scheduler_options", options) or {}
        arguments["scheduler_options"] = {"dashboard_address": "127.0.0.1:0", **options}
        if not (settings.jobs or settings.adapt or workers or arguments.get("n_workers")):
            raise ConfigurationError.at(
                f"{settings.path} starts no workers by itself",
                key="dask.cluster",
                hint="say how many: jobs = 10 (batch jobs), or a table [dask.cluster.adapt] with minimum and maximum",
            )
    with dask.config.set(SCHEDULER_SETTINGS), hidden_main():
        cluster = _made(kind, arguments)
        try:
            _ask_for_workers(cluster, settings, workers, is_queue=is_queue)
        except (RuntimeError, OSError, ValueError, TypeError) as error:
            close_cluster(cluster)
            raise ConfigurationError.at(
                f"{settings.path} gets no workers: {str(error).strip() or type(error).__name__}",
                key="dask.cluster",
            ) from error
    return cluster


def _ask_for_workers(cluster: Any, settings: ClusterSettings, workers: int | None, *, is_queue: bool) -> None:
    if settings.adapt is not None:
        cluster.adapt(**settings.adapt)
        return

    async def ready() -> None:
        if settings.jobs is not None:
            _scale(cluster, settings.jobs, is_queue=is_queue)
        elif workers is not None:
            cluster.scale(workers)
        await cluster  # what the batch system has against the jobs is raised here, and nowhere else

    cluster.sync(ready)


def _scale(cluster: Any, jobs: int, *, is_queue: bool) -> None:
    cluster.scale(**({"jobs": jobs} if is_queue else {"n": jobs}))


def _is_queue(kind: Any) -> bool:
    """Say whether a class is one of dask-jobqueue: its workers are jobs of a batch system."""
    return hasattr(kind, "job_cls")


def find_class(path: str) -> Any:
    """Import a cluster class.

    Parameters
    ----------
    path : str
        ``module.Class`` or ``module:Class``.

    Raises
    ------
    ConfigurationError
        There is no such class.
    MissingExtraError
        Its package is not installed.

    Examples
    --------
    >>> find_class("distributed.LocalCluster").__name__
    'LocalCluster'
    """
    module, _, name = path.rpartition(":") if ":" in path else path.rpartition(".")
    key = "dask.cluster.class"
    if not module or not name:
        raise ConfigurationError.at(f"{path!r} is no class: 'module.Class' is one", key=key, found=path)
    try:
        with _signals_kept():
            return getattr(import_module(module), name)
    except ModuleNotFoundError as error:
        package = (error.name or module).partition(".")[0]
        if error.name != module and error.name != module.partition(".")[0]:
            raise
        is_jobqueue = package == "dask_jobqueue"
        what = (
            "pip install dask-jobqueue (the extra 'slurm' of sinagot)"
            if is_jobqueue
            else f"pip install {package}"
        )
        raise MissingExtraError(
            f"{key} = {path!r} needs {package.replace('_', '-')}, which is not installed here; install it with: {what}",
            package=package,
            extra="slurm" if is_jobqueue else None,
        ) from error
    except AttributeError as error:
        raise ConfigurationError.at(f"{module} has no class {name!r}", key=key, found=path) from error


@contextlib.contextmanager
def _signals_kept() -> Iterator[None]:
    """Keep Ctrl-C as it is: dask-jobqueue takes it when it is imported, which then works in the main thread only."""
    if threading.current_thread() is threading.main_thread():
        former = signal.getsignal(signal.SIGINT)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, former)
        return
    real = signal.signal

    def guarded(number: Any, handler: Any) -> Any:
        is_main = threading.current_thread() is threading.main_thread()
        return real(number, handler) if is_main else signal.getsignal(number)

    signal.signal = guarded  # type: ignore[assignment]
    try:
        yield
    finally:
        signal.signal = real


def _made(kind: Any, arguments: dict[str, Any]) -> Any:
    try:
        return kind(**arguments)
    except (TypeError, ValueError, RuntimeError) as error:
        cause: BaseException = error
        while cause.__cause__ is not None:  # Dask says «failed to start» of a worker's unknown argument
            cause = cause.__cause__
        raise ConfigurationError.at(
            f"{kind.__name__} refuses its arguments: {cause}", key="dask.cluster", found=arguments
        ) from error


def refill(cluster: Any) -> None:
    """Ask for new workers in the place of those that have ended, as by the time limit of a batch system.

    Parameters
    ----------
    cluster : Any
        One that we started; what can't start workers by itself is left alone.
    """
    wanted, there = getattr(cluster, "worker_spec", None), getattr(cluster, "workers", None)
    if isinstance(wanted, dict) and isinstance(there, dict) and set(wanted) - set(there):
        _scale(cluster, len(wanted), is_queue=_is_queue(type(cluster)))


def close_cluster(cluster: Any) -> None:
    """End a cluster that we started, with its workers and the jobs of the batch system."""
    try:
        cluster.close(timeout=10)
    except Exception:  # noqa: BLE001  a job that was refused can't be ended, says Dask, and leaves the rest undone
        with contextlib.suppress(Exception):
            cluster.status = type(cluster.status).closed


class JobQueue:
    """What a batch system says of the jobs of a cluster.

    Parameters
    ----------
    cluster : Any
        One that we started, of any class.
    """

    def __init__(self, cluster: Any) -> None:
        self._cluster = cluster
        kind = getattr(type(cluster), "job_cls", None)
        self._asks = str(getattr(kind, "submit_command", "")).startswith("sbatch")

    def ended(self) -> list[str]:
        """List the jobs that no worker of ours came from and that SLURM knows no more; [] while one is there."""
        if not self._asks or shutil.which("squeue") is None:
            return []
        jobs = [str(job.job_id) for job in list(self._cluster.workers.values()) if job.job_id]
        if not jobs:
            return []
        try:
            asked = subprocess.run(
                ["squeue", "--noheader", "--format=%i", f"--jobs={','.join(jobs)}"],
                capture_output=True,
                text=True,
                timeout=20,
                check=False,
            )
        except (OSError, subprocess.SubprocessError):
            return []
        # SLURM says «Invalid job id specified» when it has forgotten all of them.
        is_known = asked.returncode == 0 or "nvalid job id" in asked.stderr
        return [] if asked.stdout.split() or not is_known else jobs


def _as_list(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list | tuple) else [] if value is None else [value]
