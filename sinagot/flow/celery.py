"""Processors on the workers of a Celery app: each attempt is one task, whose state is what became of it.

Knows Celery, which is imported when it is used; must not know streams. The module that the workers load must make a
`CeleryExecutor` for their app: that is how they learn the task.
"""

from __future__ import annotations

import base64
from typing import Any
from urllib.parse import quote

from sinagot.errors import FlowDefinitionError, FlowError, MissingExtraError, WorkerLostError
from sinagot.flow.postings import CANCELLED, REFUSED, Posting
from sinagot.flow.remote import RemoteExecutor

__all__ = ["TASK", "CeleryExecutor", "registered"]

#: Name of the task.
TASK = "sinagot.flow.run_processor"
#: Seconds between two looks at the state of a task.
_LOOK = 1.0
#: Seconds for which workers may think about a question: the first time, and where they are known or none has answered.
_ANSWER, _PATIENCE = 1.0, 3.0


class CeleryExecutor(RemoteExecutor):
    """Run processors on Celery workers.

    Parameters
    ----------
    app : celery.Celery
        The app of the workers. The task ``sinagot.flow.run_processor`` is added to it.
    queue : str, optional
        The queue that tasks go to; by default that of the app.
    lost_after : float, default 10, seconds
        A worker of which nothing is heard for so long is given up.
    start_within : float, default 30, seconds
        After so long without a worker that begins a processor, it is asked whether one listens to the queue.

    Raises
    ------
    FlowDefinitionError
        When this is no app of Celery.
    MissingExtraError
        When Celery is not installed.

    Notes
    -----
    The id of a task is ``RUN.PROCESSOR.ATTEMPT``. A processor takes one place of a worker as long as it lives.
    The folder of the streams must be one that the workers see: ``Supervisor.attach(executor=..., folder=...)``.
    """

    def __init__(
        self, app: Any, *, queue: str | None = None, lost_after: float = 10.0, start_within: float = 30.0
    ) -> None:
        super().__init__(lost_after, start_within)
        try:
            from celery import Celery
        except ModuleNotFoundError as error:
            raise MissingExtraError(
                "CeleryExecutor needs celery, which is not installed here; install the extra 'celery' of sinagot: "
                "pip install celery",
                package="celery",
                extra="celery",
            ) from error
        if not isinstance(app, Celery):
            raise FlowDefinitionError(f"CeleryExecutor takes a celery.Celery, not {app!r:.80}")
        self.app: Any = app
        self.queue: str = queue or str(app.conf.task_default_queue)
        self.place = f"a Celery worker of queue {self.queue!r}"
        self._task = registered(app)

    async def send(self, posting: Posting, data: bytes) -> _CelerySent:
        """Send a task.

        Parameters
        ----------
        posting : Posting
            What is sent.
        data : bytes
            The same, pickled.
        """
        from anyio import to_thread

        task_id = f"{posting.run_id}.{quote(posting.processor, safe='')}.{posting.attempt}"
        await to_thread.run_sync(self._put, task_id, base64.b64encode(data).decode())
        return _CelerySent(self, posting, data, task_id)

    def _put(self, task_id: str, text: str) -> None:
        try:
            # What the app says of the worker's own tasks, such as a time limit, holds for this one too.
            self._task.apply_async((text,), task_id=task_id, queue=self.queue)
        except self._task.OperationalError as error:
            address = self.app.connection_for_write().as_uri()
            raise FlowError(
                f"the broker of the Celery app at {address} can't be reached: {error}; start it, or mend broker_url"
            ) from error

    def __repr__(self) -> str:
        return f"CeleryExecutor({self.app.main or 'app'!r}, queue={self.queue!r})"


def registered(app: Any) -> Any:
    """Add the task to an app, once.

    Parameters
    ----------
    app : celery.Celery
        The app.

    Returns
    -------
    celery.Task
        The task.
    """
    if TASK in app.tasks:
        return app.tasks[TASK]
    # Taken before it is run: the run sends a task anew where that is wanted. Who gets it twice refuses.
    task = app.task(
        name=TASK,
        bind=True,
        track_started=True,
        ignore_result=False,
        acks_late=False,
        max_retries=0,
        lazy=False,
    )
    return task(_run_in_worker)


