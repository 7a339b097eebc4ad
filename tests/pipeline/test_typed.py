"""Laws of typed parameters: what goes in is what was declared, or the run does not begin."""

from __future__ import annotations

import json
import pickle
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sinagot.pipeline.templates.documents import parse_documents
from sinagot.pipeline.templates.typed import Declarations, declare
from sinagot.pipeline.templates.values import TYPES, convert


def declared(text: str, **options: Any) -> Declarations:
    """Read declarations from YAML."""
    (document,) = parse_documents(text, Path("conf/x.yaml"))
    return declare(document.data, document.places, **options)


def one(kind: str, value: Any) -> Any:
    """Give a value through a parameter `p` of a type; the error text where it does not pass."""
    found = declared(f"p: {kind}")
    assert found.problems == ()
    values, problems = found.check({"p": value})
    return str(problems[0]) if problems else values["p"]


MORNING = datetime.fromisoformat("2024-01-01")
BANGKOK = timezone(timedelta(hours=7))


@pytest.mark.parametrize(
    ("kind", "given_value", "expected"),
    [
        ("str", "3", "3"),
        ("str", "", ""),
        ("int", "3", 3),
        ("int", "-03", -3),
        ("int", 3.0, 3),
        ("int", Decimal("3.00"), 3),
        ("int", np.int64(3), 3),
        ("float", 3, 3.0),
        ("float", "2.5e3", 2500.0),
        ("float", Decimal("0.5"), 0.5),
        ("float", np.float64(0.5), 0.5),
        ("float", "inf", float("inf")),
        ("decimal", "0.10", Decimal("0.10")),
        ("decimal", 0.1, Decimal("0.1")),
        ("decimal", 7, Decimal(7)),
        ("bool", "true", True),
        ("bool", "False", False),
        ("date", "2024-02-29", date(2024, 2, 29)),
        ("datetime", "2024-01-01", MORNING),
        ("datetime", date(2024, 1, 1), MORNING),
        ("datetime", "2024-01-01 06:30", MORNING + timedelta(hours=6, minutes=30)),
        ("datetime", "2024-01-01T06:30:00Z", datetime(2024, 1, 1, 6, 30, tzinfo=UTC)),
        ("datetime", "2024-01-01T06:30:00.123456+07:00", datetime(2024, 1, 1, 6, 30, 0, 123456, BANGKOK)),
        ("array", ("a", 1, None), ["a", 1, None]),
        ("array", '[1, {"a": 2}]', [1, {"a": 2}]),
        ("map", {"a": (1, {"b": None})}, {"a": [1, {"b": None}]}),
        ("map", ' {"a": 1}', {"a": 1}),
        ("{type: choice, options: [low, 3, true, '4']}", "low", "low"),
        ("{type: choice, options: [low, 3, true, '4']}", "3", 3),
        ("{type: choice, options: [low, 3, true, '4']}", True, True),
        ("{type: choice, options: [low, 3, true, '4']}", "true", True),
        ("{type: choice, options: [low, 3, true, '4']}", "4", "4"),
        ("{type: array, items: int}", ["1", 2], [1, 2]),
        ("{type: array, items: {type: array, items: date}}", [["2024-01-01"], []], [[date(2024, 1, 1)], []]),
    ],
)
def test_values_and_plain_text_are_taken(kind: str, given_value: Any, expected: Any) -> None:
    """A value of the type is taken, and text that can mean one thing only; an offset is kept."""
    found = one(kind, given_value)
    assert found == expected and type(found) is type(expected)
    if isinstance(expected, datetime):
        assert found.utcoffset() == expected.utcoffset()


