"""The small language of path patterns: literal text, ``{fields}`` and ``[optional parts]``.

Knows how to parse, fill and match such text; knows nothing of files, ids or tasks' labels.
`sinagot.dataset.patterns` and `sinagot.dataset.records` are built on it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

__all__ = [
    "COMMON_FIELDS",
    "Field",
    "Node",
    "Part",
    "fields_of",
    "fill",
    "match",
    "merge",
    "narrow_fields",
    "parse",
    "render",
]

#: Fields that every record has: brackets around them are plain text.
COMMON_FIELDS = frozenset({"id", "task", "modality"})

_TOKEN = re.compile(r"\{\{|\}\}|\{[^{}]*\}|[\[\]{}]|[^\[\]{}]+")


class Field(NamedTuple):
    """A place where a value stands."""

    name: str


class Part(NamedTuple):
    """An optional stretch: there if and only if all its entity fields have a value."""

    nodes: tuple[Node, ...]
    entities: tuple[str, ...]


Node = str | Field | Part


def merge(nodes: list[Node]) -> tuple[Node, ...]:
    """Join neighbouring literals and drop the empty ones."""
    merged: list[Node] = []
    for node in nodes:
        if isinstance(node, str) and merged and isinstance(merged[-1], str):
            merged[-1] += node
        elif node != "":
            merged.append(node)
    return tuple(merged)


def parse(text: str) -> tuple[Node, ...]:
    """Read a pattern text; a `ValueError` says what is wrong with it.

    Examples
    --------
    >>> parse("a{{1}}_{id}")
    ('a{1}_', Field(name='id'))
    >>> parse("x[1][_run-{run}]")
    ('x[1]', Part(nodes=('_run-', Field(name='run')), entities=('run',)))
    """
    open_frames: list[list[Node]] = [[]]
    for token in _TOKEN.findall(text):
        frame = open_frames[-1]
        if token == "[":
            open_frames.append([])
        elif token == "]" and len(open_frames) > 1:
            open_frames.pop()
            open_frames[-1].extend(_closed(frame))
        elif token in ("{{", "}}"):
            frame.append(token[0])
        elif token in ("{", "}"):
            raise ValueError(f"a lone {token!r}; write {token * 2!r} for a brace that is part of the name")
        elif token[0] == "{":
            name = token[1:-1]
            if not name.isidentifier():
                raise ValueError(f"{token!r} is no field: a field is one name in braces, such as {{id}}")
            frame.append(Field(name))
        else:
            frame.append(token)
    while len(open_frames) > 1:  # brackets that were never closed are plain text
        frame = open_frames.pop()
        open_frames[-1].extend(["[", *frame])
    return merge(open_frames[0])


def _closed(frame: list[Node]) -> list[Node]:
    entities = [node.name for node in frame if isinstance(node, Field) and node.name not in COMMON_FIELDS]
    if not entities:
        return ["[", *frame, "]"]
    return [Part(merge(frame), tuple(dict.fromkeys(entities)))]


def fields_of(nodes: tuple[Node, ...]) -> Iterator[str]:
    """Yield the names of all fields, from left to right, repeated ones again."""
    for node in nodes:
        if isinstance(node, Field):
            yield node.name
        elif isinstance(node, Part):
            yield from fields_of(node.nodes)


def render(nodes: tuple[Node, ...]) -> str:
    """Give a text that is equal for equal nodes and for no others.

    Optional parts stand between ``{[`` and ``]}``, which no literal text can give.
    """
    return "".join(
        node.replace("{", "{{").replace("}", "}}")
        if isinstance(node, str)
        else f"{{{node.name}}}"
        if isinstance(node, Field)
        else f"{{[{render(node.nodes)}]}}"
        for node in nodes
    )


def fill(
    nodes: tuple[Node, ...], values: Mapping[str, str], *, is_final: bool = False
) -> tuple[Node, ...] | None:
    """Put values in; what has no value yet stays.

    An empty value says that the field is absent for good: its optional parts vanish.

    Parameters
    ----------
    nodes : tuple of Node
        What to fill.
    values : Mapping
        Texts by field name.
    is_final : bool
        No more values will come: optional parts that miss one vanish too.

    Returns
    -------
    tuple of Node or None
        None when a field outside optional parts is absent.
    """
    filled: list[Node] = []
    for node in nodes:
        if isinstance(node, Field):
            value = values.get(node.name)
            if value == "":
                return None
            filled.append(node if value is None else value)
        elif isinstance(node, Part):
            known = [values.get(name) for name in node.entities]
            if "" in known or (is_final and None in known):
                continue
            if None in known:
                filled.append(node)
                continue
            inner = fill(node.nodes, values, is_final=is_final)
            if inner is None:
                return None
            filled.extend(inner)
        else:
            filled.append(node)
    return merge(filled)


def match(
    nodes: tuple[Node, ...],
    text: str,
    bound: dict[str, str],
    accept: Callable[[str, str], object],
    agree: Callable[[dict[str, str]], bool],
    position: int = 0,
) -> dict[str, str] | None:
    """Read `text` as the whole of `nodes`; longer values are tried first.

    Parameters
    ----------
    nodes : tuple of Node
        What the text should look like.
    text : str
        A file name, or an id.
    bound : dict
        Values known before; a repeated field must agree with its first value.
    accept : callable
        Tells by field name and value whether a field may have that value.
    agree : callable
        Looks at all values at the end of the text; false makes the search go on.
    position : int
        Where in the text the nodes begin.

    Returns
    -------
    dict or None
        `bound` and the new values (absent optional fields are empty); None without a match.

    Notes
    -----
    A search with steps back over literals. Users' expressions are never embedded in larger
    ones, so their groups, anchors and back references mean here what they mean alone.
    """
    if not nodes:
        return bound if position == len(text) and agree(bound) else None
    head, rest = nodes[0], nodes[1:]
    if isinstance(head, str):
        if not text.startswith(head, position):
            return None
        return match(rest, text, bound, accept, agree, position + len(head))
    if isinstance(head, Field):
        value = bound.get(head.name)
        if value is not None:
            return match((value, *rest), text, bound, accept, agree, position) if value else None
        for end in _ends(rest, text, position):
            value = text[position:end]
            if accept(head.name, value):
                found = match(rest, text, {**bound, head.name: value}, accept, agree, end)
                if found is not None:
                    return found
        return None
    return _match_part(head, rest, text, bound, accept, agree, position)


def _ends(rest: tuple[Node, ...], text: str, position: int) -> Iterator[int]:
    """Yield where a value that begins at `position` may end, the farthest first."""
    if not rest:
        if position < len(text):
            yield len(text)
    elif isinstance(rest[0], str):
        end = text.rfind(rest[0], position + 1)
        while end != -1:
            yield end
            end = text.rfind(rest[0], position + 1, end + len(rest[0]) - 1)
    else:
        yield from range(len(text), position, -1)


def _match_part(
    part: Part,
    rest: tuple[Node, ...],
    text: str,
    bound: dict[str, str],
    accept: Callable[[str, str], object],
    agree: Callable[[dict[str, str]], bool],
    position: int,
) -> dict[str, str] | None:
    known = [bound.get(name) for name in part.entities]
    if "" in known:
        return match(rest, text, bound, accept, agree, position)
    found = match(part.nodes + rest, text, bound, accept, agree, position)
    if found is not None:
        return found
    for name, value in zip(part.entities, known, strict=True):  # absent: one of its fields has no value
        if value is None:
            found = match(rest, text, {**bound, name: ""}, accept, agree, position)
            if found is not None:
                return found
    return None


def narrow_fields(nodes: tuple[Node, ...]) -> frozenset[str]:
    """Name the fields that an underscore sets apart from their neighbours (``sub-{a}_ses-{b}``).

    Where nothing else is said, the value of such a field holds no underscore, as in BIDS.

    Examples
    --------
    >>> sorted(narrow_fields(parse("my_lab-{subject}/{id}_{run}.csv")))
    ['id', 'run']
    """
    narrow: set[str] = set()
    previous: str | None = None  # the field to the left in the same segment
    literal = ""
    for node in [*_flat(nodes), "/"]:
        if isinstance(node, str):
            literal += node
            if "/" not in node:
                continue
            if previous and literal.startswith("_"):
                narrow.add(previous)
            previous, literal = None, literal.rpartition("/")[2]
        else:
            if (previous and "_" in literal) or literal.endswith("_"):
                narrow.add(node.name)
            if previous and "_" in literal:
                narrow.add(previous)
            previous, literal = node.name, ""
    return frozenset(narrow)


def _flat(nodes: tuple[Node, ...]) -> Iterator[str | Field]:
    for node in nodes:
        if isinstance(node, Part):
            yield from _flat(node.nodes)
        else:
            yield node
