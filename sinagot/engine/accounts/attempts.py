"""The attempts of a run, read from its events: each of them for tables and time lines, all of them as counts.

Knows event files; must not know manifests or who is alive. Reads while writers append: what is torn is passed over, a
last line without end waits for the next look.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from sinagot.engine.job import Outcome
from sinagot.engine.state.history import event_files, iter_lines

__all__ = ["ATTEMPT_FIELDS", "EventTally", "epoch_of", "iso_of", "iter_attempts"]

#: What `iter_attempts` gives, in the order of tables.
ATTEMPT_FIELDS = (
    "record_id",
    "task",
    "modality",
    "step_label",
    "outcome",
    "start",
    "end",
    "start_s",
    "end_s",
    "duration_s",
    "cpu_s",
    "peak_memory_mb",
    "worker",
    "attempt",
    "try",
    "exc_type",
    "exc_message",
    "where",
    "stage",
    "retry_in_s",
)
_ENDS = (Outcome.DONE, Outcome.FAILED, Outcome.INTERRUPTED)
_BEGINNINGS = tuple((outcome, b'{"event": "%b"' % outcome.encode()) for outcome in _ENDS)
_STARTS = tuple(beginning for _, beginning in _BEGINNINGS)
_TIME = re.compile(rb'"time": "([0-9T:.+-]{19,40})"')
#: Seconds that are remembered by their counts.
_MOST_SECONDS = 512
#: A line of an attempt that is tried again in the same run: not the end of its job. In a message quotes are escaped.
_RETRIED = b'"retry_in_s": '


def epoch_of(text: object) -> float | None:
    """Give the seconds since 1970 of a time as events and manifests have it; None for anything else.

    Examples
    --------
    >>> epoch_of("1970-01-01T00:01:00.500000+00:00"), epoch_of("soon"), epoch_of(None)
    (60.5, None, None)
    """
    if not isinstance(text, str):
        return None
    try:
        found = datetime.fromisoformat(text)
        return (found if found.tzinfo is not None else found.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None


def iso_of(seconds: float) -> str:
    """Give a time as events have it.

    Examples
    --------
    >>> iso_of(60.5)
    '1970-01-01T00:01:00.500000+00:00'
    """
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="microseconds")


def iter_attempts(state: str, run_id: str) -> Iterator[dict[str, Any]]:
    """Give every attempt of a run that is over, writer by writer, each in the order in which they ended.

    Parameters
    ----------
    state : str
        The state folder.
    run_id : str
        The run, whole.

    Yields
    ------
    dict
        ``record_id, task, modality, step_label, outcome`` (done, failed, interrupted); ``start`` and ``end`` (UTC, ISO)
        and ``start_s``, ``end_s`` (seconds since 1970); ``duration_s, cpu_s, peak_memory_mb``; ``worker``
        (host-process); ``attempt``, ``try`` (from 1); ``exc_type, exc_message, where``, and ``stage`` of a
        pipeline; ``retry_in_s`` where it was to be tried again in this run. None where it is not known.
    """
    for path in event_files(f"{state}/runs/{run_id}"):
        worker = os.path.basename(path).removeprefix("events-").removesuffix(".jsonl")
        for _, line in iter_lines(path):
            # More than half of the lines are of other events: they are not parsed.
            event = _parsed(line) if line.startswith(_STARTS) else None
            if event is not None:
                yield _attempt(event, worker)


def _parsed(line: bytes) -> dict[str, Any] | None:
    try:
        event = json.loads(line)
    except (ValueError, RecursionError):  # torn
        return None
    return event if isinstance(event, dict) else None


def _attempt(event: dict[str, Any], worker: str) -> dict[str, Any]:
    end = epoch_of(event.get("time"))
    duration = _number(event.get("duration_s"))
    start = None if end is None or duration is None else end - duration
    return {
        "record_id": str(event.get("record_id")),
        "task": event.get("task"),
        "modality": event.get("modality"),
        "step_label": str(event.get("step_label")),
        "outcome": event["event"],
        "start": None if start is None else iso_of(start),
        "end": None if end is None else event["time"],
        "start_s": start,
        "end_s": end,
        "duration_s": duration,
        "cpu_s": _number(event.get("cpu_s")),
        "peak_memory_mb": _number(event.get("peak_memory_mb")),
        "worker": worker,
        "attempt": event.get("attempt"),
        "try": event.get("try") or 1,
        "exc_type": event.get("exc_type"),
        "exc_message": event.get("exc_message"),
        "where": event.get("where") or None,
        "stage": event.get("stage") or event.get("act") or None,
        "retry_in_s": _number(event.get("retry_in_s")),
    }


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


class EventTally:
    """How many jobs of a run have ended how, and when lately; each `read` takes in what came since the last.

    Parameters
    ----------
    folder : str
        The run's folder.
    """

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._places: dict[str, int] = {}
        self.counts = dict.fromkeys(_ENDS, 0)
        #: How many ended in each second, ``2026-01-31T23:59:59``, of those that were not forgotten.
        self.seconds: dict[str, int] = {}

    def read(self) -> None:
        """Take in what was written since the last time; lines are looked at, not parsed."""
        for path in event_files(self._folder):
            try:
                with open(path, "rb") as file:
                    self._places[path] = self._take(file, self._places.get(path, 0))
            except OSError:  # removed meanwhile
                continue

    def _take(self, file: Any, place: int) -> int:
        file.seek(place)
        for line in file:
            if not line.endswith(b"\n"):
                break  # it is being written
            place += len(line)
            for outcome, beginning in _BEGINNINGS:
                if line.startswith(beginning):
                    if line.endswith(b"}\n") and _RETRIED not in line:
                        self._count(outcome, line)
                    break
        return place

    def _count(self, outcome: str, line: bytes) -> None:
        self.counts[outcome] += 1
        found = _TIME.search(line)
        if found is not None:
            second = found[1][:19].decode("ascii")
            self.seconds[second] = self.seconds.get(second, 0) + 1
            if len(self.seconds) > _MOST_SECONDS:
                for old in sorted(self.seconds)[: _MOST_SECONDS // 2]:
                    del self.seconds[old]

    def ended_since(self, seconds: float) -> int:
        """Count those that ended since a moment, as far back as is remembered (some minutes)."""
        begin = iso_of(seconds)[:19]
        return sum(count for second, count in self.seconds.items() if second >= begin)
