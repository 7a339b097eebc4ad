"""How facts are written down: times, plain values, cursors; the same for every history.

Knows the facts; must not know files or databases.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, TypeVar

from sinagot.engine.state.claims import file_key
from sinagot.errors import CursorError, UnstorableDataError
from sinagot.schedule.history.facts import (
    OPEN_STATES,
    Decision,
    Launch,
    Origin,
    Pause,
    ServiceFacts,
    State,
    Verdict,
)

__all__ = [
    "changed",
    "check_pair",
    "cursor_at",
    "from_plain",
    "in_utc",
    "key_of",
    "page_of",
    "read_cursor",
    "read_stamp",
    "stamp",
    "to_json",
    "to_plain",
]

_Facts = TypeVar("_Facts", Decision, Launch, Pause, ServiceFacts)
_Entry = TypeVar("_Entry", Decision, Launch)

_WORDS: dict[str, type[Verdict | Origin | State]] = {"verdict": Verdict, "origin": Origin, "state": State}
_TIMES = {"asked", "began", "due", "ended", "first", "since", "tick", "time"}
_NUMBERS = {"attempt", "beat", "exit_code", "number", "pid", "version"}
#: Of a launch: what it is found by, and what its tick was decided with.
_FIXED = {"asked", "origin", "pipeline", "run_id", "schedule", "tick", "version"}
_STAMP = re.compile(r"\d{8}T\d{6}\.\d{6}Z")


def key_of(name: str) -> str:
    """Turn any name into a short ASCII text that may be the name of a file.

    Examples
    --------
    >>> key_of("lab/été")
    'lab%2F%C3%A9t%C3%A9'
    """
    try:
        return file_key(name) or "%"  # a sign that quoting never leaves alone
    except UnicodeEncodeError:  # halves of pairs that no name of a file has, as JSON can write them
        return "%%" + file_key(name.encode("utf-8", "surrogatepass").decode("utf-8", "surrogateescape"))


def stamp(time: datetime) -> str:
    """Write a time so that texts sort as times do, and may be file names.

    Raises
    ------
    ValueError
        When the time is in no zone.

    Examples
    --------
    >>> stamp(datetime(2026, 1, 31, 23, 59, tzinfo=UTC))
    '20260131T235900.000000Z'
    """
    text = in_utc(time).replace(tzinfo=None).isoformat(timespec="microseconds")
    return text.replace("-", "").replace(":", "") + "Z"


def read_stamp(text: str) -> datetime | None:
    """Read what `stamp` wrote; None for anything else."""
    if not _STAMP.fullmatch(text):
        return None
    try:
        return datetime.fromisoformat(text)
    except ValueError:  # a 31st of February
        return None


def in_utc(time: datetime) -> datetime:
    """Give the same time in UTC.

    Raises
    ------
    ValueError
        When the time is in no zone.
    """
    if time.tzinfo is None:
        raise ValueError(f"the time {time} has no zone: the history keeps times in UTC")
    return time.astimezone(UTC)


def to_plain(facts: Decision | Launch | Pause | ServiceFacts) -> dict[str, Any]:
    """Give the facts as values that JSON knows."""
    return {
        name: in_utc(value).isoformat() if isinstance(value, datetime) else value
        for name, value in facts._asdict().items()
    }


def from_plain(kind: type[_Facts], plain: object) -> _Facts | None:
    """Give the facts that `to_plain` wrote, also a later version with more of them; None for anything else.

    Examples
    --------
    >>> pause = Pause("hourly", datetime(2026, 1, 31, tzinfo=UTC), "ada", "holidays")
    >>> from_plain(Pause, to_plain(pause)) == pause
    True
    >>> from_plain(Pause, {"schedule": "hourly"}) is None
    True
    """
    if not isinstance(plain, Mapping):
        return None
    try:
        return kind(**{name: _read(kind, name, plain[name]) for name in kind._fields if name in plain})
    except (TypeError, ValueError):
        return None


def _read(kind: type[_Facts], name: str, value: Any) -> Any:
    if value is None and kind._field_defaults.get(name, "") is None:
        return None
    if name in _WORDS:
        return _WORDS[name](value)
    if name in _TIMES:
        return in_utc(datetime.fromisoformat(value))
    wanted: type = int if name in _NUMBERS else dict if name == "params" else str
    if not isinstance(value, wanted) or isinstance(value, bool):
        raise TypeError(name)
    return value


def to_json(value: object, what: str) -> str:
    """Write plain values as one line of ASCII.

    Parameters
    ----------
    value : object
        Facts, or what is between them.
    what : str
        What it is, for the error.

    Raises
    ------
    UnstorableDataError
        When there is something in it that JSON does not know.
    """
    try:
        return json.dumps(value)
    except (TypeError, ValueError, RecursionError) as error:
        raise UnstorableDataError(f"{what} can't be put on record: {error}", key=what) from error


def check_pair(decision: Decision, launch: Launch | None) -> None:
    """Refuse a launch that is not the one of the decision.

    Raises
    ------
    ValueError
        When they name different runs, schedules or ticks.
    """
    if launch is not None and (decision.run_id, decision.schedule, decision.tick) != (
        launch.run_id,
        launch.schedule,
        launch.tick,
    ):
        raise ValueError(f"the launch {launch.run_id} is not the one of the decision {decision}")


def changed(launch: Launch, facts: Mapping[str, Any]) -> Launch:
    """Give the launch with other facts, as its next version.

    Raises
    ------
    ValueError
        When a fact is not known or never changes, or the launch is over and would be open again.
    """
    if fixed := _FIXED.intersection(facts):
        raise ValueError(f"of the launch {launch.run_id} {', '.join(sorted(fixed))} can't change")
    new = launch._replace(**facts, version=launch.version + 1)
    if new.state in OPEN_STATES and launch.state not in OPEN_STATES:
        raise ValueError(f"the launch {launch.run_id} is {launch.state}: it can't be {new.state} again")
    return new


def cursor_at(time: str, key: str) -> str:
    """Make the cursor behind an entry of a list that is sorted by time and key.

    Examples
    --------
    >>> read_cursor(cursor_at("20260131T235900.000000Z", "hourly"))
    ('20260131T235900.000000Z', 'hourly')
    """
    return base64.urlsafe_b64encode(f"{time}~{key}".encode()).decode().rstrip("=")


def read_cursor(cursor: str) -> tuple[str, str]:
    """Read what `cursor_at` made.

    Raises
    ------
    CursorError
        When it is something else.
    """
    try:
        text = base64.urlsafe_b64decode((cursor + "=" * (-len(cursor) % 4)).encode("ascii")).decode("ascii")
    except (ValueError, binascii.Error):
        text = ""
    time, _, key = text.partition("~")
    if read_stamp(time) is None or not key:
        raise CursorError(f"no cursor of a list of the history: {cursor[:100]!r}", cursor=cursor)
    return time, key


def page_of(found: Iterable[tuple[str, str, _Entry]], limit: int) -> tuple[list[_Entry], str | None]:
    """Take as many entries as are wanted, and make the cursor behind them where there is one more."""
    entries: list[_Entry] = []
    place = "", ""
    for time, key, entry in found:
        if len(entries) >= limit:
            return entries, cursor_at(*place)
        entries.append(entry)
        place = time, key
    return entries, None
