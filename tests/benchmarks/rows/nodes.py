"""Rows of code-first workspaces: a batch of tiny nodes, the same again, one stored attribute."""

from __future__ import annotations

from functools import partial

from bench import Bench
from figures import Figure, Goal, Spread, number, ratio
from measuring import alternate, fact
from worlds import make_world

TITLE = "Workflows as classes"
HOW = """The two tiny steps of the rows above as functions of a workflow class, both stored. *A batch*: `compute` on two
processes, which start within the time. *Again*: `compute` over finished work, in CPU, against a listing of the three
folders in the same process, and against one stat of each file, without which an edited file would not be noticed; what
the results came from is in its cache. *One attribute*: CPU of reading one that is
stored and fresh, beside reading its file: it looks whether the attribute, and what it is made from, would be made
otherwise now."""


def measure(bench: Bench) -> list[Figure]:
    place = bench.places[0]
    records = bench.records(place, bench.sizes.records)
    bench.say(f"{records} workflows on two workers ({place.name})")
    with bench.folder(place, partial(make_world, records=records)) as folder:
        taken = alternate({"ours": partial(bench.fresh, folder, "nodes_run")}, bench.sizes.heavy_rounds)[
            "ours"
        ]
    nodes, wall = fact(taken, "nodes"), fact(taken, "wall")
    speed = Spread.of(count / seconds for count, seconds in zip(nodes, wall, strict=True))
    cost = Spread.of(1000 * value / count for value, count in zip(fact(taken, "all_cpu"), nodes, strict=True))
    over = Spread.of(
        1000 * (mine - bare) for mine, bare in zip(fact(taken, "read"), fact(taken, "bare"), strict=True)
    )
    enough = records >= 10_000
    return [
        Figure(
            f"a batch, {records:,} x 2 tiny nodes",
            place.name,
            f"{number(speed.middle)} nodes/s",
            "",
            speed,
            "/s",
            bench.goal(place, Goal(1500, None, at_least=True), enough=enough),
        ),
        Figure("CPU a node, all processes", place.name, "", "", cost, " ms"),
        Figure("memory of the caller", place.name, "", "", Spread.of(fact(taken, "peak")), " MB"),
        Figure(
            f"again, {records:,} x 2",
            place.name,
            f"{1000 * Spread.of(fact(taken, 'again')).middle:.1f} ms",
            f"bare listing {1000 * Spread.of(fact(taken, 'listing')).middle:.1f} ms",
            ratio(fact(taken, "again"), fact(taken, "listing")),
            goal=bench.goal(place, Goal(4.0), enough=enough),
        ),
        Figure(
            "",
            place.name,
            "",
            f"a stat of each file {1000 * Spread.of(fact(taken, 'looks')).middle:.1f} ms",
            ratio(fact(taken, "again"), fact(taken, "looks")),
        ),
        Figure(
            "one stored attribute, beyond its file",
            place.name,
            f"{1000 * Spread.of(fact(taken, 'read')).middle:.2f} ms",
            f"the file {1000 * Spread.of(fact(taken, 'bare')).middle:.3f} ms",
            over,
            " ms",
            bench.goal(place, Goal(0.3)),
        ),
    ]
