"""What changed since results were made, looked up with as few file-system calls as possible.

Knows origins and how to look at files; must not decide what runs. A survey asks it, for steps that run again when
something changed.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from functools import cached_property, partial
from typing import Any, NamedTuple, Protocol

from sinagot.config.settings import StepSettings
from sinagot.dataset.prints import States, print_of, states_in
from sinagot.engine.inputs import Look, look_at
from sinagot.engine.paths import Paths, flat_paths
from sinagot.engine.planning.graph import RecordGraph, Slot, StepNode
from sinagot.engine.planning.outdated import Present, outdated_reasons
from sinagot.engine.planning.plan import Reason
from sinagot.engine.state.history import read_manifest
from sinagot.engine.state.origins import (
    Origin,
    Origins,
    Prints,
    params_text,
    prints_of,
    same_prints,
    short_path,
)

__all__ = ["DAMAGED", "Changes", "ParamsOf", "Seen", "no_params"]

#: Code of the reason that an output is not what was made.
DAMAGED = "output_changed"

#: Records that are looked at together.
_BLOCK = 4096

#: Side of a step, whether it is a dict, and record id -> full paths.
PathsOf = Callable[[Sequence[Slot], bool, str], Paths]
#: Slot and record id -> its path as text, with a star for each free field.
TextOf = Callable[[Slot, str], str]


class ParamsOf(Protocol):
    """Gives the parameters of a step for a record."""

    @property
    def exceptions(self) -> Collection[str]:
        """Records that may have other parameters than all others."""

    def __call__(self, node: StepNode, record_id: str) -> Mapping[str, Any]:
        """Give them."""


class _NoParams:
    """Gives the parameters of steps that have none."""

    exceptions: Collection[str] = ()

    def __call__(self, node: StepNode, record_id: str) -> Mapping[str, Any]:
        return {}


no_params = _NoParams()


class _Side(NamedTuple):
    """One side of a step whose paths depend on the id alone."""

    slots: tuple[Slot, ...]
    #: Places of those that are told by their content.
    read: tuple[int, ...] = ()

    @classmethod
    def of(cls, slots: Sequence[Slot], settings: StepSettings | None = None) -> _Side | None:
        is_plain = all(
            slot.formatter is not None and not os.path.isabs(slot.pattern.source) for slot in slots
        )
        if not is_plain:
            return None
        ways = [settings.check_of(slot.name) for slot in slots] if settings is not None else []
        return cls(tuple(slots), tuple(place for place, way in enumerate(ways) if way == "digest"))

    def states(self, ids: Sequence[str], seen: Seen) -> list[States]:
        """Give what is there now, path by path; what was looked at before is not looked at again."""
        for slot in self.slots:
            key = (slot.root, slot.pattern.canonical)
            if key not in seen:
                seen[key] = _column(slot, ids)
        return [seen[slot.root, slot.pattern.canonical] for slot in self.slots]

    def times(self, ids: Sequence[str], seen: Seen) -> list[list[int]]:
        """Give the times of change of what is there, record by record."""
        columns = [states.known_times() for states in self.states(ids, seen)]
        rows = [[column[place] for column in columns] for place in range(len(ids))]
        return [[time for time in row if time is not None] for row in rows]


#: Root and pattern -> what is there of some records: a step's output is the next one's input.
Seen = dict[tuple[str, str], States]


def _column(slot: Slot, ids: Sequence[str]) -> States:
    make, skip = slot.formatter, slot.skip
    assert make is not None
    folder = os.path.join(slot.root, slot.folder) if slot.folder else slot.root
    return states_in(folder, [make(record_id)[skip:] for record_id in ids])


def _times(prints: Sequence[Any]) -> list[int]:
    """Give the times of change in some prints, in nanoseconds."""
    texts = [
        text for one in prints for text in ([each for _, each in one] if isinstance(one, list) else [one])
    ]
    return [int(text.split(" ")[1]) for text in texts if text is not None]


def _nanoseconds(time: str) -> int:
    """Read the time of an event."""
    from datetime import datetime  # only where an output is not what was made last

    return int(datetime.fromisoformat(time).timestamp() * 1e9)


class _Shape(NamedTuple):
    """What is looked up once for all records of a step."""

    end: str
    inputs: _Side | None
    outputs: _Side | None
    code: str
    paths: str


class Changes:
    """What changed since the results of some records were made.

    Parameters
    ----------
    graph : RecordGraph
        The steps.
    state : str
        The state folder.
    paths_of, text_of, params_of : callable
        How to find the paths and parameters of a job.
    origins : Origins, optional
        What results came from, where it is read already.
    """

    def __init__(
        self,
        graph: RecordGraph,
        state: str,
        paths_of: PathsOf,
        text_of: TextOf,
        params_of: ParamsOf,
        origins: Origins | None = None,
    ) -> None:
        self._origins = origins
        self._state = state
        self._paths_of = paths_of
        self._text_of = text_of
        self._params_of = params_of
        self._roots = graph.roots
        self._shapes: dict[int, _Shape] = {}
        #: The parameters that were asked for last, and their text: nearly always those of all records.
        self._params: dict[int, tuple[Mapping[str, Any], str]] = {}
        #: Files of the scripts of earlier runs, by run and step.
        self._sources: dict[str, dict[str, dict[str, str]]] = {}

    @cached_property
    def origins(self) -> Origins:
        """What results came from; read on first use."""
        return self._origins if self._origins is not None else Origins(self._state)

    def present(self, record_id: str, node: StepNode, *, content: bool | None = None) -> Present:
        """Look at what is there now for a job whose outputs are there; `content` reads all of it, or nothing."""
        assert node.job_step is not None
        inputs = self._paths_of(node.inputs, node.is_dict_in, record_id)
        outputs = self._paths_of(node.outputs, node.is_dict_out, record_id)
        return Present(
            [os.path.relpath(self._text_of(slot, record_id), slot.root) for slot in node.inputs],
            prints_of(inputs, self._look(node, [inputs], content), self.short),
            prints_of(outputs, partial(print_of, content=bool(content)), self.short),
            node.job_step.source.digest,
            self._params_text(node, record_id),
            node.job_step.paths,
        )

    @staticmethod
    def _look(node: StepNode, inputs: Iterable[Paths], content: bool | None) -> Look:
        if content is None and node.settings.check == "content":
            content = False  # it is asked for where size or time differ
        return look_at(node.settings, inputs) if content is None else partial(print_of, content=content)

    def short(self, path: str) -> str:
        """Give a path as origins keep it."""
        return short_path(path, *self._roots)

    def _params_text(self, node: StepNode, record_id: str) -> str:
        params = self._params_of(node, record_id)
        if not params:
            return "{}"
        # One object serves all records of a step: its text is made once.
        known = self._params.get(id(params))
        if known is None or known[0] is not params:
            known = self._params[id(params)] = (params, params_text(params))
        return known[1]

    def reasons(self, record_id: str, node: StepNode) -> tuple[Reason, ...]:
        """Say what changed since the outputs of a job were made."""
        if node.settings.check == "content":
            return self._content_reasons(record_id, node)
        origin, now = self.origins.get(node.key(record_id)), self.present(record_id, node)
        if origin is not None and not same_prints(origin.outputs, now.outputs):
            origin = self._maker(node.key(record_id), now.outputs, origin)
        reasons = outdated_reasons(origin, now)
        if origin is None:
            return reasons
        return tuple(
            self._with_files(reason, origin.run_id, node) if reason.code == "script_changed" else reason
            for reason in reasons
        )

    def _content_reasons(self, record_id: str, node: StepNode) -> tuple[Reason, ...]:
        """Say what changed where size and time decide first, and content where these differ.

        A result that no attempt is known to have made is trusted; one that is not what was made is damaged.
        """
        key = node.key(record_id)
        origin, now = self.origins.get(key), self.present(record_id, node)
        if origin is None:
            return ()
        if not (same_prints(origin.outputs, now.outputs) and same_prints(origin.inputs, now.inputs)):
            now = self.present(record_id, node, content=True)
        if not same_prints(origin.outputs, now.outputs):
            former = self.origins.find(key, partial(same_prints, now.outputs))
            if former is not None:
                origin = former  # an older result was put back
            elif all(text is not None and text.count(" ") == 2 for text in origin.outputs):
                text = "what is stored is not what was made: it is put aside, and made again"
                return (Reason(DAMAGED, text, "output", str(origin.outputs), str(now.outputs)),)
            else:
                return ()  # too large for a digest: nobody can tell
        return tuple(
            self._with_files(reason, origin.run_id, node) if reason.code == "script_changed" else reason
            for reason in outdated_reasons(origin, now)
        )

    def is_source_outdated(self, record_id: str, node: StepNode) -> bool:
        """Say of a result that is not there any more whether it would be made otherwise now than it was."""
        return self.origins.get(node.key(record_id)) is not None and not self.is_as_before(record_id, node)

    def is_as_before(self, record_id: str, node: StepNode) -> bool:
        """Say of a result that is not there any more whether it is known that it would be made as it was."""
        origin = self.origins.get(node.key(record_id))
        if origin is None:
            return False
        now = self.present(record_id, node)
        if not same_prints(origin.inputs, now.inputs):
            now = self.present(record_id, node, content=True)
        return not outdated_reasons(origin, now._replace(outputs=origin.outputs))

    def _maker(self, key: str, outputs: Prints, newest: Origin) -> Origin:
        """Give the attempt that made what is there now, where that is older than the newest attempt says it is."""
        times = _times(outputs)
        if not times or max(times) > _nanoseconds(newest.time):
            return newest  # edited since: nobody's
        return self.origins.find(key, partial(same_prints, outputs)) or newest

    def _with_files(self, reason: Reason, run_id: str, node: StepNode) -> Reason:
        """Name the files of a script that changed, as far as the run that used the former ones has told them."""
        assert node.job_step is not None
        if run_id not in self._sources:
            self._sources[run_id] = read_manifest(self._state, run_id).get("sources", {})
        before = self._sources[run_id].get(node.place)
        now = node.job_step.source.named_digests
        if before is None:
            return reason
        names = ", ".join(sorted(name for name in {*before, *now} if before.get(name) != now.get(name)))
        return reason._replace(text=f"{reason.text}: {names}", subject=names or reason.subject)

    def find_outdated(self, ids: Sequence[str], nodes: Sequence[StepNode]) -> Iterator[int]:
        """Give the places of the records of which a result of some steps is not what would be made now.

        Parameters
        ----------
        ids : sequence of str
            The records; all outputs of the steps are there.
        nodes : sequence of StepNode
            The steps.

        Notes
        -----
        One stat a path: all records of a step are compared at once, and looked at closely where something differs.
        Inputs that are told by their content are read where all else is as it was.
        """
        for place in self._iter_doubtful(ids, nodes):
            if any(self.reasons(ids[place], node) for node in nodes):
                yield place

    def find_doubtful(self, ids: Sequence[str], nodes: Sequence[StepNode]) -> list[int] | None:
        """Give the places of the records of which some output is absent, or not for certain what would be made now.

        Parameters
        ----------
        ids : sequence of str
            The records.
        nodes : sequence of StepNode
            The steps.

        Returns
        -------
        list of int or None
            None where too little is known of the results to tell by looking at each of them.
        """
        shapes = map(self._shape, nodes)
        if any(
            shape.inputs is None or shape.outputs is None or 2 * self.origins.count(shape.end) < len(ids)
            for shape in shapes
        ):
            return None
        return list(self._iter_doubtful(ids, nodes))

    def _iter_doubtful(self, ids: Sequence[str], nodes: Sequence[StepNode]) -> Iterator[int]:
        for start in range(0, len(ids), _BLOCK):
            block = ids[start : start + _BLOCK]
            doubtful: set[int] = set()
            seen: Seen = {}
            for node in nodes:
                doubtful.update(self._find_doubtful(block, node, seen))
            yield from (start + place for place in sorted(doubtful))

    def _find_doubtful(self, ids: Sequence[str], node: StepNode, seen: Seen) -> Collection[int]:
        """Give the places of records that are not what their origin says."""
        shape, own = self._shape(node), self._params_of.exceptions
        if shape.inputs is None or shape.outputs is None:
            return range(len(ids))
        special = {place for place, record_id in enumerate(ids) if record_id in own} if own else set()
        usual = next((record_id for place, record_id in enumerate(ids) if place not in special), None)
        if usual is None:
            return special
        inputs: list[States | None] = [*shape.inputs.states(ids, seen)]
        for number in shape.inputs.read:
            inputs[number] = None
        texts = (shape.code, self._params_text(node, usual), shape.paths)
        outputs = shape.outputs.states(ids, seen)
        found = special | self.origins.differing(shape.end, ids, inputs, outputs, texts)
        if shape.inputs.read:
            alike = [place for place in range(len(ids)) if place not in found]
            found.update(
                place for place in alike if not self._is_same_content(ids[place], node, shape.inputs)
            )
        return found

    def _is_same_content(self, record_id: str, node: StepNode, side: _Side) -> bool:
        """Say whether the inputs that are told by their content are those that were read."""
        origin = self.origins.get(node.key(record_id))
        paths = flat_paths(self._paths_of(node.inputs, node.is_dict_in, record_id))
        now = [print_of(paths[number], content=True) for number in side.read]
        return origin is not None and same_prints([origin.inputs[number] for number in side.read], now)

    def is_outdated(self, record_id: str, node: StepNode) -> bool:
        """Say whether anything changed since the outputs of a job were made; they are there."""
        return any(True for _ in self.find_outdated([record_id], [node]))

    def older(self, ids: Sequence[str], node: StepNode, seen: Seen) -> list[bool]:
        """Say of each record whether an output of a step is older than an input; what was looked at is in `seen`."""
        shape = self._shape(node)
        if shape.inputs is None or shape.outputs is None:
            looks = [self.present(record_id, node, content=False) for record_id in ids]
            times = [(_times(now.inputs), _times(now.outputs)) for now in looks]
        else:
            before, after = shape.inputs.times(ids, seen), shape.outputs.times(ids, seen)
            times = list(zip(before, after, strict=True))
        return [bool(inputs and outputs) and max(inputs) > min(outputs) for inputs, outputs in times]

    def _shape(self, node: StepNode) -> _Shape:
        shape = self._shapes.get(node.index)
        if shape is None:
            assert node.job_step is not None
            shape = self._shapes[node.index] = _Shape(
                node.place_key,
                _Side.of(node.inputs, node.settings),
                _Side.of(node.outputs),
                node.job_step.source.digest,
                node.job_step.paths,
            )
        return shape
