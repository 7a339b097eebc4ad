"""Laws of reading YAML: plain data with places, and nothing that harms."""

from __future__ import annotations

import json
import math
import os
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sinagot.errors import ConfigurationError
from sinagot.pipeline.templates.documents import MAX_BYTES, parse_documents, read_documents

FILE = Path("conf/x.yaml")

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
DATA = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda below: st.lists(below, max_size=4) | st.dictionaries(TEXT, below, max_size=4),
    max_leaves=20,
)


def value_of(text: str | bytes) -> Any:
    """Return what the only document of a text holds."""
    (document,) = parse_documents(text, FILE)
    return document.data


def error_of(text: str | bytes) -> ConfigurationError:
    """Return the error that reading raises."""
    with pytest.raises(ConfigurationError) as caught:
        parse_documents(text, FILE)
    assert caught.value.file == FILE
    return caught.value


def as_json(data: Any, indent: int | None = None) -> str:
    """Write data as JSON; the one sign that YAML does not take as it is becomes an escape."""
    return json.dumps(data, indent=indent).replace("\x7f", "\\u007f")


@settings(deadline=None, max_examples=50)
@given(DATA)
def test_json_is_read_as_json_reads_it(data: Any) -> None:
    """Every JSON text is YAML, and gives the same data with the same types."""
    found = value_of(as_json(data))
    assert found == data
    assert repr(found) == repr(data)


@settings(deadline=None, max_examples=50)
@given(TEXT)
def test_any_text_survives_as_value_and_key(text: str) -> None:
    """Text in quotes comes out sign by sign, whatever it looks like."""
    quoted = "".join(f"\\U{ord(sign):08x}" for sign in text)
    assert value_of(f'"{quoted}": "{quoted}"') == {text: text}


@settings(deadline=None, max_examples=50)
@given(DATA)
def test_every_key_and_value_knows_where_it_stands(data: Any) -> None:
    """Line and column of every key and value are where its text begins."""
    text = as_json(data, indent=1)
    lines = text.split("\n")
    (document,) = parse_documents(text, FILE)

    def check(value: Any, path: tuple[Any, ...]) -> None:
        place = document.places.of(path)
        opening = {dict: "{", list: "["}.get(type(value)) or as_json(value)
        assert lines[place.line - 1][place.column - 1 :].startswith(opening)
        for key, below in value.items() if isinstance(value, dict) else ():
            place = document.places.of_key((*path, key))
            assert lines[place.line - 1][place.column - 1 :].startswith(as_json(key))
            check(below, (*path, key))
        for at, below in enumerate(value if isinstance(value, list) else ()):
            check(below, (*path, at))

    check(data, ())


@pytest.mark.parametrize(
    ("written", "value"),
    [
        *(
            (word, word)
            for word in ("on", "yes", "no", "off", "y", "Yes", "1:30", "1_000", "2024-01-01", "0b1", "+")
        ),
        *((word, word) for word in ("2024-01-01T06:30:00+01:00", "-", "--1", "1.2.3", "e5", "infinity", "=")),
        *((word, None) for word in ("", "~", "null", "Null", "NULL")),
        *((word, True) for word in ("true", "True", "TRUE")),
        ("false", False),
        ("012", 12),
        ("-7", -7),
        ("0x1F", 31),
        ("0o17", 15),
        ("1.", 1.0),
        ("-.5e3", -500.0),
        (".inf", math.inf),
        ("-.INF", -math.inf),
        ("!!str 5", "5"),
        ("!!int '5'", 5),
        ("!!float 5", 5.0),
        ("! 5", "5"),
    ],
)
def test_words_mean_what_yaml_1_2_says(written: str, value: Any) -> None:
    """Plain words are those of the core schema of YAML 1.2; dates and old words for yes and no are text."""
    if written == "-":
        written = f'"{written}"'
    found = value_of(f"a: {written}\n")["a"]
    assert found == value and type(found) is type(value)
    assert math.isnan(value_of("a: .nan")["a"])


