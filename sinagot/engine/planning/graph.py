"""The shape of the work on one record: its steps in order, what each reads and writes, and who feeds whom.

Made once per workspace and question, applied to every record. Knows path patterns and steps; must not know records
on disk.
"""

from __future__ import annotations

import heapq
import os
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from typing import Any

from sinagot.config.settings import StepSettings
from sinagot.dataset.patterns import PathPattern
from sinagot.engine.job import JobStep, job_key
from sinagot.engine.paths import Paths
from sinagot.errors import ConfigurationError, ScriptError
from sinagot.scripts.group import GROUP_ID

__all__ = ["RecordGraph", "Slot", "StepNode", "on_the_way"]

Values = Mapping[str, str]


class Slot:
    """One declared path of a step: its name in a dict (or None), its pattern and the folder it is below."""

    __slots__ = ("folder", "formatter", "free", "full", "name", "pattern", "root", "skip")

    def __init__(self, name: str | None, pattern: PathPattern, root: str, entities: frozenset[str]) -> None:
        self.name = name
        self.pattern = pattern
        #: Fields that are not part of the id: the path stands for all its matches.
        self.free = pattern.fields - entities - {"id"}
        #: Record id -> relative path, where the id is the only field.
        self.formatter = pattern.formatter()
        self.folder = pattern.folder if self.formatter is not None else None
        #: Characters of the relative path before the file name.
        self.skip = len(self.folder) + 1 if self.folder else 0
        self.move_to(root)

    def move_to(self, root: str) -> None:
        """Say which folder the path is below."""
        self.root = root
        # Joined here once: doing it for each record costs a tenth of planning it.
        is_below = self.folder is not None and not os.path.isabs(self.folder)
        #: Record id -> full path, where that is as simple.
        self.full = self.pattern.formatter(root.rstrip("/") + "/") if is_below else None

    def relative(self, values: Values) -> str:
        """Give the path below the root for one record."""
        return self.formatter(values["id"]) if self.formatter is not None else self.pattern.format(values)

    def final(self, values: Values) -> str:
        """Give the full path for one record."""
        if self.full is not None:
            return self.full(values["id"])
        return os.path.join(self.root, self.relative(values))


class StepNode:
    """One step at its place in a record's work."""

    __slots__ = (
        "control",
        "error",
        "index",
        "inputs",
        "is_common",
        "is_dict_in",
        "is_dict_out",
        "job_step",
        "label",
        "modality",
        "outputs",
        "params",
        "place_key",
        "step_index",
        "takes",
        "task",
        "upstream",
    )

    def __init__(
        self,
        label: str,
        step_index: int,
        task: str | None,
        modality: str | None,
        *,
        inputs: Sequence[Slot] = (),
        outputs: Sequence[Slot] = (),
        control: Sequence[Slot] = (),
        is_dict_in: bool = False,
        is_dict_out: bool = False,
        job_step: JobStep | None = None,
        error: ScriptError | None = None,
        takes: Sequence[str] = (),
        params: Mapping[str, Any] | None = None,
        is_common: bool = False,
    ) -> None:
        self.label = label
        self.step_index = step_index
        self.task = task
        self.modality = modality
        self.inputs = tuple(inputs)
        self.outputs = tuple(outputs)
        self.control = tuple(control)
        self.is_dict_in = is_dict_in
        self.is_dict_out = is_dict_out
        self.job_step = job_step
        self.error = error
        #: Ends of the keys of the steps whose values it takes, where no file holds these.
        self.takes = frozenset(takes)
        #: Parameters that stand in the step itself; None for a step that takes those of the configuration.
        self.params = params
        #: It reads nothing of a single record, and all records share its result.
        self.is_common = is_common
        self.index = -1
        self.upstream: tuple[int, ...] = ()
        #: The end that the keys of all its jobs have.
        self.place_key = job_key("", task, modality, label)

    def key(self, record_id: str) -> str:
        """Give the key of this step's job for one record."""
        if self.is_common:
            return GROUP_ID + self.place_key
        return record_id + self.place_key

    @property
    def is_node(self) -> bool:
        """Whether it is a node of a workflow class."""
        return self.params is not None

    @property
    def is_kept(self) -> bool:
        """Whether its result is stored; one that is not is made when somebody needs it."""
        return bool(self.outputs)

    @property
    def is_shared(self) -> bool:
        """Whether all records have one result: the first one makes it, the others find it."""
        return self.is_node and self.is_kept and not any(slot.pattern.fields for slot in self.outputs)

    @property
    def settings(self) -> StepSettings:
        """What holds for the step beyond its paths."""
        return self.job_step.settings if self.job_step is not None else StepSettings()

    @property
    def place(self) -> str:
        """Give the step's name as people read it: ``RS-EEG-alpha`` or ``count``."""
        return self.label if self.modality is None else f"{self.task}-{self.modality}-{self.label}"

    @staticmethod
    def paths(slots: Sequence[Slot], is_dict: bool, resolve: Callable[[Slot], Any]) -> Paths:
        """Give the paths of slots in the shape that the script declared."""
        if is_dict:
            return {str(slot.name): resolve(slot) for slot in slots}
        paths: Paths = resolve(slots[0])
        return paths


