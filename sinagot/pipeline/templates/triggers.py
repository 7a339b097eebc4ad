"""When a pipeline is started: what its key ``on:`` says, with names of `on.On` objects looked up.

Knows keys and names; must not know when the next tick is. The scheduler makes ticks of it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from sinagot.config.hints import did_you_mean, spelled_list
from sinagot.config.problems import shown
from sinagot.config.zones import DEFAULT_ZONE, fault_of_zone
from sinagot.errors import ConfigurationError
from sinagot.pipeline.templates.cron import fault_of_cron, looks_like_cron, normalised
from sinagot.pipeline.templates.intervals import INTERVAL_KEYS, IntervalFault, cron_of_interval
from sinagot.pipeline.templates.kinds import ON
from sinagot.pipeline.templates.library import Catalog
from sinagot.pipeline.templates.places import KeyPath, Place, Places
from sinagot.pipeline.templates.variables import redact_error

__all__ = ["Trigger", "Triggers", "read_on", "read_triggers"]

_WAYS = ("cron", "cronjob", "interval")
_KEYS = ("cron", "cronjob", *INTERVAL_KEYS, "timezone", "desc")


class Trigger(NamedTuple):
    """One time table of a pipeline."""

    #: Five fields with single blanks.
    cron: str
    #: Name of a time zone that is known here.
    timezone: str
    #: Where the cron text stands.
    place: Place
    #: Of the `on.On` object; None of one that is written at the pipeline.
    name: str | None = None


class Triggers(NamedTuple):
    """What a key ``on:`` says, and what is wrong with it."""

    triggers: tuple[Trigger, ...]
    problems: tuple[ConfigurationError, ...]


def read_triggers(
    on: Any,
    places: Places,
    catalog: Catalog,
    default_timezone: str = DEFAULT_ZONE,
    secrets: Iterable[str] = (),
) -> Triggers:
    """Read what stands under ``on:`` of a pipeline.

    Parameters
    ----------
    on : object
        None, the name of an `on.On` object, a mapping with ``cron`` (or ``cronjob``, or ``interval`` with ``day`` and
        ``time``) and ``timezone``, or a list of names and mappings.
    places : Places
        Of the value.
    catalog : Catalog
        Where the names are looked up.
    default_timezone : str
        Where none is written.
    secrets : iterable of str
        Texts that no message may show.

    Returns
    -------
    Triggers
        In the order of the file.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from sinagot.pipeline.templates.library import Library
    >>> from sinagot.pipeline.templates.places import Mark
    >>> catalog = Library(tempfile.mkdtemp()).look()
    >>> places = Places(Path("a.yaml"), Mark(4, 7), ["daily", "on"])
    >>> found = read_triggers({"cronjob": "0 6 * * *", "timezone": "Asia/Bangkok"}, places, catalog)
    >>> found.triggers[0][:2]
    ('0 6 * * *', 'Asia/Bangkok')
    >>> print(read_triggers({"cron": "0 6 * *"}, places, catalog).problems[0])
    a.yaml:4: daily.on.cron: found 4 fields in '0 6 * *', allowed 5 (minute hour day month weekday)
    """
    triggers: list[Trigger] = []
    problems: list[ConfigurationError] = []
    items = list(enumerate(on)) if isinstance(on, list) else [] if on is None else [(None, on)]
    if isinstance(on, list) and not on:
        hint = "without `on` it runs when it is asked for"
        problems.append(
            places.error((), "found an empty list, allowed is at least one time table", hint=hint)
        )
    for at, item in items:
        path: KeyPath = () if at is None else (at,)
        try:
            if isinstance(item, str):
                found = _named(item, path, places, catalog, default_timezone)
            else:
                found = read_on(item, places.below(path), default_timezone)
        except ConfigurationError as error:
            problems += error.problems or (error,)
            continue
        triggers += found.triggers
        problems += found.problems
    return Triggers(tuple(triggers), tuple(redact_error(error, secrets) for error in problems))


def _named(name: str, path: KeyPath, places: Places, catalog: Catalog, default_timezone: str) -> Triggers:
    if looks_like_cron(name):
        raise places.error(
            path, f"found the cron text {name!r}, allowed a name", hint=f'write cron: "{name}"'
        )
    try:
        found = catalog.find(name, ON)
    except ConfigurationError as error:
        if error.file is None:
            # Nothing of that name: it is the reference that is wrong.
            raise places.error(path, error.message, found=name, allowed=error.allowed) from None
        raise
    read = read_on(found.data, found.places, default_timezone)
    return Triggers(
        tuple(trigger._replace(name=name) for trigger in read.triggers),
        tuple(redact_error(error, found.secrets) for error in read.problems),
    )


def read_on(data: Any, places: Places, default_timezone: str = DEFAULT_ZONE) -> Triggers:
    """Read one time table: the keys of an `on.On` object, or those of a mapping at a pipeline.

    Parameters
    ----------
    data : object
        A mapping with ``cron`` or ``cronjob``, or ``interval`` and perhaps ``day`` and ``time``; and perhaps
        ``timezone`` and ``desc``.
    places : Places
        Of the mapping.
    default_timezone : str
        Where none is written.
    """
    if not isinstance(data, dict):
        word = "nothing" if data is None else shown(data)
        allowed = "the name of an on.On object, or a mapping with cron and timezone"
        return Triggers((), (places.error((), f"found {word}, allowed {allowed}"),))
    problems = []
    for key in data:
        if key not in _KEYS:
            near = did_you_mean(key, _KEYS) or None
            known = spelled_list(_KEYS, "and")
            problems.append(places.error((key,), f"unknown key, known are {known}", hint=near))
    written = [key for key in _WAYS if key in data]
    if len(written) != 1:
        what = f"both {written[0]} and {written[1]} are written, allowed is one" if written else "has no cron"
        hint = None if written else 'write one, such as cron: "*/5 * * * *", or interval: daily'
        problems.append(places.error((), what, hint=hint))
        return Triggers((), tuple(problems))
    way, timezone = written[0], data.get("timezone", default_timezone)
    cron = data[way]
    if way == "interval":
        cron = cron_of_interval(data)
        if isinstance(cron, IntervalFault):
            problems.append(places.error((cron.key,), cron.text, hint=cron.hint, found=cron.found))
    else:
        problems += [
            places.error((key,), f"goes with interval, not with {way}")
            for key in INTERVAL_KEYS
            if key in data
        ]
        fault = fault_of_cron(cron)
        if fault:
            problems.append(places.error((way,), fault[0], hint=fault[1], found=cron))
    fault = fault_of_zone(timezone)
    if fault:
        problems.append(places.error(("timezone",), fault[0], hint=fault[1], found=timezone))
    if problems:
        return Triggers((), tuple(problems))
    return Triggers((Trigger(normalised(cron), timezone, places.of((way,))),), ())
