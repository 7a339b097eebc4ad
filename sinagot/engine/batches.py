"""How many chains travel together: by time, so that tiny steps are cheap to send and long ones spread evenly.

Knows durations; must not know what a job does.
"""

from __future__ import annotations

__all__ = ["BatchSize"]

_LARGEST = 512
#: A batch is at most so many times as large as the one before: one quick chain says little of the next.
_GROWTH = 4


class BatchSize:
    """Adapts the number of chains in a batch to how long chains take.

    Parameters
    ----------
    slots : int
        How many batches run at once.
    ahead : int
        How many batches wait at each slot.
    target : float, seconds
        Work in one batch: long against the cost of sending it, short against a person's patience.

    Examples
    --------
    >>> size = BatchSize(slots=2, ahead=1)
    >>> size.next(remaining=1000)
    1
    >>> size.learn(chains=1, seconds=0.001)
    >>> [size.next(remaining=1000) for _ in range(4)]
    [4, 16, 50, 50]
    >>> size.next(remaining=8)
    2
    """

    def __init__(self, slots: int, ahead: int, target: float = 0.05) -> None:
        self._target = target
        self._last = 1
        self._ahead = ahead
        self.share_among(slots)
        self._seconds: float | None = None

    def share_among(self, slots: int) -> None:
        """Take note of how many batches run at once now."""
        self._share = max(1, slots * (1 + self._ahead))

    def next(self, remaining: int) -> int:
        """Say how many chains the next batch should have."""
        if self._seconds is None:
            return 1
        by_time = int(self._target / self._seconds)
        fair = -(-remaining // self._share)
        self._last = max(1, min(by_time, fair, _LARGEST, _GROWTH * self._last))
        return self._last

    def learn(self, chains: int, seconds: float) -> None:
        """Take note of how long a batch took."""
        each = max(seconds / max(chains, 1), 1e-6)
        self._seconds = each if self._seconds is None else (self._seconds + each) / 2
