"""Row 3: a second run when all is up to date, or all but one input, against ninja and make over the same files."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import peers
from bench import Bench
from figures import Figure, Goal, Spread, number, ratio, seconds
from machine import Place
from measuring import MeasuringError, Usage, alternate, command, cpu, probe, process, wall
from worlds import change_input, make_built, write_build_files

TITLE = "Nothing to do"
HOW = """Everything has run once (with logs and state); then the same records are asked for again: by the
command line (`sinagot run`) and by a Python program. ninja and make read a graph with one rule per step and
record, two rules a record, over the same files. CPU of the whole process, Python's start included. *The
least in Python*: three listings and two comparisons of sets, with Python's start. *Outdated*: the same with
`--outdated` or `rerun="outdated"`, which looks at every path as ninja and make do; there the least has one
stat of each path as well. Counters come from one more run of the command line under an audit hook.

*One input changed*: before each run another record's raw file is written anew, so that two steps are to run
(`sinagot run --outdated`), in turns with runs when nothing has changed. ninja does the same with a graph and
files of its own; its commands copy what is newer."""

_LEAST = "the least in Python"


def measure(bench: Bench) -> list[Figure]:
    figures = []
    for place in bench.places:
        records = bench.records(place, bench.sizes.records)
        figures += _measure(bench, place, records, outdated=True)
        if place is bench.places[0]:
            figures += _counters(bench, place, records)
            if records >= 2000:
                figures += _measure(bench, place, records // 10, outdated=False)
        figures += _one_changed(bench, place, records)
    return figures


def _measure(bench: Bench, place: Place, records: int, *, outdated: bool) -> list[Figure]:
    folder = bench.done_world(place, records)
    bench.say(f"no-op of {records} records ({place.name})")
    ours = {
        "command line": partial(process, command("run"), cwd=folder),
        "API": partial(probe, "ours_noop", folder),
    }
    if outdated:
        ours["outdated, command line"] = partial(process, command("run", "--outdated"), cwd=folder)
        ours["outdated, API"] = partial(probe, "ours_noop", folder, "outdated")
    against = _peers(bench, folder, records)
    least = {_LEAST: partial(probe, "limit_noop", folder)}
    stats = {f"{_LEAST}, with stats": partial(probe, "limit_noop", folder, "stats")} if outdated else {}
    rounds = bench.rounds(place, bench.sizes.noop_rounds)
    taken = alternate({**ours, **against, **least, **stats}, rounds, warm=True)
    figures = []
    for name in ours:
        what = f"no-op, {records:,} x 2, {name}"
        is_outdated = name.startswith("outdated")
        mine = cpu(taken[name])
        text = f"{seconds(mine)} ({seconds(wall(taken[name]))} wall)"
        if "ninja" not in against:
            figures.append(Figure(what, place.name, text, "ninja is absent: install ninja-build"))
        for peer in [*against, *(stats if is_outdated else least)]:
            theirs = cpu(taken[peer])
            asked = Goal(2.0, 2.0) if is_outdated else Goal(2.0, 1.0)
            goal = bench.goal(place, asked, enough=peer == "ninja" and records >= 10_000)
            found = ratio(mine, theirs)
            figures.append(Figure(what, place.name, text, f"{peer} {seconds(theirs)}", found, goal=goal))
            text = what = ""
    return figures


def _peers(bench: Bench, folder: Path, records: int) -> dict[str, Callable[[], Usage]]:
    """Give the peers that are there; ninja builds once, so that its log knows the files."""
    write_build_files(folder, records)
    found: dict[str, Callable[[], Usage]] = {}
    ninja, make = peers.program("ninja"), peers.program("make")
    if ninja:
        bench.say("ninja's first build")
        process([ninja, "--quiet"], cwd=folder)
        found["ninja"] = partial(process, [ninja, "--quiet"], cwd=folder)
    if make:
        found["make"] = partial(process, [make, "-s"], cwd=folder)
    return found


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


def _one_changed(bench: Bench, place: Place, records: int) -> list[Figure]:
    folder = bench.done_world(place, records)
    bench.say(f"one input of {records} changed ({place.name})")
    run = partial(process, command("run", "--outdated"), cwd=folder)
    cases = {"no-op": run, "changed": partial(_changed, folder, records, run)}
    ninja = peers.program("ninja")
    with bench.folder(place, partial(make_built, records=records if ninja else 1)) as built:
        if ninja:
            bench.say("ninja's first build")
            build = partial(process, [ninja, "--quiet"], cwd=built)
            build()
            cases |= {"ninja, no-op": build, "ninja, changed": partial(_changed, built, records, build)}
        taken = alternate(cases, bench.rounds(place, bench.sizes.rounds), warm=True)
    ours, noop = cpu(taken["changed"]), cpu(taken["no-op"])
    goal = bench.goal(place, Goal(1.2, 1.2), enough=records >= 10_000)
    what, text = (
        f"one input changed among {records:,}",
        f"{seconds(ours)} ({seconds(wall(taken['changed']))} wall)",
    )
    figures = [Figure(what, place.name, text, f"our no-op {seconds(noop)}", ratio(ours, noop), goal=goal)]
    if ninja:
        theirs, nothing = cpu(taken["ninja, changed"]), cpu(taken["ninja, no-op"])
        found = f"{number(ratio(theirs, nothing).middle)} of its no-op"
        figures.append(Figure("", place.name, "", f"ninja {seconds(theirs)}, {found}", ratio(ours, theirs)))
    return figures


def _changed(folder: Path, records: int, run: Callable[[], Usage]) -> Usage:
    """Change one input, run, and look whether what was made from it is new."""
    result, text = change_input(folder, records)
    usage = run()
    if result.read_text().upper() != text.upper():
        raise MeasuringError(f"{result.name} was not made again")
    return usage
