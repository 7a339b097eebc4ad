"""Row 7: tables of status and logs, against pandas."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from bench import Bench
from figures import Figure, Goal, ratio, seconds
from machine import Place
from measuring import probe
from worlds import make_world, write_logs

TITLE = "Tables"
HOW = """In one process, in turns, CPU, pandas imported before. `steps.status()` of finished work against a
table of the same size made from three bare listings; `steps.plan()` (without its table) against three
listings and two comparisons of names, and with `rerun="outdated"` against one stat of each path.
`records.logs()` against `pandas.read_json(lines=True)` of the same bytes at once, both with the reading of
all files, and against one `read_json` for each file and a `concat`, as people write it: how many times faster
ours is. The aim against all at once is 0.25 where pyarrow is installed and 0.8 where it is not."""

_NAMES = {
    "status": "listings and DataFrame",
    "plan": "listings and sets",
    "outdated plan": "a stat of each path",
    "logs": "pandas.read_json",
    "each": "read_json file by file",
}


_CALLS = {"status": "`status()`", "plan": "`plan()`", "outdated plan": '`plan(rerun="outdated")`'}


def measure(bench: Bench) -> list[Figure]:
    figures = []
    for place in bench.places:
        records = bench.records(place, bench.sizes.records)
        calls = _CALLS if place is bench.places[0] else {"status": "`status()`"}
        titles = {kind: f"{call}, {records:,} x 2" for kind, call in calls.items()}
        figures += _measure(bench, bench.done_world(place, records), place, titles, bench.sizes.rounds)
    for place in bench.places:
        figures += _logs(bench, place, bench.records(place, bench.sizes.log_records))
    place, many = bench.places[0], bench.sizes.many_logs
    if many > bench.sizes.log_records:
        figures += _of_logs(bench, place, many, {"logs": ""}, rounds=1)
    return figures


def _logs(bench: Bench, place: Place, records: int) -> list[Figure]:
    titles, rounds = {"logs": ""}, bench.sizes.rounds
    if place is bench.places[0]:
        titles["each"] = f"times faster than file by file, {records:,} files"
        rounds = bench.sizes.heavy_rounds
    return _of_logs(bench, place, records, titles, rounds)


def _of_logs(bench: Bench, place: Place, records: int, titles: dict[str, str], rounds: int) -> list[Figure]:
    lines = bench.sizes.log_lines
    with bench.folder(place, partial(make_world, records=records)) as folder:
        size = write_logs(folder, records, lines) / 2**20
        what = f"`logs()`, {records:,} x {lines} lines, {size:,.0f} MB"
        return _measure(bench, folder, place, titles | {"logs": what}, rounds)


def _measure(bench: Bench, folder: Path, place: Place, titles: dict[str, str], rounds: int) -> list[Figure]:
    """Measure some kinds of looks in one process."""
    bench.say(f"{', '.join(titles.values())} ({place.name})")
    facts = probe("tables", folder, rounds, ",".join(titles)).facts
    figures = []
    for kind, what in titles.items():
        ours, peer = facts[kind]["ours"], facts[kind]["peer"]
        goal = bench.goal(place, Goal(None, 0.25 if _has_pyarrow() else 0.8), enough=kind == "logs")
        value = ratio(ours, peer)
        if kind == "each":
            enough = bench.sizes.log_records >= 2_000
            goal, value = bench.goal(place, Goal(5, 5, at_least=True), enough=enough), ratio(peer, ours)
        against = f"{_NAMES[kind]} {seconds(peer)}"
        figures.append(Figure(what, place.name, seconds(ours), against, value, goal=goal))
    return figures


def _has_pyarrow() -> bool:
    from importlib.util import find_spec

    return find_spec("pyarrow") is not None
