"""Reads durations and amounts of memory as people write them (``90``, ``"10 min"``, ``"2 GB"``), and what uses them.

Knows units and the keys of steps; must not know where a value was written.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from typing import Any

from sinagot.config.settings import StepSettings

__all__ = [
    "BYTES_WORDS",
    "SECONDS_WORDS",
    "bytes_of",
    "bytes_of_text",
    "bytes_text",
    "pause_of",
    "pause_of_text",
    "seconds_of",
    "seconds_of_text",
    "seconds_text",
    "step_settings",
]

SECONDS_WORDS = "seconds as a number, or text such as '90 s', '10 min', '2 h'"
BYTES_WORDS = "bytes as an integer, or text such as '500 MB', '2 GB'"

_SECONDS = {"ms": 0.001, "s": 1.0, "min": 60.0, "h": 3600.0, "d": 86400.0}
_BYTES = {"B": 1, "kB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12} | {
    "KiB": 2**10,
    "MiB": 2**20,
    "GiB": 2**30,
    "TiB": 2**40,
}
_UNITS = {unit.lower(): factor for unit, factor in _BYTES.items()}
_QUANTITY = re.compile(r"\s*(\d+(?:\.\d*)?|\.\d+)\s*([A-Za-z]*)\s*", re.ASCII)


def seconds_of(value: Any) -> float:
    """Read a duration.

    Parameters
    ----------
    value : int, float or str
        Seconds, or a number with one of the units ms, s, min (or m), h, d.

    Returns
    -------
    float
        Seconds, more than 0.

    Raises
    ------
    ValueError
        It is none.

    Examples
    --------
    >>> seconds_of("1.5 min"), seconds_of(30)
    (90.0, 30.0)
    """
    number, unit = _parts(value, "s")
    factor = _SECONDS.get("min" if unit == "m" else unit)
    if factor is None:
        raise ValueError(f"{unit!r} is no unit of time; known are {', '.join(_SECONDS)}")
    return _checked(number * factor)


def bytes_of(value: Any) -> int:
    """Read an amount of memory.

    Parameters
    ----------
    value : int or str
        Bytes, or a number with one of the units B, kB, MB, GB, TB (powers of 1000), KiB, MiB, GiB, TiB (of 1024).

    Returns
    -------
    int
        Bytes, more than 0.

    Raises
    ------
    ValueError
        It is none.

    Examples
    --------
    >>> bytes_of("2 GB"), bytes_of("1KiB")
    (2000000000, 1024)
    """
    number, unit = _parts(value, "B")
    if unit.lower() not in _UNITS:
        raise ValueError(f"{unit!r} is no unit of memory; known are {', '.join(_BYTES)}")
    return int(_checked(number * _UNITS[unit.lower()]))


def seconds_of_text(value: Any) -> Any:
    """Check a duration and give it back as it was written."""
    seconds_of(value)
    return value


def pause_of(value: Any) -> float:
    """Read a duration that may be 0.

    Examples
    --------
    >>> pause_of(0), pause_of("2 min")
    (0.0, 120.0)
    """
    number, _ = _parts(value, "s")
    return seconds_of(value) if number else 0.0


def pause_of_text(value: Any) -> Any:
    """Check a duration that may be 0 and give it back as it was written."""
    pause_of(value)
    return value


def bytes_of_text(value: Any) -> Any:
    """Check an amount of memory and give it back as it was written."""
    bytes_of(value)
    return value


def _parts(value: Any, unit: str) -> tuple[float, str]:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError("neither a number nor text")
    if not isinstance(value, str):
        return float(value), unit
    found = _QUANTITY.fullmatch(value)
    if found is None:
        raise ValueError("not a number with a unit")
    return float(found[1]), found[2] or unit


def _checked(number: float) -> float:
    if not (math.isfinite(number) and number > 0):
        raise ValueError("must be more than 0")
    return number


def _is_count(value: Any, least: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


def _check_of(value: Any) -> Any:
    if not isinstance(value, Mapping):
        return value in ("stat", "digest")
    is_good = all(isinstance(name, str) and way in ("stat", "digest") for name, way in value.items())
    return tuple(value.items()) if is_good else False


#: What a value must be, in words, and what says so or reads it.
_KEYS: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "rerun": ("'missing', 'outdated' or 'always'", lambda value: value in ("missing", "outdated", "always")),
    "check": ("'stat' or 'digest', or a dict of these by input", _check_of),
    "timeout": (SECONDS_WORDS, seconds_of),
    "memory": (BYTES_WORDS, bytes_of),
    "retries": ("an integer from 0", lambda value: _is_count(value, 0)),
    "retry_wait": (SECONDS_WORDS, seconds_of),
    "retry_on": (
        "a list of text",
        lambda value: isinstance(value, list | tuple) and all(isinstance(one, str) for one in value),
    ),
    "threads": ("an integer from 1", lambda value: _is_count(value, 1)),
    **dict.fromkeys(
        ("isolate", "nonempty", "keep_failed", "provenance"),
        ("true or false", lambda value: isinstance(value, bool)),
    ),
}


def step_settings(said: Mapping[str, Any]) -> StepSettings:
    """Read what is said of a step.

    Parameters
    ----------
    said : mapping
        Values by the names of `StepSettings`; None where nothing is said.

    Raises
    ------
    ValueError
        With what the value must be, in words, and the name.

    Examples
    --------
    >>> step_settings({"timeout": "1 min", "retry_on": ["timeout"]})[2:9:4]
    (60.0, ('timeout',))
    """
    found: dict[str, Any] = {}
    for name, value in said.items():
        if value is None:
            continue
        words, read = _KEYS[name]
        try:
            answer = read(value)
        except ValueError:
            answer = False
        if answer is False:
            raise ValueError(words, name)
        found[name] = tuple(value) if name == "retry_on" else value if answer is True else answer
    return StepSettings(**found)


def seconds_text(seconds: float) -> str:
    """Write a duration for people.

    Examples
    --------
    >>> seconds_text(90), seconds_text(0.25), seconds_text(7200)
    ('1.5 min', '0.25 s', '2 h')
    """
    for unit in ("d", "h", "min"):
        if seconds >= _SECONDS[unit]:
            return f"{seconds / _SECONDS[unit]:.3g} {unit}"
    return f"{seconds:.3g} s"


def bytes_text(count: float) -> str:
    """Write an amount of memory for people.

    Examples
    --------
    >>> bytes_text(2_000_000_000), bytes_text(999)
    ('2 GB', '999 B')
    """
    for unit in ("TB", "GB", "MB", "kB"):
        if count >= _BYTES[unit]:
            return f"{count / _BYTES[unit]:.3g} {unit}"
    return f"{count:.0f} B"
