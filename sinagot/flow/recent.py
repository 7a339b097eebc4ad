"""The newest values of a stream, for readers of this process that keep pace: they need not be read back.

Pure: values in, values out. Knows which values nobody can change; must not know streams or stores. Others are not
kept here: each reader makes its own from the store, so that no reader sees what another one does to it.
"""

from __future__ import annotations

from typing import Any, Final

from sinagot.flow.cursors import NOTHING

__all__ = ["Recent"]

#: Values of which only these many are kept; of twice as many the older half goes.
_KEPT: Final = 1024
#: Characters, bytes or elements beyond which a value is not kept.
_LONG: Final = 4096
_FEW: Final = 16
_PLAIN = frozenset((int, float, bool, complex, type(None)))
_SIZED = frozenset((str, bytes))


class Recent:
    """The newest values of one stream.

    Examples
    --------
    >>> recent = Recent()
    >>> recent.add(0, 1.5)
    >>> recent.add(1, [1.5])
    >>> recent.get(0), recent.get(1), recent.get(2)
    (1.5, <nothing>, <nothing>)
    """

    __slots__ = ("_first", "_values")

    def __init__(self) -> None:
        #: Number of the first of them.
        self._first = 0
        self._values: list[Any] = []

    def add(self, number: int, value: Any) -> None:
        """Note a value.

        Parameters
        ----------
        number : int
            Its number: behind the one before, or else those before are forgotten.
        value : object
            The value.
        """
        values = self._values
        if self._first + len(values) != number:
            values.clear()
            self._first = number
        elif len(values) >= 2 * _KEPT:
            del values[:_KEPT]
            self._first += _KEPT
        values.append(value if type(value) in _PLAIN or is_fixed(value) else NOTHING)

    def get(self, number: int) -> Any:
        """Give a value, or `NOTHING` when it is not here.

        Parameters
        ----------
        number : int
            Its number.
        """
        at = number - self._first
        return self._values[at] if 0 <= at < len(self._values) else NOTHING


def is_fixed(value: Any) -> bool:
    """Say whether a value is small, and can't be changed by anybody, nor can what it holds.

    Parameters
    ----------
    value : object
        Any value.

    Examples
    --------
    >>> is_fixed("text"), is_fixed((1, ("two", None))), is_fixed((1, [])), is_fixed("x" * 10_000)
    (True, True, False, False)
    """
    kind = type(value)
    if kind in _PLAIN:
        return True
    if kind in _SIZED:
        return len(value) <= _LONG
    return kind is tuple and len(value) <= _FEW and all(map(is_fixed, value))
