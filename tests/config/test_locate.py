"""Laws of finding the line of a key."""

from __future__ import annotations

import tomllib
from typing import Any

import pytest
import toml
from hypothesis import given
from hypothesis import strategies as st

from sinagot.config.locate import locate

TEXT = '''\
# comment with [steps] and a = 1
title = """
[not.a.table]
a = 1 ""\\""""
raw = \'\'\'
b = 2\'\'\'\'
[a.b."c d"] # header
'x.y' = { one = 1, two = { three = [1, {four = "]}"}] } } # comment
e.f.g = 1979-05-27T07:32:00Z
"qu\\"ote" = 'C:\\\\'
list = [ # items
  "first, [",
  # comment
  [ 1,
    2 ],
]
[[shelf]]
book = 1
[[shelf]]
book = 2
  [shelf.inner]
  page = 3
[[shelf.leaf]]
z = 1
[a]
q = 0
'''


@pytest.mark.parametrize(
    ("key", "line"),
    [
        (("title",), 2),
        (("raw",), 5),
        (("a", "b"), 7),
        (("a", "b", "c d"), 7),
        (("a", "b", "c d", "x.y"), 8),
        (("a", "b", "c d", "x.y", "two", "three", 1, "four"), 8),
        (("a", "b", "c d", "e"), 9),
        (("a", "b", "c d", "e", "f", "g"), 9),
        (("a", "b", "c d", 'qu"ote'), 10),
        (("a", "b", "c d", "list"), 11),
        (("a", "b", "c d", "list", 0), 12),
        (("a", "b", "c d", "list", 1), 14),
        (("a", "b", "c d", "list", 1, 1), 15),
        (("shelf",), 17),
        (("shelf", 1), 19),
        (("shelf", 1, "book"), 20),
        (("shelf", 1, "inner", "page"), 22),
        (("shelf", 1, "leaf", 0, "z"), 24),
        (("a",), 25),
        (("a", "q"), 26),
        (("steps",), None),
        (("not",), None),
        (("a", "b", "c d", "list", 2), None),
    ],
)
def test_every_form_of_key_is_found(key: tuple[str | int, ...], line: int | None) -> None:
    """Dotted, quoted and inline keys, headers, lists and arrays of tables are found; comments and strings are not."""
    tomllib.loads(TEXT)
    assert locate(TEXT, key) == line


def test_windows_line_ends_count_once() -> None:
    """A line that ends in CR LF is one line."""
    assert locate('a = 1\r\n[b]\r\nc = """x\r\ny"""\r\nd = 2\r\n', ("b", "d")) == 5


@pytest.mark.parametrize(
    "text", ["a = 1\nb = [1, 2\nc = 3", "a = 1\n= 3", 'a = 1\nb = "x', "a = 1\n[b\n", 'a = 1\n"\\q" = 1']
)
def test_what_stands_before_a_mistake_is_found(text: str) -> None:
    """Broken text costs only what comes after the mistake."""
    assert locate(text, ("a",)) == 1
    assert locate(text, ("zzz",)) is None


def test_deep_nesting_ends() -> None:
    """Lists nested without end give no line instead of a crash."""
    assert locate("x = " + "[" * 100_000, ("y",)) is None


KEYS = st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), min_size=1, max_size=8)
TEXTS = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), max_size=12)
LEAVES = TEXTS | st.integers(-1000, 1000) | st.booleans() | st.lists(st.integers(0, 9), max_size=4)


def basic(text: str) -> str:
    """Write a basic string."""
    escaped = "".join(c if c.isprintable() and c not in '"\\' else f"\\U{ord(c):08x}" for c in text)
    return f'"{escaped}"'


def value(leaf: Any, multiline: bool) -> str:
    if isinstance(leaf, str):
        if (
            multiline
            and "\r" not in leaf
            and "\0" not in leaf
            and "\\" not in leaf
            and leaf.replace("\n", "").isprintable()
        ):
            body = leaf.replace('"', '\\"')
            return f'"""\n{body}"""'
        return basic(leaf)
    if isinstance(leaf, list):
        return "[" + ("\n" if multiline else "") + ", ".join(map(str, leaf)) + "]"
    return str(leaf).lower()


@st.composite
def documents(draw: st.DrawFn) -> tuple[str, dict[tuple[str, ...], int]]:
    """Draw TOML text with the line of every key, by writing it line by line."""
    lines: list[str] = []
    expected: dict[tuple[str, ...], int] = {}
    for table in draw(st.lists(KEYS, unique=True, max_size=4)):
        lines += draw(st.sampled_from([[], [""], ["# [x]", "\t"]]))
        expected[table,] = len(lines) + 1
        lines.append(f" [ {basic(table)} ] # a = 1")
        for key in draw(st.lists(KEYS, unique=True, max_size=4)):
            expected[table, key] = len(lines) + 1
            leaf = value(draw(LEAVES), draw(st.booleans()))
            form = draw(st.sampled_from(["plain", "dotted", "inline"]))
            if form == "plain" or "\n" in leaf:
                text = f"{basic(key)} = {leaf}"
            else:
                expected[table, key, "in.side"] = len(lines) + 1
                text = f"{basic(key)} . 'in.side' = {leaf}"
                if form == "inline":
                    text = f"{basic(key)} = {{ 'in.side' = {leaf} }}"
            lines += (text + " # 'end").split("\n")
    return "\n".join(lines), expected


@given(documents())
def test_every_key_of_any_document_is_found(document: tuple[str, dict[tuple[str, ...], int]]) -> None:
    """Whatever stands in a document, each of its keys is found on the line where it was written."""
    text, expected = document
    tomllib.loads(text)
    assert {key: locate(text, key) for key in expected} == expected


@given(
    st.dictionaries(
        st.from_regex(r"[a-z]{1,6}", fullmatch=True),
        st.dictionaries(st.from_regex(r"[a-z]{1,6}", fullmatch=True), st.integers(), max_size=3),
        max_size=3,
    )
)
def test_what_the_writer_writes_is_found(tables: dict[str, dict[str, int]]) -> None:
    """The line of a key, read alone, is that key and its value."""
    text = toml.dumps(tables)
    for table, pairs in tables.items():
        for key, number in pairs.items():
            line = locate(text, (table, key))
            assert line is not None
            assert tomllib.loads(text.split("\n")[line - 1]) == {key: number}


@given(st.text(max_size=60))
def test_any_text_ends(text: str) -> None:
    """No text makes the search fail."""
    assert locate(text, ("no such key at all",)) is None or "no such" in text
