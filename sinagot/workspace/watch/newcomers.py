"""Which records have arrived: of those of a scope, the ones whose files are complete and were not given yet.

Knows surveys, and what was given; must not know who reads. What is complete `intake` says, as for `sinagot watch`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from itertools import repeat
from typing import TYPE_CHECKING, NamedTuple

from sinagot.config.settings import WatchSettings
from sinagot.dataset.patterns import PathPattern
from sinagot.engine.planning.graph import Slot
from sinagot.engine.planning.survey import Survey
from sinagot.workspace.looks import survey_of
from sinagot.workspace.watch.intake import Intake, Prints, Quiet, place_of, sentinel_slot

if TYPE_CHECKING:
    from sinagot.workspace.blueprint import Blueprint
    from sinagot.workspace.contracts import Selection

__all__ = ["Found", "Newcomer", "Newcomers", "Part", "source_slots"]


class Part(NamedTuple):
    """Files of a record that are read together: it is there when all of them are."""

    slots: tuple[Slot, ...]
    #: Files that say that it is complete.
    sentinels: tuple[Slot, ...] = ()


class Newcomer(NamedTuple):
    """A record that is complete."""

    id: str
    #: Its parts that are there, as bits; above them what tells this version of their files from others.
    state: int


class Found(NamedTuple):
    """What one look has found."""

    #: Complete records that were not given yet, or have changed since; in the order of their ids.
    ready: list[Newcomer]
    #: Seconds until more of what is there may be complete; None when nothing is waited for.
    due: float | None


class Newcomers:
    """What was given of the records of a scope.

    Parameters
    ----------
    scope : Selection
        The records.
    settings : WatchSettings
        How long files must be quiet, and what else must be there; `outdated` looks for changes also where nothing is
        to be done.
    own : sequence of tuple of Slot
        Files besides the inputs of steps that records are told by; for each the files that belong together.
    is_once : bool
        What was given is not given again.
    moment : float, optional
        Seconds that are long enough for a file of which the kernel says that nobody writes it.
    clock : callable
        Seconds that never go back.
    """

    def __init__(
        self,
        scope: Selection,
        settings: WatchSettings,
        *,
        own: Sequence[tuple[Slot, ...]] = (),
        is_once: bool = False,
        moment: float | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._scope, self._settings, self._moment = scope, settings, moment
        self._own, self._is_once = own, is_once
        self._quiet = Quiet(clock)
        #: Record -> its state when it was given.
        self._given: dict[str, int] = {}

    def look(self, *, is_shared: bool, is_over: Callable[[], bool] = lambda: False) -> Found:
        """Look at the disk once.

        Parameters
        ----------
        is_shared : bool
            The drive is one of several machines: what is known of a file may be old.
        is_over : callable
            Says that nobody wants to know any more; then nothing is found.

        Returns
        -------
        Found
            What is complete, and when more may be.

        Notes
        -----
        What was given and is done costs the listings of its folders. Files are looked at one by one where they are
        new, and where a step of the record is still to be done; with `outdated`, all of them.
        """
        workspace = self._scope.workspace
        survey = survey_of(workspace, self._scope.record_ids(), "missing")
        intake = Intake(
            self._quiet, survey, self._scope, self._settings, is_shared=is_shared, moment=self._moment
        )
        this = _OneLook(survey, intake, self._parts(intake), has_versions=not self._is_once)
        ready: list[Newcomer] = []
        given: dict[str, int] = {}
        for record_id, there, is_compared in this.rows(self._compared(intake)):
            if is_over():
                return Found([], None)
            known = this.what_is_left(record_id, self._given.get(record_id, 0), there)
            if known:
                given[record_id] = known
            if there & ~known or (known and is_compared):
                state = this.state_of(record_id, there)
                if state and state != known and this.is_complete(record_id, there):
                    ready.append(Newcomer(record_id, state))
        intake.keep()
        self._given = given
        workspace.note_problems(survey.problems)
        return Found(ready, intake.due)

    def give(self, one: Newcomer) -> None:
        """Take note that a record is given."""
        self._given[one.id] = one.state

    def _compared(self, intake: Intake) -> Container[int]:
        """Say whose files are looked at though they were given: of the others a watch would run nothing either."""
        if self._is_once:
            return ()
        # Of files that no step reads nothing says that they were worked on.
        is_all = self._settings.outdated or self._own or not intake.nodes
        return _ALL if is_all else intake.able()

    def _parts(self, intake: Intake) -> list[Part]:
        """Give what a record may have: the inputs of its steps, else the files that it is told by."""
        workspace, sentinel = self._scope.workspace, self._settings.sentinel
        found: dict[tuple[tuple[str, str], ...], Part] = {}
        for node in intake.nodes:
            slots = intake.external[node.index]
            if slots:
                key = tuple(sorted(map(place_of, slots)))
                known = found.get(key, Part(slots)).sentinels
                more = [intake.sentinels[node.index]] if node.index in intake.sentinels else []
                found[key] = Part(slots, (*known, *more))
        own = [Part(slots) for slots in self._own]
        if found or own:
            return [*found.values(), *own]
        blueprint = workspace.blueprint
        task, modality = self._scope.task, self._scope.modality
        said = sentinel_slot(workspace, sentinel, task, modality)
        return [
            Part(source_slots(blueprint, patterns), () if said is None else (said,))
            for patterns in blueprint.id_sources(task, modality)
        ]


def source_slots(blueprint: Blueprint, patterns: Sequence[PathPattern]) -> tuple[Slot, ...]:
    """Give the files that ids are found by."""
    return tuple(Slot(None, one, blueprint.ids_root, blueprint.ids.entities) for one in patterns)


class _OneLook:
    """One look at records and their parts."""

    def __init__(self, survey: Survey, intake: Intake, parts: Sequence[Part], *, has_versions: bool) -> None:
        self._survey, self._intake, self._parts = survey, intake, parts
        self._has_versions = has_versions
        self._size = max(len(parts), 1)
        self._full = (1 << self._size) - 1

    def rows(self, compared: Container[int]) -> Iterator[tuple[str, int, bool]]:
        """Give each record with the parts of it that are there, as bits, and whether its files are looked at anew."""
        flags = [self._survey.have(part.slots) for part in self._parts]
        #: Bits by what is there.
        bits: dict[tuple[int, ...], int] = {}
        # What nothing tells of is there when it is listed.
        rows: Iterable[tuple[int, ...]] = zip(*flags, strict=True) if flags else repeat((1,))
        for place, (record_id, row) in enumerate(zip(self._survey.ids, rows, strict=False)):
            if row not in bits:
                bits[row] = sum(flag << number for number, flag in enumerate(row))
            if bits[row]:
                yield record_id, bits[row], place in compared

    def what_is_left(self, record_id: str, known: int, there: int) -> int:
        """Give the state of a record, of which parts may have vanished, when it was given."""
        had = known & self._full
        if had & ~there:
            return self.state_of(record_id, had & there) if had & there else 0
        return known

    def state_of(self, record_id: str, there: int) -> int:
        """Give what tells this version of some parts of a record from others; 0 when one of them has just vanished."""
        if not self._has_versions:
            return there
        prints: Prints = {}
        for part in self._of(there):
            prints |= self._intake.prints(part.slots, record_id)
        if None in prints.values():
            return 0
        return (hash(tuple(prints.items())) & _DIGEST) << self._size | there

    def is_complete(self, record_id: str, there: int) -> bool:
        """Say whether all parts of a record that are there are complete, and something of it is to be worked on."""
        nodes = self._intake.nodes
        if nodes and all(self._survey.exclusion(record_id, node) is not None for node in nodes):
            return False
        parts = list(self._of(there))
        if not all(self._survey.exists(one, record_id) for part in parts for one in part.sentinels):
            return False
        # At once: each of them is looked at, so that the time of all of them begins.
        return self._intake.are_quiet([slot for part in parts for slot in part.slots], record_id)

    def _of(self, there: int) -> Iterator[Part]:
        return (part for number, part in enumerate(self._parts) if there >> number & 1)


class _All:
    """All there are."""

    def __contains__(self, one: object) -> bool:
        return True


_ALL = _All()
#: Bits of what tells versions.
_DIGEST = (1 << 60) - 1
