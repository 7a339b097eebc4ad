"""What happened, as plain files with one writer each: runs, their events, and the marks of failed attempts.

Knows the state folder; must not know scripts or plans. Written by whoever executes jobs, read by status, reports and
the next run.

    <state>/runs/<run_id>/run.json              manifest: start, options, end, counts
    <state>/runs/<run_id>/progress.json         what the driver has booked up to now; gone at the end
    <state>/runs/<run_id>/events-<writer>.jsonl whole lines, never rotated: one an attempt that is over, those for
                                                whoever heals what a death has left, and those of acts: stages
    <state>/failures/<key>                      the last attempt of this job failed or was interrupted
    <state>/extras/<key>                        undeclared files that this job published before
    <state>/partial/<key>                       records that the result of this job for all records was made without
"""

from __future__ import annotations

import errno
import json
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from typing import Any

from sinagot.engine.state.claims import file_key
from sinagot.engine.state.owners import Owner
from sinagot.runlog.encoding import encoder_for
from sinagot.runlog.lines import now_utc

__all__ = [
    "ACT",
    "EventFile",
    "Marks",
    "RunFolder",
    "Writer",
    "append_line",
    "event_files",
    "event_path",
    "iter_all_events",
    "iter_events",
    "iter_events_after",
    "iter_lines",
    "last_event",
    "read_manifest",
    "read_note",
    "replace_text",
    "reserve_run",
    "taken_from",
]

#: Longest line that a reader takes; more is garbage. A group step names all its inputs: some 60 bytes a record.
_LONGEST_LINE = 1 << 26
#: Seconds between two notes of how far a run is.
NOTE_EVERY = 1.0
#: Run, host and process.
Writer = tuple[str, str, int]

#: Beginnings of lines that tell of no attempt that decides about its job.
_INNER = tuple(
    b'{"event": "%b"' % kind
    for kind in (b"commit", b"takes", b"dropped", b"checkpoint", b"superseded", b"act")
)
#: Of lines that tell what goes on inside an attempt: most of the lines of a run of pipelines.
ACT = b'{"event": "act"'
_encode = encoder_for(str)


def replace_text(path: str, text: str) -> None:
    """Write a small file so that readers see the old or the new text, never a part."""
    temporary = f"{path}.{os.getpid()}-{os.urandom(3).hex()}~"
    try:
        with open(temporary, "w", encoding="utf-8") as file:
            file.write(text)
        os.replace(temporary, path)
    except BaseException:
        try:
            os.unlink(temporary)
        except OSError:
            pass
        raise


def append_line(descriptor: int, data: dict[str, Any]) -> None:
    """Append one JSON line in a single write."""
    line = _encode(data).encode("ascii") + b"\n"
    written = os.write(descriptor, line)
    if written != len(line):
        raise OSError(28, "no space left to write an event line")


class EventFile:
    """The events of one writer in one run; begins on a new line when the last one is torn."""

    def __init__(self, folder: str, writer: str) -> None:
        self.path = f"{folder}/events-{writer}.jsonl"
        self._open()

    def _open(self) -> None:
        self._is_closed = False
        os.makedirs(os.path.dirname(self.path), exist_ok=True)
        self._descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o666)
        state = os.fstat(self._descriptor)
        self._identity = state.st_dev, state.st_ino
        self._is_torn = bool(state.st_size) and os.pread(self._descriptor, 1, state.st_size - 1) != b"\n"

    def _is_open(self) -> bool:
        """Say whether the descriptor is ours still: a script may have closed all, and opened a file of its own."""
        try:
            state = os.fstat(self._descriptor)
        except OSError:
            return False
        return (state.st_dev, state.st_ino) == self._identity

    def _ensure_open(self) -> None:
        if not self._is_open():
            if self._is_closed:
                raise OSError(errno.EBADF, "the run has ended here", self.path)
            self._open()

    def append(self, data: dict[str, Any], *, sync: bool = False) -> None:
        """Append one event; with `sync` it is on the disk when this returns."""
        self._ensure_open()
        try:
            if self._is_torn:
                os.write(self._descriptor, b"\n")
            append_line(self._descriptor, data)
        except OSError:
            self._is_torn = True  # maybe: an empty line does no harm
            raise
        self._is_torn = False
        if sync:
            # macOS has no fdatasync.
            getattr(os, "fdatasync", os.fsync)(self._descriptor)

    def size(self) -> int:
        """Give the bytes written up to now."""
        self._ensure_open()
        return os.fstat(self._descriptor).st_size

    def reopen(self) -> None:
        """Begin anew where somebody has removed the file."""
        if not os.path.exists(self.path):
            self.close()
            self._open()

    def close(self) -> None:
        """Close the file."""
        if self._is_open():
            os.close(self._descriptor)
        self._descriptor = -1
        self._is_closed = True


