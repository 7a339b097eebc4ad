"""The layout of a template: a pipeline of jobs, a job of stages, and what each of them says of itself.

Knows keys and checks them all without running anything; must not know how anything runs. What a stage does is read by
its kind, in `sinagot.pipeline.templates.stages`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from graphlib import CycleError, TopologicalSorter
from typing import Any

from sinagot.config.hints import did_you_mean
from sinagot.config.settings import StepSettings
from sinagot.engine.acts.act import RULES
from sinagot.errors import ConfigurationError
from sinagot.pipeline.templates.conditions import Condition
from sinagot.pipeline.templates.matrix import Strategy, read_strategy
from sinagot.pipeline.templates.places import Place
from sinagot.pipeline.templates.sections import Section
from sinagot.pipeline.templates.stages.kind import Kind, Surroundings, kind_named, kind_names

__all__ = ["JobLayout", "StageLayout", "check_stages", "needs_of", "read_jobs", "read_stages", "stage_id"]

_COMMON = ("name", "id", "if", "desc", "retry", "retry-wait", "timeout")
_JOB = ("desc", "needs", "strategy", "if", "retry", "retry-wait", "trigger-rule", "stages")
#: Parts of names are joined by these.
_UNNAMEABLE = re.compile(r"[./\[\]]")
_UNSAFE = re.compile(r"[^A-Za-z0-9_]+")


def stage_id(name: str) -> str:
    """Make the id of a stage of its name.

    Examples
    --------
    >>> stage_id("Retrieve API Data"), stage_id("!!")
    ('retrieve-api-data', 'stage')
    """
    return _UNSAFE.sub("-", name).strip("-").lower() or "stage"


@dataclass(frozen=True)
class StageLayout:
    """One stage of a job."""

    id: str
    name: str
    kind: Kind
    place: Place
    desc: str = ""
    condition: Condition | None = None
    settings: StepSettings = field(default_factory=StepSettings)
    #: Expressions can name its outputs, and the result has them.
    is_kept: bool = True


@dataclass(frozen=True)
class JobLayout:
    """One job."""

    id: str
    stages: tuple[StageLayout, ...]
    place: Place
    desc: str = ""
    needs: tuple[str, ...] = ()
    strategy: Strategy | None = None
    condition: Condition | None = None
    rule: str = "all_success"
    settings: StepSettings = field(default_factory=StepSettings)


def read_jobs(section: Section, around: Surroundings) -> dict[str, JobLayout]:
    """Read the jobs of a pipeline; what is wrong goes to the section's problems."""
    jobs: dict[str, JobLayout] = {}
    for name in section.data:
        found = section.section(name, "a job")
        if found is None:
            section.fail((name,), "this job is empty; it needs at least `stages`")
            continue
        jobs[name] = _job(name, found, around)
    _check_needs(section, jobs)
    for name, job in jobs.items():
        below = section.places.below((name,))
        known = {**around.known, "jobs": dict.fromkeys(_before(name, jobs))}
        keys = () if job.strategy is None else job.strategy.keys
        known["matrix"] = None if keys is None else dict.fromkeys(keys)
        if job.condition is not None:
            section.check(job.condition.check({**known, "stages": {}}, around.filters))
        if job.strategy is not None:
            section.check(job.strategy.check({**known, "matrix": {}, "stages": {}}, around.filters))
        check_stages(Section(section.data[name], below, section.problems, "a job"), job.stages, known, around)
    return jobs


def _job(name: str, section: Section, around: Surroundings) -> JobLayout:
    section.allow(*_JOB)
    if _UNNAMEABLE.search(name):
        section.fail(
            (), "a job's name holds no point, slash or square bracket: expressions could not name it"
        )
    stages = read_stages(section, around)
    strategy = section.section("strategy", "a strategy")
    return JobLayout(
        name,
        stages,
        section.place,
        section.text("desc"),
        section.words("needs"),
        None if strategy is None else read_strategy(strategy),
        section.condition("if"),
        section.word("trigger-rule", tuple(RULES), "all_success"),
        StepSettings(
            retries=section.count("retry") or None, retry_wait=section.seconds("retry-wait", may_be_zero=True)
        ),
    )


