"""From a line to its JSON."""

from __future__ import annotations

import json
import logging
import math
from collections import UserDict
from collections.abc import Iterator
from enum import IntEnum
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sinagot.runlog import lines as lines_module
from sinagot.runlog.formatter import LineFormatter
from sinagot.runlog.lines import ESTABLISHED_FIELDS, MAX_LINE, line_text, make_line
from sinagot.runlog.texts import MAX_TEXT

ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters())
    | st.binary()
    | st.complex_numbers(),
    lambda inner: (
        st.lists(inner) | st.dictionaries(st.integers() | st.text(st.characters()) | st.none(), inner)
    ),
    max_leaves=10,
)


def written(**fields: Any) -> dict[str, Any]:
    text = LineFormatter().to_json(fields)
    assert text.isascii() and "\n" not in text and len(text) < MAX_LINE
    line = json.loads(text, parse_constant=lambda name: 1 / 0)
    assert isinstance(line, dict)
    return line


class Status(IntEnum):
    DONE = 30


class Hostile:
    def __str__(self) -> str:
        raise RuntimeError("no")

    __repr__ = __str__


class HostileMapping(UserDict[str, int]):
    def items(self) -> Any:
        raise RuntimeError("no")


class HostileScalar:
    __module__ = "numpy"
    ndim = 0

    def item(self) -> Any:
        raise RuntimeError("no")

    def __str__(self) -> str:
        return "scalar"


class Endless(list[int]):
    def __iter__(self) -> Iterator[int]:
        while True:
            yield 1


@given(ANYTHING)
def test_any_value_gives_valid_ascii_json(value: object) -> None:
    """Whatever a field holds, the line is one line of strict JSON."""
    written(message="x", value=value)


def test_numbers_that_json_lacks_become_null() -> None:
    """NaN and infinities are null, also deep inside and in NumPy's types; other numbers keep their type."""
    line = written(
        a=math.nan, b=[math.inf, {"c": -math.inf}], d=np.float64(math.nan), e=np.float32(0.5), f=np.int64(3)
    )
    assert line == {"a": None, "b": [None, {"c": None}], "d": None, "e": 0.5, "f": 3}
    assert written(a=np.bool_(True), b=Status.DONE, c=math.nan) == {"a": True, "b": 30, "c": None}
    assert written(a=math.nan, b=True, c=None, d=np.datetime64("2020-01-01"), e=2)["d"] == "2020-01-01"


def test_what_cannot_be_serialised_becomes_text() -> None:
    """Paths, sets, arrays, objects without text, numbers beyond all bounds: each is some text."""
    line = written(a=Path("/x"), b={1}, c=np.arange(2), d=Hostile(), e=10**5000, f=HostileScalar())
    assert (line["a"], line["b"], line["c"]) == ("/x", "{1}", "[0 1]")
    assert (line["d"], line["e"], line["f"]) == ("<Hostile without text>", "<int of 16610 bits>", "scalar")
    assert written(a=HostileMapping(x=1), b=math.nan)["a"] == "{'x': 1}"


def test_keys_that_are_no_text_become_text() -> None:
    """A dict with tuples as keys is kept."""
    assert written(params={(1, 2): 3, "a": 1}) == {"params": {"(1, 2)": 3, "a": 1}}


def test_lone_surrogates_survive() -> None:
    """A file name that is no UTF-8 is in the line and comes back the same."""
    name = b"caf\xe9".decode("utf-8", "surrogateescape")
    assert written(message=name)["message"] == name


def test_cycles_and_hostile_nesting_end() -> None:
    """Values that hold themselves, endless ones and very deep or wide ones are cut."""
    knot: list[Any] = []
    knot += [knot, knot, knot]
    wide: dict[str, Any] = {str(i): i for i in range(50_000)}
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    line = written(knot=knot, wide=wide, deep=deep, endless=Endless([1]), nan=math.nan)
    assert "[cut]" in json.dumps(line)
    assert written(wide=wide, other=Path("x"))["wide"]["..."] == "[cut]"


def test_long_texts_are_cut_with_a_mark() -> None:
    """A text of 50 MB costs 64 KiB, wherever it stands; one that fits is whole."""
    line = written(message="x" * 50_000_000, params={"deep": ["y" * 100_000]}, note="z" * 65_000)
    assert line["message"].startswith("x" * MAX_TEXT + "... [cut: ")
    assert len(line["params"]["deep"][0]) < MAX_TEXT + 300
    assert line["note"] == "z" * 65_000


def test_no_line_is_longer_than_readers_take() -> None:
    """Many long fields are shortened, far too many left out and counted; the established ones stay."""
    sign = "\U0001f600" * 100_000
    context = dict.fromkeys(("record_id", "task", "modality", "step_label", "workspace_version"), sign)
    line = written(
        **make_line(
            context, 40, sign, facts={"traceback": sign, "exc_message": sign}, extra={"a": [sign] * 10}
        )
    )
    assert line["step_status"] == 40 and line["a"].endswith("characters]")
    line = written(**make_line(context, 40, sign, extra={f"x{i}": "y" * 30_000 for i in range(100)}))
    assert set(ESTABLISHED_FIELDS) <= set(line) and line["extra_left_out"] == 105


def test_plain_records_are_formatted_as_the_library_does() -> None:
    """The formatter also serves a handler of `logging`."""
    record = logging.LogRecord("x", logging.INFO, "file", 1, "%d boats", (3,), None)
    record.rate = math.nan
    line = json.loads(LineFormatter().format(record))
    assert (line["message"], line["rate"]) == ("3 boats", None)


ANY_TEXT = st.text(st.characters(), max_size=40)
CONTEXTS = st.fixed_dictionaries(
    {"record_id": ANY_TEXT, "step_label": ANY_TEXT},
    optional={
        name: st.none() | ANY_TEXT for name in ("task", "modality", "workspace_version", "run_id", "attempt")
    },
)
FACTS = st.dictionaries(
    st.sampled_from(["duration_s", "inputs", "outputs", "params", "traceback", "try", "code"]),
    st.recursive(
        st.none() | st.integers() | st.floats() | ANY_TEXT | st.builds(object),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(ANY_TEXT, inner, max_size=3),
        max_leaves=6,
    ),
)


@given(
    context=CONTEXTS,
    status=st.sampled_from([0, 20, 30, 40]),
    message=ANY_TEXT | ANY_TEXT.map(lambda text: text * 3000),
    level=st.sampled_from(["INFO", "ERROR"]),
    facts=FACTS,
)
def test_short_way_to_a_line_leads_to_the_same_text(
    context: dict[str, Any], status: int, message: str, level: str, facts: dict[str, Any]
) -> None:
    """The text of a line of our own is what the formatter makes of its fields, whatever they hold."""
    formatter = LineFormatter()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lines_module, "now_utc", lambda: "2026-11-21T00:00:00.000000+00:00")
        short = line_text(context, status, message, level, facts)
        long = formatter.to_json(make_line(context, status, message, level=level, facts=facts))
    text = short if isinstance(short, str) else formatter.to_json(short)
    assert json.loads(text) == json.loads(long)
    assert text == long and list(json.loads(text)) == list(json.loads(long))


def test_usual_line_takes_the_short_way() -> None:
    """What an attempt says when all goes well needs no second encoding."""
    assert isinstance(line_text({"record_id": "REC-1"}, 30, "Run finished", "INFO", {"duration_s": 0.1}), str)
