"""The file of a stored collection: `{id: data}` to one table or one structure, and back.

Knows types, tables and handlers; must not know where the data come from. What was written is read again before it
counts: a format that would make other data of them is refused, and nothing is published.
"""

from __future__ import annotations

import types
from collections.abc import Mapping
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sinagot.errors import (
    MissingExtraError,
    SinagotError,
    StoredDataError,
    UnstorableDataError,
    WorkflowError,
)
from sinagot.workflow.handlers.labels import only_counts
from sinagot.workflow.sameness import difference, table_difference
from sinagot.workflow.storage import LocalStorage, TypeHandler, find_handler, is_table, without_none

if TYPE_CHECKING:
    from sinagot.workflow.collecting import Collected
    from sinagot.workflow.parts import Parts

__all__ = ["ID_COLUMN", "CollectionFile"]

#: Column of the ids in a stored table.
ID_COLUMN = "workflow_id"
#: Column of values that are no tables.
_VALUE_COLUMN = "value"
#: Where a Parquet table keeps all ids: those of tables without a row stand in no row.
_ALL_IDS = "workflow_ids"
_TEXTS = (".csv", ".tsv")
_TABLES = (*_TEXTS, ".parquet", ".feather")
#: What a cell of a table can hold.
_CELLS: tuple[type, ...] = (int, float, str, bool, date, datetime)


