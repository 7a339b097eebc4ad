"""Times and spans as people read them in a terminal.

Knows times as the state folder has them (UTC, ISO); must not know what happened then.
"""

from __future__ import annotations

from sinagot.config.quantities import seconds_text

__all__ = ["ago", "local_time", "span"]


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
    import time

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
