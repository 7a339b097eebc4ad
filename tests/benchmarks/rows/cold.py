"""Row 4: a first run in the main process, tiny steps, against the bare calls and the same promises by hand."""

from __future__ import annotations

from functools import partial

from bench import Bench
from figures import Figure, Goal, Spread, ratio, seconds
from machine import Place
from measuring import alternate, cpu, wall
from worlds import make_world

TITLE = "A first run here"
HOW = """Two steps a record, each reads one small file and writes one; `log.level = "WARNING"`, so nothing
is printed. The overhead of a step is CPU of the whole process less that of a process which makes the same
calls bare, divided by the number of steps: imports, planning, logs, claims and atomic outputs are in it.
*By hand*: a loop of the benchmark that makes the same promises for each step (claim by hard link, stage
folder, replace, three JSON lines through concurrent-log-handler kept open, one event line) and nothing
else: no plan, no fingerprints, no capture of prints, no measuring of memory."""


def measure(bench: Bench) -> list[Figure]:
    figures = []
    for place in bench.places:
        figures += _measure(bench, place)
    return figures


def _measure(bench: Bench, place: Place) -> list[Figure]:
    records = bench.records(place, bench.sizes.cold_records)
    steps = 2 * records
    bench.say(f"cold run of {records} records ({place.name})")
    with bench.folder(place, partial(make_world, records=records)) as folder:
        cases = {
            "ours": partial(bench.fresh, folder, "ours_run", "main_process"),
            "bare": partial(bench.fresh, folder, "bare"),
            "by hand": partial(bench.fresh, folder, "by_hand"),
        }
        taken = alternate(cases, bench.rounds(place, bench.sizes.rounds))
    ours, bare, by_hand = cpu(taken["ours"]), cpu(taken["bare"]), cpu(taken["by hand"])
    over = Spread.of(1000 * (mine - least) / steps for mine, least in zip(ours, bare, strict=True))
    slower = Spread.of(
        1000 * (mine - least) / steps
        for mine, least in zip(wall(taken["ours"]), wall(taken["bare"]), strict=True)
    )
    what = f"overhead a step, {records:,} x 2 steps"

    def each(values: list[float]) -> str:
        return f"{seconds([value / steps for value in values])} a step"

    # In a short run the imports are a good part of each step.
    goal = bench.goal(place, Goal(0.5, 0.25), enough=records >= 1000)
    return [
        Figure(what, place.name, each(ours), f"bare call {each(bare)}", over, " ms", goal),
        Figure("the same by the clock", place.name, "", "", slower, " ms"),
        Figure("as a multiple of the bare call", place.name, "", f"bare {each(bare)}", ratio(ours, bare)),
        Figure("against the same by hand", place.name, "", f"by hand {each(by_hand)}", ratio(ours, by_hand)),
    ]
