"""Rows of pipelines: many tiny stages in one, one for each of many records, one line of a log, calls in processes."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from bench import Bench
from figures import Figure, Goal, Spread, number, ratio
from machine import Place
from measuring import alternate, fact, probe
from worlds import make_stage_world

TITLE = "Pipelines"
HOW = """*Tiny stages* add one to a number; CPU of the process, and the clock beside it, divided by their number. *In a
chain* each needs the one before, *side by side* none needs another, *a map* is one stage that is called once for each
element. A log is written, with two lines for each stage (for a map: two in all). Peers do the same additions, in turns
in the same process: plain calls, with nothing and with two JSON lines each through `logging`; eight threads of
`concurrent.futures`; `dask.delayed` with its scheduler for threads. None of them but the plain calls with lines writes
anything. Pipelines and graphs are made before the clock starts.

*As a step*: a pipeline of three stages (read a file, change its text, write it) for each record, through two processes
that start within the time, against one script that calls the same three functions. *One log call*:
`sinagot.pipeline.logging.info` with two keywords inside of a stage, into a file, against `logging` with a FileHandler
and a JSON formatter that writes as many facts; neither shows lines on the terminal.

*In another process*: stages of a chain, one after the other, by `using(mode="processes")` and by a `timeout`; each takes
its arguments there and its result back. By the clock, the middle of all calls but the first, which starts the process and stands
beside them, against calls of a pool of one process."""

_SHAPES = {"chain": "in a chain", "side": "side by side", "map": "in a map"}


def measure(bench: Bench) -> list[Figure]:
    place = bench.places[0]
    return [*_inside(bench, place), *_records(bench, place), *_log(bench, place), *_remote(bench, place)]


def _folder(path: Path) -> Path:
    path.mkdir(parents=True)
    return path


def _inside(bench: Bench, place: Place) -> list[Figure]:
    count = bench.sizes.stages
    bench.say(f"{count} tiny stages in one process")
    with bench.folder(place, _folder) as folder:
        taken = probe("stages_inside", folder, count, bench.sizes.rounds).facts["taken"]
    figures = []
    for shape, words in _SHAPES.items():
        mine = _each(taken[shape]["cpu"], count)
        clock = Spread.of(_each(taken[shape]["wall"], count))
        peers = [name for name in taken if name.startswith(f"{shape if shape != 'map' else 'side'}, ")]
        figures.append(
            Figure(
                f"a stage, {count:,} {words}",
                place.name,
                f"{number(clock.middle)} ms by the clock",
                "",
                Spread.of(mine),
                " ms",
                bench.goal(place, Goal(0.3), enough=count >= 1000),
            )
        )
        for peer in peers:
            theirs = _each(taken[peer]["cpu"], count)
            text = f"{peer.partition(', ')[2]} {number(Spread.of(theirs).middle)} ms"
            figures.append(Figure("", place.name, "", text, ratio(mine, theirs)))
    return figures


def _each(values: Sequence[float], count: int) -> list[float]:
    return [1000 * value / count for value in values]


def _records(bench: Bench, place: Place) -> list[Figure]:
    records = bench.records(place, bench.sizes.records)
    bench.say(f"{records} records x 3 stages through two processes")
    with (
        bench.folder(place, partial(make_stage_world, records=records, as_pipeline=True)) as ours,
        bench.folder(place, partial(make_stage_world, records=records, as_pipeline=False)) as script,
    ):
        cases = {
            "ours": partial(bench.fresh, ours, "stages_run"),
            "script": partial(bench.fresh, script, "stages_run"),
        }
        taken = alternate(cases, bench.sizes.heavy_rounds)
    stages = 3 * records
    wall = {name: fact(some, "wall") for name, some in taken.items()}
    cost = {name: [1000 * value / stages for value in fact(some, "all_cpu")] for name, some in taken.items()}
    speed = Spread.of(stages / value for value in wall["ours"])
    plain = Spread.of(stages / value for value in wall["script"])
    return [
        Figure(
            f"as a step, {records:,} records x 3 stages",
            place.name,
            f"{number(speed.middle)} stages/s",
            f"one script {number(plain.middle)} calls/s",
            speed,
            "/s",
            bench.goal(place, Goal(2000, None, at_least=True), enough=records >= 10_000),
        ),
        Figure("the same as a multiple", place.name, "", "one script", ratio(wall["ours"], wall["script"])),
        Figure(
            "CPU a stage, all processes",
            place.name,
            "",
            f"one script {number(Spread.of(cost['script']).middle)} ms a call",
            Spread.of(cost["ours"]),
            " ms",
        ),
    ]


def _log(bench: Bench, place: Place) -> list[Figure]:
    count = bench.sizes.log_calls
    bench.say(f"{count} calls of the log")
    with bench.folder(place, _folder) as folder:
        taken = probe("log_calls", folder, count, bench.sizes.rounds).facts["taken"]
    mine = [1e6 * one["cpu"] for one in taken["ours"]]
    theirs = [1e6 * one["cpu"] for one in taken["logging"]]
    clock = Spread.of(1e6 * one["wall"] for one in taken["ours"])
    goal = bench.goal(place, Goal(60.0), enough=count >= 1000)
    return [
        Figure(
            "one log call",
            place.name,
            f"{number(clock.middle)} us by the clock",
            "",
            Spread.of(mine),
            " us",
            goal,
        ),
        Figure("", place.name, "", f"logging {number(Spread.of(theirs).middle)} us", ratio(mine, theirs)),
    ]


def _remote(bench: Bench, place: Place) -> list[Figure]:
    count = bench.sizes.remote_calls
    bench.say(f"{count} stages in another process")
    taken = probe("stages_remote", count, bench.sizes.rounds).facts["taken"]
    theirs = _thousandths(taken["pool"]["call"])
    peer = f"a pool {number(Spread.of(theirs).middle)} ms"
    figures = []
    for name, what in (("processes", "a stage in another process"), ("timeout", "a stage with a timeout")):
        mine = _thousandths(taken[name]["call"])
        first = Spread.of(_thousandths(taken[name]["first"]))
        text = f"the first one {number(first.middle)} ms"
        figures.append(Figure(what, place.name, text, "", Spread.of(mine), " ms"))
        figures.append(Figure("", place.name, "", peer, ratio(mine, theirs)))
    return figures


def _thousandths(values: Sequence[float]) -> list[float]:
    return [1000 * value for value in values]
