"""From a name to a `Pipeline` that runs a template.

Knows both halves: templates, and the class that people hold in their hands.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from itertools import pairwise
from typing import Any, TypeVar

from sinagot.config.problems import joined_error
from sinagot.config.settings import ScheduleSettings
from sinagot.pipeline.description import Description, EdgeView, GroupView, NodeView, ParamView
from sinagot.pipeline.parameters import REQUIRED, Parameters
from sinagot.pipeline.templates.layout import JobLayout, StageLayout
from sinagot.pipeline.templates.running import checked
from sinagot.pipeline.templates.template import PipelineTemplate, read_template
from sinagot.runlog.secrets import redact_value, redactor

__all__ = ["TemplateParameters", "description_of", "load_template"]

_View = TypeVar("_View", ParamView, NodeView, EdgeView, GroupView)


class TemplateParameters(Parameters):
    """Parameters that a template declares."""

    def __init__(self, template: PipelineTemplate) -> None:
        declared = template.declarations
        super().__init__(
            {name: REQUIRED if one.is_required else one.default for name, one in declared.items()}
        )
        self._template = template

    def merged(self, given: Mapping[str, Any]) -> Parameters:
        """Give a copy for one run, with other values, all of them checked."""
        said = {name: value for name, value in self.items() if value is not self._defaults[name]}
        made = self.copy()
        made._values = checked(self._template, {**said, **given})
        return made


def load_template(
    name: str,
    externals: Mapping[str, Any] | None = None,
    root: str | os.PathLike[str] | None = None,
    settings: ScheduleSettings | None = None,
) -> PipelineTemplate:
    """Read a template that can be run.

    Raises
    ------
    ConfigurationError
        There is none of this name, or something of it is wrong; all of it is told.
    """
    template = read_template(name, externals=externals, root=root, settings=settings)
    if template.problems:
        raise joined_error(list(template.problems))
    return template


def description_of(template: PipelineTemplate) -> Description:
    """Describe a template."""
    nodes: list[NodeView] = []
    edges: list[EdgeView] = []
    ends: dict[str, tuple[list[str], list[str]]] = {}
    for job in template.jobs.values():
        nodes += _nodes(job.id, job.stages, job)
        ends[job.id] = _edges(job.id, job.stages, edges)
    for job in template.jobs.values():
        before = [end for other in job.needs for end in ends[other][1]]
        edges += [EdgeView(source, first) for source in before for first in ends[job.id][0]]
    redact = redactor(template.secrets)
    params = [
        ParamView(one.name, one.type, one.default, one.is_required, one.doc, tuple(one.options or ()))
        for one in template.declarations.values()
    ]
    return Description(
        template.name,
        "template",
        redact(template.desc),
        tuple(_redacted(one, redact) for one in params),
        tuple(_redacted(one, redact) for one in nodes),
        tuple(_redacted(one, redact) for one in dict.fromkeys(edges)),
        tuple(_redacted(GroupView(job.id, doc=job.desc), redact) for job in template.jobs.values()),
    )


def _redacted(view: _View, redact: Callable[[str], str]) -> _View:
    """Take secrets out of a part of a description."""
    made: _View = type(view)(*redact_value(list(view), redact))
    return made


def _nodes(before: str, stages: tuple[StageLayout, ...], job: JobLayout) -> Iterator[NodeView]:
    for stage in stages:
        name = f"{before}/{stage.id}"
        kind = type(stage.kind).__name__.lower()
        source = f"{stage.place.file}:{stage.place.line}"
        rule = job.rule if stage is stages[0] else "none_failed"
        yield NodeView(name, stage.name, kind, job.id, stage.desc, source, rule)
        for branch, inner in stage.kind.within():
            yield from _nodes(f"{name}[{branch}]", inner, job)


def _edges(
    before: str, stages: tuple[StageLayout, ...], edges: list[EdgeView]
) -> tuple[list[str], list[str]]:
    """Add the edges of stages in a row; give the first and the last of them."""
    names = [f"{before}/{stage.id}" for stage in stages]
    edges += [EdgeView(one, other) for one, other in pairwise(names)]
    for name, stage in zip(names, stages, strict=True):
        for branch, inner in stage.kind.within():
            firsts, _ = _edges(f"{name}[{branch}]", inner, edges)
            edges += [EdgeView(name, first) for first in firsts]
    return names[:1], names[-1:]
