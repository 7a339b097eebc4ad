"""`Expression` and `Template`: texts with `${{ params.name | filter }}`, compiled once and filled in for every run.

Knows contexts and filters; must not know what a pipeline is or who runs it. Values are looked up by key and index,
never by attribute, and what was filled in is not read again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from sinagot.config.problems import joined_error
from sinagot.errors import ConfigurationError
from sinagot.pipeline.templates.faults import (
    Where,
    kind_of,
    known_list,
    load_error,
    run_error,
    unknown_word,
)
from sinagot.pipeline.templates.filters import FILTERS, argument_problem
from sinagot.pipeline.templates.plain import LONGEST_TEXT, text_of
from sinagot.pipeline.templates.syntax import Call, Written, pieces_of

__all__ = ["Expression", "Filters", "Known", "Place", "Template"]

#: Filters by name.
Filters = Mapping[str, Callable[..., Any]]
#: What is known before a run: names, each with what is known below it; None where only the run tells.
Known = Mapping[str, Any]
#: Where a value stands, or a function that tells it of each part of a value, by its keys and indexes.
Place = Where | Callable[[tuple[str | int, ...]], Where | None] | None

_DEEPEST = 100
_LONGEST_INDEX = 9
#: Longest text with expressions within; a value that stands alone may be of any length.
_LONGEST = 10 * LONGEST_TEXT


class Expression(NamedTuple):
    """One ``${{ ... }}``: a path into the context, then filters.

    Attributes
    ----------
    written : Written
        Its parts.
    where : Where or None
        Where it stands.
    """

    written: Written
    where: Where | None = None

    def __str__(self) -> str:
        return f"${{{{ {self.written.text} }}}}"

    @property
    def path(self) -> tuple[str, ...]:
        """Names of the path."""
        return tuple(segment.name for segment in self.written.path)

    def evaluate(self, context: Mapping[str, Any], filters: Filters | None = None) -> Any:
        """Look the path up and apply the filters.

        Parameters
        ----------
        context : mapping
            What the first name of the path is looked up in.
        filters : mapping, optional
            Filters by name; those of the process unless given.

        Returns
        -------
        object
            The value itself, of whatever type.

        Raises
        ------
        TemplateError
            When a part of the path or a filter is unknown, or a filter fails.
        """
        value = self.find(context)
        known = FILTERS if filters is None else filters
        for call in self.written.calls:
            value = self._filtered(value, call, known)
        return value

    def find(self, context: Mapping[str, Any]) -> Any:
        """Look the path up, without the filters."""
        value: Any = context
        for index, segment in enumerate(self.written.path):
            found, value = _inside(value, segment.name)
            if not found and segment.is_optional:
                return None
            if not found:
                raise self._missing(index, value)
            if value is None and segment.is_optional:
                return None
        return value

    def check(self, known: Known, filters: Filters | None = None) -> list[ConfigurationError]:
        """Find what is wrong before any value is there.

        Parameters
        ----------
        known : mapping
            The names that there will be, each with those below it; None where only the run tells.
        filters : mapping, optional
            Filters by name; those of the process unless given.

        Returns
        -------
        list of ConfigurationError
            Unknown names, unless they are optional, unknown filters, and filters with wrong arguments.
        """
        problems = []
        below: Any = known
        for index, segment in enumerate(self.written.path):
            if not isinstance(below, Mapping):
                break
            if segment.name not in below:
                if index == 0 or not segment.is_optional:
                    message, hint = self._unknown(index, below)
                    problems.append(load_error(self.where, message, str(self), hint))
                break
            below = below[segment.name]
        table = FILTERS if filters is None else filters
        for call in self.written.calls:
            message, hint = _call_problem(call, table)
            if message:
                problems.append(load_error(self.where, message, str(self), hint))
        return problems

    def text(self, context: Mapping[str, Any], filters: Filters | None = None) -> str:
        """Evaluate, and write the value as text.

        Raises
        ------
        TemplateError
            As `evaluate`, and when the value is None or has no text.
        """
        value = self.evaluate(context, filters)
        try:
            return text_of(value)
        except (TypeError, ValueError) as error:
            hint = 'write `| coalesce("...")`, or ' if value is None else ""
            raise run_error(
                self.where,
                f"{kind_of(value)} cannot be a part of a text: {error}",
                str(self),
                f"{hint}let the expression stand alone, which keeps its type",
            ) from error

    def _filtered(self, value: Any, call: Call, known: Filters) -> Any:
        message, hint = _call_problem(call, known)
        if message:
            raise run_error(self.where, message, str(self), hint)
        try:
            result = known[call.name](value, *call.arguments, **dict(call.keywords))
        except Exception as error:
            message = f"filter {call.name!r} fails for {kind_of(value)}: {str(error) or type(error).__name__}"
            raise run_error(self.where, message, str(self)) from error
        longest = max(LONGEST_TEXT, len(value) if isinstance(value, str) else 0)
        if isinstance(result, str) and len(result) > longest:
            message = f"filter {call.name!r} makes a text of more than {longest:,} characters"
            raise run_error(self.where, message, str(self))
        return result

    def _missing(self, index: int, value: Any) -> Exception:
        if isinstance(value, Mapping):
            message, hint = self._unknown(index, value)
            return run_error(self.where, message, str(self), hint)
        parent, name = ".".join(self.path[:index]), self.path[index]
        if isinstance(value, list | tuple):
            message = f"{parent} has no {name!r}: it is a list of {len(value)}, its parts are numbered from 0"
            return run_error(self.where, message, str(self))
        hint = f"write `{parent}?.{name}` where it may be" if value is None else ""
        return run_error(
            self.where,
            f"{parent} has no {name!r}: it is {kind_of(value)}, not a map or a list",
            str(self),
            hint,
        )

    def _unknown(self, index: int, known: Mapping[Any, Any]) -> tuple[str, str]:
        name = self.path[index]
        if index == 0:
            return unknown_word("name", name, known)
        parent = ".".join(self.path[:index])
        _, hint = unknown_word("name", name, known)
        return f"{parent} has no {name!r}, it has {known_list(known)}", hint


def _inside(value: Any, name: str) -> tuple[bool, Any]:
    """Look a name up in a map, or an index in a list; gives the value itself when it is not there."""
    is_index = name.isdecimal() and name.isascii() and len(name) <= _LONGEST_INDEX
    if isinstance(value, Mapping):
        if name in value:
            return True, value[name]
        if is_index and int(name) in value:
            return True, value[int(name)]
    elif isinstance(value, list | tuple) and is_index and int(name) < len(value):
        return True, value[int(name)]
    return False, value


def _call_problem(call: Call, known: Filters) -> tuple[str, str]:
    if call.name not in known:
        return unknown_word("filter", call.name, known)
    problem = argument_problem(known[call.name], call.arguments, dict(call.keywords))
    return (f"filter {call.name!r}: {problem}", "") if problem else ("", "")


class _Embedded(NamedTuple):
    """A text with expressions within."""

    parts: tuple[str | Expression, ...]


class Template:
    """A value of a template, parsed: a scalar, or maps and lists of any depth.

    Made by `Template.parse`, once; `render` any number of times, from any thread. Keys of maps are no templates.

    Notes
    -----
    An expression that is alone in a scalar keeps the type of what it finds; a line end behind it, as block scalars
    of YAML have, does not count. Within a text it becomes text: ``true`` and ``false``, dates in ISO 8601, maps and
    lists as JSON. None within a text is an error, for neither ``None`` nor nothing is what a file name should
    silently hold; ``| coalesce("")`` says what is meant.

    A ``${{`` that is no expression is written ``$${{``; all other braces and dollars stand for themselves.

    Examples
    --------
    >>> template = Template.parse({"n": "${{ params.n | int }}", "path": "day-${{ params.day }}/$${{ x }}"})
    >>> template.render({"params": {"n": "3", "day": "${{ params.n }}"}})
    {'n': 3, 'path': 'day-${{ params.n }}/${{ x }}'}
    """

    __slots__ = ("_expressions", "_node")

    def __init__(self, node: Any) -> None:
        self._node = node
        self._expressions = tuple(_expressions(node))

    @classmethod
    def parse(cls, value: Any, place: Place = None) -> Template:
        """Compile a value.

        Parameters
        ----------
        value : object
            Maps, lists and scalars; a scalar that is no text stands for itself.
        place : Where or callable, optional
            Where it stands; a callable tells it of each part, by the keys and indexes that lead to it.

        Returns
        -------
        Template
            Good for any number of runs.

        Raises
        ------
        ConfigurationError
            With all that is not well written in it.
        """
        problems: list[ConfigurationError] = []
        node = _parsed(value, (), place, problems)
        if problems:
            raise joined_error(problems)
        return cls(node)

    @property
    def is_constant(self) -> bool:
        """Whether it is the same for every run."""
        return not self._expressions

    @property
    def expressions(self) -> tuple[Expression, ...]:
        """All expressions in it, in order."""
        return self._expressions

    def paths(self) -> tuple[tuple[str, ...], ...]:
        """List the paths that it looks up, each once.

        Examples
        --------
        >>> Template.parse(["${{ params.a }}", "${{ jobs.x-y.stages.0? }}"]).paths()
        (('params', 'a'), ('jobs', 'x-y', 'stages', '0'))
        """
        return tuple(dict.fromkeys(one.path for one in self._expressions))

    def check(self, known: Known, filters: Filters | None = None) -> list[ConfigurationError]:
        """Find unknown names and filters before any value is there.

        Parameters
        ----------
        known : mapping
            The names that there will be, each with those below it; None where only the run tells.
        filters : mapping, optional
            Filters by name; those of the process unless given.

        Returns
        -------
        list of ConfigurationError
            Each with its place.

        Examples
        --------
        >>> template = Template.parse("${{ params.dya | uper }}")
        >>> for problem in template.check({"params": {"day": None}, "matrix": None}):
        ...     print(str(problem).partition(", known are")[0])
        ${{ params.dya | uper }}: params has no 'dya', it has day; did you mean 'day'?
        ${{ params.dya | uper }}: unknown filter 'uper'
        """
        return [problem for one in self._expressions for problem in one.check(known, filters)]

    def render(self, context: Mapping[str, Any], filters: Filters | None = None) -> Any:
        """Fill in.

        Parameters
        ----------
        context : mapping
            What paths are looked up in.
        filters : mapping, optional
            Filters by name; those of the process unless given.

        Returns
        -------
        object
            New maps and lists each time; values that were looked up are themselves, not copies.

        Raises
        ------
        TemplateError
            When a path is not there, a filter fails, or a value has no text and needs one.
        """
        return _rendered(self._node, context, filters)


def _parsed(value: Any, keys: tuple[str | int, ...], place: Place, problems: list[ConfigurationError]) -> Any:
    if len(keys) > _DEEPEST:
        problems.append(
            load_error(_where(place, ()), f"it is nested more than {_DEEPEST} deep, or holds itself")
        )
        return None
    if isinstance(value, Mapping):
        return {key: _parsed(item, (*keys, key), place, problems) for key, item in value.items()}
    if isinstance(value, list):
        return [_parsed(item, (*keys, index), place, problems) for index, item in enumerate(value)]
    if isinstance(value, tuple):
        return tuple(_parsed(item, (*keys, index), place, problems) for index, item in enumerate(value))
    if not isinstance(value, str) or "${{" not in value:
        return value
    where = _where(place, keys)
    try:
        parts = [one if isinstance(one, str) else Expression(one, where) for one in pieces_of(value)]
    except ValueError as error:
        problems.append(load_error(where, str(error)))
        return None
    if isinstance(parts[0], Expression) and all(
        isinstance(one, str) and not one.strip("\n") for one in parts[1:]
    ):
        return parts[0]
    return _Embedded(tuple(parts)) if any(isinstance(one, Expression) for one in parts) else parts[0]


def _where(place: Place, keys: tuple[str | int, ...]) -> Where | None:
    return place(keys) if callable(place) else place


def _expressions(node: Any) -> Iterator[Expression]:
    if isinstance(node, Expression):
        yield node
    elif isinstance(node, _Embedded):
        yield from (part for part in node.parts if isinstance(part, Expression))
    elif isinstance(node, dict):
        for item in node.values():
            yield from _expressions(item)
    elif isinstance(node, list | tuple):
        for item in node:
            yield from _expressions(item)


def _rendered(node: Any, context: Mapping[str, Any], filters: Filters | None) -> Any:
    if isinstance(node, Expression):
        return node.evaluate(context, filters)
    if isinstance(node, _Embedded):
        return _joined(node, context, filters)
    if isinstance(node, dict):
        return {key: _rendered(item, context, filters) for key, item in node.items()}
    if isinstance(node, list):
        return [_rendered(item, context, filters) for item in node]
    return tuple(_rendered(item, context, filters) for item in node) if type(node) is tuple else node


def _joined(node: _Embedded, context: Mapping[str, Any], filters: Filters | None) -> str:
    texts: list[str] = []
    length = 0
    for part in node.parts:
        texts.append(part if isinstance(part, str) else part.text(context, filters))
        length += len(texts[-1])
        if length > _LONGEST and isinstance(part, Expression):
            message = f"the text around it becomes longer than {_LONGEST:,} characters"
            raise run_error(part.where, message, str(part))
    return "".join(texts)
