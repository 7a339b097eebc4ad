"""What people have decided about records: which jobs are excluded, by whom, when and why.

Knows one file, `<state>/decisions.jsonl`; must not know what is on disk otherwise. Read once a command; plans, status
and reports ask the same object.

Each decision is a line of its own, appended in one write: several people may decide at the same time. What was said
last about a job holds: a step may be included again within an excluded record, and including the record takes back
whatever was excluded of it before.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from sinagot.errors import StorageError

__all__ = ["Decision", "Decisions", "Target", "append_decisions", "decided", "user_name"]

FILE = "decisions.jsonl"
EXCLUDE = "exclude"
INCLUDE = "include"
#: A line beyond this many bytes is none of ours.
_LONGEST_LINE = 1 << 20


class Target(NamedTuple):
    """What a decision is about; None stands for all."""

    record_id: str
    task: str | None = None
    modality: str | None = None
    step: str | None = None

    def covers(self, task: str | None, modality: str | None, step: str) -> bool:
        """Say whether a job of the record is meant."""
        return self.task in (None, task) and self.modality in (None, modality) and self.step in (None, step)

    @property
    def text(self) -> str:
        """Write it for people.

        Examples
        --------
        >>> Target("REC-1", "RS", None, "alpha").text, Target("REC-1").text
        ('REC-1 RS-*-alpha', 'REC-1')
        """
        if self[1:] == (None, None, None):
            return self.record_id
        scoped = self.task is not None or self.modality is not None
        parts = (self.task, self.modality, self.step) if scoped else (self.step,)
        return f"{self.record_id} {'-'.join(part or '*' for part in parts).removesuffix('-*')}"


class Decision(NamedTuple):
    """One decision as it stands in the file."""

    #: ``"exclude"`` or ``"include"``.
    what: str
    target: Target
    reason: str
    user: str
    host: str
    #: UTC, ISO 8601.
    time: str

    @property
    def text(self) -> str:
        """Say in one line who decided what, when and why."""
        why = f": {self.reason}" if self.reason else ""
        return f"{self.what}d by {self.user or 'somebody'} on {self.time[:10]}{why}"

    def to_json(self) -> dict[str, Any]:
        """Give the line of the file as an object."""
        return {
            "decision": self.what,
            "time": self.time,
            "user": self.user,
            "host": self.host,
            **self.target._asdict(),
            "reason": self.reason,
        }


class Decisions:
    """All decisions of a workspace.

    Parameters
    ----------
    decisions : iterable of Decision
        In the order in which they were made.
    bad : int
        Lines of the file that could not be read.

    Examples
    --------
    >>> made = [
    ...     decided("exclude", Target("REC-1"), "asleep"),
    ...     decided("include", Target("REC-1", step="count"), ""),
    ... ]
    >>> decisions = Decisions(made)
    >>> (
    ...     decisions.exclusion("REC-1", None, None, "mean").reason,
    ...     decisions.exclusion("REC-1", None, None, "count"),
    ... )
    ('asleep', None)
    """

    def __init__(self, decisions: Iterable[Decision] = (), bad: int = 0) -> None:
        self.all = tuple(decisions)
        self.bad = bad
        self._by_record: dict[str, list[Decision]] = {}
        for one in self.all:
            self._by_record.setdefault(one.target.record_id, []).append(one)

    @classmethod
    def read(cls, state: str) -> Decisions:
        """Read the decisions of a state folder.

        Raises
        ------
        StorageError
            There are decisions, and they can't be read: running what was excluded would be worse than not running.
        """
        path = f"{state}/{FILE}"
        try:
            with open(path, "rb") as file:
                return cls._parse(iter(lambda: file.readline(_LONGEST_LINE), b""))
        except (FileNotFoundError, NotADirectoryError):
            return cls()
        except OSError as error:
            raise StorageError(
                f"the decisions in {path} can't be read: {error.strerror or error}; without them it is not known what "
                "is excluded",
                path=path,
            ) from error

    @classmethod
    def _parse(cls, lines: Iterator[bytes]) -> Decisions:
        found: list[Decision] = []
        bad = 0
        for line in lines:
            if not line.strip():
                continue  # a writer that came after a torn line
            try:
                facts = json.loads(line)
                what = facts["decision"]
                if what in (EXCLUDE, INCLUDE):  # others are of a later version
                    target = Target(*(_text(facts.get(name), name) for name in Target._fields))  # type: ignore[arg-type]
                    texts = [str(facts.get(name) or "") for name in ("reason", "user", "host", "time")]
                    found.append(Decision(what, target, *texts))
            except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
                bad += 1
        return cls(found, bad)

    @property
    def warnings(self) -> list[str]:
        """What the user should know: lines that could not be read."""
        return [f"{FILE}: {self.bad} broken line(s) passed over"] if self.bad else []

    def __bool__(self) -> bool:
        return bool(self._by_record)

    def speaks_of(self, record_id: str) -> bool:
        """Say whether anything was ever decided about a record."""
        return record_id in self._by_record

    def of(self, record_id: str) -> list[Decision]:
        """Give the decisions about a record, oldest first."""
        return self._by_record.get(record_id, [])

    def exclusion(self, record_id: str, task: str | None, modality: str | None, step: str) -> Decision | None:
        """Give the decision that excludes a job; None when it is not excluded."""
        for one in reversed(self._by_record.get(record_id, ())):
            if one.target.covers(task, modality, step):
                return one if one.what == EXCLUDE else None
        return None

    def excludes_any(self, target: Target) -> bool:
        """Say whether an exclusion in force has anything to do with a target."""
        return any(
            one.what == EXCLUDE and _meet(one.target, target)
            for one in Decisions(self.of(target.record_id)).in_force()
        )

    def in_force(self) -> list[Decision]:
        """Give what a reader of the file needs to know which jobs are excluded, oldest first.

        Exclusions, and the inclusions that narrow them; what a later decision took back as a whole is left out.
        """
        found: list[Decision] = []
        for made in self._by_record.values():
            kept: list[Decision] = []
            for one in made:
                kept = [former for former in kept if not _contains(one.target, former.target)]
                if one.what == EXCLUDE or any(former.what == EXCLUDE for former in kept):
                    kept.append(one)
            found += kept
        return sorted(found, key=lambda one: one.time)


def _text(value: Any, name: str) -> str | None:
    if isinstance(value, str) and value:
        return value
    if value is None and name != "record_id":
        return None
    raise ValueError(name)


def _meet(one: Target, two: Target) -> bool:
    return all(mine is None or other in (None, mine) for mine, other in zip(one[1:], two[1:], strict=True))


def _contains(outer: Target, inner: Target) -> bool:
    return all(one in (None, other) for one, other in zip(outer[1:], inner[1:], strict=True))


def decided(what: str, target: Target, reason: str) -> Decision:
    """Make a decision of the user of this process, at this moment."""
    from sinagot.runlog.lines import now_utc

    return Decision(what, target, reason, user_name(), os.uname().nodename, now_utc())


def user_name() -> str:
    """Give the name of who decides; the number of the user where the system has no name for it."""
    from getpass import getuser  # asked by few commands

    try:
        return getuser()
    except (OSError, KeyError, ImportError):  # a container's user without a name
        return str(os.getuid())


def append_decisions(state: str, decisions: Iterable[Decision]) -> None:
    """Write decisions down, on disk when this returns.

    Raises
    ------
    StorageError
        The state folder can't be written.
    """
    text = "".join(json.dumps(one.to_json()) + "\n" for one in decisions)
    path = f"{state}/{FILE}"
    try:
        os.makedirs(state, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o666)
        try:
            size = os.fstat(descriptor).st_size
            if size and os.pread(descriptor, 1, size - 1) != b"\n":
                text = f"\n{text}"  # the last writer was cut short
            line = text.encode("ascii")
            if os.write(descriptor, line) != len(line):
                raise OSError(28, "no space left")
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise StorageError(
            f"decisions can't be written to {path}: {error.strerror or error}", path=path
        ) from error
