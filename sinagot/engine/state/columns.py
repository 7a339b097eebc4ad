"""Origins of the results of one step as columns: ten thousand are read, and compared, at once.

Knows rows of origins and how they lie in the cache; must not know where the cache is or what is outdated.
"""

from __future__ import annotations

import sys
from array import array
from bisect import bisect_left
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any, NamedTuple

from sinagot.dataset.prints import ABSENT, States

__all__ = ["Row", "StepColumns"]

#: Times that a column can hold, in nanoseconds.
_LEAST, _MOST = -(1 << 63), (1 << 63) - 1
#: Time, inputs, outputs, duration, and the numbers of run, code, params and paths.
Row = list[Any]


class _Lines:
    """Texts of one line each, which stay one text until some of them are asked for."""

    __slots__ = ("_lines", "_whole")

    def __init__(self, texts: str | list[str]) -> None:
        self._whole = texts if isinstance(texts, str) else None
        self._lines = None if isinstance(texts, str) else texts

    @property
    def lines(self) -> list[str]:
        """One by one."""
        if self._lines is None:
            self._lines = str(self._whole).split("\n")
        return self._lines

    @property
    def whole(self) -> str:
        """All in one."""
        return self._whole if self._whole is not None else "\n".join(self.lines)

    def __len__(self) -> int:
        return len(self._lines) if self._lines is not None else str(self._whole).count("\n") + 1


class _Prints(NamedTuple):
    """One path of a step, record by record: size and time of change, and the digest of the content where known."""

    states: States
    digests: _Lines | None

    @classmethod
    def of(cls, texts: Sequence[str | None]) -> _Prints:
        """Take in texts of `print_of`."""
        parts = [(text or f"{ABSENT} 0").split(" ") for text in texts]
        digests = [part[2] if len(part) == 3 else "" for part in parts]
        states = States(
            array("q", [int(part[0]) for part in parts]), array("q", [int(part[1]) for part in parts])
        )
        return cls(states, _Lines(digests) if any(digests) else None)

    def text(self, place: int) -> str | None:
        """Give one of the texts back."""
        text = self.states.text(place)
        digest = self.digests.lines[place] if self.digests is not None else ""
        return f"{text} {digest}" if digest else text

    def texts(self) -> list[str | None]:
        """Give the texts back."""
        return list(map(self.text, range(len(self.states.sizes))))

    def to_json(self) -> list[Any]:
        digests = None if self.digests is None else self.digests.whole
        return [_packed(self.states.sizes), _packed(self.states.times), digests]

    @classmethod
    def from_json(cls, kept: Sequence[Any]) -> _Prints:
        sizes, times, digests = kept
        states = States(_unpacked("q", sizes), _unpacked("q", times))
        return cls(states, None if digests is None else _Lines(str(digests)))


