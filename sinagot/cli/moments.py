"""Moments as people write them: a date, a time, or how long ago.

Knows words and clocks; must not know what happened at a moment.
"""

from __future__ import annotations

import time

import click

__all__ = ["read_age", "read_moment"]


def read_age(text: str, option: str) -> float:
    """Read how long ago something was.

    Parameters
    ----------
    text : str
        Such as ``2h`` or ``30d``.
    option : str
        Whose value it is, for the message.

    Returns
    -------
    float
        Seconds.

    Examples
    --------
    >>> read_age("30d", "--older-than")
    2592000.0
    """
    from sinagot.config.quantities import seconds_of

    try:
        return seconds_of(text)
    except ValueError as error:
        raise click.UsageError(f"{option}: {text!r} is no time; write it like 90s, 30min, 2h, 7d") from error


def read_moment(text: str, option: str) -> float:
    """Read a moment.

    Parameters
    ----------
    text : str
        A date (its first moment) or a time, local where it names no zone: ``2026-01-31``, ``2026-01-31T14:00``; or how
        long ago: ``2h``.
    option : str
        Whose value it is, for the message.

    Returns
    -------
    float
        Seconds since 1970.

    Examples
    --------
    >>> read_moment("2026-01-31T12:00+00:00", "--since")
    1769860800.0
    """
    from datetime import datetime

    try:
        return datetime.fromisoformat(text.strip()).timestamp()
    except (ValueError, OverflowError):
        pass
    try:
        return time.time() - read_age(text, option)
    except click.UsageError:
        raise click.UsageError(
            f"{option}: {text!r} is no moment; write a date like 2026-01-31, a time like 2026-01-31T14:00, "
            "or how long ago like 30min, 2h, 7d"
        ) from None
