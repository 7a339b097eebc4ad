"""Moments and spans of time, as people write and read them in a terminal.

Knows clocks, and times as the state folder has them (UTC, ISO); must not know what happened then.
"""

from __future__ import annotations

import time

import click

from sinagot.config.quantities import seconds_text

__all__ = ["ago", "local_time", "read_age", "read_moment", "span"]


def local_time(text: str | None) -> str:
    """Write a time as local time, to the second.

    Parameters
    ----------
    text : str or None
        UTC, ISO.

    Returns
    -------
    str
        A dash when it is not known.

    Examples
    --------
    >>> local_time(None), local_time("soon"), len(local_time("2026-01-31T23:59:59.123456+00:00"))
    ('-', '-', 19)
    """
    from sinagot.engine.accounts.attempts import epoch_of

    seconds = epoch_of(text)
    if seconds is None:
        return "-"
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(seconds))


def span(seconds: float | None) -> str:
    """Write a duration; a dash when it is not known.

    Examples
    --------
    >>> span(90.0), span(0.0012345), span(None)
    ('1.5 min', '0.00123 s', '-')
    """
    return "-" if seconds is None else seconds_text(seconds)


def ago(seconds: float | None) -> str:
    """Write how long ago something was; a clock that is ahead makes it now.

    Examples
    --------
    >>> ago(7200), ago(3.7), ago(-4), ago(None)
    ('2 h ago', '4 s ago', 'now', '-')
    """
    if seconds is None:
        return "-"
    return f"{seconds_text(round(seconds))} ago" if seconds >= 1 else "now"


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
