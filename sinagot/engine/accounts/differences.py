"""What differs between the records of which a step failed and those of which it was done, in one run.

Knows the books of a run, what its events measured, and the sizes of inputs; must not know how a run is executed.
Looked for when somebody asks: a look at some hundred files, and at the events of the run once.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice

from sinagot.config.quantities import bytes_text, seconds_text
from sinagot.dataset.records import RecordIds
from sinagot.engine.accounts.ledger import Ledger
from sinagot.engine.job import Outcome
from sinagot.engine.planning.graph import StepNode
from sinagot.engine.state.history import iter_events

__all__ = ["Comparison"]

#: How many records of each side are looked at.
MOST_COMPARED = 200
#: Medians that are closer than this are alike.
_RATIO = 1.5
_MIB = 1 << 20

Facts = dict[tuple[str, str], dict[str, float]]


class Comparison:
    """Compares failing with passing records of the steps of one run.

    Parameters
    ----------
    ledger : Ledger
        What became of each job.
    rule : RecordIds
        Gives the fields of a record's paths.
    folder : str
        The run's folder.
    """

    def __init__(self, ledger: Ledger, rule: RecordIds, folder: str) -> None:
        self._ledger = ledger
        self._rule = rule
        self._folder = folder
        self._facts: Facts | None = None

    def differences(self, place: str, failing: Sequence[str]) -> tuple[str, ...]:
        """Say what differs, in lines for people.

        Parameters
        ----------
        place : str
            The step, ``task-modality-step``.
        failing : sequence of str
            Ids of the records of which it failed, for one cause.

        Returns
        -------
        tuple of str
            Nothing when all looked at are alike, or none passed.
        """
        node = next((node for node in self._ledger.graph.nodes if node.place == place), None)
        if node is None:
            return ()
        bad = failing[:MOST_COMPARED]
        good = list(islice(self._passing(node), MOST_COMPARED))
        lines = [*self._by_scope(node)]
        lines += _compared("input size", self._sizes(node, bad), self._sizes(node, good), bytes_text, 10e3)
        used, usual = (self._measured(node, ids, "peak_memory_mb", _MIB) for ids in (bad, good))
        lines += _compared("peak memory", used, usual, bytes_text, 100e6)
        used, usual = (self._measured(node, ids, "duration_s") for ids in (bad, good))
        lines += _compared("duration", used, usual, seconds_text, 1.0)
        return tuple(lines)

    def _passing(self, node: StepNode) -> Iterator[str]:
        """Give records of which a step was done in this run; those that were up to date when there are none."""
        for outcome in (Outcome.DONE, Outcome.UP_TO_DATE):
            found = self._ledger.records_of(node.index, outcome)
            first = next(found, None)
            if first is not None:
                yield self._ledger.ids[first]
                yield from (self._ledger.ids[record] for record in found)
                return

    def _by_scope(self, node: StepNode) -> Iterator[str]:
        """Say where the same script passes, when it fails in this task or modality only."""
        counts = self._ledger.counts_of(node.index)
        if counts[Outcome.DONE]:
            return
        for dimension in ("task", "modality"):
            others = [
                other
                for other in self._ledger.graph.nodes
                if other.index in self._ledger.selected
                and other.label == node.label
                and getattr(other, dimension) != getattr(node, dimension)
                and (dimension == "modality" or other.modality == node.modality)
            ]
            passing = [
                str(getattr(other, dimension))
                for other in others
                if _passes(self._ledger.counts_of(other.index))
            ]
            if passing:
                yield f"fails in {dimension} {getattr(node, dimension)}, passes in {', '.join(dict.fromkeys(passing))}"

    def _sizes(self, node: StepNode, ids: Iterable[str]) -> list[float]:
        """Give the summed size of the input files of each record, as far as they are plain files."""
        found = []
        for record_id in ids:
            try:
                values = self._rule.values(record_id)
                total = sum(os.stat(slot.final(values)).st_size for slot in node.inputs if not slot.free)
            except (OSError, ValueError, KeyError):
                continue
            found.append(float(total))
        return found

    def _measured(self, node: StepNode, ids: Iterable[str], key: str, unit: float = 1.0) -> list[float]:
        if self._facts is None:
            self._facts = _read_facts(self._folder)
        place = "\0".join(map(str, (node.task, node.modality, node.label)))
        found = (self._facts.get((record_id, place), {}).get(key) for record_id in ids)
        return [value * unit for value in found if value is not None]


def _passes(counts: dict[str, int]) -> bool:
    return bool(counts[Outcome.DONE] or counts[Outcome.UP_TO_DATE]) and not counts[Outcome.FAILED]


def _read_facts(folder: str) -> Facts:
    """Read what was measured of the last attempt of each job of a run."""
    facts: Facts = {}
    for event in iter_events(folder):
        place = "\0".join(str(event.get(name)) for name in ("task", "modality", "step_label"))
        kept = {
            key: float(event[key])
            for key in ("peak_memory_mb", "duration_s")
            if isinstance(event.get(key), int | float)
        }
        if kept:
            facts[str(event.get("record_id")), place] = kept
    return facts


def _compared(
    name: str, bad: Sequence[float], good: Sequence[float], text: Callable[[float], str], least: float
) -> Iterator[str]:
    """Say how failing values differ from passing ones, when they do and are not too small to matter.

    Examples
    --------
    >>> list(_compared("input size", [3.1e9, 3.4e9], [2e8, 1.1e9], bytes_text, 1e4))
    ['input size: failing 3.1 GB to 3.4 GB, others 200 MB to 1.1 GB']
    >>> list(_compared("input size", [1e9], [1.1e9], bytes_text, 1e4))
    []
    """
    if not bad or not good:
        return
    low, high = sorted((_middle(bad), _middle(good)))
    overlap = min(max(bad), max(good)) >= max(min(bad), min(good))
    if high < _RATIO * low or high < least or (overlap and min(len(bad), len(good)) < 3):
        return
    yield f"{name}: failing {_range(bad, text)}, others {_range(good, text)}"


def _middle(values: Sequence[float]) -> float:
    return sorted(values)[len(values) // 2]


def _range(values: Sequence[float], text: Callable[[float], str]) -> str:
    low, high = text(min(values)), text(max(values))
    return low if low == high else f"{low} to {high}"
