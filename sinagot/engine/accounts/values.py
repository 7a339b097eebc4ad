"""How many values a processor of a flow has taken and written, and what it waits for, as its newest event tells.

Knows events of acts; must not know flows. Made by `acts` and `stages`, shown by commands and pages.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

__all__ = ["NO_VALUES", "ValuesTold", "values_note", "values_of", "values_text"]

#: Streams of one processor that are told, characters of what it waits for.
_MOST, _LONGEST = 200, 400


class ValuesTold(NamedTuple):
    """Counts of one processor at one moment; all is empty for an act that has none."""

    #: Input -> values that it has taken; stream -> values that it wrote to it.
    values_in: dict[str, int] | None = None
    values_out: dict[str, int] | None = None
    #: How many of them its slowest reader has not yet taken; None where it is not told.
    lead: int | None = None
    #: What it waited for; empty when it worked.
    waits_for: str = ""
    #: When it was so (UTC, ISO).
    told: str | None = None


NO_VALUES = ValuesTold()


def values_of(facts: Mapping[str, Any], time: str | None) -> ValuesTold:
    """Read the counts of an event.

    Parameters
    ----------
    facts : mapping
        The event.
    time : str or None
        When it was written.

    Returns
    -------
    ValuesTold
        What is no count is left out.

    Examples
    --------
    >>> values_of({"values_in": {"raw": 3}, "values_out": {"bar": 2, "bad": None}, "lead": 1}, None)
    ValuesTold(values_in={'raw': 3}, values_out={'bar': 2}, lead=1, waits_for='', told=None)
    >>> values_of({"state": "RUNNING"}, "2026-01-01T00:00:00+00:00") == NO_VALUES
    True
    """
    taken, written = _counts(facts.get("values_in")), _counts(facts.get("values_out"))
    if taken is None and written is None:
        return NO_VALUES
    waits = facts.get("waits_for")
    return ValuesTold(
        taken or {},
        written or {},
        _count(facts.get("lead")),
        waits[:_LONGEST] if isinstance(waits, str) else "",
        time,
    )


def values_text(values_in: Mapping[str, int] | None, values_out: Mapping[str, int] | None) -> str:
    """Say how many values were taken and written.

    Examples
    --------
    >>> values_text({"raw": 1200}, {"words": 3, "lines": 0})
    'in 1,200 raw; out 3 words, 0 lines'
    >>> values_text(None, None)
    ''
    """
    sides = (("in", values_in), ("out", values_out))
    return "; ".join(
        f"{word} {', '.join(f'{count:,} {name}' for name, count in counts.items())}"
        for word, counts in sides
        if counts
    )


def values_note(values_in: Mapping[str, int] | None, values_out: Mapping[str, int] | None) -> str:
    """Say in few signs how many values went in and out, of all streams.

    Examples
    --------
    >>> values_note({"raw": 3, "more": 9}, {"words": 1_234_567}), values_note({}, {"words": 2})
    ('12→1.23M', '→2')
    """
    before, after = (_short(sum(counts.values())) if counts else "" for counts in (values_in, values_out))
    return f"{before}→{after}" if before or after else ""


def _short(number: int) -> str:
    if number < 10_000:
        return str(number)
    size, unit = next((one for one in ((10**9, "G"), (10**6, "M")) if number >= one[0]), (1000, "k"))
    return f"{number / size:.3g}{unit}" if number < 1000 * size else f"{number // size}{unit}"


def _counts(found: object) -> dict[str, int] | None:
    if not isinstance(found, Mapping):
        return None
    known = {str(name): _count(one) for name, one in [*found.items()][:_MOST]}
    return {name: one for name, one in known.items() if one is not None}


def _count(found: object) -> int | None:
    return found if isinstance(found, int) and not isinstance(found, bool) and found >= 0 else None
