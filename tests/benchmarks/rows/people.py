"""What people wait for: the status, a word completed by the tab key, a page, a report."""

from __future__ import annotations

import subprocess
import sys
from functools import partial
from pathlib import Path
from statistics import median

from bench import Bench
from figures import Figure, Goal, Spread, number, ratio, seconds
from machine import Place
from measuring import ENVIRONMENT, MeasuringError, Usage, alternate, command, cpu, probe, process, wall
from serving import Server, missing_browser, scroll, serving
from worlds import make_built, make_world

TITLE = "For people"
HOW = """Finished work of two steps a record, in memory. `sinagot --help` stands in the first table. *Status*: CPU of the
whole process in units of `python -c pass` of the same round, and by the clock; the output goes to a file, so that
without `--totals` every record has its line. *A record id completed*: by the clock, what the tab key waits for: the
program that bash starts, with a word that all ids begin with, of which it gives 500. *Report*: `sinagot report html
all`, by the clock, and the size of the page.

*Dashboard*: `sinagot serve` as a process of its own, asked over one connection by a program, by the clock to the last
byte. *First page, cold*: the first answer of a server that has just printed its link, each round another server;
*again*: the same page once more. *A window*: 100 rows of the grid as JSON, at places all over the records. *Memory*:
resident size after all this. *Scrolling*: in Chromium without a screen, two rows each frame; the figure is the longest
time between two frames, 16.7 ms where none is late. *A jump*: from moving the scroll bar to a distant place until its
rows are there. The browser, the server and what measures share the cores. A hundred thousand records with `--large`
only.

*A look of `watch`*: `watch(once=True)` in one process over outputs that are all there, in CPU, in turns with bare
listings of the three folders."""

_NONE = Goal()
#: Milliseconds.
_PAGE = Goal(300)
_COMPLETION = Goal(150)
#: Of the report; megabytes.
_REPORT = Goal(5)
#: What is asked is asked of so many records or more.
_ENOUGH = 10_000
_WINDOWS = 20


def measure(bench: Bench) -> list[Figure]:
    place, sizes = bench.places[0], bench.sizes
    worlds = {records: bench.done_world(place, records) for records in (sizes.peer_records, sizes.records)}
    figures = _watch(bench, place, sizes.watched)
    for records, folder in worlds.items():
        figures += _commands(bench, place, folder, records)
    if not bench.large:
        return figures + _dashboard(bench, place, worlds[sizes.records], sizes.records)
    # A world of its own, which does not lie beside that of the row of a hundred thousand.
    with bench.folder(place, partial(make_world, records=sizes.large)) as folder:
        bench.say(f"running {sizes.large} records once ({place.name})")
        probe("ours_run", folder, "processes")
        figures += _commands(bench, place, folder, sizes.large)
        return figures + _dashboard(bench, place, folder, sizes.large)


def _commands(bench: Bench, place: Place, folder: Path, records: int) -> list[Figure]:
    bench.say(f"status, completion and report of {records} records")
    _check_completion(folder)
    report = folder.with_name(f"{folder.name}.html")
    cases = {
        "pass": partial(process, [sys.executable, "-c", "pass"]),
        "status": partial(process, command("status"), cwd=folder),
        "status --totals": partial(process, command("status", "--totals"), cwd=folder),
        "completion": partial(process, command(), cwd=folder, more=_ASKED),
    }
    rounds = bench.sizes.rounds if records <= _ENOUGH else bench.sizes.heavy_rounds
    taken = alternate(cases, rounds, warm=True)
    unit = cpu(taken["pass"])
    figures = []
    for name in ("status", "status --totals"):
        mine = cpu(taken[name])
        what, text = (
            f"`sinagot {name}`, {records:,} x 2",
            f"{seconds(mine)} ({seconds(wall(taken[name]))} wall)",
        )
        figures.append(Figure(what, place.name, text, f"`python -c pass` {seconds(unit)}", ratio(mine, unit)))
    waited = wall(taken["completion"])
    goal = bench.goal(place, _COMPLETION, enough=records >= _ENOUGH)
    against = f"`python -c pass` {seconds(wall(taken['pass']), 'wall')}"
    figures.append(_clock(f"a record id completed, of {records:,}", place, waited, goal, against))
    return figures + _report(bench, place, folder, records, report)


def _clock(what: str, place: Place, taken: list[float], goal: Goal = _NONE, against: str = "") -> Figure:
    value = Spread.of(1000 * one for one in taken)
    return Figure(what, place.name, seconds(taken), against, value, " ms", goal)


