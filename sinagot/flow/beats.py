"""Signs that runs live, for those of their processors that run elsewhere: one thread for all runs of an executor.

Knows handles and the names of streams; must not know runs. It is a thread because the caller's loop may be held up by
what is computed in it, and no worker must take that for the end.
"""

from __future__ import annotations

import logging
import threading
from typing import Any

from sinagot.flow.handles import opened_for_control
from sinagot.flow.lines import BEAT

__all__ = ["Beats"]

_LOG = logging.getLogger("sinagot.flow")


class Beats:
    """Give signs of life of some runs."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._wanted: dict[str, tuple[Any, int]] = {}
        self._thread: threading.Thread | None = None
        self._changed = threading.Event()

    def hold(self, stream: str, handle: Any) -> None:
        """Give signs from now on; a stream that is held twice is let go twice."""
        with self._guard:
            _, count = self._wanted.get(_key(stream, handle), (None, 0))
            self._wanted[_key(stream, handle)] = ((stream, handle), count + 1)
            if self._thread is None:
                self._changed = threading.Event()
                self._thread = threading.Thread(
                    target=self._serve, args=(self._changed,), name="sinagot-beats", daemon=True
                )
                self._thread.start()
            self._changed.set()

    def let_go(self, stream: str, handle: Any) -> None:
        """Give none any more; the thread ends with the last, and is waited for."""
        with self._guard:
            one, count = self._wanted.pop(_key(stream, handle))
            if count > 1:
                self._wanted[_key(stream, handle)] = (one, count - 1)
                return
            thread = None if self._wanted else self._thread
            if thread is not None:
                self._thread = None
            self._changed.set()
        if thread is not None:
            thread.join()

    def _serve(self, changed: threading.Event) -> None:
        import anyio

        anyio.run(self._beat, changed)

    async def _beat(self, changed: threading.Event) -> None:
        stores: dict[str, Any] = {}
        number = 0
        try:
            while True:
                with self._guard:
                    if self._thread is not threading.current_thread():
                        return
                    wanted = {key: one for key, (one, _) in self._wanted.items()}
                    changed.clear()
                for key in [*stores]:
                    if key not in wanted:
                        await stores.pop(key).remove()
                for key, (stream, handle) in wanted.items():
                    try:
                        if key not in stores:
                            stores[key] = opened_for_control(handle)
                        await stores[key].append(stream, number)
                    except Exception as error:  # noqa: BLE001  (no place, no server: other runs go on)
                        _LOG.debug("no sign of life can be given: %s", error)
                number += 1
                changed.wait(BEAT)  # nothing else goes on in this loop
        finally:
            for store in stores.values():
                await store.remove()


def _key(stream: str, handle: Any) -> str:
    return f"{stream} {handle!r}"
