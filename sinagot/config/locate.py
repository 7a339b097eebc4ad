"""Finds the line of a key in TOML text, for messages.

Knows the grammar of TOML 1.0 as far as keys, tables and values have places; must not judge what is written.
`tomllib` reads the values but forgets where they stood; `sinagot.config.problems` asks here for messages.
"""

from __future__ import annotations

import contextlib
import re
import tomllib
from functools import lru_cache

__all__ = ["locate"]

KeyPath = tuple[str | int, ...]

_BLANK = re.compile(r"[ \t]*")
_FILLER = re.compile(r"(?:[ \t\r\n]+|#[^\n]*)*")
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_QUOTED_KEY = re.compile(r'"(?:[^"\\\n]|\\.)*"|\'[^\'\n]*\'')
_SCALAR = re.compile(r"[^,\]}#\r\n]*")
#: Strings of every kind. Up to five quotes end a multi-line one: two that belong to it, three that close it.
_STRING = re.compile(
    r'"""(?:[^"\\]|\\.|"{1,2}(?!"))*"{3,5}'
    r"|'''(?:[^']|'{1,2}(?!'))*'{3,5}"
    r'|"(?:[^"\\\n]|\\.)*"'
    r"|'[^'\n]*'",
    re.DOTALL,
)


def locate(text: str, key_path: KeyPath) -> int | None:
    r"""Find the line on which a key, a table or an item of a list stands.

    Parameters
    ----------
    text : str
        TOML that `tomllib` accepts. Of other text, what stands before the mistake is found.
    key_path : tuple of str or int
        Keys from the top; an integer is the position of a list item, from 0.

    Returns
    -------
    int or None
        Line, from 1; None when there is no such key.

    Examples
    --------
    >>> text = "[steps]\nscripts = [\n  'count',\n  'mean',\n]\n"
    >>> locate(text, ("steps",)), locate(text, ("steps", "scripts")), locate(text, ("steps", "scripts", 1))
    (1, 2, 4)
    >>> locate(text, ("steps", "other")) is None
    True
    """
    return _lines(text).get(tuple(key_path))


@lru_cache(maxsize=8)
def _lines(text: str) -> dict[KeyPath, int]:
    scanner = _Scanner(text)
    # What was found before a mistake is still right.
    with contextlib.suppress(_NotTomlError, RecursionError):
        scanner.scan()
    return {**scanner.implied, **scanner.lines}


class _NotTomlError(Exception):
    """The text does not go on as TOML does."""


class _Scanner:
    """One pass over the text, noting the line of everything that has a key."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.lines: dict[KeyPath, int] = {}
        #: Tables that exist only because a longer header or a dotted key names them.
        self.implied: dict[KeyPath, int] = {}
        self._table: KeyPath = ()
        self._array_sizes: dict[KeyPath, int] = {}
        self._line = 1
        self._counted = 0

    def scan(self) -> None:
        while self._skip(_FILLER) < len(self.text):
            if self.text.startswith("[[", self.at):
                self._header(2)
            elif self.text.startswith("[", self.at):
                self._header(1)
            else:
                self._pair(self._table)

    def _skip(self, pattern: re.Pattern[str]) -> int:
        match = pattern.match(self.text, self.at)
        assert match is not None  # every pattern given here matches the empty text
        self.at = match.end()
        return self.at

    def _expect(self, mark: str) -> None:
        if not self.text.startswith(mark, self.at):
            raise _NotTomlError
        self.at += len(mark)

    def _line_here(self) -> int:
        # The scan only goes forward, so each line is counted once.
        self._line += self.text.count("\n", self._counted, self.at)
        self._counted = self.at
        return self._line

    def _header(self, brackets: int) -> None:
        line = self._line_here()
        self.at += brackets
        keys = self._keys()
        self._expect("]" * brackets)
        path: KeyPath = ()
        for key in keys[:-1]:
            path = (*path, key)
            self.implied.setdefault(path, line)
            if path in self._array_sizes:
                path = (*path, self._array_sizes[path] - 1)
        path = (*path, keys[-1])
        self.lines.setdefault(path, line)
        if brackets == 2:
            size = self._array_sizes.get(path, 0)
            self._array_sizes[path] = size + 1
            path = (*path, size)
            self.lines[path] = line
        self._table = path

    def _keys(self) -> list[str]:
        keys = []
        while True:
            self._skip(_BLANK)
            if match := _BARE_KEY.match(self.text, self.at):
                keys.append(match.group())
            elif match := _QUOTED_KEY.match(self.text, self.at):
                keys.append(_unquoted(match.group()))
            else:
                raise _NotTomlError
            self.at = match.end()
            self._skip(_BLANK)
            if not self.text.startswith(".", self.at):
                return keys
            self.at += 1

    def _pair(self, table: KeyPath) -> None:
        line = self._line_here()
        keys = self._keys()
        path = table
        for key in keys[:-1]:
            path = (*path, key)
            self.implied.setdefault(path, line)
        path = (*path, keys[-1])
        self.lines.setdefault(path, line)
        self._expect("=")
        self._skip(_BLANK)
        self._value(path)

    def _value(self, path: KeyPath) -> None:
        start = self.text[self.at : self.at + 1]
        if start in ('"', "'"):
            match = _STRING.match(self.text, self.at)
            if match is None:
                raise _NotTomlError
            self.at = match.end()
        elif start == "[":
            self.at += 1
            self._items(path)
        elif start == "{":
            self.at += 1
            self._inline_table(path)
        else:
            self._skip(_SCALAR)

    def _items(self, path: KeyPath) -> None:
        index = 0
        while True:
            self._skip(_FILLER)
            if self.text.startswith("]", self.at):
                self.at += 1
                return
            self.lines[*path, index] = self._line_here()
            self._value((*path, index))
            index += 1
            self._skip(_FILLER)
            if not self.text.startswith("]", self.at):
                self._expect(",")

    def _inline_table(self, path: KeyPath) -> None:
        while True:
            self._skip(_FILLER)
            if self.text.startswith("}", self.at):
                self.at += 1
                return
            self._pair(path)
            self._skip(_FILLER)
            if not self.text.startswith("}", self.at):
                self._expect(",")


def _unquoted(key: str) -> str:
    try:
        value = tomllib.loads(f"key = {key}")["key"]
    except tomllib.TOMLDecodeError as error:
        raise _NotTomlError from error
    return str(value)