class StepColumns:
    """The origins of one step, sorted by record.

    Parameters
    ----------
    ids : sequence of str
        The records, sorted.
    inputs, outputs : sequence of _Prints
        One for each path of the step.
    numbers : sequence of array
        Of run, code, params and paths.
    times : _Lines
        When the attempts ended.
    durations : array
        In seconds.
    """

    def __init__(
        self,
        ids: list[str],
        inputs: list[_Prints],
        outputs: list[_Prints],
        numbers: list[array[int]],
        times: _Lines,
        durations: array[float],
    ) -> None:
        self.ids = ids
        self.durations = durations
        self._inputs, self._outputs = inputs, outputs
        self._numbers = numbers
        self._times = times
        columns = (*inputs, *outputs)
        lengths = {len(ids), len(times), len(durations), *map(len, numbers)}
        lengths |= {len(one) for column in columns for one in column.states}
        if lengths | {len(column.digests) for column in columns if column.digests is not None} != {len(ids)}:
            raise ValueError("columns of several lengths")

    @classmethod
    def of(cls, rows: Mapping[str, Row]) -> tuple[StepColumns | None, dict[str, Row]]:
        """Make columns of rows by record; give back those that have no place in them.

        They hold rows of one form: as many paths as most have, each of one file.
        """
        forms = {record_id: _form(row) for record_id, row in rows.items()}
        counts = Counter(form for form in forms.values() if form is not None)
        if not counts:
            return None, dict(rows)
        ((usual, _),) = counts.most_common(1)
        ids = sorted(record_id for record_id, form in forms.items() if form == usual)
        times, inputs, outputs, durations, *numbers = zip(*[rows[one] for one in ids], strict=True)
        columns = cls(
            ids,
            [_Prints.of(column) for column in zip(*inputs, strict=True)],
            [_Prints.of(column) for column in zip(*outputs, strict=True)],
            [array("q", column) for column in numbers],
            _Lines(list(times)),
            array("d", durations),
        )
        return columns, {record_id: rows[record_id] for record_id, form in forms.items() if form != usual}

    # -- asking

    @cached_property
    def _places(self) -> dict[str, int]:
        return {record_id: place for place, record_id in enumerate(self.ids)}

    def row(self, record_id: str) -> Row | None:
        """Give the row of a record."""
        place = self._places.get(record_id)
        if place is None:
            return None
        return [
            self._times.lines[place],
            [column.text(place) for column in self._inputs],
            [column.text(place) for column in self._outputs],
            self.durations[place],
            *[column[place] for column in self._numbers],
        ]

    def rows(self) -> dict[str, Row]:
        """Give all rows by record."""
        inputs = [column.texts() for column in self._inputs]
        outputs = [column.texts() for column in self._outputs]
        nothing: list[list[Any]] = [[] for _ in self.ids]
        parts = (
            self._times.lines,
            list(map(list, zip(*inputs, strict=True))) if inputs else nothing,
            list(map(list, zip(*outputs, strict=True))) if outputs else nothing,
            self.durations,
            *self._numbers,
        )
        return dict(zip(self.ids, map(list, zip(*parts, strict=True)), strict=True))

    def differing(
        self,
        ids: Sequence[str],
        inputs: Sequence[States | None],
        outputs: Sequence[States | None],
        numbers: Sequence[int | None],
    ) -> set[int]:
        """Give the places of the records whose rows are not these; of a record without a row too.

        Parameters
        ----------
        ids : sequence of str
            Some records, sorted.
        inputs, outputs : sequence of States
            What is there now, one for each path of the step, as long as `ids`; None for a path that is not compared.
        numbers : sequence of int
            Of code, params and paths, as all of them would be now; None for a text that no origin has.
        """
        if None in numbers or (len(inputs), len(outputs)) != (len(self._inputs), len(self._outputs)):
            return set(range(len(ids)))
        start = bisect_left(self.ids, ids[0]) if ids else 0
        span = slice(start, start + len(ids))
        is_span = self.ids[span] == ids
        rows = range(start, start + len(ids)) if is_span else [self._places.get(one, -1) for one in ids]
        found = set() if is_span else {place for place, row in enumerate(rows) if row < 0}
        pairs: list[tuple[array[int], array[int]]] = []
        for column, now in zip((*self._inputs, *self._outputs), (*inputs, *outputs), strict=True):
            if now is not None:
                pairs += zip(column.states, now, strict=True)
        for number, known in zip(numbers, self._numbers[1:], strict=True):
            pairs.append((known, array("q", [number or 0]) * len(ids)))
        for kept, seen in pairs:
            if not (is_span and kept[span] == seen):
                found.update(place for place, row in enumerate(rows) if kept[row] != seen[place])
        return found

    # -- keeping

    def to_json(self) -> dict[str, Any]:
        """Give what `from_json` takes."""
        return {
            "ids": self.ids,
            "inputs": [column.to_json() for column in self._inputs],
            "outputs": [column.to_json() for column in self._outputs],
            "numbers": [_packed(column) for column in self._numbers],
            "times": self._times.whole,
            "durations": _packed(self.durations),
        }

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> StepColumns:
        """Make columns of what `to_json` gave.

        Raises
        ------
        LookupError, TypeError, ValueError
            It is something else.
        """
        numbers: list[array[int]] = [_unpacked("q", column) for column in kept["numbers"]]
        if len(numbers) != 4:
            raise ValueError("numbers of another version")
        return cls(
            list(kept["ids"]),
            [_Prints.from_json(column) for column in kept["inputs"]],
            [_Prints.from_json(column) for column in kept["outputs"]],
            numbers,
            _Lines(str(kept["times"])),
            _unpacked("d", kept["durations"]),
        )


def _form(row: Row) -> tuple[int, int] | None:
    """Give how many paths a row has on both sides; None when it can't stand in columns."""
    inputs, outputs = row[1], row[2]
    try:
        for text in (*inputs, *outputs):
            if text is not None:
                size, time, *digest = text.split(" ")
                if int(size) < 0 or len(digest) > 1 or not _LEAST <= int(time) <= _MOST:
                    return None
        float(row[3])
        if "\n" in row[0]:
            return None
    except (AttributeError, TypeError, ValueError):  # a path that stands for several files; another version
        return None
    return len(inputs), len(outputs)


def _packed(column: array[Any]) -> list[Any]:
    """Give numbers as text; where all are the same, one of them."""
    from base64 import b64encode  # with the first origin that is kept

    if len(column) > 1 and column.count(column[0]) == len(column):
        return [len(column), column[0]]
    if sys.byteorder == "big":
        column = column[:]
        column.byteswap()
    return [b64encode(column.tobytes()).decode("ascii")]


def _unpacked(code: str, kept: Sequence[Any]) -> array[Any]:
    if len(kept) == 2:
        return array(code, [kept[1]]) * int(kept[0])
    from base64 import b64decode

    column = array(code)
    column.frombytes(b64decode(kept[0]))
    if sys.byteorder == "big":
        column.byteswap()
    return column
