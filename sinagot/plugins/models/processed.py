"""The plugin `processed`: what steps wrote, as tables, by the keys of `[processed.<key>]`.

Knows those tables and how to read a step's output; must not know how a step runs. Found by its name only.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from sinagot.config.hints import did_you_mean
from sinagot.engine.planning.graph import Slot, StepNode
from sinagot.errors import ConfigurationError, StoredDataError
from sinagot.plugins.models.stored import shown
from sinagot.workspace.records import Record, RecordCollection

if TYPE_CHECKING:
    from pandas import DataFrame, Index

    from sinagot.workspace.contracts import House
    from sinagot.workspace.scope import Scope

__all__ = ["ProcessedRecord", "ProcessedRecordCollection"]

_TYPES: dict[str, Callable[[str], Any]] = {"str": str, "float": float, "int": int}


class ProcessedRecord(Record):
    """A record that gives what steps wrote as tables."""

    def get_processed_data(self, data_key: str) -> DataFrame:
        """Read what a step wrote for the record.

        Parameters
        ----------
        data_key : str
            Which table ``[processed.<key>]`` says what to read and how.

        Returns
        -------
        DataFrame
            Indexed by `record_id`; empty, with the configured columns, before the step has written its file.
            ``single_data``: one row, columns task, modality and one named like the step, which holds the whole text
            as `data_type`. ``series_from_csv``: one row, a column for each label in the file.
            ``dataframe_from_csv``: the rows and columns of the file.

        Raises
        ------
        ConfigurationError
            There is no such key, or it does not fit the steps; also a ValueError.
        StoredDataError
            The file cannot be read as configured; also a ValueError.
        ScriptError
            The step's script is broken.
        """
        return _find(self, data_key).read([self.id])


class ProcessedRecordCollection(RecordCollection):
    """Records that give what steps wrote as tables.

    Notes
    -----
    A modality without steps of its own has all the records of its task, or of the workspace.
    """

    def get_processed_data(self, data_key: str) -> DataFrame:
        """Read what a step wrote for all records.

        Parameters
        ----------
        data_key : str
            As in `ProcessedRecord.get_processed_data`.

        Returns
        -------
        DataFrame
            The tables of all records, one below the other; records without a file have no row.
        """
        result = _find(self, data_key)  # scripts are looked at once, not once a record
        ids: list[str] = []
        frames = []
        for record in self.all():
            own = getattr(type(record), "get_processed_data", None)
            if own in (None, ProcessedRecord.get_processed_data):
                ids.append(record.id)
            else:
                frames.append(record.get_processed_data(data_key))
        return _joined([result.read(ids), *frames])

    def _scan(self) -> list[str]:
        return super()._scan() if self._has_steps else self._whole()._scan()

    def has(self, record_id: object) -> bool:
        """Say whether there are data for an id; any text may be asked for."""
        if self._has_steps:
            return super().has(record_id)
        return (self._selected is None or record_id in self._selected) and self._whole().has(record_id)

    @property
    def _has_steps(self) -> bool:
        return bool(self._workspace.blueprint.script_names(self.task, self.modality))

    def _whole(self) -> RecordCollection:
        whole: RecordCollection = self._workspace.make_collection(self.task, None)
        return whole


class _Result(NamedTuple):
    """One key, with the output that it is about."""

    workspace: House
    key: str
    settings: dict[str, Any]
    node: StepNode
    slot: Slot

    def read(self, record_ids: Sequence[str]) -> DataFrame:
        """Give the table of some records; those without a file have no row."""
        import pandas as pd

        getter = self.settings.get("data_getter", "single_data")
        found = []
        for record_id in record_ids:
            path = self.slot.final(self.workspace.blueprint.values_of(record_id))
            try:
                found.append((record_id, _GETTERS[getter](self, path)))
            except (FileNotFoundError, NotADirectoryError):
                continue
            except ValueError as error:
                text = f"record {record_id}: {path}: {str(error).strip()} (processed.{self.key})"
                value = error.value if isinstance(error, _WrongTextError) else None
                raise StoredDataError(text, record_id=record_id, file=path, value=value) from error
        if not found:
            return self._empty()
        if getter == "single_data":
            # One table at once: a table for each record would take ten times as long.
            ids = [record_id for record_id, _ in found]
            columns = {
                "task": self.node.task,
                "modality": self.node.modality,
                self.node.label: [value for _, value in found],
            }
            return pd.DataFrame(columns, index=_index(ids))
        for record_id, frame in found:
            frame.index = _index([record_id] * len(frame))
        return _joined([frame for _, frame in found])

    def _empty(self) -> DataFrame:
        import pandas as pd

        columns = self.settings.get("columns")
        if columns is None and self.settings.get("data_getter", "single_data") == "single_data":
            columns = ["task", "modality", self.node.label]
        return pd.DataFrame(columns=columns, index=_index([]))

    def single_data(self, path: str) -> Any:
        """Read the whole text as one value."""
        with open(path, encoding="utf-8") as file:
            text = file.read()
        data_type = self.settings.get("data_type", "str")
        try:
            return _TYPES[data_type](text)
        except ValueError:
            raise _WrongTextError(text, f"{shown(text)} is no {data_type}") from None

    def dataframe_from_csv(self, path: str) -> DataFrame:
        """Read a table."""
        import pandas as pd

        return pd.read_csv(path)

    def series_from_csv(self, path: str) -> DataFrame:
        """Read lines of label and value as one row; each value has a type of its own."""
        import pandas as pd

        lines = pd.read_csv(path, header=None, dtype=str, keep_default_na=False)
        if lines.shape[1] != 2:
            raise ValueError(f"a line has {lines.shape[1]} cells, not a label and a value")
        row = pd.DataFrame([lines[1].tolist()], columns=lines[0].tolist())
        frame = pd.read_csv(io.StringIO(row.to_csv(index=False)))
        columns = self.settings.get("columns")
        return frame if columns is None else frame.reindex(columns=columns)


def _index(record_ids: list[str]) -> Index[str]:
    import pandas as pd

    return pd.Index(record_ids, name="record_id", dtype=str)


def _joined(frames: list[DataFrame]) -> DataFrame:
    import pandas as pd

    # An empty table would make objects of the columns of the others.
    full = [frame for frame in frames if len(frame)]
    return pd.concat(full) if len(full) > 1 else (full or frames)[0]


class _WrongTextError(ValueError):
    def __init__(self, value: str, message: str) -> None:
        super().__init__(message)
        self.value = value


_GETTERS: dict[str, Callable[[_Result, str], Any]] = {
    "single_data": _Result.single_data,
    "dataframe_from_csv": _Result.dataframe_from_csv,
    "series_from_csv": _Result.series_from_csv,
}


def _find(scope: Scope, data_key: str) -> _Result:
    """Find the output that a key is about, by the graph of steps as the scripts are now."""
    processed = scope.workspace.configuration.processed
    if data_key not in processed:
        raise _error(
            scope,
            data_key,
            f"it is not there; keys are {', '.join(processed) or 'none'}",
            found=data_key,
            hint=did_you_mean(data_key, processed),
        )
    settings = processed[data_key]
    node = _node(scope, data_key, settings)
    if node.error is not None:
        raise node.error
    return _Result(scope.workspace, data_key, settings, node, _slot(scope, data_key, settings, node))


def _node(scope: Scope, data_key: str, settings: dict[str, Any]) -> StepNode:
    task, modality, label = (settings.get(name) for name in ("task", "modality", "step_label"))
    nodes = [
        node
        for node in scope.workspace.blueprint.graph().nodes
        if node.label == label and task in (None, node.task) and modality in (None, node.modality)
    ]
    # What the key leaves open, the scope may say.
    for name in ("task", "modality"):
        mine = [node for node in nodes if getattr(node, name) == getattr(scope, name)]
        nodes = mine or nodes
    if len(nodes) == 1:
        return nodes[0]
    if nodes:
        places = ", ".join(node.place for node in nodes)
        raise _error(scope, data_key, f"it can be any of {places}; write task and modality", found=label)
    where = "".join(
        f" of {word} {name!r}" for word, name in (("task", task), ("modality", modality)) if name is not None
    )
    raise _error(
        scope,
        data_key,
        f"there is no step {label!r}{where}, so nothing writes it",
        found=label,
        hint=did_you_mean(
            str(label), sorted({node.label for node in scope.workspace.blueprint.graph().nodes})
        ),
    )


def _slot(scope: Scope, data_key: str, settings: dict[str, Any], node: StepNode) -> Slot:
    label = settings.get("path_label")
    if label is None and len(node.outputs) == 1:
        return node.outputs[0]
    names = [slot.name for slot in node.outputs if slot.name is not None]
    for slot in node.outputs:
        if label is not None and slot.name == label:
            return slot
    if not names:
        problem = f"step {node.place} has one output, without a label"
    elif label is None:
        problem = f"step {node.place} has several outputs; write which one: {', '.join(names)}"
    else:
        problem = f"step {node.place} has no output {label!r}; it has {', '.join(names)}"
    hint = did_you_mean(label or "", names)
    raise _error(scope, data_key, problem, "path_label", found=label, allowed=names, hint=hint)


def _error(
    scope: Scope, data_key: str, problem: str, name: str = "", *, hint: str = "", **facts: Any
) -> ConfigurationError:
    files = scope.workspace.configuration.files
    return ConfigurationError.at(
        problem,
        file=files[0] if files else None,
        key=f"processed.{data_key}{'.' if name else ''}{name}",
        hint=hint or None,
        **facts,
    )
