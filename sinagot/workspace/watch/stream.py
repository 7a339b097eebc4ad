"""Records as they arrive: an async iterator, with the rules of `sinagot watch`.

Knows when to look and what was found; must not know what is done with a record. Nothing is written.
"""

from __future__ import annotations

import logging
import math
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from sinagot.config.settings import WatchSettings
from sinagot.engine.planning.graph import Slot
from sinagot.errors import MissingExtraError, SinagotError
from sinagot.flow.following import Following
from sinagot.workspace.watch.newcomers import Found, Newcomer, Newcomers, source_slots
from sinagot.workspace.watch.wakeups import CALM, Wakeups
from sinagot.workspace.watch.whereabouts import Whereabouts

if TYPE_CHECKING:
    from sinagot.workspace.contracts import Selection

__all__ = ["RecordStream"]

R = TypeVar("R")

_LOG = logging.getLogger("sinagot.watch")
#: Seconds that what was found is believed, at least; how many times the length of a look it may be.
_FRESH, _SHARE = 1.0, 4
#: Shortest pause between two looks, in seconds.
_SHORTEST = 0.05
#: Seconds between two looks after which the kernel is asked whether a file is written.
_MOMENT = 0.2
#: How many times the length of a look the pause between two is, where nothing tells of changes and nobody says more.
_POLLING = 20


class RecordStream(Following[R]):
    """Records of a scope, in the order in which they are complete; `RecordCollection.stream` makes it.

    Parameters
    ----------
    scope : Selection
        The records.
    find : callable
        Gives the record of an id.
    own : sequence of tuple of Slot
        Files besides the inputs of steps that records are told by.
    watch : bool
        Go on for ever, and give what arrives.
    **said : object
        What wins over `[watch]` of the configuration; None is as there.

    Raises
    ------
    PatternError
        The sentinel has a field that nothing tells.
    TypeError
        There is no such option.
    """

    def __init__(
        self,
        scope: Selection,
        find: Callable[[str], R],
        *,
        own: Sequence[tuple[Slot, ...]],
        watch: bool,
        **said: Any,
    ) -> None:
        super().__init__(_Looks(scope, find, own, _settings(scope, watch, said), watch), "sinagot-stream")

    def __repr__(self) -> str:
        return f"<RecordStream of {self._source!r}>"


def _settings(scope: Selection, watch: bool, said: dict[str, Any]) -> WatchSettings:
    """Give what holds: what was said, then what is configured."""
    config = scope.workspace.configuration
    here = {name: value for name, value in said.items() if value is not None}
    settings: WatchSettings = config.watch._replace(**here, said=config.watch.said.union(here))
    if not watch and "quiet" not in here:
        settings = settings._replace(quiet=0.0)  # what is there now, as `all` gives it
    if settings.outdated is None:
        settings = settings._replace(outdated=config.run.steps.rerun == "outdated")
    return settings