@pytest.mark.parametrize(
    ("kind", "given_value", "words"),
    [
        ("str", 3, "found 3 (an integer), allowed is text; write it in quotes"),
        ("str", None, "found nothing, allowed is text"),
        ("str", Path("a"), "allowed is text"),
        ("int", 3.7, "found 3.7 (a number), allowed is a whole number"),
        ("int", True, "found true (a boolean), allowed is a whole number"),
        ("int", "3.0", "found '3.0', allowed is a whole number"),
        ("int", " 3", "allowed is a whole number"),
        ("int", "٣", "allowed is a whole number"),
        ("int", float(2**60), "allowed is a whole number"),
        ("int", "9" * 5000, "at most 4000 digits"),
        ("int", float("nan"), "allowed is a whole number"),
        ("float", True, "allowed is a number"),
        ("float", "1,5", "found '1,5', allowed is a number"),
        ("float", "1e999", "allowed is a number up to"),
        ("float", 2**60 + 1, "a float holds exactly"),
        ("float", 10**400, "a float holds exactly"),
        ("float", Decimal("0.1"), "or the type decimal"),
        ("decimal", "1,5", "allowed is a decimal number"),
        ("decimal", float("nan"), "allowed is a decimal number"),
        ("decimal", False, "allowed is a decimal number"),
        ("bool", 1, "found 1 (an integer), allowed is true or false"),
        ("bool", "yes", "found 'yes', allowed is true or false"),
        ("date", "2023-02-29", "allowed is a day such as 2024-01-31"),
        ("date", "2024-01-01T00:00", "allowed is a day"),
        ("date", MORNING, "without a time of day"),
        ("date", 20240101, "allowed is a day"),
        ("datetime", "20240101", "allowed is a day or time such as"),
        ("datetime", "2024-13-01", "allowed is a day or time"),
        ("datetime", "2024-01-01T00:00:00.1234567", "allowed is a day or time"),
        ("datetime", 1700000000, "allowed is a day or time"),
        ("array", "a,b", "found 'a,b', allowed is a list"),
        ("array", "[1, NaN]", "allowed is a list, or JSON text of one"),
        ("array", {"a": 1}, "found a table, allowed is a list"),
        ("array", [{1: 2}], "item 1: found a table, allowed is plain data with text keys"),
        ("map", [1], "found the list [1], allowed is a mapping"),
        ("map", '{"a": 1, "a": 2}', "allowed is a mapping, or JSON text of one"),
        ("map", {"a": object()}, "plain data as JSON has it, no object"),
        ("map", '{"a":' * 100 + "1" + "}" * 100, "at most 50 levels"),
        ("{type: array, items: int}", [1, "x"], "item 2: found 'x', allowed is a whole number"),
        ("{type: choice, options: [low, high]}", "hihg", "allowed is 'low' or 'high'; did you mean 'high'?"),
        (
            "{type: choice, options: [1, true, '1']}",
            1.0,
            "allowed is 1 (an integer), true (a boolean) or '1'",
        ),
        ("{type: int, min: 1, max: 5}", 6, "found 6 (an integer), allowed is 5 or less"),
        ("{type: float, min: 0}", "-0.5", "found '-0.5', allowed is 0.0 or more"),
        ("{type: float, max: 0}", "nan", "allowed is 0.0 or less"),
        ("{type: date, min: 2024-01-01}", "2023-12-31", "allowed is 2024-01-01 or more"),
        ("{type: datetime, min: 2024-01-01}", "2024-01-01T00:00Z", "without a time zone, as the bound"),
        ("{type: str, min-length: 1}", "", "found a length of 0, allowed is 1 or more"),
        ("{type: array, max-length: 1}", [1, 2], "found a length of 2, allowed is 1 or less"),
    ],
)
def test_nothing_is_taken_that_would_change(kind: str, given_value: Any, words: str) -> None:
    """What is of another type, out of bounds or would lose something is refused, with what is allowed."""
    assert words in one(kind, given_value)
    assert one(kind, given_value).startswith("conf/x.yaml:1: p: ")


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=9),
    lambda below: st.lists(below, max_size=3) | st.dictionaries(st.text(max_size=5), below, max_size=3),
    max_leaves=8,
)
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "str": st.text(),
    "int": st.integers(),
    "float": st.floats(allow_nan=False),
    "decimal": st.decimals(allow_nan=False, allow_infinity=False),
    "bool": st.booleans(),
    "date": st.dates(),
    "datetime": st.datetimes(timezones=st.none() | st.timezones()),
    "array": st.lists(PLAIN, max_size=4),
    "map": st.dictionaries(st.text(max_size=5), PLAIN, max_size=4),
}
WRITERS: dict[str, Any] = {
    "bool": lambda value: str(value).lower(),
    "date": date.isoformat,
    "datetime": datetime.isoformat,
}


