"""What the rows share: sizes, places, ready-made workspaces, and a line on the terminal.

Knows how large each measurement is; must not know what is measured.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from figures import Goal
from machine import Place
from measuring import probe
from worlds import make_world


class Sizes(NamedTuple):
    """How many of what."""

    rounds: int = 5
    heavy_rounds: int = 3
    starts: int = 15
    flat: int = 100_000
    folders: int = 10_000
    records: int = 10_000
    cold_records: int = 5_000
    slow_records: int = 500
    burning: int = 1_000
    log_records: int = 2_000
    log_lines: int = 60


FULL = Sizes()
QUICK = Sizes(
    rounds=3,
    heavy_rounds=1,
    starts=5,
    flat=20_000,
    folders=2_000,
    records=2_000,
    cold_records=1_000,
    slow_records=100,
    burning=100,
    log_records=200,
)
#: Only to see that everything works: figures of so few records mean nothing.
SMOKE = Sizes(1, 1, 1, 50, 20, 40, 20, 10, 4, 5, 6)


class Bench:
    """One run of the benchmarks."""

    def __init__(self, sizes: Sizes, places: list[Place], *, million: bool = False) -> None:
        self.sizes = sizes
        self.places = places
        self.million = million
        self._done: dict[tuple[Place, int], Path] = {}
        self._number = 0

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
