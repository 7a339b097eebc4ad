"""Stages of kind `trigger`: another pipeline of the library, as a part of this run.

Knows pipelines by name; must not know how they run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from sinagot.errors import ConfigurationError, TemplateError
from sinagot.pipeline.templates.expressions import Template
from sinagot.pipeline.templates.joining import joins
from sinagot.pipeline.templates.sections import Section
from sinagot.pipeline.templates.stages.kind import Frame, Surroundings

if TYPE_CHECKING:
    from sinagot.pipeline.templates.running import TemplateRun
    from sinagot.pipeline.templates.template import PipelineTemplate

__all__ = ["Trigger"]


@dataclass(frozen=True)
class Trigger:
    """Run another pipeline with parameters of its own."""

    name: str
    params: Template
    #: None where it can't be read; `check` tells.
    template: PipelineTemplate | None
    problems: tuple[ConfigurationError, ...]
    keys = ("trigger", "params")
    is_local = True

    @classmethod
    def read(cls, section: Section, around: Surroundings) -> Self:
        """Read the other pipeline as well."""
        from sinagot.pipeline.templates.template import read_named  # it reads stages, and so comes back here

        name = section.text("trigger")
        template: PipelineTemplate | None = None
        problems: tuple[ConfigurationError, ...] = ()
        if name in around.pipelines:
            told = " -> ".join([*around.pipelines, name])
            section.fail(("trigger",), f"pipelines would trigger one another without end: {told}")
        elif around.catalog is None:
            section.fail(("trigger",), "there is no folder of pipelines here")
        else:
            try:
                template = read_named(
                    around.catalog,
                    name,
                    registries=around.registries,
                    callers=around.pipelines,
                    settings=around.settings,
                )
                problems = template.problems
            except ConfigurationError as error:
                section.fail(("trigger",), str(error))
        return cls(name, section.template("params", {}), template, problems)

    def check(self, known: Mapping[str, Any], around: Surroundings) -> Iterable[ConfigurationError]:
        """Check the parameters; problems of the other pipeline are its own and told with it."""
        yield from self.params.check(known, around.filters)
        yield from self.problems
        if self.template is not None and self.params.is_constant:
            yield from self.template.declarations.check(self.params.render({}) or {}).problems

    @property
    def joins(self) -> bool:
        """The other pipeline works on a workspace."""
        return self.template is not None and any(joins(job.stages) for job in self.template.jobs.values())

    def within(self) -> Iterator[Any]:
        """Give nothing: the other pipeline is drawn for itself."""
        return iter(())

    def call(self, frame: Frame) -> tuple[Callable[..., dict[str, Any]], dict[str, Any]]:
        """Give what runs it."""
        params = self.params.render(frame.context, frame.filters) or {}
        if not isinstance(params, Mapping):
            raise TemplateError(f"params of a trigger are a mapping, found {type(params).__name__}")
        return self._run, {"frame": frame, "params": dict(params)}

    def _run(self, frame: Frame, params: dict[str, Any]) -> dict[str, Any]:
        run: TemplateRun = frame.run
        assert self.template is not None, "it was read without a problem"
        return run.triggered(frame, self.template, params)
