"""Who works on what right now: claims that need no server and no unlocking.

A claim is a hard link to the owner's file, so it appears with its content in one step and carries the owner's
heartbeat (the time stamp of that file). Knows the state folder and processes; must not know jobs or scripts.
Unlike a lock of the operating system a claim works on network drives, can be read by people, and names its owner.
"""

from __future__ import annotations

import errno
import functools
import os
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import NamedTuple
from urllib.parse import quote

from sinagot.dataset.moves import patiently
from sinagot.engine.state.owners import ACTIVE, Owner, is_alive, is_torn, read_owner

__all__ = ["NO_LINKS", "Claim", "ClaimDesk", "Held", "file_key", "one_taker"]

#: Seconds between two heartbeats; an owner on another host is dead after `BEATS_MISSED` of them.
BEAT = 10.0
BEATS_MISSED = 3

_LONGEST_NAME = 200
#: What a file system without hard links answers.
NO_LINKS = (errno.EPERM, errno.ENOTSUP, errno.EMLINK, errno.EACCES, errno.ENOSYS)
KEPT = 120  # characters of a name that would be longer
_LOCK_TRIES = 400
_LOCK_PAUSE = 0.005  # seconds
_PLAIN_KEY = re.compile(r"[A-Za-z0-9_/~-][A-Za-z0-9_./~-]*")  # what quoting leaves alone, and slashes


@functools.lru_cache(256)  # each attempt asks some four times
def file_key(key: str) -> str:
    """Turn a job key into one file name: percent-encoded, with a digest when it would be too long.

    Examples
    --------
    >>> file_key("REC-1/RS/EEG/alpha")
    'REC-1%2FRS%2FEEG%2Falpha'
    """
    # Quoting costs ten times as much as finding out that it need not be done.
    is_plain = _PLAIN_KEY.fullmatch(key)
    name = key.replace("/", "%2F") if is_plain else quote(key, safe="", errors="surrogateescape")
    if len(name) > _LONGEST_NAME:
        import hashlib

        digest = hashlib.sha256(key.encode("utf-8", "surrogateescape")).hexdigest()[:32]
        name = f"{name[:KEPT]}~{digest}"
    return name if not name.startswith(".") else "%2E" + name[1:]


class Held(NamedTuple):
    """The claim belongs to a live owner."""

    owner: Owner | None


class Claim(NamedTuple):
    """A claim of ours, to be released."""

    path: str
    #: True when a dead owner's claim was taken over: what it left may be half done.
    taken_over: bool
    #: That owner; None where its claim was torn.
    former: Owner | None = None


