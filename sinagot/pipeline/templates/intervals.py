"""Time tables in words: an interval, a day and a time of day, as a cron line.

Knows words; must not know time zones or when a tick is.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from sinagot.config.hints import did_you_mean, spelled_list
from sinagot.config.problems import shown

__all__ = ["INTERVAL_KEYS", "IntervalFault", "cron_of_interval"]

INTERVAL_KEYS = ("interval", "day", "time")
_INTERVALS = ("daily", "weekly", "monthly")
_WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_TIME = re.compile(r"(\d{1,2}):(\d{2})(?::00)?", re.ASCII)


class IntervalFault(NamedTuple):
    """What is wrong with an interval."""

    key: str
    text: str
    found: Any
    hint: str | None = None


def cron_of_interval(value: Mapping[str, Any]) -> str | IntervalFault:
    """Write an interval as a cron line, or say what is wrong with it.

    Parameters
    ----------
    value : mapping
        `interval` is ``daily``, ``weekly`` or ``monthly``; `day` and `time` may be left out.

    Examples
    --------
    >>> cron_of_interval({"interval": "weekly", "day": "friday", "time": "18:30"})
    '30 18 * * FRI'
    >>> cron_of_interval({"interval": "daily", "time": "25:00"}).text
    "found '25:00', allowed a time such as '06:30'"
    """
    interval = value.get("interval")
    if interval not in _INTERVALS:
        return _refused("interval", interval, spelled_list(_INTERVALS), _INTERVALS)
    clock, day = _time_of(value.get("time", "00:00")), _day_of(interval, value.get("day"))
    if isinstance(clock, IntervalFault) or isinstance(day, IntervalFault):
        return clock if isinstance(clock, IntervalFault) else day
    return f"{clock} {day}"


def _time_of(written: Any) -> str | IntervalFault:
    if isinstance(written, dt.time):
        written = f"{written:%H:%M:%S}"
    match = _TIME.fullmatch(written) if isinstance(written, str) else None
    if match is None or int(match[1]) > 23 or int(match[2]) > 59:
        return _refused("time", written, "a time such as '06:30'")
    return f"{int(match[2])} {int(match[1])}"


def _day_of(interval: str, written: Any) -> str | IntervalFault:
    if interval == "daily":
        return "* * *" if written is None else IntervalFault("day", "every day has no day", written)
    if interval == "monthly":
        text = "1" if written is None else str(written)
        is_number = not isinstance(written, bool) and text.isascii() and text.isdigit()
        if is_number and 1 <= int(text[:3]) <= 31:
            return f"{int(text)} * *"
    weekday = _weekday(written if written is not None else "monday")
    if weekday is not None:
        return f"* * {weekday}#1" if interval == "monthly" else f"* * {weekday}"
    allowed = "a weekday" + (", or a number from 1 to 31" * (interval == "monthly"))
    return _refused("day", written, allowed, _WEEKDAYS)


def _weekday(written: Any) -> str | None:
    """Give the short name of a weekday that is written whole, or by its first three letters."""
    word = written.strip().lower() if isinstance(written, str) else ""
    found = [name for name in _WEEKDAYS if word in (name, name[:3])]
    return found[0][:3].upper() if found else None


def _refused(key: str, found: Any, allowed: str, known: Sequence[str] = ()) -> IntervalFault:
    near = (did_you_mean(found, known) if isinstance(found, str) else "") or None
    word = "nothing" if found is None else shown(found)
    return IntervalFault(key, f"found {word}, allowed {allowed}", found, near)
