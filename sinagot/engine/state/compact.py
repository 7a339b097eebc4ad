"""Makes old runs small: of their events only those stay that tell what the results of today came from.

Knows runs, events, claims, owners; must not know jobs. A file is replaced by one that holds fewer of its lines, or
removed when it holds none that is needed: after a crash at any point each needed line is still in its place.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

from sinagot.engine.state.history import event_files, iter_lines, read_manifest, replace_text
from sinagot.engine.state.kept import kept_names, names_in
from sinagot.engine.state.origins import MADE, Prints, same_prints
from sinagot.engine.state.owners import held_claims, live_owners
from sinagot.engine.state.sweep import run_of, traces
from sinagot.runlog.lines import now_utc

__all__ = ["OldRun", "compact", "find_old", "folder_size"]

#: What stays of the folder of a run whose results are still there.
_KEPT = ("run.json",)
_BEGINNINGS = tuple(b'{"event": "%b"' % kind.encode() for kind in MADE)
_NEEDED = ("key", "time", "inputs", "outputs", "code", "params", "paths")
#: Key of a job -> what is there of its outputs now; None where that is not known.
PresentOf = Callable[[str], Prints | None]


class OldRun(NamedTuple):
    """A run that can be made smaller."""

    run_id: str
    #: Bytes now, and those that it can do without.
    size: int
    spare: int
    #: File of events -> places where the lines end that have to stay.
    needed: dict[str, set[int]]


class _Made(NamedTuple):
    """One event that tells what a result came from, by its place."""

    path: str
    end: int
    time: str
    outputs: Prints


def folder_size(path: str) -> int:
    """Add up the bytes of the files in a folder, or of a file; links count for themselves."""
    total = 0
    with contextlib.suppress(OSError):
        total = os.lstat(path).st_size if not os.path.isdir(path) or os.path.islink(path) else 0
    for folder, _, names in os.walk(path):
        for name in names:
            with contextlib.suppress(OSError):
                total += os.lstat(f"{folder}/{name}").st_size
    return total


def find_old(state: str, keep: int, before: float | None, present_of: PresentOf) -> list[OldRun]:
    """Find runs that nobody works on, and what can be spared of each.

    Parameters
    ----------
    state : str
        The state folder.
    keep : int
        So many of the newest runs stay as they are; at least one does.
    before : float, seconds, optional
        Only runs that were last written before this moment, since 1970.
    present_of : callable
        Says what is there of the outputs of a job of which several attempts are known: an older result that was put
        back keeps its origin.

    Returns
    -------
    list of OldRun
        Those that would become smaller, oldest first.
    """
    runs = sorted(name for name in names_in(f"{state}/runs") if os.path.isdir(f"{state}/runs/{name}"))
    newest = sorted(runs, key=lambda run_id: (_began(state, run_id), run_id))[-max(1, keep) :]
    guarded = _guarded(state, runs) | set(newest)
    old = [run_id for run_id in runs if run_id not in guarded]
    if before is not None:
        old = [run_id for run_id in old if _written(f"{state}/runs/{run_id}") < before]
    if not old:
        return []
    needed = _needed(state, runs, present_of)
    found = []
    for run_id in old:
        folder = f"{state}/runs/{run_id}"
        files = {path: needed.get(path, set()) for path in event_files(folder)}
        size = folder_size(folder)
        stays = sum(_length(path, ends) for path, ends in files.items())
        if any(files.values()):
            stays += sum(folder_size(f"{folder}/{name}") for name in _KEPT)
        if stays < size:
            found.append(OldRun(run_id, size, size - stays, files))
    return found


def compact(state: str, run: OldRun) -> None:
    """Take away what can be spared of a run.

    Raises
    ------
    OSError
        The folder can't be written.
    """
    folder = f"{state}/runs/{run.run_id}"
    last = _written(folder)
    if not any(run.needed.values()):
        shutil.rmtree(folder)
        return
    for path, ends in run.needed.items():
        lines = [line for end, line in iter_lines(path) if end in ends]
        if lines:
            _replace_bytes(path, b"".join(lines))
        else:
            os.unlink(path)
    manifest = read_manifest(state, run.run_id)
    if manifest and "compacted" not in manifest:
        text = json.dumps(manifest | {"compacted": now_utc()}, default=str, indent=1)
        replace_text(f"{folder}/run.json", text)
    names = {os.path.basename(path) for path in run.needed} | set(_KEPT)
    for name in names_in(folder):
        if name not in names:
            path = f"{folder}/{name}"
            shutil.rmtree(path) if os.path.isdir(path) and not os.path.islink(path) else os.unlink(path)
    # A run that died has no end but its last sign, and cleaning is none. What is written above is on the drive.
    for name in names_in(folder):
        os.utime(f"{folder}/{name}", (last, last))


def _replace_bytes(path: str, data: bytes) -> None:
    """Replace a file so that a power cut leaves the old or the new one."""
    draft = f"{path}.{os.getpid()}~"
    try:
        with open(draft, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(draft, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(draft)
        raise


def _guarded(state: str, runs: Iterable[str]) -> set[str]:
    """Give the runs that are going on, and those whose events the next run may have to read."""
    owners = {owner for owner, _ in held_claims(state).values() if owner is not None}
    guarded = {run_id for run_id, _, _ in traces(state, owners)}
    guarded |= {owner.run_id for owner in live_owners(state)}
    guarded |= {run_of(name) for name in kept_names(state) or ()}
    # After a power cut all is examined that was written since the run began which it has cut.
    begins = [name for name in names_in(f"{state}/open") if not name.startswith(".")]
    if begins:
        since = min(_changed(f"{state}/open/{name}") for name in begins)
        guarded |= {
            one for one in runs if one >= min(begins) or _written(f"{state}/runs/{one}") >= since - 60
        }
    return guarded


def _began(state: str, run_id: str) -> str:
    """Say when a run began, to the microsecond where its manifest tells; its name tells the second."""
    start = str(read_manifest(state, run_id).get("start") or "")
    return start or f"{run_id[:4]}-{run_id[4:6]}-{run_id[6:11]}:{run_id[11:13]}:{run_id[13:15]}"


def _written(folder: str) -> float:
    """Say when a run was last written."""
    return max((_changed(f"{folder}/{name}") for name in names_in(folder)), default=_changed(folder))


def _changed(path: str) -> float:
    try:
        return os.stat(path).st_mtime
    except OSError:
        return time.time()  # it may be made just now


def _needed(state: str, runs: Iterable[str], present_of: PresentOf) -> dict[str, set[int]]:
    """Say of each file of events which lines have to stay: see `sinagot.engine.state.origins.Origins`."""
    newest: dict[str, _Made] = {}
    others: dict[str, list[_Made]] = {}
    for run_id in runs:
        for path in event_files(f"{state}/runs/{run_id}"):
            for key, made in _iter_made(path):
                former = newest.get(key)
                if former is not None:
                    others.setdefault(key, []).append(made if former.time > made.time else former)
                if former is None or former.time <= made.time:
                    newest[key] = made
    needed: dict[str, set[int]] = {}
    for made in newest.values():
        needed.setdefault(made.path, set()).add(made.end)
    for key, attempts in others.items():
        present = present_of(key)
        if present is not None and not same_prints(newest[key].outputs, present):
            for made in attempts:
                if same_prints(made.outputs, present):
                    needed.setdefault(made.path, set()).add(made.end)
    return needed


def _iter_made(path: str) -> Iterator[tuple[str, _Made]]:
    for end, line in iter_lines(path):
        if not line.startswith(_BEGINNINGS):
            continue
        try:
            event: dict[str, Any] = json.loads(line)
            values = [event[name] for name in _NEEDED]
        except (ValueError, LookupError, TypeError, RecursionError):
            continue  # torn, or of another version: no origin
        yield str(values[0]), _Made(path, end, str(values[1]), values[3])


def _length(path: str, ends: set[int]) -> int:
    return sum(len(line) for end, line in iter_lines(path) if end in ends) if ends else 0
