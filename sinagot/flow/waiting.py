"""Waiting for a stream: for this process's writer by an event, for another's by looks in growing intervals.

Knows what a store knows of one stream, and how its file is called; must not know values. `sinagot.flow.reading` waits
here, `sinagot.flow.spool` wakes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from time import perf_counter
from typing import Protocol
from urllib.parse import quote

import anyio

from sinagot.errors import FlowError, UpstreamFailed
from sinagot.flow.ends import Mark
from sinagot.flow.news import News
from sinagot.flow.streamfile import StreamFile

__all__ = ["Kept", "Patience", "Spooled", "file_name"]

#: Seconds between two looks at what another process writes, and between two questions whether it lives.
_FIRST_LOOK, _LAST_LOOK, _ASK = 0.001, 0.05, 0.25
#: How much longer the next interval is: a value is found late by at most so much of the time that was waited for it.
_GROWTH = 1.3
_LONGEST_NAME = 100


class Spooled(News):
    """What a store knows of one stream."""

    def __init__(self, name: str, path: str, is_shared: bool = True) -> None:
        super().__init__()
        self.name = name
        self.file = StreamFile(path, is_shared)
        self.mark: Mark | None = None
        self.is_busy = False
        #: When it was last asked whether its producer lives, and what is said of one that does not.
        self.asked = 0.0
        self.last_words = ""


class Kept(Protocol):
    """A store, as those see it who wait for its streams.

    Attributes
    ----------
    is_removed : bool
        Nothing can be read any more.
    is_alive : callable or None
        Tells whether the producer of a stream may still write; None where this process writes all.
    """

    is_removed: bool
    is_alive: Callable[[str], bool] | None


class Patience:
    """How one reader waits for one more value.

    Parameters
    ----------
    store : Kept
        The store.
    stream : Spooled
        The stream.
    """

    def __init__(self, store: Kept, stream: Spooled) -> None:
        self._store = store
        self._stream = stream
        self._delay = _FIRST_LOOK
        self._has_looked = False

    async def wait(self) -> FlowError | None:
        """Wait until another look is worth while; give an error when nothing will come any more."""
        stream, store = self._stream, self._store
        if store.is_removed:
            return FlowError(f"stream {stream.name!r} was removed while it was read", stream=stream.name)
        if self._has_looked:
            text = f"stream {stream.name!r} ended early, without an end mark: {stream.last_words}"
            return UpstreamFailed(text, stream=stream.name, cause=stream.last_words)
        if stream.file.is_ours or store.is_alive is None:
            await stream.wait()
            return None
        if perf_counter() - stream.asked >= _ASK:
            stream.asked = perf_counter()
            if not store.is_alive(stream.name):
                stream.last_words = "the process that wrote it is gone"
            elif stream.file.is_sealed():
                stream.last_words = "its file could not be written (is the disk full?)"
        if stream.last_words:
            self._has_looked = (
                True  # when it has: what was written just before the end is looked for once more
            )
            return None
        with anyio.move_on_after(self._delay):
            await stream.wait()
        self._delay = min(_GROWTH * self._delay, _LAST_LOOK)
        return None


def file_name(name: str) -> str:
    """Give a file name that belongs to no other stream, also where file names know no case.

    Parameters
    ----------
    name : str
        Name of the stream, any text.

    Examples
    --------
    >>> file_name("bar"), file_name("a/b")
    ('bar.spool', 'a%2Fb-c14cddc033f64b9d.spool')
    """
    told = quote(name, safe="", errors="surrogatepass")
    if told == name == name.lower() and len(name) <= _LONGEST_NAME and not name.startswith("."):
        return f"{told}.spool"
    digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:16]
    return f"{told[:_LONGEST_NAME]}-{digest}.spool"
