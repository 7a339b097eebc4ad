"""How statuses are drawn: totals with bars, then records x steps, as much as fits.

Knows tables of statuses, and widths and heights; must not know workspaces. What is no terminal gets everything, in
words; colour only repeats what words, letters and fills say.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from sinagot.cli.statuses import StatusTable
from sinagot.cli.texts import clean, columns, counted, painted, step_place, terminal_width
from sinagot.engine.words import STATUS

__all__ = ["Screen", "grid_lines"]

#: Characters of the shortest and of the longest bar, and lines of records that are shown at least.
_SHORTEST_BAR, _LONGEST_BAR = 10, 40
_LEAST_RECORDS = 5


class Screen(NamedTuple):
    """What there is room for; None where nothing needs to fit."""

    width: int | None = None
    height: int | None = None
    #: Whether bars may be drawn with other characters than ASCII.
    is_rich: bool = True

    @classmethod
    def of_terminal(cls) -> Screen:
        """Ask standard output; what is no terminal has room for all."""
        import shutil

        width = terminal_width()
        if width is None:
            return cls()
        return cls(
            width, shutil.get_terminal_size().lines, _can_show("".join(word.fill for word in STATUS.values()))
        )


def _can_show(text: str) -> bool:
    try:
        text.encode(sys.stdout.encoding or "ascii")
    except (UnicodeError, LookupError):
        return False
    return True


def grid_lines(
    table: StatusTable, screen: Screen, *, only_totals: bool = False, all_records: bool = False
) -> Iterator[str]:
    """Give the lines of a status.

    Parameters
    ----------
    table : StatusTable
        What is shown.
    screen : Screen
        Where it has to fit.
    only_totals : bool
        Leave the records out.
    all_records : bool
        Show all records, also where they do not fit.
    """
    drawing = _Drawing(table, screen)
    above = [*drawing.totals(is_numbered=drawing.is_narrow and not only_totals)] if table.cells else []
    if table.groups:
        above += ["", *drawing.group_lines()] if above else drawing.group_lines()
    yield from above
    if table.cells and not only_totals:
        yield ""
        room = None
        if screen.height is not None and not all_records:
            room = max(_LEAST_RECORDS, screen.height - len(above) - drawing.frame)
        yield from drawing.records(room)


class _Drawing:
    """One status on its way to a screen."""

    def __init__(self, table: StatusTable, screen: Screen) -> None:
        self._table, self._screen = table, screen
        self._counts = [table.counts(number) for number in range(len(table.steps))]
        self._used = [name for name in STATUS if any(name in one for one in self._counts)]
        self._wide = [
            max(len(place), *(len(STATUS[name].text) for name in one), 0)
            for place, one in zip(table.places, self._counts, strict=True)
        ]
        self._first = max([6, *map(len, table.cells)])
        width = self._first + sum(self._wide) + 2 * len(self._wide)
        #: Letters instead of words.
        self.is_narrow = screen.width is not None and width > screen.width
        #: Lines of a screen that are no record: heads, blank lines, letters, how many more, and the prompt.
        self.frame = 6 if self.is_narrow else 4

    # -- totals

    def totals(self, *, is_numbered: bool) -> Iterator[str]:
        """Give one line a step: how many records have which status, and on a terminal a bar."""
        numbers = [str(number) for number in range(1, len(self._counts) + 1)]
        heads = [
            f"{self._fill(name)} {STATUS[name].text}" if self._bars else STATUS[name].text
            for name in self._used
        ]
        rows = [["", "step", *heads]]
        for number, place, one in zip(numbers, self._table.places, self._counts, strict=True):
            rows.append(
                [number, clean(place), *(f"{one[name]:,}" if name in one else "-" for name in self._used)]
            )
        shift = 2
        if not is_numbered:
            rows = [row[1:] for row in rows]
            shift = 1
        lines = columns(rows, right=[*range(shift, shift + len(self._used)), *([0] if is_numbered else [])])
        room = self._bar_room(lines)
        if not room:
            yield from lines
            return
        longest = max(map(len, lines))
        yield lines[0]
        for line, one in zip(lines[1:], self._counts, strict=True):
            yield f"{line.ljust(longest)}  {self._bar(one, room)}"

    @property
    def _bars(self) -> bool:
        return self._screen.width is not None

    def _bar_room(self, lines: Sequence[str]) -> int:
        if self._screen.width is None:
            return 0
        room = min(_LONGEST_BAR, self._screen.width - max(map(len, lines)) - 3)
        return room if room >= _SHORTEST_BAR else 0

    def _bar(self, counts: Mapping[str, int], room: int) -> str:
        return "".join(
            painted(STATUS[name].text, self._fill(name) * length)
            for name, length in _lengths(counts, room).items()
        )

    def _fill(self, name: str) -> str:
        return STATUS[name].fill if self._screen.is_rich else STATUS[name].letter

    def group_lines(self) -> Iterator[str]:
        """Give one line for each step that runs once for all records."""
        rows = [[clean(step_place(step)), STATUS[name].text] for step, name in self._table.groups]
        lines = columns([["for all records", "status"], *rows])
        yield lines[0]
        for line, (_, name) in zip(lines[1:], self._table.groups, strict=True):
            yield painted(STATUS[name].text, line)

    # -- records

    def records(self, room: int | None) -> Iterator[str]:
        """Give one line a record, as many as there is room for, and say how many more there are."""
        cells = self._table.cells
        shown = list(cells) if room is None else list(cells)[:room]
        yield from self._letters(shown) if self.is_narrow else self._words(shown)
        if len(shown) < len(cells):
            yield f"... and {counted(len(cells) - len(shown), 'more record')} (--all)"

    def _words(self, shown: Sequence[str]) -> Iterator[str]:
        heads = [
            clean(place).ljust(width) for place, width in zip(self._table.places, self._wide, strict=True)
        ]
        yield "  ".join(["record".ljust(self._first), *heads]).rstrip()
        for record_id in shown:
            words = [
                painted(STATUS[name].text) + " " * (width - len(STATUS[name].text))
                for name, width in zip(self._table.cells[record_id], self._wide, strict=True)
            ]
            yield "  ".join([clean(record_id).ljust(self._first), *words]).rstrip()

    def _letters(self, shown: Sequence[str]) -> Iterator[str]:
        """Give the grid in letters, below the numbers that the totals explain."""
        size = len(str(len(self._table.steps)))
        numbers = [str(number).rjust(size) for number in range(1, len(self._table.steps) + 1)]
        yield " ".join(["record".ljust(self._first + 1), *numbers])
        for record_id in shown:
            letters = [
                painted(STATUS[name].text, STATUS[name].letter.rjust(size))
                for name in self._table.cells[record_id]
            ]
            yield " ".join([clean(record_id).ljust(self._first + 1), *letters])
        yield ""
        yield ", ".join(f"{STATUS[name].letter} {STATUS[name].text}" for name in self._used)


def _lengths(counts: Mapping[str, int], room: int) -> dict[str, int]:
    """Share the characters of a bar out; what is there at all has one at least.

    Examples
    --------
    >>> _lengths({"DONE": 999, "ERROR": 1}, 10), _lengths({"DONE": 1, "INIT": 2}, 10)
    ({'DONE': 9, 'ERROR': 1}, {'DONE': 3, 'INIT': 7})
    """
    total = sum(counts.values())
    lengths = {name: max(1, count * room // total) for name, count in counts.items()}
    while (rest := room - sum(lengths.values())) != 0:
        if rest > 0:
            most = max(counts, key=lambda name: counts[name] * room / total - lengths[name])
        else:  # for those that would have had none
            most = max(lengths, key=lambda name: lengths[name])
        lengths[most] += 1 if rest > 0 else -1
    return lengths
