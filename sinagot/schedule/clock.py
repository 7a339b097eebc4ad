"""The clock of a service: what time it is, how long something took, and waiting.

Knows the machine's clocks. Tests give services another one.
"""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime

__all__ = ["Clock"]


class Clock:
    """The clock of this machine.

    Examples
    --------
    >>> Clock().now().tzinfo
    datetime.timezone.utc
    """

    def now(self) -> datetime:
        """Give the time, UTC; it may be set forward or back."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Give seconds that only grow, since some moment."""
        return time.monotonic()

    def wait(self, event: threading.Event, seconds: float) -> bool:
        """Wait for an event, at most so long; says whether it came."""
        return event.wait(seconds)
