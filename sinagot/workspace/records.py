"""Records and collections of records: what a user walks through.

Knows scopes and where ids come from; must not know how steps run. Nothing is kept: data that arrives later is seen.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from sinagot.dataset.patterns import PathPattern
from sinagot.dataset.records import RecordIds
from sinagot.dataset.scan import Listing, find_ids, glob_matches
from sinagot.errors import ScriptError
from sinagot.runlog.read import read_lines
from sinagot.workspace.contracts import House
from sinagot.workspace.scope import Scope
from sinagot.workspace.tables import logs_frame

if TYPE_CHECKING:
    from pandas import DataFrame

    from sinagot.engine.planning.graph import Slot
    from sinagot.workspace.details import RecordDetails
    from sinagot.workspace.watch.stream import RecordStream

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

    #: True for a modality whose records are told by files of its own, as with the pandas plugin.
    has_own_files = False
    #: Ids that the collection was narrowed to; None for all that have data.
    _selected: tuple[str, ...] | None = None

    def _narrowed(self, task: str | None, modality: str | None) -> RecordCollection:
        narrowed: RecordCollection = self._workspace.make_collection(task, modality)
        narrowed._selected = self._selected
        return narrowed

    def select(self, record_ids: Iterable[str]) -> RecordCollection:
        """Narrow the collection to some records, so that one run or one table is about them.

        Parameters
        ----------
        record_ids : iterable of str
            Their ids; as with `get`, the disk is not looked at.

        Returns
        -------
        RecordCollection
            Of the same scope, with exactly these records, sorted, each once.

        Raises
        ------
        InvalidIdError
            An id does not match the pattern.
        TypeError
            One text was given instead of a list.

        Examples
        --------
        >>> import sinagot
        >>> ws = sinagot.Workspace("example/harbor")
        >>> ws.records.select(["REC-20200603", "REC-20200601"]).ids()
        ['REC-20200601', 'REC-20200603']
        """
        if isinstance(record_ids, str):
            # Its letters would be taken for ids.
            raise TypeError(f"ids are a list of texts; for one of them write [{record_ids!r}]")
        wanted = sorted(set(record_ids))
        for record_id in wanted:
            self._workspace.blueprint.ids.check(record_id)
        selected: RecordCollection = self._workspace.make_collection(self.task, self.modality)
        selected._selected = tuple(wanted)
        return selected

    @property
    def is_whole(self) -> bool:
        """True unless the collection was narrowed to some records: group steps run in a whole one only."""
        return self._selected is None

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
        self._workspace.forget_problems()
        yield from self._scan() if self._selected is None else self._selected

    def _scan(self) -> list[str]:
        blueprint = self._workspace.blueprint
        listing = Listing(blueprint.ids_root)
        is_path = self._workspace.configuration.records_path is not None
        found = [
            find_ids(listing, patterns, blueprint.ids, is_unique=is_path)
            for patterns in blueprint.id_sources(self.task, self.modality)
        ]
        self._workspace.note_problems(listing.problems)
        found += [collection._scan() for collection in self._with_own_files()]
        if len(found) == 1:
            return found[0]
        return sorted(set().union(*found))

    def _with_own_files(self) -> Iterator[RecordCollection]:
        """Give the narrower collections whose records are told by files that no step reads."""
        workspace = self._workspace
        if workspace.configuration.records_path is None and self.modality is None:
            for task, modality in workspace.blueprint.units(self.task):
                if modality is not None:
                    collection: RecordCollection = workspace.make_collection(task, modality)
                    if collection.has_own_files:
                        yield collection

    def record_ids(self) -> list[str]:
        """List the ids of the records, sorted."""
        if type(self).iter_ids is not RecordCollection.iter_ids:
            return list(self.iter_ids())
        # Not one by one: that is a tenth of what 100,000 of them cost.
        self._workspace.forget_problems()
        return self._scan() if self._selected is None else list(self._selected)

    def ids(self) -> list[str]:
        """List the ids of the records, sorted."""
        return self.record_ids()

    def has(self, record_id: object) -> bool:
        """Say whether there are data for an id; any text may be asked for."""
        blueprint = self._workspace.blueprint
        if not isinstance(record_id, str) or not blueprint.ids.matches(record_id):
            return False
        if self._selected is not None and record_id not in self._selected:
            return False
        values = blueprint.values_of(record_id)
        listing = Listing(blueprint.ids_root)
        return any(
            all(_exists(listing, pattern, values, blueprint.ids) for pattern in patterns)
            for patterns in blueprint.id_sources(self.task, self.modality)
        ) or any(collection.has(record_id) for collection in self._with_own_files())

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

    def stream(
        self,
        watch: bool = False,
        *,
        quiet: float | None = None,
        interval: float | None = None,
        events: str | None = None,
        sentinel: str | tuple[str, ...] | None = None,
        outdated: bool | None = None,
    ) -> RecordStream[Record]:
        """Give the records in an event loop, one after the other; with `watch` also those that arrive later.

        Parameters
        ----------
        watch : bool, default False
            Go on for ever: give what is there, then what arrives. Without it, what is there now, in the order of ids.
        quiet : float, seconds, optional
            How long files must have been the same; by default as `[watch]` says, and 0 without `watch`. Where nobody
            says it: until the kernel says that nobody writes a file, and 30 s where it does not tell.
        interval : float, seconds, optional
            Pause between two looks where nothing tells of changes; this and what follows is by default as in `[watch]`.
            Where nobody says it, shorter when looks are short and the kernel is asked.
        events : {"auto", "on", "off"}, optional
            Let the system tell of changes, or poll; ``"auto"`` polls on drives of several machines.
        sentinel : str, optional
            Path pattern of a file that must be there besides.
        outdated : bool, optional
            Give a record again also when its files change after its steps were done.

        Returns
        -------
        RecordStream
            An async iterator of records, for asyncio and trio; ``aclose()``, or leaving it as ``async with``, ends it.

        Raises
        ------
        PatternError
            The sentinel has a field that nothing tells.
        MissingExtraError
            While it is read: ``events="on"`` without the package watchfiles.

        Notes
        -----
        The rules are those of `sinagot watch`. A record is given when all inputs of one of its steps that no step
        writes are there, and these files, and those of its other steps that have all of theirs, were the same at two
        looks that are `quiet` seconds apart. Where no `quiet` is said, by the call or by `[watch]`, 0.2 s are enough
        for files that no process has open for writing, and one that has is waited for, however long it pauses. The
        kernel tells it on Linux, to the owner of a file, on drives of this machine. Else, and for folders, patterns
        of several files, and empty files, it is 30 s.

        A record is given once, and again only when the files of a further step have come, when it had vanished and
        comes again, or when its files have changed while one of its steps is still to be done. What is excluded is
        left out.

        Nothing is written, and no thread lives while nobody waits for a record, but the one that hears of changes.
        ``rec.steps.run()`` holds the loop up as long as it takes: in an async function write
        ``await anyio.to_thread.run_sync(rec.steps.run)``.

        Examples
        --------
        >>> import anyio, sinagot
        >>> async def ids() -> list[str]:
        ...     ws = sinagot.Workspace("example/harbor")
        ...     return [rec.id async for rec in ws.records.stream()]
        >>> anyio.run(ids)
        ['REC-20200601', 'REC-20200602', 'REC-20200603']
        """
        from sinagot.workspace.watch.stream import RecordStream  # rarely asked for

        return RecordStream(
            self,
            self.get,
            own=self._own_files(),
            watch=watch,
            quiet=quiet,
            interval=interval,
            events=events,
            sentinel=sentinel,
            outdated=outdated,
        )

    def _own_files(self) -> list[tuple[Slot, ...]]:
        """Give the files besides inputs of steps that records are told by; for each those that belong together."""
        return [slots for collection in self._with_own_files() for slots in collection._own_files()]

    def _make(self, record_id: str) -> Record:
        made: Record = self._workspace.make_record(record_id, self.task, self.modality)
        return made

    def __iter__(self) -> Iterator[Record]:
        return self.all()

    def logs(self) -> DataFrame:
        """Give the logs of all records as one table, newest first."""
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

    is_record = True

    def __init__(
        self, workspace: House, record_id: str, task: str | None = None, modality: str | None = None
    ) -> None:
        super().__init__(workspace, task, modality)
        self.id = record_id

    def _narrowed(self, task: str | None, modality: str | None) -> Record:
        made: Record = self._workspace.make_record(self.id, task, modality)
        return made

    def record_ids(self) -> list[str]:
        """List the one id."""
        self._workspace.forget_problems()
        return [self.id]

    def _facts(self) -> list[str]:
        return [f"id: {self.id}", *super()._facts()]

    def as_stream_value(self) -> tuple[str, dict[str, Any]]:
        """Give what stands for the record in a stream of a flow: a kind and plain facts; it comes out as a record.

        Returns
        -------
        tuple of str and dict
            See `sinagot.workspace.references`.
        """
        from sinagot.workspace.references import facts_of  # rarely asked for

        return "record", facts_of(self)

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
        return logs_frame(self)

    def logs_json(self) -> list[dict[str, Any]]:
        """Give the lines of the record's log as they are, oldest first, cut to its task and modality."""
        lines, _ = read_lines(str(self._workspace.configuration.log_path), self.id)
        return [line for line in lines if self._is_mine(line)]

    def _is_mine(self, line: dict[str, Any]) -> bool:
        return (self.task is None or line.get("task") == self.task) and (
            self.modality is None or line.get("modality") == self.modality
        )

    def details(self) -> RecordDetails:
        """Give all that is known of the record: files, steps, durations, decisions, last errors with their code.

        Returns
        -------
        RecordDetails
            A named tuple of ``record_id, entities, has_data, steps, decisions, notes``; `as_json` for plain values.

        Examples
        --------
        >>> import sinagot
        >>> sinagot.Workspace("example/harbor")["REC-20200601"].details()
        <RecordDetails instance | REC-20200601: count ready, mean ready>
        """
        from sinagot.workspace.details import details_of  # rarely asked for

        try:
            has_data = self._workspace.make_collection(self.task, self.modality).has(self.id)
        except ScriptError:  # of the step that says where raw data are: that is told with the step
            has_data = True
        return details_of(self, self.id, has_data=has_data, entities=self.entities)

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
