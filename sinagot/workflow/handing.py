"""Hands data to those who work on them: each gets data of its own.

Knows values; must not know whose they are. What a step changes in place, no other step sees.
"""

from __future__ import annotations

import copy
from datetime import date, timedelta
from pathlib import PurePath
from typing import Any

__all__ = ["own"]

_FIXED = (type(None), bool, int, float, complex, str, bytes, range, date, timedelta, PurePath)
_FIXED_TYPES = frozenset((type(None), bool, int, float, complex, str, bytes))


def own(value: Any) -> Any:
    """Give a copy that may be changed in place; of what cannot change, or cannot be copied, the thing itself.

    Notes
    -----
    Costs what the copy costs: of arrays and tables that of their memory, of a row of plain values that of its places.
    Open files, locks and generators cannot be copied.

    Examples
    --------
    >>> rows = [[1], [2]]
    >>> own(rows) == rows, own(rows)[0] is rows[0], own("text")
    (True, False, 'text')
    """
    if isinstance(value, _FIXED):
        return value
    if type(value) is list and _FIXED_TYPES.issuperset(map(type, value)):
        return value.copy()
    if type(value) is dict and _FIXED_TYPES.issuperset(map(type, value.values())):
        return value.copy()
    try:
        return copy.deepcopy(value)
    except Exception:  # noqa: BLE001  (whatever the user's object does)
        return value
