"""Layouts: the ways a path pattern divides into names of folders.

Knows slashes and optional parts; knows nothing of the disk.
`sinagot.dataset.patterns` makes them for the walk along a pattern.
"""

from __future__ import annotations

from itertools import product
from typing import NamedTuple

from sinagot.dataset.segments import Field, Node, Part

__all__ = ["Layout", "expand", "join", "literal_folder", "split"]


class Layout(NamedTuple):
    """One way a pattern divides into folders, its optional folders being there or not.

    `absent` has an empty value for each field that must be missing in this layout.
    """

    segments: tuple[tuple[Node, ...], ...]
    absent: dict[str, str]


def split(nodes: tuple[Node, ...]) -> list[tuple[Node, ...]]:
    """Divide nodes at the slashes that stand outside optional parts."""
    names: list[list[Node]] = [[]]
    for node in nodes:
        if isinstance(node, str):
            first, *others = node.split("/")
            if first:
                names[-1].append(first)
            names.extend([other] if other else [] for other in others)
        else:
            names[-1].append(node)
    return [tuple(name) for name in names]


def join(names: list[tuple[Node, ...]], is_absolute: bool) -> list[Node]:
    """Put names together again."""
    nodes: list[Node] = ["/"] if is_absolute else []
    for position, name in enumerate(names):
        nodes.extend(["/", *name] if position else name)
    return nodes


def literal_folder(names: tuple[tuple[Node, ...], ...], is_absolute: bool) -> str | None:
    """Give the folder of the last name as text, or None if there are fields or optional parts in it."""
    folders = []
    for name in names[:-1]:
        if len(name) != 1 or not isinstance(name[0], str):
            return None
        folders.append(name[0])
    return ("/" if is_absolute else "") + "/".join(folders)


def expand(nodes: tuple[Node, ...]) -> list[tuple[list[Node], dict[str, str]]]:
    """Settle the optional parts that decide how many folders there are; leave the others."""
    choices: list[list[tuple[list[Node], dict[str, str]]]] = []
    for before, node, after in zip(("/", *nodes), nodes, (*nodes[1:], "/"), strict=False):
        if isinstance(node, Part) and (_has_slash(node.nodes) or _stands_alone(before, after)):
            absent: list[tuple[list[Node], dict[str, str]]] = [([], {name: ""}) for name in node.entities]
            choices.append([*expand(node.nodes), *absent])
        else:
            choices.append([([node], {})])
    layouts = []
    for choice in product(*choices):
        chosen: list[Node] = [node for part, _ in choice for node in part]
        missing = {name: "" for _, names in choice for name in names}
        if not any(isinstance(node, Field) and node.name in missing for node in chosen):
            layouts.append((chosen, missing))
    return layouts


def _has_slash(nodes: tuple[Node, ...]) -> bool:
    return any(
        "/" in node if isinstance(node, str) else isinstance(node, Part) and _has_slash(node.nodes)
        for node in nodes
    )


def _stands_alone(before: Node, after: Node) -> bool:
    """Whether an optional part may be all there is between two slashes."""
    starts = isinstance(before, Part) or (isinstance(before, str) and before.endswith("/"))
    ends = isinstance(after, Part) or (isinstance(after, str) and after.startswith("/"))
    return starts and ends
