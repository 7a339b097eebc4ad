"""Counts of outcomes, where there is no list of jobs to be counted.

Knows outcomes; must not know jobs.
"""

from __future__ import annotations

from sinagot.engine.job import Outcome

__all__ = ["Tally"]


class Tally:
    """How many jobs had which outcome.

    Examples
    --------
    >>> tally = Tally()
    >>> tally.add(Outcome.DONE)
    >>> tally.counts["done"], tally.ok
    (1, True)
    """

    def __init__(self) -> None:
        self.counts = dict.fromkeys(Outcome.ALL, 0)

    def add(self, outcome: str) -> None:
        """Count one; what is held has no outcome yet."""
        if outcome in self.counts:
            self.counts[outcome] += 1

    @property
    def ok(self) -> bool:
        """Nothing failed."""
        return not any(self.counts[outcome] for outcome in Outcome.BAD)
