"""What is asked of the file system by commands over finished work."""

from __future__ import annotations

import sys
from pathlib import Path

import syscalls
from bench import Bench
from figures import Figure, Goal, Spread
from machine import Place
from measuring import PROBES

TITLE = "Calls of the file system"
HOW = """Each command is run once over finished work by strace, which counts the calls that name a path of the
dataset (state and logs are in it); calls on files that are open already are left out. Where strace is absent,
an audit hook of Python counts listings and opened files, and the calls that ask for one path (stat and its
kin) are not seen. *Of records*: calls for paths that contain the id of a record. A drive of a network answers
each call in a millisecond or so; there these numbers are the time."""

#: Of an outdated no-op: one look at each of the three files of a record.
_COMMANDS = {"ids": 0.0, "status": 0.0, "no-op": 0.0, "outdated": 3.0}
_TITLES = {"ids": "`ids()`", "status": "`status()`", "no-op": "a no-op", "outdated": "a no-op, outdated"}


def measure(bench: Bench) -> list[Figure]:
    place = bench.places[0]
    records = bench.records(place, bench.sizes.records)
    folder = bench.done_world(place, records)
    is_traced = syscalls.has_strace()
    figures = []
    for name in _COMMANDS:
        bench.say(f"calls of {name}, {records} records")
        if is_traced:
            program = [sys.executable, PROBES / "touching.py", folder, name]
            calls = syscalls.traced(program, folder / "dataset")
        else:
            calls = syscalls.audited("touching", folder, name, below=folder / "dataset")
        figures += _figures(name, calls, records, place, folder / "dataset")
    return figures


def _figures(name: str, calls: syscalls.Calls, records: int, place: Place, data: Path) -> list[Figure]:
    parts = [f"{calls.listed.total():,} listings", f"{calls.opened.total():,} files opened"]
    if calls.stats is not None:
        parts += [f"{calls.stats.total():,} stats", f"{calls.others:,} others"]
    many = Spread.of([calls.total / records])
    what = f"calls of {_TITLES[name]}, {records:,} x 2"
    figures = [Figure(what, place.name, ", ".join(parts), f"counted by {calls.by}", many, " a record")]
    twice = {path: times for path, times in calls.listed.items() if times > 1}
    shown = ", ".join(
        f"`{Path(path).relative_to(data)}` {times} times" for path, times in sorted(twice.items())
    )
    value = Spread.of([len(twice)])
    figures.append(
        Figure("folders listed more than once", place.name, shown or "none", "", value, "", Goal(0, 0))
    )
    if calls.stats is not None:
        of_records = sum(times for path, times in calls.stats.items() if "/REC-" in path)
        limit = _COMMANDS[name]
        value = Spread.of([of_records / records])
        figures.append(
            Figure(
                "stats of records", place.name, f"{of_records:,}", "", value, " a record", Goal(limit, limit)
            )
        )
    return figures
