"""A service among others: it says that it lives, and sees which others do.

Knows the history and processes of this machine; must not know what services do. Clocks of hosts are never compared:
another host's service is dead when its beat was not seen to change for three intervals of our own clock.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

from sinagot.engine.state.owners import Owner, start_time
from sinagot.schedule.history.facts import ServiceFacts

if TYPE_CHECKING:
    from sinagot.schedule.clock import Clock
    from sinagot.schedule.history.contract import History

__all__ = ["Presence"]

_MISSED = 3
_NUMBERS = itertools.count(1)


class Presence:
    """A service, and the others that the history knows.

    Parameters
    ----------
    history : History
        Where they are known.
    clock : Clock
        Of this service.
    every : float, seconds
        Between two beats; the same for all services.
    """

    def __init__(self, history: History, clock: Clock, every: float) -> None:
        self.me = Owner.here("")
        number = next(_NUMBERS)
        more = f"-{number}" if number > 1 else ""
        #: Host, process and start.
        self.name = f"{self.me.host}-{self.me.pid}-{self.me.start}{more}"
        self._history, self._clock, self._every = history, clock, every
        self._since = clock.now()
        self._beat = 0
        self._next: float | None = None
        self._others: dict[str, ServiceFacts] = {}
        #: Name -> beat, and when it was first seen by our clock.
        self._seen: dict[str, tuple[int, float]] = {}

    @property
    def is_known(self) -> bool:
        """Whether it has said once that it lives."""
        return self._next is not None

    def beat(self) -> float:
        """Say that it lives, when that is due; gives how many seconds until it is again."""
        now = self._clock.monotonic()
        if self._next is None or now >= self._next:
            self._beat += 1
            me = self.me
            self._history.beat(
                ServiceFacts(self.name, me.host, me.boot, me.pid, me.start, self._since, self._beat)
            )
            self._next = now + self._every
        return self._next - now

    def look(self) -> None:
        """See which services there are."""
        now = self._clock.monotonic()
        self._others = {one.name: one for one in self._history.services()}
        for one in self._others.values():
            if self._seen.get(one.name, (-1, 0.0))[0] != one.beat:
                self._seen[one.name] = (one.beat, now)
        for name in [*self._others]:
            if name != self.name and self.is_gone(name):
                self._history.leave(name)
                del self._others[name]
        self._seen = {name: seen for name, seen in self._seen.items() if name in self._others}

    def is_gone(self, name: str) -> bool:
        """Say whether a service is known to be no more, as of the last look."""
        one = self._others.get(name)
        if one is None:
            return name != self.name
        if one.host == self.me.host:
            return one.boot != self.me.boot or start_time(one.pid) != one.start
        return self._clock.monotonic() - self._seen[name][1] >= _MISSED * self._every

    def leave(self) -> None:
        """Say that it ends."""
        if self._next is not None:
            self._history.leave(self.name)
            self._next = None
