"""Tables of pandas: CSV, Parquet, Feather and JSON.

Knows pandas, where it reads and writes; must not know what the columns mean.
"""

from __future__ import annotations

import typing
from pathlib import Path
from typing import Any

from sinagot.workflow.handlers.labels import check_labels
from sinagot.workflow.storage import TypeHandler

__all__: list[str] = []

_SEPARATORS = {".csv": ",", ".tsv": "\t"}
_UNNAMED = "Unnamed: 0"
_ARROW = {".parquet": ("pyarrow", "parquet"), ".feather": ("pyarrow", "parquet")}


class _Frame(TypeHandler, data_type="pandas.DataFrame"):
    """Parquet and Feather keep types, index and dates; CSV keeps what text can."""

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
        return pd.read_json(path, **{"orient": "table", **kwargs} if self.is_own else kwargs)

    def _read_text(self, path: Path, kwargs: dict[str, Any]) -> Any:
        import pandas as pd

        table = pd.read_csv(path, **kwargs)
        if self.is_own and "index_col" not in kwargs and len(table.columns) and table.columns[0] == _UNNAMED:
            # We wrote the index, which had no name: it is no column.
            table = table.set_index(_UNNAMED)
            table.index.name = None
        return table

    def write(self, path: Path, data: Any, **kwargs: Any) -> None:
        """Write a table; to text without the index, where that only counts the rows."""
        if self.suffix in _SEPARATORS:
            data.to_csv(
                path, **{"sep": _SEPARATORS[self.suffix], "index": not _only_counts(data.index), **kwargs}
            )
        elif self.suffix == ".parquet":
            data.to_parquet(path, **kwargs)
        elif self.suffix == ".feather":
            data.to_feather(path, **kwargs)
        else:
            data.to_json(path, **{"orient": "table", "double_precision": 15, **kwargs})

    def check(self, data: Any) -> Any:
        """Refuse what is no table, and what text does not hold."""
        import pandas as pd

        if not isinstance(data, pd.DataFrame):
            raise TypeError(f"should be DataFrame, found {type(data).__name__}")
        if self.suffix in _SEPARATORS:
            is_indexed = not _only_counts(data.index)
            check_labels(
                data, self.suffix, is_indexed=is_indexed, reading=self.read_kwargs, writing=self.write_kwargs
            )
        return data


def _only_counts(index: Any) -> bool:
    import pandas as pd

    is_range = isinstance(index, pd.RangeIndex) and index.start == 0 and index.step == 1
    return is_range and index.name is None


class _Series(_Frame, data_type="pandas.Series"):
    """A series is stored as a table of one column."""

    def read(self, path: Path, **kwargs: Any) -> Any:
        """Read a series."""
        table = super().read(path, **kwargs)
        if len(table.columns) == 2 and self.suffix in _SEPARATORS:
            # An index that has a name was written as a column.
            table = table.set_index(table.columns[0])
        if len(table.columns) != 1:
            raise ValueError(f"should hold one column, found {len(table.columns)}")
        series = table.iloc[:, 0]
        return series.rename(None) if series.name == _NO_NAME else series

    def write(self, path: Path, data: Any, **kwargs: Any) -> None:
        """Write a series."""
        super().write(path, data.to_frame(_NO_NAME if data.name is None else data.name), **kwargs)

    def check(self, data: Any) -> Any:
        """Refuse what is no series."""
        import pandas as pd

        if not isinstance(data, pd.Series):
            raise TypeError(f"should be Series, found {type(data).__name__}")
        return data


#: Name of the column of a series that has none.
_NO_NAME = "value"
