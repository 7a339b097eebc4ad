"""Stages that run others several times: `foreach` item of a list, or `until` a condition holds.

Knows lists of stages and asks the run to run them; must not know how.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from sinagot.errors import ConfigurationError, TemplateError
from sinagot.pipeline.templates.conditions import Condition
from sinagot.pipeline.templates.expressions import Template
from sinagot.pipeline.templates.layout import StageLayout, check_stages, read_stages
from sinagot.pipeline.templates.sections import Section
from sinagot.pipeline.templates.stages.kind import Frame, Surroundings

if TYPE_CHECKING:
    from sinagot.pipeline.templates.running import TemplateRun

__all__ = ["ForEach", "Until"]

_MOST = 100_000
_MOST_LOOPS = 10


@dataclass(frozen=True)
class ForEach:
    """Run stages once for each item; in them ``item`` is the item and ``index`` its number."""

    items: Template
    stages: tuple[StageLayout, ...]
    width: int
    section: Section
    keys = ("foreach", "stages", "concurrent")
    is_local = True

    @classmethod
    def read(cls, section: Section, around: Surroundings) -> Self:
        """Read the list and the stages."""
        if not isinstance(section.data.get("foreach"), (list, str)):
            section.fail(("foreach",), "allowed is a list, or an expression that gives one")
        return cls(
            section.template("foreach", []),
            read_stages(section, around),
            section.count("concurrent", 1, least=1),
            section,
        )

    def check(self, known: Mapping[str, Any], around: Surroundings) -> Iterable[ConfigurationError]:
        """Check the list and the stages."""
        problems = self.items.check(known, around.filters)
        section = Section(self.section.data, self.section.places, problems, "a stage")
        check_stages(section, self.stages, {**known, "item": None, "index": None}, around)
        return problems

    def within(self) -> Iterator[tuple[str, tuple[StageLayout, ...]]]:
        """Give its stages.

        Yields
        ------
        tuple
            What they are called, and the stages.
        """
        yield "item", self.stages

    def call(self, frame: Frame) -> tuple[Callable[..., dict[str, Any]], dict[str, Any]]:
        """Give what runs them."""
        items = self.items.render(frame.context, frame.filters)
        if not isinstance(items, (list, tuple)):
            raise TemplateError(f"foreach takes a list, found {type(items).__name__}")
        if len(items) > _MOST:
            raise TemplateError(f"foreach takes at most {_MOST} items, found {len(items)}")
        return self._run, {"frame": frame, "items": list(items)}

    def _run(self, frame: Frame, items: list[Any]) -> dict[str, Any]:
        run: TemplateRun = frame.run
        branches = [
            (f"{frame.name}[{index}]", self.stages, frame.with_context(item=item, index=index))
            for index, item in enumerate(items)
        ]
        made = run.branches(frame.name, branches, width=self.width)
        return {"items": items, "foreach": {str(index): one for index, one in enumerate(made)}}


@dataclass(frozen=True)
class Until:
    """Run stages again and again, until a condition holds.

    In the stages ``item`` is what the one before gave as its output ``item``; without that, one more than before.
    """

    condition: Condition | None
    item: Template
    stages: tuple[StageLayout, ...]
    most: int
    section: Section
    keys = ("until", "item", "stages", "max-loop")
    is_local = True

    @classmethod
    def read(cls, section: Section, around: Surroundings) -> Self:
        """Read the condition and the stages."""
        return cls(
            section.condition("until"),
            section.template("item", 0),
            read_stages(section, around),
            section.count("max-loop", _MOST_LOOPS, least=1),
            section,
        )

    def check(self, known: Mapping[str, Any], around: Surroundings) -> Iterable[ConfigurationError]:
        """Check the condition and the stages."""
        problems = self.item.check(known, around.filters)
        section = Section(self.section.data, self.section.places, problems, "a stage")
        inner = {**known, "item": None, "loop": None}
        check_stages(section, self.stages, inner, around)
        if self.condition is not None:
            stages = {**dict(known.get("stages") or {}), **dict.fromkeys(one.id for one in self.stages)}
            problems += self.condition.check({**inner, "stages": stages}, around.filters)
        return problems

    def within(self) -> Iterator[tuple[str, tuple[StageLayout, ...]]]:
        """Give its stages.

        Yields
        ------
        tuple
            What they are called, and the stages.
        """
        yield "loop", self.stages

    def call(self, frame: Frame) -> tuple[Callable[..., dict[str, Any]], dict[str, Any]]:
        """Give what runs them."""
        return self._run, {"frame": frame, "item": self.item.render(frame.context, frame.filters)}

    def _run(self, frame: Frame, item: Any) -> dict[str, Any]:
        run: TemplateRun = frame.run
        assert self.condition is not None, "it was read without a problem"
        loops: dict[str, Any] = {}
        for number in range(1, self.most + 1):
            context = frame.with_context(item=item, loop=number)
            (made,) = run.branches(frame.name, [(f"{frame.name}[{number}]", self.stages, context)], width=1)
            loops[str(number)] = made
            stages = {**context.get("stages", {}), **made["stages"]}
            given = [
                one["outputs"]["item"] for one in made["stages"].values() if "item" in one.get("outputs", {})
            ]
            if given:
                item = given[-1]
            elif isinstance(item, int) and not isinstance(item, bool):
                item += 1
            if self.condition.evaluate({**context, "item": item, "stages": stages}, frame.filters):
                return {"item": item, "loops": number, "until": loops}
        raise TemplateError(f"`until` did not come true in {self.most} loops (max-loop)")
