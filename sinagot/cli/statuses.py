"""The statuses of records as a table: read once, narrowed, counted, as JSON.

Knows rows of statuses; must not know how they are drawn, which is for `sinagot.cli.grids`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Sequence
from typing import Any, NamedTuple

import click

from sinagot.cli.texts import step_place
from sinagot.engine.words import STATUS
from sinagot.scripts.group import GROUP_ID

__all__ = ["Condition", "StatusTable", "read_condition"]

_FACTS = ("task", "modality", "step_index", "step_label")
#: Statuses of records that ``--failed`` is about.
FAILED = ("ERROR", "INTERRUPTED")


class Condition(NamedTuple):
    """Step, by its name or its place, and names of the statuses that it may have."""

    step: str
    names: tuple[str, ...]

    def is_about(self, step: dict[str, Any]) -> bool:
        """Say whether a step is meant; a name without task and modality means it in all of them."""
        return self.step in (step["step_label"], step_place(step))


def read_condition(text: str) -> Condition:
    """Read the value of ``--where``.

    Parameters
    ----------
    text : str
        ``step=status``, or several statuses with commas.

    Examples
    --------
    >>> read_condition("alpha=error, no input")
    Condition(step='alpha', names=('ERROR', 'INIT'))
    """
    step, sign, words = text.rpartition("=")
    if not sign or not step:
        raise click.UsageError(f"--where: {text!r} is no condition; write step=status, such as mean=error")
    known = {word.text: name for name, word in STATUS.items()} | {name.lower(): name for name in STATUS}
    names = []
    for word in words.split(","):
        name = known.get(word.strip().lower())
        if name is None:
            from sinagot.config.hints import did_you_mean

            texts = [one.text for one in STATUS.values()]
            hint = did_you_mean(word.strip(), texts)
            raise click.UsageError(
                f"--where: {word.strip()!r} is no status; statuses are {', '.join(texts)}{'; ' + hint if hint else ''}"
            )
        names.append(name)
    return Condition(step.strip(), tuple(names))


class StatusTable(NamedTuple):
    """Status names, one list a record, one item a step."""

    steps: list[dict[str, Any]]
    cells: dict[str, list[str]]
    #: Steps that run once for all records, each with the name of its status.
    groups: list[tuple[dict[str, Any], str]]

    @classmethod
    def read(cls, collection: Any, step: str | None) -> StatusTable:
        """Read the statuses of a step collection."""
        from sinagot.engine.planning.status import StepStatus

        names = {int(code): code.name for code in StepStatus}
        steps: dict[tuple[Any, ...], dict[str, Any]] = {}
        cells: dict[str, list[str]] = {}
        groups: list[tuple[dict[str, Any], str]] = []
        for row in collection.iter_status(step):
            if row["record_id"] == GROUP_ID:
                groups.append(({name: row[name] for name in _FACTS}, names[row["step_status"]]))
                continue
            key = (row["task"], row["modality"], row["step_label"])
            if key not in steps:
                steps[key] = {name: row[name] for name in _FACTS}
            cells.setdefault(row["record_id"], []).append(names[row["step_status"]])
        return cls(list(steps.values()), cells, groups)

    @property
    def places(self) -> list[str]:
        """Names of the columns."""
        return [step_place(step) for step in self.steps]

    def counts(self, number: int) -> dict[str, int]:
        """Count the records of each status of one step, in the order of `STATUS`."""
        found = Counter(row[number] for row in self.cells.values())
        return {name: found[name] for name in STATUS if name in found}

    def only_failed(self) -> StatusTable:
        """Leave the records of which a step failed or was interrupted."""
        return self._where(lambda names: any(name in FAILED for name in names))

    def only_ids(self, ids: Collection[str]) -> StatusTable:
        """Leave some records; the group steps only where they are meant, too."""
        cells = {record_id: names for record_id, names in self.cells.items() if record_id in ids}
        return self._replace(cells=cells, groups=self.groups if GROUP_ID in ids else [])

    def only(self, condition: Condition) -> StatusTable:
        """Leave the records of which a step has one of some statuses, in any task and modality that it is in."""
        places = [number for number, step in enumerate(self.steps) if condition.is_about(step)]
        if not places and not any(condition.is_about(step) for step, _ in self.groups):
            raise click.UsageError(
                f"--where: no step {condition.step!r} here; steps are {', '.join(dict.fromkeys(self._names()))}"
            )
        table = self._where(lambda names: any(names[number] in condition.names for number in places))
        groups = [
            (step, name) for step, name in self.groups if condition.is_about(step) and name in condition.names
        ]
        return table._replace(groups=groups)

    def _names(self) -> Sequence[str]:
        return [step["step_label"] for step in (*self.steps, *(step for step, _ in self.groups))]

    def _where(self, is_meant: Callable[[list[str]], bool]) -> StatusTable:
        cells = {record_id: names for record_id, names in self.cells.items() if is_meant(names)}
        groups = [(step, name) for step, name in self.groups if name in FAILED]
        return self._replace(cells=cells, groups=groups)

    def as_json(self) -> dict[str, Any]:
        """Give the table as plain values; keys are documented in `sinagot.cli.commands.status`."""
        from sinagot.engine.planning.status import StepStatus

        pairs = [
            (record_id, step, name)
            for record_id, names in self.cells.items()
            for step, name in zip(self.steps, names, strict=True)
        ]
        pairs += [(GROUP_ID, step, name) for step, name in self.groups]
        rows = [
            {"record_id": record_id, **step, "step_status": int(StepStatus[name]), "status_name": name}
            for record_id, step, name in pairs
        ]
        totals = [
            {**{key: step[key] for key in ("task", "modality", "step_label")}, "counts": self.counts(number)}
            for number, step in enumerate(self.steps)
        ]
        return {"status": rows, "totals": totals}
