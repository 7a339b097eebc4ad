"""Files that are written from streams, value by value: JSON lines, tables, lines of text, and stacks of arrays.

Knows values and one file each; must not know where the file belongs or what becomes of it. What a file cannot hold is
an error that names the stream, the number of the value and the file.
"""

from __future__ import annotations

import csv
import dataclasses
import json
import math
import os
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from datetime import date, time
from pathlib import PurePath
from types import TracebackType
from typing import IO, Any, Self

from sinagot.errors import SinkError

__all__ = ["SUFFIXES", "Sink", "sink_for"]


class Sink(AbstractContextManager["Sink"]):
    """Write the values of one stream to one file.

    Parameters
    ----------
    stream : str
        Name of the stream, for messages.
    path : str
        The file; its folder is there.
    """

    def __init__(self, stream: str, path: str) -> None:
        self._stream = stream
        self._path = path
        self._count = 0
        self._file: IO[Any]

    def __enter__(self) -> Self:
        self._file = self._opened()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self._finish()
        finally:
            self._file.close()

    def write(self, value: Any) -> None:
        """Write one value.

        Raises
        ------
        SinkError
            When the file cannot hold it.
        """
        self._count += 1
        try:
            self._put(value)
        except (TypeError, ValueError, OverflowError) as error:
            raise SinkError(
                f"value {self._count} of stream {self._stream!r} cannot be written to {self._path}: {error}",
                stream=self._stream,
                number=self._count,
                path=self._path,
            ) from None

    def _opened(self) -> IO[Any]:
        # newline="": line ends are ours, on every system.
        return open(self._path, "w", encoding="utf-8", newline="")

    def _put(self, value: Any) -> None:
        raise NotImplementedError

    def _finish(self) -> None:
        """Write what belongs to the end."""


class _JsonLines(Sink):
    """One JSON value a line."""

    def _put(self, value: Any) -> None:
        self._file.write(json.dumps(_plain(value), ensure_ascii=False, allow_nan=False) + "\n")


class _Lines(Sink):
    """One text or number a line."""

    def _put(self, value: Any) -> None:
        plain = _scalar(value)
        if not isinstance(plain, str | int | float):
            raise TypeError(f"a line of text is a text or a number, found {_told(value)}")
        text = str(plain)
        if "\n" in text or "\r" in text:
            raise ValueError("it has an end of line in it; one value is one line")
        self._file.write(text + "\n")


class _Table(Sink):
    """One row a value; the first one gives the columns."""

    _columns: list[str] | None = None

    def _put(self, value: Any) -> None:
        row = _mapping(value)
        if row is None:
            raise TypeError(f"a row of a table is a dict with the names of columns, found {_told(value)}")
        writer = csv.writer(self._file, lineterminator="\n")
        if self._columns is None:
            if not row:
                raise ValueError("the first row has no columns")
            self._columns = list(row)
            writer.writerow(self._columns)
        if row.keys() != set(self._columns):
            raise ValueError(
                f"its columns are {', '.join(row) or 'none'}; those of the first value were {', '.join(self._columns)}"
            )
        writer.writerow([self._cell(name, row[name]) for name in self._columns])

    def _cell(self, name: str, value: Any) -> Any:
        plain = _scalar(value)
        if plain is None or (isinstance(plain, float) and math.isnan(plain)):
            return ""
        if not isinstance(plain, str | int | float):
            raise TypeError(f"column {name!r} holds {_told(value)}; a cell is a text, a number or a date")
        return plain


