"""Whether data that were read are what was written: values of any shape, and tables of pandas.

Pure. What a file may widen without changing a value (int32 to int64, a column of category to one of text) is the same;
what it makes another value of (``"001"`` to 1, a tuple to a list) is not.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from datetime import datetime
from typing import Any

__all__ = ["same_data", "table_difference"]


def same_data(one: Any, two: Any) -> bool:
    """Say whether two data are of one type and one value, also where they are not equal to themselves (NaN).

    Examples
    --------
    >>> (
    ...     same_data({"a": [1, float("nan")]}, {"a": [1, float("nan")]}),
    ...     same_data(1, True),
    ...     same_data((1,), [1]),
    ... )
    (True, False, False)
    """
    one, two = _plain(one), _plain(two)
    if type(one) is not type(two):
        return False
    if isinstance(one, float):
        return bool(one == two or (one != one and two != two))
    if isinstance(one, datetime):
        return _moment(one) == _moment(two)
    if isinstance(one, Mapping):
        return list(one) == list(two) and all(same_data(one[key], two[key]) for key in one)
    if isinstance(one, (list, tuple)):
        return len(one) == len(two) and all(same_data(*pair) for pair in zip(one, two, strict=True))
    if hasattr(one, "iloc"):
        return not (table_difference(one, two) if hasattr(one, "columns") else not _same_column(one, two))
    if hasattr(one, "dtype"):
        return bool(
            one.dtype == two.dtype and one.shape == two.shape and same_data(one.tolist(), two.tolist())
        )
    if dataclasses.is_dataclass(one):
        names = [field.name for field in dataclasses.fields(one)]
        return all(same_data(getattr(one, name), getattr(two, name)) for name in names)
    if hasattr(type(one), "model_fields"):
        return same_data(dict(one), dict(two))
    return bool(one == two)


def _plain(value: Any) -> Any:
    """Give the number of Python for one of numpy: no file tells them apart."""
    is_scalar = type(value).__module__ == "numpy" and getattr(value, "shape", None) == ()
    return value.item() if is_scalar else value


def _moment(moment: datetime) -> tuple[Any, ...]:
    # Python calls one instant in two zones equal; it is another wall time.
    return moment.replace(tzinfo=None), moment.utcoffset(), getattr(moment.tzinfo, "key", None) or ""


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
    return same_data(one, two)
