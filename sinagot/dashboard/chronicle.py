"""What happened and what goes on: runs, their attempts as a picture of bounded size, failures that stand.

Knows which accounts to ask, and keeps answers while nothing has changed; must not know how they are shown.
"""

from __future__ import annotations

import os
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from sinagot.dashboard.snapshot import View
from sinagot.dashboard.timelines import StagesDrawn, Timeline, draw
from sinagot.engine.accounts.acts import iter_acts
from sinagot.engine.accounts.attempts import iter_attempts
from sinagot.engine.accounts.differences import Comparison
from sinagot.engine.accounts.ledger import Ledger
from sinagot.engine.accounts.runs import RunFacts, facts_of, list_runs, run_ids
from sinagot.engine.accounts.standing import StandingFailure, current_failures
from sinagot.engine.accounts.underway import RunProgress, RunWatch
from sinagot.engine.job import Outcome
from sinagot.pipeline.album import has_portraits
from sinagot.scripts.codes import StepStatus

if TYPE_CHECKING:
    from sinagot.workspace.workspace import Workspace

__all__ = ["Chronicle"]

_T = TypeVar("_T")

#: Runs that are listed; those of them that may be going on.
MOST_RUNS = 200
_MOST_OPEN = 20
#: Seconds that an answer holds.
_FRESH = 1.0
_GROWING = 3.0
#: Of the time that may be spent with drawing a run that goes on.
_SHARE = 0.1
_KEPT = 8


class Chronicle:
    """Asks the accounts of a workspace.

    Parameters
    ----------
    workspace : Workspace
        Whose accounts.
    """

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self.state = str(workspace.configuration.state_path)
        self._logs = str(workspace.configuration.log_path)
        self._watches: dict[str, RunWatch] = {}
        self._kept: dict[str, tuple[Any, float, Any]] = {}
        self._timelines: OrderedDict[str, Timeline] = OrderedDict()
        self._guard = threading.Lock()
        #: Seconds that the last picture took.
        self._drawing = 0.0
        #: Each answer is made by one thread at a time.
        self._locks: dict[str, threading.Lock] = {}

    def _fresh(self, name: str, mark: Any, make: Callable[[], _T], seconds: float = _FRESH) -> _T:
        """Give an answer that was made a moment ago, or for the same mark; one thread makes it."""
        with self._guard:
            lock = self._locks.setdefault(name, threading.Lock())
        with lock:
            known = self._kept.get(name)
            if known is not None and known[0] == mark and time.monotonic() - known[1] < seconds:
                found: _T = known[2]
                return found
            made = make()
            with self._guard:
                self._kept[name] = (mark, time.monotonic(), made)
                for old in list(self._kept)[:-_KEPT]:
                    del self._kept[old]
                    self._locks.pop(old, None)
            return made

    # -- runs

    def runs(self) -> list[RunFacts]:
        """List the newest runs, newest first."""
        return self._fresh("runs", None, lambda: list_runs(self.state, MOST_RUNS))

    def runs_after(self, last: str | None, number: int) -> tuple[list[RunFacts], bool]:
        """List runs behind one that was told, newest first, and say whether there are more.

        Parameters
        ----------
        last : str or None
            Id of the run that was told last; None for the beginning.
        number : int
            So many at most.
        """
        if last is None:
            found = self.runs()
            return found[:number], len(found) > number or (len(found) == MOST_RUNS == number)
        ids = run_ids(self.state)
        # A run that is gone since had its place by its id, which begins with its time.
        begin = ids.index(last) + 1 if last in ids else sum(run_id >= last for run_id in ids)
        part = ids[begin : begin + number]
        return [facts_of(self.state, run_id) for run_id in part], begin + number < len(ids)

    def run(self, run_id: str) -> RunFacts | None:
        """Look a run up by its whole id."""
        if run_id in {".", ".."} or "/" in run_id or not os.path.isdir(f"{self.state}/runs/{run_id}"):
            return None
        return facts_of(self.state, run_id)

    def underway(self) -> list[RunProgress]:
        """Say how far the runs are that go on now."""
        return self._fresh("underway", None, self._progress)

    def _progress(self) -> list[RunProgress]:
        going = [one.run_id for one in list_runs(self.state, _MOST_OPEN) if one.state == "running"]
        self._watches = {
            run_id: self._watches.get(run_id) or RunWatch(self.state, run_id, self._logs) for run_id in going
        }
        found = [watch.progress() for watch in self._watches.values()]
        return [one for one in found if one.state == "running"]

    def timeline(self, facts: RunFacts) -> Timeline:
        """Draw the attempts of a run; of one that has ended the picture is kept."""
        with self._guard:
            known = self._timelines.get(facts.run_id)
        if known is not None:
            return known
        if facts.state == "running":  # read anew every few seconds: it grows
            return self._fresh(
                f"timeline {facts.run_id}",
                None,
                lambda: self._draw(facts.run_id),
                max(_GROWING, self._drawing / _SHARE),
            )
        made = self._draw(facts.run_id)
        if facts.end is not None:
            with self._guard:
                self._timelines[facts.run_id] = made
                while len(self._timelines) > _KEPT:
                    self._timelines.popitem(last=False)
        return made

    def _draw(self, run_id: str) -> Timeline:
        begun = time.monotonic()
        acts = iter_acts(self.state, run_id) if has_portraits(self.state, run_id) else ()
        made = draw(iter_attempts(self.state, run_id), StagesDrawn(acts))
        self._drawing = time.monotonic() - begun
        return made

    # -- failures

    def failures(self) -> list[StandingFailure]:
        """List the failures that stand now, the largest group first."""
        stamps = [_changed(f"{self.state}/{name}") for name in ("failures", "decisions.jsonl")]
        if not stamps[0]:
            return []
        return self._fresh("failures", tuple(stamps), lambda: current_failures(self.state))

    def differences(self, view: View, failure: StandingFailure) -> tuple[str, ...]:
        """Say what differs between the records of a failure and those of which the step is done."""
        place = next((number for number, node in enumerate(view.nodes) if node.place == failure.step), None)
        if (
            place is None
            or self._workspace.blueprint.graph().nodes[view.nodes[place].index] is not view.nodes[place]
        ):
            return ()
        node = view.nodes[place]
        ledger = Ledger(self._workspace.blueprint.graph(), view.ids, frozenset({node.index}))
        column, record = view.columns[place], -1
        while (record := column.find(StepStatus.DONE, record + 1)) >= 0:
            ledger.mark(record, node.index, Outcome.DONE)
        folder = f"{self.state}/runs/{failure.run_id}" if failure.run_id else ""
        return Comparison(ledger, self._workspace.blueprint.ids, folder).differences(
            node.place, failure.records
        )


def _changed(path: str) -> int:
    """Give when a file or folder was changed; 0 where there is none."""
    try:
        return os.stat(path).st_mtime_ns
    except OSError:
        return 0
