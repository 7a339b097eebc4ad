"""Records and collections of records: what a user walks through.

Knows scopes and where ids come from; must not know how steps run. Nothing is kept: data that arrives later is seen.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from sinagot.dataset.patterns import PathPattern
from sinagot.dataset.records import RecordIds
from sinagot.dataset.scan import Listing, find_ids, glob_matches
from sinagot.workspace.scope import Scope

if TYPE_CHECKING:
    from pandas import DataFrame

    from sinagot.workspace.workspace import Workspace

__all__ = ["Record", "RecordCollection"]


class RecordCollection(Scope):
    """All records of a scope.

    Examples
    --------
    >>> import sinagot
    >>> ws = sinagot.Workspace("example/harbor")
    >>> ws.records
    <RecordCollection instance>
    >>> ws.records.count(), ws.records.has("REC-20200601")
    (3, True)
    """

    def _narrowed(self, task: str | None, modality: str | None) -> RecordCollection:
        return self._workspace.make_collection(task, modality)

    # -- ids

    def iter_ids(self) -> Iterator[str]:
        """Give the ids of the records, sorted.

        Raises
        ------
        ConfigurationError
            The configuration does not say what an id is.
        ScriptError
            No first step says where the raw data are.

        Notes
        -----
        One listing per folder; nothing is kept between calls.
        """
        yield from self._scan()

    def _scan(self) -> list[str]:
        blueprint = self._workspace.blueprint
        listing = Listing(str(self._workspace.configuration.data_path))
        is_path = self._workspace.configuration.records_path is not None
        found = [
            find_ids(listing, patterns, blueprint.ids, is_unique=is_path)
            for patterns in blueprint.id_sources(self.task, self.modality)
        ]
        self._workspace.note_problems(listing.problems)
        if len(found) == 1:
            return found[0]
        return sorted(set().union(*found))

    def record_ids(self) -> list[str]:
        """List the ids of the records, sorted."""
        return list(self.iter_ids())

    def ids(self) -> list[str]:
        """List the ids of the records, sorted."""
        return self.record_ids()

    def has(self, record_id: object) -> bool:
        """Say whether there are data for an id; any text may be asked for."""
        blueprint = self._workspace.blueprint
        if not isinstance(record_id, str) or not blueprint.ids.matches(record_id):
            return False
        values = blueprint.values_of(record_id)
        listing = Listing(str(self._workspace.configuration.data_path))
        return any(
            all(_exists(listing, pattern, values, blueprint.ids) for pattern in patterns)
            for patterns in blueprint.id_sources(self.task, self.modality)
        )

    def count(self) -> int:
        """Count the records."""
        return len(self.record_ids())

    # -- records

    def all(self) -> Iterator[Record]:
        """Give the records, in the order of their ids."""
        for record_id in self.record_ids():
            yield self._make(record_id)

    def first(self) -> Record | None:
        """Give the first record, None when there is none."""
        return next(self.all(), None)

    def head(self, count: int = 5) -> Iterator[Record]:
        """Give the first `count` records."""
        for record_id in self.record_ids()[: max(count, 0)]:
            yield self._make(record_id)

    def get(self, record_id: str) -> Record:
        """Give a record of the scope; the disk is not looked at.

        Raises
        ------
        InvalidIdError
            The id does not match the pattern; also a ValueError and a KeyError.
        """
        self._workspace.blueprint.ids.check(record_id)
        return self._make(record_id)

    def _make(self, record_id: str) -> Record:
        return self._workspace.make_record(record_id, self.task, self.modality)

    def __iter__(self) -> Iterator[Record]:
        return self.all()

    def logs(self) -> DataFrame:
        """Give the logs of all records as one table, newest first."""
        from sinagot.workspace.tables import logs_frame

        return logs_frame(self)


def _exists(listing: Listing, pattern: PathPattern, values: Mapping[str, str], rule: RecordIds) -> bool:
    if pattern.fields - set(values):
        return bool(glob_matches(listing, pattern, values, rule))
    return os.path.exists(os.path.join(listing.root, pattern.format(values)))


class Record(Scope):
    """One record, or its part of one task or modality.

    Attributes
    ----------
    id : str
        Id of the record.

    Examples
    --------
    >>> import sinagot
    >>> sinagot.Workspace("example/harbor").records.get("REC-20200603")
    <Record instance | id: REC-20200603>
    """

    _is_record = True

    def __init__(
        self, workspace: Workspace, record_id: str, task: str | None = None, modality: str | None = None
    ) -> None:
        super().__init__(workspace, task, modality)
        self.id = record_id

    def _narrowed(self, task: str | None, modality: str | None) -> Record:
        return self._workspace.make_record(self.id, task, modality)

    def record_ids(self) -> list[str]:
        """List the one id."""
        return [self.id]

    def _facts(self) -> list[str]:
        return [f"id: {self.id}", *super()._facts()]

    @property
    def entities(self) -> dict[str, str]:
        """Values of the entities that the id is composed of.

        Returns
        -------
        dict of str to str
            Empty when the id has none.
        """
        return {
            name: value
            for name, value in self._workspace.blueprint.values_of(self.id).items()
            if name != "id" and value
        }

    def logs(self) -> DataFrame:
        """Give the record's log as a table, newest first, cut to the record's task and modality.

        Returns
        -------
        DataFrame
            One row per line; empty without a log.
        """
        from sinagot.workspace.tables import logs_frame

        return logs_frame(self)

    def logs_json(self) -> list[dict[str, Any]]:
        """Give the lines of the record's log as they are, oldest first, cut to its task and modality."""
        from sinagot.runlog.read import read_lines

        lines, _ = read_lines(str(self._workspace.configuration.log_path), self.id)
        return [line for line in lines if self._is_mine(line)]

    def _is_mine(self, line: dict[str, Any]) -> bool:
        return (self.task is None or line.get("task") == self.task) and (
            self.modality is None or line.get("modality") == self.modality
        )

    def status_dict(self) -> dict[Any, Any]:
        """Give the status of every step.

        Returns
        -------
        dict
            Task -> modality -> list of ``{step_index, step_label, step_status}``; both are None in unit mode.
        """
        tree: dict[Any, Any] = {}
        for row in self.steps.iter_status():
            steps = tree.setdefault(row["task"], {}).setdefault(row["modality"], [])
            steps.append({name: row[name] for name in ("step_index", "step_label", "step_status")})
        return tree

    def status_json(self) -> str:
        """Give `status_dict` as JSON text."""
        return json.dumps(self.status_dict())
