"""The walk along a pattern: into folders whose names match, and into no others.

Knows how to follow a pattern through a listing; must not know ids of records beyond the rules it is given.
`sinagot.dataset.scan` makes ids and paths of what it finds.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import NamedTuple

from sinagot.dataset import segments
from sinagot.dataset.listings import Listing, below, printable
from sinagot.dataset.patterns import STATE_FOLDER, PathPattern, is_utf8
from sinagot.dataset.records import RecordIds, ValueRule
from sinagot.dataset.segments import Node
from sinagot.dataset.sidecars import SUFFIX, is_sidecar, may_find_sidecars

__all__ = ["Match", "OnePath", "walk"]

#: The values of the fields, and the relative path.
Match = tuple[dict[str, str], str]


class OnePath(Listing):
    """A listing in which one path is all there is: to read a path as a scan would."""

    __slots__ = ("path",)

    def __init__(self, path: str) -> None:
        super().__init__("")
        self.path = path

    def candidates(self, folder: str, head: str, tail: str) -> Sequence[str]:
        """Give the one name, if it is in this folder and fits."""
        start = below(folder, "")
        name = self.path[len(start) :].partition("/")[0]
        is_here = self.path.startswith(start) and name.startswith(head) and name.endswith(tail)
        return [name] if is_here else []

    def has(self, relative: str) -> bool:
        """Tell whether this is the path."""
        return relative == self.path


class _Rules:
    """What the fields of one pattern may be."""

    def __init__(self, pattern: PathPattern, ids: RecordIds | None, bound: Collection[str]) -> None:
        self.ids = ids if ids is not None and ids.entities and "id" not in bound else None
        rules = ids or _NO_RULES
        self.rules: dict[str, ValueRule] = {
            name: rules.rule(name, is_narrow=name in pattern.narrow)
            for name in pattern.fields
            if name not in bound and (ids is not None or name != "id")
        }

    def accept(self, field: str, value: str) -> object:
        rule = self.rules.get(field)
        return True if rule is None else rule(value)

    def agree(self, values: dict[str, str]) -> bool:
        """Whether the entities in a path are those of the id in it."""
        record_id = values.get("id")
        if self.ids is None or record_id is None:
            return True
        return all(values.get(name, value) == value for name, value in self.ids.values(record_id).items())

    def completed(self, values: dict[str, str]) -> dict[str, str]:
        """Add what the id says, so that folders further down are looked up and not searched for."""
        if self.ids is None or "id" not in values:
            return values
        return {**self.ids.values(values["id"]), **values}


# Rules of free fields where no workspace says anything.
_NO_RULES = RecordIds(".+")


def walk(
    listing: Listing, pattern: PathPattern, ids: RecordIds | None, bound: Mapping[str, str]
) -> Iterator[Match]:
    """Yield all that matches a pattern, each path once.

    Parameters
    ----------
    listing : Listing
        The folders.
    pattern : PathPattern
        Where to look.
    ids : RecordIds or None
        The rules of the fields.
    bound : Mapping
        Values that are known before; an empty one says that the field is absent.

    Yields
    ------
    values : dict
        Known and found values by field; with an id, its entities too.
    path : str
        Relative to the listing's root.
    """
    start = "/" if pattern.is_absolute else ""
    rules = _Rules(pattern, ids, bound)
    seen: set[str] = set()
    for layout in pattern.layouts:
        if any(bound.get(name) for name in layout.absent):
            continue
        way = _Way(listing, rules, layout.segments)
        for values, path in _descend(way, 0, start, {**bound, **layout.absent}):
            if path not in seen:
                yield values, path
            if len(pattern.layouts) > 1:
                seen.add(path)


class _Way(NamedTuple):
    listing: Listing
    rules: _Rules
    segments: tuple[tuple[Node, ...], ...]


def _descend(way: _Way, depth: int, folder: str, bound: dict[str, str]) -> Iterator[Match]:
    nodes: tuple[Node, ...] | None
    while depth < len(way.segments):
        nodes = segments.fill(way.segments[depth], bound)
        if nodes is None:
            return
        if len(nodes) > 1 or (nodes and not isinstance(nodes[0], str)):
            break
        folder = below(folder, str(nodes[0])) if nodes else folder  # an optional folder may be absent
        depth += 1
    else:
        if way.listing.has(folder):
            yield bound, folder
        return
    head = nodes[0] if isinstance(nodes[0], str) else ""
    tail = nodes[-1] if isinstance(nodes[-1], str) else ""
    is_last = depth + 1 == len(way.segments)
    is_wary = is_last and may_find_sidecars(tail)
    for name in way.listing.candidates(folder, head, tail):
        if not is_utf8(name):
            way.listing.note(f"{printable(below(folder, name))}: skipped, its name is not UTF-8")
            continue
        found = segments.match(nodes, name, bound, way.rules.accept, way.rules.agree)
        if found is None or name == STATE_FOLDER:
            continue
        found = way.rules.completed(found)
        if is_wary and name.endswith(SUFFIX) and is_sidecar(way.listing.path_of(below(folder, name))):
            continue  # nobody asked for it
        if is_last:
            yield found, below(folder, name)
        else:
            yield from _descend(way, depth + 1, below(folder, name), found)
