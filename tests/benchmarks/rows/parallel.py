"""Rows 5 and 6: many tiny steps, and CPU-bound steps, on two workers: processes and Dask."""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from bench import Bench
from figures import Figure, Goal, Spread, number, ratio
from machine import Place
from measuring import alternate, fact
from probes import bodies
from worlds import make_world

TITLE = "Two workers"
HOW = """*Tiny steps*: the two steps of the row above on two workers. The Dask cluster (two workers, a
thread each, in processes of its own) is up and its client handed in; our own children, of `processes` and
of the Dask workers, start within the measured time. No cluster is up beside the other cases: an idle one
takes a tenth of a core. CPU is that of all processes, cluster and scheduler included. The peers do the bare
work without any promise: Dask with one task per step (fewer records, scaled), and `concurrent.futures`
with two processes and batches of 100 steps. Memory is the largest resident size of the driver.

*CPU-bound*: steps of 20 ms that only burn time, by the clock, against two bare forks that share the same
calls. Opening the workspace and starting the worker processes (together 0.4 s) is within the time. In
memory only: the files are tiny."""


def measure(bench: Bench) -> list[Figure]:
    figures = []
    for place in bench.places:
        figures += _tiny(bench, place)
    if bench.sizes.records >= 1000:
        figures += _memory(bench, bench.places[0])
    return figures + _burning(bench, bench.places[0])


def _tiny(bench: Bench, place: Place) -> list[Figure]:
    records = bench.records(place, bench.sizes.records)
    few = bench.sizes.slow_records
    bench.say(f"{records} records on two workers ({place.name})")
    with bench.folder(place, partial(make_world, records=records)) as folder:
        cases = {
            "processes": partial(bench.fresh, folder, "ours_run", "processes"),
            "Dask": partial(bench.on_cluster, folder, "ours_run", "dask"),
            "one task per step": partial(bench.on_cluster, folder, "dask_tasks", str(few)),
            "batches": partial(bench.fresh, folder, "pool_batches"),
        }
        taken = alternate(cases, bench.rounds(place, bench.sizes.heavy_rounds))
    steps = {name: 2 * (few if name == "one task per step" else records) for name in cases}
    speed = {name: [steps[name] / value for value in fact(some, "wall")] for name, some in taken.items()}
    cost = {
        name: [1000 * value / steps[name] for value in fact(some, "all_cpu")] for name, some in taken.items()
    }
    figures = []
    cheap = bench.goal(place, Goal(None, 0.3))
    for name, limit in (("processes", None), ("Dask", 2000 if records >= 10_000 else None)):
        what = f"{name}, {records:,} x 2 tiny steps"
        shown = Spread.of(speed[name])
        goal = bench.goal(place, Goal(limit, None, at_least=True))
        figures += [
            Figure(what, place.name, f"{number(shown.middle)} steps/s", "", shown, "/s", goal),
            Figure("CPU a step, all processes", place.name, "", "", Spread.of(cost[name]), " ms", cheap),
        ]
        for peer, title in (
            ("one task per step", "Dask, one task per step"),
            ("batches", "futures, batches"),
        ):
            text = f"{title}: {number(Spread.of(speed[peer]).middle)} steps/s"
            figures.append(Figure("steps/s against", place.name, "", text, ratio(speed[name], speed[peer])))
    return figures


def _memory(bench: Bench, place: Place) -> list[Figure]:
    """Compare the driver's memory with a tenth of the records."""
    many = bench.sizes.records
    few = max(1, many // 10)
    peaks: dict[tuple[str, int], float] = {}
    for records in (few, many):
        with bench.folder(place, partial(make_world, records=records)) as folder:
            bench.say(f"memory of the driver, {records} records")
            peaks["processes", records] = bench.fresh(folder, "ours_run", "processes").facts["peak"]
            peaks["Dask", records] = bench.on_cluster(folder, "ours_run", "dask").facts["peak"]
    return [
        memory_figure(place, name, (few, peaks[name, few]), (many, peaks[name, many]))
        for name in ("processes", "Dask")
    ]


def memory_figure(place: Place, name: str, few: tuple[int, float], many: tuple[int, float]) -> Figure:
    """Compare the driver's memory of two runs: what is allowed is a tenth and 150 bytes a record."""
    (records, small), (all_records, large) = few, many
    grown = (large - small) * 2**20 / (all_records - records)
    texts = (
        f"{large:.1f} MB at {all_records:,} records",
        f"{small:.1f} MB at {records:,}: {grown:,.0f} B a record",
    )
    allowed = small * 1.1 + 150 * (all_records - records) / 2**20
    goal = Goal(round(allowed / small, 2))
    return Figure(f"memory of the driver, {name}", place.name, *texts, Spread.of([large / small]), goal=goal)


def _burning(bench: Bench, place: Place) -> list[Figure]:
    steps = bench.sizes.burning
    bench.say(f"{steps} steps of 20 ms on two workers")
    loops = _calibrate(place.folder)
    with bench.folder(place, partial(make_world, records=steps, raw=str(loops), burning=True)) as folder:
        cases = {
            "processes": partial(bench.fresh, folder, "ours_run", "processes"),
            "two forks": partial(bench.fresh, folder, "forks"),
        }
        if not bench.is_smoke:
            cases["Dask"] = partial(bench.on_cluster, folder, "ours_run", "dask")
        taken = alternate(cases, bench.sizes.heavy_rounds)
    least = fact(taken["two forks"], "wall")
    return [
        Figure(
            f"{name}, {steps:,} steps of 20 ms CPU",
            place.name,
            f"{_middle(fact(taken[name], 'wall')):.2f} s",
            f"two forks {_middle(least):.2f} s",
            ratio(fact(taken[name], "wall"), least),
            goal=bench.goal(place, Goal(1.08, 1.05), enough=steps >= 1000),
        )
        for name in ("processes", "Dask")
        if name in taken
    ]


def _middle(values: Sequence[float]) -> float:
    return Spread.of(values).middle


def _calibrate(folder: Path) -> int:
    """Find how many turns take 20 ms of CPU on this machine."""
    source, target = folder / "loops", folder / "burnt"
    source.write_text("1000000")
    speeds = []
    for _ in range(5):
        start = time.process_time()
        bodies.burn(source, target)
        speeds.append(1_000_000 / (time.process_time() - start))
    return int(0.02 * _middle(speeds))
