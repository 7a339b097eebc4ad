"""Errors of flows and their streams.

Those of readers name the processor that ended early, and why; knows only the root.
"""

from __future__ import annotations

from sinagot.errors.tree import SinagotError

__all__ = [
    "EmptyStreamError",
    "FlowDefinitionError",
    "FlowError",
    "FlowStalled",
    "SinkError",
    "SpoolLimitError",
    "StreamEndedError",
    "UnevenStreamsError",
    "UnknownStreamError",
    "UpstreamCancelled",
    "UpstreamFailed",
]


class FlowError(SinagotError, RuntimeError):
    """A run of a flow, or one of its streams, went wrong; `stream` names it, `processor` who has to do with it."""

    FACTS: tuple[str, ...] = ("processor", "stream")

    processor: str | None
    stream: str | None


class UpstreamFailed(FlowError):  # noqa: N818  (it tells of another's error)
    """A stream ended before its time: `processor` failed, and `cause` says why.

    The values that were written before came out. The exception of the processor is chained where it could be sent; of
    a producer that was lost, or of a stream that the store ended, `processor` is None.
    """

    FACTS: tuple[str, ...] = ("processor", "cause", "stream")

    #: The exception where it is known in this process; else what it said.
    cause: BaseException | str | None


class UpstreamCancelled(UpstreamFailed):
    """A stream ended before its time because its producer was cancelled."""


class FlowStalled(UpstreamFailed):
    """The processors of a flow wait for one another, and none can go on; `waits` says who waits for whom."""

    FACTS = ("processor", "cause", "stream", "waits")

    waits: str | None


class FlowDefinitionError(FlowError, ValueError):
    """Processors do not fit together, or an input of a flow is unknown or missing; nothing was begun."""

    FACTS = ("processor", "stream")


class EmptyStreamError(FlowError, LookupError):
    """The first value of a stream was asked for, and it is complete without one."""


class UnevenStreamsError(FlowError, ValueError):
    """Streams that were read side by side, and were to be of one length, are not."""

    FACTS = ("stream", "other")


class UnknownStreamError(FlowError, KeyError):
    """A run of a flow has no output of that name; `allowed` has those that there are."""

    FACTS = ("stream", "allowed")


class StreamEndedError(FlowError):
    """A value was to be written to a stream that has its end mark."""


class SinkError(FlowError, ValueError):
    """A value of `stream`, the one with the `number` (from 1), cannot be written to the file `path`."""

    FACTS = ("stream", "number", "path")

    number: int
    path: str


class SpoolLimitError(FlowError):
    """A stream grew over its limit; `stream` names it, `limit` and `size` are bytes."""

    FACTS = ("stream", "limit", "size")

    limit: int
    size: int
