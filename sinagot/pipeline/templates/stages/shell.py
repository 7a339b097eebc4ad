"""Stages of kind `bash`: a script for the shell, whose values come in variables of the environment.

Knows programs and what they say; must not know other stages. A value is never made a part of the script's text.
"""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Self

from sinagot.errors import ConfigurationError, PipelineError
from sinagot.pipeline.templates.expressions import Expression, Template
from sinagot.pipeline.templates.faults import load_error
from sinagot.pipeline.templates.places import Place
from sinagot.pipeline.templates.sections import Section
from sinagot.pipeline.templates.shellwords import compiled
from sinagot.pipeline.templates.stages.kind import Frame, Surroundings
from sinagot.pipeline.templates.stages.sayings import say
from sinagot.pipeline.templates.syntax import pieces_of
from sinagot.scripts.process import run_process

__all__ = ["Bash"]

#: Characters of what a script wrote that are kept as its outputs.
_MOST = 1 << 20


@dataclass(frozen=True)
class Bash:
    """Run a script by bash, in the folder of the workspace."""

    text: str
    #: Variable -> the expression that it holds.
    values: tuple[tuple[str, Expression], ...]
    env: Template
    root: str
    place: Place
    keys = ("bash", "env")
    is_local = False

    @classmethod
    def read(cls, section: Section, around: Surroundings) -> Self:
        """Read the script, and put variables where it has expressions."""
        script = section.text("bash")
        place = section.places.of(("bash",))
        text = ""
        values: tuple[tuple[str, Expression], ...] = ()
        if not script.strip():
            section.fail(("bash",), "the script is empty")
        try:
            pieces = pieces_of(script)
            written = [one for one in pieces if not isinstance(one, str)]
            made = compiled([one if isinstance(one, str) else None for one in pieces])
            text = made.text
            values = tuple(zip(made.variables, [Expression(one, place) for one in written], strict=True))
        except ConfigurationError as error:
            section.problems += error.problems or (error,)
        except ValueError as error:
            section.problems.append(load_error(place, str(error), "bash"))
        env = section.section("env", "variables for the script")
        if env is not None and any("=" in name or "\0" in name or not name for name in env.data):
            env.fail((), "the name of a variable holds no '='")
        return cls(text, values, section.template("env", {}), around.root, place)

    def check(self, known: Mapping[str, Any], around: Surroundings) -> Iterable[ConfigurationError]:
        """Check what it names."""
        yield from self.env.check(known, around.filters)
        for _, expression in self.values:
            yield from expression.check(known, around.filters)

    def within(self) -> Iterator[Any]:
        """Give nothing: it steers no stages."""
        return iter(())

    def call(self, frame: Frame) -> tuple[Callable[..., dict[str, Any]], dict[str, Any]]:
        """Give what runs it, with the values of its variables."""
        variables = {name: _text(one, frame) for name, one in self.values}
        env = self.env.render(frame.context, frame.filters)
        variables |= {name: value if isinstance(value, str) else _plain(value) for name, value in env.items()}
        bad = next((name for name, value in variables.items() if "\0" in value), None)
        if bad is not None:
            raise PipelineError(
                "a value for bash holds a NUL, which no program can be given", stage=frame.name
            )
        return _run, {"text": self.text, "variables": variables, "folder": self.root, "place": self.place}


def _text(expression: Expression, frame: Frame) -> str:
    return expression.text(frame.context, frame.filters)


def _plain(value: Any) -> str:
    return Template.parse("${{ v }}x").render({"v": value})[:-1] if value is not None else ""


def _run(text: str, variables: Mapping[str, str], folder: str, place: Place) -> dict[str, Any]:
    """Run a script; what it writes goes to the log and, as far as it is short, to its outputs."""
    bash = shutil.which("bash")
    if bash is None:
        raise FileNotFoundError("bash is not installed here, and a stage of kind `bash` needs it")
    kept: dict[int, list[str]] = {logging.INFO: [], logging.WARNING: []}
    room = {logging.INFO: _MOST, logging.WARNING: _MOST}

    def tell(level: int, line: str) -> None:
        say(line, place, level)
        if room[level] > 0:
            room[level] -= len(line) + 1
            kept[level].append(line)

    run_process([bash, "-e", "-c", text], folder=folder, environment={**os.environ, **variables}, tell=tell)
    return {
        "return_code": 0,
        "stdout": "\n".join(kept[logging.INFO]),
        "stderr": "\n".join(kept[logging.WARNING]),
    }