class _Stack(Sink):
    """One array of numbers along a new first axis; no more than one value is in memory."""

    _dtype: Any = None
    _shape: tuple[int, ...] = (0,)

    def _opened(self) -> IO[Any]:
        return open(self._path, "wb")

    def _put(self, value: Any) -> None:
        import numpy as np

        array = np.asarray(value)
        if array.dtype.hasobject:
            raise TypeError(f"a file .npy holds arrays of numbers or of text, found {_told(value)}")
        if self._dtype is None:
            self._dtype, self._shape = array.dtype, array.shape
            self._head()
        if array.shape != self._shape:
            raise ValueError(f"its shape is {array.shape}; that of the first value was {self._shape}")
        if array.dtype != self._dtype:
            if not np.can_cast(array.dtype, self._dtype, "safe"):
                raise TypeError(f"its type is {array.dtype}; that of the first value was {self._dtype}")
            array = array.astype(self._dtype)
        self._file.write(np.ascontiguousarray(array).tobytes())

    def _head(self) -> None:
        """Write what stands before the values; numpy leaves room in it for any number of them."""
        import numpy as np

        shape = (self._count if self._dtype is not None else 0, *self._shape)
        if self._dtype is None:
            self._dtype, shape = np.dtype("float64"), (0,)
        descr = np.lib.format.dtype_to_descr(self._dtype)
        np.lib.format.write_array_header_2_0(
            self._file, {"descr": descr, "fortran_order": False, "shape": shape}
        )

    def _finish(self) -> None:
        self._file.seek(0, os.SEEK_SET)
        self._head()


_SINKS: dict[str, Callable[[str, str], Sink]] = {
    ".jsonl": _JsonLines,
    ".csv": _Table,
    ".txt": _Lines,
    ".npy": _Stack,
}

#: Ends of file names that a sink may have.
SUFFIXES = tuple(_SINKS)


def sink_for(stream: str, path: str) -> Sink:
    """Give what writes a stream to a file.

    Parameters
    ----------
    stream : str
        Its name.
    path : str
        The file, whose name ends with one of `SUFFIXES`.
    """
    return _SINKS[os.path.splitext(path)[1].lower()](stream, path)


def _plain(value: Any) -> Any:
    """Give a value in words of JSON; NaN and infinity become null, as in the log.

    Raises
    ------
    TypeError
        There is no word for it.

    Examples
    --------
    >>> _plain({"power": (1.5, float("nan")), "day": date(2024, 1, 31)})
    {'power': [1.5, None], 'day': '2024-01-31'}
    """
    plain = _scalar(value)
    if plain is None or isinstance(plain, str | int):
        return plain
    if isinstance(plain, float):
        return plain if math.isfinite(plain) else None
    row = _mapping(value)
    if row is not None:
        return {name: _plain(one) for name, one in row.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    if type(value).__module__ == "numpy" and hasattr(value, "tolist"):
        return _listed(value)
    raise TypeError(f"JSON has no word for {_told(value)}")


def _listed(array: Any) -> Any:
    """Give an array as lists."""
    import numpy as np

    kind = array.dtype.kind
    if kind not in "biufUM":
        raise TypeError(f"JSON has no word for an array of {array.dtype}")
    if kind == "M":
        array = array.astype(str)
    listed = array.tolist()
    return _plain(listed) if kind == "f" and not np.isfinite(array).all() else listed


def _scalar(value: Any) -> Any:
    """Give a number of numpy as one of Python, and a date or a path as text; all else as it is."""
    if type(value).__module__ == "numpy" and getattr(value, "ndim", None) == 0:
        value = str(value) if value.dtype.kind in "mM" else value.item()
    if isinstance(value, date | time):
        return value.isoformat()
    return str(value) if isinstance(value, PurePath) else value


def _mapping(value: Any) -> dict[str, Any] | None:
    """Give what has names as a dict of them; None where it has none."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {one.name: getattr(value, one.name) for one in dataclasses.fields(value)}
    if isinstance(value, tuple) and hasattr(value, "_asdict"):
        return dict(value._asdict())
    if not isinstance(value, Mapping):
        return None
    for name in value:
        if not isinstance(name, str):
            raise TypeError(f"the keys of a dict are texts, found {_told(name)}")
    return dict(value)


def _told(value: Any) -> str:
    text = repr(value)
    return f"{type(value).__name__} {text if len(text) <= 60 else text[:57] + '...'}"
