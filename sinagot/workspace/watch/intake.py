"""What has come from outside and is complete: inputs that no step writes, all there and at rest.

Knows surveys, and how files were at earlier looks; must not know what is done with what is complete. Steps that run by
themselves (`arrivals`) and records that are streamed (`newcomers`) have these rules from here.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

from sinagot.config.hints import did_you_mean
from sinagot.config.settings import WatchSettings
from sinagot.dataset.patterns import PathPattern
from sinagot.dataset.prints import print_of
from sinagot.dataset.stillness import is_empty, still_of
from sinagot.dataset.writers import Writers
from sinagot.engine.paths import flat_paths
from sinagot.engine.planning.graph import RecordGraph, Slot, StepNode
from sinagot.engine.planning.survey import Survey
from sinagot.errors import PatternError
from sinagot.workspace.contracts import House, Selection

__all__ = ["Intake", "Prints", "Quiet", "place_of", "sentinel_of", "sentinel_slot"]

#: Seconds after which who holds a file open is asked again at most, and the part of how long nothing was written.
_RARELY, _PAUSES = 10.0, 10
#: Prints of files, by path.
Prints = dict[str, str | None]


class Quiet:
    """How files were, and since when, from look to look.

    Parameters
    ----------
    clock : callable
        Seconds that never go back.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.clock = clock
        #: Path -> how it was, and since when.
        self.seen: dict[str, tuple[object, float]] = {}


class Intake:
    """What of the inputs from outside is there and complete, at one look; each path is looked at once.

    Parameters
    ----------
    quiet : Quiet
        What the looks before have seen.
    survey : Survey
        What is there.
    scope : Selection
        The records and steps that are meant.
    settings : WatchSettings
        How long files must be quiet, and what else must be there.
    is_shared : bool
        The drive is one of several machines: what is known of a file may be old.
    moment : float, optional
        Seconds that are long enough for a file that nobody has open for writing, by the word of the kernel; without
        it the kernel is not asked.
    """

    def __init__(
        self,
        quiet: Quiet,
        survey: Survey,
        scope: Selection,
        settings: WatchSettings,
        *,
        is_shared: bool,
        moment: float | None = None,
    ) -> None:
        self._last, self._now = quiet, quiet.clock()
        self._survey, self._quiet, self._is_shared = survey, settings.quiet, is_shared
        self._moment = None if is_shared else moment
        self._writers = Writers()
        #: The steps that are meant, but for those that can't be loaded.
        self.nodes = [node for node in scope.workspace.nodes_of(scope, None) if node.error is None]
        self.selected = frozenset(node.index for node in self.nodes)
        #: For each step the inputs that no step writes.
        self.external = _external_slots(survey.graph)
        sentinels = sentinel_of(scope.workspace, settings.sentinel, self.nodes)
        self.sentinels = {
            number: slot for number, slot in sentinels.items() if self.external[number]
        }  # the others read what was made here
        self._seen: dict[str, tuple[object, float]] = {}
        #: Seconds until the first of what was not at rest may be; None when all was.
        self.due: float | None = None

    def keep(self) -> None:
        """Let the next look go on from what this one has seen."""
        self._last.seen = self._seen

    # -- which records may have something to do

    def able(self) -> set[int]:
        """Give the records of which a step is to be done and may be, or had failed: by listings alone."""
        survey = self._survey
        found = set(self._able())
        if survey.failed or survey.claims:
            found |= {place for place, one in enumerate(survey.ids) if survey.is_marked(one)}
        return found

    def _able(self) -> Iterable[int]:
        """Give the records with a step whose outputs are not there, while its inputs are or will be."""
        size = len(self._survey.ids)
        #: One bit a record in the lowest place of its byte: whether the outputs of a node are there, or can be made.
        there: dict[int, int] = {}
        able = 0
        for node in self._survey.graph.nodes:
            present = _bits(self._survey.present(node))
            can = 0
            if node.index in self.selected:
                slots = list(self.external[node.index])
                slots += [self.sentinels[node.index]] if node.index in self.sentinels else []
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
        nodes = self._survey.graph.nodes
        for slot in node.inputs:
            key = place_of(slot)
            writers = [one for one in node.upstream if key in map(place_of, nodes[one].outputs)]
            if writers:
                yield writers
        for source in node.upstream:
            if not nodes[source].is_kept:
                yield [source]

    # -- how the files of a record are

    def prints(self, slots: Iterable[Slot], record_id: str) -> Prints:
        """Give what tells this version of some files from others, by path; each is looked at."""
        found: Prints = {}
        for slot in slots:
            for path in flat_paths(self._survey.resolve(slot, record_id)):
                try:
                    found[path] = print_of(path)
                except OSError:  # it is there and can't be looked at: the attempt will tell
                    found[path] = "?"
        return found

    def are_quiet(self, slots: Iterable[Slot], record_id: str) -> bool:
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
                left = max(left, self._left_of_file(path, is_alone=not slot.free))
        if left:
            self.due = left if self.due is None else min(self.due, left)
        return not left

    def _left(self, name: str, state: object) -> float:
        """Give the seconds that are left until something has been as it is for long enough."""
        if name not in self._seen:
            before, since = self._last.seen.get(name, (None, 0.0))
            self._seen[name] = (state, since if before == state else self._now)
        return max(0.0, self._seen[name][1] + self._quiet - self._now)

    def _left_of_file(self, path: str, *, is_alone: bool) -> float:
        """Give the seconds that are left for one path; less when nobody writes it, and it is all there is to come."""
        if path not in self._seen:
            self._left(path, still_of(path, is_shared=self._is_shared))
        state, since = self._seen[path]
        rested, moment = self._now - since, self._moment
        if moment is None:
            return max(0.0, self._quiet - rested)
        if rested < moment:
            return moment - rested  # then it is worth asking
        is_written = self._writers.is_written(path)
        if is_written:  # of an end without a last word nothing tells: who pauses for long is asked less often
            return max(moment, min(_RARELY, rested / _PAUSES))
        if is_written is None or not is_alone or is_empty(state):
            return max(0.0, self._quiet - rested)
        # What was written between the look and the answer is another version.
        return 0.0 if still_of(path) == state else moment


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
    pattern = _sentinel_pattern(workspace, sentinel)
    slots = {node.index: _sentinel_slot(workspace, pattern, node.task, node.modality) for node in nodes}
    return {number: slot for number, slot in slots.items() if slot is not None}


