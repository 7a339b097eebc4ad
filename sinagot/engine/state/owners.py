"""Processes that work on a dataset: how they are named, and whether one is alive.

Knows the files that name them, and this machine's processes; must not know what they do. `sinagot.engine.state.claims`
takes claims in their names.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterable
from typing import NamedTuple

__all__ = [
    "ACTIVE",
    "Owner",
    "bury",
    "dead_owner_files",
    "held_claims",
    "is_alive",
    "is_torn",
    "live_owners",
    "name_process",
    "read_owner",
    "start_time",
]

#: Run ids that this process is executing now.
ACTIVE: set[str] = set()
#: Processes of other hosts that are known to be dead: host, PID, start.
_BURIED: set[tuple[str, int, str]] = set()
_TORN_AFTER = 60.0  # seconds


class Owner(NamedTuple):
    """The process that holds a claim."""

    host: str
    boot: str
    pid: int
    start: str
    run_id: str

    def to_json(self) -> str:
        """Give the text of an owner's file."""
        return json.dumps(self._asdict())

    @property
    def is_of_this_boot(self) -> bool:
        """Whether it ran on this machine since the machine was started."""
        return self.host == os.uname().nodename and self.boot == _boot_id()

    @classmethod
    def from_json(cls, text: str) -> Owner | None:
        """Read an owner's file; None when it is torn."""
        try:
            facts = json.loads(text)
            return cls(*(facts[name] for name in cls._fields))
        except (ValueError, KeyError, TypeError):
            return None

    @classmethod
    def here(cls, run_id: str) -> Owner:
        """Describe this process."""
        return cls(os.uname().nodename, _boot_id(), os.getpid(), start_time(os.getpid()), run_id)


def _boot_id() -> str:
    try:
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
            return file.read().strip()
    except OSError:
        import psutil

        return str(int(psutil.boot_time()))


def start_time(pid: int) -> str:
    """Give what tells two processes of one PID apart; empty when there is no such process."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            fields = file.read().rpartition(b")")[2].split()
        # A zombie has ended, though its number is not free yet; but of a killed process the first thread may be one
        # while another is still in the midst of a system call, and locks and files are held until that one has gone.
        has_ended = fields[0] in (b"Z", b"X") and int(fields[17]) <= 1
        return "" if has_ended else fields[19].decode()
    except OSError:
        if os.path.exists("/proc/self/stat"):
            return ""
    import psutil

    try:
        return str(psutil.Process(pid).create_time())
    except psutil.Error:
        return ""


def is_alive(owner: Owner, runs: str) -> bool | None:
    """Say whether the owner still works: True, False, or None when it lives on another host.

    Parameters
    ----------
    owner : Owner
        Who made the claim.
    runs : str
        Folder of the runs; a run whose manifest has an end holds nothing any more, unless it lost workers.
    """
    if owner.host != os.uname().nodename:
        if (owner.host, owner.pid, owner.start) in _BURIED:
            return False
        return False if _has_ended(owner.run_id, runs) else None
    if owner.boot != _boot_id():
        return False
    if owner.pid == os.getpid():
        return owner.run_id in ACTIVE and owner.start == start_time(owner.pid)
    if start_time(owner.pid) != owner.start:
        return False
    return not _has_ended(owner.run_id, runs)


def bury(host: str, pid: int, start: str) -> None:
    """Take note that a process has ended, on the word of somebody on its host: nobody need wait for its heartbeat."""
    _BURIED.add((host, pid, start))


def name_process(pid: int) -> tuple[str, int, str]:
    """Give what names a process of this host in claims: host, PID, start."""
    return os.uname().nodename, pid, start_time(pid)


def _has_ended(run_id: str, runs: str) -> bool:
    try:
        with open(f"{runs}/{run_id}/run.json", encoding="utf-8") as file:
            return bool((facts := json.load(file)).get("end")) and not facts.get("may_go_on")
    except (OSError, ValueError):
        return False


def is_torn(beat: float) -> bool:
    """Say whether a file that names no owner was torn long ago (a power cut); else it is being written now."""
    return time.time() - beat >= _TORN_AFTER


def read_owner(path: str) -> tuple[Owner | None, str | None, float]:
    """Read a claim or an owner's file: who, the text, the time stamp; no text when there is none."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            text = file.read()
            beat = os.fstat(file.fileno()).st_mtime
    except FileNotFoundError:
        return None, None, 0.0
    return Owner.from_json(text), text, beat


def held_claims(state: str, names: Iterable[str] | None = None) -> dict[str, tuple[Owner | None, bool]]:
    """Give every claim there is: file name -> (owner, whether it is to be honoured).

    An owner on another host counts as alive here; only a run that watches its heartbeat can know better.

    Parameters
    ----------
    state : str
        The state folder.
    names : iterable of str, optional
        The file names that matter; the folder is listed when not given.
    """
    folder = f"{state}/claims"
    found: dict[str, tuple[Owner | None, bool]] = {}
    try:
        names = os.listdir(folder) if names is None else names
    except OSError:
        return found
    judged: dict[Owner, bool] = {}
    for name in names:
        try:
            owner, text, beat = read_owner(f"{folder}/{name}")
        except NotADirectoryError:  # there is no state folder, and who writes to it will say so
            return found
        if text is None:
            continue
        if owner is None:
            found[name] = (None, not is_torn(beat))
            continue
        if owner not in judged:
            judged[owner] = is_alive(owner, f"{state}/runs") is not False
        found[name] = (owner, judged[owner])
    return found


def live_owners(state: str) -> list[Owner]:
    """List the processes that work on the dataset now, as far as can be told from this host."""
    return [owner for _, owner, alive in _judged(state) if owner is not None and alive]


def dead_owner_files(state: str) -> list[str]:
    """List the owner files that dead processes left."""
    return [path for path, _, alive in _judged(state) if not alive]


def _judged(state: str) -> list[tuple[str, Owner | None, bool]]:
    folder = f"{state}/owners"
    try:
        names = sorted(os.listdir(folder))
    except OSError:
        return []
    judged = []
    for name in names:
        path = f"{folder}/{name}"
        owner, text, beat = read_owner(path)
        if text is None:
            continue
        alive = is_alive(owner, f"{state}/runs") is not False if owner else not is_torn(beat)
        judged.append((path, owner, alive))
    return judged
