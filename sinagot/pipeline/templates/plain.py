"""Plain values: how one becomes a text or a number, within bounds.

Knows values and their kinds; must not know templates or files. Nothing here calls the code of a stranger's class.
"""

from __future__ import annotations

import json
import numbers
import os
from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from pathlib import PurePath
from typing import Any
from uuid import UUID

__all__ = ["LONGEST_TEXT", "float_of", "json_of", "number_of", "text_of", "whole_of"]

#: No filter or condition makes a longer text out of shorter ones, in characters.
LONGEST_TEXT = 1_000_000
#: Texts of numbers, and the digits of a decimal before its point.
_MOST_DIGITS = 1000
_DEEPEST = 100


def text_of(value: object) -> str:
    """Write a value as text, as a template does where it stands within a text.

    Parameters
    ----------
    value : object
        A text, number, ``bool``, date, time, path, UUID, enumerated value, or a map or list of such.

    Returns
    -------
    str
        ``true`` and ``false``, dates in ISO 8601, maps and lists as JSON.

    Raises
    ------
    TypeError
        When the value has no text that is surely meant: None, bytes, tables, arrays, other objects.

    Examples
    --------
    >>> from datetime import date
    >>> text_of(True), text_of(1.0), text_of(date(2024, 1, 2)), text_of({"a": [1, None]})
    ('true', '1.0', '2024-01-02', '{"a": [1, null]}')
    """
    value = number_of(value)
    if isinstance(value, Enum):
        return text_of(value.value)
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, int | float | Decimal | UUID | timedelta):
        return str(value)
    if isinstance(value, PurePath):
        return os.fspath(value)
    if isinstance(value, Mapping | list | tuple | set | frozenset):
        return json_of(value)
    if value is None:
        raise TypeError("it is null, which has no text")
    raise TypeError(f"a {type(value).__name__} has no text")


def json_of(value: object) -> str:
    """Write plain data as JSON.

    Parameters
    ----------
    value : object
        Maps, lists, texts, numbers, None, and what `text_of` writes.

    Returns
    -------
    str
        On one line; letters stay letters.

    Raises
    ------
    TypeError, ValueError
        When something in it has no text, is no number (NaN), or holds itself.

    Examples
    --------
    >>> json_of({"day": "é", "n": (1, 2.5)})
    '{"day": "é", "n": [1, 2.5]}'
    """
    return json.dumps(_jsonable(value, 0), ensure_ascii=False, allow_nan=False)


def _jsonable(value: object, depth: int) -> object:
    if depth > _DEEPEST:
        raise ValueError(f"it is nested more than {_DEEPEST} deep, or holds itself")
    if isinstance(value, Mapping):
        return {text_of(name): _jsonable(item, depth + 1) for name, item in value.items()}
    if isinstance(value, set | frozenset):
        value = sorted(value, key=lambda item: (type(item).__name__, item))
    if isinstance(value, list | tuple):
        return [_jsonable(item, depth + 1) for item in value]
    value = number_of(value)
    if value is None or (isinstance(value, bool | int | float | str) and not isinstance(value, Enum)):
        return value
    return text_of(value)


def number_of(value: Any) -> Any:
    """Give the Python number or truth for one of NumPy; anything else is given as it is.

    Examples
    --------
    >>> import numpy
    >>> number_of(numpy.int64(3)), number_of(numpy.bool_(True)), number_of("x")
    (3, True, 'x')
    """
    if isinstance(value, bool | int | float | str) or value is None:
        return value
    if type(value).__module__ == "numpy" and type(value).__name__ in ("bool", "bool_"):
        return bool(value)
    if isinstance(value, numbers.Integral):
        return int(value)
    return float(value) if type(value).__module__ == "numpy" and isinstance(value, numbers.Real) else value


def whole_of(value: object) -> int:
    """Make a whole number of a number or a text; what follows the point is cut off.

    Raises
    ------
    TypeError, ValueError, OverflowError
        When it is none, or has too many digits.

    Examples
    --------
    >>> whole_of("12"), whole_of(3.9), whole_of(True)
    (12, 3, 1)
    """
    value = number_of(value)
    if isinstance(value, Decimal) and (not value.is_finite() or value.adjusted() > _MOST_DIGITS):
        raise ValueError("the number is too large or not finite")
    if isinstance(value, str) and len(value) > _MOST_DIGITS:
        raise ValueError(f"the text is longer than {_MOST_DIGITS} characters")
    if isinstance(value, str):
        try:
            return int(value)
        except ValueError:
            raise ValueError("the text is no whole number") from None  # Python's own message quotes it
    if isinstance(value, int | float | Decimal):
        return int(value)
    raise TypeError(_no_number(value))


def float_of(value: object) -> float:
    """Make a number with a point of a number or a text.

    Raises
    ------
    TypeError, ValueError, OverflowError
        When it is none.

    Examples
    --------
    >>> float_of("2.5"), float_of(1)
    (2.5, 1.0)
    """
    value = number_of(value)
    if isinstance(value, str) and len(value) > _MOST_DIGITS:
        raise ValueError(f"the text is longer than {_MOST_DIGITS} characters")
    if isinstance(value, str):
        try:
            return float(value)
        except ValueError:
            raise ValueError("the text is no number") from None  # Python's own message quotes it
    if isinstance(value, int | float | Decimal):
        return float(value)
    raise TypeError(_no_number(value))


def _no_number(value: object) -> str:
    return "null is no number" if value is None else f"a {type(value).__name__} is no number"