def read_stages(section: Section, around: Surroundings, key: str = "stages") -> tuple[StageLayout, ...]:
    """Read a list of stages."""
    stages: list[StageLayout] = []
    if not section.has(key):
        section.fail((), f"{section.what} needs `{key}`")
    taken: dict[str, int] = {}
    for one in section.sections(key, "a stage"):
        stage = _stage(one, around)
        if stage.id in taken:
            if one.has("id"):
                one.fail(("id",), f"two stages have the id {stage.id!r}")
            taken[stage.id] += 1
            stage = StageLayout(**{**stage.__dict__, "id": f"{stage.id}-{taken[stage.id]}"})
        taken.setdefault(stage.id, 1)
        stages.append(stage)
    return tuple(stages)


def _stage(section: Section, around: Surroundings) -> StageLayout:
    kinds = kind_names()
    said = [name for name in kinds if section.has(name)]
    if len(said) > 1:
        section.fail((said[1],), f"a stage does one thing: this one has {' and '.join(said)}")
    kind = kind_named(said[0] if said else "echo")
    section.allow(*_COMMON, *kind.keys, others=() if said else kinds)
    name = section.text("name") or section.text("id")
    if not name:
        section.fail((), "a stage needs a `name`")
    identity = section.text("id") or stage_id(name)
    if _UNNAMEABLE.search(identity):
        section.fail(("id",), "an id holds no point, slash or square bracket: expressions could not name it")
    timeout = section.seconds("timeout")
    if timeout is not None and kind.is_local:
        section.fail(
            ("timeout",),
            f"a stage with `{said[0]}` "
            + getattr(kind, "no_timeout", "has no timeout of its own; give one to the stages within"),
        )
        timeout = None
    return StageLayout(
        identity,
        name or identity,
        kind.read(section, around),
        section.place,
        section.text("desc"),
        section.condition("if"),
        _settings(section)._replace(timeout=timeout),
        section.has("id") or around.settings.stage_default_id,
    )


def _settings(section: Section) -> StepSettings:
    return StepSettings(
        retries=section.count("retry") or None, retry_wait=section.seconds("retry-wait", may_be_zero=True)
    )


def check_stages(
    section: Section, stages: tuple[StageLayout, ...], known: Mapping[str, Any], around: Surroundings
) -> None:
    """Check the expressions of stages: each knows those before it."""
    before: dict[str, Any] = dict(known.get("stages") or {})  # nested stages see those round them
    for stage in stages:
        seen = {**known, "stages": dict(before)}
        if stage.condition is not None:
            section.check(stage.condition.check(seen, around.filters))
        section.check(stage.kind.check(seen, around))
        if stage.is_kept:
            before[stage.id] = None


def _check_needs(section: Section, jobs: Mapping[str, JobLayout]) -> None:
    for name, job in jobs.items():
        for other in job.needs:
            if other not in jobs:
                hint = did_you_mean(other, list(jobs))
                section.fail((name, "needs"), f"there is no job {other!r}, there is {', '.join(jobs)}", hint)
    try:
        TopologicalSorter(needs_of(jobs)).prepare()
    except CycleError as error:
        circle = error.args[1]
        section.fail((circle[0], "needs"), f"jobs wait for one another in a circle: {' <- '.join(circle)}")


def needs_of(jobs: Mapping[str, JobLayout]) -> dict[str, tuple[str, ...]]:
    """Give which jobs each job waits for."""
    return {name: tuple(other for other in job.needs if other in jobs) for name, job in jobs.items()}


def _before(name: str, jobs: Mapping[str, JobLayout]) -> Iterator[str]:
    """Give the jobs that are over when a job begins."""
    seen: set[str] = set()
    pending = [name]
    while pending:
        for other in jobs[pending.pop()].needs:
            if other in jobs and other not in seen:
                seen.add(other)
                pending.append(other)
                yield other


def problems_of(error: ConfigurationError) -> tuple[ConfigurationError, ...]:
    """Give the single problems of an error."""
    return tuple(error.problems or (error,))
