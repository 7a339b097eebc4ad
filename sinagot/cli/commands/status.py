"""`sinagot status`: records x steps, and totals.

Knows how to draw a table; what a status is, is the workspace's. Keys of ``--json``: ``status``, a list of
``record_id``, ``task``, ``modality`` (null without tasks), ``step_index`` (from 1), ``step_label``, ``step_status``
(int, on disk and in Python alike), ``status_name`` (text, such as ``"DONE"``); ``totals``, a list of ``task``,
``modality``, ``step_label`` and ``counts`` (object, status name -> number of records).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import click

from sinagot.cli.exits import Exit
from sinagot.cli.options import (
    choose_records,
    json_option,
    open_workspace,
    record_option,
    scope_options,
    workspace_options,
)
from sinagot.cli.texts import (
    clean,
    columns,
    counted,
    note,
    painted,
    plain_list,
    print_json,
    say,
    step_place,
    terminal_width,
)
from sinagot.engine.words import STATUS
from sinagot.scripts.group import GROUP_ID

__all__ = ["command"]


@click.command(
    "status",
    epilog="""
\b
Words of the table (letters where it would be too wide):
  done (D)         all outputs are there      ready (r)     inputs are there, not run yet
  error (E)        the last attempt failed    no input (.)  an input is not there (yet)
  interrupted (I)  the last attempt was cut   running (>)   at this moment

\b
Examples:
  sinagot status
  sinagot status --task RS --modality EEG
  sinagot status | grep error
  sinagot status --totals

