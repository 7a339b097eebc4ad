"""How fast a drive is and how fine its clock: measured in a folder that is made for that and removed.

Knows how to measure; must not judge: `sinagot.dataset.drive` says what a result means. Each function works in a folder
that exists, may leave files in it, and lets the system's errors out.
"""

from __future__ import annotations

import math
import os
import secrets
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

__all__ = [
    "Look",
    "Times",
    "clock_offset",
    "look_around",
    "probe_folder",
    "quick_stamps",
    "stamp_unit",
    "sync_times",
    "unseen_rewrites",
    "write",
]

_FOLDER_PREFIX = "doctor-"
#: Seconds after which a folder that a killed examination left is removed by the next one.
_STALE = 3600.0
_STATE_NAME = ".sinagot"
_MOST_FOLDERS = 50
_MOST_NAMES = 5000
_MOST_STATS = 300


class Times(NamedTuple):
    """How long one kind of call took, in seconds."""

    calls: int
    middle: float
    worst: float

    @classmethod
    def of(cls, seconds: list[float]) -> Times:
        """Sum up some measurements."""
        ordered = sorted(seconds) or [0.0]
        return cls(len(seconds), ordered[len(ordered) // 2], ordered[-1])


class Look(NamedTuple):
    """One look at the folders below a folder: times of a listing and of a stat, and what could not be read."""

    names: int
    listings: Times
    stats: Times
    unreadable: int


@contextmanager
def probe_folder(base: str) -> Iterator[str]:
    """Make a folder to experiment in, and remove it with all that is in it.

    Parameters
    ----------
    base : str
        Folder that it is made in; that is made and removed too when it is not there.

    Yields
    ------
    str
        The folder.
    """
    made = []
    parent = base
    while not os.path.isdir(parent):
        made.append(parent)
        parent = os.path.dirname(parent)
    try:
        os.makedirs(base, exist_ok=True)
        folder = f"{base}/{_FOLDER_PREFIX}{secrets.token_hex(6)}"
        os.mkdir(folder)
        try:
            _sweep(base, os.stat(folder).st_mtime)
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)
    finally:
        for one in made:  # the innermost first
            try:
                os.rmdir(one)
            except OSError:  # it could not be made, or a run has begun to use it meanwhile
                pass


def _sweep(base: str, now: float) -> None:
    """Remove what a killed examination left; the clock of the file server says how old it is."""
    for name in os.listdir(base):
        if name.startswith(_FOLDER_PREFIX):
            try:
                if now - os.stat(f"{base}/{name}").st_mtime > _STALE:
                    shutil.rmtree(f"{base}/{name}", ignore_errors=True)
            except FileNotFoundError:
                pass


def look_around(folder: str) -> Look:
    """List folders and ask for the facts of some files, the outer folders first.

    Parameters
    ----------
    folder : str
        Where to begin. The state folder and links are left out.

    Returns
    -------
    Look
        Bounded: at most 50 folders, 5,000 names and 300 files.
    """
    listings: list[float] = []
    stats: list[float] = []
    names = unreadable = 0
    waiting = [folder]
    while waiting and len(listings) < _MOST_FOLDERS and names < _MOST_NAMES:
        here = waiting.pop(0)
        begin = time.perf_counter()
        try:
            with os.scandir(here) as entries:
                found = [entry for entry, _ in zip(entries, range(_MOST_NAMES), strict=False)]
        except OSError:
            unreadable += 1
            continue
        listings.append(time.perf_counter() - begin)
        names += len(found)
        for entry in found:
            if entry.name != _STATE_NAME and entry.is_dir(follow_symlinks=False):
                waiting.append(entry.path)
            elif len(stats) < _MOST_STATS:
                begin = time.perf_counter()
                try:
                    os.stat(entry.path, follow_symlinks=False)
                except OSError:
                    continue
                stats.append(time.perf_counter() - begin)
    return Look(names, Times.of(listings), Times.of(stats), unreadable)


def write(path: str, text: bytes = b"x") -> None:
    """Write a file.

    Parameters
    ----------
    path : str
        Where.
    text : bytes
        What.
    """
    with open(path, "wb") as file:
        file.write(text)


def quick_stamps(folder: str, count: int = 64) -> tuple[Times, list[int]]:
    """Write small files one after the other.

    Parameters
    ----------
    folder : str
        Where.
    count : int
        How many.

    Returns
    -------
    tuple of Times and list of int
        How long each took, and their times of change in nanoseconds.
    """
    seconds, paths = [], [f"{folder}/quick-{number}" for number in range(count)]
    for path in paths:
        begin = time.perf_counter()
        write(path)
        seconds.append(time.perf_counter() - begin)
    stamps = [os.stat(path).st_mtime_ns for path in paths]
    for path in paths:
        os.unlink(path)
    return Times.of(seconds), stamps


def stamp_unit(stamps: list[int]) -> int:
    """Give the unit that time stamps are kept in: the largest power of ten that divides all.

    Parameters
    ----------
    stamps : list of int
        Nanoseconds; of a few files the unit may look larger than it is.

    Returns
    -------
    int
        Nanoseconds, at most a second.

    Examples
    --------
    >>> stamp_unit([1_700_000_000_000_000_000, 1_700_000_001_000_000_000])
    1000000000
    >>> stamp_unit([1_700_000_000_123_456_700, 1_700_000_000_123_461_100])
    100
    """
    common = math.gcd(*stamps)
    unit = 1_000_000_000
    while common % unit:
        unit //= 10
    return unit


def unseen_rewrites(folder: str, count: int = 50) -> int:
    """Write other bytes of the same number into a file, again and again.

    Parameters
    ----------
    folder : str
        Where.
    count : int
        How often.

    Returns
    -------
    int
        How many of the changes neither size nor time of change tell.
    """
    path, unseen, former = f"{folder}/rewritten", 0, -1
    write(path, b"before")
    for number in range(count + 1):
        with open(path, "r+b") as file:  # not emptied first: some disks wait then
            file.write(b"%06d" % number)
        stamp = os.stat(path).st_mtime_ns
        unseen += stamp == former
        former = stamp
    return unseen


def clock_offset(folder: str, tries: int = 5) -> float:
    """Compare the time stamp of a fresh file with the clock of this machine.

    Parameters
    ----------
    folder : str
        Where.
    tries : int
        The smallest of so many differences counts.

    Returns
    -------
    float
        Seconds that the file server is ahead; negative when it is behind.
    """
    offsets = []
    for number in range(tries):
        before = time.time_ns()
        write(f"{folder}/clock-{number}")
        stamp, after = os.stat(f"{folder}/clock-{number}").st_mtime_ns, time.time_ns()
        offsets.append(0 if before <= stamp <= after else stamp - (before if stamp < before else after))
    return min(offsets, key=abs) / 1e9


def sync_times(folder: str, count: int = 8) -> Times:
    """Write small new files and have each brought to the disk.

    Parameters
    ----------
    folder : str
        Where.
    count : int
        How many.

    Returns
    -------
    Times
        Of writing and syncing one.
    """
    seconds = []
    for number in range(count):
        begin = time.perf_counter()
        with open(f"{folder}/synced-{number}", "wb") as file:
            file.write(b"x")
            file.flush()
            os.fsync(file.fileno())
        seconds.append(time.perf_counter() - begin)
    return Times.of(seconds)
