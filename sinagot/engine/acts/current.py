"""The act that runs here and now, for whoever is called by it without being told.

Knows context variables; must not know what stands in them.
"""

from __future__ import annotations

from contextvars import ContextVar
from typing import Any, NamedTuple

__all__ = ["CURRENT", "Current"]


class Current(NamedTuple):
    """Where the running code stands."""

    #: The act's name.
    name: str
    #: How often it was repeated before.
    tries: int
    #: Whatever the run of acts shares: see `Scene.place`.
    place: Any
    #: Which element it is, of an act that is called once per element.
    element: int | None = None


CURRENT: ContextVar[Current | None] = ContextVar("sinagot_act", default=None)