class RecordGraph:
    """All steps of one record in running order, and the chains that can run apart.

    Parameters
    ----------
    nodes : sequence of StepNode
        In configuration order: unit by unit, each unit's steps in their order. Patterns are bound to task and modality.
    groups : sequence of StepNode
        Steps that run once, for all records, after those that write their inputs.
    roots : sequence of str
        Folders below which the files of its steps lie; each path is noted below the first one that it is below.

    Attributes
    ----------
    nodes : tuple of StepNode
        In running order: configuration order, except where another unit's output must come first.
    chains : tuple of tuple of int
        Indices of nodes that belong together: one worker runs each of them in order.

    Raises
    ------
    ConfigurationError
        Steps wait for each other in a circle.
    """

    def __init__(
        self, nodes: Sequence[StepNode], groups: Sequence[StepNode] = (), roots: Sequence[str] = ()
    ) -> None:
        self.roots = tuple(roots)
        edges, same_unit = _edges(nodes)
        order = _order(nodes, edges, same_unit)
        place = {old: new for new, old in enumerate(order)}
        self.nodes = tuple(nodes[old] for old in order)
        for old, new in place.items():
            nodes[old].index = new
            nodes[old].upstream = tuple(sorted(place[source] for source in edges[old]))
        self.chains = _chains(self.nodes)
        #: For each step, those that take its value without a file.
        self.takers = tuple(
            tuple(other.index for other in self.nodes if node.place_key in other.takes) for node in self.nodes
        )
        #: In configuration order; their indices go on where those of `nodes` end.
        self.groups = tuple(groups)
        for number, group in enumerate(groups, start=len(nodes)):
            group.index = number
            group.upstream = tuple(node.index for node in self.nodes if _feeds(node, group))

    def stored_takers(self, number: int) -> Iterator[int]:
        """Give the steps with a stored result for which a value is made, directly or through other values."""
        for taker in self.takers[number]:
            if self.nodes[taker].is_kept:
                yield taker
            else:
                yield from self.stored_takers(taker)

    def node(self, number: int) -> StepNode:
        """Give a step of records or a group step by its index."""
        count = len(self.nodes)
        return self.nodes[number] if number < count else self.groups[number - count]

    def is_group(self, number: int) -> bool:
        """Say whether an index is that of a group step."""
        return number >= len(self.nodes)


def _feeds(node: StepNode, other: StepNode) -> bool:
    """Say whether a step writes an input of another one."""
    written = {(slot.root, slot.pattern.canonical) for slot in node.outputs}
    return any((slot.root, slot.pattern.canonical) in written for slot in other.inputs)


