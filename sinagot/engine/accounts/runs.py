"""Which runs there were, and what became of each: their manifests, and their events where a run has no end.

Pure reading of the state folder, from any machine and while runs go on; must not know workspaces. A manifest that is
absent or torn, or a driver that died, is a fact like others. The commands `runs`, `ws.runs` and the dashboard ask here.
"""

from __future__ import annotations

import os
import re
import shlex
import time
from collections import Counter
from collections.abc import Iterable
from typing import Any, NamedTuple

from sinagot.config.hints import did_you_mean
from sinagot.engine.accounts.attempts import EventTally, epoch_of, iso_of
from sinagot.engine.job import Outcome
from sinagot.engine.state.claims import BEAT, BEATS_MISSED
from sinagot.engine.state.history import event_files, read_manifest, read_note
from sinagot.engine.state.owners import Owner, is_alive, start_time
from sinagot.errors import UnknownRunError

__all__ = ["RunFacts", "facts_of", "find_run", "list_runs", "merged_counts", "run_ids"]

#: Seconds of silence after which a run of another host counts as dead; clocks may differ by some of them.
SILENCE = 4 * BEAT * BEATS_MISSED
#: Seconds that a run may take between making its folder and writing its manifest.
_BEGINNING = 60.0
_RUN_ID = re.compile(r"(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)-[0-9a-f]+")
_TO_SECONDS = len("20260131T235959")
#: Outcomes that events tell of; the others only the driver knows.
_TOLD = (Outcome.DONE, Outcome.FAILED, Outcome.INTERRUPTED)


class RunFacts(NamedTuple):
    """What is known of one run, whether it goes on, has ended or died."""

    run_id: str
    #: ``"running"``; ``"ended"`` by itself; ``"stopped"`` by a signal; ``"died"``: no end, and its process is gone.
    state: str
    #: ``"run"``; ``"accept"``, of the command; ``"on demand"``, of values that a program asked for.
    kind: str
    #: UTC, ISO.
    start: str | None
    #: None when it goes on or died.
    end: str | None
    #: Up to now when it goes on, up to the last sign of life when it died.
    duration_s: float | None
    #: Number of jobs of each outcome; counted from events where the run has no end.
    counts: dict[str, int]
    #: Number of jobs and of records that it was asked for; None where nobody said.
    jobs: int | None
    records: int | None
    #: Nothing failed; None while it goes on.
    ok: bool | None
    #: Its command line, as text.
    command: str
    host: str | None
    pid: int | None
    user: str | None
    mode: str | None
    #: How many jobs ran at the same time.
    workers: int | None
    #: Version of sinagot.
    version: str | None
    #: Number of the signal that ended it.
    stopped_by: int | None
    #: Why it began no more jobs, when failures were the reason.
    stopped_because: str | None
    warnings: tuple[str, ...]
    #: Its folder.
    folder: str

    @property
    def failures(self) -> int:
        """Number of failed jobs."""
        return self.counts[Outcome.FAILED]

    @property
    def settled(self) -> int:
        """Number of jobs of which it is known what became of them."""
        return sum(self.counts.values())

    @property
    def open(self) -> int:
        """Number of jobs that were asked for and of which nothing is known (yet)."""
        return max((self.jobs or 0) - self.settled, 0)


def run_ids(state: str) -> list[str]:
    """List the ids of all runs, newest first."""
    try:
        names = os.listdir(f"{state}/runs")
    except OSError:
        return []
    known = [
        name for name in names if _RUN_ID.fullmatch(name) or os.path.exists(f"{state}/runs/{name}/run.json")
    ]
    seconds = Counter(name[:_TO_SECONDS] for name in known)

    def order(name: str) -> tuple[str, str, str]:
        second = name[:_TO_SECONDS]
        # The rest of an id is chance: of two runs of one second their manifests tell which was first.
        start = _text(read_manifest(state, name).get("start")) if seconds[second] > 1 else None
        return second, start or "", name

    return sorted(known, key=order, reverse=True)


