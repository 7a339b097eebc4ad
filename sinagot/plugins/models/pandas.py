"""The plugin `pandas`: one JSON file per record, as a `Series` of the record or a `DataFrame` of all of them.

Knows `modalities.<M>.models.data_path` and the files that it names; must not know steps. Found by its name only.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from sinagot.dataset.patterns import PathPattern
from sinagot.dataset.scan import Listing, find_ids
from sinagot.engine.planning.graph import Slot
from sinagot.engine.state.history import replace_text
from sinagot.errors import ConfigurationError, StoredDataError, UnstorableDataError
from sinagot.plugins.models.stored import json_text, read_object
from sinagot.runlog.read import frame_of
from sinagot.workspace.records import Record, RecordCollection

if TYPE_CHECKING:
    from pandas import DataFrame, Series

    from sinagot.workspace.scope import Scope

__all__ = ["PandasRecord", "PandasRecordCollection"]

#: Beyond it are integers that a float cannot tell apart.
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
        values = read_object(_Forms(self).path(self.id), self.id)
        return None if values is None else _series(values, self.id)

    @data.setter
    def data(self, data: Series[Any] | Mapping[str, Any]) -> None:
        text = json_text(_as_mapping(data, self.id), self.id)
        file = _Forms(self).path(self.id)
        os.makedirs(os.path.dirname(file), exist_ok=True)
        replace_text(file, text)


class PandasRecordCollection(RecordCollection):
    """All records that have a JSON file; a unit, whatever its task is."""

    has_own_files = True

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
        forms = _Forms(self)
        for record in self.all():
            values = self._row(record, forms)
            if values is not None:
                rows[record.id] = values
        return frame_of(list(rows.values()), index=pd.Index(list(rows), name="record_id", dtype=str))

    def _row(self, record: Record, forms: _Forms) -> Mapping[str, Any] | None:
        try:
            if getattr(type(record), "data", PandasRecord.data) is PandasRecord.data:
                return read_object(forms.path(record.id), record.id)
            # A custom class has data of its own.
            data = record.data
            return None if data is None else dict(data.items())
        except StoredDataError as error:
            import warnings

            warnings.warn(str(error), UserWarning, stacklevel=3)
            return {}

    def _scan(self) -> list[str]:
        forms = _Forms(self)
        listing = Listing(forms.root)
        found = [find_ids(listing, [pattern], forms.rule) for pattern in forms.patterns]
        self._workspace.note_problems(listing.problems)
        return found[0] if len(found) == 1 else sorted(set().union(*found))

    def _own_files(self) -> list[tuple[Slot, ...]]:
        forms = _Forms(self)
        return [(Slot(None, one, forms.root, forms.rule.entities),) for one in forms.patterns]

    def has(self, record_id: object) -> bool:
        """Say whether there is a JSON file for an id; any text may be asked for."""
        forms = _Forms(self)
        if not isinstance(record_id, str) or not forms.rule.matches(record_id):
            return False
        if self._selected is not None and record_id not in self._selected:
            return False
        values = forms.rule.values(record_id)
        return any(os.path.exists(os.path.join(forms.root, one.format(values))) for one in forms.patterns)


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
    try:
        return pd.Series(values, name=record_id)
    except UnicodeError:  # halves of surrogate pairs, which the text type of pandas with pyarrow refuses
        return pd.Series(values, name=record_id, dtype=object)


class _Forms:
    """The JSON files of a scope's modality."""

    def __init__(self, scope: Scope) -> None:
        configuration = scope.workspace.configuration
        self.root = str(configuration.data_path)
        self.rule = scope.workspace.blueprint.ids
        self._settings = configuration.modalities[str(scope.modality)]
        self._config = configuration.files[0] if configuration.files else None
        self._key = f"modalities.{self._settings.name}.models.data_path"
        pattern = self._pattern().bind(modality=self._settings.label)
        #: One, or one for each task of the scope where the path names the task.
        self.patterns = [pattern]
        if "task" in pattern.fields:
            tasks = configuration.tasks
            listing = [name for name in tasks if self._settings.name in tasks[name].modalities]
            names = [scope.task] if scope.task is not None else listing or list(tasks)
            self.patterns = [pattern.bind(task=tasks[name].label) for name in names]

    def _pattern(self) -> PathPattern:
        source = self._settings.models.get("data_path")
        if source is None:
            hint = f"data_path = ['{self._settings.name}', '{{id}}.json']"
            raise self._error("it is not there, and the plugin needs it", f"write for example {hint}")
        known = {"id", "task", "modality", *self.rule.entities}
        pattern = PathPattern(source, known=known, where=f"{self._config}: {self._key}")
        required = self.rule.required
        if not ("id" in pattern.fields or (required and self.rule.entities <= pattern.fields)):
            raise self._error(f"{pattern.source!r} is the same file for every record", "put {id} into it")
        return pattern

    def path(self, record_id: str) -> str:
        """Give the path of a record's file."""
        if len(self.patterns) != 1:
            # No ScopeError: an AttributeError that leaves a property looks as if there were no such property.
            name = self._settings.name
            raise self._error(
                "each task has a file of its own", f"ask for one, as in record.<task>.{name}.data"
            )
        return os.path.join(self.root, self.patterns[0].format(self.rule.values(record_id)))

    def _error(self, problem: str, hint: str) -> ConfigurationError:
        return ConfigurationError.at(problem, file=self._config, key=self._key, hint=hint)
