"""Names of time zones, and which one holds where none is written.

Knows what this machine knows of time zones; must not know what happens at which time.
Templates, schedules and the checks of the configuration ask it.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from sinagot.config.hints import closest
from sinagot.errors import ConfigurationError

__all__ = ["DEFAULT_ZONE", "VARIABLE", "default_zone", "fault_of_zone"]

#: Where nothing else is said.
DEFAULT_ZONE = "Etc/UTC"
#: Environment variable that names another one.
VARIABLE = "WORKFLOW_CORE_TIMEZONE"


def fault_of_zone(name: Any) -> tuple[str, str | None] | None:
    """Say what is wrong with the name of a time zone, and what to do; None where it is right.

    Parameters
    ----------
    name : object
        As it was written.

    Examples
    --------
    >>> fault_of_zone("Europe/Paris") is None
    True
    >>> fault_of_zone("Europe/Pariss")
    ("unknown time zone 'Europe/Pariss'", "did you mean 'Europe/Paris'?")
    """
    if not isinstance(name, str):
        from sinagot.config.problems import shown

        return f"found {'nothing' if name is None else shown(name)}, allowed the name of a time zone", None
    import zoneinfo  # most commands name no zone

    try:
        zoneinfo.ZoneInfo(name)
    except (LookupError, ValueError, OSError):
        known = zoneinfo.available_timezones()
        cities = {one.rpartition("/")[2]: one for one in sorted(known)} | {one: one for one in known}
        best = closest(name, cities)
        near = f"did you mean {cities[best]!r}?" if best else "names are like Europe/Paris or Etc/UTC"
        if not known:
            near = "this machine knows no time zones: install the package tzdata"
        return f"unknown time zone {name[:60]!r}", near
    return None


def default_zone(said: str | None = None, environ: Mapping[str, str] | None = None) -> str:
    """Give the time zone of what names none: the environment's, else that of the configuration, else UTC.

    Parameters
    ----------
    said : str, optional
        What the configuration says.
    environ : mapping of str to str, optional
        The variables; those of the process by default. One that is set to nothing counts as unset.

    Raises
    ------
    ConfigurationError
        The variable names no time zone.

    Examples
    --------
    >>> (
    ...     default_zone(environ={}),
    ...     default_zone("Asia/Tokyo", environ={"WORKFLOW_CORE_TIMEZONE": "Europe/Paris"}),
    ... )
    ('Etc/UTC', 'Europe/Paris')
    """
    name = (os.environ if environ is None else environ).get(VARIABLE)
    if not name:
        return said or DEFAULT_ZONE
    fault = fault_of_zone(name)
    if fault is not None:
        raise ConfigurationError.at(fault[0], key=VARIABLE, hint=fault[1], found=name)
    return name
