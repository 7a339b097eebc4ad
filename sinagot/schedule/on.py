"""`On`: a cron line and a time zone, and when its ticks are.

Knows names of time tables and moments; must not know what is run at them.
"""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Iterator, Mapping
from dataclasses import KW_ONLY, InitVar, dataclass
from typing import Any
from zoneinfo import ZoneInfo

from sinagot.config.hints import did_you_mean, spelled_list
from sinagot.config.problems import joined_error, shown
from sinagot.config.schedules import schedule_in
from sinagot.config.zones import default_zone, fault_of_zone
from sinagot.errors import ConfigurationError
from sinagot.pipeline.templates.cron import fault_of_cron, normalised, parsed
from sinagot.pipeline.templates.folders import find_root
from sinagot.pipeline.templates.intervals import INTERVAL_KEYS, IntervalFault, cron_of_interval
from sinagot.pipeline.templates.kinds import ON
from sinagot.pipeline.templates.library import Library
from sinagot.pipeline.templates.triggers import read_on
from sinagot.pipeline.templates.variables import redact_error
from sinagot.schedule.ticks import TimeTable, time_table

__all__ = ["On", "Pointer"]

_KEYS = (*INTERVAL_KEYS, "timezone")
_LEAST = dt.timedelta(microseconds=1)


