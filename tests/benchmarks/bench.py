"""What the rows share: sizes, places, ready-made workspaces, and a line on the terminal.

Knows how large each measurement is; must not know what is measured.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple, Self

from clusters import Cluster, cluster
from figures import Goal
from machine import Place
from measuring import Usage, probe
from worlds import make_world, reset


class Sizes(NamedTuple):
    """How many of what."""

    rounds: int = 5
    heavy_rounds: int = 3
    noop_rounds: int = 10
    starts: int = 15
    small: int = 10_000
    flat: int = 100_000
    folders: int = 10_000
    records: int = 10_000
    cold_records: int = 5_000
    slow_records: int = 500
    burning: int = 2_000
    log_records: int = 2_000
    log_lines: int = 60
    #: Logs of about a million lines.
    many_logs: int = 16_667
    peer_records: int = 1_000
    #: For peers that take tens of milliseconds a step.
    few_records: int = 100
    #: Of the watch, which looks at outputs that are there: no run is needed.
    watched: int = 50_000
    #: Of one pipeline.
    stages: int = 1_000
    log_calls: int = 5_000
    remote_calls: int = 200
    #: Of flows: small ones, arrays of 1 MB, and those whose way is timed one by one.
    values: int = 50_000
    arrays: int = 200
    waits: int = 1_000
    #: Of a service; ticks in a row; seconds for which it is watched; requests in a row.
    schedules: int = 1_000
    ticks: int = 20_000
    idle: float = 10.0
    asked: int = 200
    large: int = 100_000


FULL = Sizes()
QUICK = Sizes(
    rounds=3,
    heavy_rounds=1,
    noop_rounds=6,
    starts=5,
    small=2_000,
    flat=20_000,
    folders=2_000,
    records=2_000,
    cold_records=1_000,
    slow_records=100,
    burning=100,
    log_records=200,
    many_logs=1_000,
    peer_records=200,
    few_records=10,
    watched=10_000,
    log_calls=1_000,
    remote_calls=50,
    values=20_000,
    arrays=50,
    waits=300,
    ticks=5_000,
    idle=5.0,
    large=5_000,
)
#: Only to see that everything works: figures of so few records mean nothing.
SMOKE = Sizes(
    rounds=1,
    heavy_rounds=1,
    noop_rounds=1,
    starts=1,
    small=10,
    flat=50,
    folders=20,
    records=40,
    cold_records=20,
    slow_records=10,
    burning=4,
    log_records=5,
    log_lines=6,
    many_logs=5,
    peer_records=10,
    few_records=2,
    watched=20,
    stages=10,
    log_calls=20,
    remote_calls=2,
    values=50,
    arrays=3,
    waits=5,
    schedules=3,
    ticks=50,
    idle=0.2,
    asked=3,
    large=20,
)


class Bench:
    """One run of the benchmarks; a context, which ends what it has kept running.

    Parameters
    ----------
    sizes : Sizes
        How many of what.
    places : list of Place
        Scratch folders, memory first.
    large, million : bool
        Measure also what takes long: a hundred thousand records, a million files.
    install : bool
        Make the peers' own environment when it is not there.
    """

    def __init__(
        self,
        sizes: Sizes,
        places: list[Place],
        *,
        large: bool = False,
        million: bool = False,
        install: bool = False,
    ) -> None:
        self.sizes = sizes
        self.places = places
        self.large = large
        self.million = million
        self.install = install
        self.is_smoke = sizes is SMOKE
        self._kept = ExitStack()
        self._cluster: Cluster | None = None
        self._done: dict[tuple[Place, int], Path] = {}
        self._number = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._kept.close()

    def records(self, place: Place, records: int) -> int:
        """Give the number of records: a fifth on the disk, where making files costs several times as much."""
        return records if place is self.places[0] else max(1, records // 5)

    def goal(self, place: Place, goal: Goal, *, enough: bool = True) -> Goal:
        """Give what is asked: in memory only, and only where there is enough of what is measured."""
        return goal if enough and place is self.places[0] else Goal()

    def rounds(self, place: Place, rounds: int) -> int:
        """Give the number of rounds: all in memory, half of them on the disk that stands beside it."""
        return rounds if place is self.places[0] else max(1, rounds // 2)

    @staticmethod
    def say(text: str) -> None:
        """Tell what is going on."""
        print(f"  {text}", file=sys.stderr, flush=True)

    @contextmanager
    def folder(self, place: Place, make: Callable[[Path], Path]) -> Iterator[Path]:
        """Make a folder for one measurement."""
        self._number += 1
        folder = place.folder / f"world-{self._number}"
        try:
            yield make(folder)
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def done_world(self, place: Place, records: int) -> Path:
        """Give a workspace in which everything has run, with its logs and state; kept for other rows."""
        key = (place, records)
        if key not in self._done:
            self.say(f"running {records} records once ({place.name})")
            folder = make_world(place.folder / f"done-{records}", records)
            probe("ours_run", folder, "main_process")
            self._done[key] = folder
        return self._done[key]

    @staticmethod
    def fresh(folder: Path, name: str, *arguments: str) -> Usage:
        """Run a probe on a workspace in which nothing has run yet."""
        reset(folder)
        return probe(name, folder, *arguments)

    def on_cluster(self, folder: Path, name: str, *arguments: str) -> Usage:
        """Run a probe on a cluster of its own, as an idle one costs each other case a tenth of a core."""
        reset(folder)
        if not self.is_smoke:
            with cluster() as dask:
                return probe(name, folder, *arguments, *dask)
        if self._cluster is None:
            self._cluster = self._kept.enter_context(cluster(workers=1))
        return probe(name, folder, *arguments, *self._cluster)
