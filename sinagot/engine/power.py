"""What a power cut may have taken: runs that were cut off when their machine stopped, and outputs to doubt since then.

Knows the folder of open runs, commits and checkpoints; must not plan. A run asks once, before it plans; without a power
cut that costs one listing of a folder that is nearly always empty.

    <state>/open/<run_id>   a run without a clean end; the process and the boot that it belongs to
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from sinagot.engine.state.owners import Owner, is_alive
from sinagot.scripts.group import GROUP_ID

if TYPE_CHECKING:
    from sinagot.engine.planning.survey import Survey

__all__ = ["Damage", "close_run", "cut_runs", "examine", "forget", "mark", "open_run", "settle_dead"]

#: Seconds by which clocks and time stamps of files may differ.
_SLACK = 2.0
#: Seconds after which a run that has not begun never will.
_LONG_AGO = 3600.0


class Damage(NamedTuple):
    """Outputs that are not what was committed."""

    #: Key of each job -> one path of it.
    paths: dict[str, str]
    #: Since when outputs were in doubt, seconds of the epoch.
    since: float


# -- which runs are open


def open_run(state: str, run_id: str) -> Owner:
    """Note, so that a power cut does not take it, that a run begins."""
    from sinagot.dataset.moves import sync

    folder = f"{state}/open"
    os.makedirs(folder, exist_ok=True)
    owner = Owner.here(run_id)
    # Whole from its first moment: a run that another one sees begin must not look like one that was torn.
    part = f"{folder}/.{run_id}"
    with open(part, "w", encoding="utf-8") as file:
        file.write(owner.to_json())
        file.flush()
        os.fsync(file.fileno())
    os.replace(part, f"{folder}/{run_id}")
    for one in (folder, state):
        with contextlib.suppress(OSError):  # some shares cannot sync folders
            sync(one)
    return owner


def close_run(state: str, run_id: str) -> None:
    """Note that all of a run is on the disk."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(f"{state}/open/{run_id}")


def _open_runs(state: str) -> Iterator[tuple[str, Owner | None]]:
    try:
        names = sorted(os.listdir(f"{state}/open"))
    except OSError:
        return
    for name in names:
        if name.startswith("."):  # of a run that has not begun
            continue
        try:
            with open(f"{state}/open/{name}", encoding="utf-8", errors="replace") as file:
                yield name, Owner.from_json(file.read())
        except OSError:  # it has just ended
            continue


def cut_runs(state: str) -> list[str]:
    """List the runs of this machine that were going on when it stopped."""
    here: Owner | None = None
    cut = []
    for name, owner in _open_runs(state):
        here = here or Owner.here("")
        if owner is None or (owner.host == here.host and owner.boot != here.boot):
            cut.append(name)
    return cut


def settle_dead(state: str) -> None:
    """Forget the killed runs of this machine, after all that was written on it has been synced."""
    for name, owner in _open_runs(state):
        if owner is not None and is_alive(owner, f"{state}/runs") is False:
            close_run(state, name)
    for name in _names(f"{state}/open"):
        path = f"{state}/open/{name}"
        with contextlib.suppress(OSError):
            if name.startswith(".") and time.time() - os.stat(path).st_mtime > _LONG_AGO:
                os.unlink(path)


def forget(state: str, runs: Iterable[str]) -> None:
    """Note that runs which were cut off have been examined; what was found must be on the disk."""
    for run_id in runs:
        close_run(state, run_id)


# -- what they left


class _Version(NamedTuple):
    """One version of a file that an attempt committed."""

    size: int
    mtime_ns: int
    digest: str | None
    #: Its bytes were on the disk before the power went.
    is_safe: bool


