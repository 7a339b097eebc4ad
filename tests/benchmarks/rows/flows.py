"""Rows of flows: values and arrays through three processors, and how soon a reader has a value."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median, quantiles
from typing import Any

from bench import Bench
from figures import Figure, Goal, Spread, number, ratio
from machine import Place
from measuring import MeasuringError, probe

TITLE = "Flows"
HOW = """*Through three processors*: async generators, each of which hands on what it reads; the caller reads the last
one and checks each value. Streams are files as by default, each reader has values of its own, and any reader could
come late and see all. Values a second by the clock, processors and reader in one loop. The peer is what `anyio` has:
three memory object streams of 64 values with the same stages as tasks, in turns in the same process; there a value
goes to one reader, arrays are handed on without a copy, and what was read is gone. Arrays have 1 MB (float64).

*From yield to reader*: one value every 2 ms, a time stamp, read in the same loop; the middle one, and the one in a
hundred that took longest.

*Redis*: the same flows with their streams in a server of our own on the loopback, which keeps nothing on a disk; a tenth of the
values. Left out where there is no program `redis-server`."""

_LOOPS = ("asyncio", "trio")


def measure(bench: Bench) -> list[Figure]:
    place, sizes = bench.places[0], bench.sizes
    bench.say(f"{sizes.values} values and {sizes.arrays} arrays through three processors")
    with bench.folder(place, _folder) as folder, _redis(folder) as address:
        (folder / "streams").mkdir()
        facts = probe(
            "flows_inside",
            folder / "streams",
            sizes.values,
            sizes.arrays,
            sizes.waits,
            sizes.heavy_rounds,
            *([address] if address else []),
        ).facts
    figures = [*_through(bench, place, facts), *_delays(place, facts)]
    if facts["left_out"]:
        figures.append(Figure("through Redis", place.name, "", f"left out: {facts['left_out']}"))
    return figures


def _folder(path: Path) -> Path:
    path.mkdir(parents=True)
    return path


@contextmanager
def _redis(folder: Path) -> Iterator[str]:
    """Run a server that nobody else knows; nothing where there is no such program."""
    program = shutil.which("redis-server")
    if program is None:
        yield ""
        return
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    arguments = [f"--port {port}", "--bind 127.0.0.1", '--save ""', "--appendonly no", f"--dir {folder}"]
    words = [word.strip('"') for argument in arguments for word in argument.split(" ", 1)]
    with subprocess.Popen([program, *words], stdout=subprocess.DEVNULL) as server:
        try:
            _await(port, server)
            yield f"redis://127.0.0.1:{port}/0"
        finally:
            server.terminate()


def _await(port: int, server: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + 30
    while time.monotonic() < end and server.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.02)
        else:
            return
    raise MeasuringError("redis-server does not answer")


def _through(bench: Bench, place: Place, facts: dict[str, Any]) -> list[Figure]:
    taken, sizes = facts["taken"], bench.sizes
    figures = []
    for kind, what, limit in (
        ("values", f"{sizes.values:,} integers", Goal(5000, 8000, at_least=True)),
        ("arrays", f"{sizes.arrays:,} arrays", Goal()),
    ):
        for loop in _LOOPS:
            mine = taken[f"{kind}, {loop}, spool"]["wall"]
            theirs = taken[f"{kind}, {loop}, memory"]["wall"]
            cost = Spread.of(1e6 * value for value in taken[f"{kind}, {loop}, spool"]["cpu"])
            figures += [
                Figure(
                    f"{what} through three processors, {loop}",
                    place.name,
                    f"{number(cost.middle)} us of CPU each",
                    "",
                    _speed(mine),
                    "/s",
                    bench.goal(place, limit, enough=sizes.values >= 10_000),
                ),
                Figure(
                    "", place.name, "", f"in memory {number(_speed(theirs).middle)}/s", ratio(mine, theirs)
                ),
            ]
            far = taken.get(f"{kind}, {loop}, redis")
            if far is not None:
                text = f"through Redis {number(_speed(far['wall']).middle)}/s"
                figures.append(Figure("", place.name, "", text, ratio(mine, far["wall"])))
    return figures


def _speed(each: list[float]) -> Spread:
    return Spread.of(1 / value for value in each)


def _delays(place: Place, facts: dict[str, Any]) -> list[Figure]:
    figures = []
    for loop in _LOOPS:
        said = []
        for way, words in (("memory", "in memory"), ("redis", "through Redis")):
            found = facts["delays"].get(f"{loop}, {way}")
            if found is not None:
                said.append(f"{words} {number(_middle(found))}, {number(_long(found))} us")
        mine = facts["delays"][f"{loop}, spool"]
        figures.append(
            Figure(
                f"from yield to reader, {loop}",
                place.name,
                f"one in a hundred {number(_long(mine))} us",
                "; ".join(said),
                Spread(_middle(mine), _middle(mine), _middle(mine)),
                " us",
            )
        )
    return figures


def _middle(delays: list[float]) -> float:
    return 1e6 * median(delays)


def _long(delays: list[float]) -> float:
    return 1e6 * (quantiles(delays, n=100)[-1] if len(delays) > 1 else delays[0])