def list_runs(state: str, limit: int | None = None) -> list[RunFacts]:
    """List what is known of runs, newest first.

    Parameters
    ----------
    state : str
        The state folder.
    limit : int, optional
        So many at most.

    Returns
    -------
    list of RunFacts
        Empty when there is no state folder. Of a run with an end only its manifest is read.
    """
    return [facts_of(state, run_id) for run_id in run_ids(state)[:limit]]


def find_run(state: str, text: str) -> RunFacts:
    """Find a run by its id.

    Parameters
    ----------
    state : str
        The state folder.
    text : str
        A whole id, its beginning or its end when only one run has it, or ``"last"``.

    Returns
    -------
    RunFacts
        What is known of it.

    Raises
    ------
    UnknownRunError
        There is none, or there are several.
    """
    ids = run_ids(state)
    if not ids:
        raise UnknownRunError(f"no run {text!r}: nothing has run here yet", run_id=text, allowed=())
    if text == "last":
        return facts_of(state, ids[0])
    if text in ids:
        return facts_of(state, text)
    found = [run_id for run_id in ids if text and (run_id.startswith(text) or run_id.endswith(text))]
    if len(found) == 1:
        return facts_of(state, found[0])
    if found:
        names = ", ".join(found[:5]) + (", ..." if len(found) > 5 else "")
        raise UnknownRunError(
            f"{text!r} may be any of {len(found)} runs: {names}; write more of the id",
            run_id=text,
            allowed=tuple(found),
        )
    hint = did_you_mean(text, [*ids, "last"]) or f"the newest is {ids[0]}"
    raise UnknownRunError(f"no run {text!r}; {hint} (sinagot runs)", run_id=text, allowed=tuple(ids))


def facts_of(state: str, run_id: str, tally: EventTally | None = None) -> RunFacts:
    """Say what is known of a run.

    Parameters
    ----------
    state : str
        The state folder.
    run_id : str
        The run, whole.
    tally : EventTally, optional
        What was read of its events before, by who asks again and again.
    """
    manifest = read_manifest(state, run_id)
    folder = f"{state}/runs/{run_id}"
    word = _state_of(state, run_id, manifest)
    start, end = _text(manifest.get("start")) or _start_from(run_id), _text(manifest.get("end"))
    if end is not None:
        counts, until = _whole_counts(manifest.get("counts")), epoch_of(end)
    else:
        tally = tally or EventTally(folder)
        tally.read()
        counts = merged_counts(manifest, read_note(state, run_id), tally)
        until = time.time() if word == "running" else _last_sign(state, run_id) or None
    began = epoch_of(start)
    versions = manifest.get("versions")
    return RunFacts(
        run_id=run_id,
        state=word,
        kind=_text(manifest.get("kind")) or "run",
        start=start,
        end=end,
        duration_s=None if began is None or until is None else max(until - began, 0.0),
        counts=counts,
        jobs=_count(manifest.get("jobs")),
        records=_count(manifest.get("records")),
        ok=None if word == "running" else bool(manifest.get("ok")) if end is not None else False,
        command=command_text(manifest.get("argv")),
        host=_text(manifest.get("host")),
        pid=_count(manifest.get("pid")),
        user=_text(manifest.get("user")),
        mode=_text(manifest.get("mode")),
        workers=_count(manifest.get("workers")),
        version=_text(versions.get("sinagot")) if isinstance(versions, dict) else None,
        stopped_by=_count(manifest.get("stopped_by")),
        stopped_because=_text(manifest.get("stopped_because")),
        warnings=_texts(manifest.get("warnings")),
        folder=folder,
    )


