"""The schedules of a workspace as its files say them now: when each ticks, its policies, and why it can't run.

Knows templates and the configuration; must not know histories or clocks. Files that change are read again; one that is
broken hides no other schedule, and those that it had are kept as what can't run.
"""

from __future__ import annotations

import heapq
import os
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from sinagot.config.load import load_configuration
from sinagot.config.schedules import schedule_of
from sinagot.config.settings import PolicySettings
from sinagot.errors import ConfigurationError, ScriptError, SinagotError
from sinagot.pipeline.templates.folders import list_files
from sinagot.pipeline.templates.kinds import PIPELINE
from sinagot.pipeline.templates.library import Catalog, Library
from sinagot.pipeline.templates.loading import TemplateParameters
from sinagot.pipeline.templates.registries import Registries
from sinagot.pipeline.templates.template import PipelineTemplate, read_named
from sinagot.schedule.on import On
from sinagot.workspace.pipelines.parameters import PipelineParameters
from sinagot.workspace.pipelines.templates import conf_folder

if TYPE_CHECKING:
    from sinagot.schedule.deciding import Ticks
    from sinagot.workspace.contracts import House

__all__ = ["Entry", "MergedTicks", "Roster"]

_FIRST = datetime(2, 1, 1, tzinfo=UTC)
_LAST = datetime(9998, 12, 31, tzinfo=UTC)
_Print = tuple[tuple[str, int, int, int], ...]


class MergedTicks:
    """The nominal times of one schedule, of all its time tables; one that stands in several comes once.

    Examples
    --------
    >>> ticks = MergedTicks([On("0 * * * *"), On("0,30 12 * * *")])
    >>> noon = datetime(2026, 1, 1, 12, tzinfo=UTC)
    >>> later = ticks.after(noon)
    >>> f"{next(later):%H:%M}", f"{next(later):%H:%M}", f"{next(ticks.until(noon)):%H:%M}"
    ('12:30', '13:00', '12:00')
    """

    def __init__(self, tables: Iterable[On]) -> None:
        self._tables = list(tables)

    def after(self, moment: datetime) -> Iterator[datetime]:
        """Give those after a moment, oldest first."""
        return _once(heapq.merge(*(one.ticks(moment, _LAST) for one in self._tables)))

    def until(self, moment: datetime) -> Iterator[datetime]:
        """Give those at a moment and before it, newest first."""
        found = [one.ticks(_FIRST, moment, newest_first=True) for one in self._tables]
        return _once(heapq.merge(*found, reverse=True))


def _once(ticks: Iterable[datetime]) -> Iterator[datetime]:
    former = None
    for tick in ticks:
        if tick != former:
            yield tick
        former = tick


class Entry(NamedTuple):
    """One schedule, as it is written now."""

    name: str
    file: str
    #: Cron texts with their zones.
    on: tuple[str, ...]
    #: None where nobody knows when it would tick.
    ticks: Ticks | None
    policies: PolicySettings
    #: Why its runs can't start; empty where they can.
    unable: str = ""


class _Registries(Registries):
    """Hooks and filters as they are at one look at all templates."""

    _found: tuple[Mapping[str, Callable[..., Any]], list[ScriptError]] | None = None

    def filters(self, report: Callable[[ScriptError], Any] | None = None) -> Mapping[str, Callable[..., Any]]:
        """Give all filters; modules are looked for once."""
        if self._found is None:
            errors: list[ScriptError] = []
            self._found = super().filters(errors.append), errors
        for error in self._found[1] if report is not None else ():
            report(error)  # type: ignore[misc]  # it is there
        return self._found[0]


