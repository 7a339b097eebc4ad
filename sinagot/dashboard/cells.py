"""The grid of records and steps: which records are shown, in which order, and what stands in their cells.

Knows views and time stamps of outputs; must not know HTTP. Filters go over columns of bytes, so that 100,000 records
are sifted in some milliseconds; files are looked at for the rows of one window only.
"""

from __future__ import annotations

import os
from array import array
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from sinagot.dashboard.snapshot import View
from sinagot.scripts.codes import StepStatus

if TYPE_CHECKING:
    from sinagot.engine.planning.graph import StepNode
    from sinagot.workspace.workspace import Workspace

__all__ = ["Choice", "Chooser", "changed_times"]

#: The most urgent first, where rows are sorted by a status.
_ORDER = ("ERROR", "INTERRUPTED", "PROCESSING", "OUTDATED", "BLOCKED", "DATA_READY", "INIT")
_URGENT = {int(StepStatus[name]): rank for rank, name in enumerate(_ORDER)}
_KEPT = 8


class Choice(NamedTuple):
    """Which records, in which order."""

    #: Part of the id, whatever its case.
    search: str = ""
    #: Name of a status that some step has, or the one of `step`.
    status: str = ""
    #: Number of the step that `status` and `order` are about; None for any.
    step: int | None = None
    #: ``"id"``, ``"-id"`` or ``"status"``.
    order: str = "id"


class Chooser:
    """Finds the records of a choice; the last answers are kept while the view is the same."""

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[int, Choice], Sequence[int]] = OrderedDict()

    def find(self, view: View, choice: Choice) -> Sequence[int]:
        """Give the numbers of the records.

        Parameters
        ----------
        view : View
            What there is.
        choice : Choice
            What is asked for.
        """
        key = (view.version, choice)
        found = self._kept.get(key)
        if found is None:
            found = self._kept[key] = _choose(view, choice)
            while len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
        return found


def _choose(view: View, choice: Choice) -> Sequence[int]:
    found: Sequence[int] = range(len(view.ids))
    columns = view.columns if choice.step is None else (view.columns[choice.step],)
    if choice.status:
        code = StepStatus[choice.status]
        chosen: set[int] = set()
        for column in columns:
            place = -1
            while (place := column.find(code, place + 1)) >= 0:
                chosen.add(place)
        found = array("I", sorted(chosen))
    if choice.search:
        text = choice.search.casefold()
        found = array("I", [place for place in found if text in view.ids[place].casefold()])
    if choice.order == "-id":
        found = found[::-1]
    elif choice.order == "status":
        ranks = bytes(_URGENT.get(code, 9) for code in range(256))
        worst = [column.translate(ranks) for column in columns]
        found = array("I", sorted(found, key=lambda place: min((one[place] for one in worst), default=0)))
    return found


def changed_times(workspace: Workspace, view: View, records: Sequence[int]) -> dict[tuple[int, int], float]:
    """Give when the outputs of some records were written, by record and number of the step.

    Parameters
    ----------
    workspace : Workspace
        Where they are.
    view : View
        What there is.
    records : sequence of int
        Numbers of records; one stat a step and record.
    """
    values = workspace.blueprint.values_of
    found: dict[tuple[int, int], float] = {}
    for record in records:
        record_id = view.ids[record]
        for number, node in enumerate(view.nodes):
            if view.columns[number][record] not in (StepStatus.DONE, StepStatus.OUTDATED, StepStatus.ERROR):
                continue
            path = _first_output(node, record_id, values)
            if path is not None:
                try:
                    found[record, number] = os.stat(path).st_mtime
                except OSError:
                    continue
    return found


def _first_output(node: StepNode, record_id: str, values: Callable[[str], Any]) -> str | None:
    if not node.outputs or node.outputs[0].free:
        return None
    slot = node.outputs[0]
    return slot.full(record_id) if slot.full is not None else slot.final(values(record_id))
