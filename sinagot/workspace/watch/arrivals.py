"""What has arrived and is complete: steps of records whose inputs are all there and have been quiet for a while.

Knows surveys and plans, and what was tried; must not run anything. What is complete `intake` says; `watching` asks for
looks again and again, and runs what they give. Nothing that it keeps is needed: a new one finds what is left to do.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from sinagot.config.settings import WatchSettings
from sinagot.engine.accounts.ledger import Ledger
from sinagot.engine.job import Outcome
from sinagot.engine.planning.graph import StepNode
from sinagot.engine.planning.plan import Verdict
from sinagot.engine.planning.survey import Survey
from sinagot.engine.state.claims import file_key
from sinagot.engine.state.history import Marks
from sinagot.scripts.codes import StepStatus
from sinagot.workspace.contracts import Selection
from sinagot.workspace.looks import survey_of
from sinagot.workspace.watch.intake import Intake, Prints, Quiet

__all__ = ["Arrivals", "Look"]


class Look(NamedTuple):
    """What one look has found."""

    #: Steps that may run now, by record: their inputs are whole.
    ready: dict[str, frozenset[int]]
    #: Records of which some files are all there, and may still grow.
    waiting: tuple[str, ...]
    #: Seconds until the first of these may be whole; None when none is waiting.
    due: float | None
    #: How many records there are.
    known: int


class Arrivals:
    """What was seen of new files, from look to look.

    Parameters
    ----------
    retry : bool
        Steps that had failed before the first look run once more, though their inputs are as they were.
    clock : callable
        Seconds that never go back.
    """

    def __init__(self, *, retry: bool = False, clock: Callable[[], float] = time.monotonic) -> None:
        self._retry = retry
        #: Marks of failures that are tried once more.
        self._again: set[str] = set()
        self._quiet = Quiet(clock)
        #: Job -> its inputs when it was tried here: as long as they are the same, it is not tried again.
        self._tried: dict[str, Prints] = {}
        self._about: dict[str, Prints] = {}

    def look(self, scope: Selection, settings: WatchSettings, *, outdated: bool, is_shared: bool) -> Look:
        """Look at the disk once.

        Parameters
        ----------
        scope : Selection
            The records and steps that are meant.
        settings : WatchSettings
            How long files must be quiet, and what else must be there.
        outdated : bool
            Results are made again when what they came from has changed.
        is_shared : bool
            The drive is one of several machines: what is known of a file may be old.

        Returns
        -------
        Look
            What may run now, and what may later.

        Notes
        -----
        What is up to date costs the listings of its folders. Files are looked at one by one only where a step could
        run; with `outdated`, all of them.
        """
        survey = survey_of(scope.workspace, scope.record_ids(), "outdated" if outdated else "missing")
        if self._retry:
            self._again, self._retry = set(survey.failed), False
        intake = Intake(self._quiet, survey, scope, settings, is_shared=is_shared)
        this = _OneLook(self, survey, intake, str(scope.workspace.configuration.state_path))
        ready = {}
        for place in this.candidates(outdated=outdated):
            nodes = this.ready_of(place)
            if nodes:
                ready[survey.ids[place]] = nodes
        intake.keep()
        self._tried, self._about = this.tried, this.about
        scope.workspace.note_problems(survey.problems)
        return Look(ready, tuple(this.waiting), intake.due, len(survey.ids))

    def note(self, ledger: Ledger) -> None:
        """Take note of what became of jobs that were ready: what was tried is not tried again with the same inputs."""
        for record_id, node, outcome, _ in ledger.rows():
            key = node.key(record_id)
            if outcome not in (Outcome.INTERRUPTED, Outcome.NOT_BEGUN, "pending") and key in self._about:
                self._tried[key] = self._about[key]
                self._again.discard(file_key(key))


class _OneLook:
    """One look: each path is looked at once."""

    def __init__(self, last: Arrivals, survey: Survey, intake: Intake, state: str) -> None:
        self._last, self._survey, self._intake = last, survey, intake
        self._graph = survey.graph
        self._marks = Marks(state, "failures")
        self.tried: dict[str, Prints] = {}
        self.about: dict[str, Prints] = {}
        self.waiting: dict[str, None] = {}

    # -- which records may have something to do

    def candidates(self, *, outdated: bool) -> Sequence[int]:
        """Give the records of which a step may run: by listings alone, but for what is outdated."""
        survey = self._survey
        found = self._intake.able()
        if outdated:
            kept = [node for node in self._intake.nodes if node.is_kept]
            rest = [place for place in range(len(survey.ids)) if place not in found]
            asked = [survey.ids[place] for place in rest]
            found |= {rest[place] for place in survey.changes.find_outdated(asked, kept)}
            survey.changes.origins.save()
        return sorted(found)

    # -- which steps of a record

    def ready_of(self, place: int) -> frozenset[int]:
        """Give the steps of a record that may run now."""
        survey, nodes = self._survey, self._graph.nodes
        plans = survey.plan(place, ignore_missing=False, selected=self._intake.selected)
        running = {job.node for planned in plans for job in planned if job.verdict == Verdict.RUN}
        kept: set[int] = set()
        for number in sorted(running):
            node = nodes[number]
            if running.intersection(node.upstream) <= kept and self._may_run(place, node, kept):
                kept.add(number)
        # What nobody needs, since what it would be made for does not run, is not made.
        for number in sorted(kept, reverse=True):
            if not nodes[number].is_kept and kept.isdisjoint(self._graph.takers[number]):
                kept.discard(number)
        return frozenset(kept)

    def _may_run(self, place: int, node: StepNode, kept: set[int]) -> bool:
        survey = self._survey
        record_id = survey.ids[place]
        claims = [survey.marks_of(record_id, self._graph.nodes[one])[0] for one in node.upstream]
        claim, mark = survey.marks_of(record_id, node)
        if claim == "live" or "live" in claims:
            return False  # another run is at it
        slots = self._intake.external[node.index]
        if survey.missing(slots, record_id):
            return False
        key = node.key(record_id)
        prints = self._intake.prints(node.inputs, record_id)
        # Where a step before it runs now, its inputs will be others.
        is_new = not kept.isdisjoint(node.upstream)
        if not is_new and self._last._tried.get(key) == prints:
            self.tried[key] = prints
            return False
        if mark is not None and not is_new and not self._may_retry(mark, prints):
            return False
        sentinel = self._intake.sentinels.get(node.index)
        if sentinel is not None and not survey.exists(sentinel, record_id):
            return False
        if not self._intake.are_quiet(slots, record_id):
            self.waiting[record_id] = None
            return False
        self.about[key] = prints
        return True

    def _may_retry(self, mark: str, prints: Prints) -> bool:
        """Say whether a job that failed is worth another attempt: its inputs are others, or it was cut off."""
        if mark in self._last._again:
            return True
        facts = self._marks.read(mark) or {}
        if facts.get("status") == StepStatus.INTERRUPTED:
            return True
        if (facts.get("retry_at") or 0) > time.time():
            return False  # a run is going to try it again
        known = facts.get("inputs")
        if not isinstance(known, Mapping):  # of an older version
            return any(_time_of(one) > float(facts.get("at") or math.inf) for one in prints.values())
        return {path: _version(one) for path, one in prints.items()} != {
            path: _version(one) for path, one in known.items() if path in prints or one is not None
        }


def _version(text: object) -> str | None:
    """Give size and time of a print, without what the content says."""
    return None if text is None else " ".join(str(text).split(" ")[:2])


def _time_of(text: str | None) -> float:
    parts = (text or "").split(" ")
    return int(parts[1]) / 1e9 if len(parts) > 1 else -math.inf