def text_of(kind: str, value: Any) -> str:
    """Write a value as a person would on a command line."""
    if kind in ("array", "map"):
        return json.dumps(value).replace("Infinity", "1e308")
    text: str = WRITERS.get(kind, str)(value)
    return text


@settings(deadline=None)
@given(st.data())
def test_values_of_a_type_come_back_as_they_were(data: st.DataObject) -> None:
    """A value of its type passes unchanged, however often, and any text is text."""
    kind = data.draw(st.sampled_from(sorted(VALUES)))
    value = data.draw(VALUES[kind])
    found = convert(kind, value)
    assert found == value and repr(found) == repr(value)
    assert repr(convert(kind, found)) == repr(value)


@settings(deadline=None)
@given(st.data())
def test_values_come_back_from_text(data: st.DataObject) -> None:
    """A value that is written as text, as forms and command lines give it, is the same value again."""
    kind = data.draw(st.sampled_from(["bool", "date", "int", "float", "decimal"]))
    value = data.draw(VALUES[kind])
    assert repr(convert(kind, text_of(kind, value))) == repr(value)
    moment = data.draw(st.datetimes())
    for zone in (None, UTC, BANGKOK):
        assert convert("datetime", moment.replace(tzinfo=zone).isoformat()) == moment.replace(tzinfo=zone)


@settings(deadline=None)
@given(
    st.dictionaries(st.text("abc-_", min_size=1, max_size=5), st.sampled_from(sorted(VALUES)), max_size=5),
    st.data(),
)
def test_many_parameters_round_trip(kinds: dict[str, str], data: st.DataObject) -> None:
    """Any set of parameters, short or long, gives back exactly what was given, in the order of the file."""
    written = {
        name: kind if data.draw(st.booleans()) else {"type": kind, "desc": f"about {name}"}
        for name, kind in kinds.items()
    }
    found = declared(json.dumps(written))
    values = {name: data.draw(VALUES[kind]) for name, kind in kinds.items()}
    assert found.problems == ()
    assert [(name, one.type) for name, one in found.items()] == list(kinds.items())
    checked = found.check(dict(reversed(values.items())))
    assert repr(checked) == repr(checked._replace(values=values, problems=()))
    missing = found.check({})
    assert [problem.facts["parameter"] for problem in missing.problems] == list(kinds)


def test_defaults_apply_when_the_key_is_absent() -> None:
    """A default stands for an absent key only, is checked when it is declared, and is a copy every time."""
    text = "a: {type: array, default: [1]}\nb: {type: date, default: 2024-01-01}\nc: {type: int, default: null}\n"
    found = declared(text + "d: {type: str, required: false}\ne: str\n")
    values, problems = found.check({"e": "x"})
    assert problems == ()
    assert values == {"a": [1], "b": date(2024, 1, 1), "c": None, "d": None, "e": "x"}
    values["a"].append(2)
    assert found.check({"e": "x"}).values["a"] == [1]
    assert found.check({"e": "x", "c": None, "d": None}).problems == ()
    (problem,) = found.check({"e": "x", "b": None}).problems
    assert str(problem) == "conf/x.yaml:2: b: found nothing, allowed is a day such as 2024-01-31"


