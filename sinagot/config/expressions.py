"""Says what is wrong with a regular expression, including that it could take years to match.

Knows Python's `re` and its parser; must not know keys, files or ids.
The checks ask here for `records.id_pattern` and `records.entities`; others may for patterns of their own.
"""

from __future__ import annotations

import re
import string
from collections.abc import Callable, Iterator
from itertools import permutations
from typing import Any

from sinagot.config.quiet import quiet

__all__ = ["expression_problem"]

#: Where in the word it begins -> length -> number of ways.
_Counts = list[list[int]]

#: Lengths below which the ways to match a repeated word are counted: two of the longest word.
_LENGTHS = 7
_LONGEST_WORD = 3
#: Characters of which words are made; those that an expression treats alike count once.
_MOST_CHARS = 8
#: A repetition that may run this often can take exponential time.
_MANY = 10
#: Parts of an expression that take one character.
_SINGLE = ("LITERAL", "NOT_LITERAL", "ANY", "IN")
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
    A repeated group is refused when its body can match one text in more than one way, be it a run of one
    character or of a word of two or three: then a name that nearly matches takes time exponential in its
    length. Other slow expressions are not recognised.

    Examples
    --------
    >>> expression_problem(r"REC-\d{8}"), expression_problem("(?:[A-Z]+-)+")
    ('', '')
    >>> expression_problem("(a")
    'missing ), unterminated subpattern at position 0'
    >>> expression_problem("(a+)+")
    'a repeated group can match the same text in many ways, which can take years'
    """
    with quiet():  # what a later version of Python may read otherwise (`[[`) is no problem of today
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
        chars = sorted({*"aZ0_-. ~", *(char for char in text if char in string.printable)})
        slow = _is_slow(tree, chars)
    except (ImportError, AttributeError, TypeError, ValueError, RecursionError):
        return ""  # the parser is private to Python: without it, or with another one, nothing is refused
    return "a repeated group can match the same text in many ways, which can take years" if slow else ""


def _is_slow(tree: Any, chars: list[str]) -> bool:
    for operation, argument in tree:
        name = str(operation)
        if name in ("MAX_REPEAT", "MIN_REPEAT"):
            least, most, body = argument
            if int(most) - int(least) >= _MANY and any(
                _is_ambiguous(body, word) for word in _words(body, chars)
            ):
                return True
        if any(_is_slow(body, chars) for body in _bodies(name, argument)):
            return True
    return False


def _words(body: Any, chars: list[str]) -> Iterator[str]:
    """Give the words to try: of up to three characters, one character for all that the body treats alike."""
    leaves = list(_leaves(body))
    alike = {tuple(_takes(name, argument, char) for name, argument in leaves): char for char in chars}
    chosen = [char for taken, char in alike.items() if any(taken)][:_MOST_CHARS]
    for length in range(1, _LONGEST_WORD + 1):
        yield from map("".join, permutations(chosen, length))


def _leaves(tree: Any) -> Iterator[tuple[str, Any]]:
    for operation, argument in tree:
        name = str(operation)
        if name in _SINGLE:
            yield name, argument
        for body in _bodies(name, argument):
            yield from _leaves(body)


def _is_ambiguous(body: Any, word: str) -> bool:
    """Say whether repetitions of the body match some text made of the word, again and again, in two ways."""
    once = [[0, *row[1:]] for row in _ways(body, word)]
    if len(word) == 1:  # any two lengths will do: so many of the one are so many of the other
        return sum(once[0]) > 1
    total, power = once, once
    for _ in range(_LENGTHS):
        power = _product(power, once)
        total = _sum([total, power])
    return any(row[length] > 1 for row in total for length in range(len(word), _LENGTHS, len(word)))


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


def _ways(tree: Any, word: str) -> _Counts:
    """Count in how many ways each length of the repeated word is matched, from each of its characters on."""
    ways = _nothing(word)
    for operation, argument in tree:
        ways = _product(ways, _ways_of(str(operation), argument, word))
    return ways


def _nothing(word: str) -> _Counts:
    return [[1] + [0] * (_LENGTHS - 1) for _ in word]


def _ways_of(name: str, argument: Any, word: str) -> _Counts:
    if name in _SINGLE:
        return [[0, int(_takes(name, argument, char))] + [0] * (_LENGTHS - 2) for char in word]
    if name in ("ATOMIC_GROUP", "POSSESSIVE_REPEAT"):
        # Never tried in a second way: all that counts is whether it takes something.
        return [_one_way(row) for row in _ways(_bodies(name, argument)[0], word)]
    if name.endswith("_REPEAT"):
        return _ways_of_repeat(argument, word)
    if name == "BRANCH":
        return _sum([_ways(body, word) for body in argument[1]])
    if name == "SUBPATTERN":
        return _ways(_bodies(name, argument)[0], word)
    return _nothing(word)  # anchors, assertions, back references


def _one_way(row: list[int]) -> list[int]:
    length = next((length for length, count in enumerate(row) if count and length), 0)
    return [int(place == length) for place in range(_LENGTHS)]


def _ways_of_repeat(argument: Any, word: str) -> _Counts:
    least, most, body = argument
    # Passes that match nothing add no way; a body that may be empty may be left out.
    once = _ways(body, word)
    least = 0 if any(row[0] for row in once) else min(int(least), _LENGTHS)
    once = [[0, *row[1:]] for row in once]
    total, power = [[0] * _LENGTHS for _ in word], _nothing(word)
    for count in range(min(int(most), _LENGTHS) + 1):
        if count >= least:
            total = _sum([total, power])
        power = _product(power, once)
    return total


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


def _sum(many: list[_Counts]) -> _Counts:
    return [[sum(column) for column in zip(*rows, strict=True)] for rows in zip(*many, strict=True)]


def _product(first: _Counts, second: _Counts) -> _Counts:
    """Count the ways of one after the other: the second begins at the character where the first has ended."""
    product = [[0] * _LENGTHS for _ in first]
    for start, row in enumerate(first):
        for i, a in enumerate(row):
            if a:
                for j, b in enumerate(second[(start + i) % len(first)][: _LENGTHS - i]):
                    product[start][i + j] += a * b
    return product
