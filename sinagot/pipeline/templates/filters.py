"""Filters of templates, `${{ path | filter }}`: those that are there, and the user's own.

Knows values; must not know expressions or files (`expressions` says where a filter failed). What a filter makes is
bounded, and a format never reads an attribute.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import date, time
from decimal import Decimal
from functools import lru_cache
from string import Formatter
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeVar

from sinagot.errors import ConfigurationError
from sinagot.pipeline.templates.plain import LONGEST_TEXT, float_of, json_of, number_of, text_of, whole_of

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["FILTERS", "argument_problem", "custom_filter", "filter_name", "filters_apart"]

Filter = Callable[..., Any]
_Function = TypeVar("_Function", bound=Filter)

#: The attribute that `custom_filter` sets on a function.
_MARK = "__sinagot_filter__"
_NAME = re.compile(r"[A-Za-z_]\w*")
#: Longest format, and widest field in it: a width of a billion is a bomb, not a layout.
_LONGEST_FORMAT = 200
_WIDEST = 1000
_SPEC = re.compile(r"(?:.?[<>=^])?[ +-]?z?#?0?(\d{0,4})[,_]?(?:\.(\d{1,4}))?[bcdeEfFgGnosxX%]?", re.DOTALL)
_STRFTIME_WIDTH = re.compile(r"%[-_0^#+]*\d{2,}")


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError("it needs a text; write `| str` before it")
    return value


def _sequence(value: object) -> Sequence[Any]:
    if isinstance(value, list | tuple | str):
        return value
    if isinstance(value, set | frozenset):
        return sorted(value)
    raise TypeError("it needs a list or a text")


def _mapping(value: object) -> Mapping[Any, Any]:
    if not isinstance(value, Mapping):
        raise TypeError("it needs a map")
    return value


def _number(value: object) -> Any:
    value = number_of(value)
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        raise TypeError("it needs a number; write `| int` or `| float` before it")
    return value


def _bool(value: object) -> bool:
    """Read true and false; texts as YAML 1.2 writes them, and numbers 1 and 0."""
    value = number_of(value)
    known = {"true": True, "false": False, "1": True, "0": False}
    text = value.strip().lower() if isinstance(value, str) else text_of(value)
    if text not in known:
        raise ValueError("it is neither true nor false")
    return known[text]


def _coalesce(value: object, default: object) -> object:
    return default if value is None else value


def _first(value: object) -> object:
    return _end(value, 0)


def _last(value: object) -> object:
    return _end(value, -1)


def _end(value: object, index: int) -> object:
    items = _sequence(value)
    if not items:
        raise ValueError("it is empty")
    return items[index]


def _fmt(value: object, format: str) -> str:  # noqa: A002  (what users write: fmt(format="%Y"))
    """Write a value by a format: ``%Y-%m-%d`` of a date, ``.2f`` or ``{:>8}`` of anything plain."""
    value = number_of(value)
    if len(_text(format)) > _LONGEST_FORMAT:
        raise ValueError(f"the format is longer than {_LONGEST_FORMAT} characters")
    if not isinstance(value, str | int | float | Decimal | date | time):
        raise TypeError("it needs a text, a number or a date")
    if "{" not in format and "}" not in format:
        return _formatted(value, format)
    parts = []
    for literal, field, spec, conversion in Formatter().parse(format):
        parts.append(literal)
        if field is None:
            continue
        if field or conversion or "{" in (spec or ""):
            raise ValueError("a field of the format must be `{}` or `{:...}`, without a name")
        parts.append(_formatted(value, spec or ""))
    return "".join(parts)


def _formatted(value: Any, spec: str) -> str:
    if isinstance(value, date | time):
        if _STRFTIME_WIDTH.search(spec):
            raise ValueError("a width in the format of a date has at most one digit")
        return value.strftime(spec) if spec else value.isoformat()
    found = _SPEC.fullmatch(spec)
    if found is None:
        raise ValueError(f"the format {spec!r} is not one of texts and numbers, such as `.2f` or `>8`")
    if any(int(digits or 0) > _WIDEST for digits in found.groups()):
        raise ValueError(f"the format makes more than {_WIDEST} characters")
    if isinstance(value, Decimal) and value.is_finite() and abs(value.adjusted()) > _WIDEST:
        raise ValueError("the number has too many digits")
    return format(value, spec) if spec else text_of(value)


def _join(value: object, sep: str = "") -> str:
    texts = [text_of(item) for item in _sequence(value)]
    if sum(map(len, texts)) + len(_text(sep)) * len(texts) > LONGEST_TEXT:
        raise ValueError(f"the text would be longer than {LONGEST_TEXT:,} characters")
    return sep.join(texts)


def _split(value: object, sep: str | None = None) -> list[str]:
    return _text(value).split(sep)


def _list(value: object) -> list[Any]:
    """Make a list: of a list or set its items, of null nothing, of anything else a list of one."""
    if value is None:
        return []
    if isinstance(value, str) or not isinstance(value, list | tuple | set | frozenset | range):
        return [value]
    return sorted(value) if isinstance(value, set | frozenset) else list(value)


def _length(value: object) -> int:
    return len(value if isinstance(value, Mapping) else _sequence(value))


def _round(value: object, digits: int = 0) -> Any:
    if abs(whole_of(digits)) > _WIDEST // 10:
        raise ValueError(f"it rounds to at most {_WIDEST // 10} digits")
    return round(_number(value), digits) if digits else round(_number(value))


def _replace(value: object, old: str, new: str) -> str:
    text = _text(value)
    if not _text(old):
        raise ValueError("the text to replace is empty")
    if len(text) + text.count(old) * (len(_text(new)) - len(old)) > max(LONGEST_TEXT, len(text)):
        raise ValueError(f"the text would be longer than {LONGEST_TEXT:,} characters")
    return text.replace(old, new)


_BUILT_IN: dict[str, Filter] = {
    "abs": lambda value: abs(_number(value)),
    "bool": _bool,
    "coalesce": _coalesce,
    "first": _first,
    "float": float_of,
    "fmt": _fmt,
    "int": whole_of,
    "join": _join,
    "json": json_of,
    "keys": lambda value: list(_mapping(value)),
    "last": _last,
    "length": _length,
    "list": _list,
    "lower": lambda value: _text(value).lower(),
    "replace": _replace,
    "round": _round,
    "sorted": lambda value: sorted(_sequence(value)),
    "split": _split,
    "str": text_of,
    "title": lambda value: _text(value).title(),
    "trim": lambda value: _text(value).strip(),
    "upper": lambda value: _text(value).upper(),
    "values": lambda value: list(_mapping(value).values()),
}
_KNOWN: dict[str, Filter] = dict(_BUILT_IN)

#: All filters that any pipeline of this process may use, by name; a view.
FILTERS: Mapping[str, Filter] = MappingProxyType(_KNOWN)

#: Whether the modules of one workspace are being loaded: their filters are that workspace's alone.
_APART: ContextVar[bool] = ContextVar("filters_apart", default=False)


@contextmanager
def filters_apart() -> Iterator[None]:
    """Keep filters that are declared within out of `FILTERS`: whoever loads a module collects them from it."""
    token = _APART.set(True)
    try:
        yield
    finally:
        _APART.reset(token)


def custom_filter(name: str) -> Callable[[_Function], _Function]:
    """Declare a filter for templates.

    Parameters
    ----------
    name : str
        What is written in the template; a name of letters, digits and ``_``, and not that of a built-in filter.

    Returns
    -------
    callable
        A decorator; the function stays as it is. It gets the value and the arguments that are written, all literals.

    Raises
    ------
    ConfigurationError
        When the name cannot be used.

    Notes
    -----
    Declared in a notebook or a module that is imported as usual, a filter is known to every pipeline of the process;
    in a registry module of a workspace, to the pipelines of that workspace.

    Examples
    --------
    >>> @custom_filter("half")
    ... def half(value, digits=1):
    ...     return round(value / 2, digits)
    >>> FILTERS["half"](5)
    2.5
    """
    given: object = name
    if not isinstance(given, str) or not _NAME.fullmatch(given):
        raise ConfigurationError(
            f"custom_filter: {name!r} is no name of letters, digits and _", key="custom_filter"
        )
    if name in _BUILT_IN:
        raise ConfigurationError(
            f"custom_filter: {name!r} is a built-in filter; choose another name", key=name
        )

    def mark(function: _Function) -> _Function:
        if not callable(function):
            raise ConfigurationError(
                f"custom_filter({name!r}) stands before something that is no function", key=name
            )
        setattr(function, _MARK, name)
        if not _APART.get():
            _KNOWN[name] = function
        return function

    return mark


def filter_name(value: object) -> str | None:
    """Tell under which name an object was declared a filter; None when it was not."""
    found = getattr(value, "__dict__", {}).get(_MARK)
    return found if isinstance(found, str) else None


def argument_problem(function: Filter, arguments: Sequence[Any], keywords: Mapping[str, Any]) -> str:
    """Say why a filter cannot be called with some arguments beside the value; empty when it can.

    Parameters
    ----------
    function : callable
        The filter.
    arguments : sequence
        Those without a name.
    keywords : mapping
        Those with one.

    Examples
    --------
    >>> argument_problem(FILTERS["replace"], ["a"], {})
    "missing a required argument: 'new'"
    >>> argument_problem(FILTERS["upper"], [], {})
    ''
    """
    signature = _signature(function)
    if signature is None:
        return ""
    try:
        signature.bind(None, *arguments, **keywords)
    except TypeError as error:
        return str(error)
    return ""


@lru_cache(maxsize=256)
def _signature(function: Filter) -> inspect.Signature | None:
    try:
        return inspect.signature(function)
    except (TypeError, ValueError):
        return None  # written in C, and says nothing of itself: it will tell when it is called
