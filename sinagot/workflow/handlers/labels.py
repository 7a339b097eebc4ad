"""Labels of tables that a file of text cannot hold: its header is one line, and does not tell index from columns.

Knows the labels of a table of pandas; must not know values or files.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["check_labels", "only_counts"]


def check_labels(
    table: Any, suffix: str, *, is_indexed: bool, reading: Mapping[str, Any], writing: Mapping[str, Any]
) -> None:
    """Refuse a table whose rows or columns would come back with other labels.

    Parameters
    ----------
    table : pandas.DataFrame
        The table.
    suffix : str
        That of the file, for messages.
    is_indexed : bool
        The index is written when nothing else is said.
    reading, writing : mapping
        `read_kwargs` and `write_kwargs`. Who says there what the index is, or the header, is taken at his word.

    Raises
    ------
    ValueError
        A label would be lost, or be another.
    """
    if not {"index", "index_label"} & writing.keys() and not {"index_col", "names"} & reading.keys():
        _check_rows(table, suffix, is_indexed=is_indexed)
    if "header" not in writing and not {"header", "names"} & reading.keys():
        _check_columns(table.columns, suffix)


def _check_rows(table: Any, suffix: str, *, is_indexed: bool) -> None:
    index = table.index
    if index.nlevels > 1 or index.name is not None:
        levels = ", ".join(repr(name) for name in index.names)
        given = index.name if index.nlevels == 1 else [*range(index.nlevels)]
        raise ValueError(
            f"the index ({levels}) would come back as a column from {suffix}; use .parquet, make columns of it with "
            f"reset_index(), leave it out with write_kwargs={{'index': False}}, or say how it is read with "
            f"read_kwargs={{'index_col': {given!r}}}"
        )
    if not len(table.columns) and len(table) and not is_indexed:
        raise ValueError(
            f"{len(table)} rows without a column would not come back from {suffix}; use .parquet"
        )


def _check_columns(columns: Any, suffix: str) -> None:
    if columns.nlevels > 1:
        raise ValueError(
            f"the header of {suffix} is one line, found columns of {columns.nlevels} levels; use .parquet, or say how "
            f"they are read with read_kwargs={{'header': {[*range(columns.nlevels)]}, 'index_col': 0}}"
        )
    if columns.name is not None:
        raise ValueError(
            f"the name {columns.name!r} of the columns would not come back from {suffix}; use .parquet, or "
            "rename_axis(columns=None)"
        )
    for name in columns:
        if not isinstance(name, str) or not name:
            raise ValueError(
                f"names of columns in {suffix} are texts, and not empty, found {name!r}; rename it, as in "
                "table.columns = table.columns.map(str)"
            )
    if not columns.is_unique:
        twice = columns[columns.duplicated()][0]
        raise ValueError(f"two columns are called {twice!r}, and would come back with two names; rename one")


def only_counts(index: Any) -> bool:
    """Say whether an index does nothing but count the rows, so that no file needs to hold it."""
    import pandas as pd

    is_range = isinstance(index, pd.RangeIndex) and index.start == 0 and index.step == 1
    return is_range and index.name is None
