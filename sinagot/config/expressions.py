"""Says what is wrong with a regular expression, including that it could take years to match.

Knows Python's `re` and its parser; must not know keys, files or ids.
The checks ask here for `records.id_pattern` and `records.entities`; others may for patterns of their own.
"""

from __future__ import annotations

import re
import string
import warnings
from collections.abc import Callable
from typing import Any

__all__ = ["expression_problem"]

#: Lengths up to which the ways to match a run of one character are counted.
_LENGTHS = 5
#: A repetition that may run this often can take exponential time.
_MANY = 10
_CATEGORIES: dict[str, Callable[[str], bool]] = {
    "CATEGORY_DIGIT": str.isdigit,
    "CATEGORY_SPACE": str.isspace,
    "CATEGORY_WORD": lambda char: char.isalnum() or char == "_",
}


def expression_problem(text: str) -> str:
    r"""Say why a regular expression cannot be used.

    Parameters
    ----------
    text : str
        The expression.

    Returns
    -------
    str
        The reason, or ``""``.

    Notes
    -----
    A repeated group is refused when its body can match a run of one character in more than one way: then a
    name that nearly matches takes time exponential in its length. Other slow expressions are not recognised.

    Examples
    --------
    >>> expression_problem(r"REC-\d{8}"), expression_problem("(?:[A-Z]+-)+")
    ('', '')
    >>> expression_problem("(a")
    'missing ), unterminated subpattern at position 0'
    >>> expression_problem("(a+)+")
    'a repeated group can match the same text in many ways, which can take years'
    """
    with warnings.catch_warnings():
        # What a later version of Python may read otherwise (`[[`) is no problem of today.
        warnings.simplefilter("ignore")
        return _compile_problem(text) or _speed_problem(text)


def _compile_problem(text: str) -> str:
    try:
        re.compile(text)
    except (re.error, OverflowError, RecursionError) as error:
        return str(error) or type(error).__name__
    return ""


def _speed_problem(text: str) -> str:
    try:
        from re import _parser  # type: ignore[attr-defined]

        tree = _parser.parse(text)
        # A few characters of every class, and all that the expression itself names.
        chars = {*"aZ0_-. ~", *(char for char in text if char in string.printable)}
        slow = any(_is_slow(tree, char) for char in sorted(chars))
    except (ImportError, AttributeError, TypeError, ValueError, RecursionError):
        return ""  # the parser is private to Python: without it, or with another one, nothing is refused
    return "a repeated group can match the same text in many ways, which can take years" if slow else ""


def _is_slow(tree: Any, char: str) -> bool:
    for operation, argument in tree:
        name = str(operation)
        if name in ("MAX_REPEAT", "MIN_REPEAT"):
            least, most, body = argument
            if int(most) - int(least) >= _MANY and sum(_ways(body, char)[1:]) > 1:
                return True
        if any(_is_slow(body, char) for body in _bodies(name, argument)):
            return True
    return False


def _bodies(name: str, argument: Any) -> list[Any]:
    if name.endswith("_REPEAT"):
        return [argument[2]]
    if name == "SUBPATTERN":
        return [argument[3]]
    if name == "BRANCH":
        return list(argument[1])
    if name == "ATOMIC_GROUP":
        return [argument]
    return [argument[1]] if name in ("ASSERT", "ASSERT_NOT") else []


def _ways(tree: Any, char: str) -> list[int]:
    """Count in how many ways each length of a run of the character is matched."""
    ways = [1] + [0] * (_LENGTHS - 1)
    for operation, argument in tree:
        ways = _product(ways, _ways_of(str(operation), argument, char))
    return ways


def _ways_of(name: str, argument: Any, char: str) -> list[int]:
    nothing = [1] + [0] * (_LENGTHS - 1)
    if name in ("LITERAL", "NOT_LITERAL", "ANY", "IN"):
        one = [0] * _LENGTHS
        one[1] = int(_takes(name, argument, char))
        return one
    if name in ("ATOMIC_GROUP", "POSSESSIVE_REPEAT"):
        # Never tried in a second way: all that counts is whether it takes the character.
        inner = _ways(_bodies(name, argument)[0], char)
        return [int(not any(inner[1:])), int(any(inner[1:]))] + [0] * (_LENGTHS - 2)
    if name.endswith("_REPEAT"):
        least, most, body = argument
        # Passes that match nothing add no way; a body that may be empty may be left out.
        once = _ways(body, char)
        least = 0 if once[0] else min(int(least), _LENGTHS)
        once = [0, *once[1:]]
        total, power = [0] * _LENGTHS, nothing
        for count in range(min(int(most), _LENGTHS) + 1):
            if count >= least:
                total = [a + b for a, b in zip(total, power, strict=True)]
            power = _product(power, once)
        return total
    if name == "BRANCH":
        return [sum(column) for column in zip(*(_ways(body, char) for body in argument[1]), strict=True)]
    if name == "SUBPATTERN":
        return _ways(_bodies(name, argument)[0], char)
    return nothing  # anchors, assertions, back references


def _takes(name: str, argument: Any, char: str) -> bool:
    if name == "ANY":
        return char != "\n"
    if name != "IN":
        return (chr(argument) == char) == (name == "LITERAL")
    negated = str(argument[0][0]) == "NEGATE"
    return negated != any(_holds(str(kind), value, char) for kind, value in argument)


def _holds(kind: str, value: Any, char: str) -> bool:
    if kind == "LITERAL":
        return chr(value) == char
    if kind == "RANGE":
        return bool(value[0] <= ord(char) <= value[1])
    if kind == "CATEGORY":
        category = str(value)
        known = _CATEGORIES.get(category.replace("_NOT_", "_"))
        return known is not None and bool(known(char)) != ("_NOT_" in category)
    return False


def _product(first: list[int], second: list[int]) -> list[int]:
    product = [0] * _LENGTHS
    for i, a in enumerate(first):
        for j, b in enumerate(second[: _LENGTHS - i]):
            product[i + j] += a * b
    return product
