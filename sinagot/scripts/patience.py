"""How long a script may take to be imported in the driver, where nobody else could end it.

Knows the clock and one signal; must not know scripts. In workers the attempt's own limits hold for the import too.
"""

from __future__ import annotations

import signal
import threading
import time
from types import FrameType, TracebackType
from typing import Any, Self

__all__ = ["Patience", "TookTooLong"]

#: Seconds until a script that swallows the first interruption gets another one.
_AGAIN = 1.0


class TookTooLong(BaseException):
    """The code within took longer than it may; no `except Exception` of a script stops it."""


class Patience:
    """Raises `TookTooLong` in the code within when it takes too long.

    By a signal, so it ends loops, sleeps and waits, but no C code that hears no signals; and only in the main
    thread. A timer that the program has set goes on afterwards.

    Parameters
    ----------
    seconds : float or None
        How long; None for ever.
    """

    def __init__(self, seconds: float | None) -> None:
        is_main = threading.current_thread() is threading.main_thread()
        self._seconds = seconds if is_main and hasattr(signal, "setitimer") else None
        self._former: Any = None
        self._rest = (0.0, 0.0)
        self._began = 0.0
        self._is_over = False

    def __enter__(self) -> Self:
        if self._seconds is not None:
            self._began = time.monotonic()
            self._former = signal.signal(signal.SIGALRM, self._end)
            self._rest = signal.setitimer(signal.ITIMER_REAL, self._seconds, _AGAIN)
        return self

    def _end(self, number: int, frame: FrameType | None) -> None:
        if not self._is_over:
            raise TookTooLong

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._is_over = True
        if self._seconds is None:
            return
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        if self._former is not None:  # a handler that Python does not know of cannot be put back
            signal.signal(signal.SIGALRM, self._former)
        left, interval = self._rest
        if left:
            signal.setitimer(
                signal.ITIMER_REAL, max(left - (time.monotonic() - self._began), 0.001), interval
            )
