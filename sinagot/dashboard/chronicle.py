"""What happened and what goes on: runs, their attempts as a picture of bounded size, failures that stand.

Knows which accounts to ask, and keeps answers while nothing has changed; must not know how they are shown.
"""

from __future__ import annotations

import os
import threading
import time
from array import array
from collections import OrderedDict
from collections.abc import Callable, Iterator
from itertools import groupby
from statistics import median
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from sinagot.dashboard.snapshot import View
from sinagot.engine.accounts.attempts import iter_attempts
from sinagot.engine.accounts.differences import Comparison
from sinagot.engine.accounts.ledger import Ledger
from sinagot.engine.accounts.runs import RunFacts, facts_of, list_runs
from sinagot.engine.accounts.standing import StandingFailure, current_failures
from sinagot.engine.accounts.underway import RunProgress, RunWatch
from sinagot.engine.job import Outcome
from sinagot.scripts.codes import StepStatus

if TYPE_CHECKING:
    from sinagot.workspace.workspace import Workspace

__all__ = ["Chronicle", "Lane", "StepTimes", "Timeline"]

_T = TypeVar("_T")

#: Runs that are listed; those of them that may be going on; pieces of a lane; lanes of a picture.
MOST_RUNS = 200
_MOST_OPEN = 20
_PIECES = 1000
_MOST_LANES = 64
#: Attempts of a run that are read.
_MOST_ATTEMPTS = 500_000
#: Seconds that an answer holds.
_FRESH = 1.0
_GROWING = 3.0
_KEPT = 8

_CODES = {Outcome.DONE: 1, Outcome.INTERRUPTED: 2, Outcome.FAILED: 3}
_NAMES = {code: outcome for outcome, code in _CODES.items()}


class Lane(NamedTuple):
    """What one worker did: outcome, start and width, in parts of a thousand of the run."""

    worker: str
    attempts: int
    pieces: list[tuple[str, int, int]]


class StepTimes(NamedTuple):
    """How long one step took, and how much memory."""

    step: str
    attempts: int
    failed: int
    median_s: float | None
    longest_s: float | None
    total_s: float
    peak_memory_mb: float | None


class Timeline(NamedTuple):
    """The attempts of a run."""

    #: Seconds since 1970.
    begin: float | None
    end: float | None
    lanes: list[Lane]
    steps: list[StepTimes]
    #: Lanes or attempts that are left out.
    is_cut: bool


class Chronicle:
    """Asks the accounts of a workspace.

    Parameters
    ----------
    workspace : Workspace
        Whose accounts.
    """

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self.state = str(workspace.configuration.state_path)
        self._logs = str(workspace.configuration.log_path)
        self._watches: dict[str, RunWatch] = {}
        self._kept: dict[str, tuple[Any, float, Any]] = {}
        self._timelines: OrderedDict[str, Timeline] = OrderedDict()
        self._guard = threading.Lock()
        #: Each answer is made by one thread at a time.
        self._locks: dict[str, threading.Lock] = {}

    def _fresh(self, name: str, mark: Any, make: Callable[[], _T], seconds: float = _FRESH) -> _T:
        """Give an answer that was made a moment ago, or for the same mark; one thread makes it."""
        with self._guard:
            lock = self._locks.setdefault(name, threading.Lock())
        with lock:
            known = self._kept.get(name)
            if known is not None and known[0] == mark and time.monotonic() - known[1] < seconds:
                found: _T = known[2]
                return found
            made = make()
            with self._guard:
                self._kept[name] = (mark, time.monotonic(), made)
                for old in list(self._kept)[:-_KEPT]:
                    del self._kept[old]
                    self._locks.pop(old, None)
            return made

    # -- runs

    def runs(self) -> list[RunFacts]:
        """List the newest runs, newest first."""
        return self._fresh("runs", None, lambda: list_runs(self.state, MOST_RUNS))

    def run(self, run_id: str) -> RunFacts | None:
        """Look a run up by its whole id."""
        if run_id in {".", ".."} or "/" in run_id or not os.path.isdir(f"{self.state}/runs/{run_id}"):
            return None
        return facts_of(self.state, run_id)

    def underway(self) -> list[RunProgress]:
        """Say how far the runs are that go on now."""
        return self._fresh("underway", None, self._progress)

    def _progress(self) -> list[RunProgress]:
        going = [one.run_id for one in list_runs(self.state, _MOST_OPEN) if one.state == "running"]
        self._watches = {
            run_id: self._watches.get(run_id) or RunWatch(self.state, run_id, self._logs) for run_id in going
        }
        found = [watch.progress() for watch in self._watches.values()]
        return [one for one in found if one.state == "running"]

    def timeline(self, facts: RunFacts) -> Timeline:
        """Draw the attempts of a run; of one that has ended the picture is kept."""
        with self._guard:
            known = self._timelines.get(facts.run_id)
        if known is not None:
            return known
        if facts.state == "running":  # read anew every few seconds: it grows
            return self._fresh(
                f"timeline {facts.run_id}",
                None,
                lambda: _timeline(iter_attempts(self.state, facts.run_id)),
                _GROWING,
            )
        made = _timeline(iter_attempts(self.state, facts.run_id))
        if facts.end is not None:
            with self._guard:
                self._timelines[facts.run_id] = made
                while len(self._timelines) > _KEPT:
                    self._timelines.popitem(last=False)
        return made

    # -- failures

    def failures(self) -> list[StandingFailure]:
        """List the failures that stand now, the largest group first."""
        stamps = [_changed(f"{self.state}/{name}") for name in ("failures", "decisions.jsonl")]
        if not stamps[0]:
            return []
        return self._fresh("failures", tuple(stamps), lambda: current_failures(self.state))

    def differences(self, view: View, failure: StandingFailure) -> tuple[str, ...]:
        """Say what differs between the records of a failure and those of which the step is done."""
        place = next((number for number, node in enumerate(view.nodes) if node.place == failure.step), None)
        if (
            place is None
            or self._workspace.blueprint.graph().nodes[view.nodes[place].index] is not view.nodes[place]
        ):
            return ()
        node = view.nodes[place]
        ledger = Ledger(self._workspace.blueprint.graph(), view.ids, frozenset({node.index}))
        column, record = view.columns[place], -1
        while (record := column.find(StepStatus.DONE, record + 1)) >= 0:
            ledger.mark(record, node.index, Outcome.DONE)
        folder = f"{self.state}/runs/{failure.run_id}" if failure.run_id else ""
        return Comparison(ledger, self._workspace.blueprint.ids, folder).differences(
            node.place, failure.records
        )


