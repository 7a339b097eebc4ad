"""What a run is asked to do, and what it asks back: plain values and callables.

Knows graphs, options and executors by name; must not know workspaces, which make the requests.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, NamedTuple

from sinagot.dataset.records import RecordIds
from sinagot.engine.executors.contract import Executor
from sinagot.engine.job import RunOptions
from sinagot.engine.planning.changes import ParamsOf, no_params
from sinagot.engine.planning.graph import RecordGraph
from sinagot.engine.planning.groups import IdsOf
from sinagot.engine.state.bench import close_benches
from sinagot.engine.state.history import RunFolder
from sinagot.engine.stop import StopRequest
from sinagot.engine.whole import Part, Whole
from sinagot.scripts.sources import SourceSet

__all__ = ["Prepared", "Progress", "RunRequest", "new_run_id"]


class Progress(NamedTuple):
    """What a progress display needs."""

    counts: Mapping[str, int]
    total: int
    last_failure: str | None
    #: Nothing follows: the run came to its end, whichever.
    is_over: bool = False


class Prepared(NamedTuple):
    """What is made ready when a run has something to do."""

    #: Step code as this run will use it, by node.
    sources: Mapping[int, SourceSet]
    manifest: Mapping[str, Any]
    #: Says of each file of code or configuration that is another now.
    edited: Callable[[], Sequence[str]] = tuple


class RunRequest(NamedTuple):
    """One request to execute a plan."""

    graph: RecordGraph
    ids: Sequence[str]
    rule: RecordIds
    #: Nodes that were asked for.
    selected: frozenset[int]
    options: RunOptions
    #: Called with what says whether a stop was asked for.
    lend_executor: Callable[[Callable[[], bool]], AbstractContextManager[Executor]]
    #: Called once, before the first job, with the run's folder: copies the code and gives the facts of the manifest.
    prepare: Callable[[str], Prepared]
    stop_grace: float = 10.0
    here: bool = True
    dry_run: bool = False
    #: When steps run again, whatever is said of them.
    rerun: str | None = None
    params_of: ParamsOf = no_params
    progress: Callable[[Progress], None] | None = None
    #: Lists all records, whichever were asked for; called after a power cut only.
    all_ids: Callable[[], Sequence[str]] = tuple
    #: Folders that could not be read when the records were listed.
    unread: tuple[str, ...] = ()
    #: Group steps that were asked for, and what lists the records of each.
    groups: frozenset[int] = frozenset()
    group_ids: IdsOf = lambda node: ()
    #: Nodes whose values are made although nothing stores them.
    wanted: frozenset[int] = frozenset()
    #: Nodes that are on the way only: where their results are gone, they are made again for those that run.
    spare: frozenset[int] = frozenset()
    #: Nodes that run whatever is there.
    forced: frozenset[int] = frozenset()
    #: Of each record the nodes that were asked for, where these differ; of the others nothing is told or logged.
    only: Mapping[str, frozenset[int]] | None = None
    #: Called when the first job is about to run, with what takes the wish that the run should stop.
    begun: Callable[[StopRequest], None] | None = None
    #: The run that it joins; it is one of its own without.
    whole: Whole | None = None

    def folder(self) -> RunFolder | Part:
        """Give where the run is written down."""
        if self.whole is not None:
            return Part(self.whole)
        return RunFolder(self.options.state_path, self.options.run_id)

    def hearing(self, stop: StopRequest) -> AbstractContextManager[None]:
        """Let it hear what the run hears that it joins."""
        return nullcontext() if self.whole is None else self.whole.leading(stop)

    def close(self) -> None:
        """End the part of this process in the run."""
        if self.whole is None:
            close_benches(self.options.run_id)

    def asked_of(self, record: int) -> frozenset[int]:
        """Give the nodes of a record, by its number, that were asked for."""
        return self.selected if self.only is None else self.selected & self.only[self.ids[record]]


def new_run_id() -> str:
    """Give a run id that sorts by time.

    Examples
    --------
    >>> len(new_run_id()) == len("20260131T235959-0a1b2c")
    True
    """
    return f"{time.strftime('%Y%m%dT%H%M%S', time.gmtime())}-{os.urandom(3).hex()}"
