"""How a run of a flow and its processors stand, as plain values.

Knows nothing of how that is found out: `leading` does; `flow_run` and `telling` hand it on.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

__all__ = ["FlowStatus", "ProcessorStatus"]


class ProcessorStatus(NamedTuple):
    """How one processor stands.

    Attributes
    ----------
    state : str
        ``waiting``, ``running``, ``done``, ``error``, ``interrupted`` or ``skipped``.
    attempts : int
        How often it was begun.
    taken : mapping of str to int
        Name of an input -> how many of its values it has taken.
    written : mapping of str to int
        Name of a stream -> how many values it wrote to it.
    lead : int
        How many of them its slowest reader among the processors has not yet taken, of the stream where these are most.
    waits : str
        What it waits for right now; empty when it works, or has ended.
    """

    state: str
    attempts: int
    taken: Mapping[str, int]
    written: Mapping[str, int]
    lead: int
    waits: str


class FlowStatus(NamedTuple):
    """How a run stands.

    Attributes
    ----------
    state : str
        ``running``, ``done``, ``error`` or ``interrupted``.
    processors : mapping of str to ProcessorStatus
        Each processor by name.
    """

    state: str
    processors: Mapping[str, ProcessorStatus]
