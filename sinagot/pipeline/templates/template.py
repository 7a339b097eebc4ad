"""A pipeline of a YAML file, read and checked as a whole; nothing is run.

Knows the library, the layout and the language; must not know how jobs run (`sinagot.pipeline.templates.running`).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from sinagot.errors import ConfigurationError, ScriptError
from sinagot.pipeline.templates.kinds import PIPELINE
from sinagot.pipeline.templates.layout import JobLayout, problems_of, read_jobs
from sinagot.pipeline.templates.library import Catalog, Library
from sinagot.pipeline.templates.places import Place
from sinagot.pipeline.templates.registries import Registries
from sinagot.pipeline.templates.sections import Section
from sinagot.pipeline.templates.stages.kind import Surroundings
from sinagot.pipeline.templates.triggers import Trigger, read_triggers
from sinagot.pipeline.templates.typed import Declarations, declare
from sinagot.pipeline.templates.variables import redact_error

__all__ = ["PipelineTemplate", "read_named", "read_template"]

#: Keys of a pipeline; those of the second line are for the scheduler.
_KEYS = ("desc", "params", "on", "jobs", "overlap", "catchup", "max-catchup", "grace", "retry", "notify")
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
    policies : mapping of str to object
        What the scheduler reads: ``overlap``, ``catchup`` and so on, as written.
    problems : tuple of ConfigurationError
        All that is wrong; a template with problems is never run.
    secrets : frozenset of str
        Texts that nobody is to read.
    root : str
        Folder of the workspace.
    """

    name: str
    desc: str
    declarations: Declarations
    triggers: tuple[Trigger, ...]
    jobs: Mapping[str, JobLayout]
    policies: Mapping[str, Any]
    place: Place
    problems: tuple[ConfigurationError, ...]
    secrets: frozenset[str]
    filters: Mapping[str, Callable[..., Any]]
    root: str

    def __getstate__(self) -> dict[str, Any]:
        # Those of the process need not travel, and some cannot: they are found again where it is read.
        return {name: value for name, value in self.__dict__.items() if name != "filters"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state, filters=Registries(state["root"]).filters(report=lambda error: None))


def read_template(
    name: str,
    *,
    externals: Mapping[str, Any] | None = None,
    root: str | os.PathLike[str] | None = None,
    registries: Registries | None = None,
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

    Raises
    ------
    ConfigurationError
        There is no such pipeline, or its file cannot be read.
    """
    library = Library(root)
    catalog = library.look()
    return read_named(catalog, name, registries=registries, externals=externals)


def read_named(
    catalog: Catalog,
    name: str,
    *,
    registries: Registries | None = None,
    externals: Mapping[str, Any] | None = None,
    callers: tuple[str, ...] = (),
) -> PipelineTemplate:
    """Read a pipeline of a catalog; `callers` are the pipelines that trigger it."""
    found = catalog.find(name, PIPELINE, externals)
    folder = str(catalog.root.folder)
    registries = registries or Registries(folder)
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
    triggers = read_triggers(found.data.get("on"), found.places.below(["on"]), catalog, secrets=found.secrets)
    problems += triggers.problems
    around = Surroundings(
        (*callers, name),
        {"params": dict.fromkeys(declarations), "release": _RELEASE},
        catalog,
        registries,
        filters,
        found.secrets,
        folder,
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
        {key: found.data[key] for key in _KEYS[4:] if key in found.data},
        found.place,
        _each_once([redact_error(one, found.secrets) for error in problems for one in problems_of(error)]),
        found.secrets,
        filters,
        folder,
    )


def _each_once(problems: list[ConfigurationError]) -> tuple[ConfigurationError, ...]:
    return tuple({str(problem): problem for problem in problems}.values())