def test_keys_are_text_as_they_are_written() -> None:
    """A key is text, also when it looks like something else, and one written twice in two ways is one."""
    assert value_of("on: 1\n5: 2\ntrue: 3\n1.50: 4") == {"on": 1, "5": 2, "true": 3, "1.50": 4}
    assert "stands twice, first in line 1" in str(error_of('5: a\n"5": b'))


@pytest.mark.parametrize(
    ("text", "documents"),
    [
        ("", []),
        ("\n# nothing\n", []),
        ("---\n", [None]),
        ("a: 1\n---\nb: 2\n...\n", [{"a": 1}, {"b": 2}]),
        ("\ufeffa: 1", [{"a": 1}]),
        ("a: 1\r\nb:\r\n  - c\r\n", [{"a": 1, "b": ["c"]}]),
        ("%YAML 1.2\n---\na: é😀", [{"a": "é😀"}]),
    ],
)
def test_files_of_all_forms_are_read(text: str, documents: list[Any], tmp_path: Path) -> None:
    """Empty files, several documents, a byte order mark and line ends of all systems are read."""
    file = tmp_path / "x.yaml"
    file.write_bytes(text.encode())
    assert [document.data for document in read_documents(file)] == documents


def test_what_is_not_written_is_at_its_key() -> None:
    """An empty value stands at its key, and what is absent at the nearest thing round it."""
    (document,) = parse_documents("a:\n  b:\n\n  c: 1\n", FILE)
    assert document.places.of(["a", "b"])[1:] == (2, 3)
    assert document.places.of(["a", "nothing", 3])[1:] == document.places.of(["a"])[1:] == (2, 3)
    assert document.places.below(["a"]).of_key(["c"])[1:] == (4, 3)
    assert str(document.places.below(["a"]).error(["c"], "no")) == "conf/x.yaml:4: a.c: no"


def test_aliases_are_copies() -> None:
    """What an alias stands for is data of its own, and places in it lead to the anchor."""
    (document,) = parse_documents("a: &x {n: [1]}\nb: *x\nc: *x\n", FILE)
    document.data["b"]["n"].append(2)
    assert document.data == {"a": {"n": [1]}, "b": {"n": [1, 2]}, "c": {"n": [1]}}
    assert document.places.of(["c"])[1:] == (3, 4)
    assert document.places.of(["c", "n"])[1:] == (1, 11)


def test_merged_keys_never_win() -> None:
    """`<<` adds keys that are not there yet: what is written wins, then the first of several mappings."""
    text = "x: &x {a: 1, b: 1}\ny: &y {b: 2, c: 2}\nz:\n  <<: [*x, *y]\n  c: 3\n'<<': 4\n"
    found = value_of(text)
    assert found["z"] == {"c": 3, "a": 1, "b": 1}
    assert found["<<"] == 4