class _Looks(Generic[R]):
    """Looks at the disk whenever it is worth it, and has what was found at hand."""

    def __init__(
        self,
        scope: Selection,
        find: Callable[[str], R],
        own: Sequence[tuple[Slot, ...]],
        settings: WatchSettings,
        watch: bool,
    ) -> None:
        self._scope, self._find, self._settings, self._is_watch = scope, find, settings, watch
        self._places = Whereabouts(scope, settings, _told_by(scope, own))
        # Who says for how long files must be quiet knows better than the kernel.
        self._moment = _MOMENT if watch and "quiet" not in settings.said else None
        self._newcomers = Newcomers(scope, settings, own=own, is_once=not watch, moment=self._moment)
        self._calm = min(CALM, max(settings.quiet if self._moment is None else self._moment, _SHORTEST))
        #: Seconds between two looks where nothing tells of changes.
        self._interval = settings.interval
        self._wakeups = Wakeups(self._interval, self._calm)
        self._wants_events = watch and settings.events != "off"
        #: What the last look found and was not given yet, and whether some of it was.
        self._found: deque[Newcomer] = deque()
        self._has_given = False
        #: When the last look began, and how long it took; None when another one must not wait.
        self._looked: float | None = None
        self._took = 0.0
        #: Seconds after it until more may be complete.
        self._due: float | None = None
        self._looks = 0
        self._is_last = False
        self._problem: str | None = None

    # -- in the loop of who reads

    def ready(self) -> R | None:
        """Give the next record that was found; what was found too long ago is looked for anew."""
        is_old = self._age() > max(_FRESH, _SHARE * self._took)
        # The first one is believed in any case: a loop that is slow must not look for ever.
        if self._is_watch and self._has_given and self._found and is_old:
            self._found.clear()
            self._looked = None
        if not self._found:
            return None
        self._has_given = True
        one = self._found.popleft()
        self._newcomers.give(one)
        return self._find(one.id)

    def begin(self) -> None:
        """Make ready for waiting again, after it was interrupted."""
        if self._wakeups.is_over:
            self._wakeups = Wakeups(self._interval, self._calm)
            self._looked = None  # what happened meanwhile was not heard

    def interrupt(self) -> None:
        """End the waiting."""
        self._wakeups.leave()

    # -- in a thread

    def close(self) -> None:
        """Let the system tell nothing any more."""
        self._wakeups.deafen()

    def wait(self) -> bool:
        """Look again and again, until a record is found."""
        wakeups = self._wakeups
        try:
            while not (self._found or self._is_last or wakeups.is_over):
                self._rest(wakeups)
                if not wakeups.is_over:
                    self._look(wakeups)
        finally:
            if wakeups.is_over:
                wakeups.deafen()
        return bool(self._found)

    def _age(self) -> float:
        """Give the seconds since the last look began."""
        return math.inf if self._looked is None else time.monotonic() - self._looked

    def _rest(self, wakeups: Wakeups) -> None:
        """Wait until the next look is worth it."""
        if self._looked is None:
            return
        if self._problem is not None or not self._is_watch:
            wakeups.rest(self._due or 0.0)  # from now on: there may be no third look
            return
        due = self._due
        if not wakeups.has_events:
            due = self._interval if due is None else min(due, self._interval)
        wakeups.wait(None if due is None else due - self._age())

    def _look(self, wakeups: Wakeups) -> None:
        """Look once; what is wrong the first time is raised, and later told and waited for."""
        had_problem = self._problem is not None
        self._looked = time.monotonic()
        wakeups.forget()
        problem = self._places.find_gap()
        is_shared = problem is None and self._places.is_shared
        found = Found([], None)
        if problem is None:
            if had_problem:
                wakeups.deafen()  # of folders that were gone the system tells nothing any more
            self._listen(wakeups, is_shared=is_shared)
            try:
                found = self._newcomers.look(is_shared=is_shared, is_over=lambda: wakeups.is_over)
            except (SinagotError, OSError) as error:
                if not self._looks:
                    raise
                problem = f"can't look: {error}"
        self._tell(problem)
        self._looks += 1
        self._took = self._age()
        self._due = found.due if problem is None else self._settings.interval
        self._is_last = not self._is_watch and (self._due is None or self._looks > 1)
        self._hurry(wakeups, is_shared=is_shared)
        wakeups.looked(self._took)
        self._found.extend(found.ready)
        self._has_given = False

    def _hurry(self, wakeups: Wakeups, *, is_shared: bool) -> None:
        """Look as often as records may be complete by the word of the kernel; looks must not take all the time."""
        if self._moment is None or is_shared:
            self._interval = wakeups.interval = self._settings.interval
            return
        if self._due is not None:
            self._due = max(self._due, _SHARE * self._took)
        if "interval" not in self._settings.said:
            pause = max(self._moment, _POLLING * self._took)
            self._interval = wakeups.interval = min(self._settings.interval, pause)

    def _listen(self, wakeups: Wakeups, *, is_shared: bool) -> None:
        """Let the system tell of changes, where it can and is to."""
        if not self._wants_events or wakeups.has_events:
            return
        if wakeups.problem is not None:
            _LOG.warning("from now on by polling, since events failed: %s", wakeups.problem)
            self._wants_events = False
        elif self._settings.events == "auto" and is_shared:
            self._wants_events = False
        else:
            try:
                wakeups.listen(self._places.folders, self._places.ignored)
            except MissingExtraError:
                if self._settings.events == "on":
                    raise
                self._wants_events = False

    def _tell(self, problem: str | None) -> None:
        """Say once what can't be looked at, and when it can again."""
        former, self._problem = self._problem, problem
        if problem is not None and problem != former:
            _LOG.warning("%s", problem)
        elif problem is None and former is not None:
            _LOG.warning("%s can be read again", self._scope.workspace.configuration.data_path)

    def __repr__(self) -> str:
        return repr(self._scope)


def _told_by(scope: Selection, own: Sequence[tuple[Slot, ...]]) -> list[Slot]:
    """Give the files besides the inputs of steps that tell of records."""
    found = [slot for slots in own for slot in slots]
    workspace = scope.workspace
    if not found and all(node.error is not None for node in workspace.nodes_of(scope, None)):
        for patterns in workspace.blueprint.id_sources(scope.task, scope.modality):
            found += source_slots(workspace.blueprint, patterns)
    return found
