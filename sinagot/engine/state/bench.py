"""What one process needs to execute jobs of one run: its claims, its event file, its heartbeat.

One bench per process and run, made at the first job and closed when the run ends here.
Knows the state folder; must not know what a job does.
"""

from __future__ import annotations

import itertools
import os
import threading
import time
from collections.abc import Iterable
from pathlib import Path

from sinagot.dataset.stages import SpareFolders
from sinagot.dataset.volumes import sync_systems
from sinagot.engine.job import Job, RunOptions
from sinagot.engine.state.begun import had_begun
from sinagot.engine.state.claims import Claim, ClaimDesk, Held
from sinagot.engine.state.history import EventFile, Marks
from sinagot.engine.state.kept import FailureMarks
from sinagot.engine.state.origins import short_path
from sinagot.engine.state.owners import Owner
from sinagot.engine.state.partial import PartialMarks
from sinagot.runlog.lines import now_utc

__all__ = ["Bench", "bench_for", "close_benches", "tidy_benches"]

_BENCHES: dict[tuple[str, str, int], Bench] = {}
_LOCK = threading.Lock()
#: Seconds between two heartbeats, and between two groups of outputs that are brought to the disk.
PULSE = 5.0


class Bench:
    """Claims, events, marks and emptied stages of one process in one run."""

    def __init__(self, options: RunOptions) -> None:
        state = options.state_path
        self.desk = ClaimDesk(state, options.run_id)
        self.desk.note_takeover = self._note_takeover
        self.desk.note_restored = self._begin_anew
        self.failures = FailureMarks(state, options.stage_base)
        self.extras = Marks(state, "extras")
        self.partial = PartialMarks(state)
        self.events = EventFile(f"{state}/runs/{options.run_id}", f"{self.desk.owner.host}-{os.getpid()}")
        self.stage_base = options.stage_base
        self._output = options.output_path
        self.spares = SpareFolders()
        self.data_path = Path(options.data_path)
        self.host = self.desk.owner.host
        self.pid = os.getpid()
        # Threads of a Dask worker share a bench. Of a run that this process left and came back to, the size of what
        # it wrote is more than the number of its attempts: no name is given twice.
        self._numbers = itertools.count(self.events.size() + 1)
        self._prefix = f"{options.run_id}-{self.pid}"
        self._systems = () if options.is_full else (options.output_path, state)
        self._synced = self.events.size()
        self._over = threading.Event()
        self._guard = threading.Lock()
        self._heart: threading.Thread | None = None

    def take(self, job: Job) -> Claim | Held:
        """Take the claim of a job, or say who holds it; from one who died before it began nothing is taken over."""
        claim = self.desk.take(job.key)
        if isinstance(claim, Held) or not claim.taken_over:
            return claim
        if not had_begun(claim.former, job.options.log.folder, job.key):
            claim = Claim(claim.path, False)
        return claim

    def holder(self, job: Job, key: str) -> str | None:
        """Say who holds another job: ``"live"``, ``"dead"``, or None when nobody does or has begun."""
        owner, word = self.desk.holder(key)
        return None if word == "dead" and not had_begun(owner, job.options.log.folder, key) else word

    def next_attempt(self) -> str:
        """Give the name of a new attempt, unique in the workspace."""
        if self._heart is None:
            with self._guard:
                if self._heart is None:
                    # Claims are judged from other hosts by this beat; a script may hold this thread for hours.
                    self._heart = threading.Thread(target=self._beat, name="sinagot-heartbeat", daemon=True)
                    self._heart.start()
        return f"{self._prefix}-{next(self._numbers)}"

    def known_extras(self, key: str) -> set[str]:
        """Give the undeclared files that a job published before, where they are now."""
        paths = (self.extras.get(key) or {}).get("paths", ())
        return {os.path.join(self._output, path) for path in paths}

    def note_extras(self, key: str, paths: Iterable[str]) -> None:
        """Remember undeclared files that a job published; a dataset that is moved takes them along."""
        known = self.known_extras(key)
        if not known.issuperset(paths):
            short = {short_path(path, self._output, self._output) for path in known.union(paths)}
            self.extras.set(key, {"paths": sorted(short)})

    def _beat(self) -> None:
        while not self._over.wait(PULSE):
            self.desk.beat()
            try:
                self.checkpoint()
            except OSError:
                pass  # what was not synced is not said to be: after a power cut it is looked at

    def checkpoint(self) -> None:
        """Bring to the disk what was done since the last time, and say so: lazy durability."""
        upto, at = self.events.size(), time.time()
        if upto == self._synced or not self._systems:
            return
        sync_systems(self._systems)
        with self._guard:
            if self._over.is_set():
                return
            is_all = self.events.size() == upto
            # What was done before `upto` is safe; what was written down meanwhile may not be.
            self.events.append({"event": "checkpoint", "time": now_utc(), "at": at, "upto": upto})
            self._synced = self.events.size() if is_all else upto

    def _begin_anew(self) -> None:
        """Go on in a state folder that was made again."""
        self.events.reopen()
        self._synced = 0

    def _note_takeover(self, key: str, owner: Owner) -> None:
        """Leave a trace to the dead attempt, for whoever takes over from us."""
        former = [owner.run_id, owner.host, owner.pid, owner.boot]
        self.events.append({"event": "takes", "key": key, "time": now_utc(), "from": former})

    def close(self) -> None:
        """End this process's part in the run."""
        self._over.set()
        self.spares.clear()
        with self._guard:
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
    for key in [key for key in list(_BENCHES) if run_id is None or key[1] == run_id]:
        _BENCHES.pop(key).close()


def tidy_benches() -> None:
    """Leave nothing on disk that only the next jobs of this process would use: nobody knows when they come."""
    for bench in list(_BENCHES.values()):
        bench.spares.clear()
