"""How far a run is that goes on in another process: settled, at what rate, how long still, what runs now.

Knows the files of the run and live claims; must not know the driver, which may be on another machine. Who asks again
and again keeps a `RunWatch`: it reads only what was added.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import unquote

from sinagot.engine.accounts.attempts import EventTally, epoch_of
from sinagot.engine.accounts.runs import RunFacts, facts_of
from sinagot.engine.job import parse_key
from sinagot.engine.state.owners import held_claims
from sinagot.runlog.read import newest_status

__all__ = ["RunProgress", "RunWatch", "RunningJob"]

#: Seconds over which the rate is taken.
_WINDOW = 60.0


class RunningJob(NamedTuple):
    """A job that somebody is at now."""

    key: str
    record_id: str
    task: str | None
    modality: str | None
    step_label: str
    #: When its attempt began (UTC, ISO); None where no log tells.
    since: str | None
    #: ``host-process``, as in names of event files.
    worker: str


class RunProgress(NamedTuple):
    """How far a run is."""

    run_id: str
    #: As in `RunFacts`.
    state: str
    #: Jobs of which it is known what became of them, of so many that were asked for.
    settled: int
    total: int
    counts: Mapping[str, int]
    #: Attempts that ended in a second, over the last minute.
    rate: float
    #: Seconds it will take still at this rate; None when nothing ended lately.
    eta_s: float | None
    elapsed_s: float | None
    running: tuple[RunningJob, ...]


class RunWatch:
    """Looks at one run again and again.

    Parameters
    ----------
    state : str
        The state folder.
    run_id : str
        The run, whole.
    logs : str, optional
        The log folder, which tells since when a job runs.
    """

    def __init__(self, state: str, run_id: str, logs: str | None = None) -> None:
        self._state = state
        self._run_id = run_id
        self._logs = logs
        self._tally = EventTally(f"{state}/runs/{run_id}")

    def facts(self) -> RunFacts:
        """Say what is known of the run now."""
        return facts_of(self._state, self._run_id, self._tally)

    def progress(self) -> RunProgress:
        """Say how far the run is now."""
        facts = self.facts()
        total = max(facts.jobs or 0, facts.settled)
        began = epoch_of(facts.start)
        rate = 0.0
        if facts.state == "running" and began is not None:
            now = time.time()
            window = min(_WINDOW, max(now - began, 1.0))
            rate = self._tally.ended_since(now - window) / window
        left = total - facts.settled
        return RunProgress(
            run_id=self._run_id,
            state=facts.state,
            settled=facts.settled,
            total=total,
            counts=facts.counts,
            rate=rate,
            eta_s=left / rate if rate > 0 else 0.0 if not left else None,
            elapsed_s=facts.duration_s,
            running=self._running() if facts.state == "running" else (),
        )

    def _running(self) -> tuple[RunningJob, ...]:
        """List the jobs that live processes of the run hold, the longest first."""
        found = []
        for name, (owner, is_live) in held_claims(self._state).items():
            if owner is None or not is_live or owner.run_id != self._run_id:
                continue
            key = unquote(name, errors="surrogateescape")
            place = parse_key(key) or (key, None, None, "")
            found.append(RunningJob(key, *place, self._since(*place), f"{owner.host}-{owner.pid}"))
        return tuple(sorted(found, key=lambda job: (job.since or "~", job.key)))

    def _since(self, record_id: str, task: str | None, modality: str | None, label: str) -> str | None:
        if self._logs is None:
            return None
        try:
            newest = newest_status(self._logs, record_id, task, modality, label)
        except (OSError, ValueError):
            return None
        line = newest[1] if newest is not None else {}
        return str(line.get("time")) if line.get("run_id") == self._run_id else None
