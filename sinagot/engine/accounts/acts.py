"""What happened inside the attempts of a run: their acts, stages of pipelines or processors of flows, as plain values.

Knows event files and claims; must not know pipelines. Reads while writers append: what is torn, or of another version,
is passed over. One attempt at a time is in memory.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from functools import partial
from typing import Any, NamedTuple

from sinagot.engine.accounts.attempts import epoch_of, iso_of
from sinagot.engine.accounts.runs import facts_of
from sinagot.engine.accounts.values import values_of
from sinagot.engine.acts.act import ActState
from sinagot.engine.job import Outcome, parse_key
from sinagot.engine.state.claims import file_key
from sinagot.engine.state.history import ACT, event_files, iter_lines, read_manifest
from sinagot.engine.state.owners import held_claims

__all__ = [
    "ENDS",
    "ActEvent",
    "ActFacts",
    "AttemptActs",
    "acts_of",
    "attempt_of_line",
    "iter_acts",
    "live_attempts",
    "place_of_key",
    "read_act",
    "read_attempts",
    "thinned",
    "waiting",
    "worker_of",
]

_STATES = frozenset(ActState)
#: Beginnings of lines that tell of an attempt that is over, and of what of it.
ENDS = tuple(
    b'{"event": "%b"' % kind.encode()
    for kind in (Outcome.DONE, Outcome.FAILED, Outcome.INTERRUPTED, "superseded")
)
#: Most lines are of this form, and need not be parsed as JSON, which takes several times as long.
_USUAL = re.compile(
    r'\{"event": "act", "key": "([ -!#-\[\]-~]*)", "attempt": "([ -!#-\[\]-~]*)", "act": "([ -!#-\[\]-~]*)", '
    r'"state": "(RUNNING|DONE)", "time": "([0-9T:.+-]*)"(?:, "duration_s": ([0-9]+\.[0-9]+(?:e-[0-9]+)?))?\}\n?'
)
#: Kinds of runs without claims: their only attempt lives as long as they do.
_ALONE = ("pipeline", "template")
_NOTHING: dict[str, Any] = {}
_KIND_AT = len(b'{"event": "')
_ATTEMPT = b'"attempt": "'
_GOES_ON, _VALUES = b'", "state": "RUNNING"', b'"values_in": {'
#: Characters of a message or a reason that are kept.
_LONGEST = 2000


class ActFacts(NamedTuple):
    """One act of one attempt; None where it is not known."""

    #: Its name: that of a stage.
    act: str
    #: A value of `ActState`; of one that nobody finishes any more ``INTERRUPTED``.
    state: str
    #: UTC, ISO.
    begin: str | None
    end: str | None
    #: Seconds, with all repetitions.
    duration_s: float | None
    #: How often it was repeated.
    tries: int
    exc_type: str | None
    exc_message: str | None
    where: str | None
    #: Why it was skipped.
    reason: str | None
    #: Of one that is called once per element: numbers of some that failed.
    failed_elements: tuple[int, ...]
    #: Of a processor of a flow, as in `ValuesTold`: the newest that is known.
    values_in: dict[str, int] | None = None
    values_out: dict[str, int] | None = None
    #: Only of one that is running.
    lead: int | None = None
    waits_for: str = ""
    told: str | None = None

    @property
    def is_processor(self) -> bool:
        """It is one of a flow."""
        return self.values_in is not None


def waiting(act: str) -> ActFacts:
    """Give what is known of an act that has not begun."""
    return ActFacts(act, str(ActState.WAITING), None, None, None, 0, None, None, None, None, ())


class AttemptActs(NamedTuple):
    """The acts of one attempt, in the order in which they began."""

    key: str
    attempt: str
    record_id: str
    task: str | None
    modality: str | None
    step_label: str
    #: ``host-process``, as in names of event files.
    worker: str
    #: How the attempt ended; None of one that goes on or was cut off.
    outcome: str | None
    acts: tuple[ActFacts, ...]
    run_id: str = ""

    @property
    def step(self) -> str:
        """The step with its task and modality."""
        return place_of_key(self.key)

    def as_json(self) -> dict[str, Any]:
        """Give it as plain values."""
        return {**self._asdict(), "step": self.step, "acts": [act._asdict() for act in self.acts]}


class ActEvent(NamedTuple):
    """One line about an act."""

    key: str
    attempt: str
    act: str
    state: str
    time: str | None
    facts: dict[str, Any]


def place_of_key(key: str) -> str:
    """Name the step of a job with its task and modality; of a pipeline that runs by itself the key is its name.

    Examples
    --------
    >>> place_of_key("REC-1/RS/EEG/alpha"), place_of_key("REC-1/count"), place_of_key("nightly")
    ('RS-EEG-alpha', 'count', 'nightly')
    """
    place = parse_key(key)
    return key if place is None else "-".join(part for part in place[1:] if part)


def read_act(line: bytes) -> ActEvent | None:
    """Read a line about an act; None where it is torn, or none of ours."""
    usual = _USUAL.fullmatch(line.decode("ascii", "replace"))
    if usual is not None:
        key, attempt, name, state, time, duration = usual.groups()
        return ActEvent(
            key, attempt, name, state, time, {"duration_s": float(duration)} if duration else _NOTHING
        )
    try:
        event = json.loads(line)
        state, name = str(event["state"]), str(event["act"])
        key, attempt = str(event["key"]), str(event["attempt"])
    except (ValueError, LookupError, TypeError, RecursionError):
        return None
    if state not in _STATES:
        return None
    time = event.get("time")
    return ActEvent(key, attempt, name, state, time if isinstance(time, str) else None, event)


def thinned(lines: Iterable[tuple[int, bytes]]) -> Iterator[tuple[int, bytes]]:
    """Leave out lines about how far a processor is after which there is a newer one: they need not be parsed.

    Parameters
    ----------
    lines : iterable of (int, bytes)
        Of one file: the place of a line, and the line.

    Yields
    ------
    tuple of (int, bytes)
        What is left, in order.
    """
    newest: dict[bytes, tuple[int, bytes]] = {}
    for one in lines:
        line = one[1]
        # Job, attempt and act stand before the state.
        end = line.find(_GOES_ON) if _VALUES in line else -1
        if end >= 0 and line.startswith(ACT):
            newest[line[:end]] = one
            continue
        if newest:
            yield from newest.values()
            newest.clear()
        yield one
    yield from newest.values()


def attempt_of_line(line: bytes) -> str | None:
    """Find the name of the attempt in a line, which is not parsed for it.

    Examples
    --------
    >>> attempt_of_line(b'{"event": "done", "key": "REC-1/a", "attempt": "r-7-1", "time": "..."}')
    'r-7-1'
    """
    start = line.find(_ATTEMPT)
    end = line.find(b'"', start + len(_ATTEMPT)) if start >= 0 else -1
    # What would have to be escaped stands in no name of an attempt.
    return line[start + len(_ATTEMPT) : end].decode("utf-8", "replace") if end >= 0 else None


def _outcome_of_line(line: bytes) -> str:
    return line[_KIND_AT : line.find(b'"', _KIND_AT)].decode("ascii", "replace")


class _Open:
    """An attempt while its lines are read."""

    def __init__(self, event: ActEvent, worker: str) -> None:
        self.key, self.attempt, self.worker = event.key, event.attempt, worker
        self.outcome: str | None = None
        self._events: dict[str, list[ActEvent]] = {}

    def add(self, event: ActEvent) -> None:
        """Take in an event: of an act its beginning, its newest state and its first end count."""
        known = self._events.setdefault(event.act, [])
        if not known or known[-1].state in (ActState.RUNNING, ActState.WAITING):
            # A processor that goes on for days tells so every few seconds.
            known[1 if known else 0 :] = [event]

    @property
    def is_running(self) -> bool:
        """An act has begun, and nothing tells of its end."""
        return any(events[-1].state == ActState.RUNNING for events in self._events.values())

    def told(self, *, is_live: bool) -> AttemptActs:
        """Give what is known of it."""
        place = parse_key(self.key) or ("", None, None, self.key)
        acts = (_facts(events, is_live=is_live) for events in self._events.values())
        return AttemptActs(self.key, self.attempt, *place, self.worker, self.outcome, tuple(acts))


def _facts(events: list[ActEvent], *, is_live: bool) -> ActFacts:
    first, last = events[0], events[-1]
    facts = last.facts
    state = last.state
    if state == ActState.RUNNING and not is_live:
        state = ActState.INTERRUPTED
    is_over = last.state not in (ActState.RUNNING, ActState.WAITING)
    duration, end = _number(facts.get("duration_s")), last.time if is_over else None
    begin = first.time if not is_over or len(events) > 1 else None
    values = values_of(facts, last.time)
    if state != ActState.RUNNING:
        values = values._replace(lead=None, waits_for="")
    if begin is None and end is not None:
        begin = iso_of((epoch_of(end) or duration or 0.0) - (duration or 0.0))
    begin, end = (one if epoch_of(one) is not None else None for one in (begin, end))
    bad = facts.get("failed_elements")
    tries = facts.get("tries")
    return ActFacts(
        act=last.act,
        state=state,
        begin=begin,
        end=end,
        duration_s=duration,
        tries=tries if isinstance(tries, int) else 0,
        exc_type=_text(facts.get("exc_type")),
        exc_message=_text(facts.get("exc_message")),
        where=_text(facts.get("where")),
        reason=_text(facts.get("reason")),
        failed_elements=tuple(one for one in bad if isinstance(one, int)) if isinstance(bad, list) else (),
        **values._asdict(),
    )


def _text(value: object) -> str | None:
    return value[:_LONGEST] if isinstance(value, str) and value else None


def _counts(value: object) -> dict[str, int] | None:
    if not isinstance(value, dict):
        return None
    return {name: count for name, count in value.items() if isinstance(count, int)}


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def iter_acts(
    state: str,
    run_id: str,
    *,
    key: str | None = None,
    attempts: Collection[str] | None = None,
) -> Iterator[AttemptActs]:
    """Give the acts of each attempt of a run that has any, writer by writer.

    Parameters
    ----------
    state : str
        The state folder.
    run_id : str
        The run, whole.
    key : str, optional
        Only attempts of this job.
    attempts : collection of str, optional
        Only these attempts.

    Yields
    ------
    AttemptActs
        Those that are over in the order of their ends, then those of the same writer of which no end is known. An act
        without end of one that nobody is at any more counts as interrupted.
    """
    needle = None if key is None else f'"key": {json.dumps(key)}'.encode("ascii")
    wanted = None if attempts is None else frozenset(attempts)

    def is_asked(line: bytes) -> bool:
        return (needle is None or needle in line) and (wanted is None or _is_of(wanted, line))

    for path in event_files(f"{state}/runs/{run_id}"):
        lines = (line for _, line in iter_lines(path))
        yield from _told(state, run_id, worker_of(path), lines, is_asked)


def _told(
    state: str, run_id: str, worker: str, lines: Iterable[bytes], is_asked: Callable[[bytes], bool]
) -> Iterator[AttemptActs]:
    """Give the attempts that lines of one writer tell of; those without end when there is no more line."""
    open_: dict[str, _Open] = {}
    for _, line in thinned((0, line) for line in lines):
        if line.startswith(ACT):
            event = read_act(line) if is_asked(line) else None
            if event is not None:
                if event.attempt not in open_:
                    open_[event.attempt] = _Open(event, worker)
                open_[event.attempt].add(event)
        elif open_ and line.startswith(ENDS):
            ended = open_.pop(attempt_of_line(line) or "", None)
            if ended is not None:
                ended.outcome = _outcome_of_line(line)
                yield ended.told(is_live=False)._replace(run_id=run_id)
    unsure = [(one.key, one.attempt, worker) for one in open_.values() if one.is_running]
    live = live_attempts(state, run_id, unsure)
    yield from (one.told(is_live=one.attempt in live)._replace(run_id=run_id) for one in open_.values())


def _is_of(attempts: Collection[str], line: bytes) -> bool:
    return attempt_of_line(line) in attempts


def read_attempts(state: str, run_id: str, wanted: Mapping[str, tuple[str, int]]) -> dict[str, AttemptActs]:
    """Give the acts of some attempts of which it is known where they stand: no more than that is read.

    Parameters
    ----------
    state : str
        The state folder.
    run_id : str
        The run, whole.
    wanted : mapping of str to (str, int)
        Attempt -> its worker, and the place in the worker's file where its first line begins.
    """
    found: dict[str, AttemptActs] = {}
    for worker in dict.fromkeys(worker for worker, _ in wanted.values()):
        places = {name: place for name, (who, place) in wanted.items() if who == worker}
        try:
            file = open(f"{state}/runs/{run_id}/events-{worker}.jsonl", "rb")  # noqa: SIM115
        except OSError:  # cleaned meanwhile
            continue
        with file:
            file.seek(min(places.values()))
            for one in _told(state, run_id, worker, file, partial(_is_of, frozenset(places))):
                found[one.attempt] = one
                if one.outcome is not None and found.keys() >= places.keys():
                    break
    return found


def acts_of(state: str, run_id: str, key: str, attempt: str | None = None) -> AttemptActs | None:
    """Give the acts of one attempt of a job.

    Parameters
    ----------
    state : str
        The state folder.
    run_id : str
        The run, whole.
    key : str
        Key of the job.
    attempt : str, optional
        Which; the newest in the run when not given.

    Returns
    -------
    AttemptActs or None
        None when no act of it is known: it is none of a pipeline, or its run was cleaned.
    """
    found = iter_acts(state, run_id, key=key, attempts=None if attempt is None else (attempt,))
    return max(found, key=lambda one: max(act.begin or act.end or "" for act in one.acts), default=None)


def worker_of(path: str) -> str:
    """Give ``host-process`` of an event file."""
    return os.path.basename(path).removeprefix("events-").removesuffix(".jsonl")


def live_attempts(state: str, run_id: str, asked: Iterable[tuple[str, str, str]]) -> set[str]:
    """Say which attempts of a run a live process is at, by its claim on the job.

    Parameters
    ----------
    state : str
        The state folder.
    run_id : str
        The run, whole.
    asked : iterable of (str, str, str)
        Key, attempt and worker of those in question. Of several of one job at most one is alive, the last.

    Returns
    -------
    set of str
        Names of attempts.
    """
    last = {key: (attempt, worker) for key, attempt, worker in asked}
    if not last:
        return set()
    if read_manifest(state, run_id).get("kind") in _ALONE:
        is_running = facts_of(state, run_id).state == "running"
        return {attempt for attempt, _ in last.values()} if is_running else set()
    names = {file_key(key): key for key in last}
    found = set()
    for name, (owner, is_live) in held_claims(state, names).items():
        attempt, worker = last[names[name]]
        if owner is not None and is_live and owner.run_id == run_id and worker == f"{owner.host}-{owner.pid}":
            found.add(attempt)
    return found
