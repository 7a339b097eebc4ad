"""The way from what was found to what is done, as one funnel: of the records of a workspace, or of the jobs of a run.

Pure: counts in, counts out; what drops out and what is left add up to what was found.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from sinagot.engine.accounts.flow import FlowCounts
from sinagot.engine.accounts.runs import RunFacts
from sinagot.engine.job import Outcome
from sinagot.engine.words import OUTCOMES, PLACES, Word

__all__ = ["Drop", "Way", "way_of_records", "way_of_run"]

#: Jobs that a run was asked for and of which nobody knows what became.
_UNKNOWN = Word("not known", "?", "?", "none")
_FINE = (Outcome.UP_TO_DATE, Outcome.DONE_ELSEWHERE, Outcome.DONE)


class Drop(NamedTuple):
    """What drops out at one place."""

    name: str
    word: Word
    number: int
    #: Reason -> how many, where reasons are known.
    reasons: dict[str, int]


class Way(NamedTuple):
    """Found, what drops out, done."""

    #: What is counted: ``"records"`` or ``"jobs"``.
    noun: str
    found: int
    drops: list[Drop]
    done: int
    #: Results whose input is gone; besides the sum.
    without_input: int = 0

    def as_json(self) -> dict[str, Any]:
        """Give plain values."""
        return {
            "noun": self.noun,
            "found": self.found,
            **{drop.name: drop.number for drop in self.drops},
            "done": self.done,
        }


def way_of_records(counts: FlowCounts) -> Way:
    """Give the way of the records of a workspace, as `sinagot report flow` counts them."""
    drops = [
        Drop(name, PLACES[name], counts.places[name], counts.excluded if name == "excluded" else {})
        for name in PLACES
        if name != "done"
    ]
    return Way("records", counts.found, drops, counts.places["done"], counts.without_input)


def way_of_run(run: RunFacts) -> Way:
    """Give the way of the jobs of one run, as it has counted them."""
    order = (Outcome.EXCLUDED, Outcome.MISSING_INPUT, Outcome.FAILED, Outcome.BLOCKED, Outcome.INTERRUPTED)
    drops = [Drop(name, OUTCOMES[name], run.counts.get(name, 0), {}) for name in (*order, Outcome.NOT_BEGUN)]
    if run.open:
        drops.append(Drop("unknown", _UNKNOWN, run.open, {}))
    done = sum(run.counts.get(name, 0) for name in _FINE)
    return Way("jobs", done + sum(drop.number for drop in drops), drops, done)