#: What bash asks when the tab key is pressed here; all ids begin so.
_ASKED = {
    "_SINAGOT_COMPLETE": "bash_complete",
    "COMP_WORDS": "sinagot status --record REC-",
    "COMP_CWORD": "3",
}


def _check_completion(folder: Path) -> None:
    """What completes nothing is quick, and no figure."""
    said = subprocess.run(
        command(), cwd=folder, env=ENVIRONMENT | _ASKED, capture_output=True, text=True, check=False
    ).stdout
    if "REC-0000001" not in said:
        raise MeasuringError(f"no record was completed: {said[:100]!r}")


def _report(bench: Bench, place: Place, folder: Path, records: int, target: Path) -> list[Figure]:
    case = partial(process, command("report", "html", "all", "-o", str(target)), cwd=folder)
    # One round: nobody waits for it twice, and a page of a hundred thousand records takes long.
    taken: list[Usage] = alternate({"ours": case}, 1)["ours"]
    size = target.stat().st_size
    target.unlink()
    goal = bench.goal(place, _REPORT, enough=records == _ENOUGH)
    text = f"{seconds(wall(taken))} wall, {seconds(cpu(taken))} CPU"
    against = f"{size / records:,.0f} bytes a record"
    what = f"`sinagot report html all`, {records:,} x 2"
    return [Figure(what, place.name, text, against, Spread.of([size / 1e6]), " MB", goal)]


def _watch(bench: Bench, place: Place, records: int) -> list[Figure]:
    bench.say(f"a look of watch at {records} records")
    with bench.folder(place, partial(make_built, records=records)) as folder:
        facts = probe("watch_look", folder, bench.sizes.heavy_rounds).facts
    ours, theirs = facts["ours"], facts["peer"]
    what, against = f"a look of `watch`, {records:,} x 2", f"bare listings {seconds(theirs)}"
    return [Figure(what, place.name, seconds(ours), against, ratio(ours, theirs))]


def _dashboard(bench: Bench, place: Place, folder: Path, records: int) -> list[Figure]:
    bench.say(f"dashboard of {records} records")
    starts, cold, again, memory = [], [], [], []
    windows: list[float] = []
    figures = []
    rounds = bench.sizes.heavy_rounds
    for turn in range(rounds):
        with serving(folder) as server:
            starts.append(server.started)
            first = server.get("/")
            if (
                str(f"{2 * records:,}") not in first.body.decode()
                and str(2 * records) not in first.body.decode()
            ):
                raise MeasuringError("the first page does not tell how many jobs there are")
            cold.append(first.wall)
            again.append(median(server.get("/").wall for _ in range(5)))
            windows += _windows(server, records)
            memory.append(server.memory())
            if turn == rounds - 1:
                figures = _scrolling(bench, place, server, records)
    goal = bench.goal(place, _PAGE, enough=records >= _ENOUGH)
    highest = f"highest {seconds([max(windows)])} of {len(windows)}"
    return [
        _clock(f"`sinagot serve` to its link, {records:,} x 2", place, starts),
        _clock(f"first page, cold, {records:,} x 2", place, cold, goal),
        _clock("first page, again", place, again, goal),
        _clock("a window of the grid, 100 rows", place, windows, against=highest),
        Figure("memory of the server", place.name, "", "", Spread.of(memory), " MB"),
        *figures,
    ]


def _windows(server: Server, records: int) -> list[float]:
    taken = []
    for turn in range(_WINDOWS):
        offset = records * turn // _WINDOWS
        answer = server.get(f"/api/v1/grid?offset={offset}&limit=100")
        if f"REC-{offset:07d}".encode() not in answer.body:
            raise MeasuringError(f"a window of the grid lacks its record {offset}")
        taken.append(answer.wall)
    return taken


def _scrolling(bench: Bench, place: Place, server: Server, records: int) -> list[Figure]:
    what = f"scrolling {records:,} rows in Chromium, longest frame"
    if absent := missing_browser():
        return [Figure(what, place.name, f"left out: {absent}", "")]
    bench.say("scrolling in Chromium")
    frames, jumps = (20, 2) if bench.is_smoke else (300, 10)
    rounds = scroll(server, bench.sizes.heavy_rounds, frames, jumps)
    gaps = [gap for one in rounds for gap in one.gaps]
    late = sum(gap > 34 for gap in gaps)
    ours = f"middle frame {number(median(gaps))} ms"
    against = f"{late:,} of {len(gaps):,} frames later than 34 ms"
    longest = Spread.of(max(one.gaps) for one in rounds)
    waits = [median(one.waits) / 1000 for one in rounds]
    return [
        Figure(what, place.name, ours, against, longest, " ms"),
        _clock("a jump in it, until its rows are there", place, waits),
    ]
