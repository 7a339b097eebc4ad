"""Who waits for whom, and whether any of them can ever go on.

Pure: waits in, names out; must not know streams, runs or event loops.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

__all__ = ["Wait", "stalled", "told"]


class Wait(NamedTuple):
    """What a processor waits for.

    Attributes
    ----------
    whom : tuple of str
        Names of processors; None for somebody outside of the flow, who may always come.
    why : str
        What it says of it.
    needs_all : bool
        It needs all of them; otherwise it can go on with any.
    """

    whom: tuple[str | None, ...]
    why: str
    needs_all: bool = False


def stalled(waits: Mapping[str, Wait], alive: Iterable[str]) -> list[str]:
    """Name the processors that wait for one another, and for nobody else.

    Parameters
    ----------
    waits : mapping of str to Wait
        Name of a processor -> what it waits for.
    alive : iterable of str
        Processors that have not ended.

    Returns
    -------
    list of str
        In the order of `waits`; none of them can go on, whatever the others do.

    Examples
    --------
    >>> waits = {"a": Wait(("b",), "room"), "b": Wait(("a",), "values")}
    >>> stalled(waits, ["a", "b", "c"])
    ['a', 'b']
    >>> stalled({**waits, "b": Wait(("a", "c"), "values")}, ["a", "b", "c"])
    []
    """
    living = set(alive)
    stuck = {name for name in waits if name in living}
    while True:
        free = {name for name in stuck if _can_go_on(waits[name], stuck)}
        if not free:
            return [name for name in waits if name in stuck]
        stuck -= free


def _can_go_on(wait: Wait, stuck: set[str]) -> bool:
    others = [name not in stuck for name in wait.whom]
    return all(others) if wait.needs_all else any(others)


def told(waits: Mapping[str, Wait], names: Iterable[str]) -> str:
    """Say who waits for what.

    Examples
    --------
    >>> told({"a": Wait(("b",), "for 'b' to take values of 'x'")}, ["a"])
    "'a' waits for 'b' to take values of 'x'"
    """
    return "; ".join(f"{name!r} waits {waits[name].why}" for name in names)
