"""How templates are filled: one environment for all pages, in which every text is escaped.

Knows Jinja2 and how times, sizes and durations are written; must not know what is shown.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from jinja2 import Environment, PackageLoader, StrictUndefined

from sinagot.config.quantities import bytes_text, seconds_text
from sinagot.engine.accounts.attempts import epoch_of
from sinagot.engine.accounts.values import values_text
from sinagot.engine.words import ACTS, LAUNCHES, OUTCOMES, STATUS, TICKS, TONES, Word, css, tone_of

if TYPE_CHECKING:
    from sinagot.engine.accounts.acts import ActFacts

__all__ = ["age_text", "environment", "local_time", "stylesheet"]


def age_text(moment: float | None, now: float | None = None) -> str:
    """Write how long ago a moment was, in seconds since 1970.

    Examples
    --------
    >>> age_text(100, 103), age_text(0, 7200), age_text(0, 86400 * 9)
    ('3 s', '2 h', '9 d')
    """
    if moment is None:
        return ""
    past = max(0.0, (time.time() if now is None else now) - moment)
    for seconds, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if past >= seconds:
            return f"{past / seconds:.0f} {unit}"
    return f"{past:.0f} s"


def local_time(text: Any, pattern: str = "%Y-%m-%d %H:%M:%S") -> str:
    """Write a time of a file, or in seconds since 1970, as local time."""
    try:
        moment = (
            datetime.fromtimestamp(text, UTC)
            if isinstance(text, int | float)
            else datetime.fromisoformat(str(text))
        )
    except (ValueError, OverflowError, OSError):
        return str(text or "–")  # noqa: RUF001  (a dash)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return moment.astimezone().strftime(pattern)


def stylesheet() -> str:
    """Give the rules for the colours of statuses and outcomes, light and dark."""
    tones = {word.tone for word in (*STATUS.values(), *OUTCOMES.values(), *ACTS.values())}
    rules = (
        f".t-{tone}{{background:var(--sg-{tone});color:var(--sg-{tone}-ink);fill:var(--sg-{tone})}}"
        for tone in sorted(tones)
    )
    drawn = (
        f".sg-graph .sg-{tone}{{fill:var(--sg-{tone})}}.sg-graph .sg-{tone}-on{{fill:var(--sg-{tone}-ink)}}"
        for tone in TONES
    )
    return "\n".join([css(), f"@media (prefers-color-scheme: dark){{{css(dark=True)}}}", *rules, *drawn])


def _streams(counts: Mapping[str, int] | None) -> str:
    return ", ".join(f"{count:,} {name}" for name, count in (counts or {}).items())


def _values(act: ActFacts) -> str:
    """Say what went in and out of a processor, by how much it leads, and what it waits for."""
    lead = f"lead {act.lead:,}" if act.lead else ""
    waits = f"waits {act.waits_for}" if act.waits_for else ""
    return "; ".join(part for part in (values_text(act.values_in, act.values_out), lead, waits) if part)


def _ago(text: str | None) -> str:
    moment = epoch_of(text)
    return f"{age_text(moment)} ago" if moment is not None else ""


def environment(**globals_: Any) -> Environment:
    """Make the environment of all templates.

    Parameters
    ----------
    **globals_
        Names that every template has.
    """
    made = Environment(
        loader=PackageLoader("sinagot.dashboard"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    made.filters |= {
        "size": lambda value: "–" if value is None else bytes_text(value),  # noqa: RUF001  (a dash)
        "age": age_text,
        "moment": local_time,
        "seconds": lambda value: "" if value is None else seconds_text(value),
        "count": lambda value: f"{value:,}",
        "segment": lambda text: quote(str(text), safe="", errors="surrogateescape"),
        "status": lambda name: STATUS.get(name, Word(name.lower(), "?", "?", "none")),
        "outcome": lambda name: OUTCOMES.get(name, Word(str(name), "?", "?", "none")),
        "streams": _streams,
        "values": _values,
        "ago": _ago,
        "act": lambda name: ACTS.get(name, Word(str(name), "?", "?", "none")),
        "verdict": lambda name: TICKS.get(name, Word(str(name), "?", "?", "none")),
        "launch": lambda name: LAUNCHES.get(name, Word(str(name), "?", "?", "none")),
        "tone": lambda text: tone_of(text) or "none",
    }
    made.globals |= globals_
    return made