class Roster:
    """The schedules of a workspace.

    Parameters
    ----------
    workspace : Workspace
        Whose templates they are.

    Attributes
    ----------
    entries : dict of str to Entry
        By name, sorted.
    problems : list of str
        What is wrong with files; each names its file.
    version : int
        Grows with each change.
    """

    def __init__(self, workspace: House) -> None:
        self.entries: dict[str, Entry] = {}
        self.problems: list[str] = []
        self.version = 0
        self._guard = threading.Lock()
        self._root = workspace.configuration.root
        self._files = [str(file) for file in workspace.configuration.files]
        self._configuration: Any = workspace.configuration
        self._broken = ""
        self._settings = schedule_of(self._configuration)
        self._library = self._open()
        self._print: _Print | None = None

    @property
    def configuration(self) -> Any:
        """The configuration as it was when it could be read last."""
        return self._configuration

    def look(self) -> None:
        """Read again what has changed on the disk; while another thread does, what is known counts."""
        if not self._guard.acquire(blocking=not self.version):
            return
        try:
            found = self._print_now()
            if found != self._print:
                self._read(found)
                self.version += 1
        finally:
            self._guard.release()

    def _read(self, found: _Print) -> None:
        former, self._print = self._print, found
        if former is not None and _of(former, self._files) != _of(found, self._files):
            self._read_configuration()
        catalog = self._library.look()
        self._registries = _Registries(
            str(self._root), self._settings.registry or None, self._settings.filters or None
        )
        entries: dict[str, Entry] = {}
        for name in catalog.names(PIPELINE):
            entry = self._entry(catalog, name)
            if entry is not None:
                entries[name] = entry
        problems = catalog.problems()
        # A file that can't be read at all gives no names.
        for name, entry in self.entries.items():
            broken = next((errors for file, errors in problems.items() if str(file) == entry.file), None)
            if name not in entries and broken:
                entries[name] = entry._replace(unable=_told(broken))
        self.entries = dict(sorted(entries.items()))
        self.problems = [str(error) for errors in problems.values() for error in errors]

    def _print_now(self) -> _Print:
        files, _ = list_files(self._library.root.conf)
        found = []
        for file in [*self._files, *map(str, files)]:
            try:
                about = os.stat(file)
                found.append((file, about.st_mtime_ns, about.st_size, about.st_ino))
            except OSError:
                found.append((file, 0, 0, 0))
        return tuple(found)

    def _open(self) -> Library:
        return Library(self._root, conf=conf_folder(self._root, self._settings))

    def _read_configuration(self) -> None:
        try:
            self._configuration = load_configuration(self._files)
            self._settings, self._broken = schedule_of(self._configuration), ""
        except SinagotError as error:
            self._broken = str(error)
            return
        found = self._open()
        if found.root != self._library.root:
            self._library = found

    def _entry(self, catalog: Catalog, name: str) -> Entry | None:
        """Read one schedule; None of a pipeline that has no time table."""
        former = self.entries.get(name)
        try:
            found = catalog.find(name, PIPELINE)
            if found.data.get("on") is None:
                return None
            template = read_named(catalog, name, registries=self._registries, settings=self._settings)
        except ConfigurationError as error:
            told = _told(error.problems or (error,))
            if former is not None:
                return former._replace(unable=told)
            return Entry(name, str(error.file or ""), (), None, PolicySettings(), told)
        return self._of_template(template, former)

    def _of_template(self, template: PipelineTemplate, former: Entry | None) -> Entry:
        problems: list[str] = [str(one) for one in template.problems]
        tables = []
        for trigger in template.triggers:
            try:
                tables.append(On(trigger.cron, trigger.timezone))
            except SinagotError as error:
                problems.append(f"{trigger.place.file}:{trigger.place.line}: {error}")
        if self._broken:
            problems.append(self._broken)
        elif not problems:
            problems += self._unset(template)
        if not tables and former is not None:
            return former._replace(unable=_first_of(problems))
        on = tuple(f"{one.cronjob} {one.timezone}" for one in tables)
        ticks = MergedTicks(tables) if tables else None
        return Entry(
            template.name, str(template.place.file), on, ticks, template.policies, _first_of(problems)
        )

    def _unset(self, template: PipelineTemplate) -> list[str]:
        """Give what is wrong with its parameters: a tick brings none, so all of them have to be written."""
        layers = PipelineParameters(self._configuration, template.name, TemplateParameters(template))
        return [str(error) for error in layers.problems()]


def _of(found: _Print, files: Iterable[str]) -> list[Any]:
    wanted = set(files)
    return [one for one in found if one[0] in wanted]


def _told(problems: Iterable[ConfigurationError]) -> str:
    return _first_of([str(one) for one in problems])


def _first_of(problems: list[str]) -> str:
    more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    return f"{problems[0]}{more}" if problems else ""
