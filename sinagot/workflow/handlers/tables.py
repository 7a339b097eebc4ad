"""Tables of pandas: CSV, Parquet, Feather and JSON.

Knows pandas, where it reads and writes; must not know what the columns mean.
"""

from __future__ import annotations

import csv
import typing
from pathlib import Path
from typing import Any

from sinagot.workflow.handlers.labels import check_labels, only_counts
from sinagot.workflow.handlers.tableschema import read_schema, write_schema
from sinagot.workflow.storage import TypeHandler

__all__: list[str] = []

_SEPARATORS = {".csv": ",", ".tsv": "\t"}
_UNNAMED = "Unnamed: 0"
_ARROW = {".parquet": ("pyarrow", "parquet"), ".feather": ("pyarrow", "parquet")}


class _Frame(TypeHandler, data_type="pandas.DataFrame"):
    """Parquet and Feather keep types, index and dates; JSON keeps values and index; CSV keeps what text can."""

    suffixes = (".csv", ".tsv", ".parquet", ".feather", ".json")
    needs: typing.ClassVar = _ARROW

    def read(self, path: Path, **kwargs: Any) -> Any:
        """Read a table."""
        import pandas as pd

        if self.suffix in _SEPARATORS:
            return self._read_text(path, {"sep": _SEPARATORS[self.suffix], **kwargs})
        if self.suffix == ".parquet":
            return pd.read_parquet(path, **kwargs)
        if self.suffix == ".feather":
            return pd.read_feather(path, **kwargs)
        if self.is_own and not kwargs:
            return read_schema(path)
        return pd.read_json(path, **{"orient": "table", **kwargs} if self.is_own else kwargs)

    def _read_text(self, path: Path, kwargs: dict[str, Any]) -> Any:
        import pandas as pd

        try:
            table = pd.read_csv(path, **kwargs)
        except pd.errors.EmptyDataError:
            # A table without columns is one empty line; a file of no bytes is damaged.
            if not self.is_own or not path.stat().st_size:
                raise
            return pd.DataFrame()
        is_first_unnamed = len(table.columns) > 0 and table.columns[0] == _UNNAMED
        if is_first_unnamed and self.is_own and "index_col" not in kwargs and not _header(path, kwargs)[0]:
            # We wrote the index, which had no name: it is no column.
            table = table.set_index(_UNNAMED)
            table.index.name = None
        return table

    def write(self, path: Path, data: Any, **kwargs: Any) -> None:
        """Write a table; to text without the index, where that only counts the rows."""
        if self.suffix in _SEPARATORS:
            self._write_text(path, data, kwargs)
        elif self.suffix == ".parquet":
            data.to_parquet(path, **kwargs)
        elif self.suffix == ".feather":
            data.to_feather(path, **kwargs)
        elif kwargs:
            data.to_json(path, **{"orient": "table", "double_precision": 15, "date_unit": "ns", **kwargs})
        else:
            write_schema(path, data)

    def _write_text(self, path: Path, data: Any, kwargs: dict[str, Any]) -> None:
        options = {"sep": _SEPARATORS[self.suffix], "index": not only_counts(data.index), **kwargs}
        data.to_csv(path, **options)
        if not kwargs.keys() & {"quoting", "lineterminator"} and _has_return(path):
            # Python's writer leaves this one end of lines without quotes, and reading would begin a new row there.
            data.to_csv(path, **{"quoting": csv.QUOTE_NONNUMERIC, **options})

    def check(self, data: Any) -> Any:
        """Refuse what is no table, and what text does not hold."""
        import pandas as pd

        if not isinstance(data, pd.DataFrame):
            raise TypeError(f"should be DataFrame, found {type(data).__name__}")
        if self.suffix in _SEPARATORS:
            is_indexed = not only_counts(data.index)
            check_labels(
                data, self.suffix, is_indexed=is_indexed, reading=self.read_kwargs, writing=self.write_kwargs
            )
        return data


def _has_return(path: Path) -> bool:
    with path.open("rb") as file:
        return any(b"\r" in piece for piece in iter(lambda: file.read(1 << 20), b""))


def _header(path: Path, kwargs: dict[str, Any]) -> list[str]:
    """Give the first line of a file of text as it stands there: pandas gives empty and equal names others."""
    import pandas as pd

    how = {key: kwargs[key] for key in ("sep", "encoding", "compression", "quotechar") if key in kwargs}
    line = pd.read_csv(path, header=None, nrows=1, dtype=str, keep_default_na=False, **how)
    return [str(name) for name in line.iloc[0]]


class _Series(_Frame, data_type="pandas.Series"):
    """A series is stored as a table of one column; the name of one that has none is empty."""

    def read(self, path: Path, **kwargs: Any) -> Any:
        """Read a series."""
        import pandas as pd

        if self.suffix not in _SEPARATORS:
            series = _only_column(super().read(path, **kwargs))
            return series.rename(None) if isinstance(series.name, str) and not series.name else series
        options = {"sep": _SEPARATORS[self.suffix], **kwargs}
        table = pd.read_csv(path, **options)
        names = [*table.columns] if kwargs else _header(path, options)
        names = [None if _is_unnamed(name, by_pandas=bool(kwargs)) else name for name in names]
        if len(table.columns) == 2 or self.is_own:
            # What stands before the values is the index.
            levels = list(table.columns[:-1])
            table = table.set_index(levels).rename_axis(names[:-1]) if levels else table
        return _only_column(table).rename(names[-1])

    def write(self, path: Path, data: Any, **kwargs: Any) -> None:
        """Write a series.

        Raises
        ------
        ValueError
            Its name has several parts, and the file is text.
        """
        if self.suffix in _SEPARATORS and isinstance(data.name, tuple):
            raise ValueError(
                f"the name of a series is one text in {self.suffix}, found {data.name!r}; use .parquet"
            )
        super().write(path, data.to_frame("" if data.name is None else data.name), **kwargs)

    def check(self, data: Any) -> Any:
        """Refuse what is no series."""
        import pandas as pd

        if not isinstance(data, pd.Series):
            raise TypeError(f"should be Series, found {type(data).__name__}")
        return data


def _only_column(table: Any) -> Any:
    if len(table.columns) != 1:
        raise ValueError(f"should hold one column, found {len(table.columns)}")
    return table.iloc[:, 0]


def _is_unnamed(name: Any, *, by_pandas: bool) -> bool:
    return str(name).startswith("Unnamed: ") if by_pandas else name == ""