def sentinel_slot(
    workspace: House, sentinel: str | tuple[str, ...] | None, task: str | None, modality: str | None
) -> Slot | None:
    """Give the file that says that what a task and modality have is complete; None where there is none.

    Raises
    ------
    PatternError
        It has a field that nothing tells.
    """
    if sentinel is None:
        return None
    return _sentinel_slot(workspace, _sentinel_pattern(workspace, sentinel), task, modality)


def _sentinel_pattern(workspace: House, sentinel: str | tuple[str, ...]) -> PathPattern:
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
    return pattern


def _sentinel_slot(
    workspace: House, pattern: PathPattern, task: str | None, modality: str | None
) -> Slot | None:
    ids = workspace.blueprint.ids
    bound = pattern.bind(**workspace.blueprint.labels(task, modality))
    if not bound.fields <= {"id", *ids.entities}:  # a step of no task has no file of one
        return None
    return Slot(None, bound, str(workspace.configuration.data_path), ids.entities)


def _external_slots(graph: RecordGraph) -> list[tuple[Slot, ...]]:
    """Give for each step the inputs that no step writes, also those of the values that are made for it."""
    written = {place_of(slot) for node in graph.nodes for slot in node.outputs}
    found: list[tuple[Slot, ...]] = []
    for node in graph.nodes:
        slots = [slot for slot in node.inputs if place_of(slot) not in written]
        for source in node.upstream:
            slots += () if graph.nodes[source].is_kept else found[source]
        found.append(tuple(slots))
    return found


def place_of(slot: Slot) -> tuple[str, str]:
    """Give root and pattern of a slot, which tell it from others."""
    return slot.root, slot.pattern.canonical


def _bits(flags: bytearray) -> int:
    return int.from_bytes(flags, "little")


def _union(many: Iterable[int]) -> int:
    found = 0
    for one in many:
        found |= one
    return found
