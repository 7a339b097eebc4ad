"""The status of all jobs as the server holds it: one byte a job, made anew when files say that something changed.

Knows when to look and who wants to know; must not know HTTP, or what a status is. One thread looks, at most once a
second and never twice at once; pages read the view that is finished, and never wait for the disk.
"""

from __future__ import annotations

import os
import threading
import time
from bisect import bisect_left
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

from sinagot.engine.planning.census import Census
from sinagot.engine.planning.status import StepStatus
from sinagot.errors import SinagotError
from sinagot.workspace.looks import census_of, group_survey_of

if TYPE_CHECKING:
    from sinagot.engine.planning.graph import StepNode
    from sinagot.workspace.workspace import Workspace

__all__ = ["Snapshot", "View"]

#: Seconds between two looks while somebody watches; longer where a look takes long.
PAUSE = 1.0
#: A look may take this share of one CPU.
_SHARE = 0.5
#: Seconds after which all is looked at anew, whatever the time stamps of folders say.
_ANEW = 30.0
#: Seconds without a question after which nobody is watching.
_IDLE = 30.0


#: Seconds. Time stamps of some drives are that coarse.
_FRESH = 2.0

#: Runs whose beginning and end are news.
_NEWEST = 5

_Stamps = list[tuple[str, int, int]]


class View:
    """What was there at one moment.

    Parameters
    ----------
    version : int
        Counts views that differ.
    ids : sequence of str
        The records, sorted.
    nodes : sequence of StepNode
        The steps, in configuration order.
    columns : sequence of bytearray
        Status codes, a column a step.
    groups : sequence of (StepNode, int)
        Steps that run once for all records.
    problems : sequence of str
        What could not be read.
    runs : sequence of (str, int)
        The newest runs, and when their manifests were written.
    """

    def __init__(
        self,
        version: int,
        ids: Sequence[str],
        nodes: Sequence[StepNode],
        columns: Sequence[bytearray],
        groups: Sequence[tuple[StepNode, int]] = (),
        problems: Sequence[str] = (),
        runs: Sequence[tuple[str, int]] = (),
    ) -> None:
        self.version = version
        self.ids = ids
        self.nodes = tuple(nodes)
        self.columns = tuple(columns)
        self.groups = tuple(groups)
        self.problems = tuple(problems)
        self.runs = tuple(runs)
        #: Seconds since 1970.
        self.time = time.time()

    def is_same(self, other: View) -> bool:
        """Say whether another view shows the same."""
        return (
            self.columns == other.columns
            and self.nodes == other.nodes
            and self.groups == other.groups
            and self.problems == other.problems
            and self.runs == other.runs
            and self.ids == other.ids
        )

    @cached_property
    def counts(self) -> list[dict[str, int]]:
        """Status name -> number of records, step by step."""
        return [
            {status.name: found for status in StepStatus if (found := column.count(status))}
            for column in self.columns
        ]

    @cached_property
    def totals(self) -> dict[str, int]:
        """Status name -> number of jobs, those for all records too."""
        found: dict[str, int] = {}
        for counts in self.counts:
            for name, count in counts.items():
                found[name] = found.get(name, 0) + count
        for _, code in self.groups:
            found[StepStatus(code).name] = found.get(StepStatus(code).name, 0) + 1
        return found

    def find(self, record_id: str) -> int | None:
        """Give the number of a record; None when there is none of this id."""
        place = bisect_left(self.ids, record_id)
        return place if place < len(self.ids) and self.ids[place] == record_id else None