@dataclass(frozen=True)
class On:
    """When something runs by itself: a cron line in a time zone. Cannot be changed.

    Attributes
    ----------
    cronjob : str
        Minute, hour, day of the month, month, day of the week; or a word such as ``@daily``. It is kept as five fields.
    timezone : str
        Name of a time zone. Else what the variable ``WORKFLOW_CORE_TIMEZONE`` says, else ``Etc/UTC``.
    cron : str
        Another name of the argument `cronjob`, as in files.

    Raises
    ------
    ConfigurationError
        The text is no cron line, or one that never comes; or the time zone is not known here.
    MissingExtraError
        The extra `schedule` is not installed.

    Examples
    --------
    >>> on = On("30 2 * * *", "Europe/Paris")
    >>> str(on.next("2024-03-30 12:00")), str(on.next("2024-03-31 12:00"))
    ('2024-03-31 03:00:00+02:00', '2024-04-01 02:30:00+02:00')
    >>> On("@daily") == On("0 0 * * ?", "Etc/UTC")
    True
    """

    cronjob: str = ""
    timezone: str = ""
    _: KW_ONLY
    cron: InitVar[str | None] = None

    def __post_init__(self, cron: str | None) -> None:
        if cron is not None:
            if self.cronjob:
                raise ConfigurationError.at("both cron and cronjob are given, allowed is one", key="cron")
            object.__setattr__(self, "cronjob", cron)
        fault = fault_of_cron(self.cronjob)
        if fault is not None:
            raise ConfigurationError.at(fault[0], key="cronjob", hint=fault[1], found=self.cronjob)
        zone = self.timezone or default_zone()
        fault = fault_of_zone(zone)
        if fault is not None:
            raise ConfigurationError.at(fault[0], key="timezone", hint=fault[1], found=zone)
        object.__setattr__(self, "cronjob", normalised(self.cronjob))
        object.__setattr__(self, "timezone", zone)
        parsed(self.cronjob)

    @classmethod
    def from_loader(
        cls,
        name: str,
        externals: Mapping[str, Any] | None = None,
        root: str | os.PathLike[str] | None = None,
    ) -> On:
        r"""Find a time table by its name in the YAML files of a workspace.

        Parameters
        ----------
        name : str
            Of an object of the type `on.On`.
        externals : mapping, optional
            Values that win over those of the file.
        root : str or path-like, optional
            Folder that holds ``conf``; found as templates are when not given.

        Raises
        ------
        ConfigurationError
            There is no such time table, or something of it is wrong; names file and line.

        Examples
        --------
        >>> import tempfile
        >>> from pathlib import Path
        >>> root = Path(tempfile.mkdtemp())
        >>> (root / "conf").mkdir()
        >>> _ = (root / "conf/on.yaml").write_text("often:\n  type: on.On\n  cron: '*/5 * * * *'\n")
        >>> str(On.from_loader("often", root=root).cronjob)
        '*/5 * * * *'
        """
        settings = schedule_in(find_root(root).folder)
        found = Library(root, conf=settings.conf).find(name, ON, externals)
        said = externals or {}
        for key in ("cron", "cronjob", "interval"):
            if key in said:  # it wins over the other ways to say when
                for other in {"cron", "cronjob", *INTERVAL_KEYS}.difference(said):
                    found.data.pop(other, None)
        read = read_on(found.data, found.places, settings.timezone)
        if read.problems:
            raise joined_error([redact_error(problem, found.secrets) for problem in read.problems])
        return cls(*read.triggers[0][:2])

    @classmethod
    def from_value(cls, value: Mapping[str, Any]) -> On:
        """Make a time table of a plain description.

        Parameters
        ----------
        value : mapping
            `interval` is ``daily``, ``weekly`` or ``monthly``. `day` of a week is a weekday (Monday when not given); of
            a month a number (1 when not given), or a weekday: the first one of the month. `time` is ``"HH:MM"``
            (midnight when not given). `timezone` is as of `On`.

        Raises
        ------
        ConfigurationError
            Something of it is wrong; names the key.

        Examples
        --------
        >>> On.from_value({"interval": "weekly", "day": "friday", "time": "18:30"}).cronjob
        '30 18 * * FRI'
        >>> On.from_value({"interval": "monthly", "day": "tuesday"}).cronjob
        '0 0 * * TUE#1'
        """
        given: Any = value
        if not isinstance(given, Mapping):
            raise _refused("value", given, "a mapping such as {'interval': 'daily'}")
        for key in value:
            if key not in _KEYS:
                near = did_you_mean(str(key), _KEYS) or None
                raise ConfigurationError.at(
                    f"unknown key, known are {spelled_list(_KEYS, 'and')}", key=str(key), hint=near
                )
        text = cron_of_interval(value)
        if isinstance(text, IntervalFault):
            raise ConfigurationError.at(text.text, key=text.key, hint=text.hint, found=text.found)
        return cls(text, value.get("timezone") or "")

    @property
    def zone(self) -> ZoneInfo:
        """The time zone."""
        return ZoneInfo(self.timezone)

    def next(self, start: dt.datetime | dt.date | str) -> dt.datetime:
        """Give the first tick after a moment.

        Parameters
        ----------
        start : datetime, date or str
            A moment, as an object or in the form ``2024-01-31 06:00``; without an offset it is of the time zone of the
            table. It is no tick of its own: the answer is after it.

        Returns
        -------
        datetime
            In the time zone of the table.

        Raises
        ------
        ConfigurationError
            The text is no moment, or the calendar ends before.
        """
        return self._nearest(start, 1)

    def prev(self, start: dt.datetime | dt.date | str) -> dt.datetime:
        """Give the last tick before a moment; see `next`.

        Parameters
        ----------
        start : datetime, date or str
            A moment.
        """
        return self._nearest(start, -1)

    def generate(self, start: dt.datetime | dt.date | str) -> Pointer:
        """Begin at a moment, and go from tick to tick; see `next`.

        Parameters
        ----------
        start : datetime, date or str
            A moment.

        Examples
        --------
        >>> ticks = On("*/5 * * * *").generate("2022-01-01 00:00:00")
        >>> f"{ticks.next:%H:%M}", f"{ticks.next:%H:%M}", f"{ticks.prev:%H:%M}"
        ('00:05', '00:10', '00:05')
        """
        return Pointer(self, self._moment(start))

    def ticks(
        self, after: dt.datetime, until: dt.datetime, *, newest_first: bool = False
    ) -> Iterator[dt.datetime]:
        """Give the ticks after a moment and not after another, one by one, **in UTC**.

        Parameters
        ----------
        after, until : datetime
            Aware; the second one may be a tick.
        newest_first : bool
            From the last one to the first.

        Yields
        ------
        datetime
            Each costs a few microseconds, however many there are.

        Examples
        --------
        >>> day = [dt.datetime(2024, 1, 1, hour, tzinfo=dt.UTC) for hour in (0, 2)]
        >>> [f"{tick:%H:%M}" for tick in On("@hourly").ticks(*day, newest_first=True)]
        ['02:00', '01:00']
        """
        table = self._table()
        for tick in table.instants(until + _LEAST, -1) if newest_first else table.instants(after):
            if not after < tick <= until:
                return
            yield tick

    def _table(self) -> TimeTable:
        return time_table(self.cronjob, self.zone)

    def _nearest(self, start: dt.datetime | dt.date | str, step: int) -> dt.datetime:
        moment = self._moment(start)
        for tick in self._table().instants(moment, step):
            return tick.astimezone(self.zone)
        word = "after" if step > 0 else "before"
        raise ConfigurationError.at(f"{self.cronjob!r} has no tick {word} {moment}", key="start", found=start)

    def _moment(self, start: dt.datetime | dt.date | str) -> dt.datetime:
        found: Any = start
        if isinstance(found, str):
            try:
                found = dt.datetime.fromisoformat(found.strip())
            except ValueError:
                raise _refused("start", start, "a moment such as 2024-01-31 06:00") from None
        if isinstance(found, dt.date) and not isinstance(found, dt.datetime):
            found = dt.datetime.combine(found, dt.time())
        if not isinstance(found, dt.datetime) or found != found:  # no moment of pandas is unequal to itself
            raise _refused("start", start, "a moment such as 2024-01-31 06:00")
        return found if found.utcoffset() is not None else found.replace(tzinfo=self.zone)


delattr(On, "cron")  # an argument alone: its default is nobody's attribute


class Pointer:
    """A moment that goes from tick to tick of a time table; `On.generate` makes it.

    Parameters
    ----------
    on : On
        The time table.
    start : datetime
        Where it begins; aware.
    """

    def __init__(self, on: On, start: dt.datetime) -> None:
        self.on = on
        self.start = start
        self._now = start

    def __repr__(self) -> str:
        return f"<Pointer at {self._now} of {self.on}>"

    @property
    def next(self) -> dt.datetime:
        """The next tick; each use goes one further."""
        self._now = self.on.next(self._now)
        return self._now

    @property
    def prev(self) -> dt.datetime:
        """The tick before; each use goes one back."""
        self._now = self.on.prev(self._now)
        return self._now

    def reset(self) -> None:
        """Go back to the start."""
        self._now = self.start


def _refused(key: str, found: Any, allowed: str, hint: str | None = None) -> ConfigurationError:
    word = "nothing" if found is None else shown(found)
    return ConfigurationError.at(
        f"found {word}, allowed {allowed}", key=key, found=found, allowed=allowed, hint=hint
    )
