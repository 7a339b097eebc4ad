"""A pipeline of a YAML file, read and checked as a whole; nothing is run.

Knows the library, the layout and the language; must not know how jobs run (`sinagot.pipeline.templates.running`).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sinagot.config.schedules import schedule_in
from sinagot.config.settings import PolicySettings, ScheduleSettings
from sinagot.errors import ConfigurationError, ScriptError
from sinagot.pipeline.templates.folders import find_root
from sinagot.pipeline.templates.kinds import PIPELINE
from sinagot.pipeline.templates.layout import JobLayout, problems_of, read_jobs
from sinagot.pipeline.templates.library import Catalog, Library
from sinagot.pipeline.templates.places import Place
from sinagot.pipeline.templates.policies import KEYS, read_policies
from sinagot.pipeline.templates.registries import Registries
from sinagot.pipeline.templates.sections import Section
from sinagot.pipeline.templates.stages.kind import Surroundings
from sinagot.pipeline.templates.triggers import Trigger, read_triggers
from sinagot.pipeline.templates.typed import Declarations, declare
from sinagot.pipeline.templates.variables import redact_error

__all__ = ["PipelineTemplate", "read_named", "read_template"]

#: Keys of a pipeline; the last of them are for the scheduler.
_KEYS = ("desc", "params", "on", "jobs", *KEYS)
_RELEASE = dict.fromkeys(("logical_date", "run_id", "pipeline"))


@dataclass(frozen=True)
class PipelineTemplate:
    """What a file says of one pipeline.

    Attributes
    ----------
    declarations : Declarations
        Its parameters.
    triggers : tuple of Trigger
        When it runs by itself.
    jobs : mapping of str to JobLayout
        In the order of the file.
    policies : PolicySettings
        What becomes of ticks that cannot run as they are due.
    problems : tuple of ConfigurationError
        All that is wrong; a template with problems is never run.
    secrets : frozenset of str
        Texts that nobody is to read.
    root : str
        Folder of the workspace.
    settings : ScheduleSettings
        What holds for templates there.
    """

    name: str
    desc: str
    declarations: Declarations
    triggers: tuple[Trigger, ...]
    jobs: Mapping[str, JobLayout]
    policies: PolicySettings
    place: Place
    problems: tuple[ConfigurationError, ...]
    secrets: frozenset[str]
    filters: Mapping[str, Callable[..., Any]]
    root: str
    settings: ScheduleSettings = field(default_factory=ScheduleSettings)

    def __getstate__(self) -> dict[str, Any]:
        # Those of the process need not travel, and some cannot: they are found again where it is read.
        return {name: value for name, value in self.__dict__.items() if name != "filters"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        registries = _registries(state["root"], state["settings"])
        self.__dict__.update(state, filters=registries.filters(report=lambda error: None))


def read_template(
    name: str,
    *,
    externals: Mapping[str, Any] | None = None,
    root: str | os.PathLike[str] | None = None,
    registries: Registries | None = None,
    settings: ScheduleSettings | None = None,
) -> PipelineTemplate:
    """Read a pipeline by its name.

    Parameters
    ----------
    name : str
        The name.
    externals : mapping, optional
        Merged over what the file says.
    root : str or Path, optional
        Folder that holds ``conf``.
    registries : Registries, optional
        Where hooks are looked for.
    settings : ScheduleSettings, optional
        What holds for templates; else what the environment and the configuration in the folder say.

    Raises
    ------
    ConfigurationError
        There is no such pipeline, or its file cannot be read.
    """
    settings = settings or schedule_in(find_root(root).folder)
    catalog = Library(root, conf=settings.conf).look()
    return read_named(catalog, name, registries=registries, externals=externals, settings=settings)


def read_named(
    catalog: Catalog,
    name: str,
    *,
    registries: Registries | None = None,
    externals: Mapping[str, Any] | None = None,
    callers: tuple[str, ...] = (),
    settings: ScheduleSettings | None = None,
) -> PipelineTemplate:
    """Read a pipeline of a catalog; `callers` are the pipelines that trigger it."""
    settings = settings or schedule_in(catalog.root.folder, catalog.environ)
    found = catalog.find(name, PIPELINE, externals)
    folder = str(catalog.root.folder)
    registries = registries or _registries(folder, settings)
    problems: list[ConfigurationError] = []

    def take(error: ScriptError) -> None:
        problems.append(
            ConfigurationError.at(str(error), file=found.place.file, line=found.place.line, key="filters")
        )

    filters = registries.filters(report=take)
    section = Section(found.data, found.places, problems, "a pipeline")
    section.allow(*_KEYS)
    declarations = declare(found.data.get("params"), found.places.below(["params"]), found.secrets)
    problems += declarations.problems
    places = found.places.below(["on"])
    triggers = read_triggers(found.data.get("on"), places, catalog, settings.timezone, found.secrets)
    problems += triggers.problems
    around = Surroundings(
        (*callers, name),
        {"params": dict.fromkeys(declarations), "release": _RELEASE},
        catalog,
        registries,
        filters,
        found.secrets,
        folder,
        settings,
    )
    jobs: dict[str, JobLayout] = {}
    below = section.section("jobs", "jobs by name")
    if below is None:
        section.fail((), "a pipeline needs `jobs`")
    else:
        jobs = read_jobs(below, around)
    return PipelineTemplate(
        name,
        section.text("desc"),
        declarations,
        triggers.triggers,
        jobs,
        read_policies(section, settings.policies),
        found.place,
        _each_once([redact_error(one, found.secrets) for error in problems for one in problems_of(error)]),
        found.secrets,
        filters,
        folder,
        settings,
    )


def _registries(folder: str, settings: ScheduleSettings) -> Registries:
    return Registries(folder, settings.registry or None, settings.filters or None)


def _each_once(problems: list[ConfigurationError]) -> tuple[ConfigurationError, ...]:
    return tuple({str(problem): problem for problem in problems}.values())
