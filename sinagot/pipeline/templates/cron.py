"""The text of a cron line: what is put in place of its words, and what is wrong with it.

Knows fields and their values; must not know files, time zones or when the next tick is.
Templates check with it while they are loaded, and `sinagot.schedule` makes ticks of what it gives.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator
from functools import lru_cache
from types import ModuleType
from typing import TYPE_CHECKING, Any

from sinagot.config.hints import did_you_mean, spelled_list
from sinagot.config.problems import shown
from sinagot.errors import ConfigurationError, MissingExtraError

if TYPE_CHECKING:
    from cronsim import CronSim

__all__ = ["days", "fault_of_cron", "looks_like_cron", "normalised", "parsed"]

#: A word, and what it stands for.
_WORDS = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
#: Name of each field, how many values it has, and which.
_FIELDS = (
    ("minute", 60, "0-59"),
    ("hour", 24, "0-23"),
    ("day of the month", 31, "1-31, L (the last day) or LW (the last weekday)"),
    ("month", 12, "1-12 or JAN-DEC"),
    (
        "day of the week",
        8,
        "0-7 or SUN-SAT, such as MON-FRI, MON#1 (the first Monday) or 5L (the last Friday)",
    ),
)
_ORDER = "minute hour day month weekday"
_FIELD = re.compile(r"[0-9A-Za-z*/,?#-]+", re.ASCII)
_STEP = re.compile(r"/0*(\d+)", re.ASCII)
#: Days of the two that may be `?`.
_DAYS = (2, 4)
#: Longer ones are nobody's.
_LONGEST = 500
#: A line without a day for so long has none: five Mondays in a February may be 40 years apart.
_YEARS = 60


def looks_like_cron(text: str) -> bool:
    """Say whether a text has the form of a cron line, wherever it stands.

    Examples
    --------
    >>> looks_like_cron("*/5 * * * *"), looks_like_cron("every night")
    (True, False)
    """
    fields = text.split()
    if len(fields) == 1:
        return text.strip().lower() in _WORDS
    is_form = len(fields) in (5, 6, 7) and all(_FIELD.fullmatch(field) for field in fields)
    return is_form and any(sign in text for sign in "*0123456789")


def normalised(text: str) -> str:
    """Write a cron line as it is read: words as fields, ``?`` as ``*``, single blanks.

    Parameters
    ----------
    text : str
        As it was written; nothing is checked.

    Examples
    --------
    >>> normalised(" 0  12 ? * MON-FRI"), normalised("@Daily")
    ('0 12 * * MON-FRI', '0 0 * * *')
    """
    word = _WORDS.get(text.strip().lower())
    if word is not None:
        return word
    fields = text.split()
    if len(fields) == len(_FIELDS):
        fields = ["*" if field == "?" and at in _DAYS else field for at, field in enumerate(fields)]
    return " ".join(fields)


def fault_of_cron(text: Any) -> tuple[str, str | None] | None:
    """Say what is wrong with a cron line, and what to do; None where it is right.

    Parameters
    ----------
    text : object
        As it was written.

    Returns
    -------
    tuple of str and str, or None
        Where the extra `schedule` is not installed, only the form is looked at.

    Examples
    --------
    >>> fault_of_cron("@daily") is None
    True
    >>> fault_of_cron("0 0 31 2 *")[0]
    "found '0 0 31 2 *', which never comes: no day is like that"
    >>> fault_of_cron("*/0 * * * *")[0]
    "found the minute '*/0', allowed is 0-59"
    """
    if not isinstance(text, str):
        found = "nothing" if text is None else shown(text)
        return f"found {found}, allowed cron text", "write it in quotes"
    if text.strip().startswith("@"):
        return _fault_of_word(text.strip())
    fields = normalised(text[:_LONGEST]).split()
    if len(text) > _LONGEST or len(fields) != len(_FIELDS):
        return _fault_of_number(text, len(text.split()))
    for field, (name, _, values) in zip(fields, _FIELDS, strict=True):
        if _FIELD.fullmatch(field) is None:
            return f"found {field[:60]!r}, which is no field of a cron text", f"the {name} is {values}"
    return _fault_of_values(" ".join(fields))


def parsed(text: str) -> CronSim:
    """Read a cron line that is right.

    Parameters
    ----------
    text : str
        As `normalised` gives it.

    Raises
    ------
    ConfigurationError
        It is none.
    MissingExtraError
        The package that reads it is not installed.
    """
    cronsim = _cronsim()
    if cronsim is None:
        raise MissingExtraError(
            "schedules need the package cronsim, which is not installed here; install the extra 'schedule' of "
            "sinagot: pip install cronsim tzdata",
            package="cronsim",
            extra="schedule",
        )
    try:
        return _read(text)
    except cronsim.CronSimError:
        fault = fault_of_cron(text) or (f"found {text[:60]!r}, which is no cron text", None)
        raise ConfigurationError.at(fault[0], hint=fault[1], found=text) from None


def days(line: CronSim, first: dt.date, step: int = 1) -> Iterator[dt.date]:
    """Give the days of a cron line in order; the end comes with the calendar, or after 60 years without one.

    Parameters
    ----------
    line : CronSim
        From `parsed`.
    first : date
        Where to begin; it may be the first one.
    step : int
        1 for forwards, -1 for backwards.
    """
    day, one = first, dt.timedelta(days=step)
    last = first.year + step * _YEARS
    try:
        while (day.year - last) * step <= 0:
            if day.month not in line.months:
                # To the last day of the month in this direction; the next one is that of another month.
                ahead = (day.replace(day=28) + dt.timedelta(days=4)).replace(day=1)
                day = ahead - dt.timedelta(days=1) if step > 0 else day.replace(day=1)
            elif line.match_day(day):
                yield day
                last = day.year + step * _YEARS
            day += one
    except OverflowError:
        return


def _cronsim() -> ModuleType | None:
    try:
        import cronsim
    except ImportError:
        return None
    return cronsim


@lru_cache(maxsize=256)
def _read(text: str) -> CronSim:
    from cronsim import CronSim

    return CronSim(text, dt.datetime(2000, 1, 1))  # noqa: DTZ001  (a line is about the clock on the wall)


def _fault_of_word(word: str) -> tuple[str, str | None] | None:
    if word.lower() in _WORDS:
        return None
    return f"found {word[:60]!r}, allowed {spelled_list(_WORDS)}", did_you_mean(word, _WORDS) or None


def _fault_of_number(text: str, number: int) -> tuple[str, str | None]:
    hint = None
    if number in (6, 7):
        hint = "seconds and years are not for schedules, their smallest unit is one minute"
    return f"found {number} field{'s' * (number != 1)} in {text[:60]!r}, allowed 5 ({_ORDER})", hint


def _fault_of_values(text: str) -> tuple[str, str | None] | None:
    cronsim = _cronsim()
    if cronsim is None:
        return None
    fields = text.split()
    for at, (field, (name, number, values)) in enumerate(zip(fields, _FIELDS, strict=True)):
        alone = ["*"] * len(_FIELDS)
        alone[at] = field
        try:
            _read(" ".join(alone))
        except cronsim.CronSimError:
            hint = (
                "a range goes upwards: write two, such as 22-23,0-2 or FRI-SAT,SUN" if "-" in field else None
            )
            return f"found the {name} {field[:60]!r}, allowed is {values}", hint
        if any(int(step) > number for step in _STEP.findall(field)):
            hint = "such a step would begin anew each time, and be no step"
            return f"found the {name} {field[:60]!r}, allowed are steps up to {number}", hint
    try:
        is_possible = next(days(_read(text), dt.date(2000, 1, 1)), None) is not None
    except cronsim.CronSimError:
        is_possible = False
    return None if is_possible else (f"found {text[:60]!r}, which never comes: no day is like that", None)
