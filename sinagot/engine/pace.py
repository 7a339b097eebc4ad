"""How far a run is, how fast it goes and how long it will take, as words: the same in a terminal and in a notebook.

Pure: counts and times in, words out; must not know where they are shown.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sinagot.engine.words import OUTCOMES

if TYPE_CHECKING:
    from sinagot.engine.request import Progress

__all__ = ["Snapshot", "duration_text"]

#: Of no use while it runs: what was done before it began.
_QUIET = ("up_to_date",)


def duration_text(seconds: float) -> str:
    """Write a duration for people.

    Parameters
    ----------
    seconds : float, seconds
        How long.

    Returns
    -------
    str
        Two units at most.

    Examples
    --------
    >>> duration_text(0.0312), duration_text(12.3), duration_text(75), duration_text(7300)
    ('0.031 s', '12 s', '1 min 15 s', '2 h 1 min')
    """
    if seconds < 10:
        return f"{seconds:.2g} s" if seconds >= 0.005 else "0.00 s"
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    return f"{minutes // 60} h {minutes % 60} min"


class Snapshot:
    """What is known of a run at one moment, as words of several lengths.

    Parameters
    ----------
    progress : Progress
        Counts as the engine gives them.
    before : int
        Jobs that were settled before the first one ran.
    elapsed : float, seconds
        Since then.
    """

    def __init__(self, progress: Progress, before: int, elapsed: float) -> None:
        self.total = progress.total
        self.counts = progress.counts
        self.settled = sum(progress.counts.values())
        self.worked = self.settled - before
        self.rate = self.worked / elapsed if elapsed > 0 and self.worked > 0 else 0.0

    @property
    def fraction(self) -> float:
        """Part of the jobs that are settled, from 0 to 1."""
        return self.settled / self.total if self.total else 1.0

    @property
    def rate_text(self) -> str:
        """Jobs a second, a minute or an hour."""
        factor, unit = (1, "s") if self.rate >= 1 else (60, "min") if self.rate * 60 >= 1 else (3600, "h")
        rate = self.rate * factor
        return f"{rate:,.0f}/{unit}" if rate >= 10 else f"{rate:.1f}/{unit}"

    def parts(self) -> list[str]:
        """Give the words: how far, how many jobs of each outcome, the time left, the rate.

        Returns
        -------
        list of str
            To be joined.
        """
        return [text for _, text in self._weighed()]

    def _weighed(self) -> list[tuple[int, str]]:
        """Give the words with their weight: on a narrow terminal the lightest go first."""
        told = [(9, f"{self.fraction:4.0%} {self.settled:,}/{self.total:,}")]
        told += [
            (7 if outcome == "failed" else 4, f"{count:,} {OUTCOMES[outcome].text}")
            for outcome, count in self.counts.items()
            if count and outcome not in _QUIET
        ]
        if self.rate and self.settled < self.total:
            told.append((6, f"{duration_text((self.total - self.settled) / self.rate)} left"))
            told.append((2, self.rate_text))
        return told

    def line(self, width: int) -> str:
        """Give as many of the words as fit; how far it is always stays.

        Parameters
        ----------
        width : int
            Characters.

        Returns
        -------
        str
            One line.

        Examples
        --------
        >>> from sinagot.engine.request import Progress
        >>> snapshot = Snapshot(Progress({"done": 30, "failed": 2}, 64, None), 0, 8.0)
        >>> snapshot.line(80), snapshot.line(36)
        (' 50% 32/64 · 30 done · 2 failed · 8 s left · 4.0/s', ' 50% 32/64 · 2 failed · 8 s left')
        """
        told = self._weighed()
        while len(told) > 1 and len(" · ".join(text for _, text in told)) > width:
            lightest = min(weight for weight, _ in told)
            told.pop(max(number for number, (weight, _) in enumerate(told) if weight == lightest))
        return " · ".join(text for _, text in told)
