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
from collections import deque
from typing import Any

from sinagot.engine.executors.contract import Arrival
from sinagot.engine.executors.processes import ChildProcess

__all__ = ["close_idle_children", "dask_setup", "drain_children", "kill_children", "run_batch_in_child"]

_LOCK = threading.Lock()
_IDLE: list[tuple[list[str], ChildProcess]] = []
#: Busy children, and the run that each works for: several drivers may share the workers.
_BUSY: dict[ChildProcess, str] = {}
#: Runs that were asked to stop.
_STOPPED: deque[str] = deque(maxlen=100)


def dask_setup(worker: Any) -> None:
    """Let Ctrl-C in the terminal reach the driver only; Dask calls this when a worker of our own cluster begins."""
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, signal.SIG_IGN)


def run_batch_in_child(payload: bytes, path: list[str]) -> bytes:
    """Run one batch in a child of this worker.

    Parameters
    ----------
    payload : bytes
        Number and chains of jobs, pickled and compressed by zlib.
    path : list of str
        Module search path of the driver; what is not there on the worker is of no use and harmless.

    Returns
    -------
    bytes
        Pickled results, or a `Lost` when the child died.
    """
    number, chains = pickle.loads(zlib.decompress(payload))
    run_id = chains[0][0].options.run_id
    if run_id in _STOPPED:
        return pickle.dumps([[] for _ in chains])
    child = _take_idle(path) or ChildProcess(path)
    with _LOCK:
        _BUSY[child] = run_id
    answer: Any = None
    try:
        child.submit(number, chains)
        answer = child.receive()
    finally:
        is_well = isinstance(answer, Arrival) and not child.is_draining
        with _LOCK:
            del _BUSY[child]
            if is_well:
                _IDLE.append((path, child))
        if not is_well:
            child.close()
    return pickle.dumps(answer.results if isinstance(answer, Arrival) else answer)


def _take_idle(path: list[str]) -> ChildProcess | None:
    """Give a waiting child that searches modules where this driver does; one that does not makes room for a new one."""
    while True:
        with _LOCK:
            alike = next((entry for entry in _IDLE if entry[0] == path), None)
            entry = alike or (_IDLE[0] if _IDLE else None)
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
    for child in children:
        child.close()


@atexit.register
def _end_children() -> None:
    close_idle_children()
    kill_children()
