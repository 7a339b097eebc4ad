"""Which nodes a node is made from, and an order in which each comes behind its own.

Knows nodes by name; must not know classes or data.
"""

from __future__ import annotations

from collections.abc import Mapping

from sinagot.workflow.nodes import Node

__all__ = ["find_circle", "in_order", "parts_of"]


def parts_of(node: Node, nodes: Mapping[str, Node]) -> list[str]:
    """Give the names of the nodes that one is made from, each once; values in their place are left out."""
    return list(dict.fromkeys(part.name for part in node.iter_parts() if part.name in nodes))


def in_order(nodes: Mapping[str, Node]) -> list[str]:
    """Give the names so that each comes behind those that it is made from; else in the order of the class."""
    done: dict[str, None] = {}

    def visit(name: str) -> None:
        if name not in done:
            for part in parts_of(nodes[name], nodes):
                visit(part)
            done[name] = None

    for name in nodes:
        visit(name)
    return list(done)


def find_circle(nodes: Mapping[str, Node]) -> list[str]:
    """Give nodes of which each is made from the next, and the last from the first; none where there is no circle."""
    good: set[str] = set()

    def visit(name: str, path: tuple[str, ...]) -> list[str]:
        if name in path:
            return [*path[path.index(name) :], name]
        if name not in good:
            for part in parts_of(nodes[name], nodes):
                circle = visit(part, (*path, name))
                if circle:
                    return circle
            good.add(name)
        return []

    for name in nodes:
        circle = visit(name, ())
        if circle:
            return circle
    return []
