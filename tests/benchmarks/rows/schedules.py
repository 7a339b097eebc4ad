"""Rows of schedules: the next tick, a service that waits, and how often programs may ask."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
import time
from functools import partial
from pathlib import Path

from bench import Bench
from figures import Figure, Goal, Spread, number, ratio
from machine import Place
from measuring import ENVIRONMENT, MeasuringError, command, probe
from serving import PATIENCE, serving
from worlds import make_world

TITLE = "Schedules"
HOW = """*Next tick*: CPU of `On(...).generate(start).next`, Europe/Paris, in turns with bare cronsim in the same process, over a
row of ticks that crosses changes of the clocks.

*A service that waits*: `sinagot schedule run` as a process of its own, with schedules whose next tick is months away,
after it has taken them all up; the share of one core that it uses then, looks at its files and signs of life included.

*Status by REST*: `GET /api/v1/status` of `sinagot serve`, asked again and again over one connection by a program; the
answers of a second. The server and what asks share the cores."""

_SHARE = Goal(1.0)
_ENOUGH = 1_000


def measure(bench: Bench) -> list[Figure]:
    place, sizes = bench.places[0], bench.sizes
    figures = _ticks(bench, place)
    with bench.folder(place, partial(_make_schedules, count=sizes.schedules)) as folder:
        figures += _waiting(bench, place, folder)
    with bench.folder(place, partial(make_world, records=sizes.large)) as folder:
        figures += _asked(bench, place, folder)
    return figures


def _ticks(bench: Bench, place: Place) -> list[Figure]:
    bench.say(f"{bench.sizes.ticks} ticks")
    taken = probe("ticks_inside", bench.sizes.rounds, bench.sizes.ticks).facts["taken"]
    figures = []
    for name in dict.fromkeys(key.partition(",")[0] for key in taken):
        ours, bare = taken[f"{name}, ours"], taken[f"{name}, bare"]
        text, against = (f"{number(Spread.of(one).middle)} us" for one in (ours, bare))
        figures.append(
            Figure(f"next tick, {name}", place.name, text, f"cronsim {against}", ratio(ours, bare))
        )
    return figures


def _make_schedules(folder: Path, count: int) -> Path:
    make_world(folder, records=1)
    (folder / "conf").mkdir()
    for one in range(count):
        # Half a year away, each on another minute.
        month = (time.gmtime().tm_mon + 5) % 12 + 1
        (folder / "conf" / f"night-{one:05}.yaml").write_text(
            f'night-{one:05}:\n  type: pipeline.Pipeline\n  on:\n    - cron: "{one % 60} {one // 60 % 24} 15 {month} *"\n'
            '  jobs:\n    one:\n      stages:\n        - name: "nothing"\n'
        )
    return folder


def _waiting(bench: Bench, place: Place, folder: Path) -> list[Figure]:
    count = bench.sizes.schedules
    bench.say(f"a service with {count} schedules")
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(
            command("-w", str(folder), "schedule", "run"),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=ENVIRONMENT,
        )
        try:
            shares = _shares(process, bench.sizes.rounds, bench.sizes.idle)
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(PATIENCE)
        said = os.pread(output.fileno(), 300, 0).decode(errors="replace")
    if not shares:
        raise MeasuringError(f"the service does not wait: {said}")
    goal = bench.goal(place, _SHARE, enough=count >= _ENOUGH)
    what = f"a service that waits, {count:,} schedules"
    return [Figure(what, place.name, f"{bench.sizes.idle:g} s each", "", Spread.of(shares), " %", goal)]


def _shares(process: subprocess.Popen[bytes], rounds: int, span: float) -> list[float]:
    """Give per cents of one core, after it has become quiet."""
    import psutil

    watched = psutil.Process(process.pid)
    end = time.monotonic() + PATIENCE
    is_quiet = False
    while time.monotonic() < end and process.poll() is None and not is_quiet:
        # Python itself takes longer to start than this.
        is_quiet = _used(watched, 2.0) < 0.1 and sum(watched.cpu_times()[:2]) > 0.3
    shares = [100 * _used(watched, span) / span for _ in range(rounds)] if is_quiet else []
    return shares if process.poll() is None else []


def _used(watched: object, span: float) -> float:
    before = sum(watched.cpu_times()[:2])
    time.sleep(span)
    return sum(watched.cpu_times()[:2]) - before


def _asked(bench: Bench, place: Place, folder: Path) -> list[Figure]:
    sizes = bench.sizes
    bench.say(f"status of {sizes.large} records, asked by REST")
    with serving(folder) as server:
        server.get("/api/v1/status")
        taken = []
        for _ in range(sizes.rounds):
            start = time.perf_counter()
            for _ in range(sizes.asked):
                server.get("/api/v1/status")
            taken.append(sizes.asked / (time.perf_counter() - start))
    what = f"status by REST, {sizes.large:,} records"
    return [Figure(what, place.name, f"{sizes.asked} requests", "", Spread.of(taken), "/s")]
