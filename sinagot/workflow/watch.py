"""What code was made of when it was looked at, and whether it still is that.

Knows names, functions and data that are alive; must not know what they are for. A look costs less than reading a file.
"""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from typing import Any

from sinagot.workflow.literals import Exact, UntellableError, text_of_exact

__all__ = ["ABSENT", "Watch"]

#: What a name is that stands for nothing.
ABSENT: Any = object()
#: Data that are larger are looked at when a workspace is opened, not each time an attribute is read.
_LARGE = 1 << 20
_FIXED = (bool, int, float, complex, str, bytes, type(None))


class Watch:
    """Everything that must still be the same thing for what was found of some code to hold."""

    def __init__(self) -> None:
        self._names: dict[tuple[int, str], tuple[Mapping[str, Any], str, Any]] = {}
        self._functions: dict[int, tuple[Any, Any, Any, Any]] = {}
        self._cells: dict[int, tuple[Any, Any]] = {}
        self._data: dict[int, tuple[Any, bytes]] = {}

    def name(self, space: Mapping[str, Any], name: str) -> Any:
        """Look a name up, and remember what it is; `ABSENT` when it is nothing."""
        value = space.get(name, ABSENT)
        self._names.setdefault((id(space), name), (space, name, value))
        return value

    def function(self, function: Any) -> None:
        """Remember what a function is made of: tools that reload modules put other code into the same function."""
        self._functions[id(function)] = (
            function,
            function.__code__,
            function.__defaults__,
            function.__kwdefaults__,
        )

    def cell(self, cell: Any) -> None:
        """Remember what a variable of an enclosing function is."""
        self._cells[id(cell)] = (cell, cell.cell_contents)

    def data(self, value: Any) -> None:
        """Remember what is in data that may be changed in place."""
        if id(value) not in self._data and not isinstance(value, _FIXED):
            self._data[id(value)] = (value, _state_of(value))

    def is_same(self) -> bool:
        """Say whether all is what it was; data that are large are taken to be, see `forget_large`."""
        for space, name, value in self._names.values():
            if space.get(name, ABSENT) is not value:
                return False
        for function, code, defaults, others in self._functions.values():
            if (
                function.__code__ is not code
                or function.__defaults__ is not defaults
                or function.__kwdefaults__ is not others
            ):
                return False
        for cell, value in self._cells.values():
            try:
                if cell.cell_contents is not value:
                    return False
            except ValueError:  # it was emptied
                return False
        return all(not state or _state_of(value) == state for value, state in self._data.values())

    @property
    def has_large(self) -> bool:
        """Whether some of the data are too large for a look each time."""
        return any(not state for _, state in self._data.values())


def _state_of(value: Any) -> bytes:
    """Give bytes that are others when data were changed in place; none when they are large."""
    try:
        found = pickle.dumps(value, 5)
    except Exception:  # noqa: BLE001  (whatever is in there)
        try:
            found = text_of_exact(
                Exact(lambda code: f"{id(code)} {id(getattr(code, '__code__', 0))}")(value)
            ).encode()
        except UntellableError:
            return b""
    return found if len(found) <= _LARGE else b""
