"""What is to be run next: which acts are ready, which run, what came of the others. Any thread may ask.

Knows acts and their order; must not know threads, nor how an act is run.
"""

from __future__ import annotations

import heapq
import threading
from collections.abc import Callable, Mapping, Sequence
from graphlib import TopologicalSorter

from sinagot.engine.acts.act import Act, ActResult

__all__ = ["Agenda"]


class Agenda:
    """The acts of one board; those that are ready are given in the order in which they were declared.

    Parameters
    ----------
    acts : sequence of Act
        Their names are unique, `needs` name acts of the sequence, and there is no circle.
    skipped : callable
        Asked before an act is given, with the results so far: what came of it already, or None if it is to run.
    closed : callable
        Called with each result; by one thread at a time, as `skipped`.
    may_begin : callable
        Says whether anything may be begun now.

    Attributes
    ----------
    results : dict of str to ActResult
        Of each act, in the order given.

    Examples
    --------
    >>> acts = [Act("b", max, needs=("a",)), Act("a", min), Act("c", sum)]
    >>> agenda = Agenda(acts, lambda act, results: None, lambda result: None, lambda: True)
    >>> agenda.next_alone(), agenda.next().name, agenda.next().name, agenda.next()
    (None, 'a', 'c', None)
    >>> agenda.close(ActResult("a", "DONE"))
    >>> agenda.close(ActResult("c", "DONE"))
    >>> agenda.next(), agenda.next_alone().name
    (None, 'b')
    """

    def __init__(
        self,
        acts: Sequence[Act],
        skipped: Callable[[Act, Mapping[str, ActResult]], ActResult | None],
        closed: Callable[[ActResult], None],
        may_begin: Callable[[], bool],
    ) -> None:
        self.results = {act.name: ActResult(act.name) for act in acts}
        self._acts = acts
        self._places = {act.name: place for place, act in enumerate(acts)}
        self._skipped, self._closed, self._may_begin = skipped, closed, may_begin
        # Never held while an act runs: whoever stops the run may need it.
        self._guard = threading.Lock()
        self._ready: list[int] = []
        self._running: dict[str, Act] = {}
        self._is_halted = self._is_over = False
        self._sorter = TopologicalSorter({act.name: act.needs for act in acts})
        self._sorter.prepare()
        self._refill()

    def _refill(self) -> None:
        for name in self._sorter.get_ready():
            heapq.heappush(self._ready, self._places[name])

    @property
    def has_more(self) -> bool:
        """Further acts could begin."""
        return bool(self._ready) and not self._is_halted and self._may_begin()

    @property
    def is_left(self) -> bool:
        """Acts are ready that may not begin."""
        return bool(self._ready)

    def next(self) -> Act | None:
        """Give an act that is not the only one that could run now; None when there is none."""
        return self._take(alone=False)

    def next_alone(self) -> Act | None:
        """Give the act that is ready, when nothing else could run now; None when something could, or does."""
        return self._take(alone=True)

    def _take(self, *, alone: bool) -> Act | None:
        with self._guard:
            while self.has_more:
                if (len(self._ready) == 1 and not self._running) is not alone:
                    return None
                act = self._acts[heapq.heappop(self._ready)]
                result = self._skipped(act, self.results)
                if result is None:
                    self._running[act.name] = act
                    return act
                self._settle(result)
        return None

    def close(self, result: ActResult) -> None:
        """Note what came of an act."""
        with self._guard:
            self._settle(result)

    def _settle(self, result: ActResult) -> None:
        if self._is_over:
            return  # it was given up
        self.results[result.name] = result
        self._running.pop(result.name, None)
        if not self._is_halted:
            self._closed(result)
            self._sorter.done(result.name)
            self._refill()

    def halt(self) -> None:
        """Give nothing more; what came of those that run is noted still."""
        with self._guard:
            self._is_halted = True

    def give_up(self) -> list[str]:
        """Note nothing more, and name what runs still."""
        with self._guard:
            self._is_halted = self._is_over = True
            return list(self._running)