@contextmanager
def one_taker(path: str) -> Iterator[None]:
    """Let one process at a time look at a dead claim and replace it.

    Parameters
    ----------
    path : str
        A lock file.

    Notes
    -----
    The kernel gives the lock back when its holder dies. Where it can't be had (some shares, a frozen holder), two
    takers may replace each other's claim; the fence stops the one that lost.
    """
    descriptor = -1
    try:
        import fcntl

        os.makedirs(os.path.dirname(path), exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        for _ in range(_LOCK_TRIES):
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                time.sleep(_LOCK_PAUSE)
    except (OSError, ImportError):
        pass
    try:
        yield
    finally:
        if descriptor >= 0:
            os.close(descriptor)


class ClaimDesk:
    """Takes and releases the claims of one process in one run.

    Parameters
    ----------
    state : str
        The state folder of the dataset.
    run_id : str
        The run on whose behalf claims are taken.
    """

    def __init__(self, state: str, run_id: str) -> None:
        self.folder = f"{state}/claims"
        self.runs = f"{state}/runs"
        self.run_id = run_id
        self._owners = f"{state}/owners"
        self._takers = f"{state}/locks/takeover"
        self.owner = Owner.here(run_id)
        self._token = f"{run_id}-{self.owner.pid}-{os.urandom(4).hex()}"
        self._owner_file = f"{self._owners}/{self._token}"
        self._show_owner()
        self._links = True
        self._copies: tuple[str, ...] = ()
        self._seen: dict[str, tuple[float, float]] = {}
        self._unreleased: list[Claim] = []
        #: Told of a job and its dead owner just before its claim is replaced: who dies next leaves a trace to follow.
        self.note_takeover: Callable[[str, Owner], None] = lambda key, owner: None
        #: Told when the state folder was removed while we worked, and made again.
        self.note_restored: Callable[[], None] = lambda: None
        self._beat_at = time.monotonic()
        ACTIVE.add(run_id)

    def _show_owner(self) -> None:
        os.makedirs(self.folder, exist_ok=True)
        os.makedirs(self._owners, exist_ok=True)
        with open(self._owner_file, "x", encoding="utf-8") as file:
            file.write(self.owner.to_json())
        self._inode = os.stat(self._owner_file).st_ino

    def beat(self) -> None:
        """Renew the time stamp that every claim of this process shares; call as often as you like."""
        now = time.monotonic()
        if now - self._beat_at >= BEAT / 2:
            self._beat_at = now
            # Without hard links each claim is a file of its own, and carries its own time stamp.
            for path in (self._owner_file, *self._copies):
                try:
                    os.utime(path)
                except OSError:
                    # Released meanwhile, or the state folder was removed under us: fencing will notice.
                    pass

    def take(self, key: str) -> Claim | Held:
        """Take the claim of a job, or say who holds it."""
        path = f"{self.folder}/{file_key(key)}"
        for _ in range(8):
            try:
                is_ours = self._create(path)
            except FileNotFoundError:
                if os.path.exists(self._owner_file) and os.path.exists(self.folder):
                    raise
                self._show_owner()  # somebody removed the state folder: all that we do from now on is in a new one
                self.note_restored()
                continue
            if is_ours:
                return Claim(path, False)
            owner, text, beat = read_owner(path)
            if text is None:
                continue  # released in between
            if not (is_torn(beat) if owner is None else self._is_dead(path, owner, beat)):
                return Held(owner)
            if self._replace_dead(path, text, key, owner):
                return Claim(path, True, owner)
        return Held(None)

    def _create(self, path: str) -> bool:
        if self._links:
            try:
                os.link(self._owner_file, path)
            except FileExistsError:
                return False
            except OSError as error:
                if error.errno not in NO_LINKS:
                    raise
                self._links = False  # a file system without hard links
            else:
                return True
        try:
            descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666)
        except FileExistsError:
            return False
        try:
            os.write(descriptor, self.owner.to_json().encode())
        finally:
            os.close(descriptor)
        self._copies = (*self._copies, path)
        return True

    def _is_dead(self, path: str, owner: Owner, beat: float) -> bool:
        alive = is_alive(owner, self.runs)
        if alive is not None:
            return not alive
        # Another host: judged by our own clock, from the beats we saw ourselves.
        now = time.monotonic()
        seen, since = self._seen.setdefault(path, (beat, now))
        if seen != beat:
            self._seen[path] = (beat, now)
            return False
        return now - since > BEAT * BEATS_MISSED

    def _replace_dead(self, path: str, text: str, key: str = "", owner: Owner | None = None) -> bool:
        """Put our claim in the place of a dead one, in one step; of several takers one wins."""
        ours = f"{self._owners}/takes-{os.urandom(6).hex()}"
        self._create(ours)
        try:
            with one_taker(self._takers):
                if read_owner(path)[1] != text:
                    return False
                if owner is not None:
                    self.note_takeover(key, owner)
                os.replace(ours, path)
        finally:
            self._copies = tuple(path if copy == ours else copy for copy in self._copies)
            try:
                os.unlink(ours)
            except FileNotFoundError:
                pass
        return True

    def holder(self, key: str) -> tuple[Owner | None, str | None]:
        """Say who holds the claim of a job, and ``"live"`` or ``"dead"``; None when nobody does."""
        path = f"{self.folder}/{file_key(key)}"
        if not os.path.exists(path):
            return None, None  # nearly always; one stat
        owner, text, beat = read_owner(path)
        if text is None:
            return None, None
        dead = is_torn(beat) if owner is None else self._is_dead(path, owner, beat)
        return owner, "dead" if dead else "live"

    def is_ours(self, claim: Claim) -> bool:
        """Say whether the claim is still ours; read just before publishing (fencing)."""
        try:
            if self._links:
                return os.stat(claim.path).st_ino == self._inode
            return read_owner(claim.path)[1] == self.owner.to_json()
        except OSError:
            return False

    def was_taken(self, claim: Claim) -> bool:
        """Say whether another run took the claim over; one that went with the state folder was not taken."""
        if self.is_ours(claim) or not os.path.exists(self._owner_file):
            return False
        try:
            return read_owner(claim.path)[1] != self.owner.to_json()
        except OSError:  # the drive does not say whose it is
            return False

    def release(self, claim: Claim) -> None:
        """Give the claim back; one that is not ours any more stays."""
        if self._copies:
            self._copies = tuple(path for path in self._copies if path != claim.path)
        if self.is_ours(claim):
            try:
                os.unlink(claim.path)
            except FileNotFoundError:
                pass
            except OSError:  # the drive refuses; it is asked again when the run ends here
                self._unreleased.append(claim)

    def close(self) -> None:
        """End this process's part in the run."""
        left = [claim.path for claim in self._unreleased if self.is_ours(claim)]
        for path in (*left, self._owner_file):
            # What the drive keeps is void when this process has ended: the next run looks at such jobs.
            with suppress(OSError):
                patiently(os.unlink, path)
        self._unreleased.clear()

    def finish(self) -> None:
        """End the run in this process: a claim that it left behind is dead from now on."""
        ACTIVE.discard(self.run_id)
        self.close()
