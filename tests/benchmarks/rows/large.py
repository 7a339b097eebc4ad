"""A hundred thousand records: a first run on two workers, the driver's memory, and all that looks at finished work."""

from __future__ import annotations

import time
from functools import partial
from pathlib import Path

import peers
from bench import Bench
from figures import Figure, Goal, Spread, number, ratio, seconds
from machine import Place
from measuring import Usage, alternate, command, cpu, probe, process, wall
from worlds import make_world, write_build_files

from rows.parallel import memory_figure

TITLE = "A hundred thousand records"
HOW = """In memory, with `--large` only. *From nothing*: once each on two workers, as above; the driver's memory is
compared with a run of a hundredth of the records. *Looks*: in one process in turns against bare listings, as
in the rows above. *No-op*: whole process, CPU; ninja is left out, as its first build takes minutes."""

_LOOKS = {
    "ids": ("`ids()`", "scandir", 2.0),
    "plan": ("`plan()`", "listings and sets", None),
    "outdated plan": ('`plan(rerun="outdated")`', "a stat of each path", None),
    "status": ("`status()`", "listings and DataFrame", None),
}


def measure(bench: Bench) -> list[Figure]:
    place, records = bench.places[0], bench.sizes.large
    few = max(1, records // 100)
    begun = time.monotonic()
    # The last one leaves what is looked at.
    modes = ("processes",) if bench.is_smoke else ("Dask", "processes")
    with bench.folder(place, partial(make_world, records=few)) as folder:
        small = {name: _run(bench, folder, name, few).facts["peak"] for name in modes if not bench.is_smoke}
    bench.say(f"making {records} raw files")
    with bench.folder(place, partial(make_world, records=records)) as folder:
        figures = []
        for name in modes:
            usage = _run(bench, folder, name, records)
            figures += _cold(place, name, records, usage)
            peak = usage.facts["peak"]
            if name in small:
                figures.append(memory_figure(place, name, (few, small[name]), (records, peak)))
            if name == "Dask":
                goal = Goal(100, 100)
                figures.append(Figure("the same in MB", place.name, "", "", Spread.of([peak]), " MB", goal))
        figures += _looks(bench, place, folder, records)
        figures += _noop(bench, place, folder, records)
    taken = (time.monotonic() - begun) / 60
    figures.append(Figure("all of this section", place.name, "", "", Spread.of([taken]), " minutes"))
    return figures


def _run(bench: Bench, folder: Path, name: str, records: int) -> Usage:
    bench.say(f"{records} records from nothing, {name}")
    if name == "Dask":
        return bench.on_cluster(folder, "ours_run", "dask")
    return bench.fresh(folder, "ours_run", "processes")


def _cold(place: Place, name: str, records: int, usage: Usage) -> list[Figure]:
    steps = 2 * records
    speed = Spread.of([steps / usage.facts["wall"]])
    cost = Spread.of([1000 * usage.facts["all_cpu"] / steps])
    goal = Goal(2000, None, at_least=True) if name == "Dask" and records >= 10_000 else Goal()
    what, text = f"{name}, {records:,} x 2 from nothing", f"{number(usage.facts['wall'])} s by the clock"
    cheap = Goal(None, 0.3) if records >= 10_000 else Goal()
    return [
        Figure(what, place.name, text, "", speed, " steps/s", goal),
        Figure("CPU a step, all processes", place.name, "", "", cost, " ms", cheap),
    ]


def _looks(bench: Bench, place: Place, folder: Path, records: int) -> list[Figure]:
    bench.say(f"looks at {records} records")
    facts = probe("tables", folder, bench.sizes.heavy_rounds, ",".join(_LOOKS)).facts
    figures = []
    for kind, (call, peer, aim) in _LOOKS.items():
        ours, theirs = facts[kind]["ours"], facts[kind]["peer"]
        goal = Goal(None, aim) if records >= 10_000 else Goal()
        what, against = f"{call}, {records:,} x 2", f"{peer} {seconds(theirs)}"
        figures.append(Figure(what, place.name, seconds(ours), against, ratio(ours, theirs), goal=goal))
    return figures


def _noop(bench: Bench, place: Place, folder: Path, records: int) -> list[Figure]:
    bench.say(f"no-op of {records} records")
    cases = {
        "command line": partial(process, command("run"), cwd=folder),
        "outdated, command line": partial(process, command("run", "--outdated"), cwd=folder),
        "the least in Python": partial(probe, "limit_noop", folder),
        "the least in Python, with stats": partial(probe, "limit_noop", folder, "stats"),
    }
    make = peers.program("make")
    if make:
        write_build_files(folder, records)
        cases["make"] = partial(process, [make, "-s"], cwd=folder)
    taken = alternate(cases, bench.sizes.heavy_rounds, warm=True)
    figures = []
    for name, least in (
        ("command line", "the least in Python"),
        ("outdated, command line", "the least in Python, with stats"),
    ):
        mine = cpu(taken[name])
        what, text = f"no-op, {records:,} x 2, {name}", f"{seconds(mine)} ({seconds(wall(taken[name]))} wall)"
        for peer in (["make"] if make else []) + [least]:
            theirs = cpu(taken[peer])
            figures.append(Figure(what, place.name, text, f"{peer} {seconds(theirs)}", ratio(mine, theirs)))
            what = text = ""
    return figures