def iter_events(run_folder: str) -> Iterator[dict[str, Any]]:
    """Give the events of a run that tell of attempts that are over, writer by writer; broken lines are passed over."""
    for path in event_files(run_folder):
        for _, line in iter_lines(path):
            if not line.startswith(_INNER):
                event = _parse(line)
                if event is not None:
                    yield event


def iter_events_after(path: str, start: int) -> Iterator[tuple[int, dict[str, Any]]]:
    """Give the events of one writer behind a place, each with the place where its line ends; a torn last line waits."""
    try:
        file = open(path, "rb")  # noqa: SIM115
    except FileNotFoundError:
        return
    with file:
        file.seek(start)
        while (line := file.readline(_LONGEST_LINE)).endswith(b"\n"):
            start += len(line)
            event = None if line.startswith(_INNER) else _parse(line)
            yield start, event or {}


def iter_all_events(path: str) -> Iterator[tuple[int, dict[str, Any]]]:
    """Give every event of one writer but for acts, each with the place where its line ends."""
    for end, line in iter_lines(path):
        event = _parse(line) if not line.startswith(ACT) else None
        if event is not None:
            yield end, event


def last_event(path: str, key: str) -> dict[str, Any] | None:
    """Give the last event of one writer about one job; what went on inside an attempt is none."""
    needle = f'"key": {_encode(key)}'.encode("ascii")
    found = None
    for _, line in iter_lines(path):
        if needle in line and not line.startswith(ACT):
            event = _parse(line)
            if event is not None and event.get("key") == key:
                found = event
    return found


def taken_from(path: str) -> list[Writer]:
    """List the dead writers whose jobs this one took over."""
    found = []
    for _, line in iter_lines(path):
        if line.startswith(_INNER[1]):
            former = (_parse(line) or {}).get("from")
            if isinstance(former, list) and len(former) >= 3:
                found.append((str(former[0]), str(former[1]), int(former[2])))
    return found


def event_path(state: str, run_id: str, host: str, pid: int) -> str:
    """Give the path of the events of one writer in one run."""
    return f"{state}/runs/{run_id}/events-{host}-{pid}.jsonl"


def event_files(run_folder: str) -> list[str]:
    """List the event files of a run."""
    try:
        names = sorted(os.listdir(run_folder))
    except OSError:
        return []
    return [
        f"{run_folder}/{name}" for name in names if name.startswith("events-") and name.endswith(".jsonl")
    ]


def iter_lines(path: str) -> Iterator[tuple[int, bytes]]:
    """Give the lines of a file, each with the place where it ends; an over-long one comes in pieces."""
    try:
        file = open(path, "rb")  # noqa: SIM115
    except FileNotFoundError:
        return
    with file:
        end = 0
        while line := file.readline(_LONGEST_LINE):
            end += len(line)
            yield end, line


def _parse(line: bytes) -> dict[str, Any] | None:
    try:
        event = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return event if isinstance(event, dict) else None


def read_manifest(state: str, run_id: str) -> dict[str, Any]:
    """Read the manifest of a run; empty when it is absent or broken."""
    return _read_facts(f"{state}/runs/{run_id}/run.json")


def read_note(state: str, run_id: str) -> dict[str, Any]:
    """Read how far the driver of a run said it was: ``at`` and ``counts``; empty when it has not said it yet."""
    return _read_facts(f"{state}/runs/{run_id}/progress.json")


def _read_facts(path: str) -> dict[str, Any]:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            found = json.load(file)
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def reserve_run(state: str, run_id: str) -> bool:
    """Make the folder of a run that somebody has named before it begins; of all who try, one ever gets True.

    Raises
    ------
    OSError
        It can't be made.
    """
    os.makedirs(f"{state}/runs", exist_ok=True)
    try:
        os.mkdir(f"{state}/runs/{run_id}")
    except FileExistsError:
        return False
    return True


