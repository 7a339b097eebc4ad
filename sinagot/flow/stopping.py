"""How a stop reaches a flow that runs in the main thread: as a cancellation of it, and not in the midst of its loop.

Knows signals and what their handlers raise; must not know who asked for the stop. An exception that a handler raises
within an event loop would break the loop, of trio above all; clean-ups would be lost with it.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from types import FrameType
from typing import Any

from sinagot.engine.stop import insist

__all__ = ["Stopping"]

#: Seconds that the loop has for hearing of the cancellation; a body that computes for long does not let it.
_PATIENCE = 2.0
#: Seconds that bodies in threads get after that.
_GRACE = 2.0
_SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP", "SIGUSR1")


class Stopping:
    """Turns what handlers of signals raise into a call.

    Attributes
    ----------
    error : BaseException or None
        What the first one has raised; it is to be raised when the loop has ended.
    """

    def __init__(self) -> None:
        self.error: BaseException | None = None
        self._cancel: Callable[[], None] | None = None
        self._give_up: Callable[[], None] | None = None
        self._timer: threading.Timer | None = None
        self._is_over = threading.Event()
        self._times = 0
        self._has_heard = False

    @contextmanager
    def listening(self) -> Iterator[Stopping]:
        """Stand before the handlers of this process; in another thread than the main one it does nothing."""
        former: dict[int, Any] = {}
        if threading.current_thread() is threading.main_thread():
            for name in _SIGNALS:
                number = getattr(signal, name, None)
                handler = None if number is None else signal.getsignal(number)
                if number is not None and callable(handler):
                    former[number] = signal.signal(number, self._standing_before(handler))
        try:
            yield self
        finally:
            self.ended()
            for number, handler in former.items():
                signal.signal(number, handler)

    def reaches(self, cancel: Callable[[], None], give_up: Callable[[], None]) -> None:
        """Say how the flow is cancelled; it is, when the stop came before.

        Parameters
        ----------
        cancel : callable
            May be called at any time, between any two lines of the main thread.
        give_up : callable
            Called in another thread a while after the loop has heard: what does not hear is left to itself.
        """
        self._cancel, self._give_up = cancel, give_up
        if self.error is not None:
            cancel()

    def heard(self) -> None:
        """Take note that the loop has heard of it: clean-ups in it get the time that they need."""
        self.ended()
        self._has_heard = True
        if self._give_up is not None:
            self._wait_for(_GRACE, self._give_up)

    def ended(self) -> None:
        """Take note that nothing is to be waited for any more."""
        self._is_over.set()
        if self._timer is not None:
            self._timer.cancel()

    def _wait_for(self, seconds: float, call: Callable[[], object]) -> None:
        self._timer = threading.Timer(seconds, call)
        self._timer.daemon = True
        self._timer.start()

    def _standing_before(self, handler: Any) -> Callable[[int, FrameType | None], None]:
        def receive(signum: int, frame: FrameType | None) -> None:
            self._times += 1
            try:
                handler(signum, frame)
            except BaseException as error:
                if self.error is not None:
                    if self._give_up is None or not self._has_heard:
                        raise  # it was asked for before, and nothing came of it
                    give_up, self._give_up = self._give_up, None
                    give_up()
                    return
                self.error = error
                if self._cancel is not None:
                    self._cancel()
                self._wait_for(_PATIENCE, partial(insist, signum, lambda: self._times, self._is_over))

        return receive