def _run_in_worker(task: Any, text: str) -> str:
    """Run a posting in a worker of Celery."""
    from celery.exceptions import Ignore

    from sinagot.flow.outposts import run_posting

    state = run_posting(base64.b64decode(text))
    if state == REFUSED:
        raise Ignore  # somebody else runs it, and says how it ends
    if state == CANCELLED:
        task.update_state(state="REVOKED")
        raise Ignore
    return state


class _CelerySent:
    """A posting as a task."""

    def __init__(self, executor: CeleryExecutor, posting: Posting, data: bytes, task_id: str) -> None:
        self._executor, self._posting, self._data, self._id = executor, posting, data, task_id

    async def over(self) -> str | BaseException:
        """Wait until the task has ended; for ever where the app keeps no results."""
        from anyio import sleep, sleep_forever, to_thread
        from celery.backends.base import DisabledBackend

        if isinstance(self._executor.app.backend, DisabledBackend):
            await sleep_forever()
        while True:
            await sleep(_LOOK)
            found = await to_thread.run_sync(self._ended, abandon_on_cancel=True)
            if found is not None:
                return found

    def _ended(self) -> str | BaseException | None:
        from celery.result import AsyncResult

        result: Any = AsyncResult(self._id, app=self._executor.app)
        state = result.state
        if state in ("PENDING", "RECEIVED", "STARTED", "RETRY"):
            return None
        if state == "SUCCESS":
            return str(result.result)
        error = result.result
        if type(error).__name__ == "WorkerLostError":  # of billiard: the worker lost one of its processes
            return WorkerLostError(f"the worker of processor {self._posting.processor!r} is lost: {error}")
        if isinstance(error, BaseException):
            return error
        return FlowError(f"task {self._id} of processor {self._posting.processor!r} ended as {state}")

    async def idle(self, seconds: float) -> BaseException | None:
        """Say that nobody listens to the queue, or that our own processors take all places."""
        from anyio import to_thread

        places = await to_thread.run_sync(self._places, abandon_on_cancel=True)
        name, queue = self._posting.processor, self._executor.queue
        if places is None:
            return FlowError(
                f"no Celery worker listens to queue {queue!r}: processor {name!r} was sent {seconds:.0f} s ago, and "
                f"nobody began it; start one: celery -A MODULE worker -Q {queue}",
                processor=name,
            )
        ours, all_, busy, is_running = places
        if busy < all_ and not is_running:
            # A worker without a place, or one that is gone, took it ahead. Who gets it second refuses it.
            await self._executor.send(self._posting, self._data)
        if ours < all_:
            return None  # other tasks will end
        return FlowError(
            f"processor {name!r} has no place: the workers of queue {queue!r} have {all_}, and processors of flows "
            f"take all of them; each takes one as long as it lives: start workers with a larger --concurrency",
            processor=name,
        )

    def _places(self) -> tuple[int, int, int, bool] | None:
        """Ask the workers that listen; None without any.

        Gives how many places processors take, how many there are, how many are taken, and whether ours is run.
        """
        names = self._listeners(_ANSWER) or self._listeners(_PATIENCE)
        if not names:
            return None
        asked = self._executor.app.control.inspect(destination=names, timeout=_PATIENCE, limit=len(names))
        active, stats = asked.active() or {}, asked.stats() or {}
        running = [one for all_ in active.values() for one in all_]
        ours = sum(one["name"] == TASK for one in running)
        places = sum(int(one["pool"].get("max-concurrency") or 0) for one in stats.values())
        is_running = any(one["id"] == self._id for one in running)
        return ours, places or ours + 1, len(running), is_running

    def _listeners(self, seconds: float) -> list[str]:
        """Name the workers that say within so many seconds that they listen to the queue."""
        queues = self._executor.app.control.inspect(timeout=seconds).active_queues() or {}
        return [
            worker
            for worker, all_ in queues.items()
            if any(one["name"] == self._executor.queue for one in all_)
        ]

    async def withdraw(self) -> None:
        """Tell workers not to begin it."""
        from anyio import to_thread

        await to_thread.run_sync(self._executor.app.control.revoke, self._id)

    async def give_up(self) -> None:
        """Do nothing: a worker that is gone asks for no message."""
