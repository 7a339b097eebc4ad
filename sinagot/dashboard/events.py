"""What changes, told to pages as it happens: server-sent events.

Knows clients and versions of the view; must not know what a page shows: it is told that there is something new, and
asks for what it needs.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

from sinagot.dashboard.snapshot import Snapshot

__all__ = ["MOST_CLIENTS", "Stream"]

MOST_CLIENTS = 32
#: Seconds between two signs of life: proxies close what is silent.
_PULSE = 15.0
#: Seconds between two news, at least.
_PAUSE = 0.5


class Stream:
    """Tells clients of new versions until it is closed.

    Parameters
    ----------
    snapshot : Snapshot
        Whose versions are told.
    """

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot
        self._clients: set[asyncio.Event] = set()
        self.is_over = False

    @property
    def is_full(self) -> bool:
        """Say whether no more clients are taken."""
        return self.is_over or len(self._clients) >= MOST_CLIENTS

    async def lines(self) -> AsyncIterator[str]:
        """Give what is sent to one client."""
        loop, news = asyncio.get_running_loop(), asyncio.Event()
        self._clients.add(news)

        def tell(_: int) -> None:
            loop.call_soon_threadsafe(news.set)

        end = self._snapshot.listen(tell)
        try:
            version = self._snapshot.version
            yield f"retry: 2000\n{_message(version)}"
            while not self.is_over:
                try:
                    await asyncio.wait_for(news.wait(), _PULSE)
                except TimeoutError:
                    yield ": still here\n\n"
                    continue
                news.clear()
                if self._snapshot.version != version and not self.is_over:
                    version = self._snapshot.version
                    yield _message(version)
                    await asyncio.sleep(_PAUSE)
        finally:
            end()
            self._clients.discard(news)

    def close(self) -> None:
        """End all clients; called in the thread of the server."""
        self.is_over = True
        for news in self._clients:
            news.set()


def _message(version: int) -> str:
    return f"event: change\nid: {version}\ndata: {version} {time.strftime('%H:%M:%S')}\n\n"
