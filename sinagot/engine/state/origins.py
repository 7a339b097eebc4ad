"""What results came from: the newest attempt of each job that published its outputs, as events of all runs tell it.

Knows events and one cache file; must not decide what is outdated. Deleting the cache loses nothing: the events are read
again.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from typing import Any, NamedTuple

from sinagot.dataset.prints import States, same_version
from sinagot.engine.paths import Paths
from sinagot.engine.state.columns import Row, StepColumns
from sinagot.engine.state.history import (
    event_files,
    iter_events,
    iter_events_after,
    read_manifest,
    replace_text,
)
from sinagot.engine.state.owners import live_owners
from sinagot.runlog.lines import now_utc
from sinagot.scripts.group import GROUP_ID

__all__ = ["MADE", "Origin", "Origins", "Prints", "params_text", "prints_of", "same_prints", "short_path"]

#: Events that tell what outputs came from.
MADE = ("done", "accepted")

#: Fields of an event that tells what outputs came from.
_WHOLE = frozenset({"key", "time", "inputs", "outputs", "code", "params", "paths"})

_FORMAT = 2
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


def short_path(path: str, *roots: str) -> str:
    """Give a path as it is kept, below the first root that it is below: a dataset that was moved is still the same.

    Who notes and who compares give the same roots, those of the graph: else all inputs look new.

    Examples
    --------
    >>> short_path("/lab/raw/a.csv", "/lab", "/lab"), short_path("/tmp/x", "/lab", "/lab")
    ('raw/a.csv', '/tmp/x')
    """
    for root in roots:
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
        #: End of the keys -> origins of a step.
        self._columns: dict[str, StepColumns] = {}
        #: Key -> origin, of those that are newer, or do not fit into columns.
        self._rows: dict[str, Row] = {}
        self._read: set[str] = set()
        self._news = 0
        #: How far the events of runs that were not over have been read.
        self._places: dict[str, int] = {}
        self._judged_at = time.monotonic()
        self._load()
        self._follow()

    def get(self, key: str) -> Origin | None:
        """Give the origin of a job's result; None when no run is known to have made it."""
        row = self._row(key)
        if row is None:
            return None
        time, inputs, outputs, duration, *numbers = row
        run_id, code, params, paths = (self._texts[number] for number in numbers)
        return Origin(run_id, time, inputs, outputs, code, params, paths, duration)

    def _row(self, key: str) -> Row | None:
        row = self._rows.get(key)
        if row is None:
            record_id, end = split_key(key)
            columns = self._columns.get(end)
            row = columns.row(record_id) if columns is not None else None
        return row

    def differing(
        self,
        end: str,
        ids: Sequence[str],
        inputs: Sequence[States | None],
        outputs: Sequence[States | None],
        texts: Sequence[str],
    ) -> set[int]:
        """Give the places of the records of which the result of a step is not known to come from what is there now.

        Parameters
        ----------
        end : str
            What the keys of the step's jobs end with.
        ids : sequence of str
            Some records.
        inputs, outputs : sequence of States
            What is there now, one for each path of the step, as long as `ids`; None for a path that is not compared.
        texts : sequence of str
            Code, params and paths, as all of them would have them now.
        """
        if self._news >= _WORTH_SAVING:
            self._fold()
        numbers = [self._numbers.get(text) for text in texts]
        columns = self._columns.get(end)
        found = set(range(len(ids)))
        if columns is not None:
            found = columns.differing(ids, inputs, outputs, numbers)
        for place, record_id in enumerate(ids) if self._rows else ():
            row = self._rows.get(record_id + end)
            if row is not None:
                is_same = row[5:] == numbers and _is_like(row[1], inputs, place)
                is_same = is_same and _is_like(row[2], outputs, place)
                (found.discard if is_same else found.add)(place)
        return found

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

    def count(self, end: str) -> int:
        """Say of how many results of a step the origin is known, about."""
        if self._news >= _WORTH_SAVING:
            self._fold()
        return len(self._columns[end].ids) if end in self._columns else 0

    def durations_of(self, end: str) -> list[float]:
        """Give the last durations, in seconds, of the jobs whose keys end so: of a step."""
        known = self._columns[end].durations if end in self._columns else ()
        return [*known, *(row[3] for key, row in self._rows.items() if split_key(key)[1] == end)]

    def __len__(self) -> int:
        known = {record_id + end for end, columns in self._columns.items() for record_id in columns.ids}
        return len(known | self._rows.keys())

    # -- reading

    def _load(self) -> None:
        try:
            with open(self._file, "rb") as file:
                kept = json.loads(file.read())
            if kept["format"] != _FORMAT:
                return
            self._columns = {end: StepColumns.from_json(columns) for end, columns in kept["steps"].items()}
            self._rows = dict(kept["rows"])
            self._texts = list(kept["texts"])
            self._read = set(kept["runs"])
        except (OSError, ValueError, LookupError, TypeError, AttributeError):
            # Absent, cut, or of another version: all events are read.
            self._columns, self._rows, self._texts, self._read = {}, {}, [], set()
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
            former = self._row(key)
            if former is not None and former[0] > time:
                return
            texts = (run_id, event["code"], event["params"], event["paths"])
            numbers = [self._number(text) for text in texts]
            self._rows[key] = [
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

    def _fold(self) -> None:
        """Take what is new into the columns."""
        by_step: dict[str, dict[str, Row]] = {}
        for key, row in self._rows.items():
            record_id, end = split_key(key)
            by_step.setdefault(end, {})[record_id] = row
        self._rows = {}
        for end, news in by_step.items():
            rows = {**self._columns.pop(end).rows(), **news} if end in self._columns else news
            columns, others = StepColumns.of(rows)
            if columns is not None:
                self._columns[end] = columns
            self._rows.update((record_id + end, row) for record_id, row in others.items())

    def save(self) -> None:
        """Write the cache when there is enough to remember; a folder that cannot be written is no error."""
        if self._news < _WORTH_SAVING:
            return
        self._fold()
        kept = {
            "format": _FORMAT,
            "time": now_utc(),
            "runs": sorted(self._read),
            "texts": self._texts,
            "steps": {end: columns.to_json() for end, columns in self._columns.items()},
            "rows": self._rows,
        }
        with contextlib.suppress(OSError):
            os.makedirs(os.path.dirname(self._file), exist_ok=True)
            replace_text(self._file, json.dumps(kept))
            self._news = 0


def split_key(key: str) -> tuple[str, str]:
    """Give the record of a job's key, and what all keys of its step end with.

    Examples
    --------
    >>> split_key("REC-1/RS/EEG/alpha")
    ('REC-1', '/RS/EEG/alpha')
    """
    if key.startswith(f"{GROUP_ID}/"):
        return GROUP_ID, key[len(GROUP_ID) :]
    record_id, slash, rest = key.partition("/")
    return record_id, slash + rest


def _is_like(noted: Sequence[Any], seen: Sequence[States | None], place: int) -> bool:
    """Say whether what is at a place of columns is what was noted, path by path."""
    return len(noted) == len(seen) and all(
        column is None or _is_noted(old, column.text(place)) for old, column in zip(noted, seen, strict=True)
    )


def _is_noted(old: Any, new: str | None) -> bool:
    """Say whether size and time are those that were noted, with or without the digest of the content."""
    return bool(old == new or (type(old) is str and new is not None and old.startswith(f"{new} ")))
