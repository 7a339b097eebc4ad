"""Decisions in files: one a tick, made once.

Knows decisions and their files; must not know launches.

    <root>/ticks/<schedule key>/<day>/<tick>.json   one decision; making it is the claim of the tick
    <root>/ticks/<schedule key>/forgotten.json      decisions before this tick were removed: none is made again
"""

from __future__ import annotations

import heapq
import os
import re
from collections.abc import Collection, Iterator
from contextlib import suppress
from datetime import datetime

from sinagot.schedule.history.facts import Decision, Verdict
from sinagot.schedule.history.notation import from_plain, key_of, read_stamp, stamp, to_json, to_plain
from sinagot.schedule.history.plainfiles import PlainFiles

__all__ = ["DAY", "TickFiles"]

#: Name of the folder of a day.
DAY = re.compile(r"\d{8}")
_SUFFIX = ".json"


class TickFiles:
    """The decisions below a folder.

    Parameters
    ----------
    files : PlainFiles
        The folder.
    """

    def __init__(self, files: PlainFiles) -> None:
        self._files = files
        self._root = f"{files.root}/ticks"

    def is_taken(self, schedule: str, tick: datetime) -> bool:
        """Say whether there is a decision, or was one that is forgotten."""
        return os.path.exists(self._path(schedule, tick)) or self._is_forgotten(schedule, tick)

    def take(self, decision: Decision) -> bool:
        """Put a decision on record; False when there is one."""
        text = to_json(to_plain(decision), f"the decision about {decision.schedule} at {decision.tick}")
        if not self._files.create(self._path(decision.schedule, decision.tick), text):
            return False
        # Who slept since it looked may have made again what was forgotten meanwhile: nobody sees that one.
        return not self._is_forgotten(decision.schedule, decision.tick)

    def find(self, schedule: str, tick: datetime) -> Decision | None:
        """Give the decision about a tick."""
        key = key_of(schedule)
        if stamp(tick) < self._floor(key):
            return None
        return self._read(key, stamp(tick))

    def newest(self, schedule: str) -> Decision | None:
        """Give the decision with the latest tick; one whose file is torn was made all the same."""
        key = key_of(schedule)
        for name in self._stamps(key, "", ""):
            tick = read_stamp(name)
            if tick is not None:
                reason = f"what was decided can't be read: {self._file(key, name)}"
                return self._read(key, name) or Decision(schedule, tick, Verdict.MISSED, reason, tick, "")
        return None

    def walk(
        self,
        schedule: str | None,
        since: datetime | None,
        until: datetime | None,
        before: tuple[str, str] | None,
    ) -> Iterator[tuple[str, str, Decision]]:
        """Give decisions with their tick's stamp and their schedule's key, latest first."""
        keys = self._keys() if schedule is None else [key_of(schedule)]
        low = stamp(since) if since is not None else ""
        high = stamp(until) if until is not None else ""
        if before is not None:
            high = min(high or "~", before[0] + "~")  # of its own tick others may be left
        parts = [self._marked(key, low, high) for key in keys]
        for name, key in heapq.merge(*parts, reverse=True):
            if before is None or (name, key) < before:
                decision = self._read(key, name)
                if decision is not None:
                    yield name, key, decision

    def forget(self, before: datetime, going: Collection[str]) -> int:
        """Remove decisions of ticks before a time, but for the newest of a schedule and those since a run that goes on.

        Parameters
        ----------
        before : datetime
            Ticks from here on stay.
        going : collection of str
            Runs that are not over.
        """
        return sum(self._forget(key, stamp(before), going) for key in self._keys())

    def _forget(self, key: str, limit: str, going: Collection[str]) -> int:
        newest = next(self._stamps(key, "", ""), "")
        limit = min(limit, newest)
        old = sorted(self._stamps(key, "", limit, with_forgotten=True))
        for name in old:
            decision = self._read(key, name)
            if decision is not None and decision.run_id in going:
                limit = name
                break
        old = [name for name in old if name < limit]
        if not old:
            return 0
        if limit > self._floor(key):  # first of all: what is removed can't be decided again
            self._files.replace(f"{self._root}/{key}/forgotten.json", to_json({"before": limit}, "a limit"))
        for name in old:
            with suppress(OSError):
                os.unlink(self._file(key, name))
        for day in {name[:8] for name in old}:
            with suppress(OSError):  # others are left in it
                os.rmdir(f"{self._root}/{key}/{day}")
        return len(old)

    # -- inner parts

    def _keys(self) -> list[str]:
        return self._files.names(self._root)

    def _file(self, key: str, name: str) -> str:
        return f"{self._root}/{key}/{name[:8]}/{name}{_SUFFIX}"

    def _path(self, schedule: str, tick: datetime) -> str:
        return self._file(key_of(schedule), stamp(tick))

    def _floor(self, key: str) -> str:
        found = self._files.read(f"{self._root}/{key}/forgotten.json") or {}
        return str(found.get("before", ""))

    def _is_forgotten(self, schedule: str, tick: datetime) -> bool:
        return stamp(tick) < self._floor(key_of(schedule))

    def _read(self, key: str, name: str) -> Decision | None:
        path = self._file(key, name)
        plain = self._files.read(path)
        if plain is None:
            return None
        decision = from_plain(Decision, plain)
        # A copy that somebody has made is nobody's decision.
        if decision is None or key_of(decision.schedule) != key or stamp(decision.tick) != name:
            self._files.skipped.add(path)
            return None
        return decision

    def _marked(self, key: str, low: str, high: str) -> Iterator[tuple[str, str]]:
        return ((name, key) for name in self._stamps(key, low, high))

    def _stamps(self, key: str, low: str, high: str, *, with_forgotten: bool = False) -> Iterator[str]:
        """Give the ticks of a schedule as stamps, latest first: from `low` on, before `high` unless it is empty."""
        folder = f"{self._root}/{key}"
        if not with_forgotten:
            low = max(low, self._floor(key))
        for day in reversed(self._files.names(folder)):
            if not DAY.fullmatch(day) or day < low[:8] or (high and day > high[:8]):
                continue
            for file in reversed(self._files.names(f"{folder}/{day}")):
                name = file.removesuffix(_SUFFIX)
                if (
                    name != file
                    and low <= name
                    and (not high or name < high)
                    and read_stamp(name) is not None
                ):
                    yield name
