"""What happened, as plain files with one writer each: runs, their events, and the marks of failed attempts.

Knows the state folder; must not know scripts or plans. Written by whoever executes jobs, read by status, reports and
the next run.

    <state>/runs/<run_id>/run.json              manifest: start, options, end, counts
    <state>/runs/<run_id>/events-<writer>.jsonl one line an attempt, appended whole, never rotated
    <state>/failures/<key>                      the last attempt of this job failed or was interrupted
    <state>/extras/<key>                        undeclared files that this job published before
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from typing import Any

from sinagot.engine.claims import file_key
from sinagot.runlog.lines import now_utc

__all__ = ["EventFile", "Marks", "RunFolder", "append_line", "iter_events", "replace_text"]

#: Longest line that a reader takes; more is garbage.
_LONGEST_LINE = 1 << 20
_encode = json.JSONEncoder(default=str).encode  # made once: a third of what a small line costs


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
        os.makedirs(folder, exist_ok=True)
        self.path = f"{folder}/events-{writer}.jsonl"
        self._descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o666)
        size = os.fstat(self._descriptor).st_size
        if size and os.pread(self._descriptor, 1, size - 1) != b"\n":
            os.write(self._descriptor, b"\n")

    def append(self, data: dict[str, Any]) -> None:
        """Append one event."""
        append_line(self._descriptor, data)

    def close(self) -> None:
        """Close the file."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


def iter_events(run_folder: str) -> Iterator[dict[str, Any]]:
    """Give the events of a run, writer by writer; torn and broken lines are passed over."""
    try:
        names = sorted(os.listdir(run_folder))
    except OSError:
        return
    for name in names:
        if not (name.startswith("events-") and name.endswith(".jsonl")):
            continue
        with open(f"{run_folder}/{name}", "rb") as file:
            while line := file.readline(_LONGEST_LINE):
                try:
                    event = json.loads(line)
                except (ValueError, RecursionError):
                    continue
                if isinstance(event, dict):
                    yield event


class RunFolder:
    """The folder of one run: its manifest and events."""

    def __init__(self, state: str, run_id: str) -> None:
        self.path = f"{state}/runs/{run_id}"
        self._manifest: dict[str, Any] = {}

    def begin(self, **facts: Any) -> None:
        """Write the manifest of a run that starts."""
        os.makedirs(self.path, exist_ok=True)
        self._manifest = {"start": now_utc(), "end": None, **facts}
        replace_text(f"{self.path}/run.json", json.dumps(self._manifest, default=str, indent=1))

    def end(self, **facts: Any) -> None:
        """Write the manifest of a run that is over; claims in its name are dead from now on."""
        self._manifest |= {"end": now_utc(), **facts}
        if os.path.isdir(self.path):
            replace_text(f"{self.path}/run.json", json.dumps(self._manifest, default=str, indent=1))


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

    def has(self, key: str) -> bool:
        """Say whether there is a mark of a job."""
        return os.path.exists(f"{self.folder}/{file_key(key)}")

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