class RunFolder:
    """The folder of one run: its manifest and events."""

    def __init__(self, state: str, run_id: str) -> None:
        self.path = f"{state}/runs/{run_id}"
        self._manifest: dict[str, Any] = {}
        self._noted = time.monotonic()

    @property
    def manifest(self) -> dict[str, Any]:
        """What was written down; changes are written with the next."""
        return self._manifest

    def begin(self, **facts: Any) -> None:
        """Write the manifest of a run that starts."""
        os.makedirs(self.path, exist_ok=True)
        owner = Owner.here(os.path.basename(self.path))._asdict()
        self._manifest = {"start": now_utc(), "end": None, "owner": owner, **facts}
        replace_text(f"{self.path}/run.json", json.dumps(self._manifest, default=str, indent=1))

    def extend(self, **facts: Any) -> None:
        """Add to the manifest of a run that goes on; a mapping that is there already gets what it lacks."""
        for name, value in facts.items():
            former = self._manifest.get(name)
            if former is None:
                self._manifest[name] = value
            elif isinstance(former, dict) and isinstance(value, dict):
                self._manifest[name] = {**value, **former}
        replace_text(f"{self.path}/run.json", json.dumps(self._manifest, default=str, indent=1))

    def note(self, counts: Callable[[], Mapping[str, int]]) -> None:
        """Tell others how far the run is, now and then: not all that the driver books has an event."""
        now = time.monotonic()
        if self._manifest.get("end", "") is None and now - self._noted >= NOTE_EVERY:
            self._noted = now
            with suppress(OSError):  # nobody's result depends on it
                text = json.dumps({"at": time.time(), "counts": counts()})
                replace_text(f"{self.path}/progress.json", text)

    def end(self, **facts: Any) -> None:
        """Write the manifest of a run that is over; claims in its name are dead from now on."""
        self._manifest |= {"end": now_utc(), **facts}
        if os.path.isdir(self.path):
            replace_text(f"{self.path}/run.json", json.dumps(self._manifest, default=str, indent=1))
            with suppress(OSError):
                os.unlink(f"{self.path}/progress.json")


class Marks:
    """One small file per job key in one folder: failures and extras.

    Examples
    --------
    >>> import tempfile
    >>> marks = Marks(tempfile.mkdtemp(), "failures")
    >>> marks.set("REC-1/count", {"status": 40})
    >>> sorted(marks.names()), marks.get("REC-1/count")
    (['REC-1%2Fcount'], {'status': 40})
    >>> marks.clear("REC-1/count")
    >>> marks.get("REC-1/count") is None
    True
    """

    def __init__(self, state: str, kind: str) -> None:
        self.folder = f"{state}/{kind}"

    def names(self) -> set[str]:
        """Give the file names of all marks (see `file_key`)."""
        try:
            return {name for name in os.listdir(self.folder) if not name.endswith("~")}
        except OSError:
            return set()

    def among(self, names: Iterable[str]) -> set[str]:
        """Give those of some file names that are marks; the folder is not listed."""
        return {name for name in names if os.access(f"{self.folder}/{name}", os.F_OK)}

    def has(self, key: str) -> bool:
        """Say whether there is a mark of a job."""
        # Mostly there is none: this costs no exception.
        return os.access(f"{self.folder}/{file_key(key)}", os.F_OK)

    def get(self, key: str) -> dict[str, Any] | None:
        """Read a mark; a broken one is still a mark, without facts."""
        return self.read(file_key(key))

    def read(self, name: str) -> dict[str, Any] | None:
        """Read a mark by its file name."""
        try:
            with open(f"{self.folder}/{name}", encoding="utf-8", errors="replace") as file:
                facts = json.loads(file.read())
        except FileNotFoundError:
            return None
        except (OSError, ValueError):
            return {}
        return facts if isinstance(facts, dict) else {}

    def set(self, key: str, facts: dict[str, Any]) -> None:
        """Set or replace the mark of a job."""
        os.makedirs(self.folder, exist_ok=True)
        replace_text(f"{self.folder}/{file_key(key)}", json.dumps(facts, default=str))

    def clear(self, key: str) -> None:
        """Remove the mark of a job."""
        try:
            os.unlink(f"{self.folder}/{file_key(key)}")
        except FileNotFoundError:
            pass
