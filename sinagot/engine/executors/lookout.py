"""Keeps an eye on a Dask cluster while batches are under way: how many workers are there, does the scheduler answer.

Knows a client, and a cluster when it is ours; must not know jobs. No wait of the driver is without a bound: what this
thread finds out, the executor turns into the end of a run.
"""

from __future__ import annotations

import contextlib
import threading
import time
from typing import Any

from sinagot.config.quantities import seconds_text
from sinagot.engine.executors.clusters import ClusterSettings, JobQueue, refill

__all__ = ["Lookout"]

#: Seconds between two looks.
PAUSE = 1.0
#: Seconds that one question may take.
ANSWER_TIMEOUT = 5
#: Seconds between two questions to a batch system, which serves many.
QUEUE_PAUSE = 30.0
#: Seconds after which jobs of a batch system that have ended without a worker are believed to be all there is. Dask
#: takes 15 s to let go of a worker that is gone, whose place is taken then.
ENDED_TIMEOUT = 45.0


class Lookout:
    """Counts the workers of a cluster, and tells when there is no hope left.

    Parameters
    ----------
    client : distributed.Client
        Connected.
    cluster : Any
        The cluster, when it is ours: workers that end are replaced.
    settings : ClusterSettings
        How long nobody may answer, and no worker be there.

    Attributes
    ----------
    threads : int
        Threads of all workers that were there at the last look.
    """

    def __init__(self, client: Any, cluster: Any, settings: ClusterSettings) -> None:
        self._client = client
        self._cluster = cluster
        self._settings = settings
        self._queue = JobQueue(cluster)
        self._over = threading.Event()
        self._needed = threading.Event()
        self._thread: threading.Thread | None = None
        self._ended: tuple[float, list[str]] | None = None
        self._asked = time.monotonic()
        self.address = str(getattr(client.scheduler, "address", "?"))
        self.threads = 0
        self._forget()
        with contextlib.suppress(Exception):  # the thread will see to it
            self._look()

    def begin(self) -> None:
        """Watch, because batches are under way; what was seen before they were does not count."""
        if not self._needed.is_set():
            self._forget()
            self._needed.set()
            if self._thread is None:
                self._thread = threading.Thread(target=self._watch, name="sinagot-dask-lookout", daemon=True)
                self._thread.start()

    def rest(self) -> None:
        """Watch no more: nothing is under way."""
        self._needed.clear()

    def close(self) -> None:
        """End the thread."""
        self._over.set()
        self._needed.set()

    def problem(self) -> str | None:
        """Say why nothing will come of what is under way; None while there is hope."""
        now = time.monotonic()
        settings = self._settings
        if now - self._answered > settings.connect_timeout:
            return (
                f"the Dask scheduler at {self.address} has not answered for {seconds_text(settings.connect_timeout)}; "
                "see to it, or start another one, and run again"
            )
        if self._ended is not None and now - self._ended[0] > ENDED_TIMEOUT:
            return (
                f"the batch jobs {', '.join(self._ended[1][:10])} have ended, and no worker came of them to "
                f"{self.address}; what they wrote tells why (log_directory in [dask.cluster])"
            )
        if not self.threads and now - self._staffed > settings.no_workers_timeout:
            what = f"start some: dask worker {self.address}"
            if self._cluster is not None:
                what = "do its jobs wait in a queue, or end before a worker has begun?"
            patience = seconds_text(settings.no_workers_timeout)
            return (
                f"no worker at the Dask scheduler {self.address} for {patience}; {what} "
                "(dask.cluster.no_workers_timeout says how long to wait)"
            )
        return None

    # -- the thread

    def _forget(self) -> None:
        self._answered = self._staffed = time.monotonic()
        self._ended = None

    def _watch(self) -> None:
        while not self._over.wait(PAUSE):
            self._needed.wait()
            with contextlib.suppress(Exception):  # Dask has many ways to say that nobody answers
                self._look()

    def _look(self) -> None:
        threads: dict[str, int] = self._client.nthreads(callback_timeout=ANSWER_TIMEOUT)
        self._answered = now = time.monotonic()
        self.threads = sum(threads.values())
        if self.threads:
            self._staffed = now
        if self._cluster is not None:
            refill(self._cluster)
            if self.threads:
                self._ended = None
            elif now - self._asked >= QUEUE_PAUSE:
                self._asked = now
                ended = self._queue.ended()
                self._ended = (self._ended or (now, ended)) if ended else None
