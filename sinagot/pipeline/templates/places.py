"""Where something stands in a YAML file: file, line and column of every key and value.

Knows positions only; must not know what the values mean, nor how YAML is read.
`documents` makes the tables; everything that finds a fault in a file asks them.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from sinagot.config.problems import key_text
from sinagot.errors import ConfigurationError

__all__ = ["KeyPath", "Mark", "Place", "Places"]

#: Keys of mappings and positions in lists, from the top.
KeyPath = Sequence[str | int]


class Place(NamedTuple):
    """A position in a file; line and column are counted from 1.

    Examples
    --------
    >>> print(Place(Path("conf/daily.yaml"), 3, 5))
    conf/daily.yaml:3
    """

    file: Path
    line: int
    column: int = 1

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


class Mark(NamedTuple):
    """Where a value begins, and the same of what is in it: a tree beside the data."""

    line: int
    column: int
    #: Of a list, a mark for each item; of a mapping, line and column of each key and the mark of its value.
    below: list[Mark] | dict[str, tuple[int, int, Mark]] | None = None


class Places:
    """Positions of all keys and values of one object of a file.

    Parameters
    ----------
    file : Path
        The file.
    mark : Mark
        Of the object.
    base : sequence of str or int
        Keys that lead to the object; they stand before the key in messages.

    Examples
    --------
    >>> inner = Mark(2, 3, {"cron": (2, 3, Mark(2, 9))})
    >>> places = Places(Path("a.yaml"), Mark(1, 1, {"daily": (1, 1, inner)}))
    >>> places.of(["daily", "cron"])
    Place(file=PosixPath('a.yaml'), line=2, column=9)
    >>> str(places.below(["daily"]).error(["cron"], "no such day"))
    'a.yaml:2: daily.cron: no such day'
    """

    __slots__ = ("base", "file", "mark")

    def __init__(self, file: Path, mark: Mark, base: KeyPath = ()) -> None:
        self.file = file
        self.mark = mark
        self.base = tuple(base)

    def of(self, path: KeyPath = ()) -> Place:
        """Give the place of a value, or of the nearest thing round it that is written.

        Parameters
        ----------
        path : sequence of str or int
            Keys and positions that lead to the value, from the object.
        """
        mark = self._walk(path)[0][-1]
        return Place(self.file, mark.line, mark.column)

    def of_key(self, path: KeyPath) -> Place:
        """Give the place of a key; of an item of a list, of the item itself.

        Parameters
        ----------
        path : sequence of str or int
            Keys and positions that lead to the key, which is the last of them.
        """
        marks, rest = self._walk(path)
        if not rest and path and len(marks) > 1:
            around = marks[-2].below
            if isinstance(around, dict):
                line, column, _ = around[str(path[-1])]
                return Place(self.file, line, column)
        return Place(self.file, marks[-1].line, marks[-1].column)

    def below(self, path: KeyPath) -> Places:
        """Give the positions of a part of the object; of what is not written, of the nearest thing round it.

        Parameters
        ----------
        path : sequence of str or int
            Keys and positions that lead to the part.
        """
        marks, rest = self._walk(path)
        mark = marks[-1]._replace(below=None) if rest else marks[-1]
        return Places(self.file, mark, (*self.base, *path))

    def error(self, path: KeyPath, message: str, **facts: Any) -> ConfigurationError:
        """Make an error about a value, which names file, line and key; of a mapping or list, at its key.

        Parameters
        ----------
        path : sequence of str or int
            Keys and positions that lead to the value.
        message : str
            What is wrong.
        **facts : object
            Those of `ConfigurationError`.
        """
        marks, rest = self._walk(path)
        place = self.of_key(path) if marks[-1].below is not None and not rest else self.of(path)
        key = key_text((*self.base, *path)) or None
        return ConfigurationError.at(
            message, file=place.file, line=place.line, key=key, column=place.column, **facts
        )

    def _walk(self, path: KeyPath) -> tuple[list[Mark], KeyPath]:
        marks = [self.mark]
        for at, key in enumerate(path):
            below = marks[-1].below
            if isinstance(below, dict) and isinstance(key, str) and key in below:
                marks.append(below[key][2])
            elif isinstance(below, list) and isinstance(key, int) and 0 <= key < len(below):
                marks.append(below[key])
            else:
                return marks, path[at:]
        return marks, ()
