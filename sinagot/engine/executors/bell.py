"""A bell that ends a wait from another thread: one end rings, the other is polled.

Knows descriptors; must not know who waits. Executors that one thread owns and others give work to have one.
"""

from __future__ import annotations

import contextlib
import os
import threading

__all__ = ["Bell"]


class Bell:
    """A pipe that holds at most a few bytes.

    Examples
    --------
    >>> import select
    >>> bell, poll = Bell(), select.poll()
    >>> poll.register(bell.fileno(), select.POLLIN)
    >>> bell.ring()
    >>> len(poll.poll(0)), bell.hush(), len(poll.poll(0))
    (1, None, 0)
    >>> bell.close()
    >>> bell.ring()
    """

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._is_rung = self._is_closed = False
        self._heard, self._pulled = os.pipe()

    def fileno(self) -> int:
        """Give the descriptor that can be read after a ring."""
        return self._heard

    def ring(self) -> None:
        """Ring, from any thread; nothing happens after `close`."""
        with self._guard:
            if not (self._is_closed or self._is_rung):
                self._is_rung = True
                os.write(self._pulled, b"!")

    def hush(self) -> None:
        """Take note of the rings so far."""
        with self._guard:
            if self._is_rung:
                self._is_rung = False
                os.read(self._heard, 1)

    def close(self) -> None:
        """Give the descriptors back."""
        with self._guard:
            if not self._is_closed:
                self._is_closed = True
                for descriptor in (self._heard, self._pulled):
                    with contextlib.suppress(OSError):
                        os.close(descriptor)
