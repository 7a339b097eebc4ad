"""Where data that were read differ from those that were written: structures of any shape, and tables of pandas.

Knows equality, and what has one of its own; must not know formats or annotations. What a file may widen without
changing a value (int32 to int64, a column of category to one of text) is the same; what it makes another value of is
not.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from datetime import datetime, time
from decimal import Decimal
from numbers import Real
from typing import Any

__all__ = ["difference", "table_difference"]

#: Letters of a value in a message.
_SHOWN = 60


def difference(made: Any, read: Any, where: str = "", *, is_strict: bool = False) -> str | None:
    """Say where two structures differ first; None where they are equal.

    Parameters
    ----------
    made, read : object
        The structures.
    where : str
        How their place is written, for messages.
    is_strict : bool
        Types count too, where nothing else tells them: 1 is neither True nor 1.0, and an instant has its zone.

    Notes
    -----
    A number that is none equals itself here, and two times are equal when they are written alike: of an hour that comes
    twice, Python calls any two times in different zones unequal. Private attributes of models are no data.

    Examples
    --------
    >>> difference({"a": [1, 2.0]}, {"a": [1, 2]}), difference([float("nan")], [float("nan")])
    (None, None)
    >>> difference({"a": [(1, 2)]}, {"a": [[1, 2]]})
    "['a'][0] is the tuple (1, 2), and would come back as the list [1, 2]"
    >>> difference([1], [True]), difference([1], [True], is_strict=True)
    (None, '[0] is the int 1, and would come back as the bool True')
    """
    if is_strict:
        made, read = _plain(made), _plain(read)
    elif _equal(made, read):
        return None
    is_leaf = is_strict and (type(made) is not type(read) or isinstance(made, (datetime, time)))
    parts = None if is_leaf else _pairs(made, read)
    if parts is None:
        if is_strict and type(made) is type(read) and _equal_leaves(made, read):
            return None
        return f"{where or 'the value'} is {_shown(made)}, and would come back as {_shown(read)}"
    found = (difference(one, other, f"{where}{place}", is_strict=is_strict) for place, one, other in parts)
    return next((text for text in found if text is not None), None)


def _plain(value: Any) -> Any:
    """Give the number of Python for one of numpy: no file tells them apart."""
    is_scalar = type(value).__module__ == "numpy" and getattr(value, "shape", None) == ()
    return value.item() if is_scalar else value


def _equal(made: Any, read: Any) -> bool:
    try:
        return bool(made == read)
    except Exception:  # noqa: BLE001  (arrays and whatever else has no one answer)
        return False


def _equal_leaves(made: Any, read: Any) -> bool:
    if isinstance(made, (datetime, time)):
        # Python calls one instant in two zones equal; it is another wall time.
        zones = [getattr(one.tzinfo, "key", None) for one in (made, read)]
        return made.isoformat() == read.isoformat() and zones[0] == zones[1]
    return _equal(made, read)


def _pairs(made: Any, read: Any) -> Iterator[tuple[str, Any, Any]] | None:
    """Give the parts of two things that may be equal though Python says they are not; None where they may not."""
    if isinstance(made, dict) and isinstance(read, dict) and list(made) == list(read):
        return ((f"[{key!r}]", value, read[key]) for key, value in made.items())
    for kind in (list, tuple):
        if isinstance(made, kind) and isinstance(read, kind) and len(made) == len(read):
            return ((f"[{place}]", *two) for place, two in enumerate(zip(made, read, strict=True)))
    if all(isinstance(one, Real | Decimal) and one != one for one in (made, read)):
        return iter(())
    if type(made) is not type(read):
        return None
    if isinstance(made, (datetime, time)) and made.isoformat() == read.isoformat():
        return iter(())
    names = _fields(made)
    if names is None or any(hasattr(made, name) != hasattr(read, name) for name in names):
        return None
    return ((f".{name}", getattr(made, name), getattr(read, name)) for name in names if hasattr(made, name))


def _fields(one: Any) -> list[str] | None:
    """Give the names of the data of a dataclass or a pydantic model."""
    if dataclasses.is_dataclass(one):
        return [field.name for field in dataclasses.fields(one) if field.compare]
    declared = getattr(type(one), "model_fields", None)
    if not isinstance(declared, dict):
        return None
    return [*declared, *(getattr(one, "__pydantic_extra__", None) or {})]


def _shown(value: Any) -> str:
    text = repr(value)
    return f"the {type(value).__name__} {text if len(text) <= _SHOWN else f'{text[:_SHOWN]}...'}"


def table_difference(one: Any, two: Any) -> str:
    """Say what differs between a table that was written and the one that was read; nothing where they are the same."""
    if list(one.columns) != list(two.columns):
        return f"its columns {list(one.columns)} would come back as {list(two.columns)}"
    if len(one) != len(two):
        return f"its {len(one)} rows would come back as {len(two)}"
    if list(one.index.names) != list(two.index.names):
        return f"its index {list(one.index.names)} would come back as {list(two.index.names)}"
    if not one.index.equals(two.index):
        return f"its index would come back as {list(two.index[:3])} instead of {list(one.index[:3])}"
    for number, name in enumerate(one.columns):
        if not _same_column(one.iloc[:, number], two.iloc[:, number]):
            kinds = one.dtypes.iloc[number], two.dtypes.iloc[number]
            return f"its column {name!r} of {kinds[0]} would come back as other data (of {kinds[1]})"
    return ""


def _same_column(one: Any, two: Any) -> bool:
    import pandas as pd

    if one.dtype == two.dtype and one.array.equals(two.array):
        return True
    if pd.api.types.is_float_dtype(one.dtype) and pd.api.types.is_float_dtype(two.dtype):
        # 0.1 of 32 bits is written as 0.1: the same to who knows of how many bits it was.
        return bool(one.array.equals(two.astype(one.dtype).array))
    return len(one) == len(two) and all(map(_same_cell, one.tolist(), two.tolist()))


def _same_cell(one: Any, two: Any) -> bool:
    import pandas as pd

    if pd.api.types.is_scalar(one) and pd.api.types.is_scalar(two):
        is_missing = bool(pd.isna(one)), bool(pd.isna(two))
        if any(is_missing):
            return all(is_missing)  # tables have one word for what is missing
    numbers = (int, float)
    if (
        isinstance(one, numbers)
        and isinstance(two, numbers)
        and isinstance(one, bool) == isinstance(two, bool)
    ):
        return one == two
    return difference(one, two, is_strict=True) is None
