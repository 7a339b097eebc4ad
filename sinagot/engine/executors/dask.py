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
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from sinagot.config.quantities import seconds_text
from sinagot.engine.executors.clusters import ClusterSettings, close_cluster, start_cluster, start_local
from sinagot.engine.executors.contract import Arrival, Chain, Lost
from sinagot.engine.executors.dask_worker import (
    close_idle_children,
    drain_children,
    exchange_idle_children,
    kill_children,
    run_batch_in_child,
)
from sinagot.engine.executors.greeting import Greeting, Look, doubts_about, look_around
from sinagot.engine.executors.lookout import Lookout
from sinagot.engine.job import CallJob
from sinagot.errors import ConfigurationError
from sinagot.version import __version__

if TYPE_CHECKING:
    from distributed import Client

__all__ = ["DaskExecutor"]

#: Seconds to wait for a small answer: a result that is ready, a worker that is asked to stop. What a lost answer
#: would have said is read from files.
ANSWER_TIMEOUT = 5
#: Seconds to wait for the value of a call, which may be large: nothing else tells it.
_VALUE_TIMEOUT = 600
#: Bytes of a batch from which on it does not go through the scheduler.
_LARGE = 1 << 20


class DaskExecutor:
    """Runs batches through a `distributed.Client`.

    Parameters
    ----------
    scheduler : str
        ``threads``, ``processes`` or ``distributed``.
    cluster : dict
        What `[dask.cluster]` says: ``class`` of a cluster with its arguments (`distributed.LocalCluster` without
        one), or ``address`` of a running scheduler.
    client : distributed.Client, optional
        An existing client; it is used as it is and never closed.
    workers : int, optional
        Number of workers of a cluster that is started here.
    leaves_spares : bool
        `close` makes fresh children ready on the workers, if these stay: another executor may follow soon.

    Raises
    ------
    ConfigurationError
        No scheduler answers at the address, or the cluster refuses its arguments.
    MissingExtraError
        The package of the cluster's class is not installed.
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
        *,
        leaves_spares: bool = False,
    ) -> None:
        self._own_cluster: Any = None
        self._leaves_spares = leaves_spares
        self._own_client = client is None
        self._arrived: queue.SimpleQueue[tuple[int, Any, Any]] = queue.SimpleQueue()
        self._futures: dict[int, Any] = {}
        self._calls: set[int] = set()
        # While children are being killed no batch is settled: their claims look alive until they are dead.
        self._killing = threading.Lock()
        self._run_id = ""
        self._is_gone = False
        self.notices: Sequence[str] = ()
        self._settings = ClusterSettings.of(cluster or {})
        if client is None:
            client = self._connect(scheduler, workers)
        self.client: Any = client
        self._lookout = Lookout(client, self._own_cluster, self._settings)
        self._greeting: Greeting | None = None

    def _connect(self, scheduler: str, workers: int | None) -> Any:
        from distributed import Client

        address, timeout = self._settings.address, self._settings.connect_timeout
        if address is not None:
            try:
                return _client_at(address, timeout)
            except (OSError, ValueError) as error:
                raise ConfigurationError.at(
                    f"no Dask scheduler answers at {address} within {seconds_text(timeout)} ({error})",
                    key="dask.cluster.address",
                    found=address,
                    hint="start one with `dask scheduler`, or remove the address to start a cluster here",
                ) from error
        if self._settings.path is not None:
            self._own_cluster = start_cluster(self._settings, workers)
        else:
            self._own_cluster = start_local(scheduler, dict(self._settings.arguments), workers)
        return Client(self._own_cluster, set_as_default=False)  # type: ignore[no-untyped-call]

    @property
    def is_usable(self) -> bool:
        """False when the connection to the scheduler is lost; a client of somebody else stays what it is."""
        return not self._own_client or (not self._is_gone and self.client.status in ("running", "connecting"))

    @property
    def slots(self) -> int:
        """Threads of all workers that are there now; those that may be asked for, so that they are."""
        most = (self._settings.adapt or {}).get("maximum") if self._own_cluster is not None else None
        return max(1, self._lookout.threads, int(most or 0))

    def warm(self, count: int) -> None:
        """Nothing to make ready: whether children are needed, the workers see when batches come."""

    def waker(self) -> Callable[[], None]:
        """Give what ends a `collect` that waits, from any thread."""
        return lambda: self._arrived.put((0, None, None))

    def submit(self, number: int, chains: list[Chain]) -> None:
        """Send the batch to the cluster."""
        first: Any = chains[0][0]
        name = f"{first.key}+{sum(map(len, chains)) - 1}-{first.options.run_id[-6:]}-{number}"
        if self._greeting is None or first.options.run_id != self._run_id:
            self._run_id = first.options.run_id
            self._greeting = self._greet(Greeting.of(first.options.state_path, self._run_id))
        self._lookout.begin()
        data = pickle.dumps((number, chains), protocol=5)
        if isinstance(first, CallJob):
            self._calls.add(number)
        try:
            future = self.client.submit(
                run_batch_in_child,
                self._payload(data),
                list(sys.path),
                tuple(self._greeting),
                key=name,
                pure=False,
                retries=0,
            )
        except Exception as error:  # noqa: BLE001  (a closed client: Dask has many ways to say so)
            gone = _Gone(Lost(f"Dask takes no more work: {type(error).__name__}: {error}", usable=False))
            self._futures[number] = gone
            self._arrived.put((number, gone, gone))
            return
        self._futures[number] = future
        future.add_done_callback(lambda done: self._arrived.put((number, done, done)))

    def _payload(self, data: bytes) -> Any:
        """Give a batch as it travels: Dask's client, scheduler and workers each remember the last thousand messages.

        They must be small; what is large goes beside them, to a worker that keeps it until it is used.
        """
        if len(data) < _LARGE:
            return zlib.compress(data, 1)
        with contextlib.suppress(TimeoutError):  # there is no worker yet
            return self.client.scatter(data, hash=False)
        return data

    def _greet(self, greeting: Greeting) -> Greeting:
        """Look at the workers that are there, before the first job of a run; those that come later do it themselves."""
        self._is_gone = False
        self.notices = ()
        # A worker that does not answer in time looks for itself when its first batch comes.
        looks = self._on_workers(look_around, greeting.path, timeout=self._settings.connect_timeout)
        for address, look in looks.items():
            refusal, warning = (
                doubts_about(look, greeting)
                if isinstance(look, Look)
                else (f"the worker at {address} can't run sinagot {__version__}: {look}", None)
            )
            if refusal is not None:
                raise ConfigurationError.at(refusal, key="dask.cluster", found=address)
            if warning is not None and warning not in self.notices:
                self.notices = (*self.notices, warning)
        return greeting

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
            if future is None:
                continue  # somebody has work
            # A killed batch may turn up twice, the second time when its number belongs to another run.
            with self._killing:
                if self._futures.get(number) is future:
                    arrivals.append(self._open(number, answer))
                    del self._futures[number]
                    self._calls.discard(number)
        if not arrivals and self._futures and (problem := self._problem()) is not None:
            self._is_gone = True
            lost = Lost(problem, usable=False, blames=False)
            arrivals = [Arrival(number, None, lost) for number in self._futures]
            self._futures.clear()
        if not self._futures:
            self._lookout.rest()
        return arrivals

    def _problem(self) -> str | None:
        """Say why nothing will come of what is under way."""
        if self.client.status not in ("running", "connecting"):
            return f"the Dask scheduler at {self._lookout.address} is gone (client is {self.client.status})"
        return self._lookout.problem()

    def _open(self, number: int, future: Any) -> Arrival:
        try:
            patience = _VALUE_TIMEOUT if number in self._calls else ANSWER_TIMEOUT
            answer = pickle.loads(future.result(timeout=patience))
        except BaseException as error:
            if isinstance(error, KeyboardInterrupt):
                raise
            if self.client.status == "running":
                # The worker was ended, with all it had started; a script that takes only itself down is told below.
                text = f"Dask lost the worker: {type(error).__name__}: {error}"
                lost = Lost(text, blames=False, times=1 + int(getattr(error, "allowed_failures", 0)))
            else:
                self._is_gone = True
                lost = Lost(
                    f"the Dask scheduler at {self._lookout.address} is gone", usable=False, blames=False
                )
            return Arrival(number, None, lost)
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
            # What a cancelled future says is of no interest: it would pass for a worker that was lost.
            self._futures = dict.fromkeys(futures, _Gone(Lost("the run was stopped")))
            for future in futures.values():
                with contextlib.suppress(Exception):
                    future.cancel(force=True)
            self._on_workers(kill_children, self._run_id)
            for number, gone in self._futures.items():
                self._arrived.put((number, gone, gone))

    def _on_workers(
        self, function: Callable[..., Any], *arguments: str, timeout: float = ANSWER_TIMEOUT
    ) -> dict[str, Any]:
        """Call a function on every worker, but wait for no cluster that does not answer."""
        answers: dict[str, Any] = {}
        if self.client.status != "running":
            return answers

        def ask() -> None:
            with contextlib.suppress(Exception):  # a worker that is gone needs no asking
                answers.update(self.client.run(function, *arguments, on_error="return"))

        asking = threading.Thread(target=ask, name="sinagot-dask-call", daemon=True)
        asking.start()
        asking.join(timeout)
        return dict(answers)

    def close(self) -> None:
        """Close the client and the cluster if they are ours, and in any case the children on the workers."""
        self._lookout.close()
        stays = self._leaves_spares and self._own_cluster is None
        self._on_workers(exchange_idle_children if stays else close_idle_children)
        if not self._own_client:
            return
        with contextlib.suppress(Exception):
            self.client.close(timeout=5)
        if self._own_cluster is not None:
            close_cluster(self._own_cluster)


def _client_at(address: str, timeout: float) -> Any:
    """Connect to a scheduler; Dask itself waits for ever for one that takes the connection and says nothing."""
    from distributed import Client

    answers: queue.SimpleQueue[Any] = queue.SimpleQueue()
    is_late = threading.Event()

    def connect() -> None:
        try:
            client = Client(address, timeout=timeout, set_as_default=False)  # type: ignore[no-untyped-call]
        except BaseException as error:  # noqa: BLE001  (raised where it is waited for)
            answers.put(error)
            return
        answers.put(client)
        if is_late.is_set():
            client.close()  # type: ignore[no-untyped-call]

    threading.Thread(target=connect, name="sinagot-dask-connect", daemon=True).start()
    try:
        answer = answers.get(timeout=timeout + 1)
    except queue.Empty:
        is_late.set()
        with contextlib.suppress(queue.Empty):  # it came just now
            late = answers.get_nowait()
            if not isinstance(late, BaseException):
                late.close()
        raise TimeoutError("the connection was taken, and nothing was said") from None
    if isinstance(answer, BaseException):
        raise answer
    return answer


class _Gone:
    """Stands for a future whose answer nobody waits for, or that could not be had."""

    def __init__(self, lost: Lost) -> None:
        self._lost = lost

    def cancel(self, force: bool = False) -> None:
        """Nothing is under way."""

    def result(self, timeout: float) -> bytes:
        return pickle.dumps(self._lost)
