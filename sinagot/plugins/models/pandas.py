"""The plugin `pandas`: one JSON file per record, as a `Series` of the record or a `DataFrame` of all of them.

Knows `modalities.<M>.models.data_path` and the files that it names; must not know steps. Found by its name only.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from sinagot.dataset.patterns import PathPattern
from sinagot.dataset.scan import Listing, find_ids
from sinagot.engine.history import replace_text
from sinagot.errors import ConfigurationError
from sinagot.plugins.models.stored import StoredDataError, UnstorableDataError, json_text, read_object
from sinagot.workspace.records import Record, RecordCollection

if TYPE_CHECKING:
    from pandas import DataFrame, Series

    from sinagot.workspace.scope import Scope

__all__ = ["PandasRecord", "PandasRecordCollection"]

# Doubles that a float cannot tell apart begin here.
_EXACT = 2**53


class PandasRecord(Record):
    """A record whose data of a modality are one JSON object."""

    @property
    def data(self) -> Series[Any] | None:
        """The object in the record's JSON file.

        Assign a `Series` or a `dict` to write it: readers see the old file or the new one, never a part.

        Returns
        -------
        Series or None
            Named by the record id, indexed by the object's keys; None without a file.

        Raises
        ------
        StoredDataError
            The file holds no JSON object; also a ValueError.
        UnstorableDataError
            When assigned: a value cannot be stored, and nothing is changed; also a TypeError and a ValueError.

        Notes
        -----
        Missing values are null in the file. Points in time are stored as ISO 8601 text and read back as text.
        See `sinagot.plugins.models.stored.json_text`.
        """
        values = read_object(_file(self, self.id), self.id)
        return None if values is None else _series(values, self.id)

    @data.setter
    def data(self, data: Series[Any] | Mapping[str, Any]) -> None:
        text = json_text(_as_mapping(data, self.id), self.id)
        file = _file(self, self.id)
        os.makedirs(os.path.dirname(file), exist_ok=True)
        replace_text(file, text)


class PandasRecordCollection(RecordCollection):
    """All records that have a JSON file; a unit, whatever its task is."""

    @property
    def is_unit(self) -> bool:
        """True: the modality's data are the same in every task, unless their path names the task."""
        return True

    @property
    def data(self) -> DataFrame:
        """The objects in the JSON files of all records.

        Returns
        -------
        DataFrame
            One row per record, indexed by record id (`record_id`); columns in the order in which they turn up.

        Warns
        -----
        UserWarning
            For each file that holds no JSON object; the record's row is empty then.
        """
        import pandas as pd

        rows: dict[str, Mapping[str, Any]] = {}
        for record in self.all():
            values = self._row(record)
            if values is not None:
                rows[record.id] = values
        return pd.DataFrame(list(rows.values()), index=pd.Index(list(rows), name="record_id", dtype=str))

    def _row(self, record: Record) -> Mapping[str, Any] | None:
        try:
            if getattr(type(record), "data", PandasRecord.data) is PandasRecord.data:
                return read_object(_file(self, record.id), record.id)
            # A custom class has data of its own.
            data = record.data
            return None if data is None else dict(data.items())
        except StoredDataError as error:
            import warnings

            warnings.warn(str(error), UserWarning, stacklevel=3)
            return {}

    def _scan(self) -> list[str]:
        listing = Listing(str(self._workspace.configuration.data_path))
        rule = self._workspace.blueprint.ids
        found = [find_ids(listing, [pattern], rule) for pattern in _patterns(self)]
        self._workspace.note_problems(listing.problems)
        return found[0] if len(found) == 1 else sorted(set().union(*found))

    def has(self, record_id: object) -> bool:
        """Say whether there is a JSON file for an id; any text may be asked for."""
        blueprint = self._workspace.blueprint
        if not isinstance(record_id, str) or not blueprint.ids.matches(record_id):
            return False
        if self._selected is not None and record_id not in self._selected:
            return False
        root, values = self._workspace.configuration.data_path, blueprint.values_of(record_id)
        return any(os.path.exists(os.path.join(root, pattern.format(values))) for pattern in _patterns(self))


def _as_mapping(data: Any, record_id: str) -> Mapping[Any, Any]:
    import pandas as pd

    if isinstance(data, Mapping):
        return data
    if not isinstance(data, pd.Series):
        text = f"record {record_id}: data can be a Series or a dict, found {type(data).__name__}"
        raise UnstorableDataError(text, record_id=record_id, value=data)
    if not data.index.is_unique:
        key = data.index[data.index.duplicated()][0]
        text = f"record {record_id}: the key {key!r} is there twice, and JSON has one value for a key"
        raise UnstorableDataError(text, record_id=record_id, key=key)
    return dict(data.items())


def _series(values: dict[str, Any], record_id: str) -> Series[Any]:
    import pandas as pd

    if any(isinstance(value, int) and abs(value) > _EXACT for value in values.values()):
        # Beside a missing value or a fraction pandas would make floats of them.
        return pd.Series(values, name=record_id, dtype=object)
    return pd.Series(values, name=record_id)


def _patterns(scope: Scope) -> list[PathPattern]:
    """Give the pattern of the JSON files, once for each task of the scope if it names the task."""
    configuration, blueprint = scope.workspace.configuration, scope.workspace.blueprint
    settings = configuration.modalities[str(scope.modality)]
    key = f"modalities.{settings.name}.models.data_path"
    file = configuration.files[0] if configuration.files else None
    source = settings.models.get("data_path")
    if source is None:
        raise ConfigurationError.at(
            "it is not there, and the plugin 'pandas' needs it",
            file=file,
            key=key,
            hint="write for example data_path = ['clinical', '{id}.json'] below "
            f"[modalities.{settings.name}.models]",
        )
    ids = blueprint.ids
    pattern = PathPattern(source, known={"id", "task", "modality", *ids.entities}, where=f"{file}: {key}")
    if not ("id" in pattern.fields or (ids.required and ids.entities <= pattern.fields)):
        raise ConfigurationError.at(
            f"{pattern.source!r} is the same file for every record",
            file=file,
            key=key,
            found=pattern.source,
            hint="put {id} into it",
        )
    pattern = pattern.bind(modality=settings.label)
    if "task" not in pattern.fields:
        return [pattern]
    tasks = configuration.tasks
    names = [name for name in tasks if settings.name in tasks[name].modalities] or list(tasks)
    return [pattern.bind(task=tasks[name].label) for name in ([scope.task] if scope.task else names)]


def _file(scope: Scope, record_id: str) -> str:
    """Give the path of a record's JSON file."""
    patterns = _patterns(scope)
    if len(patterns) != 1:
        # No ScopeError: an AttributeError that leaves a property looks as if the property were not there.
        raise ConfigurationError.at(
            f"each task has a file of its own; ask for one, as in record.<task>.{scope.modality}.data",
            key=f"modalities.{scope.modality}.models.data_path",
        )
    workspace = scope.workspace
    relative = patterns[0].format(workspace.blueprint.values_of(record_id))
    return os.path.join(workspace.configuration.data_path, relative)
