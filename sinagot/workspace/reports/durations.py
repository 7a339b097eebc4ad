"""How long attempts of a step took, and how much memory: kept small, however many there are.

Pure. Only durations are kept, eight bytes each.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from typing import Any

__all__ = ["Durations"]


class Durations:
    """Durations of the attempts of one step that were done.

    Examples
    --------
    >>> durations = Durations()
    >>> for seconds in (4.0, 1.0, 3.0, 2.0, 5.0):
    ...     durations.add(seconds, 10.0)
    >>> durations.count, durations.total, durations.quartiles()
    (5, 15.0, (1.0, 2.0, 3.0, 4.0, 5.0))
    """

    def __init__(self) -> None:
        self._seconds = array("d")
        self._is_sorted = True
        #: Largest peak memory, MB; None where nobody measured.
        self.peak_memory_mb: float | None = None

    def add(self, seconds: float, peak_memory_mb: float | None) -> None:
        """Take one in."""
        self._seconds.append(max(seconds, 0.0))
        self._is_sorted = False
        if peak_memory_mb is not None:
            self.peak_memory_mb = max(self.peak_memory_mb or 0.0, peak_memory_mb)

    def _sort(self) -> array[float]:
        if not self._is_sorted:
            self._seconds = array("d", sorted(self._seconds))
            self._is_sorted = True
        return self._seconds

    @property
    def count(self) -> int:
        """How many there are."""
        return len(self._seconds)

    @property
    def total(self) -> float:
        """Seconds of all together."""
        return sum(self._seconds)

    def quartiles(self) -> tuple[float, float, float, float, float]:
        """Give the least, the quartiles and the most, in seconds."""
        ordered = self._sort()
        last = len(ordered) - 1

        def at(part: float) -> float:
            place = part * last
            low = int(place)
            high = min(low + 1, last)
            return ordered[low] + (ordered[high] - ordered[low]) * (place - low)

        return at(0), at(0.25), at(0.5), at(0.75), at(1)

    def between(self, low: float, high: float) -> int:
        """Count those from `low` on and below `high`."""
        ordered = self._sort()
        return bisect_left(ordered, high) - bisect_left(ordered, low)

    def as_json(self) -> dict[str, Any]:
        """Give plain values."""
        least, lower, median, upper, most = self.quartiles()
        return {
            "count": self.count,
            "total_s": self.total,
            "min_s": least,
            "lower_quartile_s": lower,
            "median_s": median,
            "upper_quartile_s": upper,
            "max_s": most,
            "peak_memory_mb": self.peak_memory_mb,
        }
