"""Where the records of a study have gone: found, excluded, missing input, failed, done; every sum adds up.

Pure: facts in, counts out. `sinagot.workspace.reports.flows` looks the facts up; commands and notebooks show what
comes out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from sinagot.engine import words
from sinagot.engine.charts.texts import mermaid_label
from sinagot.scripts.codes import StepStatus

__all__ = [
    "PLACES",
    "WITHOUT_INPUT",
    "WORDS",
    "FlowCounts",
    "JobPlace",
    "mermaid_of",
    "place_of",
    "record_place",
]

#: Where a job can stand, in the order of tables.
PLACES = tuple(words.PLACES)
#: A record stands where the first of these is that one of its jobs stands at: one failed step makes a failed record.
_WORST = ("failed", "interrupted", "missing_input", "running", "ready", "waiting", "outdated", "done")

_BY_STATUS = {
    StepStatus.DONE: "done",
    StepStatus.OUTDATED: "outdated",
    StepStatus.ERROR: "failed",
    StepStatus.INTERRUPTED: "interrupted",
    StepStatus.PROCESSING: "running",
    StepStatus.DATA_READY: "ready",
    StepStatus.EXCLUDED: "excluded",
}


class JobPlace(NamedTuple):
    """Where one job stands."""

    place: str
    #: Why it is excluded; empty for other jobs.
    reason: str = ""
    #: Its result is there, its input is not.
    is_without_input: bool = False


def place_of(status: StepStatus, *, is_missing: bool) -> str:
    """Say where a job of a status stands.

    Parameters
    ----------
    status : StepStatus
        Of the job.
    is_missing : bool
        An input is not there that no step makes, or the step that should make it has none either.

    Examples
    --------
    >>> place_of(StepStatus.INIT, is_missing=True), place_of(StepStatus.INIT, is_missing=False)
    ('missing_input', 'waiting')
    """
    return _BY_STATUS.get(status, "missing_input" if is_missing else "waiting")


def record_place(jobs: Iterable[JobPlace]) -> JobPlace:
    """Say where a record with some jobs stands: where the worst of those that count does.

    Examples
    --------
    >>> record_place([JobPlace("done"), JobPlace("failed"), JobPlace("waiting")]).place
    'failed'
    >>> record_place([JobPlace("excluded", "asleep"), JobPlace("done")]).place
    'done'
    """
    seen = list(jobs)
    counting = {job.place for job in seen} - {"excluded"}
    for place in _WORST:
        if place in counting:
            return JobPlace(place)
    return next(iter(seen), JobPlace("waiting"))


class FlowCounts(NamedTuple):
    """The way of the records through one step, or through all of them.

    Attributes
    ----------
    name : str
        The step as people read it (its parts are in the fields task, modality and step); ``"records"`` for records as
        a whole, ``"jobs"`` for all steps together.
    found : int
        How many there are: the sum of all places.
    excluded : dict of str to int
        Reason -> how many.
    places : dict of str to int
        Every word of `PLACES` -> how many.
    without_input : int
        Results whose input is gone. Those of records that were not found are besides the sum.
    """

    name: str
    task: str | None
    modality: str | None
    step: str | None
    found: int
    excluded: dict[str, int]
    places: dict[str, int]
    without_input: int = 0

    @classmethod
    def of(
        cls,
        name: str,
        jobs: Sequence[JobPlace],
        *,
        task: str | None = None,
        modality: str | None = None,
        step: str | None = None,
        strays: int = 0,
    ) -> FlowCounts:
        """Count.

        Parameters
        ----------
        name : str
            What is counted.
        jobs : sequence of JobPlace
            One for each that was found.
        task, modality, step : str, optional
            The step, where it is about one.
        strays : int
            Results of records that were not found.
        """
        counted = Counter(job.place for job in jobs)
        reasons = Counter(job.reason for job in jobs if job.place == "excluded")
        gone = sum(job.is_without_input for job in jobs)
        return cls(
            name,
            task,
            modality,
            step,
            len(jobs),
            dict(reasons.most_common()),
            {place: counted[place] for place in PLACES},
            gone + strays,
        )

    def as_json(self) -> dict[str, Any]:
        """Give plain values."""
        return self._asdict()


#: Words of tables and figures.
WORDS = {place: word.text for place, word in words.PLACES.items()}
WITHOUT_INPUT = "results without input"
_LONGEST_REASON = 60


def mermaid_of(counts: FlowCounts) -> str:
    """Draw the way of the records as a Mermaid flowchart: what remains goes down, what drops out goes aside."""
    lines = ["flowchart TD", f'    found["found<br>{counts.found:,}"]']
    before, left = "found", counts.found
    dropping = [place for place in PLACES if place != "done" and counts.places[place]]
    for number, place in enumerate(dropping, start=1):
        left -= counts.places[place]
        text = f"{WORDS[place]}<br>{counts.places[place]:,}"
        if place == "excluded":
            text += "".join(f"<br>{_safe(why)}: {count:,}" for why, count in counts.excluded.items())
        is_last = number == len(dropping)
        name, word = ("done", "done") if is_last else (f"left{number}", "remaining")
        lines.append(f'    {before} --> {place}["{text}"]')
        lines.append(f'    {before} --> {name}["{word}<br>{left:,}"]')
        before = name
    if not dropping:
        lines.append(f'    found --> done["done<br>{left:,}"]')
    if counts.without_input:
        lines.append(f'    without["{WITHOUT_INPUT}<br>{counts.without_input:,}"]')
    return "\n".join(lines) + "\n"


def _safe(text: str) -> str:
    """Write a text of people so that it stays a text, and not a long one."""
    return mermaid_label(text if len(text) <= _LONGEST_REASON else f"{text[:_LONGEST_REASON]} ...")
