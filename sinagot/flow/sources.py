"""What a flow is started with: the inputs as callers give them, and how they are written to their streams.

Knows values, iterators and names; must not know processors.
"""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sinagot.errors import FlowDefinitionError
from sinagot.flow.channels import LocalChannel
from sinagot.flow.ends import Mark
from sinagot.flow.streams import IOVal
from sinagot.flow.wiring import Wiring, check_inputs

__all__ = ["Inputs", "Source", "feed", "sources_of"]

#: What `start_flow` takes.
Inputs = Mapping[str, Any] | Iterable[IOVal[Any]] | AsyncIterable[IOVal[Any]] | None


@dataclass(frozen=True)
class Source:
    """Values for one or more streams; they are written by one task, in this order."""

    names: tuple[str, ...]
    values: tuple[Any, ...] | Iterator[Any] | AsyncIterator[Any]
    #: What messages call it.
    told: str


def sources_of(wiring: Wiring, inputs: Any) -> list[Source]:
    """Read the inputs that a flow is started with.

    Parameters
    ----------
    wiring : Wiring
        The flow.
    inputs : mapping, iterable of IOVal, async iterable of IOVal, or None
        Values by name: several of one name are a stream of them. A value that is an iterator, async or not, is the
        stream.

    Returns
    -------
    list of Source
        What is to be written.

    Raises
    ------
    FlowDefinitionError
        When an input is unknown or missing, or no `IOVal`.
    """
    if isinstance(inputs, AsyncIterable):
        return [Source(wiring.inputs, aiter(inputs), "the inputs of the flow")]
    if isinstance(inputs, Mapping):
        given = [IOVal(name, value) for name, value in inputs.items()]
    elif isinstance(inputs, IOVal):
        given = [inputs]
    else:
        given = list(inputs or ())
    for one in given:
        if not isinstance(one, IOVal):
            raise FlowDefinitionError(
                f"inputs are given as IOVal(name=..., value=...), or as a mapping from name to value; found {one!r:.80}"
            )
    check_inputs(wiring, dict.fromkeys(one.name for one in given))
    by_name: dict[str, list[Any]] = {name: [] for name in wiring.inputs}
    for one in given:
        by_name[one.name].append(one.value)
    return [_source(name, values) for name, values in by_name.items()]


def _source(name: str, values: list[Any]) -> Source:
    streams = [one for one in values if isinstance(one, AsyncIterable | Iterator)]
    told = f"input {name!r}"
    if not streams:
        return Source((name,), tuple(values), told)
    if len(values) > 1:
        raise FlowDefinitionError(
            f"{told} is given an iterator and other values; give one iterator", stream=name
        )
    one = streams[0]
    return Source((name,), aiter(one) if isinstance(one, AsyncIterable) else one, told)


async def feed(source: Source, channels: Mapping[str, LocalChannel]) -> None:
    """Write the values of a source, and the end marks of its streams.

    Parameters
    ----------
    source : Source
        What is written.
    channels : mapping of str to LocalChannel
        The streams, by name.
    """
    name = source.names[0] if source.names else ""
    if isinstance(source.values, AsyncIterator):
        try:
            async for value in source.values:
                if source.told.startswith("input "):
                    await channels[name].append(value)
                else:
                    await _sorted_in(value, source, channels)
        finally:
            close = getattr(source.values, "aclose", None)
            if close is not None:
                await close()
    else:
        for value in source.values:
            await channels[name].append(value)
    for one in source.names:
        await channels[one].end(Mark.complete(), None)


async def _sorted_in(value: Any, source: Source, channels: Mapping[str, LocalChannel]) -> None:
    """Write a value that names its stream."""
    if not isinstance(value, IOVal) or value.name not in source.names:
        known = ", ".join(map(repr, source.names)) or "none"
        raise FlowDefinitionError(f"{value!r:.80} is no IOVal for an input of the flow; inputs are {known}")
    await channels[value.name].append(value.value)
