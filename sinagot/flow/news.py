"""Waiting for news of one thing, in one event loop: whoever waits is woken when there is some.

Knows nothing of what the news is about; streams of stores are such things.
"""

from __future__ import annotations

import anyio

__all__ = ["News"]


class News:
    """Something that tasks of one loop wait for; what it is now, they look for themselves."""

    def __init__(self) -> None:
        self._changed: anyio.Event | None = None

    async def wait(self) -> None:
        """Wait until there is news."""
        if self._changed is None:
            self._changed = anyio.Event()
        await self._changed.wait()

    def wake(self) -> None:
        """Let all go on that wait."""
        if self._changed is not None:
            self._changed.set()
            self._changed = None
