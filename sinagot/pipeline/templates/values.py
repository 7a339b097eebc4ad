"""Turns given values into the types of parameters, or says why not; nothing is lost on the way.

Knows the ten types and what text may stand for them; must not know declarations, files or pipelines.
`typed` asks for every value that a pipeline is given.
"""

from __future__ import annotations

import json
import math
import operator
import re
from collections.abc import Callable, Mapping
from datetime import date, datetime, time
from decimal import Decimal, InvalidOperation
from typing import Any

from sinagot.config.problems import shown

__all__ = ["MEANT", "TYPES", "convert", "described", "plain_copy"]

#: Levels of mappings and lists in each other in a value.
MAX_DEPTH = 50

_WHOLE = re.compile(r"[-+]?[0-9]+")
_NUMBER = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


def convert(kind: str, value: Any) -> Any:
    """Turn a value into a type.

    Parameters
    ----------
    kind : str
        One of `TYPES`; ``choice`` and ``array`` have more to check than this.
    value : object
        Of the type, or text that stands for it.

    Returns
    -------
    object
        Of the type. Arrays and maps are copies, made of plain data only.

    Raises
    ------
    ValueError
        It is not of the type, or would not be the same afterwards; the message says what is allowed, and may go on
        with the reason.

    Examples
    --------
    >>> convert("int", "3"), convert("float", 2), convert("bool", "true"), convert("datetime", "2024-01-01")
    (3, 2.0, True, datetime.datetime(2024, 1, 1, 0, 0))
    >>> convert("int", 3.7)
    Traceback (most recent call last):
    ValueError: a whole number
    """
    return _READERS[kind](value)


