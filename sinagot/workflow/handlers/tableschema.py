"""Tables as JSON, in the form that pandas calls Table Schema, with all that they hold.

Knows pandas, when called; must not know who stores a table. pandas itself would cut numbers to 15 places behind the
point and dates to milliseconds, and lose infinity, columns whose names are numbers, and an index with equal labels.
"""

from __future__ import annotations

import json
from collections.abc import Hashable
from pathlib import Path
from typing import Any

__all__ = ["read_schema", "write_schema"]

#: Values of an object column that JSON knows.
_KNOWN = (str, bool, int, list, dict)


def write_schema(path: Path, table: Any) -> None:
    """Write a table.

    Parameters
    ----------
    path : Path
        The file.
    table : DataFrame
        What to write.

    Raises
    ------
    ValueError
        It would come back as something else.
    """
    from pandas.io.json import build_table_schema

    keys = _keys(table)
    schema = build_table_schema(table)
    # pandas leaves it out where labels are equal, and then takes the index for a column.
    schema["primaryKey"] = keys
    columns = {
        str(name): [_plain(name, value) for value in column.tolist()]
        for name, column in table.reset_index(names=keys).items()
    }
    rows = [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]
    path.write_text(
        json.dumps({"schema": schema, "data": rows}, ensure_ascii=False, default=_number), "utf-8"
    )


def read_schema(path: Path) -> Any:
    """Read a table that `write_schema` wrote, or `DataFrame.to_json` in the same form.

    Parameters
    ----------
    path : Path
        The file.

    Returns
    -------
    DataFrame
        The table.
    """
    import pandas as pd

    found = json.loads(path.read_text(encoding="utf-8"))
    columns = {
        field["name"]: _column(field, [row[field["name"]] for row in found["data"]])
        for field in found["schema"]["fields"]
    }
    table = pd.DataFrame(columns)
    keys = found["schema"].get("primaryKey")
    if keys:
        table = table.set_index(keys)
        table.index.names = [None if _is_nameless(name) else name for name in table.index.names]
    return table


def _is_nameless(name: Hashable) -> bool:
    """Say whether a name stands for none: that of an index, or of a level of one."""
    return isinstance(name, str) and (name == "index" or name.startswith("level_"))


def _keys(table: Any) -> list[str]:
    """Give the names under which the levels of the index are written."""
    names = list(table.index.names)
    keys = [name if name is not None else f"level_{number}" for number, name in enumerate(names)]
    if names == [None]:
        keys = ["index"]
    odd = [name for name in (*keys, *table.columns) if not isinstance(name, str)]
    if odd:
        raise ValueError(f"names in a table of .json are text, found {odd[0]!r}; rename it, or use .parquet")
    if any(name is not None and _is_nameless(name) for name in names):
        raise ValueError(
            f"an index named {names} comes back without a name from .json; rename it, or use .parquet"
        )
    twice = [name for name in {*keys, *table.columns} if [*keys, *table.columns].count(name) > 1]
    if twice:
        raise ValueError(
            f"{twice[0]!r} names two columns, or a column and the index; .json keeps one of them"
        )
    return keys


def _plain(name: Hashable, value: Any) -> Any:
    """Give a value as JSON knows it; one that it would make something else of is refused."""
    import pandas as pd

    if isinstance(value, _KNOWN):
        return value
    if value is None or value is pd.NA or value is pd.NaT:
        return None
    if isinstance(value, float):
        return value if value == value else None
    if isinstance(value, pd.Timestamp):
        # Zones were not always apart by whole minutes; their name stands in the schema.
        return (value if value.tzinfo is None else value.tz_convert("UTC")).isoformat()
    if isinstance(value, pd.Timedelta):
        return value.isoformat()
    if type(value).__module__ == "numpy" and getattr(value, "shape", None) == ():
        return _plain(name, value.item())
    raise ValueError(f"column {name!r}: .json does not keep {type(value).__name__}; use .parquet")


def _number(value: Any) -> Any:
    """Turn what stands inside of lists and dicts into plain values."""
    if type(value).__module__ == "numpy" and hasattr(value, "tolist"):
        return value.tolist()
    raise ValueError(f".json does not keep {type(value).__name__}; use .parquet")


def _column(field: dict[str, Any], values: list[Any]) -> Any:
    """Make a column of what its field says."""
    import pandas as pd

    kind = field["type"]
    if kind == "datetime":
        moments = pd.DatetimeIndex(pd.to_datetime(values, format="ISO8601", utc="tz" in field))
        moments = moments if moments.unit == "ns" else moments.as_unit("us")
        return moments.tz_convert(field["tz"]) if "tz" in field else moments
    if kind == "duration":
        return pd.to_timedelta(values)
    if "constraints" in field:
        return pd.Categorical(values, field["constraints"]["enum"], ordered=field.get("ordered", False))
    if "extDtype" in field:
        return pd.array(values, dtype=field["extDtype"])
    if kind == "number":
        return pd.Series(values, dtype="float64")
    if kind == "boolean":
        return pd.Series(values, dtype="bool")
    # Whole numbers of 64 bits with and without a sign are told by their size.
    return pd.Series(
        values, dtype=None if kind == "integer" and values else "int64" if kind == "integer" else object
    )
