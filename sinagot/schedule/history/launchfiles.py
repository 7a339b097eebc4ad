"""Launches in files: one a version, each made once, so that of two who change a launch one does.

Knows launches and their files; asks about decisions.

    <root>/launches/<day>/<asked>~<run>/<version>.json   one version
    <root>/open/<asked>~<run>                            may be going on: made before it, gone after its end
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sinagot.schedule.history.facts import OPEN_STATES, Launch
from sinagot.schedule.history.notation import (
    changed,
    from_plain,
    key_of,
    read_stamp,
    stamp,
    to_json,
    to_plain,
)
from sinagot.schedule.history.plainfiles import PlainFiles
from sinagot.schedule.history.tickfiles import DAY

__all__ = ["LaunchFiles"]

_VERSION = re.compile(r"(\d{6})\.json")
#: Seconds after which nobody makes a launch any more that he has begun to make.
_LONG_AGO = 3600.0
#: Launches that are remembered, and launches of which is remembered where they are and what they are found by.
_MOST_READ, _MOST_KNOWN = 10_000, 200_000


class _Fixed(NamedTuple):
    """What of a launch never changes, and it is found by."""

    schedule: str | None
    pipeline: str


class LaunchFiles:
    """The launches below a folder.

    Parameters
    ----------
    files : PlainFiles
        The folder.
    is_decided : callable
        Told a launch that was put down before the decision which it belongs to: says whether that has been made.
    """

    def __init__(self, files: PlainFiles, is_decided: Callable[[Launch], bool]) -> None:
        self._files = files
        self._is_decided = is_decided
        self._root = f"{files.root}/launches"
        self._open = f"{files.root}/open"
        #: By the name of its folder, the file of a version that was read and what is in it: it is made once. Whether
        #: there is a newer one is looked up each time.
        self._read: dict[str, tuple[str, Launch]] = {}
        self._fixed: dict[str, _Fixed] = {}
        #: Names of folders by the keys of their runs.
        self._names: dict[str, str] = {}

    def put(self, launch: Launch, *, with_decision: bool) -> bool:
        """Put down a new launch, with a decision to follow nobody sees it before that; False when it is there."""
        name = _name(launch)
        self._mark(name)
        text = _text(launch, with_decision=with_decision)
        is_new = self._files.create(_version(self._folder(name), launch.version), text)
        if not with_decision:
            self._mark(name)
        return is_new

    def confirm(self, launch: Launch) -> None:
        """Put down again what a sweep has taken for left behind: its process slept before it made the decision."""
        path = _version(self._folder(_name(launch)), launch.version)
        if not os.path.exists(path):
            self._files.create(path, _text(launch, with_decision=True))
        self._mark(_name(launch))

    def withdraw(self, launch: Launch) -> None:
        """Remove a launch whose decision somebody else has made."""
        name = _name(launch)
        self._files.discard(self._folder(name))
        self._files.remove(f"{self._open}/{name}")

    def change(self, launch: Launch, facts: dict[str, Any]) -> Launch | None:
        """Put down the next version; None when there is one already."""
        new = changed(launch, facts)
        name = _name(launch)
        path = _version(self._folder(name), new.version)
        if not self._files.create(path, _text(new), with_folder=False):
            return None
        if new.state not in OPEN_STATES:
            self._files.remove(f"{self._open}/{name}", is_synced=False)  # one that comes back is healed
        return new

    def find(self, run_id: str) -> Launch | None:
        """Give the launch of a run."""
        known = self._names.get(run_id)
        found = None if known is None else self._current(known)
        if found is not None:
            return found
        end = f"~{key_of(run_id)}"
        days = self._days()
        likely = _days_about(run_id)
        days.sort(key=lambda day: day not in likely)
        for day in days:
            for name in self._files.names(f"{self._root}/{day}"):
                if name.endswith(end):
                    found = self._current(name)
                    if found is not None and found.run_id == run_id:
                        return found
        return None

    def open(self) -> list[Launch]:
        """Give the launches that are not over, oldest first."""
        found = [self._current(name) for name in self._files.names(self._open)]
        return [launch for launch in found if launch is not None and launch.state in OPEN_STATES]

    def walk(
        self, before: tuple[str, str] | None, schedule: str | None = None, pipeline: str | None = None
    ) -> Iterator[tuple[str, str, Launch]]:
        """Give launches with the stamp and key that they are sorted by, the one asked for last first.

        Of others than those of the schedule and the pipeline, if one is given, no file is read that was read before.
        """
        for day in self._days():
            if before is not None and day > before[0][:8]:
                continue
            for name in reversed(self._files.names(f"{self._root}/{day}")):
                asked, _, key = name.partition("~")
                if before is not None and (asked, key) >= before:
                    continue
                known = self._fixed.get(name)
                if known is not None and not _is_of(known, schedule, pipeline):
                    continue
                launch = self._current(name)
                if launch is not None and _is_of(launch, schedule, pipeline):
                    yield asked, key, launch

    def heal(self, now: float) -> None:
        """Remove the marks of launches that are over, and launches whose decision was never made."""
        for name in self._files.names(self._open):
            mark = f"{self._open}/{name}"
            launch = self._current(name)
            if launch is not None and launch.state in OPEN_STATES:
                continue
            if launch is None:
                if self._files.age(mark, now) < _LONG_AGO:
                    continue  # it is being made
                if read_stamp(name.partition("~")[0]) is not None:
                    self._files.discard(self._folder(name))
            self._files.remove(mark)

    def forget(self, before: datetime) -> int:
        """Remove launches that were asked for before a time and are over."""
        limit, number = stamp(before), 0
        for day in self._days():
            if day > limit[:8]:
                continue
            for name in self._files.names(f"{self._root}/{day}"):
                if name < limit:
                    launch = self._current(name)
                    if launch is not None and launch.state not in OPEN_STATES:
                        number += self._files.discard(self._folder(name))
            with suppress(OSError):  # others are left in it
                os.rmdir(f"{self._root}/{day}")
        return number

    # -- inner parts

    def _days(self) -> list[str]:
        return [day for day in reversed(self._files.names(self._root)) if DAY.fullmatch(day)]

    def _folder(self, name: str) -> str:
        return f"{self._root}/{name[:8]}/{name}"

    def _mark(self, name: str) -> None:
        if not os.path.exists(f"{self._open}/{name}"):
            self._files.create(f"{self._open}/{name}", "{}", is_synced=False)

    def _current(self, name: str) -> Launch | None:
        """Read the newest version of a launch; one that is torn counts, and what was on record before it holds."""
        folder = self._folder(name)
        newest = None
        for file in reversed(self._files.names(folder)):
            found = _VERSION.fullmatch(file)
            if found is None:
                continue
            newest = int(found[1]) if newest is None else newest
            known = self._read.get(name)
            if known is not None and known[0] == file:
                return known[1]._replace(version=newest)
            plain = self._files.read(f"{folder}/{file}")
            if plain is None:
                continue
            launch = from_plain(Launch, plain.get("launch"))
            if launch is None or _name(launch) != name or launch.version != int(found[1]):
                self._files.skipped.add(f"{folder}/{file}")
                continue
            if plain.get("with_decision") and newest == launch.version and not self._is_decided(launch):
                return None
            self._remember(name, file, launch)
            return launch._replace(version=newest)
        return None

    def _remember(self, name: str, file: str, launch: Launch) -> None:
        if len(self._fixed) >= _MOST_KNOWN:
            self._fixed.clear()
            self._names.clear()
        self._fixed[name] = _Fixed(launch.schedule, launch.pipeline)
        self._names[launch.run_id] = name
        if launch.version:  # the first one may hang on a decision
            if len(self._read) >= _MOST_READ:
                self._read.clear()
            self._read[name] = file, launch


def _is_of(one: _Fixed | Launch, schedule: str | None, pipeline: str | None) -> bool:
    return (schedule is None or one.schedule == schedule) and (pipeline is None or one.pipeline == pipeline)


def _name(launch: Launch) -> str:
    return f"{stamp(launch.asked)}~{key_of(launch.run_id)}"


def _version(folder: str, version: int) -> str:
    return f"{folder}/{version:06}.json"


def _text(launch: Launch, *, with_decision: bool = False) -> str:
    what = f"the launch {launch.run_id}"
    return to_json({"launch": to_plain(launch), **({"with_decision": True} if with_decision else {})}, what)


def _days_about(run_id: str) -> set[str]:
    """Give the days on which a run of this id was most likely asked for: ids begin with a time."""
    try:
        day = datetime.strptime(run_id[:8], "%Y%m%d")  # noqa: DTZ007
        return {f"{day + timedelta(days=one):%Y%m%d}" for one in (-1, 0, 1)}
    except (ValueError, OverflowError):
        return set()
