"""`History`: what services keep of decisions and launches, whatever they keep it in.

Knows plain values; each implementation passes `tests/schedule/history` as a whole. Any number of services on any number
of hosts use one history at the same time: what two of them try to write, one of them writes.
`HistoryUnavailableError` of any method: wait, and look again. `CursorError`: no answer gave that cursor.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection
from datetime import datetime
from typing import Any

from sinagot.schedule.history.facts import Decision, Launch, Pause, ServiceFacts, State

__all__ = ["History"]


class History(ABC):
    """Decisions, launches, pauses and services of one workspace."""

    @abstractmethod
    def decide(self, decision: Decision, launch: Launch | None = None) -> bool:
        """Take a tick: of all who try to decide about it, one ever gets True, and its launch is on record with it.

        Either both are on record or neither, whenever the process dies. They are on the disk before it returns.
        """

    @abstractmethod
    def newest(self, schedule: str) -> Decision | None:
        """Give the decision with the latest tick of a schedule."""

    @abstractmethod
    def decisions(
        self,
        schedule: str | None = None,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        before: str | None = None,
        limit: int = 100,
    ) -> tuple[list[Decision], str | None]:
        """Give decisions, latest tick first, and the cursor that gives the next part as `before`; None at the end.

        `since` is inside, `until` is not; of a schedule that is not named, those of all.
        """

    @abstractmethod
    def add(self, launch: Launch) -> None:
        """Put a launch on record that belongs to no tick, or tries one again; its run id is new, else a ValueError."""

    @abstractmethod
    def change(self, launch: Launch, **facts: Any) -> Launch | None:
        """Change a launch that is still as it was seen; gives the new one, None when somebody else was first.

        What a launch is found by never changes, and one that is over is never open again: ValueError.
        """

    @abstractmethod
    def launch(self, run_id: str) -> Launch | None:
        """Give a launch by its run."""

    @abstractmethod
    def launches(
        self,
        *,
        schedule: str | None = None,
        pipeline: str | None = None,
        states: Collection[State] | None = None,
        before: str | None = None,
        limit: int = 100,
    ) -> tuple[list[Launch], str | None]:
        """Give launches, the one asked for last first, and the cursor of the next part; None at the end."""

    @abstractmethod
    def open_launches(self) -> list[Launch]:
        """Give all that are queued or running, oldest first; the cost does not grow with what is over."""

    @abstractmethod
    def pause(self, pause: Pause) -> bool:
        """Pause a schedule; False when it is paused already."""

    @abstractmethod
    def resume(self, schedule: str) -> bool:
        """End a pause; False when there is none."""

    @abstractmethod
    def pauses(self) -> dict[str, Pause]:
        """Give the pauses that stand, by schedule."""

    @abstractmethod
    def beat(self, service: ServiceFacts) -> None:
        """Say that a service lives; the first time it becomes known."""

    @abstractmethod
    def leave(self, service: str) -> None:
        """Forget a service that has ended, or is known to be dead."""

    @abstractmethod
    def services(self) -> list[ServiceFacts]:
        """Give the services that have not left."""

    @abstractmethod
    def sweep(self, before: datetime) -> int:
        """Forget decisions about ticks before a time and launches asked for before it; gives their number.

        Never the newest decision of a schedule, nor a launch that is not over or its decision. A tick that is forgotten
        is never decided again. What dead processes have left is cleared away.
        """

    @abstractmethod
    def close(self) -> None:
        """Let go of files and connections."""