class _Trace:
    """What the runs that were cut off, and those after them, have committed."""

    def __init__(self, state: str, runs: Sequence[str], output: str) -> None:
        self._output = output
        self.versions: dict[str, list[_Version]] = {}
        #: Key -> files of its last commit that nothing had synced.
        self.doubtful: dict[str, list[str]] = {}
        self.since = min(_begin_of(run_id) for run_id in runs)
        times = []
        for run_id in sorted(set(_names(f"{state}/runs"))):
            is_later = run_id >= min(runs) or _wrote_since(f"{state}/runs/{run_id}", self.since)
            if run_id in runs or is_later:
                times += self._read(f"{state}/runs/{run_id}", is_cut=run_id in runs)
        if times:
            self.since = min(times)

    def _read(self, folder: str, *, is_cut: bool) -> list[float]:
        """Take in one run; give the time of the last checkpoint of each of its writers."""
        from sinagot.engine.state.history import event_files, iter_all_events

        times = []
        for path in event_files(folder):
            ends: dict[str, int] = {}
            commits: dict[str, tuple[int, dict[str, Any]]] = {}
            upto, at = 0, _begin_of(os.path.basename(folder))
            for end, event in iter_all_events(path):
                kind, key = event.get("event"), str(event.get("key"))
                if kind == "commit":
                    commits[key] = end, event
                    ends.pop(key, None)
                elif kind == "done":
                    ends[key] = end
                elif kind == "checkpoint":
                    upto, at = int(event.get("upto", 0)), float(event.get("at", at))
            for key, (_, event) in commits.items():
                self._take(key, event, is_safe=not is_cut or ends.get(key, upto + 1) <= upto)
            if is_cut:
                times.append(at)
        return times

    def _take(self, key: str, event: dict[str, Any], *, is_safe: bool) -> None:
        from sinagot.engine.state.commits import read_commit

        committed = read_commit(event, self._output)
        if committed is None:
            return
        is_safe = is_safe or committed.synced
        for path, size, mtime_ns in committed.files:
            version = _Version(size, mtime_ns, committed.digests.get(path), is_safe)
            self.versions.setdefault(path, []).append(version)
        if is_safe:
            self.doubtful.pop(key, None)
        else:
            self.doubtful[key] = [path for path, *_ in committed.files]

    def is_right(self, path: str) -> bool:
        """Say whether a file is one that an attempt committed, byte by byte or known to be on the disk."""
        from sinagot.dataset.prints import digest_within

        found = os.stat(path)
        for version in self.versions.get(path, ()):
            is_folder = os.path.isdir(path)
            is_alike = is_folder or (found.st_size, found.st_mtime_ns) == (version.size, version.mtime_ns)
            if is_alike and version.is_safe:
                return True
            if not is_folder and found.st_size != version.size:
                continue
            if version.digest is not None and digest_within(os.path.realpath(path), None) == version.digest:
                return True
        return False


def examine(state: str, runs: Sequence[str], survey: Survey, output: str) -> Damage:
    """Compare the outputs that a power cut may have damaged with what was committed.

    Parameters
    ----------
    state : str
        The state folder.
    runs : sequence of str
        The runs that were cut off.
    survey : Survey
        All records and steps.
    output : str
        Root of outputs.

    Returns
    -------
    Damage
        Jobs to be done again: something of them is neither whole by its digest, nor was it synced.
    """
    trace = _Trace(state, runs, output)
    damaged: dict[str, str] = {}
    for key, path in _outputs(survey):
        try:
            is_late = os.stat(path).st_ctime >= trace.since - _SLACK
            if key not in damaged and (is_late or path in trace.versions) and not trace.is_right(path):
                damaged[key] = path
        except FileNotFoundError:  # it is made again because it is not there
            continue
        except OSError:
            damaged[key] = path
    for key, paths in trace.doubtful.items():
        for path in paths:
            if key not in damaged and not (os.path.exists(path) and trace.is_right(path)):
                damaged[key] = path
    return Damage(damaged, trace.since)


def mark(damage: Damage, failures: Any, run_id: str) -> None:
    """Mark the jobs of damaged outputs as failed, so that they are done again."""
    for key, path in damage.paths.items():
        failures.set(key, facts_of(path, damage.since, run_id))


def facts_of(path: str, since: float, run_id: str) -> Mapping[str, Any]:
    """Give what stands in the mark of a damaged output."""
    return {
        "status": 40,
        "run_id": run_id,
        "at": since,
        "exc_type": "DamagedOutputError",
        "exc_message": f"output damaged, probably by a power cut: {path}",
        "where": "",
        "traceback": "",
    }


def _outputs(survey: Survey) -> Iterator[tuple[str, str]]:
    from sinagot.engine.paths import flat_paths

    for node in survey.graph.nodes:
        if node.error is not None:
            continue
        for record_id in survey.ids:
            key = node.key(record_id)
            for path in flat_paths(survey.paths(node.outputs, node.is_dict_out, record_id)):
                yield key, path
    for node in survey.graph.groups:
        for slot in node.outputs:
            yield node.key(GROUP_ID), os.path.join(slot.root, slot.pattern.format({}))


def _names(folder: str) -> list[str]:
    try:
        return os.listdir(folder)
    except OSError:
        return []


def _wrote_since(folder: str, since: float) -> bool:
    """Say whether a run has committed anything since a moment; it may have begun long before, on another machine."""
    from sinagot.engine.state.history import event_files

    for path in event_files(folder):
        with contextlib.suppress(OSError):
            if os.stat(path).st_mtime >= since - _SLACK:
                return True
    return False


def _begin_of(run_id: str) -> float:
    """Read from its id when a run began; the earliest time where it does not tell."""
    import calendar  # after an unclean end only

    try:
        return float(calendar.timegm(time.strptime(run_id.partition("-")[0], "%Y%m%dT%H%M%S")))
    except ValueError:
        return 0.0