def _edges(nodes: Sequence[StepNode]) -> tuple[list[set[int]], list[int | None]]:
    """Find who feeds whom: an input pattern that equals an output pattern of another step."""
    writers: dict[tuple[str, str], list[int]] = {}
    for number, node in enumerate(nodes):
        for slot in node.outputs:
            writers.setdefault((slot.root, slot.pattern.canonical), []).append(number)
    reads = [{(slot.root, slot.pattern.canonical) for slot in node.inputs} for node in nodes]
    edges: list[set[int]] = [set() for _ in nodes]
    before: list[int | None] = []
    last: dict[tuple[str | None, str | None], int] = {}
    by_key = {node.place_key: number for number, node in enumerate(nodes)}
    for number, node in enumerate(nodes):
        unit = (node.task, node.modality)
        edges[number].update(by_key[end] for end in node.takes)
        before.append(last.get(unit))
        last[unit] = number
        for slot in node.outputs:
            # A result that several tasks share is made by the first of them; the others come after it.
            edges[number].update(
                other for other in writers[slot.root, slot.pattern.canonical] if other < number
            )
        for slot in node.inputs:
            for source in writers.get((slot.root, slot.pattern.canonical), ()):
                other = nodes[source]
                # Within a unit the configured order rules, unless the two feed each other.
                feeds_back = any(
                    (slot.root, slot.pattern.canonical) in reads[source] for slot in node.outputs
                )
                if source != number and (
                    (other.task, other.modality) != unit or source < number or feeds_back
                ):
                    edges[number].add(source)
    return edges, before


def _circle(nodes: Sequence[StepNode], waits: Sequence[set[int]]) -> ConfigurationError:
    """Name the steps of which each waits for the next."""
    number = next(number for number, sources in enumerate(waits) if sources)
    path: list[int] = []
    while number not in path:  # whoever still waits, waits for one that does
        path.append(number)
        number = min(waits[number])
    circle = [nodes[one].place for one in path[path.index(number) :]][::-1]
    return ConfigurationError.at(
        f"steps wait for each other in a circle: {' -> '.join([*circle, circle[0]])}",
        hint="let one of them read another file, or change the order of the steps",
    )


def _order(nodes: Sequence[StepNode], edges: list[set[int]], before: list[int | None]) -> list[int]:
    """Sort the steps: each unit's order is kept, edges between units are honoured, ties go by configuration."""
    waits: list[set[int]] = [set(sources) for sources in edges]
    for number, previous in enumerate(before):
        if previous is not None:
            waits[number].add(previous)
    followers: list[list[int]] = [[] for _ in nodes]
    for number, sources in enumerate(waits):
        for source in sources:
            followers[source].append(number)
    ready = [number for number, sources in enumerate(waits) if not sources]
    order: list[int] = []
    while len(order) < len(nodes):
        if not ready:
            raise _circle(nodes, waits)
        number = heapq.heappop(ready)
        order.append(number)
        for follower in followers[number]:
            if number in waits[follower]:
                waits[follower].discard(number)
                if not waits[follower]:
                    heapq.heappush(ready, follower)
    return order


def _chains(nodes: Sequence[StepNode]) -> tuple[tuple[int, ...], ...]:
    """Group steps that share a unit or feed each other."""
    leader = list(range(len(nodes)))

    def find(number: int) -> int:
        while leader[number] != number:
            number = leader[number]
        return number

    units: dict[tuple[str | None, str | None], int] = {}
    for node in nodes:
        first = units.setdefault((node.task, node.modality), node.index)
        for other in (first, *node.upstream):
            low, high = sorted((find(node.index), find(other)))
            leader[high] = low
    groups: dict[int, list[int]] = {}
    for node in nodes:
        groups.setdefault(find(node.index), []).append(node.index)
    return tuple(tuple(group) for group in groups.values())


def on_the_way(nodes: Iterable[StepNode], asked: Container[int]) -> frozenset[int]:
    """Give the nodes of workflow classes whose results are stored, but for those that were asked for themselves."""
    return frozenset(
        node.index for node in nodes if node.is_kept and node.is_node and node.index not in asked
    )
