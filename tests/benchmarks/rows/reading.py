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
table of the same size made from three bare listings. `records.logs()` against
`pandas.read_json(lines=True)` of the same bytes, both with the reading of all files. The aim for logs is
0.25 where pyarrow is installed and 0.8 where it is not."""


def measure(bench: Bench) -> list[Figure]:
    figures = []
    for place in bench.places:
        records = bench.records(place, bench.sizes.records)
        folder = bench.done_world(place, records)
        figures.append(_measure(bench, folder, place, f"`status()`, {records:,} x 2", "status"))
    for place in bench.places:
        some = bench.records(place, bench.sizes.log_records)
        lines = bench.sizes.log_lines
        with bench.folder(place, partial(make_world, records=some)) as folder:
            size = write_logs(folder, some, lines) / 2**20
            what = f"`logs()`, {some:,} x {lines} lines, {size:.0f} MB"
            figures.append(_measure(bench, folder, place, what, "logs"))
    return figures


def _measure(bench: Bench, folder: Path, place: Place, what: str, kind: str) -> Figure:
    bench.say(f"{what} ({place.name})")
    facts = probe("tables", folder, bench.sizes.rounds, kind).facts
    ours, peer = facts["ours"], facts["peer"]
    names = {"status": "listings and DataFrame", "logs": "pandas.read_json"}
    goal = bench.goal(place, Goal(None, 0.25 if _has_pyarrow() else 0.8), enough=kind == "logs")
    text = f"{names[kind]} {seconds(peer)}"
    return Figure(what, place.name, seconds(ours), text, ratio(ours, peer), goal=goal)


def _has_pyarrow() -> bool:
    from importlib.util import find_spec

    return find_spec("pyarrow") is not None