Exit code 5 when there is no record; a step that failed is no error of this command.
""",
)
@scope_options
@record_option
@click.option("--step", metavar="NAME", help="Only this step.")
@click.option(
    "-v",
    "--verbose",
    is_flag=True,
    help="Also count results that are older than an input, and unreadable log lines.",
)
@click.option("--totals", "only_totals", is_flag=True, help="Only the totals.")
@json_option
@workspace_options
def command(
    task: str | None,
    modality: str | None,
    records: tuple[str, ...],
    step: str | None,
    verbose: bool,
    only_totals: bool,
    as_json: bool,
) -> int:
    """Show the status of every step of every record, and totals."""
    from sinagot.cli.findings import check_step, tell_nothing_found, tell_problems

    workspace = open_workspace()
    scope = choose_records(workspace, task, modality, records)
    check_step(scope, step)
    table = _Table.read(scope.steps, step)
    tell_problems(workspace)
    if as_json:
        print_json(table.as_json())
    elif table.cells or table.groups:
        for line in table.lines(terminal_width(), only_totals=only_totals):
            say(line)
        if verbose:
            say(
                f"{counted(scope.steps.count_older(step), 'result')} older than an input (sinagot run --outdated)"
            )
            _tell_unreadable(str(workspace.configuration.log_path), scope.ids())
    if table.cells or (table.groups and scope.ids()):
        return Exit.OK
    if not scope.ids():
        tell_nothing_found(scope)
    else:
        note("No step is configured here.")
    return Exit.NOTHING


def _tell_unreadable(folder: str, ids: list[str]) -> None:
    """Say how many lines of the records' logs can't be read, and whose they are."""
    from sinagot.runlog.read import count_unreadable

    found = count_unreadable(folder, ids)
    whose = plain_list([f"{clean(record_id)} ({count:,})" for record_id, count in found.items()])
    say(f"{counted(sum(found.values()), 'log line')} unreadable{': ' if found else ''}{whose}")


class _Table(NamedTuple):
    """Status names, one list a record, one item a step."""

    steps: list[dict[str, Any]]
    cells: dict[str, list[str]]
    #: Steps that run once for all records, each with the name of its status.
    groups: list[tuple[dict[str, Any], str]]

    @classmethod
    def read(cls, collection: Any, step: str | None) -> _Table:
        from sinagot.engine.planning.status import StepStatus

        names = {int(code): code.name for code in StepStatus}
        steps: dict[tuple[Any, ...], dict[str, Any]] = {}
        cells: dict[str, list[str]] = {}
        groups: list[tuple[dict[str, Any], str]] = []
        for row in collection.iter_status(step):
            if row["record_id"] == GROUP_ID:
                facts = {name: row[name] for name in ("task", "modality", "step_index", "step_label")}
                groups.append((facts, names[row["step_status"]]))
                continue
            key = (row["task"], row["modality"], row["step_label"])
            if key not in steps:
                steps[key] = {name: row[name] for name in ("task", "modality", "step_index", "step_label")}
            cells.setdefault(row["record_id"], []).append(names[row["step_status"]])
        return cls(list(steps.values()), cells, groups)

    @property
    def places(self) -> list[str]:
        """Names of the columns."""
        return [step_place(step) for step in self.steps]

    def counts(self, number: int) -> dict[str, int]:
        """Count the records of each status of one step, in the order of `STATUS`."""
        found = [row[number] for row in self.cells.values()]
        return {name: found.count(name) for name in STATUS if name in found}

    def as_json(self) -> dict[str, Any]:
        from sinagot.engine.planning.status import StepStatus

        rows = [
            {
                "record_id": record_id,
                **step,
                "step_status": int(StepStatus[name]),
                "status_name": name,
            }
            for record_id, names in self.cells.items()
            for step, name in zip(self.steps, names, strict=True)
        ]
        rows += [
            {"record_id": GROUP_ID, **step, "step_status": int(StepStatus[name]), "status_name": name}
            for step, name in self.groups
        ]
        totals = [
            {**{key: step[key] for key in ("task", "modality", "step_label")}, "counts": self.counts(number)}
            for number, step in enumerate(self.steps)
        ]
        return {"status": rows, "totals": totals}

    def lines(self, width: int | None, *, only_totals: bool) -> Iterator[str]:
        is_narrow = False
        if not only_totals:
            wide = [
                max(len(place), *map(len, self._words(number))) for number, place in enumerate(self.places)
            ]
            first = max([6, *map(len, self.cells)])
            is_narrow = width is not None and first + sum(wide) + 2 * len(wide) > width
            if self.cells:
                yield from self._letters(first) if is_narrow else self._grid(first, wide)
                yield ""
        if self.cells:
            yield from self._totals(is_numbered=is_narrow)
        if self.groups:
            yield from ["", *self._group_lines()] if self.cells else self._group_lines()

    def _group_lines(self) -> Iterator[str]:
        rows = [[step_place(step), STATUS[name].text] for step, name in self.groups]
        lines = columns([["for all records", "status"], *rows])
        for line, (_, name) in zip(lines, [({}, ""), *self.groups], strict=True):
            yield painted(STATUS[name].text, line) if name else line

    def _words(self, number: int) -> list[str]:
        return [STATUS[name].text for name in self.counts(number)]

    def _grid(self, first: int, wide: Sequence[int]) -> Iterator[str]:
        heads = [place.ljust(width) for place, width in zip(self.places, wide, strict=True)]
        yield "  ".join(["record".ljust(first), *heads]).rstrip()
        for record_id, names in self.cells.items():
            words = [
                painted(STATUS[name].text) + " " * (width - len(STATUS[name].text))
                for name, width in zip(names, wide, strict=True)
            ]
            yield "  ".join([clean(record_id).ljust(first), *words]).rstrip()

    def _letters(self, first: int) -> Iterator[str]:
        """Give the grid in letters, below the numbers that the totals explain."""
        size = len(str(len(self.steps)))
        numbers = [str(number).rjust(size) for number in range(1, len(self.steps) + 1)]
        yield " ".join(["record".ljust(first + 1), *numbers])
        used: dict[str, None] = {}
        for record_id, names in self.cells.items():
            used |= dict.fromkeys(names)
            letters = [painted(STATUS[name].text, STATUS[name].letter.rjust(size)) for name in names]
            yield " ".join([clean(record_id).ljust(first + 1), *letters])
        yield ""
        yield ", ".join(f"{word.letter} {word.text}" for name, word in STATUS.items() if name in used)

    def _totals(self, *, is_numbered: bool) -> Iterator[str]:
        counts = [self.counts(number) for number in range(len(self.steps))]
        used = [name for name in STATUS if any(name in one for one in counts)]
        rows = [["", "step", *(STATUS[name].text for name in used)]]
        for number, (place, one) in enumerate(zip(self.places, counts, strict=True), start=1):
            rows.append([str(number), place, *(f"{one[name]:,}" if name in one else "-" for name in used)])
        if not is_numbered:
            rows = [row[1:] for row in rows]
        shift = 2 if is_numbered else 1
        yield from columns(rows, right=[*range(shift, shift + len(used)), *([0] if is_numbered else [])])