def _str(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError("text; write it in quotes" if isinstance(value, int | float) else "text")
    return str(value)


def _index(value: Any) -> int | None:
    if isinstance(value, bool):
        return None
    try:
        return operator.index(value)  # also the integers of numpy
    except TypeError:
        return None


def _int(value: Any) -> int:
    allowed = "a whole number"
    number = _index(value)
    if number is not None:
        return number
    if isinstance(value, str) and _WHOLE.fullmatch(value):
        if len(value) > 4000:
            raise ValueError(f"{allowed} of at most 4000 digits")
        return int(value)
    # Other programs write whole numbers as 3.0; beyond 2 ** 53 such a number is not the one that was meant.
    if isinstance(value, float) and value.is_integer() and abs(value) <= 2**53:
        return int(value)
    if isinstance(value, Decimal) and value.is_finite() and value == value.to_integral_value():
        return int(value)
    raise ValueError(allowed)


def _float(value: Any) -> float:
    allowed = "a number"
    if isinstance(value, float):
        return float(value)
    if isinstance(value, str) and (_NUMBER.fullmatch(value) or value in ("nan", "inf", "-inf")):
        number = float(value)
        if math.isinf(number) and "inf" not in value:
            raise ValueError("a number up to 1.8e308")
        return number
    whole: Any = value if isinstance(value, Decimal) and value.is_finite() else _index(value)
    if whole is None:
        raise ValueError(allowed)
    try:
        number = float(whole)
    except OverflowError:
        number = math.inf
    if number != whole:
        raise ValueError("a number that a float holds exactly, or the type decimal")
    return number


def _decimal(value: Any) -> Decimal:
    allowed = "a decimal number"
    if isinstance(value, Decimal) and value.is_finite():
        return value
    number = _index(value)
    if number is not None:
        return Decimal(number)
    try:
        if isinstance(value, str) and _NUMBER.fullmatch(value):
            return Decimal(value)
    except InvalidOperation:
        raise ValueError(f"{allowed} of a smaller exponent") from None
    if isinstance(value, float) and math.isfinite(value):
        return Decimal(repr(float(value)))  # as it is written, not as it is held
    raise ValueError(allowed)


def _bool(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.lower() in ("true", "false"):
        return value.lower() == "true"
    raise ValueError("true or false")


def _date(value: Any) -> date:
    allowed = "a day such as 2024-01-31"
    if isinstance(value, datetime):
        raise ValueError(f"{allowed}, without a time of day")
    if isinstance(value, date):
        return value
    if isinstance(value, str) and _DAY.fullmatch(value):
        return date.fromisoformat(value) if _is_good(date.fromisoformat, value) else _refuse(allowed)
    raise ValueError(allowed)


def _datetime(value: Any) -> datetime:
    allowed = "a day or time such as 2024-01-31 or 2024-01-31T06:30:00+01:00"
    if isinstance(value, datetime):
        return value
    if isinstance(value, date):
        return datetime.combine(value, time())
    # Only forms that begin with a whole day: 20240101 is a number as well. Finer than a microsecond would be lost.
    is_time = isinstance(value, str) and _DAY.match(value) and not re.search(r"[.,][0-9]{7}", value)
    if is_time and _is_good(datetime.fromisoformat, value):
        return datetime.fromisoformat(value)
    raise ValueError(allowed)


def _is_good(read: Callable[[str], Any], text: str) -> bool:
    try:
        read(text)
    except ValueError:
        return False
    return True


def _refuse(allowed: str) -> Any:
    raise ValueError(allowed)


def _choice(value: Any) -> Any:
    return value


def _array(value: Any) -> list[Any]:
    allowed = "a list"
    value = _from_json(value, "[", allowed)
    if not isinstance(value, list | tuple):
        raise ValueError(allowed)
    return list(value)


def _map(value: Any) -> dict[str, Any]:
    allowed = "a mapping"
    value = _from_json(value, "{", allowed)
    if not isinstance(value, Mapping):
        raise ValueError(allowed)
    found: dict[str, Any] = plain_copy(value)
    return found


def _from_json(value: Any, sign: str, allowed: str) -> Any:
    """Read what a command line or a form gives as text."""
    if not isinstance(value, str) or not value.lstrip().startswith(sign):
        return value
    try:
        return json.loads(value, object_pairs_hook=_without_doubles, parse_constant=_refuse)
    except (ValueError, RecursionError):
        raise ValueError(f"{allowed}, or JSON text of one") from None


def _without_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    return found if len(found) == len(pairs) else _refuse("each key once")


def plain_copy(value: Any, depth: int = 0) -> Any:
    """Copy plain data: mappings with text keys, lists, text, numbers, true or false, None.

    Parameters
    ----------
    value : object
        The data; tuples become lists.
    depth : int
        How deep it stands.

    Raises
    ------
    ValueError
        Something in it is of another kind.

    Examples
    --------
    >>> plain_copy({"a": (1, None)})
    {'a': [1, None]}
    """
    if depth > MAX_DEPTH:
        raise ValueError(f"plain data of at most {MAX_DEPTH} levels")
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, Mapping):
        if not all(isinstance(key, str) for key in value):
            raise ValueError("plain data with text keys")
        return {key: plain_copy(one, depth + 1) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [plain_copy(one, depth + 1) for one in value]
    raise ValueError(f"plain data as JSON has it, no {type(value).__name__}")


_READERS: dict[str, Callable[[Any], Any]] = {
    "str": _str,
    "int": _int,
    "float": _float,
    "decimal": _decimal,
    "bool": _bool,
    "date": _date,
    "datetime": _datetime,
    "choice": _choice,
    "map": _map,
    "array": _array,
}

#: The types of parameters.
TYPES = tuple(_READERS)

#: What other tools call them.
MEANT = {
    **dict.fromkeys(("string", "text"), "str"),
    **dict.fromkeys(("integer", "long"), "int"),
    **dict.fromkeys(("number", "double"), "float"),
    "boolean": "bool",
    "timestamp": "datetime",
    "enum": "choice",
    **dict.fromkeys(("list", "tuple", "sequence"), "array"),
    **dict.fromkeys(("dict", "object", "mapping"), "map"),
}


def described(value: Any) -> str:
    """Write a value for a message, with its type where the text alone does not tell it.

    Parameters
    ----------
    value : object
        Anything.

    Examples
    --------
    >>> described("a"), described(3.7), described(True), described(None), described({1})
    ("'a'", '3.7 (a number)', 'true (a boolean)', 'nothing', 'a set')
    """
    if value is None:
        return "nothing"
    if isinstance(value, str | bool | int | float | dict | list):
        return shown(value)
    if isinstance(value, date | Decimal):
        return f"{value} ({type(value).__name__})"
    name = type(value).__name__
    return f"{'an' if name[:1].lower() in 'aeiou' else 'a'} {name}"
