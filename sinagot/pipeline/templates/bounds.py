"""Operators and functions of conditions: on plain values only, with bounds, so that none can hang or fill the memory.

Knows values; must not know how a condition is written. Handed to the evaluator of `conditions`; a value of another kind
(a table, an array, an object) is refused before any of its own code could be called.
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Mapping, Sized
from datetime import date, time, timedelta
from decimal import Decimal
from enum import Enum
from pathlib import PurePath
from typing import Any
from uuid import UUID

from sinagot.pipeline.templates.plain import float_of, number_of, text_of, whole_of

__all__ = ["FUNCTIONS", "OPERATORS", "truth_of"]

#: Bits of a whole number, and characters of a text that a condition may make.
_MOST_BITS = 4096
_LONGEST = 100_000
_MOST_ITEMS = 1_000_000
_PLAIN = (str, int, float, Decimal, date, time, timedelta, PurePath, UUID, Enum)


def _plain(value: Any) -> Any:
    """Give a value that may be compared; maps and lists are trusted to hold such."""
    value = number_of(value)
    if value is None or isinstance(value, _PLAIN):
        return value
    if isinstance(value, list | tuple | dict | set | frozenset):
        _refuse_strange(value)
        return value
    raise TypeError(f"a {type(value).__name__} cannot be compared; make a number or a text of it first")


def _refuse_strange(value: Any) -> None:
    """Raise when a map or list holds what is not plain, or too much; a list within itself is too much."""
    pending, count = [value], 0
    while pending:
        one = pending.pop()
        count += len(one)
        if count > _MOST_ITEMS:
            raise ValueError(f"the value holds more than {_MOST_ITEMS:,} items, or itself")
        for item in one.values() if isinstance(one, dict) else one:
            if isinstance(item, list | tuple | dict | set | frozenset):
                pending.append(item)
            elif item is not None and not isinstance(item, _PLAIN) and number_of(item) is item:
                raise TypeError(f"a list or map that holds a {type(item).__name__} cannot be compared")


def _number(value: Any) -> Any:
    value = number_of(value)
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        raise TypeError(f"{_article(value)} is no number")
    return value


def _article(value: Any) -> str:
    return "null" if value is None else f"a {type(value).__name__}"


def _small(*values: Any) -> None:
    if sum(value.bit_length() for value in values if isinstance(value, int)) > _MOST_BITS:
        raise ValueError("the number becomes too large")


def _compared(compare: Callable[[Any, Any], Any]) -> Callable[[Any, Any], bool]:
    def apply(left: Any, right: Any) -> bool:
        # Whether something is there can be asked of anything.
        if (left is None or right is None) and compare in (operator.eq, operator.ne):
            return bool(compare(left is None, right is None))
        return bool(compare(_plain(left), _plain(right)))

    return apply


def _same(left: Any, right: Any) -> bool:
    if left is not None and right is not None and not (isinstance(left, bool) and isinstance(right, bool)):
        raise TypeError("`is` is for null, true and false; write `==`")
    return left is right


def _in(left: Any, right: Any) -> bool:
    if isinstance(right, str) and not isinstance(left, str):
        raise TypeError("only a text can be in a text")
    if isinstance(right, Mapping):
        return _plain(left) in right
    if not isinstance(right, str | list | tuple | set | frozenset | range):
        raise TypeError(f"nothing can be in {_article(right)}")
    return _plain(left) in (right if isinstance(right, str | range) else _plain(right))


def _add(left: Any, right: Any) -> Any:
    left, right = number_of(left), number_of(right)
    if isinstance(left, str) and isinstance(right, str):
        if len(left) + len(right) > _LONGEST:
            raise ValueError("the text becomes too long")
        return left + right
    if isinstance(left, date | timedelta) and isinstance(right, date | timedelta):
        return left + right  # type: ignore[operator]
    return _counted(operator.add)(left, right)


def _subtract(left: Any, right: Any) -> Any:
    if isinstance(left, date | timedelta) and isinstance(right, date | timedelta):
        return left - right  # type: ignore[operator]
    return _counted(operator.sub)(left, right)


def _counted(count: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    def apply(left: Any, right: Any) -> Any:
        left, right = _number(left), _number(right)
        _small(left, right)
        return count(left, right)

    return apply


def _power(left: Any, right: Any) -> Any:
    left, right = _number(left), _number(right)
    if isinstance(left, Decimal) or isinstance(right, Decimal):
        left, right = float(left), float(right)
    if isinstance(left, int) and isinstance(right, int) and left.bit_length() * abs(right) > _MOST_BITS:
        raise ValueError("the number becomes too large")
    result = left**right
    if isinstance(result, complex):
        raise ValueError("a root of a negative number")
    return result


OPERATORS: dict[type[ast.AST], Callable[..., Any]] = {
    ast.Add: _add,
    ast.Sub: _subtract,
    ast.Mult: _counted(operator.mul),
    ast.Div: _counted(operator.truediv),
    ast.FloorDiv: _counted(operator.floordiv),
    ast.Mod: _counted(operator.mod),
    ast.Pow: _power,
    ast.USub: lambda value: -_number(value),
    ast.UAdd: lambda value: +_number(value),
    ast.Not: lambda value: not truth_of(value),
    ast.Eq: _compared(operator.eq),
    ast.NotEq: _compared(operator.ne),
    ast.Lt: _compared(operator.lt),
    ast.LtE: _compared(operator.le),
    ast.Gt: _compared(operator.gt),
    ast.GtE: _compared(operator.ge),
    ast.In: _in,
    ast.NotIn: lambda left, right: not _in(left, right),
    ast.Is: _same,
    ast.IsNot: lambda left, right: not _same(left, right),
}


def truth_of(value: Any) -> bool:
    """Give a truth that is one: nothing else counts as true or false."""
    value = number_of(value)
    if not isinstance(value, bool):
        raise TypeError(
            f"{_article(value)} is neither true nor false; compare it, such as `x == 1` or `len(x) > 0`"
        )
    return value


def _len(value: Any) -> int:
    if not isinstance(value, Sized):
        raise TypeError(f"{_article(value)} has no length")
    return len(value)


def _extreme(choose: Callable[[Any], Any]) -> Callable[..., Any]:
    def apply(*values: Any) -> Any:
        items = values[0] if len(values) == 1 else values
        if not isinstance(items, list | tuple | set | frozenset | range):
            raise TypeError("it needs a list, or several values")
        return choose([_plain(item) for item in items])

    return apply


def _bool(value: Any) -> bool:
    """Say whether a plain value is something: not zero, not empty, not null."""
    return bool(_plain(value))


#: What a condition may call.
FUNCTIONS: dict[str, Callable[..., Any]] = {
    "abs": lambda value: abs(_number(value)),
    "bool": _bool,
    "float": float_of,
    "int": whole_of,
    "len": _len,
    "max": _extreme(max),
    "min": _extreme(min),
    "str": text_of,
}
