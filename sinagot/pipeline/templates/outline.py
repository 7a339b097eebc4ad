"""Finds the objects of a YAML file by a look at its lines, without parsing it, where that is certain to be right.

Knows how files are usually written; must not guess: of any other file it says nothing.
`library` asks it for lists of names, and parses the files of which it says nothing.
"""

from __future__ import annotations

import re
from functools import lru_cache

__all__ = ["needle_of", "outline_of"]

# A word that can only be plain text, and how a line may end.
_WORD = r"[A-Za-z_][\w./-]*"
_END = r"[ ]*(?:[ ]#.*)?"
_TOP = re.compile(rf"({_WORD}):{_END}", re.ASCII)
_TYPE = re.compile(rf"""type:[ ]+(?:"({_WORD})"|'({_WORD})'|({_WORD})){_END}""", re.ASCII)
# One text in quotes, as the whole value of a key or item: it ends in its line.
_QUOTED = re.compile(rf"""[ ]*(?:-[ ]+)*(?:{_WORD}:[ ]+)?(?:"[^"\\]*"|'[^']*'){_END}""", re.ASCII)
_BLOCK = re.compile(rf"([ ]*(?:-[ ]+)*){_WORD}:[ ]+[|>][+-]?{_END}", re.ASCII)
_WORDS_OF_CORE = {"true", "false", "null"}
_CHANGES_KEYS = re.compile(r"[&*?!]")


def outline_of(text: str) -> list[tuple[str, str]] | None:
    r"""Give name and type of every object of a file, if a look at the lines is enough to know.

    Parameters
    ----------
    text : str
        What stands in the file.

    Returns
    -------
    list of tuple of str and str, or None
        As parsing gives them when the file is good; None when only parsing can tell.

    Examples
    --------
    >>> outline_of("daily:\n  type: on.On\n  cron: '0 6 * * *'\n")
    [('daily', 'on.On')]
    >>> outline_of("daily: {type: on.On}") is None
    True
    """
    found: list[tuple[str, str]] = []
    name, indent, kind = "", 0, ""
    lines = _significant(text)
    if lines is None:
        return None
    for at, (depth, line) in enumerate(lines):
        if depth == 0:
            top = _TOP.fullmatch(line)
            if top is None or (name and not kind) or top[1].casefold() in _WORDS_OF_CORE:
                return None
            name, indent, kind = top[1], 0, ""
            continue
        if not name:
            return None
        indent = indent or depth
        if depth < indent or (depth == indent and (line.startswith("<<") or _CHANGES_KEYS.match(line))):
            return None
        if depth == indent and line.startswith("type"):
            wanted = _TYPE.fullmatch(line)
            goes_on = at + 1 < len(lines) and lines[at + 1][0] > depth
            if wanted is None or kind or goes_on:
                return None
            kind = wanted[1] or wanted[2] or wanted[3]
            found.append((name, kind))
    names = [one for one, _ in found]
    return found if (kind or not name) and len(set(names)) == len(names) else None


def _significant(text: str) -> list[tuple[int, str]] | None:
    """Give depth and text of the lines that are no comments and not in a block of text; None when one is unclear."""
    if "\t" in text or "\r" in text or not text.isascii():
        return None
    lines: list[tuple[int, str]] = []
    block = -1
    for raw in text.split("\n"):
        line = raw.lstrip(" ")
        depth = len(raw) - len(line)
        if not line:
            continue
        if block >= 0:
            if depth > block:
                continue
            block = -1
        if line.startswith("#"):
            continue
        if not _is_closed(line):
            return None
        begins = _BLOCK.fullmatch(raw)
        if begins is not None:
            block = len(begins[1])
        lines.append((depth, line))
    return lines


def _is_closed(line: str) -> bool:
    """Say whether nothing that begins in a line goes on behind it."""
    if ('"' in line or "'" in line) and not _QUOTED.fullmatch(line):
        return False
    if "[" in line or "{" in line or "]" in line or "}" in line:
        return line.count("[") == line.count("]") and line.count("{") == line.count("}")
    return True


@lru_cache(maxsize=64)  # each of many files is asked about one name
def needle_of(name: str) -> str:
    """Give the part of a name that stands in every file that holds it, unless the file has a backslash.

    Parameters
    ----------
    name : str
        Of an object.

    Returns
    -------
    str
        May be empty.

    Notes
    -----
    A quote in quotes is written twice, a blank may be a line break; a name can be hidden otherwise only by escapes.

    Examples
    --------
    >>> needle_of("it's daily")
    'daily'
    """
    return max(re.split(r"[\s'\"\\]+", name), key=len)
