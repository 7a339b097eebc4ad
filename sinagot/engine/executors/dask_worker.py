"""What runs on a Dask worker: hands each batch to a warm child process.

Imported by workers; must stay light and free of Dask itself. One child a worker thread, kept for later batches; a
script that takes its child down costs its own job, never the worker.
"""

from __future__ import annotations

import atexit
import pickle
import signal
import threading
import zlib
from collections import Counter, deque
from typing import Any

from sinagot.engine.executors.children import ChildProcess, close_children
from sinagot.engine.executors.contract import Arrival, Lost
from sinagot.engine.executors.greeting import Greeting, doubts_about, look_around
from sinagot.engine.executors.spares import SPARES
from sinagot.engine.limits import Lane, lane_of
from sinagot.engine.state.owners import name_process

__all__ = [
    "close_idle_children",
    "dask_setup",
    "drain_children",
    "exchange_idle_children",
    "kill_children",
    "run_batch_in_child",
]

_LOCK = threading.Lock()
_IDLE: list[tuple[list[str], ChildProcess]] = []
#: The first byte of what zlib has compressed.
_ZLIB = 0x78
#: More children than this do not wait for work: those of other search paths and numbers of threads make room.
_MOST_IDLE = 16
#: Busy children, and the run that each works for: several drivers may share the workers.
_BUSY: dict[ChildProcess, str] = {}
#: How many of them there are of a search path and number of threads.
_RUNNING: Counter[tuple[tuple[str, ...], int | None]] = Counter()
#: How many children of a search path and number of threads there were at once, since they were exchanged last.
_MOST: Counter[tuple[tuple[str, ...], int | None]] = Counter()
#: Runs that were asked to stop.
_STOPPED: deque[str] = deque(maxlen=100)
#: Runs whose driver this worker has compared itself with, and what speaks against it; of calls, the versions there.
_KNOWN: dict[str, str | None] = {}
#: Set when this worker ends: its children die by its own hand then.
_ENDING = threading.Event()


def dask_setup(worker: Any) -> None:
    """Leave it to the driver what a signal to all means; Dask calls this when a worker of our own cluster begins."""
    if threading.current_thread() is threading.main_thread():
        for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGUSR1"):
            if hasattr(signal, name):
                signal.signal(getattr(signal, name), signal.SIG_IGN)


def run_batch_in_child(payload: bytes, path: list[str], greeting: tuple[dict[str, str], str]) -> bytes:
    """Run one batch in a child of this worker.

    Parameters
    ----------
    payload : bytes
        Number and chains of jobs, pickled, and compressed by zlib unless they are large.
    path : list of str
        Module search path of the driver; what is not there on the worker is of no use and harmless.
    greeting : tuple
        A `Greeting` of plain values: what the driver is.

    Returns
    -------
    bytes
        Pickled results, or a `Lost` when the child died.
    """
    refusal = _refusal(Greeting(*greeting))
    if refusal is not None:
        return pickle.dumps(Lost(refusal, usable=False, blames=False))
    # Large ones are not compressed; no pickle begins as what zlib has made.
    number, chains = pickle.loads(payload if payload[0] != _ZLIB else zlib.decompress(payload))
    run_id = chains[0][0].options.run_id
    if run_id in _STOPPED:
        return pickle.dumps([[] for _ in chains])
    lane = lane_of(chains[0][0].step.settings) or Lane()
    child = (None if lane.is_alone else _take_idle(path, lane.threads)) or SPARES.take(path, lane.threads)
    kind = tuple(path), lane.threads
    name = name_process(child.process.pid)
    with _LOCK:
        _BUSY[child] = run_id
        _RUNNING[kind] += 1
        _MOST[kind] = max(_MOST[kind], _RUNNING[kind])
    answer: Any = None
    try:
        child.submit(number, chains)
        answer = child.await_answer()
    finally:
        is_well = isinstance(answer, Arrival) and not child.is_draining
        with _LOCK:
            del _BUSY[child]
            _RUNNING[kind] -= 1
            if is_well:
                _IDLE.append((path, child))
        if not is_well:
            child.close()
    if isinstance(answer, Arrival):
        return pickle.dumps(answer.results)
    return pickle.dumps(answer._replace(dead=name, blames=answer.key is not None or not _ENDING.is_set()))


def _refusal(greeting: Greeting) -> str | None:
    """Say once a run why this worker may not take part in it; it may have come after the others were asked."""
    asked = greeting.path or repr(greeting.versions)
    if asked not in _KNOWN:
        if len(_KNOWN) > 100:
            _KNOWN.clear()
        _KNOWN[asked] = doubts_about(look_around(greeting.path), greeting)[0]
    return _KNOWN[asked]


def _take_idle(path: list[str], threads: int | None) -> ChildProcess | None:
    """Give a waiting child that searches modules where this driver does; one that does not makes room for a new one."""
    while True:
        with _LOCK:
            alike = next((entry for entry in _IDLE if entry[0] == path and entry[1].threads == threads), None)
            other = next((entry for entry in _IDLE if entry[0] != path), None)
            if other is None and len(_IDLE) >= _MOST_IDLE:
                other = _IDLE[0]
            entry = alike or other
            if entry is None:
                return None
            _IDLE.remove(entry)
        child = entry[1]
        if alike is not None and child.process.poll() is None:
            return child
        child.close()
        if alike is None:
            return None


def drain_children(run_id: str) -> None:
    """Ask the busy children of a run to stop after their running job; what waits here does not begin."""
    _STOPPED.append(run_id)
    for child in _busy(run_id):
        child.drain()


def kill_children(run_id: str | None = None) -> None:
    """Kill the busy children of a run, or of all, with everything they started; they are dead when this returns."""
    children = _busy(run_id)
    for child in children:
        child.kill()
    for child in children:
        child.process.wait(timeout=5)


def _busy(run_id: str | None) -> list[ChildProcess]:
    with _LOCK:
        return [child for child, its_run in _BUSY.items() if run_id in (None, its_run)]


def close_idle_children() -> None:
    """End the children that wait for work: whoever asked for them is done."""
    with _LOCK:
        children = [child for _, child in _IDLE]
        _IDLE.clear()
        _MOST.clear()
    close_children(children)


def exchange_idle_children() -> None:
    """End the children that wait for work, and have as many fresh ones wait in their place."""
    with _LOCK:
        most = dict(_MOST)
    close_idle_children()
    for (path, threads), count in most.items():
        SPARES.keep(count, path, threads)


@atexit.register
def _end_children() -> None:
    _ENDING.set()
    close_idle_children()
    kill_children()
