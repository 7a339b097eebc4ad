"""What runs on a Dask worker: hands each batch to a warm child process.

Imported by workers; must stay light and free of Dask itself. One child a worker thread, kept for later batches; a
script that takes its child down costs its own job, never the worker.
"""

from __future__ import annotations

import atexit
import pickle
import threading
from typing import Any

from sinagot.engine.executors.contract import Lost
from sinagot.engine.executors.processes import ChildProcess

__all__ = ["close_idle_children", "drain_children", "kill_children", "run_batch_in_child"]

_LOCK = threading.Lock()
_IDLE: list[ChildProcess] = []
_BUSY: set[ChildProcess] = set()


def run_batch_in_child(payload: bytes, path: list[str]) -> bytes:
    """Run one batch in a child of this worker.

    Parameters
    ----------
    payload : bytes
        Pickled number and chains of jobs.
    path : list of str
        Module search path of the driver; what is not there on the worker is of no use and harmless.

    Returns
    -------
    bytes
        Pickled results, or a `Lost` when the child died.
    """
    number, chains = pickle.loads(payload)
    with _LOCK:
        child = _IDLE.pop() if _IDLE else ChildProcess(path)
        _BUSY.add(child)
    answer: Any = None
    try:
        child.submit(number, chains)
        answer = child.receive()
    finally:
        with _LOCK:
            _BUSY.discard(child)
            if answer is not None and not isinstance(answer, Lost):
                _IDLE.append(child)
            else:
                child.kill()
                child.channel.close()
    return pickle.dumps(answer if isinstance(answer, Lost) else answer.results)


def drain_children() -> None:
    """Ask the busy children to stop after their running job."""
    with _LOCK:
        for child in _BUSY:
            child.drain()


def kill_children() -> None:
    """Kill the busy children with everything they started; they are dead when this returns."""
    with _LOCK:
        children = list(_BUSY)
    for child in children:
        child.kill()
    for child in children:
        child.process.wait(timeout=5)


def close_idle_children() -> None:
    """End the children that wait for work: whoever asked for them is done."""
    with _LOCK:
        children = list(_IDLE)
        _IDLE.clear()
    for child in children:
        child.close()


@atexit.register
def _end_children() -> None:
    close_idle_children()
    kill_children()
