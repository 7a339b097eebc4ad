"""The history of schedules in plain files, below the state folder: nothing to install, nothing to start.

Knows how decisions and launches go together; how each is kept is `tickfiles` and `launchfiles`.

    <state>/service/ticks/      decisions
    <state>/service/launches/   launches
    <state>/service/open/       marks of launches that may be queued or running
    <state>/service/pauses/     one file a pause
    <state>/service/services/   one file a service; written anew with each beat
    <state>/service/new/, old/  what is being made, and what is being removed
"""

from __future__ import annotations

import os
from collections.abc import Collection
from datetime import datetime
from typing import Any

from sinagot.schedule.history.contract import History
from sinagot.schedule.history.facts import Decision, Launch, Pause, ServiceFacts, State
from sinagot.schedule.history.launchfiles import LaunchFiles
from sinagot.schedule.history.notation import (
    check_pair,
    from_plain,
    key_of,
    page_of,
    read_cursor,
    to_json,
    to_plain,
)
from sinagot.schedule.history.plainfiles import PlainFiles
from sinagot.schedule.history.tickfiles import TickFiles

__all__ = ["FileHistory"]


class FileHistory(History):
    """Decisions, launches, pauses and services in files.

    Parameters
    ----------
    state : str or path-like
        The state folder of the workspace.

    Notes
    -----
    Works on network drives and from several hosts: there are no locks, only files that are made once. Reading makes
    nothing. A file that is torn or somebody else's is passed over, and counted in `skipped`.

    Examples
    --------
    >>> from datetime import UTC, datetime
    >>> import tempfile
    >>> history = FileHistory(tempfile.mkdtemp())
    >>> history.pause(Pause("hourly", datetime(2026, 1, 31, tzinfo=UTC), "ada", "holidays"))
    True
    >>> list(history.pauses())
    ['hourly']
    """

    def __init__(self, state: str | os.PathLike[str]) -> None:
        self._files = PlainFiles(f"{os.path.abspath(state)}/service")
        self._ticks = TickFiles(self._files)
        self._launches = LaunchFiles(self._files, self._is_decided)

    @property
    def skipped(self) -> int:
        """Number of files that were passed over because they could not be understood."""
        return len(self._files.skipped)

    # -- decisions

    def decide(self, decision: Decision, launch: Launch | None = None) -> bool:
        """Take a tick: True for one caller ever."""
        check_pair(decision, launch)
        if self._ticks.is_taken(decision.schedule, decision.tick):
            return False
        if launch is not None:
            self._launches.put(launch, with_decision=True)
        if not self._ticks.take(decision):
            if launch is not None and not self._is_decided(launch):
                self._launches.withdraw(launch)
            return False
        if launch is not None:
            self._launches.confirm(launch)
        return True

    def _is_decided(self, launch: Launch) -> bool:
        if launch.schedule is None or launch.tick is None:
            return False
        decision = self._ticks.find(launch.schedule, launch.tick)
        return decision is not None and decision.run_id == launch.run_id

    def newest(self, schedule: str) -> Decision | None:
        """Give the decision with the latest tick of a schedule."""
        return self._ticks.newest(schedule)

    def decisions(
        self,
        schedule: str | None = None,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        before: str | None = None,
        limit: int = 100,
    ) -> tuple[list[Decision], str | None]:
        """Give decisions, latest tick first, and the cursor of the next part."""
        place = read_cursor(before) if before is not None else None
        return page_of(self._ticks.walk(schedule, since, until, place), limit)

    # -- launches

    def add(self, launch: Launch) -> None:
        """Put a launch on record that belongs to no tick, or tries one again."""
        if not self._launches.put(launch, with_decision=False):
            raise ValueError(f"the run {launch.run_id} is on record already")

    def change(self, launch: Launch, **facts: Any) -> Launch | None:
        """Change a launch that is still as it was seen."""
        return self._launches.change(launch, facts)

    def launch(self, run_id: str) -> Launch | None:
        """Give a launch by its run."""
        return self._launches.find(run_id)

    def launches(
        self,
        *,
        schedule: str | None = None,
        pipeline: str | None = None,
        states: Collection[State] | None = None,
        before: str | None = None,
        limit: int = 100,
    ) -> tuple[list[Launch], str | None]:
        """Give launches, the one asked for last first, and the cursor of the next part."""
        place = read_cursor(before) if before is not None else None
        wanted = (
            (asked, key, launch)
            for asked, key, launch in self._launches.walk(place, schedule, pipeline)
            if states is None or launch.state in states
        )
        return page_of(wanted, limit)

    def open_launches(self) -> list[Launch]:
        """Give all that are queued or running, oldest first."""
        return self._launches.open()

    # -- pauses

    def pause(self, pause: Pause) -> bool:
        """Pause a schedule; False when it is paused already."""
        path = f"{self._files.root}/pauses/{key_of(pause.schedule)}.json"
        text = to_json(to_plain(pause), f"the pause of {pause.schedule}")
        if self._files.create(path, text):
            return True
        if from_plain(Pause, self._files.read(path)) is not None:
            return False
        self._files.replace(path, text)  # a torn one says nothing
        return True

    def resume(self, schedule: str) -> bool:
        """End a pause; False when there is none."""
        return self._files.remove(f"{self._files.root}/pauses/{key_of(schedule)}.json")

    def pauses(self) -> dict[str, Pause]:
        """Give the pauses that stand, by schedule."""
        return {pause.schedule: pause for pause in self._all("pauses", Pause)}

    # -- services

    def beat(self, service: ServiceFacts) -> None:
        """Say that a service lives."""
        path = f"{self._files.root}/services/{key_of(service.name)}.json"
        text = to_json(to_plain(service), f"the service {service.name}")
        # Nobody asks after a power cut how often it had beaten.
        self._files.replace(path, text, is_synced=False)

    def leave(self, service: str) -> None:
        """Forget a service."""
        self._files.remove(f"{self._files.root}/services/{key_of(service)}.json")

    def services(self) -> list[ServiceFacts]:
        """Give the services that have not left."""
        return self._all("services", ServiceFacts)

    def _all(self, folder: str, kind: type[Any]) -> list[Any]:
        found = []
        for name in self._files.names(f"{self._files.root}/{folder}"):
            path = f"{self._files.root}/{folder}/{name}"
            facts = from_plain(kind, self._files.read(path)) if name.endswith(".json") else None
            if facts is not None and f"{key_of(facts[0])}.json" == name:
                found.append(facts)
            else:
                self._files.skipped.add(path)
        return found

    # -- keeping house

    def sweep(self, before: datetime) -> int:
        """Forget what is old and over, and clear away what dead processes have left."""
        self._launches.heal(self._files.clear())
        going = {launch.run_id for launch in self.open_launches()}
        ticks = self._ticks.forget(before, going)
        return ticks + self._launches.forget(before)

    def close(self) -> None:
        """Let go of nothing: no file stays open."""
