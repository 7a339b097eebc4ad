"""What results came from: the newest attempt of each job that published its outputs, as events of all runs tell it.

Knows events and one cache file; must not decide what is outdated. Deleting the cache loses nothing: the events are read
again.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Callable, Iterator
from functools import cached_property
from typing import Any, NamedTuple

from sinagot.dataset.prints import same_version
from sinagot.engine.paths import Paths
from sinagot.engine.state.history import (
    event_files,
    iter_events,
    iter_events_after,
    read_manifest,
    replace_text,
)
from sinagot.engine.state.owners import live_owners
from sinagot.runlog.lines import now_utc

__all__ = ["MADE", "Origin", "Origins", "Prints", "params_text", "prints_of", "same_prints", "short_path"]

#: Events that tell what outputs came from.
MADE = ("done", "accepted")

#: Fields of an event that tells what outputs came from.
_WHOLE = frozenset({"key", "time", "inputs", "outputs", "code", "params", "paths"})

_FORMAT = 1
#: Seconds between two looks at whether runs are over, of a reader that goes on.
_JUDGE_EVERY = 5.0
#: Unknown events worth writing the cache for.
_WORTH_SAVING = 500

#: One text of `print_of` for each path of a step; for a path with free fields, name and text of each match.
Prints = list[Any]


class Origin(NamedTuple):
    """What one result came from."""

    run_id: str
    time: str
    inputs: Prints
    outputs: Prints
    #: Digest of the script and of the local modules that it imports.
    code: str
    #: Parameters, as JSON text.
    params: str
    #: The declared paths.
    paths: str
    duration: float = 0.0


def params_text(params: Any) -> str:
    """Write parameters so that equal ones are equal texts.

    Examples
    --------
    >>> params_text({"b": 1, "a": [2.0]})
    '{"a": [2.0], "b": 1}'
    """
    return json.dumps(params, sort_keys=True, default=str) if params else "{}"


def short_path(path: str, data: str, output: str) -> str:
    """Give a path as it is kept: a dataset that was moved is still the same.

    Examples
    --------
    >>> short_path("/lab/raw/a.csv", "/lab", "/lab"), short_path("/tmp/x", "/lab", "/lab")
    ('raw/a.csv', '/tmp/x')
    """
    for root in (data, output):
        if path.startswith(root) and path[len(root) : len(root) + 1] == "/":
            return path[len(root) + 1 :]
    return path


def prints_of(paths: Paths, look: Callable[[str], str | None], short: Callable[[str], str]) -> Prints:
    """Look at all paths of a side of a step.

    Parameters
    ----------
    paths : str, list of str, or dict of those
        In the shape that the script declared; a list stands for all matches of a pattern.
    look : callable
        Path -> its print.
    short : callable
        Path -> how it is kept.

    Examples
    --------
    >>> prints_of({"a": "x", "b": ["y1", "y2"]}, lambda path: "1 2", str)
    ['1 2', [['y1', '1 2'], ['y2', '1 2']]]
    """
    parts = paths.values() if isinstance(paths, dict) else (paths,)
    return [
        look(one) if isinstance(one, str) else [[short(each), look(each)] for each in one] for one in parts
    ]


def same_prints(one: Prints, two: Prints) -> bool:
    """Say whether two looks at the same paths saw the same versions."""
    return one == two or (
        len(one) == len(two) and all(_same(mine, other) for mine, other in zip(one, two, strict=True))
    )


def _same(one: Any, two: Any) -> bool:
    if isinstance(one, list) and isinstance(two, list):
        mine, other = dict(map(tuple, one)), dict(map(tuple, two))
        return mine.keys() == other.keys() and all(same_version(mine[name], other[name]) for name in mine)
    if isinstance(one, list) or isinstance(two, list):
        return False
    return same_version(one, two)


class Origins:
    """The newest origin of each job.

    Parameters
    ----------
    state : str
        The state folder.

    Notes
    -----
    Reads the cache and the events of runs that are not in it. Runs that have ended never change; others are read again
    each time.
    """

    def __init__(self, state: str) -> None:
        self._state = state
        self._runs = f"{state}/runs"
        self._file = f"{state}/index/origins.json"
        #: Texts that many jobs share: digests, parameters, paths, run ids.
        self._texts: list[str] = []
        self._numbers: dict[str, int] = {}
        #: Key -> time, inputs, outputs, duration, and the numbers of run, code, params and paths.
        self.entries: dict[str, list[Any]] = {}
        self._read: set[str] = set()
        self._news = 0
        #: How far the events of runs that were not over have been read.
        self._places: dict[str, int] = {}
        self._judged_at = time.monotonic()
        self._load()
        self._follow()

    def get(self, key: str) -> Origin | None:
        """Give the origin of a job's result; None when no run is known to have made it."""
        entry = self.entries.get(key)
        if entry is None:
            return None
        time, inputs, outputs, duration, *numbers = entry
        run_id, code, params, paths = (self._texts[number] for number in numbers)
        return Origin(run_id, time, inputs, outputs, code, params, paths, duration)

    def find(self, key: str, is_it: Callable[[Prints], bool]) -> Origin | None:
        """Look among all attempts at a job for the newest whose outputs are the ones meant.

        The newest by its time need not be the last: a clock that was ahead has been put right, or an older result was
        put back. All events are read, once.
        """
        for run_id, event in reversed(self._repeated.get(key, ())):
            if is_it(event["outputs"]):
                texts = (event["time"], event["inputs"], event["outputs"], event["code"])
                return Origin(
                    run_id, *texts, event["params"], event["paths"], float(event.get("duration_s", 0.0))
                )
        return None

    @cached_property
    def _repeated(self) -> dict[str, list[tuple[str, dict[str, Any]]]]:
        """Run and event of each attempt that has made a result, of jobs that have more than one."""
        once: set[str] = set()
        twice: set[str] = set()
        for _, event in self._iter_made():
            key = event["key"]
            (twice if key in once else once).add(key)
        found: dict[str, list[tuple[str, dict[str, Any]]]] = {}
        for run_id, event in self._iter_made() if twice else ():
            if event["key"] in twice:
                found.setdefault(event["key"], []).append((run_id, event))
        return found

    def _iter_made(self) -> Iterator[tuple[str, dict[str, Any]]]:
        try:
            runs = sorted(os.listdir(self._runs))
        except OSError:  # their history was removed
            return
        for run_id in runs:
            for event in iter_events(f"{self._runs}/{run_id}"):
                if event.get("event") in MADE and event.keys() >= _WHOLE:
                    yield run_id, event

    def numbers(self, *texts: str) -> list[int | None]:
        """Give the numbers of texts, for quick comparison with `entries`; None for a text that no origin has."""
        return [self._numbers.get(text) for text in texts]

    def durations_of(self, end: str) -> list[float]:
        """Give the last durations, in seconds, of the jobs whose keys end so: of a step."""
        return [entry[3] for key, entry in self.entries.items() if key.endswith(end)]

    def __len__(self) -> int:
        return len(self.entries)

    # -- reading

    def _load(self) -> None:
        try:
            with open(self._file, encoding="ascii") as file:
                kept = json.load(file)
            if kept["format"] != _FORMAT:
                return
            keys, columns = kept["keys"], kept["columns"]
            self.entries = dict(zip(keys, map(list, zip(*columns, strict=True)), strict=True)) if keys else {}
            self._texts = list(kept["texts"])
            self._read = set(kept["runs"])
        except (OSError, ValueError, LookupError, TypeError):
            # Absent, cut, or of another version: all events are read.
            self.entries, self._texts, self._read = {}, [], set()
        self._numbers = {text: number for number, text in enumerate(self._texts)}

    def _follow(self, *, judges: bool = True) -> None:
        """Take in the runs that are not in the cache, in the order in which they began; `judges` which are over."""
        try:
            runs = sorted(set(os.listdir(self._runs)) - self._read)
        except OSError:
            return
        working = {owner.run_id for owner in live_owners(self._state)} if runs and judges else set()
        for run_id in runs:
            # Asked first: what is written in between is read all the same, now and next time.
            is_over = judges and (
                run_id not in working or bool(read_manifest(self._state, run_id).get("end"))
            )
            folder = f"{self._runs}/{run_id}"
            if is_over:
                for event in iter_events(folder):
                    self._take_result(run_id, event)
                self._read.add(run_id)
            else:
                for path in event_files(folder):
                    self._read_on(run_id, path)

    def _read_on(self, run_id: str, path: str) -> None:
        """Take in what was added to a file since it was read last."""
        start = self._places.get(path, 0)
        if start and os.stat(path).st_size == start:
            return
        for end, event in iter_events_after(path, start):
            self._places[path] = end
            self._take_result(run_id, event)

    def _take_result(self, run_id: str, event: dict[str, Any]) -> None:
        if event.get("event") in MADE and "code" in event:
            self._take(run_id, event)

    def refresh(self) -> None:
        """Take in what was written since: only new runs, and new lines of those that were still going on."""
        now = time.monotonic()
        judges = now >= self._judged_at + _JUDGE_EVERY
        if judges:
            self._judged_at = now
        self._follow(judges=judges)
        self.__dict__.pop("_repeated", None)

    def _take(self, run_id: str, event: dict[str, Any]) -> None:
        try:
            key, time = event["key"], event["time"]
            former = self.entries.get(key)
            if former is not None and former[0] > time:
                return
            texts = (run_id, event["code"], event["params"], event["paths"])
            numbers = [self._number(text) for text in texts]
            self.entries[key] = [
                time,
                event["inputs"],
                event["outputs"],
                event.get("duration_s", 0.0),
                *numbers,
            ]
            self._news += 1
        except (KeyError, TypeError):  # of another version, or not of ours
            return

    def _number(self, text: str) -> int:
        number = self._numbers.get(text)
        if number is None:
            number = self._numbers[text] = len(self._texts)
            self._texts.append(text)
        return number

    # -- writing

    def save(self) -> None:
        """Write the cache when there is enough to remember; a folder that cannot be written is no error."""
        if self._news < _WORTH_SAVING:
            return
        kept = {
            "format": _FORMAT,
            "time": now_utc(),
            "runs": sorted(self._read),
            "texts": self._texts,
            "keys": list(self.entries),
            "columns": list(zip(*self.entries.values(), strict=True)),
        }
        with contextlib.suppress(OSError):
            os.makedirs(os.path.dirname(self._file), exist_ok=True)
            replace_text(self._file, json.dumps(kept))
            self._news = 0
