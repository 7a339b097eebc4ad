"""What a kind of stage is, and which there are: a key of the file and an import path, until one is needed.

Must not know what any of them does. The kinds of workspaces are named here and never imported from here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import TYPE_CHECKING, Any, Protocol

from sinagot.config.settings import ScheduleSettings
from sinagot.errors import ConfigurationError

if TYPE_CHECKING:
    from sinagot.pipeline.templates.library import Catalog
    from sinagot.pipeline.templates.registries import Registries
    from sinagot.pipeline.templates.sections import Section

__all__ = ["Frame", "Kind", "Surroundings", "kind_named", "kind_names"]

_HOME = "sinagot.pipeline.templates.stages"
_KINDS: dict[str, str] = {
    "bash": f"{_HOME}.shell:Bash",
    "run": f"{_HOME}.python:Python",
    "uses": f"{_HOME}.hook:Uses",
    "trigger": f"{_HOME}.trigger:Trigger",
    "foreach": f"{_HOME}.loops:ForEach",
    "until": f"{_HOME}.loops:Until",
    "parallel": f"{_HOME}.branches:Parallel",
    "case": f"{_HOME}.branches:Case",
    "raise": f"{_HOME}.plain:Raise",
    "steps": "sinagot.workspace.pipelines.stages:Steps",
    "compute": "sinagot.workspace.pipelines.stages:Compute",
    # Last: any stage may say something.
    "echo": f"{_HOME}.plain:Echo",
}


@dataclass(frozen=True)
class Surroundings:
    """What is known while a template is read."""

    #: Name of the pipeline, and those that trigger it.
    pipelines: tuple[str, ...]
    #: Names that expressions may use, see `Template.check`.
    known: Mapping[str, Any]
    catalog: Catalog | None
    registries: Registries
    filters: Mapping[str, Callable[..., Any]]
    secrets: frozenset[str] = frozenset()
    #: Folder of the workspace.
    root: str = "."
    #: What holds for templates there.
    settings: ScheduleSettings = field(default_factory=ScheduleSettings)


@dataclass(frozen=True)
class Frame:
    """What a stage sees when it runs."""

    #: What expressions are looked up in.
    context: Mapping[str, Any]
    filters: Mapping[str, Callable[..., Any]]
    #: The run of the template, see `sinagot.pipeline.templates.running`.
    run: Any
    #: Full name of the stage.
    name: str
    extra: dict[str, Any] = field(default_factory=dict)

    def with_context(self, **names: Any) -> dict[str, Any]:
        """Give the context with further names."""
        return {**self.context, **names}


class Kind(Protocol):
    """What one stage does.

    Attributes
    ----------
    keys : tuple of str
        Keys of the file that are of this kind.
    is_local : bool
        It steers other stages, and is not sent to another process.
    joins : bool, absent where False
        It works on a workspace: its run becomes a part of that of the pipeline.
    """

    keys: tuple[str, ...]
    is_local: bool

    @classmethod
    def read(cls, section: Section, around: Surroundings) -> Kind:
        """Read the keys; what is wrong goes to the section's problems."""

    def check(self, known: Mapping[str, Any], around: Surroundings) -> Iterable[ConfigurationError]:
        """Find unknown names, without running anything."""

    def call(self, frame: Frame) -> tuple[Callable[..., dict[str, Any]], dict[str, Any]]:
        """Give the function that does it and its arguments, with all expressions filled in."""

    def within(self) -> Iterator[tuple[str, tuple[Any, ...]]]:
        """Give the stages that it steers, by the name of their branch."""


def kind_names() -> tuple[str, ...]:
    """List the keys that say what a stage does."""
    return tuple(_KINDS)


def kind_named(name: str) -> type[Kind]:
    """Give the class of a kind."""
    module, _, attribute = _KINDS[name].partition(":")
    found: type[Kind] = getattr(import_module(module), attribute)
    return found