BOMB = "a0: &a0 [x, x]\n" + "".join(f"a{n}: &a{n} [{f'*a{n - 1}, ' * 9}]\n" for n in range(1, 12))
MERGE_BOMB = "a0: &a0 {k: 1}\n" + "".join(
    f"a{n}: &a{n} {{<<: [{f'*a{n - 1}, ' * 50}], k{n}: 1}}\n" for n in range(1, 200)
)


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        (BOMB, 5, "stands for"),
        (MERGE_BOMB, None, "allowed"),
        ("b: &b " + "x" * 5_000 + "\nc: [" + "*b, " * 300 + "]", 2, "1024 KiB of text"),
        ("a: &a [1, *a]", 1, "in what it is an alias of"),
        ("a: &a {<<: *a}", 1, "in what it is an alias of"),
        ("a:\n - *nowhere", 2, "has no anchor"),
        ("[" * 200_000, 1, "nested too deeply"),
        ("- " * 100_000, 1, "nested too deeply"),
        ("{a: " * 50_000, 1, "nested too deeply"),
        ("".join(" " * n + "a:\n" for n in range(600)), 51, "nested too deeply"),
        ("a: &a " + "[" * 40 + "]" * 40 + "\nb: " + "[" * 20 + "*a" + "]" * 20, 2, "nested too deeply"),
        ("[" + "1," * 30_000 + "]", 1, "more than 10000"),
        ("a: 1\nb:\n  c: 1\n  c: 2", 4, "the key 'c' stands twice, first in line 3"),
        ("a: {<<: {b: 1}, <<: {c: 1}}", 1, "stands twice"),
        ("a:\n  <<: 5", 2, "takes a mapping"),
        ("a: 1\nb: !!python/object/apply:os.system ['touch pwned']", 2, "no object is ever made"),
        ("b: !!python/name:os.system", 1, "no object is ever made"),
        ("b: !mine {a: 1}", 1, "no object is ever made"),
        ("b: !!set {a}", 1, "no object is ever made"),
        ("b: !!binary aGk=", 1, "no object is ever made"),
        ("b: !!timestamp 2024-01-01", 1, "no object is ever made"),
        ("b: !!int x", 1, "does not fit"),
        ("b: !!map x", 1, "where they fit"),
        ("%TAG !! tag:evil,2002:\n---\na: !!str 5", 3, "no object is ever made"),
        ("%YAML 1.1\n---\na: on", 2, "allowed YAML 1.2"),
        ("a: " + "9" * 5000, 1, "write it in quotes"),
        ("a: 1e999", 1, "out of range"),
        ("a:\n\tb: 1", 2, "indent by blanks"),
        ("a: b: c", 1, "mapping values are not allowed here"),
        ("a: [1, 2\nb: 3", 2, "broken YAML"),
        ("a: '", 1, "broken YAML"),
        ("? [a, b]\n: 1", 1, "keys are text"),
        ("{a: 1}: 2", 1, "keys are text"),
        ("a: &x [1]\n*x : 2", 2, "keys are text"),
        (": 1", 1, "a key without a name"),
        ('a: 1\nb: "\\ud800"', 2, "half of a character"),
        ('a: "\\Uffffffff"', None, "broken YAML"),
        ("a: 1\nb: \x07", 2, "U+0007"),
        (b"a: 1\nb: \xe9", 2, "byte 0xe9, which is not UTF-8"),
        (b"\xef\xbb\xbfa: 1\nb: \xe9", 2, "byte 0xe9, which is not UTF-8"),
        ("a: 1".encode("utf-16"), 1, "UTF-16"),
        (b"a: 1\nb: \0", 2, "NUL"),
    ],
    ids=lambda value: value[:25] if isinstance(value, str | bytes) else None,
)
def test_what_harms_is_refused_with_its_line(text: str | bytes, line: int | None, words: str) -> None:
    """Bombs, cycles, depth, doubles, objects and broken text are refused, at their line."""
    error = error_of(text)
    assert words in str(error)
    assert line is None or error.line == line


@pytest.mark.parametrize("text", [BOMB, MERGE_BOMB], ids=["bomb", "merge bomb"])
def test_a_bomb_takes_little_memory(text: str) -> None:
    """What is small in a file stays small: a bomb is refused before it is written out."""
    tracemalloc.start()
    try:
        error_of(text)
        assert tracemalloc.get_traced_memory()[1] < 50 * 2**20
    finally:
        tracemalloc.stop()


def test_only_plain_small_files_are_opened(tmp_path: Path) -> None:
    """A pipe, a folder, an absent and a huge file are refused without being read."""
    os.mkfifo(tmp_path / "pipe.yaml")
    (tmp_path / "huge.yaml").write_bytes(b"#" * (MAX_BYTES + 1))
    for name, words in {
        "pipe.yaml": "not a plain file",
        ".": "not a plain file",
        "absent.yaml": "cannot be read: No such file",
        "huge.yaml": "too large, allowed at most 256 KiB",
    }.items():
        with pytest.raises(ConfigurationError, match=words):
            read_documents(tmp_path / name)
    (tmp_path / "huge.yaml").write_bytes(b"#" * MAX_BYTES)
    assert read_documents(tmp_path / "huge.yaml") == ()
