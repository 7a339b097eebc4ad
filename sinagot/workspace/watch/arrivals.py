"""What has arrived and is complete: steps of records whose inputs are all there and have been quiet for a while.

Knows surveys and plans, and what it saw at its last look; must not run anything. `sinagot.workspace.watch.watching`
asks it again and again, and runs what it gives. Nothing that it keeps is needed: a new one finds what is left to do.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

from sinagot.config.hints import did_you_mean
from sinagot.config.settings import WatchSettings
from sinagot.dataset.patterns import PathPattern
from sinagot.dataset.prints import print_of
from sinagot.dataset.stillness import still_of
from sinagot.engine.accounts.ledger import Ledger
from sinagot.engine.job import Outcome
from sinagot.engine.paths import flat_paths
from sinagot.engine.planning.graph import RecordGraph, Slot, StepNode
from sinagot.engine.planning.plan import Verdict
from sinagot.engine.planning.survey import Survey
from sinagot.engine.state.claims import file_key
from sinagot.engine.state.history import Marks
from sinagot.errors import PatternError
from sinagot.scripts.codes import StepStatus
from sinagot.workspace.contracts import House, Selection
from sinagot.workspace.looks import survey_of

__all__ = ["Arrivals", "Look", "sentinel_of"]

#: Prints of the inputs of one job, by path.
Prints = dict[str, str | None]


class Look(NamedTuple):
    """What one look has found."""

    #: Steps that may run now, by record: their inputs are whole.
    ready: dict[str, frozenset[int]]
    #: Records of which some files are all there, and may still grow.
    waiting: tuple[str, ...]
    #: Seconds until the first of these may be whole; None when none is waiting.
    due: float | None
    #: How many records there are.
    known: int


class Arrivals:
    """What was seen of new files, from look to look.

    Parameters
    ----------
    retry : bool
        Steps that had failed before the first look run once more, though their inputs are as they were.
    clock : callable
        Seconds that never go back.
    """

    def __init__(self, *, retry: bool = False, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._retry = retry
        #: Marks of failures that are tried once more.
        self._again: set[str] = set()
        #: Path -> how it was, and since when.
        self._seen: dict[str, tuple[object, float]] = {}
        #: Job -> its inputs when it was tried here: as long as they are the same, it is not tried again.
        self._tried: dict[str, Prints] = {}
        self._about: dict[str, Prints] = {}

    def look(self, scope: Selection, settings: WatchSettings, *, outdated: bool, is_shared: bool) -> Look:
        """Look at the disk once.

        Parameters
        ----------
        scope : Selection
            The records and steps that are meant.
        settings : WatchSettings
            How long files must be quiet, and what else must be there.
        outdated : bool
            Results are made again when what they came from has changed.
        is_shared : bool
            The drive is one of several machines: what is known of a file may be old.

        Returns
        -------
        Look
            What may run now, and what may later.

        Notes
        -----
        What is up to date costs the listings of its folders. Files are looked at one by one only where a step could
        run; with `outdated`, all of them.
        """
        survey = survey_of(scope.workspace, scope.record_ids(), "outdated" if outdated else "missing")
        if self._retry:
            self._again, self._retry = set(survey.failed), False
        this = _OneLook(self, survey, scope, settings, is_shared)
        ready = {}
        for place in this.candidates(outdated=outdated):
            nodes = this.ready_of(place)
            if nodes:
                ready[survey.ids[place]] = nodes
        self._seen, self._tried = this.seen, this.tried
        self._about = this.about
        scope.workspace.note_problems(survey.problems)
        return Look(ready, tuple(this.waiting), this.due, len(survey.ids))

    def note(self, ledger: Ledger) -> None:
        """Take note of what became of jobs that were ready: what was tried is not tried again with the same inputs."""
        for record_id, node, outcome, _ in ledger.rows():
            key = node.key(record_id)
            if outcome not in (Outcome.INTERRUPTED, Outcome.NOT_BEGUN, "pending") and key in self._about:
                self._tried[key] = self._about[key]
                self._again.discard(file_key(key))


class _OneLook:
    """One look: each path is looked at once."""

    def __init__(
        self, last: Arrivals, survey: Survey, scope: Selection, settings: WatchSettings, is_shared: bool
    ) -> None:
        self._last, self._survey, self._quiet, self._is_shared = last, survey, settings.quiet, is_shared
        self._graph = survey.graph
        self._nodes = [node for node in scope.workspace.nodes_of(scope, None) if node.error is None]
        self._selected = frozenset(node.index for node in self._nodes)
        self._external = _external_slots(self._graph)
        self._marks = Marks(str(scope.workspace.configuration.state_path), "failures")
        sentinels = sentinel_of(scope.workspace, settings.sentinel, self._nodes)
        self._sentinels = {
            number: slot for number, slot in sentinels.items() if self._external[number]
        }  # the others read what was made here
        self._now = last._clock()
        self.seen: dict[str, tuple[object, float]] = {}
        self.tried: dict[str, Prints] = {}
        self.about: dict[str, Prints] = {}
        self.waiting: dict[str, None] = {}
        self.due: float | None = None

    # -- which records may have something to do

    def candidates(self, *, outdated: bool) -> Sequence[int]:
        """Give the records of which a step may run: by listings alone, but for what is outdated."""
        survey = self._survey
        found = set(self._able())
        if survey.failed or survey.claims:
            found |= {place for place, one in enumerate(survey.ids) if survey.is_marked(one)}
        if outdated:
            kept = [node for node in self._nodes if node.is_kept]
            rest = [place for place in range(len(survey.ids)) if place not in found]
            asked = [survey.ids[place] for place in rest]
            found |= {rest[place] for place in survey.changes.find_outdated(asked, kept)}
            survey.changes.origins.save()
        return sorted(found)

    def _able(self) -> Iterable[int]:
        """Give the records with a step whose outputs are not there, while its inputs are or will be."""
        size = len(self._survey.ids)
        #: One bit a record in the lowest place of its byte: whether the outputs of a node are there, or can be made.
        there: dict[int, int] = {}
        able = 0
        for node in self._graph.nodes:
            present = _bits(self._survey.present(node))
            can = 0
            if node.index in self._selected:
                slots = list(self._external[node.index])
                slots += [self._sentinels[node.index]] if node.index in self._sentinels else []
                can = _bits(self._survey.have(slots))
                for sources in self._feeders(node):
                    can &= _union(there[source] for source in sources)
                can &= ~present if node.is_kept else ~0
            there[node.index] = present | can if node.is_kept else can
            able |= can if node.is_kept else 0
        flags = able.to_bytes(size, "little")
        place = flags.find(1)
        while place >= 0:
            yield place
            place = flags.find(1, place + 1)

    def _feeders(self, node: StepNode) -> Iterable[list[int]]:
        """Give for each input that steps write, and each value that a step hands on, the steps that do."""
        nodes = self._graph.nodes
        for slot in node.inputs:
            key = _place_of(slot)
            writers = [one for one in node.upstream if key in map(_place_of, nodes[one].outputs)]
            if writers:
                yield writers
        for source in node.upstream:
            if not nodes[source].is_kept:
                yield [source]

    # -- which steps of a record

    def ready_of(self, place: int) -> frozenset[int]:
        """Give the steps of a record that may run now."""
        survey, nodes = self._survey, self._graph.nodes
        plans = survey.plan(place, ignore_missing=False, selected=self._selected)
        running = {job.node for planned in plans for job in planned if job.verdict == Verdict.RUN}
        kept: set[int] = set()
        for number in sorted(running):
            node = nodes[number]
            if running.intersection(node.upstream) <= kept and self._may_run(place, node, kept):
                kept.add(number)
        # What nobody needs, since what it would be made for does not run, is not made.
        for number in sorted(kept, reverse=True):
            if not nodes[number].is_kept and kept.isdisjoint(self._graph.takers[number]):
                kept.discard(number)
        return frozenset(kept)

    def _may_run(self, place: int, node: StepNode, kept: set[int]) -> bool:
        survey = self._survey
        record_id = survey.ids[place]
        claims = [survey.marks_of(record_id, self._graph.nodes[one])[0] for one in node.upstream]
        claim, mark = survey.marks_of(record_id, node)
        if claim == "live" or "live" in claims:
            return False  # another run is at it
        slots = self._external[node.index]
        if survey.missing(slots, record_id):
            return False
        key = node.key(record_id)
        prints = self._prints(node, record_id)
        # Where a step before it runs now, its inputs will be others.
        is_new = not kept.isdisjoint(node.upstream)
        if not is_new and self._last._tried.get(key) == prints:
            self.tried[key] = prints
            return False
        if mark is not None and not is_new and not self._may_retry(mark, prints):
            return False
        sentinel = self._sentinels.get(node.index)
        if sentinel is not None and not survey.exists(sentinel, record_id):
            return False
        if not self._are_quiet(slots, record_id):
            self.waiting[record_id] = None
            return False
        self.about[key] = prints
        return True

    def _prints(self, node: StepNode, record_id: str) -> Prints:
        found: Prints = {}
        for slot in node.inputs:
            for path in flat_paths(self._survey.resolve(slot, record_id)):
                try:
                    found[path] = print_of(path)
                except OSError:  # it is there and can't be looked at: the attempt will tell
                    found[path] = "?"
        return found

    def _may_retry(self, mark: str, prints: Prints) -> bool:
        """Say whether a job that failed is worth another attempt: its inputs are others, or it was cut off."""
        if mark in self._last._again:
            return True
        facts = self._marks.read(mark) or {}
        if facts.get("status") == StepStatus.INTERRUPTED:
            return True
        if (facts.get("retry_at") or 0) > time.time():
            return False  # a run is going to try it again
        known = facts.get("inputs")
        if not isinstance(known, Mapping):  # of an older version
            return any(_time_of(one) > float(facts.get("at") or math.inf) for one in prints.values())
        return {path: _version(one) for path, one in prints.items()} != {
            path: _version(one) for path, one in known.items() if path in prints or one is not None
        }

    def _are_quiet(self, slots: Iterable[Slot], record_id: str) -> bool:
        """Say whether files are as they were at an earlier look, long enough ago; all of them are looked at."""
        if not self._quiet:
            return True
        left = 0.0
        for slot in slots:
            found = self._survey.resolve(slot, record_id)
            if slot.free:  # another file that matches is a change as well
                left = max(
                    left, self._left(f"{record_id}\0{self._survey.text(slot, record_id)}", tuple(found))
                )
            for path in flat_paths(found):
                left = max(left, self._left(path, None))
        if left:
            self.due = left if self.due is None else min(self.due, left)
        return not left

    def _left(self, name: str, state: object) -> float:
        """Give the seconds that are left until something has been as it is for long enough."""
        if name not in self.seen:
            if state is None:
                state = still_of(name, is_shared=self._is_shared)
            before, since = self._last._seen.get(name, (None, 0.0))
            self.seen[name] = (state, since if before == state else self._now)
        return max(0.0, self.seen[name][1] + self._quiet - self._now)


def sentinel_of(
    workspace: House, sentinel: str | tuple[str, ...] | None, nodes: Iterable[StepNode]
) -> dict[int, Slot]:
    """Give the file that says that the inputs of a step are complete, by step.

    Raises
    ------
    PatternError
        It has a field that nothing tells.
    """
    if sentinel is None:
        return {}
    config, ids = workspace.configuration, workspace.blueprint.ids
    pattern = PathPattern(sentinel, where="watch.sentinel")
    known = {"id", *ids.entities, *(() if config.is_unit_mode else ("task", "modality"))}
    for field in sorted(pattern.fields - known):
        raise PatternError.at(
            f"unknown field {{{field}}} in {pattern.source!r}; known fields: "
            f"{', '.join(f'{{{name}}}' for name in sorted(known))}",
            key="watch.sentinel",
            hint=did_you_mean(field, sorted(known)) or None,
            found=field,
            allowed=sorted(known),
        )
    found = {}
    for node in nodes:
        bound = pattern.bind(**workspace.blueprint.labels(node.task, node.modality))
        if bound.fields <= {"id", *ids.entities}:  # a step of no task has no file of one
            found[node.index] = Slot(None, bound, str(config.data_path), ids.entities)
    return found


def _external_slots(graph: RecordGraph) -> list[tuple[Slot, ...]]:
    """Give for each step the inputs that no step writes, also those of the values that are made for it."""
    written = {_place_of(slot) for node in graph.nodes for slot in node.outputs}
    found: list[tuple[Slot, ...]] = []
    for node in graph.nodes:
        slots = [slot for slot in node.inputs if _place_of(slot) not in written]
        for source in node.upstream:
            slots += () if graph.nodes[source].is_kept else found[source]
        found.append(tuple(slots))
    return found


def _place_of(slot: Slot) -> tuple[str, str]:
    return slot.root, slot.pattern.canonical


def _bits(flags: bytearray) -> int:
    return int.from_bytes(flags, "little")


def _union(many: Iterable[int]) -> int:
    found = 0
    for one in many:
        found |= one
    return found


def _version(text: object) -> str | None:
    """Give size and time of a print, without what the content says."""
    return None if text is None else " ".join(str(text).split(" ")[:2])


def _time_of(text: str | None) -> float:
    parts = (text or "").split(" ")
    return int(parts[1]) / 1e9 if len(parts) > 1 else -math.inf
