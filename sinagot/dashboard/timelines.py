"""The attempts of a run, and the stages of its pipelines, as a picture of bounded size: a lane for each worker.

Knows attempts and acts; must not know which run they are of, or how lanes are shown.
"""

from __future__ import annotations

import time
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby, islice
from statistics import median
from typing import Any, NamedTuple

from sinagot.engine.accounts.acts import AttemptActs
from sinagot.engine.accounts.attempts import epoch_of
from sinagot.engine.job import Outcome

__all__ = ["Lane", "StageLane", "StagesDrawn", "StepTimes", "Timeline", "draw"]

#: Pieces of a lane; lanes of a picture.
_PIECES = 1000
_MOST_LANES = 64
#: Attempts of a run that are read; workers of which the stages are drawn, and stages of each.
_MOST_ATTEMPTS = 500_000
_MOST_WORKERS = 8
_MOST_STAGES = 16
#: The graver one shows.
_CODES = {Outcome.DONE: 1, Outcome.INTERRUPTED: 2, Outcome.FAILED: 3}
_NAMES = {code: outcome for outcome, code in _CODES.items()}
_ACT_CODES = {"DONE": 1, "RUNNING": 2, "INTERRUPTED": 3, "ERROR": 4}
_ACT_NAMES = {code: state for state, code in _ACT_CODES.items()}


class StageLane(NamedTuple):
    """When one worker was at one stage of a pipeline: state, start and width, in parts of a thousand of the run."""

    stage: str
    pieces: list[tuple[str, int, int]]


class Lane(NamedTuple):
    """What one worker did: outcome, start and width, in parts of a thousand of the run."""

    worker: str
    attempts: int
    pieces: list[tuple[str, int, int]]
    #: Of pipelines; those of the first workers.
    stages: Sequence[StageLane] = ()


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


class StagesDrawn:
    """The stages of a run, from columns of numbers.

    Parameters
    ----------
    attempts : iterable of AttemptActs
        All of the run.
    """

    def __init__(self, attempts: Iterable[AttemptActs]) -> None:
        self._begins, self._ends, self._codes, self._rows = array("d"), array("d"), bytearray(), array("I")
        #: Worker and stage -> number.
        self._known: dict[tuple[str, str], int] = {}
        now = time.time()
        for attempt in islice(attempts, _MOST_ATTEMPTS):
            for act in attempt.acts:
                begin, code = epoch_of(act.begin), _ACT_CODES.get(act.state)
                if begin is None or code is None:
                    continue
                end = now if act.state == "RUNNING" else epoch_of(act.end)
                self._begins.append(begin)
                self._ends.append(max(begin if end is None else end, begin))
                self._codes.append(code)
                name = (attempt.worker, f"{attempt.step}: {act.act}")
                self._rows.append(self._known.setdefault(name, len(self._known)))

    @property
    def begin(self) -> float | None:
        """When the first began."""
        return min(self._begins, default=None)

    @property
    def end(self) -> float | None:
        """When the last ended."""
        return max(self._ends, default=None)

    @property
    def workers(self) -> list[str]:
        """Who was at them."""
        return list(dict.fromkeys(worker for worker, _ in self._known))

    def lanes(self, begin: float, scale: float, workers: Sequence[str]) -> dict[str, list[StageLane]]:
        """Draw the stages of the first of some workers.

        Parameters
        ----------
        begin : float, seconds
            Where the picture begins, since 1970.
        scale : float
            Pieces in a second.
        workers : sequence of str
            In the order of their lanes.
        """
        shown = set(workers[:_MOST_WORKERS])
        drawn: dict[str, list[int]] = {}
        for (worker, _), number in self._known.items():
            if worker in shown and len(drawn.setdefault(worker, [])) < _MOST_STAGES:
                drawn[worker].append(number)
        rows = {number: bytearray(_PIECES) for numbers in drawn.values() for number in numbers}
        for start, stop, code, number in zip(self._begins, self._ends, self._codes, self._rows, strict=True):
            if number in rows:
                _paint(rows[number], (start - begin) * scale, (stop - begin) * scale, code)
        names = list(self._known)
        return {
            worker: [StageLane(names[number][1], _pieces(rows[number], _ACT_NAMES)) for number in numbers]
            for worker, numbers in drawn.items()
        }


def _paint(row: bytearray, start: float, stop: float, code: int) -> None:
    """Put a piece into a row; the gravest shows."""
    first = max(min(int(start), _PIECES - 1), 0)
    last = max(first + 1, min(round(stop), _PIECES))
    row[first:last] = bytes(max(code, old) for old in row[first:last])


def draw(attempts: Iterator[dict[str, Any]], stages: StagesDrawn) -> Timeline:
    """Draw attempts from columns of numbers: the picture is of the same size for ten and for a million.

    Parameters
    ----------
    attempts : iterator of dict
        As of `iter_attempts`.
    stages : StagesDrawn
        Of the same run.
    """
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
    for worker in stages.workers:
        workers.setdefault(worker, len(workers))
    if not workers:
        return Timeline(None, None, [], steps, is_cut)
    begin = min(one for one in (min(starts, default=None), stages.begin) if one is not None)
    end = max(one for one in (max(ends, default=None), stages.end) if one is not None)
    scale = _PIECES / max(end - begin, 1e-6)
    rows = [bytearray(_PIECES) for _ in range(min(len(workers), _MOST_LANES))]
    counts = [0] * len(workers)
    for start, stop, code, lane in zip(starts, ends, codes, lanes, strict=True):
        counts[lane] += 1
        if lane >= len(rows):
            continue
        _paint(rows[lane], (start - begin) * scale, (stop - begin) * scale, code)
    inner = stages.lanes(begin, scale, list(workers))
    made = [
        Lane(worker, counts[lane], _pieces(rows[lane], _NAMES), inner.get(worker, ()))
        for worker, lane in workers.items()
        if lane < len(rows)
    ]
    return Timeline(begin, end, made, steps, is_cut or len(workers) > len(rows))


def _pieces(row: bytearray, names: Mapping[int, str]) -> list[tuple[str, int, int]]:
    """Give outcome, start and width of what is alike side by side."""
    found, start = [], 0
    for code, group in groupby(row):
        width = sum(1 for _ in group)
        if code:
            found.append((names[code], start, width))
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
