"""What an examination found: a name, a value, a verdict and advice.

Plain values only. `sinagot.dataset.drive` finds things about file systems, the workspace about Python and workers.
"""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["NOTE", "OK", "PROBLEM", "VERDICTS", "WARNING", "Answer", "Finding", "brief"]

OK = "ok"
#: Worth knowing; sinagot has chosen what fits.
NOTE = "note"
#: Something may go wrong, or slowly, if nothing is done about it.
WARNING = "warning"
#: Runs fail, or could give wrong results.
PROBLEM = "problem"
#: From good to bad.
VERDICTS = (OK, NOTE, WARNING, PROBLEM)


class Answer(NamedTuple):
    """What one check says: value, verdict, advice."""

    value: str
    verdict: str = OK
    advice: str = ""


class Finding(NamedTuple):
    """One thing that was looked at.

    Attributes
    ----------
    place : str
        Where: which folders (`"data, output, log, state"`), `"Python"`, `"machine"`, or a Dask worker.
    name : str
        What was looked at.
    value : str
        What was found, in words.
    verdict : str
        `"ok"`, `"note"`, `"warning"` or `"problem"`.
    advice : str
        What it means: what sinagot chose, or what to set. May be empty where all is well.
    """

    place: str
    name: str
    value: str
    verdict: str = OK
    advice: str = ""


def brief(seconds: float) -> str:
    """Write a duration with two digits that count.

    Parameters
    ----------
    seconds : float
        The duration.

    Returns
    -------
    str
        With its unit.

    Examples
    --------
    >>> brief(0.0000123), brief(0.0123), brief(75.0)
    ('12 µs', '12 ms', '75 s')
    """
    for unit, length in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6), ("ns", 1e-9)):
        if abs(seconds) >= length:
            return (
                f"{seconds / length:.2g} {unit}"
                if abs(seconds) < 99 * length
                else f"{seconds / length:.0f} {unit}"
            )
    return "0"
