"""What plugins keep in files: JSON objects out of Python values and back, and errors that name record, file and key.

Knows JSON and values; must not know workspaces or where files are. The plugins' classes read and write with it.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from datetime import date, time
from typing import Any

from sinagot.errors import StoredDataError, UnstorableDataError

__all__ = ["StoredDataError", "UnstorableDataError", "json_text", "read_object"]

#: Characters of a value that a message shows.
_SHOWN = 60


def read_object(file: str, record_id: str) -> dict[str, Any] | None:
    """Read a JSON object.

    Parameters
    ----------
    file : str
        UTF-8, with or without a byte order mark.
    record_id : str
        Whose it is, for messages.

    Returns
    -------
    dict or None
        None without a file.

    Raises
    ------
    StoredDataError
        The file holds no JSON object.
    """
    try:
        with open(file, encoding="utf-8-sig") as stream:
            found = json.load(stream)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (ValueError, RecursionError) as error:
        text = f"record {record_id}: {file} is no JSON: {error}"
        raise StoredDataError(text, record_id=record_id, file=file) from error
    if not isinstance(found, dict):
        text = f"record {record_id}: {file} holds {_name(found)}, no JSON object"
        raise StoredDataError(text, record_id=record_id, file=file, value=found)
    return found


def json_text(data: Mapping[Any, Any], record_id: str) -> str:
    """Write values as the text of a JSON object.

    Parameters
    ----------
    data : Mapping
        Values by name, of Python, NumPy or pandas.
    record_id : str
        Whose they are, for messages.

    Returns
    -------
    str
        ASCII, one key a line.

    Raises
    ------
    UnstorableDataError
        A name is no text, or a value cannot be written so that it reads back with the same meaning.

    Notes
    -----
    NumPy scalars become Python's, arrays and tuples become lists. NaN, NaT and NA become null, which pandas reads
    as missing again. Points in time become ISO 8601 text with the offset that they have, and stay text when they are
    read: JSON has no type for them. Infinity, durations, complex numbers, bytes, sets and other objects are refused.

    Examples
    --------
    >>> print(json_text({"age": 31, "score": float("nan")}, "REC-1"), end="")
    {
      "age": 31,
      "score": null
    }
    """
    try:
        plain = {_key(key, "", record_id): _plain(value, key, record_id) for key, value in data.items()}
    except RecursionError:
        raise UnstorableDataError(
            f"record {record_id}: the data hold themselves", record_id=record_id
        ) from None
    return json.dumps(plain, indent=2, allow_nan=False) + "\n"


def _key(key: object, place: str, record_id: str) -> str:
    if not isinstance(key, str):
        where = f" in {place!r}" if place else ""
        raise UnstorableDataError(
            f"record {record_id}: the key {key!r}{where} is {_name(key)}; keys of JSON are text, write {str(key)!r}",
            record_id=record_id,
            key=key,
        )
    return str(key)


def _plain(value: Any, place: str, record_id: str) -> Any:
    """Make a value of JSON's own types, or raise; `place` is its key, with the keys around it."""
    value = _unwrapped(value)
    if value is None or isinstance(value, str | int):
        return value
    if isinstance(value, float) and not math.isinf(value):
        return None if math.isnan(value) else value
    if isinstance(value, date | time):  # a datetime and a pandas Timestamp are dates, too
        return value.isoformat()
    if isinstance(value, Mapping):
        return {
            _key(key, place, record_id): _plain(below, f"{place}.{key}", record_id)
            for key, below in value.items()
        }
    if isinstance(value, list | tuple):
        return [_plain(below, f"{place}[{number}]", record_id) for number, below in enumerate(value)]
    raise UnstorableDataError(
        f"record {record_id}: {place!r} holds {shown(value)}, {_name(value)}, which JSON cannot store",
        record_id=record_id,
        key=place,
        value=value,
    )


def _unwrapped(value: Any) -> Any:
    """Take a value out of its NumPy or pandas clothes."""
    import numpy as np
    import pandas as pd

    if value is pd.NA or value is pd.NaT:
        return None
    if isinstance(value, np.datetime64):
        return None if np.isnat(value) else pd.Timestamp(value)
    if isinstance(value, np.timedelta64):
        return value
    return value.tolist() if isinstance(value, np.generic | np.ndarray) else value


def shown(value: object) -> str:
    """Give the beginning of a value's text, for messages."""
    text = repr(value).replace("\n", " ")
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."


def _name(value: object) -> str:
    name = type(value).__name__
    return f"{'an' if name[0] in 'aeiouAEIOU' else 'a'} {name}"
