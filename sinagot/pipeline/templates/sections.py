"""Reading a mapping of a template: which keys it may have, what they hold, and every problem with its place.

Knows places, near names and templates; must not know which sections there are: `layout` and the kinds of stages do.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from sinagot.config.hints import did_you_mean
from sinagot.config.quantities import pause_of_text, seconds_of_text
from sinagot.errors import ConfigurationError
from sinagot.pipeline.templates.conditions import Condition
from sinagot.pipeline.templates.expressions import Template
from sinagot.pipeline.templates.places import KeyPath, Place, Places
from sinagot.pipeline.templates.values import described

__all__ = ["Section"]


class Section:
    """One mapping of a file, read key by key; what is wrong is collected.

    Parameters
    ----------
    data : object
        What stands there.
    places : Places
        Of it.
    problems : list of ConfigurationError
        Takes what is wrong.
    what : str
        For messages: what it is.

    Examples
    --------
    >>> from pathlib import Path
    >>> from sinagot.pipeline.templates.places import Mark
    >>> problems = []
    >>> section = Section(
    ...     {"retry": "often", "name": "a"}, Places(Path("a.yaml"), Mark(3, 1)), problems, "a stage"
    ... )
    >>> section.text("name"), section.count("retry"), [str(problem) for problem in problems]
    ('a', 0, ["a.yaml:3: retry: found 'often', allowed is a whole number from 0"])
    """

    def __init__(self, data: Any, places: Places, problems: list[ConfigurationError], what: str) -> None:
        self.places = places
        self.problems = problems
        self.what = what
        if not isinstance(data, dict):
            self.fail((), f"found {described(data)}, allowed is {what}: a mapping of keys to values")
            data = {}
        self.data: dict[str, Any] = data

    @property
    def place(self) -> Place:
        """Where it stands."""
        return self.places.of()

    def fail(self, path: KeyPath, message: str, hint: str | None = None) -> None:
        """Take note of a problem."""
        self.problems.append(self.places.error(path, message, hint=hint or None))

    def allow(self, *keys: str, others: Collection[str] = ()) -> None:
        """Report every key that is none of these; `others` might have been meant too."""
        for key in self.data:
            if key not in keys:
                known = ", ".join(sorted({*keys, *others}))
                near = did_you_mean(str(key), [*keys, *others])
                self.fail((key,), f"unknown key in {self.what}, known are {known}", near)

    def has(self, key: str) -> bool:
        """Say whether a key is written."""
        return key in self.data

    def text(self, key: str, default: str = "") -> str:
        """Read a text."""
        value = self.data.get(key)
        if value is None:
            return default
        if isinstance(value, str):
            return value
        self.fail((key,), f"found {described(value)}, allowed is text")
        return default

    def word(self, key: str, allowed: Collection[str], default: str) -> str:
        """Read one of some words."""
        value = self.text(key, default)
        if value not in allowed:
            hint = did_you_mean(value, list(allowed))
            self.fail((key,), f"found {value!r}, allowed are {', '.join(allowed)}", hint)
            return default
        return value

    def flag(self, key: str, default: bool) -> bool:
        """Read true or false."""
        value = self.data.get(key, default)
        if isinstance(value, bool):
            return value
        self.fail((key,), f"found {described(value)}, allowed is true or false")
        return default

    def count(self, key: str, default: int = 0, *, least: int = 0) -> int:
        """Read a whole number."""
        value = self.data.get(key, default)
        if isinstance(value, int) and not isinstance(value, bool) and value >= least:
            return value
        self.fail((key,), f"found {described(value)}, allowed is a whole number from {least}")
        return default

    def seconds(self, key: str, *, may_be_zero: bool = False) -> float | None:
        """Read a duration; None where there is none."""
        value = self.data.get(key)
        if value is None:
            return None
        try:
            if isinstance(value, bool):
                raise ValueError("a number of seconds, or text such as '10 min'")
            seconds: float = (pause_of_text if may_be_zero else seconds_of_text)(value)
            return seconds
        except ValueError as error:
            self.fail((key,), f"found {described(value)}, allowed is {error.args[0]}")
            return None

    def words(self, key: str) -> tuple[str, ...]:
        """Read a text, or a list of texts."""
        value = self.data.get(key)
        if value is None:
            return ()
        many = [value] if isinstance(value, str) else value
        if isinstance(many, list) and all(isinstance(one, str) for one in many):
            return tuple(many)
        self.fail((key,), f"found {described(value)}, allowed is text, or a list of texts")
        return ()

    def template(self, key: str, default: Any = None) -> Template:
        """Read any value with expressions in it."""
        try:
            return Template.parse(self.data.get(key, default), lambda keys: self.places.of((key, *keys)))
        except ConfigurationError as error:
            self.problems += error.problems or (error,)
            return Template.parse(None)

    def condition(self, key: str) -> Condition | None:
        """Read a condition; None where there is none."""
        if self.data.get(key) is None:
            return None
        try:
            return Condition.parse(self.data[key], self.places.of((key,)))
        except ConfigurationError as error:
            self.problems += error.problems or (error,)
            return None

    def section(self, key: str, what: str) -> Section | None:
        """Read a mapping; None where there is none."""
        if self.data.get(key) is None:
            return None
        return Section(self.data[key], self.places.below((key,)), self.problems, what)

    def sections(self, key: str, what: str) -> list[Section]:
        """Read a list of mappings."""
        value = self.data.get(key)
        if value is None:
            return []
        if not isinstance(value, list):
            self.fail((key,), f"found {described(value)}, allowed is a list, each item {what}")
            return []
        below = self.places.below((key,))
        return [Section(one, below.below((at,)), self.problems, what) for at, one in enumerate(value)]

    def check(self, found: Iterable[ConfigurationError]) -> None:
        """Take note of problems that somebody else has found."""
        self.problems += found


def known_below(names: Mapping[str, Any]) -> dict[str, Any]:
    """Give names with nothing known below them, as checks of templates take them."""
    return dict.fromkeys(names)