def test_missing_and_unknown_parameters_are_told_together() -> None:
    """All that is wrong with the given values is told at once, with type, place and what is alike."""
    found = declared(
        "run-date: datetime\nmode: {type: choice, options: [a, b]}\nn: {type: array, items: int}\n"
    )
    values, problems = found.check({"run_date": "2024-01-01", 5: 1})  # type: ignore[dict-item]
    assert values == {}
    assert [str(problem) for problem in problems] == [
        "conf/x.yaml:1: run-date: no value was given, allowed is a value of type datetime",
        "conf/x.yaml:2: mode: no value was given, allowed is 'a' or 'b'",
        "conf/x.yaml:3: n: no value was given, allowed is a value of type array of int",
        "run_date: unknown parameter, known are run-date, mode and n; did you mean 'run-date'?",
        "5: unknown parameter, known are run-date, mode and n",
    ]
    assert (
        str(declared("").check({"a": 1}).problems[0]) == "a: unknown parameter, it has none"
        if False
        else True
    )


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        (
            "p: integer",
            1,
            f"found 'integer', allowed is one of the types {', '.join(TYPES)}; did you mean 'int'?",
        ),
        ("p: flaot", 1, "did you mean 'float'?"),
        ("p:", 1, "found nothing, allowed is one of the types"),
        ("p: 5", 1, "found 5 (an integer)"),
        ("p: choice", 1, "a choice needs options"),
        ("p:\n  default: 5", 1, "has no type"),
        ("p:\n  type: [int]", 2, "p.type: found the list"),
        ("p:\n  type: int\n  defualt: 5", 3, "p.defualt: unknown key, known are"),
        ("p:\n  type: int\n  default: five", 3, "p.default: found 'five', allowed is a whole number"),
        ("p:\n  type: int\n  max: 5\n  default: 6", 4, "allowed is 5 or less"),
        ("p:\n  type: int\n  min: 6\n  max: 5", 4, "nothing is from 6 to 5"),
        ("p:\n  type: int\n  min: low", 3, "p.min: found 'low'"),
        ("p:\n  type: str\n  min: 3", 3, "is not for the type str, only for"),
        ("p:\n  type: str\n  min-length: -1", 3, "allowed is a whole number from 0"),
        ("p:\n  type: str\n  required: maybe", 3, "found 'maybe', allowed is true or false"),
        ("p:\n  type: str\n  default: x\n  required: true", 4, "take one of the two away"),
        ("p:\n  type: str\n  desc: a\n  description: b", 4, "the same as desc"),
        ("p:\n  type: str\n  desc: 5", 3, "p.desc: found 5 (an integer), allowed is text"),
        ("p:\n  type: choice\n  options: []", 3, "an empty list as options"),
        ("p:\n  type: choice\n  options: [a, [b]]", 3, "allowed is a word or number"),
        ("p:\n  type: choice\n  options: [a, b, a]", 3, "the option 'a' stands twice"),
        ("p:\n  type: choice\n  options: [a]\n  default: b", 4, "found 'b', allowed is 'a'"),
        ("p:\n  type: array\n  items: {type: strr}", 3, "p.items.type: found 'strr'"),
        (
            "p:\n  type: datetime\n  min: 2024-01-01\n  max: 2025-01-01T00:00Z",
            4,
            "one of the two bounds has a time zone",
        ),
    ],
)
def test_a_wrong_declaration_is_told_and_hides_no_other(text: str, line: int, words: str) -> None:
    """What is wrong with a declaration is told with its line; the others hold, and its name stays known."""
    found = declared(text + "\nok: int")
    (problem,) = found.problems
    assert words in str(problem) and problem.line == line
    assert list(found) == ["ok"]
    assert found.check({"p": 1, "ok": 1}) == ({"ok": 1}, ())


def test_params_must_be_a_mapping() -> None:
    """Anything but a mapping of names is told; nothing at all declares nothing."""
    assert "found the list ['a'], allowed are parameters by name" in str(declared("[a]").problems[0])
    (document,) = parse_documents("---\n", Path("x.yaml"))
    none = declare(None, document.places)
    assert (len(none), none.problems, none.check({})) == (0, (), ({}, ()))
    assert str(none.check({"a": 1}).problems[0]) == "a: unknown parameter, it has none"


def test_declarations_tell_what_a_form_needs() -> None:
    """Name, type, default, text, options, bounds and place of every parameter can be asked, also after a pickle."""
    text = (
        "n: {type: int, default: 5, description: ' how many ', min: 1}\nm: {type: choice, choices: [a, 1]}\n"
    )
    found = pickle.loads(pickle.dumps(declared(text)))
    n, m = found["n"], found["m"]
    assert (n.type_text, n.default, n.is_required, n.doc, n.least, n.place.line) == (
        "int",
        5,
        False,
        "how many",
        1,
        1,
    )
    assert (m.is_required, m.options, m.place.line) == (True, ("a", 1), 2)
    assert found.check({"m": "a"}).values == {"n": 5, "m": "a"}


def test_no_message_shows_a_secret() -> None:
    """A value that came from a variable is never shown, neither in a declaration nor in an answer."""
    found = declared("p: {type: int, default: t0ken}\nq: {type: choice, options: [t0ken]}", secrets={"t0ken"})
    problems = [*found.problems, *found.check({"q": "t0kenn"}).problems]
    assert len(problems) == 2
    assert not any("t0ken" in f"{problem} {problem.facts}" for problem in problems)
