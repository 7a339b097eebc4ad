"""Jobs run on a Dask cluster: one we start, one at an address, or a client handed in.

Batches travel as bytes, so that the scheduler only moves them; on the worker a warm child process runs them.
What is done is read from files, never believed from futures. Dask is imported when the executor is made, not before.
"""

from __future__ import annotations

import contextlib
import pickle
import queue
import sys
import threading
import zlib
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import TYPE_CHECKING, Any

from sinagot.engine.executors import dask_worker
from sinagot.engine.executors.contract import Arrival, Chain, Lost
from sinagot.engine.executors.dask_worker import (
    close_idle_children,
    drain_children,
    kill_children,
    run_batch_in_child,
)
from sinagot.errors import ConfigurationError

if TYPE_CHECKING:
    from distributed import Client

__all__ = ["DaskExecutor"]

#: Seconds to wait for a scheduler at an address.
CONNECT_TIMEOUT = 10
#: Seconds to wait for a small answer: a result that is ready, a worker that is asked to stop. What a lost answer
#: would have said is read from files.
ANSWER_TIMEOUT = 5


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
def _hidden_main() -> Iterator[None]:
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
            with _hidden_main():
                return await super().instantiate()

    return HidingNanny


class DaskExecutor:
    """Runs batches through a `distributed.Client`.

    Parameters
    ----------
    scheduler : str
        ``threads``, ``processes`` or ``distributed``.
    cluster : dict
        Arguments of `distributed.LocalCluster`, or ``address`` of a running scheduler.
    client : distributed.Client, optional
        An existing client; it is used as it is and never closed.
    workers : int, optional
        Number of workers of a cluster that is started here.

    Raises
    ------
    ConfigurationError
        No scheduler answers at the address, or the cluster refuses its arguments.
    """

    ahead = 2
    here = False
    batch_seconds = 0.4  # a task costs scheduler, worker and driver about 9 ms together

    def __init__(
        self,
        scheduler: str = "processes",
        cluster: dict[str, Any] | None = None,
        client: Client | None = None,
        workers: int | None = None,
    ) -> None:
        self._own_cluster: Any = None
        self._own_client = client is None
        self._arrived: queue.SimpleQueue[tuple[int, Any, Any]] = queue.SimpleQueue()
        self._futures: dict[int, Any] = {}
        # While children are being killed no batch is settled: their claims look alive until they are dead.
        self._killing = threading.Lock()
        self._run_id = ""
        if client is None:
            client = self._connect(scheduler, dict(cluster or {}), workers)
        self.client: Any = client

    def _connect(self, scheduler: str, arguments: dict[str, Any], workers: int | None) -> Any:
        import dask
        from distributed import Client, LocalCluster

        address = arguments.pop("address", None)
        if address is not None:
            try:
                return Client(address, timeout=CONNECT_TIMEOUT, set_as_default=False)  # type: ignore[no-untyped-call]
            except (OSError, ValueError) as error:
                raise ConfigurationError.at(
                    f"no Dask scheduler answers at {address} ({error})",
                    key="dask.cluster.address",
                    found=address,
                    hint="start one with `dask scheduler`, or remove the address to start a cluster here",
                ) from error
        if scheduler == "threads":
            arguments = {
                "n_workers": 1,
                "processes": False,
                "threads_per_worker": workers or _cores(),
                **arguments,
            }
        elif scheduler == "processes":
            arguments = {"n_workers": workers or _cores(), "threads_per_worker": 1, **arguments}
        elif workers is not None:
            arguments["n_workers"] = workers
        # A dying worker is blamed once and by us; nothing listens beyond this machine unless told to.
        arguments.setdefault("dashboard_address", "127.0.0.1:0")
        arguments.setdefault("worker_dashboard_address", "127.0.0.1:0")
        if arguments.get("processes", True):
            arguments.setdefault("worker_class", _nanny_class())
            arguments["preload"] = [dask_worker.__name__, *_as_list(arguments.get("preload"))]
        settings = {
            "distributed.scheduler.allowed-failures": 0,
            "distributed.admin.low-level-log-length": 100,
        }
        with dask.config.set(settings), _hidden_main():
            try:
                self._own_cluster = LocalCluster(**arguments)  # type: ignore[no-untyped-call]
            except (TypeError, ValueError) as error:
                raise ConfigurationError.at(
                    f"LocalCluster refuses its arguments: {error}", key="dask.cluster", found=arguments
                ) from error
            return Client(self._own_cluster, set_as_default=False)  # type: ignore[no-untyped-call]

    @property
    def is_usable(self) -> bool:
        """False when the connection to the scheduler is lost; a client of somebody else stays what it is."""
        return not self._own_client or self.client.status in ("running", "connecting")

    @property
    def slots(self) -> int:
        """Threads of all workers that are there now."""
        threads: dict[str, int] = self.client.nthreads()
        return max(1, sum(threads.values()))

    def warm(self, count: int) -> None:
        """Nothing to make ready: whether children are needed, the workers see when batches come."""

    def submit(self, number: int, chains: list[Chain]) -> None:
        """Send the batch to the cluster."""
        first = chains[0][0]
        name = f"{first.key}+{sum(map(len, chains)) - 1}-{first.options.run_id[-6:]}-{number}"
        # Dask's client, scheduler and workers each remember the last thousand messages: they must be small.
        payload = zlib.compress(pickle.dumps((number, chains), protocol=5), 1)
        self._run_id = first.options.run_id
        try:
            future = self.client.submit(
                run_batch_in_child, payload, list(sys.path), key=name, pure=False, retries=0
            )
        except Exception as error:  # noqa: BLE001  (a closed client: Dask has many ways to say so)
            gone = _Gone(Lost(f"Dask takes no more work: {type(error).__name__}: {error}", usable=False))
            self._futures[number] = gone
            self._arrived.put((number, gone, gone))
            return
        self._futures[number] = future
        future.add_done_callback(lambda done: self._arrived.put((number, done, done)))

    def collect(self, timeout: float) -> list[Arrival]:
        """Give the batches that came back."""
        arrivals: list[Arrival] = []
        wait = timeout
        while True:
            try:
                number, future, answer = (
                    self._arrived.get(timeout=wait) if wait else self._arrived.get_nowait()
                )
            except queue.Empty:
                break
            wait = 0.0
            # A killed batch may turn up twice, the second time when its number belongs to another run.
            with self._killing:
                if self._futures.get(number) is future:
                    arrivals.append(self._open(number, answer))
                    del self._futures[number]
        if not arrivals and self._futures and self.client.status not in ("running", "connecting"):
            lost = Lost(f"the Dask scheduler is gone (client is {self.client.status})", usable=False)
            arrivals = [Arrival(number, None, lost) for number in self._futures]
            self._futures.clear()
        return arrivals

    def _open(self, number: int, future: Any) -> Arrival:
        try:
            answer = pickle.loads(future.result(timeout=ANSWER_TIMEOUT))
        except BaseException as error:
            if isinstance(error, KeyboardInterrupt):
                raise
            usable = self.client.status == "running"
            return Arrival(
                number, None, Lost(f"Dask lost the batch: {type(error).__name__}: {error}", usable=usable)
            )
        if isinstance(answer, Lost):
            return Arrival(number, None, answer)
        return Arrival(number, answer)

    def drain(self) -> None:
        """Let each child finish its running job only; what waits on the workers does not begin."""
        self._on_workers(drain_children, self._run_id)

    def kill(self) -> None:
        """Kill the children on all workers; what waits there does not begin."""
        with self._killing:
            futures = dict(self._futures)
            for future in futures.values():
                with contextlib.suppress(Exception):
                    future.cancel(force=True)
            self._on_workers(kill_children, self._run_id)
            lost = Lost("the run was stopped")
            for number, future in futures.items():
                self._arrived.put((number, future, _Gone(lost)))

    def _on_workers(self, function: Callable[..., None], *arguments: str) -> None:
        """Call a function on every worker, but wait for no cluster that does not answer."""
        if self.client.status != "running":
            return

        def ask() -> None:
            with contextlib.suppress(Exception):  # a worker that is gone needs no stopping
                self.client.run(function, *arguments, on_error="ignore")

        asking = threading.Thread(target=ask, name="sinagot-dask-call", daemon=True)
        asking.start()
        asking.join(ANSWER_TIMEOUT)

    def close(self) -> None:
        """Close the client and the cluster if they are ours, and in any case the children on the workers."""
        self._on_workers(close_idle_children)
        if not self._own_client:
            return
        with contextlib.suppress(Exception):
            self.client.close(timeout=5)
        if self._own_cluster is not None:
            with contextlib.suppress(Exception):
                self._own_cluster.close(timeout=10)


class _Gone:
    """Stands for a future whose answer nobody waits for, or that could not be had."""

    def __init__(self, lost: Lost) -> None:
        self._lost = lost

    def cancel(self, force: bool = False) -> None:
        """Nothing is under way."""

    def result(self, timeout: float) -> bytes:
        return pickle.dumps(self._lost)


def _as_list(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list | tuple) else [] if value is None else [value]


def _cores() -> int:
    from dask.system import CPU_COUNT  # honours cgroups and affinity

    return int(CPU_COUNT)
