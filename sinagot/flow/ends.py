"""How a stream ends: complete, failed with its cause, or cancelled.

Pure: a mark is a fact that travels, and what readers make of it. Must not know where streams are kept; the stores
write marks behind the last value, `sinagot.flow.reading` and others of their kind give them to readers.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any, NamedTuple

from sinagot.engine.causes import cause_of, packed, unpacked
from sinagot.engine.job import Cause
from sinagot.errors import UpstreamCancelled, UpstreamFailed

__all__ = ["End", "Mark"]


class End(StrEnum):
    """What an end mark says."""

    COMPLETE = "complete"
    FAILED = "failed"
    CANCELLED = "cancelled"


class Mark(NamedTuple):
    """The end of a stream.

    Examples
    --------
    >>> mark = Mark.failed("foobar", ValueError("no such channel"))
    >>> mark.end, mark.processor, mark.text
    (<End.FAILED: 'failed'>, 'foobar', 'ValueError: no such channel')
    >>> Mark.from_plain(mark.to_plain()) == mark
    True
    """

    end: End
    #: Name of the processor that wrote the stream; None where the store ended it.
    processor: str | None = None
    #: Why it failed; the exception is in it where it could be pickled.
    cause: Cause | None = None

    @classmethod
    def complete(cls) -> Mark:
        """Say that all values were written."""
        return cls(End.COMPLETE)

    @classmethod
    def failed(cls, processor: str | None, cause: BaseException | str) -> Mark:
        """Say that the producer failed.

        Parameters
        ----------
        processor : str or None
            Its name.
        cause : BaseException or str
            What went wrong; an exception that is small and can be pickled travels whole, of others only the text.
        """
        if isinstance(cause, str):
            return cls(End.FAILED, processor, Cause("", cause, "", ""))
        return cls(End.FAILED, processor, cause_of(cause, ())._replace(packed=packed(cause)))

    @classmethod
    def cancelled(cls, processor: str | None = None) -> Mark:
        """Say that the producer was stopped before it had written all."""
        return cls(End.CANCELLED, processor)

    @property
    def text(self) -> str:
        """The cause as one text; empty without one."""
        if self.cause is None:
            return ""
        return ": ".join(part for part in (self.cause.exc_type, self.cause.message) if part)

    def error(self, stream: str) -> UpstreamFailed | None:
        """Give what a reader of the stream has to raise; None when the stream is complete.

        Parameters
        ----------
        stream : str
            Name of the stream.
        """
        if self.end is End.COMPLETE:
            return None
        who = f"processor {self.processor!r}" if self.processor else "its producer"
        facts: dict[str, Any] = {"processor": self.processor, "stream": stream}
        if self.end is End.CANCELLED:
            text = "was cancelled"
            return UpstreamCancelled(
                f"stream {stream!r} ended early: {who} {text}; the values before are whole",
                cause=text,
                **facts,
            )
        error = UpstreamFailed(
            f"stream {stream!r} ended early: {who} failed: {self.text}", cause=self.text, **facts
        )
        error.__cause__ = None if self.cause is None else unpacked(self.cause)
        return error

    def to_plain(self) -> list[Any]:
        """Give the mark as plain values."""
        return [self.end.value, self.processor, None if self.cause is None else list(self.cause)]

    @classmethod
    def from_plain(cls, plain: Any) -> Mark:
        """Make a mark from plain values.

        Parameters
        ----------
        plain : list
            As `to_plain` gives it.
        """
        end, processor, cause = plain
        return cls(End(end), processor, None if cause is None else Cause(*cause))