class Snapshot:
    """Watches a workspace.

    Parameters
    ----------
    workspace : Workspace
        What is watched.
    """

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._view: View | None = None
        self._census: Census | None = None
        self._signature: _Stamps | None = None
        self._anew = time.monotonic()
        self._took = 0.0
        self._looks = 0
        self._asked = time.monotonic()
        self._guard = threading.Lock()
        self._ready = threading.Event()
        self._wake = threading.Event()
        self._over = threading.Event()
        self._thread: threading.Thread | None = None
        self._listeners: list[Callable[[int], None]] = []
        #: Why the last look failed; None after one that did not.
        self.error: str | None = None

    # -- for readers

    def view(self) -> View:
        """Give the newest view; the first question waits for it."""
        self._asked = time.monotonic()
        self._wake.set()
        if self._view is None:
            if self._thread is None:
                self.look()
            else:
                self._ready.wait()
        assert self._view is not None
        return self._view

    def view_within(self, seconds: float) -> View | None:
        """Give the newest view; None when the first look takes longer: a page need not wait for it.

        Parameters
        ----------
        seconds : float, seconds
            How long to wait for the first look.
        """
        if self._view is None and self._thread is not None:
            self._wake.set()
            self._ready.wait(seconds)
            if self._view is None:
                return None
        return self.view()

    @property
    def version(self) -> int:
        """Version of the newest view; 0 while there is none."""
        return self._view.version if self._view is not None else 0

    def listen(self, listener: Callable[[int], None]) -> Callable[[], None]:
        """Have a listener told of each new view, in the watching thread; call what is returned to end it."""
        with self._guard:
            self._listeners.append(listener)
        self._wake.set()

        def end() -> None:
            with self._guard:
                self._listeners.remove(listener)

        return end

    # -- looking

    def look(self) -> bool:
        """Look now, if anything can have changed; say whether the view is another one."""
        begun = time.monotonic()
        try:
            view = self._make()
            self.error = None
        except (SinagotError, OSError) as error:
            # A workspace that is being edited: what was there is shown, with what is wrong now.
            text = f"{error}"
            changed = text != self.error
            self.error = text
            former = self._view
            version = (former.version if former else 0) + changed
            view = View(version, former.ids, former.nodes, former.columns, former.groups) if former else None
            view = view or View(version, (), (), ())
            self._view = view
            return changed
        finally:
            self._took = time.monotonic() - begun
            self._looks += 1
        if view is None:
            return False
        former = self._view
        if former is not None and view.is_same(former):
            former.time = view.time
            return False
        self._view = view
        return True

    def _make(self) -> View | None:
        """Give what is there now; None when no time stamp has changed."""
        workspace = self._workspace
        graph = workspace.blueprint.graph()
        runs = _newest_runs(str(workspace.configuration.state_path))
        is_due = time.monotonic() - self._anew > _ANEW
        census = self._census
        if (
            census is not None
            and census.graph is graph
            and census.is_told_by_folders
            and self._view is not None
            and self._view.runs == runs
            and not census.claims  # whether their owners live stands in no folder
            and not is_due
            and self._signature == _stamps(census)
        ):
            self._view.time = time.time()
            return None
        if is_due:
            self._anew, census = time.monotonic(), None
        ids = workspace.records.record_ids()
        problems = list(workspace.problems)
        if census is not None and list(census.ids) == ids:
            ids = list(census.ids)  # one list in memory, not two
        census = census_of(workspace, ids, census)
        signature = _stamps(census)
        scope = workspace.records
        nodes = workspace.nodes_of(scope, None)
        columns = [census.column(node) for node in nodes]
        groups = workspace.groups_of(scope, None)
        look = group_survey_of(scope) if groups else None
        codes = [
            StepStatus.ERROR if node.error is not None or look is None else look.group_status(node)
            for node in groups
        ]
        self._census = census
        # What changed a moment ago may have changed while it was read: it is looked at again.
        newest = max((stamp for _, stamp, _ in signature), default=0)
        self._signature = signature if time.time() - newest / 1e9 > _FRESH else None
        version = self._view.version + 1 if self._view is not None else 1
        return View(
            version,
            ids,
            nodes,
            columns,
            [(node, int(code)) for node, code in zip(groups, codes, strict=True)],
            list(dict.fromkeys([*problems, *census.problems])),
            runs,
        )

    # -- the thread

    def start(self) -> None:
        """Begin to watch."""
        self._thread = threading.Thread(target=self._watch, name="sinagot-snapshot", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End watching."""
        self._over.set()
        self._wake.set()
        if self._thread is not None:
            self._thread.join(timeout=1.0)

    def _watch(self) -> None:
        while not self._over.is_set():
            changed = self.look()
            self._ready.set()
            if changed:
                self._tell()
            is_first = self._looks == 1
            self._over.wait(PAUSE if is_first else max(PAUSE, self._took / _SHARE - self._took))
            while not self._over.is_set() and not self._is_watched():
                self._wake.wait()  # nobody looks: the disk is left alone
                self._wake.clear()

    def _is_watched(self) -> bool:
        return bool(self._listeners) or time.monotonic() - self._asked < _IDLE

    def _tell(self) -> None:
        assert self._view is not None
        with self._guard:
            listeners = list(self._listeners)
        for listener in listeners:
            listener(self._view.version)


def _stamps(census: Census) -> _Stamps:
    stamps = []
    for path in sorted(census.folders()):
        try:
            facts = os.stat(path)
        except OSError:
            stamps.append((path, 0, 0))
        else:
            stamps.append((path, facts.st_mtime_ns, facts.st_size))
    return stamps


def _newest_runs(state: str) -> tuple[tuple[str, int], ...]:
    try:
        names = sorted(os.listdir(f"{state}/runs"))[-_NEWEST:]
    except OSError:
        return ()
    found = []
    for name in names:
        try:
            found.append((name, os.stat(f"{state}/runs/{name}/run.json").st_mtime_ns))
        except OSError:
            found.append((name, 0))
    return tuple(found)
