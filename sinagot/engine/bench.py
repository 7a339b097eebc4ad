"""What one process needs to execute jobs of one run: its claims, its event file, its heartbeat.

One bench per process and run, made at the first job and closed when the run ends here.
Knows the state folder; must not know what a job does.
"""

from __future__ import annotations

import os
import threading
from pathlib import Path

from sinagot.dataset.stages import SpareFolders
from sinagot.engine.claims import BEAT, ClaimDesk
from sinagot.engine.history import EventFile, Marks
from sinagot.engine.job import RunOptions

__all__ = ["Bench", "bench_for", "close_benches", "tidy_benches"]

_BENCHES: dict[tuple[str, str, int], Bench] = {}
_LOCK = threading.Lock()


class Bench:
    """Claims, events, marks and emptied stages of one process in one run."""

    def __init__(self, options: RunOptions) -> None:
        state = options.state_path
        self.desk = ClaimDesk(state, options.run_id)
        self.failures = Marks(state, "failures")
        self.extras = Marks(state, "extras")
        self.events = EventFile(f"{state}/runs/{options.run_id}", f"{self.desk.owner.host}-{os.getpid()}")
        self.stage_base = options.stage_base
        self.spares = SpareFolders()
        self.data_path = Path(options.data_path)
        self.host = self.desk.owner.host
        self.pid = os.getpid()
        self._attempts = 0
        self._prefix = f"{options.run_id}-{self.pid}"
        self._over = threading.Event()
        self._heart: threading.Thread | None = None

    def next_attempt(self) -> str:
        """Give the name of a new attempt, unique in the workspace."""
        self._attempts += 1
        if self._heart is None:
            # Claims are judged from other hosts by this beat; a script may hold this thread for hours.
            self._heart = threading.Thread(target=self._beat, name="sinagot-heartbeat", daemon=True)
            self._heart.start()
        return f"{self._prefix}-{self._attempts}"

    def _beat(self) -> None:
        while not self._over.wait(BEAT):
            self.desk.beat()

    def close(self) -> None:
        """End this process's part in the run."""
        self._over.set()
        self.spares.clear()
        self.events.close()
        self.desk.finish()


def bench_for(options: RunOptions) -> Bench:
    """Give the bench of this process for a run."""
    key = (options.state_path, options.run_id, os.getpid())
    bench = _BENCHES.get(key)
    if bench is None:
        with _LOCK:
            bench = _BENCHES.get(key)
            if bench is None:
                bench = _BENCHES[key] = Bench(options)
    return bench


def close_benches(run_id: str | None = None) -> None:
    """Close the benches of a run in this process (of all runs when None)."""
    for key in [key for key in _BENCHES if run_id is None or key[1] == run_id]:
        _BENCHES.pop(key).close()


def tidy_benches() -> None:
    """Leave nothing on disk that only the next jobs of this process would use: nobody knows when they come."""
    for bench in list(_BENCHES.values()):
        bench.spares.clear()
