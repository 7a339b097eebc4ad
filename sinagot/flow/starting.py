"""How a run of a flow is put together and begun: its streams, its leader, and the task that it lives in.

Knows wirings and stores; must not know who wants the run: a supervisor, or an attempt of a step.
"""

from __future__ import annotations

import logging
import weakref
from collections.abc import Mapping
from functools import partial
from typing import Any
from uuid import uuid4

from sinagot.errors import SinagotError
from sinagot.flow.executors import Executor
from sinagot.flow.folders import left_in, sweep
from sinagot.flow.leading import Keeper, Leading
from sinagot.flow.loops import soon_caller, spawn, start_soon
from sinagot.flow.ready import RunContext
from sinagot.flow.sources import Inputs, sources_of
from sinagot.flow.telling import LogTeller, Teller
from sinagot.flow.wiring import Wiring

__all__ = ["begin", "new_run_id"]

_LOG = logging.getLogger("sinagot.flow")


def begin(
    wiring: Wiring,
    inputs: Inputs,
    executor: Executor,
    folder: str,
    options: Mapping[str, Any],
    *,
    teller: Teller | None = None,
    context: RunContext | None = None,
    store: Any = None,
) -> Leading:
    """Begin a run in the loop of the caller, and return at once.

    Parameters
    ----------
    wiring : Wiring
        The flow.
    inputs : mapping, iterable of IOVal, async iterable of IOVal, or None
        As for `Supervisor.start_flow`.
    executor : Executor
        Where processors run.
    folder : str
        Where the private folder of its streams is made.
    options : mapping
        As for `SpoolStore`.
    teller : Teller, optional
        Is told what happens; the logger of the package when not given.
    context : RunContext, optional
        What ready-made dependencies read.
    store : StreamStore, optional
        Keeps its streams, with the attribute `run_id`, and is removed with the run; files in `folder` when not given.
    """
    from anyio import Event

    from sinagot.flow.pieces import PiecedStore, free_prefix

    sources = sources_of(wiring, inputs)
    left: list[str] = []
    if store is None:
        from sinagot.flow.spool import SpoolStore

        left = left_in(folder)
        is_shared = not getattr(executor, "is_here", False)
        store = SpoolStore.below(folder, **{"is_shared": is_shared, **options})
    run_id = getattr(store, "run_id", None) or new_run_id()
    if getattr(executor, "is_remote", False):
        store = PiecedStore(store, run_id, free_prefix((*wiring.inputs, *wiring.outputs)))
    keeper, closing, closed = Keeper(), Event(), Event()
    leading = Leading(
        run_id,
        wiring,
        store,
        sources,
        executor,
        keeper,
        closing,
        closed,
        teller=teller or LogTeller(),
        context=context,
    )
    # Nobody left who could read: the files go, even when the loop goes on for days.
    weakref.finalize(keeper, soon_caller(), closing.set).atexit = False
    spawn(partial(_life, leading, store, left, closing, closed), name=f"flow {leading.run_id}")
    return leading


def new_run_id() -> str:
    """Give a name for a run, which no other has."""
    return f"flow-{uuid4().hex[:12]}"


async def _life(leading: Leading, store: Any, left: list[str], closing: Any, closed: Any) -> None:
    """Lead a run, and keep its streams until nobody can read them or the loop ends; delete what dead ones left."""
    from anyio import CancelScope, create_task_group
    from anyio.to_thread import run_sync

    try:
        async with create_task_group() as group:
            if left:
                start_soon(group, run_sync, sweep, left)
            await leading.lead()
        # From here on only readers hold on to the streams.
        del leading
        await closing.wait()
    finally:
        try:
            with CancelScope(shield=True):
                await store.remove()
        except SinagotError as error:  # nobody waits for this task: what it raised would end the loop
            _LOG.error("%s", error)
        finally:
            closed.set()
