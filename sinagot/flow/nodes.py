"""What a plan of dependencies is made of: one value that is to be built, by which function, from what.

Pure: who asks for it is known to `sinagot.flow.depends`, who builds it to `sinagot.flow.opening`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

__all__ = ["Kind", "Node"]


class Kind(StrEnum):
    """How a function gives its value."""

    VALUE = "value"
    AWAITED = "awaited"
    GENERATOR = "generator"
    ASYNC_GENERATOR = "async generator"


@dataclass(frozen=True, eq=False)
class Node:
    """One value that is to be built: it is built once in a run, whoever asks for it.

    Attributes
    ----------
    function : callable
        What makes it.
    kind : Kind
        How.
    given : mapping of str to bool
        Arguments that it has in common with the run, and whether it can't do without.
    parts : mapping of str to Node
        Arguments that are built themselves.
    """

    function: Callable[..., Any]
    kind: Kind
    given: Mapping[str, bool] = field(default_factory=dict)
    parts: Mapping[str, Node] = field(default_factory=dict)