def _timeline(attempts: Iterator[dict[str, Any]]) -> Timeline:
    """Draw attempts from columns of numbers: the picture is of the same size for ten and for a million."""
    starts, ends, codes = array("d"), array("d"), bytearray()
    workers: dict[str, int] = {}
    lanes = array("I")
    times: dict[str, _Times] = {}
    is_cut = False
    for number, one in enumerate(attempts):
        if number == _MOST_ATTEMPTS:
            is_cut = True
            break
        step = "-".join(str(one[key]) for key in ("task", "modality", "step_label") if one[key])
        times.setdefault(step, _Times()).add(one)
        end = one["end_s"]
        if end is None:
            continue
        starts.append(one["start_s"] if one["start_s"] is not None else end)
        ends.append(end)
        codes.append(_CODES[one["outcome"]])
        lanes.append(workers.setdefault(one["worker"], len(workers)))
    steps = [found.told(step) for step, found in times.items()]
    if not starts:
        return Timeline(None, None, [], steps, is_cut)
    begin, end = min(starts), max(ends)
    scale = _PIECES / max(end - begin, 1e-6)
    rows = [bytearray(_PIECES) for _ in range(min(len(workers), _MOST_LANES))]
    counts = [0] * len(workers)
    for start, stop, code, lane in zip(starts, ends, codes, lanes, strict=True):
        counts[lane] += 1
        if lane >= len(rows):
            continue
        first = min(int((start - begin) * scale), _PIECES - 1)
        last = max(first + 1, min(round((stop - begin) * scale), _PIECES))
        row = rows[lane]
        row[first:last] = bytes(max(code, old) for old in row[first:last])
    made = [
        Lane(worker, counts[lane], _pieces(rows[lane]))
        for worker, lane in workers.items()
        if lane < len(rows)
    ]
    return Timeline(begin, end, made, steps, is_cut or len(workers) > len(rows))


def _pieces(row: bytearray) -> list[tuple[str, int, int]]:
    """Give outcome, start and width of what is alike side by side."""
    found, start = [], 0
    for code, group in groupby(row):
        width = sum(1 for _ in group)
        if code:
            found.append((_NAMES[code], start, width))
        start += width
    return found


class _Times:
    """Durations and memory of one step; as elsewhere, of what was done."""

    def __init__(self) -> None:
        self._durations = array("d")
        self._spent = self._peak = 0.0
        self._failed = self._count = 0

    def add(self, one: dict[str, Any]) -> None:
        self._count += 1
        self._failed += one["outcome"] == Outcome.FAILED
        if one["duration_s"] is not None:
            self._spent += one["duration_s"]
            if one["outcome"] == Outcome.DONE:
                self._durations.append(one["duration_s"])
        self._peak = max(self._peak, one["peak_memory_mb"] or 0.0)

    def told(self, step: str) -> StepTimes:
        known = self._durations
        return StepTimes(
            step,
            self._count,
            self._failed,
            median(known) if known else None,
            max(known) if known else None,
            self._spent,
            self._peak or None,
        )


def _changed(path: str) -> int:
    """Give when a file or folder was changed; 0 where there is none."""
    try:
        return os.stat(path).st_mtime_ns
    except OSError:
        return 0