def merged_counts(manifest: dict[str, Any], note: dict[str, Any], tally: EventTally) -> dict[str, int]:
    """Count the jobs of a run without end: what events tell, and what else its driver has noted.

    Parameters
    ----------
    manifest, note : dict
        Of the run, see `read_manifest` and `read_note`.
    tally : EventTally
        Of its events.
    """
    counts = _whole_counts(note.get("counts") or manifest.get("booked"))
    return counts | {outcome: tally.counts[outcome] for outcome in _TOLD}


def command_text(argv: object) -> str:
    """Write a command line as a person would have typed it; programs without their folders.

    Examples
    --------
    >>> command_text(["/usr/bin/sinagot", "run", "--step", "my step"])
    "sinagot run --step 'my step'"
    >>> command_text(["/lib/sinagot/__main__.py", "run"]), command_text(None)
    ('python -m sinagot run', '')
    """
    words = _texts(argv)
    if not words:
        return ""
    program, name = words[0], os.path.basename(words[0])
    if name == "__main__.py":
        name = f"python -m {os.path.basename(os.path.dirname(program))}"
    return " ".join([name, *(shlex.quote(word) for word in words[1:])]).strip()


def _state_of(state: str, run_id: str, manifest: dict[str, Any]) -> str:
    if manifest.get("end"):
        return "ended" if manifest.get("stopped_by") is None else "stopped"
    owner = _owner_of(manifest)
    if owner is None:
        is_young = time.time() - (epoch_of(_start_from(run_id)) or 0.0) < _BEGINNING
        is_live = is_young or time.time() - _last_beat(state, run_id) < SILENCE
    elif owner.is_of_this_boot and owner.pid == os.getpid():
        is_live = owner.start == start_time(owner.pid)  # a program that asks for its own runs
    else:
        alive = is_alive(owner, f"{state}/runs")
        is_live = time.time() - _last_sign(state, run_id) < SILENCE if alive is None else alive
    if is_live and read_manifest(state, run_id).get("end"):  # just now
        return _state_of(state, run_id, read_manifest(state, run_id))
    return "running" if is_live else "died"


def _owner_of(manifest: dict[str, Any]) -> Owner | None:
    facts = manifest.get("owner")
    if not isinstance(facts, dict) or set(facts) != set(Owner._fields) or not isinstance(facts["pid"], int):
        return None
    return Owner._make(facts["pid"] if name == "pid" else str(facts[name]) for name in Owner._fields)


def _last_beat(state: str, run_id: str) -> float:
    """Give the newest heartbeat of the processes of a run."""
    try:
        names = [name for name in os.listdir(f"{state}/owners") if name.startswith(f"{run_id}-")]
    except OSError:
        names = []
    return _newest(f"{state}/owners/{name}" for name in names)


def _last_sign(state: str, run_id: str) -> float:
    """Give when a run last wrote anything."""
    folder = f"{state}/runs/{run_id}"
    signs = _newest([f"{folder}/run.json", f"{folder}/progress.json", *event_files(folder)])
    return max(signs, _last_beat(state, run_id))


def _newest(paths: Iterable[str]) -> float:
    newest = 0.0
    for path in paths:
        try:
            newest = max(newest, os.stat(path).st_mtime)
        except OSError:  # gone
            continue
    return newest


def _start_from(run_id: str) -> str | None:
    """Read off an id when its run began."""
    found = _RUN_ID.fullmatch(run_id)
    if found is None:
        return None
    year, month, day, hour, minute, second = found.groups()
    seconds = epoch_of(f"{year}-{month}-{day}T{hour}:{minute}:{second}+00:00")
    return None if seconds is None else iso_of(seconds)


def _whole_counts(found: object) -> dict[str, int]:
    """Give the counts of a manifest or a note with every outcome, whatever stands there."""
    counts = dict.fromkeys(Outcome.ALL, 0)
    if isinstance(found, dict):
        counts |= {str(name): count for name, count in found.items() if isinstance(count, int) and count >= 0}
    return counts


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _texts(value: object) -> tuple[str, ...]:
    return tuple(map(str, value)) if isinstance(value, list | tuple) else ()


def _count(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None
