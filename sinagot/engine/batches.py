"""How many chains travel together: by time, so that tiny steps are cheap to send and long ones spread evenly.

Knows durations; must not know what a job does.
"""

from __future__ import annotations

__all__ = ["BatchSize"]

#: Seconds of work in one batch: long against the cost of sending it (about 1 ms), short against a person's patience.
TARGET = 0.05
_LARGEST = 512


class BatchSize:
    """Adapts the number of chains in a batch to how long chains take.

    Parameters
    ----------
    slots : int
        How many batches run at once.
    ahead : int
        How many batches wait at each slot.

    Examples
    --------
    >>> size = BatchSize(slots=2, ahead=1)
    >>> size.next(remaining=1000)
    1
    >>> size.learn(chains=1, seconds=0.001)
    >>> size.next(remaining=1000)
    50
    >>> size.next(remaining=8)
    2
    """

    def __init__(self, slots: int, ahead: int) -> None:
        self._share = max(1, slots * (1 + ahead))
        self._seconds: float | None = None

    def next(self, remaining: int) -> int:
        """Say how many chains the next batch should have."""
        if self._seconds is None:
            return 1
        by_time = int(TARGET / self._seconds) if self._seconds > 0 else _LARGEST
        fair = -(-remaining // self._share)
        return max(1, min(by_time, fair, _LARGEST))

    def learn(self, chains: int, seconds: float) -> None:
        """Take note of how long a batch took."""
        each = max(seconds / max(chains, 1), 1e-6)
        self._seconds = each if self._seconds is None else 0.7 * self._seconds + 0.3 * each
