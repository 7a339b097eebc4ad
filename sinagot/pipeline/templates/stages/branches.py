"""Stages that choose or join others: `parallel` branches, and `case`, of which one branch is run.

Knows lists of stages and asks the run to run them; must not know how.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from sinagot.errors import ConfigurationError, TemplateError
from sinagot.pipeline.templates.expressions import Template
from sinagot.pipeline.templates.layout import StageLayout, check_stages, read_stages
from sinagot.pipeline.templates.sections import Section
from sinagot.pipeline.templates.stages.kind import Frame, Surroundings

if TYPE_CHECKING:
    from sinagot.pipeline.templates.running import TemplateRun

__all__ = ["Case", "Parallel"]

#: What matches everything.
_ELSE = "_"


@dataclass(frozen=True)
class Parallel:
    """Run several lists of stages side by side."""

    branches: tuple[tuple[str, tuple[StageLayout, ...]], ...]
    width: int
    section: Section
    keys = ("parallel", "max-workers")
    is_local = True

    @classmethod
    def read(cls, section: Section, around: Surroundings) -> Self:
        """Read the branches."""
        found = section.section("parallel", "branches by name")
        branches: tuple[tuple[str, tuple[StageLayout, ...]], ...] = ()
        if found is None or not found.data:
            section.fail(("parallel",), "allowed are branches by name, each a list of stages")
        else:
            branches = tuple((name, read_stages(found, around, name)) for name in found.data)
        return cls(branches, section.count("max-workers", 0) or max(len(branches), 1), section)

    def check(self, known: Mapping[str, Any], around: Surroundings) -> Iterable[ConfigurationError]:
        """Check all branches."""
        problems: list[ConfigurationError] = []
        section = Section(self.section.data, self.section.places, problems, "a stage")
        for _, stages in self.branches:
            check_stages(section, stages, {**known, "branch": None}, around)
        return problems

    def within(self) -> Iterator[tuple[str, tuple[StageLayout, ...]]]:
        """Give its branches."""
        yield from self.branches

    def call(self, frame: Frame) -> tuple[Callable[..., dict[str, Any]], dict[str, Any]]:
        """Give what runs them."""
        return self._run, {"frame": frame}

    def _run(self, frame: Frame) -> dict[str, Any]:
        run: TemplateRun = frame.run
        branches = [
            (f"{frame.name}[{name}]", stages, frame.with_context(branch=name))
            for name, stages in self.branches
        ]
        made = run.branches(frame.name, branches, width=self.width)
        return {"parallel": {name: one for (name, _), one in zip(self.branches, made, strict=True)}}


@dataclass(frozen=True)
class Case:
    """Run the stages of the first `match` whose `case` equals the value; ``_`` equals everything."""

    value: Template
    matches: tuple[tuple[Template, tuple[StageLayout, ...]], ...]
    section: Section
    keys = ("case", "match")
    is_local = True

    @classmethod
    def read(cls, section: Section, around: Surroundings) -> Self:
        """Read the value and what it is compared with."""
        matches = []
        for one in section.sections("match", "a `case` and its `stages`"):
            one.allow("case", "stages")
            if not one.has("case"):
                one.fail((), "each match needs a `case`; `_` is for everything else")
            matches.append((one.template("case"), read_stages(one, around)))
        if not matches:
            section.fail(("case",), "needs `match`: a list of `case` and `stages`")
        return cls(section.template("case"), tuple(matches), section)

    def check(self, known: Mapping[str, Any], around: Surroundings) -> Iterable[ConfigurationError]:
        """Check the value and all branches."""
        problems = self.value.check(known, around.filters)
        section = Section(self.section.data, self.section.places, problems, "a stage")
        for case, stages in self.matches:
            problems += case.check(known, around.filters)
            check_stages(section, stages, known, around)
        return problems

    def within(self) -> Iterator[tuple[str, tuple[StageLayout, ...]]]:
        """Give its branches."""
        for number, (case, stages) in enumerate(self.matches, start=1):
            yield (str(case.render({})) if case.is_constant else str(number)), stages

    def call(self, frame: Frame) -> tuple[Callable[..., dict[str, Any]], dict[str, Any]]:
        """Give what runs the branch."""
        value = self.value.render(frame.context, frame.filters)
        for case, stages in self.matches:
            wanted = case.render(frame.context, frame.filters)
            # 1 is no True, and "1" is no 1.
            if wanted == _ELSE or (wanted == value and isinstance(wanted, bool) is isinstance(value, bool)):
                return self._run, {"frame": frame, "value": value, "case": wanted, "stages": stages}
        raise TemplateError(f"no case matches {value!r}; `case: _` would match everything")

    def _run(self, frame: Frame, value: Any, case: Any, stages: tuple[StageLayout, ...]) -> dict[str, Any]:
        run: TemplateRun = frame.run
        (made,) = run.branches(frame.name, [(f"{frame.name}[{case}]", stages, dict(frame.context))], width=1)
        return {"value": value, "case": case, "stages": made["stages"]}
