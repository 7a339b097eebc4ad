"""Row 2: the ids of a workspace, against the names of one folder."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from bench import Bench
from figures import Figure, Goal, ratio, seconds
from machine import Place
from measuring import probe
from worlds import make_flat, make_folders

TITLE = "Listing records"
HOW = """`records.ids()` (matched and sorted) in one process in turns with a bare loop over `os.scandir`
that keeps the names; CPU. *In order*: the files were made in the order of their names, *shuffled*: in
random order. *A folder each*: `raw/{id}/data.csv`, where the peer lists only the parent. A million files
with `--large` or `--million`."""


def measure(bench: Bench) -> list[Figure]:
    figures = []
    for place in bench.places:
        if place is bench.places[0] and not bench.is_smoke:
            small = bench.sizes.small
            make = partial(make_flat, files=small, shuffled=False)
            goal = bench.goal(place, Goal(None, 1.7), enough=small >= 10_000)
            figures.append(_measure(bench, place, f"`ids()`, {small:,} files, in order", make, goal))
        flat = bench.sizes.flat
        goal = bench.goal(place, Goal(2.5, 2.0), enough=flat >= 10_000)
        for shuffled in (False, True) if place is bench.places[0] and not bench.is_smoke else (True,):
            what = f"`ids()`, {flat:,} files, {'shuffled' if shuffled else 'in order'}"
            make = partial(make_flat, files=flat, shuffled=shuffled)
            figures.append(_measure(bench, place, what, make, goal))
        folders = bench.sizes.folders
        what = f"`ids()`, {folders:,} records, a folder each"
        figures.append(
            _measure(
                bench, place, what, partial(make_folders, records=folders), bench.goal(place, Goal(10, 10))
            )
        )
        if bench.million or (bench.large and place is bench.places[0]):
            make = partial(make_flat, files=1_000_000, shuffled=True)
            goal = bench.goal(place, Goal(None, 2.3))
            figures.append(_measure(bench, place, "`ids()`, 1,000,000 files, shuffled", make, goal))
    return figures


def _measure(bench: Bench, place: Place, what: str, make: Callable[[Path], Path], goal: Goal) -> Figure:
    bench.say(f"{what} ({place.name})")
    with bench.folder(place, make) as folder:
        facts = probe("ours_ids", folder, bench.sizes.rounds).facts
    ours, peer = facts["ours"], facts["peer"]
    return Figure(what, place.name, seconds(ours), f"scandir {seconds(peer)}", ratio(ours, peer), goal=goal)
