"""Row 3: a second run when all is up to date, against ninja and make over the same files."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

from bench import Bench
from figures import Figure, Goal, Spread, ratio, seconds
from machine import Place
from measuring import Usage, alternate, cpu, probe, process, wall
from worlds import write_build_files

TITLE = "Nothing to do"
HOW = """Everything has run once (with logs and state); then the same records are asked for again: by the
command line (`sinagot run`) and by a Python program. ninja and make read a graph with one rule per step and
record, two rules a record, over the same files. CPU of the whole process, Python's start included. *The
least in Python*: three listings and two comparisons of sets, with Python's start. Counters come from one
more run of the command line under an audit hook."""


def measure(bench: Bench) -> list[Figure]:
    figures = []
    for place in bench.places:
        records = bench.records(place, bench.sizes.records)
        figures += _measure(bench, place, records)
        if place is bench.places[0]:
            figures += _counters(bench, place, records)
            if records >= 2000:
                figures += _measure(bench, place, records // 10)
    return figures


def _measure(bench: Bench, place: Place, records: int) -> list[Figure]:
    folder = bench.done_world(place, records)
    bench.say(f"no-op of {records} records ({place.name})")
    ours = {
        "command line": partial(process, _command(), cwd=folder),
        "API": partial(probe, "ours_noop", folder),
    }
    peers = _peers(bench, folder, records)
    taken = alternate({**ours, **peers}, bench.rounds(place, 2 * bench.sizes.rounds), warm=True)
    figures = []
    for name in ours:
        what = f"no-op, {records:,} x 2, {name}"
        mine = cpu(taken[name])
        text = f"{seconds(mine)} ({seconds(wall(taken[name]))} wall)"
        if "ninja" not in peers:
            figures.append(Figure(what, place.name, text, "ninja is absent: install ninja-build"))
        for peer in peers:
            theirs = cpu(taken[peer])
            goal = bench.goal(place, Goal(2.0, 1.0), enough=peer == "ninja" and records >= 10_000)
            found = ratio(mine, theirs)
            figures.append(Figure(what, place.name, text, f"{peer} {seconds(theirs)}", found, goal=goal))
            text = what = ""
    return figures


def _command() -> list[str | Path]:
    return [Path(sys.executable).with_name("sinagot"), "run"]


def _peers(bench: Bench, folder: Path, records: int) -> dict[str, Callable[[], Usage]]:
    """Give the peers that are there; ninja builds once, so that its log knows the files."""
    write_build_files(folder, records)
    peers: dict[str, Callable[[], Usage]] = {"the least in Python": partial(probe, "limit_noop", folder)}
    ninja, make = shutil.which("ninja"), shutil.which("make")
    if ninja:
        bench.say("ninja's first build")
        process([ninja, "--quiet"], cwd=folder)
        peers["ninja"] = partial(process, [ninja, "--quiet"], cwd=folder)
    if make:
        peers["make"] = partial(process, [make, "-s"], cwd=folder)
    return {name: peers[name] for name in ("ninja", "make", "the least in Python") if name in peers}


def _counters(bench: Bench, place: Place, records: int) -> list[Figure]:
    facts = probe("counting", bench.done_world(place, records)).facts
    touched = f"{facts['opened']} files opened, {facts['listed']} folders listed in the workspace"
    none = Goal(0, 0)
    logs, heavy = float(facts["logs"]), facts["heavy"]
    return [
        Figure("log files opened by it", place.name, touched, "none", Spread(logs, logs, logs), "", none),
        Figure(
            "heavy packages imported by it",
            place.name,
            ", ".join(heavy) or "none",
            "pandas, numpy, dask, distributed, pydantic, rich",
            Spread(len(heavy), len(heavy), len(heavy)),
            "",
            none,
        ),
    ]