class CollectionFile:
    """Reads and writes the file of a collection.

    Parameters
    ----------
    recipe : Parts
        The nodes.
    collected : Collected
        A stored collection.

    Raises
    ------
    WorkflowError
        Such data cannot be stored in such a file.
    MissingExtraError
        A package is needed that is not installed.
    """

    def __init__(self, recipe: Parts, collected: Collected) -> None:
        assert collected.storage is not None, "only stored collections have a file"
        self._storage = collected.storage
        self._where = f"{recipe.title}.{collected.name}"
        self._takes = collected.takes
        self._annotation = recipe.parts[collected.takes].annotation
        self._kind, self._takes_none = without_none(self._annotation)
        self._is_frame = is_table(self._annotation)
        self._is_table = self._storage.suffix in _TABLES
        self._handler = self._find_handler(self._storage)
        self._cell: TypeHandler | None = None
        if self._annotation is not None:
            suffix = _TEXTS[0] if self._is_frame else ".txt" if self._is_table else ".json"
            cell = LocalStorage(f"cell{suffix}")
            self._cell = find_handler(self._annotation, cell, is_seed=False, where=self._where)

    def _find_handler(self, storage: LocalStorage) -> TypeHandler:
        if storage.suffix in _TABLES:
            if self._annotation is not None and not self._is_frame and self._kind not in _CELLS:
                raise WorkflowError(
                    f"{self._where}: {_shown(self._annotation)} of {self._takes} does not fit into a cell of a table, "
                    f"and {storage.path!r} is one; {self._instead()}",
                    attribute=self._where.rpartition(".")[2],
                )
            return find_handler("pandas.DataFrame", storage, is_seed=False, where=self._where)
        inner = Any if self._annotation is None else self._annotation
        try:
            return find_handler(
                types.GenericAlias(dict, (str, inner)), storage, is_seed=False, where=self._where
            )
        except MissingExtraError:
            raise
        except WorkflowError as error:
            raise WorkflowError(
                f"{self._where}: {_shown(inner)} of {self._takes} by id cannot be stored in {storage.path!r}; "
                f"{self._instead()}",
                attribute=self._where.rpartition(".")[2],
            ) from error

    def _instead(self) -> str:
        """Say what holds such data."""
        others: tuple[str, ...]
        if self._is_frame:
            if self._storage.suffix in _TEXTS:
                return "use .parquet, or read_kwargs that bring it back, such as dtype= and parse_dates="
            others = (".parquet", ".csv")
        else:
            others = (".json",)
        for suffix in others[: 0 if self._storage.suffix == others[0] else None]:
            try:
                CollectionFile._check(self, suffix)
            except SinagotError:
                continue
            return f"use {suffix}"
        if self._annotation is None and self._storage.suffix == ".json":
            return "annotate the step with what it returns, or collect without .to()"
        return "collect without .to(): the data are then those of each workflow"

    def _check(self, suffix: str) -> None:
        inner = Any if self._annotation is None else self._annotation
        kind: Any = "pandas.DataFrame" if suffix in _TABLES else types.GenericAlias(dict, (str, inner))
        find_handler(kind, LocalStorage(f"other{suffix}"), is_seed=False, where=self._where)

    # -- values

    def check(self, data: Any) -> Any:
        """Give data that fit the annotation of their node.

        Raises
        ------
        UnstorableDataError
            They do not.
        """
        if self._cell is None:
            return data
        try:
            return self._cell.check(data)
        except (TypeError, ValueError) as error:
            raise UnstorableDataError(f"{self._takes}: {error}", value=type(data).__name__) from error

    # -- files

    def write(self, path: Path, found: dict[str, Any]) -> None:
        """Write data by id, and see that they come back.

        Parameters
        ----------
        path : Path
            A file that is published only when this returns.
        found : dict of str to object
            Id -> data.

        Raises
        ------
        UnstorableDataError
            They would come back as other data, or cannot be written so at all.

        Notes
        -----
        The file is read once. Where numbers are rounded on purpose (``float_format``), it is not.
        """
        kwargs = self._storage.write_kwargs
        try:
            self._handler.write(path, self._as_table(found) if self._is_table else found, **kwargs)
        except (ImportError, MemoryError, OSError, Warning):
            raise  # none of these says anything of the data
        except Exception as error:
            raise self._refusal(str(error), found) from error
        if "float_format" in kwargs:
            return
        try:
            again = self._read(path)
        except Exception as error:
            raise self._refusal(
                f"it could not be read back: {type(error).__name__}: {error}", found
            ) from error
        difference = _difference(found, again)
        if difference:
            raise self._refusal(difference, found)

    def _refusal(self, why: str, found: Mapping[str, Any]) -> UnstorableDataError:
        return UnstorableDataError(
            f"{self._where}: {self._takes} of {len(found)} workflow(s) cannot be stored in {self._storage.path!r}: "
            f"{why}; {self._instead()}; nothing was written",
            key=self._takes,
        )

    def read(self, path: Path) -> dict[str, Any]:
        """Read a file.

        Raises
        ------
        StoredDataError
            It cannot be read as what it should be.
        """
        try:
            return self._read(path)
        except (ImportError, MemoryError, Warning):
            raise  # none of these says anything of the file
        except Exception as error:
            raise StoredDataError(
                f"{self._where}: {path} cannot be read as {self._takes} by id: {type(error).__name__}: {error}",
                node=self._where.rpartition(".")[2],
                path=path,
                file=str(path),
            ) from error

    def _read(self, path: Path) -> dict[str, Any]:
        if not self._is_table:
            return dict(self._handler.read(path, **self._storage.read_kwargs))
        table = self._handler.read(path, **{**self._options(), **self._storage.read_kwargs})
        if ID_COLUMN not in table.columns:
            raise ValueError(f"it has no column {ID_COLUMN!r}")
        is_cells = list(table.columns) == [ID_COLUMN, _VALUE_COLUMN] and not self._is_frame
        return self._cells_of(table) if is_cells else self._frames_of(table)

    def _options(self) -> dict[str, Any]:
        """Give the options that keep ids and texts what they are; those of the storage win."""
        if self._storage.suffix not in _TEXTS:
            return {} if self._is_frame else {"dtype_backend": "pyarrow"}
        if self._annotation is not None and not self._is_frame:
            return {"dtype": object, "na_filter": False}
        import pandas as pd

        options = {"dtype": {ID_COLUMN: object}, "keep_default_na": False, "na_values": [""]}
        # From 3.1 on numbers are read exactly, and asking for it is deprecated.
        return {**options, "float_precision": "round_trip"} if pd.__version__.startswith("3.0.") else options

    # -- tables of values

    def _as_table(self, found: dict[str, Any]) -> Any:
        import pandas as pd

        if self._is_frame or any(isinstance(data, pd.DataFrame) for data in found.values()):
            return self._of_frames(found)
        values = list(found.values())
        if self._kind is float and not self._takes_none:
            column = pd.Series(values, dtype="float64")
        else:
            if self._storage.suffix in _TEXTS and self._annotation is not None:
                values = [self._text(value) for value in values]
            column = pd.Series(values, dtype=object)
        return pd.DataFrame({ID_COLUMN: pd.Series(list(found), dtype=object), _VALUE_COLUMN: column})

    def _text(self, value: Any) -> str:
        if value is None or isinstance(value, str):
            return value or ""
        return str(self._words.show(value))

    @property
    def _words(self) -> Any:
        """What makes text of the value of a cell, and back."""
        return getattr(self._cell, "inner", self._cell)

    def _cells_of(self, table: Any) -> dict[str, Any]:
        ids, values = table[ID_COLUMN].tolist(), table[_VALUE_COLUMN].tolist()
        return {str(one): self._value(value) for one, value in zip(ids, values, strict=True)}

    def _value(self, value: Any) -> Any:
        """Make of the content of a cell what the annotation says."""
        import pandas as pd

        is_missing = value is None or value is pd.NA or (value == "" and self._storage.suffix in _TEXTS)
        if is_missing and self._takes_none:
            return None
        if is_missing and self._kind is float:
            return float("nan")
        if self._annotation is None:
            return None if value is pd.NA else value
        if isinstance(value, pd.Timestamp):
            return value.to_pydatetime()
        if isinstance(value, str) and self._kind is not str:
            return self._words.parse(value)
        return float(value) if self._kind is float else value

    # -- tables of tables

    def _of_frames(self, found: dict[str, Any]) -> Any:
        """Put tables below each other, the ids in front."""
        import pandas as pd

        if not found:
            return pd.DataFrame({ID_COLUMN: pd.Series([], dtype=object)})
        self._check_frames(found)
        full = {one: table for one, table in found.items() if len(table)} or found
        tables = pd.concat(list(full.values()), keys=list(full), names=[ID_COLUMN])
        tables.attrs = {}
        if all(only_counts(table.index) for table in full.values()):
            tables = tables.reset_index(level=0).reset_index(drop=True)
        elif self._storage.suffix in _TEXTS:
            tables.index.names = [ID_COLUMN, ""]
            tables = tables.reset_index()
        else:
            tables = tables.reset_index(level=0)
        if len(full) < len(found) or not len(tables):
            tables.attrs[_ALL_IDS] = list(found)
        return tables

    def _check_frames(self, found: dict[str, Any]) -> None:
        """Refuse what no table of tables can hold, in words that say what to do about it."""
        import pandas as pd

        is_text = self._storage.suffix in _TEXTS
        first = None
        for workflow_id, table in found.items():
            text = f"the table of {workflow_id!r} "
            if not isinstance(table, pd.DataFrame):
                raise ValueError(
                    f"the data of {workflow_id!r} are {type(table).__name__}, those of others a table"
                )
            if ID_COLUMN in table.columns or ID_COLUMN in table.index.names:
                raise ValueError(f"{text}has a column {ID_COLUMN!r} of its own (rename it)")
            if is_text and not len(table):
                raise ValueError(f"{text}has no row, and no row would name it")
            if is_text and (table.index.nlevels > 1 or table.index.name is not None):
                raise ValueError(
                    f"{text}has an index {list(table.index.names)} that would come back as a column; "
                    "reset_index() makes it one"
                )
            first = table if first is None else first
            if list(table.columns) != list(first.columns):
                raise ValueError(
                    f"{text}has the columns {list(table.columns)}, that of {next(iter(found))!r} has "
                    f"{list(first.columns)} (give all the same)"
                )

    def _frames_of(self, table: Any) -> dict[str, Any]:
        ids = table.attrs.pop(_ALL_IDS, None)
        if self._storage.suffix in _TEXTS and len(table.columns) > 1 and table.columns[1] == "Unnamed: 1":
            # We wrote the index, which had no name: it is no column.
            table = table.set_index("Unnamed: 1")
            table.index.name = None
        groups = table.groupby(ID_COLUMN, sort=False)
        found = {str(one): _whole(part.drop(columns=ID_COLUMN)) for one, part in groups}
        if ids is None:
            return found
        empty = _whole(table.iloc[:0].drop(columns=ID_COLUMN))
        return {one: found[one] if one in found else empty.copy() for one in ids}


def _whole(table: Any) -> Any:
    """Give a part of a table an index of its own, where that of the whole only counts the rows."""
    import pandas as pd

    table.attrs = {}
    return table.reset_index(drop=True) if isinstance(table.index, pd.RangeIndex) else table


def _difference(found: dict[str, Any], again: dict[str, Any]) -> str:
    """Say what was written differently from what was collected; nothing where it is the same."""
    if list(found) != list(again):
        lost = [one for one in found if one not in again]
        others = [one for one in again if one not in found]
        if lost:
            return f"the id {lost[0]!r} would {f'come back as {others[0]!r}' if others else 'be lost'}"
        return "the ids would come back in another order"
    for workflow_id, data in found.items():
        if hasattr(data, "columns") and hasattr(again[workflow_id], "columns"):
            text = table_difference(data, again[workflow_id])
            if text:
                return f"the table of {workflow_id!r}: {text}"
        else:
            changed = difference(data, again[workflow_id], f"what {workflow_id!r} has", is_strict=True)
            if changed is not None:
                return changed
    return ""


def _shown(annotation: Any) -> str:
    return annotation.__name__ if type(annotation) is type else str(annotation)
