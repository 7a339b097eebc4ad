"""When a pipeline is started: what its key ``on:`` says, with names of `on.On` objects looked up.

Knows the form of a cron text and the names of time zones; must not know when the next tick is.
The scheduler makes ticks of it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, NamedTuple

from sinagot.config.hints import closest, did_you_mean, spelled_list
from sinagot.config.problems import shown
from sinagot.errors import ConfigurationError
from sinagot.pipeline.templates.kinds import ON
from sinagot.pipeline.templates.library import Catalog
from sinagot.pipeline.templates.places import KeyPath, Place, Places
from sinagot.pipeline.templates.variables import redact_error

__all__ = ["DEFAULT_TIMEZONE", "Trigger", "Triggers", "read_on", "read_triggers"]

DEFAULT_TIMEZONE = "Etc/UTC"

#: Minute to day of the week; then a year, or seconds first and a year last.
_FIELDS = (5, 6, 7)
_FIELD = re.compile(r"[0-9A-Za-z*/,?#-]+", re.ASCII)
_NAMED = ("@yearly", "@annually", "@monthly", "@weekly", "@daily", "@midnight", "@hourly")
_KEYS = ("cron", "cronjob", "timezone", "desc")


class Trigger(NamedTuple):
    """One time table of a pipeline."""

    #: As written, with single blanks.
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
    default_timezone: str = DEFAULT_TIMEZONE,
    secrets: Iterable[str] = (),
) -> Triggers:
    """Read what stands under ``on:`` of a pipeline.

    Parameters
    ----------
    on : object
        None, the name of an `on.On` object, a mapping with ``cron`` (or ``cronjob``) and ``timezone``, or a list of
        names and mappings.
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
    a.yaml:4: daily.on.cron: found 4 fields in '0 6 * *', allowed 5 (minute hour day month weekday), 6 or 7
    """
    triggers: list[Trigger] = []
    problems: list[ConfigurationError] = []
    items = list(enumerate(on)) if isinstance(on, list) else [] if on is None else [(None, on)]
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
    if _FIELD.fullmatch(name) is None and len(name.split()) in _FIELDS:
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


def read_on(data: Any, places: Places, default_timezone: str = DEFAULT_TIMEZONE) -> Triggers:
    """Read one time table: the keys of an `on.On` object, or those of a mapping at a pipeline.

    Parameters
    ----------
    data : object
        A mapping with ``cron`` or ``cronjob``, and perhaps ``timezone`` and ``desc``.
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
    written = [key for key in ("cron", "cronjob") if key in data]
    if len(written) != 1:
        what = "both cron and cronjob are written, allowed is one" if written else "has no cron"
        hint = None if written else 'write one, such as cron: "*/5 * * * *"'
        problems.append(places.error((), what, hint=hint))
        return Triggers((), tuple(problems))
    cron, timezone = data[written[0]], data.get("timezone", default_timezone)
    fault = _fault_of_cron(cron)
    if fault:
        problems.append(places.error(written, fault[0], hint=fault[1], found=cron))
    fault = _fault_of_timezone(timezone)
    if fault:
        problems.append(places.error(("timezone",), fault[0], hint=fault[1], found=timezone))
    if problems:
        return Triggers((), tuple(problems))
    return Triggers((Trigger(" ".join(cron.split()), timezone, places.of(written)),), ())


def _fault_of_cron(cron: Any) -> tuple[str, str | None] | None:
    if not isinstance(cron, str):
        return f"found {'nothing' if cron is None else shown(cron)}, allowed cron text", "write it in quotes"
    fields = cron.split()
    if cron.strip().startswith("@"):
        if cron.strip().lower() in _NAMED:
            return None
        return f"found {cron!r}, allowed {spelled_list(_NAMED)}", did_you_mean(cron, _NAMED) or None
    if len(fields) not in _FIELDS:
        allowed = "5 (minute hour day month weekday), 6 or 7"
        return (
            f"found {len(fields)} field{'s' * (len(fields) != 1)} in {cron[:60]!r}, allowed {allowed}",
            None,
        )
    for field in fields:
        if _FIELD.fullmatch(field) is None:
            return f"found {field[:60]!r}, which is no field of a cron text", None
    return None


def _fault_of_timezone(timezone: Any) -> tuple[str, str | None] | None:
    import zoneinfo

    if not isinstance(timezone, str):
        return (
            f"found {'nothing' if timezone is None else shown(timezone)}, allowed the name of a time zone",
            None,
        )
    try:
        zoneinfo.ZoneInfo(timezone)
    except (LookupError, ValueError, OSError):
        known = zoneinfo.available_timezones()
        cities = {name.rpartition("/")[2]: name for name in sorted(known)} | {name: name for name in known}
        best = closest(timezone, cities)
        near = f"did you mean {cities[best]!r}?" if best else "names are like Europe/Paris or Etc/UTC"
        if not known:
            near = "this machine knows no time zones: install the package tzdata"
        return f"unknown time zone {timezone[:60]!r}", near
    return None
