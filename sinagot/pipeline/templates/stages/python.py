"""Stages of kind `run`: Python code of the file, whose values come in variables.

Knows how code is compiled; must not know other stages. A value is never made a part of the code's text.
"""

from __future__ import annotations

import builtins
import linecache
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import FunctionType, ModuleType
from typing import Any, Self

from sinagot.errors import ConfigurationError
from sinagot.pipeline.templates.expressions import Template
from sinagot.pipeline.templates.sections import Section
from sinagot.pipeline.templates.stages.kind import Frame, Surroundings

__all__ = ["Python"]


@dataclass(frozen=True)
class Python:
    """Execute code; the names that it leaves are its outputs."""

    code: str
    file: str
    values: Template
    keys = ("run", "vars")
    is_local = False

    @classmethod
    def read(cls, section: Section, around: Surroundings) -> Self:
        """Read and compile the code."""
        code = section.text("run")
        place = section.places.of(("run",))
        if "${{" in code:
            section.fail(
                ("run",), "values come in by `vars`, and are no part of the code", "write them below `vars`"
            )
        # In tracebacks its lines are counted from its first one: those of the file depend on how the text is folded.
        file = f"<{place.file}:{place.line} run>"
        try:
            compile(code, file, "exec")
        except (SyntaxError, ValueError) as error:
            line = f" (line {error.lineno} of it)" if isinstance(error, SyntaxError) and error.lineno else ""
            section.fail(("run",), f"this is no Python: {getattr(error, 'msg', error)}{line}")
        vars_ = section.section("vars", "variables for the code")
        for name in vars_.data if vars_ is not None else ():
            if not name.isidentifier():
                assert vars_ is not None, "it has names"
                vars_.fail((name,), "no name for a variable of Python")
        return cls(code, file, section.template("vars", {}))

    def check(self, known: Mapping[str, Any], around: Surroundings) -> Iterable[ConfigurationError]:
        """Check the variables."""
        return self.values.check(known, around.filters)

    def within(self) -> Iterator[Any]:
        """Give nothing: it steers no stages."""
        return iter(())

    def call(self, frame: Frame) -> tuple[Callable[..., dict[str, Any]], dict[str, Any]]:
        """Give what executes it, with the values of its variables."""
        values = self.values.render(frame.context, frame.filters)
        return _execute, {"code": self.code, "file": self.file, "values": values}


def _execute(code: str, file: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """Execute code in a namespace of its own."""
    linecache.cache[file] = (len(code), None, code.splitlines(keepends=True), file)
    names: dict[str, Any] = {"__name__": "sinagot_stage", "__builtins__": builtins, **values}
    exec(compile(code, file, "exec"), names)  # noqa: S102  (the code is that of who wrote the file)
    return {
        name: value
        for name, value in names.items()
        if not name.startswith("_")
        and not isinstance(value, (ModuleType, FunctionType, type))
        and not (name in values and values[name] is value)
    }
