"""Stages that only say something: `echo`, and `raise`, which fails.

Knows the log; must not know other stages.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Self

from sinagot.errors import ConfigurationError, PipelineError
from sinagot.pipeline.templates.expressions import Template
from sinagot.pipeline.templates.places import Place
from sinagot.pipeline.templates.sections import Section
from sinagot.pipeline.templates.stages.kind import Frame, Surroundings
from sinagot.pipeline.templates.stages.sayings import say

__all__ = ["Echo", "Raise"]


@dataclass(frozen=True)
class _Says:
    """A stage with one text."""

    text: Template
    place: Place
    keys = ("echo",)
    is_local = False

    @classmethod
    def read(cls, section: Section, around: Surroundings) -> Self:
        """Read the text."""
        return cls(section.template(cls.keys[0], ""), section.place)

    def check(self, known: Mapping[str, Any], around: Surroundings) -> Iterable[ConfigurationError]:
        """Check the text."""
        return self.text.check(known, around.filters)

    def within(self) -> Iterator[Any]:
        """Give nothing: it steers no stages."""
        return iter(())

    def _said(self, frame: Frame) -> str:
        value = self.text.render(frame.context, frame.filters)
        return value if isinstance(value, str) else repr(value)


class Echo(_Says):
    """Write a line into the log; without a text, only that the stage was there."""

    def call(self, frame: Frame) -> tuple[Callable[..., dict[str, Any]], dict[str, Any]]:
        """Give what writes the line."""
        return _echo, {"text": self._said(frame), "place": self.place}


class Raise(_Says):
    """Fail with a message."""

    keys = ("raise",)

    def call(self, frame: Frame) -> tuple[Callable[..., dict[str, Any]], dict[str, Any]]:
        """Give what fails."""
        return _raise, {"text": self._said(frame)}


def _echo(text: str, place: Place) -> dict[str, Any]:
    if text:
        say(text, place)
    return {}


def _raise(text: str) -> dict[str, Any]:
    raise PipelineError(text)
