"""Processors on the workers of a Dask cluster: each is a task, in a thread beside those that its worker has.

Knows `distributed`, which is imported when it is used; must not know streams. `docs/decisions/0025-flows-in-other-
processes.md` says why a processor takes no slot.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from sinagot.errors import FlowDefinitionError, FlowError, WorkerLostError
from sinagot.flow.loops import soon_caller
from sinagot.flow.postings import Posting
from sinagot.flow.remote import RemoteExecutor

if TYPE_CHECKING:
    from distributed import Client

__all__ = ["DaskExecutor", "addresses_of"]


class DaskExecutor(RemoteExecutor):
    """Run processors on a Dask cluster.

    Parameters
    ----------
    client : distributed.Client
        A client that is not asynchronous; it is used as it is, and never closed.
    lost_after : float, default 10, seconds
        A worker of which nothing is heard for so long is given up. Where the scheduler sees its end, that is sooner.
    start_within : float, default 60, seconds
        How long a cluster may be without any worker when a processor is to begin.

    Raises
    ------
    FlowDefinitionError
        When this is no such client.

    Notes
    -----
    The folder of the streams must be one that the workers see: ``Supervisor.attach(executor=..., folder=...)``.
    """

    place = "a worker of the Dask cluster"

    def __init__(self, client: Client, *, lost_after: float = 10.0, start_within: float = 60.0) -> None:
        super().__init__(lost_after, start_within)
        if isinstance(client, type) or not all(hasattr(client, one) for one in ("submit", "scheduler_info")):
            raise FlowDefinitionError(f"DaskExecutor takes a distributed.Client, not {client!r:.80}")
        if client.asynchronous:
            raise FlowDefinitionError(
                "DaskExecutor takes a client that is not asynchronous: Client(...), without asynchronous=True"
            )
        self.client = client
        #: Addresses of workers that were lost.
        self.given_up: set[str] = set()

    async def send(self, posting: Posting, data: bytes) -> _DaskSent:
        """Submit a task.

        Parameters
        ----------
        posting : Posting
            What is sent.
        data : bytes
            The same, pickled.
        """
        from anyio import to_thread

        key = f"flow {posting.processor}-{posting.run_id}-{posting.attempt}"
        future = await to_thread.run_sync(self._submit, key, data)
        return _DaskSent(self, future)

    def _submit(self, key: str, data: bytes) -> Any:
        submit = partial(self.client.submit, _run_in_worker, data, key=key, pure=False, retries=0)
        if self.given_up:
            # The scheduler may not know yet that they are dead, or hang.
            workers = [one for one in addresses_of(self.client) if one not in self.given_up]
            if workers:
                return submit(workers=workers, allow_other_workers=True)
        return submit()

    def __repr__(self) -> str:
        return f"DaskExecutor({self.client!r})"


def _run_in_worker(data: bytes) -> str:
    """Run a posting in a worker of Dask, and leave its slot to others meanwhile."""
    from distributed import secede

    from sinagot.flow.outposts import run_posting

    secede()  # type: ignore[no-untyped-call]
    return run_posting(data)


def addresses_of(client: Client) -> list[str]:
    """List the workers that the scheduler knows."""
    info: dict[str, Any] = client.scheduler_info(n_workers=-1)
    return list(info["workers"])


class _DaskSent:
    """A posting as a future."""

    def __init__(self, executor: DaskExecutor, future: Any) -> None:
        from anyio import Event

        self._executor, self._future = executor, future
        self._done = Event()
        soon = soon_caller()
        future.add_done_callback(lambda _: soon(self._done.set))

    async def over(self) -> str | BaseException:
        """Wait until the task has ended."""
        from anyio import to_thread

        await self._done.wait()
        return await to_thread.run_sync(self._ended, abandon_on_cancel=True)

    def _ended(self) -> str | BaseException:
        from distributed import KilledWorker

        future = self._future
        if future.status == "cancelled":
            return FlowError(f"task {future.key} was cancelled in the Dask cluster")
        try:
            return str(future.result(timeout=10))
        except KilledWorker as error:
            return WorkerLostError(f"the Dask cluster gave up task {future.key}: {error}")
        except Exception as error:  # noqa: BLE001  (what the task raised)
            return error

    async def idle(self, seconds: float) -> BaseException | None:
        """Say that there are no workers; as long as there are some, they may be busy."""
        from anyio import to_thread

        workers = await to_thread.run_sync(addresses_of, self._executor.client, abandon_on_cancel=True)
        if workers:
            return None
        return FlowError(
            f"no worker of the Dask cluster began a processor within {seconds:.0f} s, for there is none: start "
            "workers, or raise start_within"
        )

    async def withdraw(self) -> None:
        """Cancel the task as far as it has not begun."""
        from anyio import to_thread

        await to_thread.run_sync(self._future.cancel)

    async def give_up(self) -> None:
        """Send nothing more to the worker that has it."""
        from anyio import to_thread

        await to_thread.run_sync(self._give_up)

    def _give_up(self) -> None:
        executor = self._executor
        for address, keys in executor.client.processing().items():  # type: ignore[no-untyped-call]
            if self._future.key in keys:
                executor.given_up.add(address)
        self._future.cancel()
