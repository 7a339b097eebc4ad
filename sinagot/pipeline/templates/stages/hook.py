"""Stages of kind `uses`: a function of a registry module, called with the arguments below `with`.

Knows hooks; must not know other stages.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Self

from sinagot.errors import ConfigurationError, SinagotError
from sinagot.pipeline.templates.expressions import Template
from sinagot.pipeline.templates.hooks import Hook, find_hook
from sinagot.pipeline.templates.places import Place
from sinagot.pipeline.templates.registries import Registries
from sinagot.pipeline.templates.sections import Section
from sinagot.pipeline.templates.stages.kind import Frame, Surroundings

__all__ = ["Uses"]


@dataclass(frozen=True)
class Uses:
    """Call a hook."""

    uses: str
    written: Mapping[str, Any]
    arguments: Template
    registries: Registries
    place: Place
    keys = ("uses", "with")
    is_local = False

    @classmethod
    def read(cls, section: Section, around: Surroundings) -> Self:
        """Read which hook, and its arguments."""
        given = section.section("with", "arguments")
        return cls(
            section.text("uses"),
            given.data if given is not None else {},
            section.template("with", {}),
            around.registries,
            section.places.of(("uses",)),
        )

    def check(self, known: Mapping[str, Any], around: Surroundings) -> Iterable[ConfigurationError]:
        """Find the hook, and check its arguments against its signature; nothing is called."""
        yield from self.arguments.check(known, around.filters)
        try:
            hook = find_hook(self.uses, self.registries, self.place)
        except ConfigurationError as error:
            yield from error.problems or (error,)
            return
        except SinagotError as error:  # its module fails when it is imported
            yield ConfigurationError.at(str(error), file=self.place.file, line=self.place.line, key="uses")
            return
        yield from hook.check(self.written)

    def within(self) -> Iterator[Any]:
        """Give nothing: it steers no stages."""
        return iter(())

    def call(self, frame: Frame) -> tuple[Callable[..., dict[str, Any]], dict[str, Any]]:
        """Give what calls it."""
        hook = find_hook(self.uses, self.registries, self.place)
        return _call, {"hook": hook, "arguments": self.arguments.render(frame.context, frame.filters)}


def _call(hook: Hook, arguments: Mapping[str, Any]) -> dict[str, Any]:
    return hook.call(arguments)
