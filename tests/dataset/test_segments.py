"""The small language of patterns: parsing, filling, matching."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sinagot.dataset.segments import Field, Part, fields_of, fill, match, narrow_fields, parse, render


def accept_all(_field: str, _value: str) -> bool:
    return True


def agree_always(_values: dict[str, str]) -> bool:
    return True


def read(pattern: str, text: str, **bound: str) -> dict[str, str] | None:
    return match(parse(pattern), text, bound, accept_all, agree_always)


@pytest.mark.parametrize("text", ["a[1]b", "[", "]", "][", "[[x]", "[{id}]", "[{task}_{modality}]", "x]y["])
def test_brackets_without_an_entity_are_plain_text(text: str) -> None:
    """Brackets are optional parts only if they hold an entity field; all others are what they look like."""
    assert not any(isinstance(node, Part) for node in parse(text))
    assert render(parse(text)) == text


def test_the_innermost_brackets_around_an_entity_are_the_optional_part() -> None:
    """Only the brackets that hold the field itself are optional."""
    assert parse("[a[_{run}]]") == ("[a", Part(("_", Field("run")), ("run",)), "]")


def test_optional_parts_may_hold_optional_parts() -> None:
    """A part within a part is there only if both have their values."""
    nodes = parse("x[_{a}[-{b}]]")
    filled = [
        fill(nodes, values, is_final=True) for values in ({}, {"a": "1"}, {"a": "1", "b": "2"}, {"b": "2"})
    ]
    assert filled == [("x",), ("x_1",), ("x_1-2",), ("x",)]


@pytest.mark.parametrize("text", ["{", "}", "{}", "{a b}", "{1}", "{id:>3}", "{id!r}", "{a/b}", "{{}", "x}y"])
def test_a_lone_brace_or_an_odd_field_is_refused(text: str) -> None:
    """Braces that are neither a field nor doubled are a mistake, and said to be one."""
    with pytest.raises(ValueError, match=r"brace|field"):
        parse(text)


def test_doubled_braces_are_braces() -> None:
    """Doubled braces stand for themselves, beside fields too."""
    assert parse("{{{id}}}{{x}}") == ("{", Field("id"), "}{x}")


@given(st.text(max_size=20))
def test_rendering_tells_apart_and_keeps_escaped_text(text: str) -> None:
    """Any text, its braces doubled and without entities, is literal and comes back as it was."""
    doubled = text.replace("{", "{{").replace("}", "}}")
    assert "".join(str(node) for node in parse(doubled)) == text
    assert render(parse(doubled)) == doubled


def test_a_literal_never_renders_like_an_optional_part() -> None:
    """What is equal when rendered is equal."""
    assert render(("[_", Field("run"), "]")) != render(parse("[_{run}]"))


def test_an_absent_field_outside_optional_parts_cannot_be_filled() -> None:
    """An empty value means absent: no text can be made of a path that needs it."""
    assert fill(parse("a{x}"), {"x": ""}) is None
    assert fill((Part((Field("id"), Field("x")), ("x",)),), {"x": "1", "id": ""}) is None


def test_unknown_values_stay_open_until_the_end() -> None:
    """Filling in steps keeps optional parts whose fields may still come."""
    nodes = parse("a{x}[_{y}]")
    assert fill(nodes, {"x": "1"}) == ("a1", Part(("_", Field("y")), ("y",)))
    assert fill(nodes, {"x": "1"}, is_final=True) == ("a1",)


@pytest.mark.parametrize(
    ("pattern", "text", "found"),
    [
        ("{a}_{b}.csv", "x_y_z.csv", {"a": "x_y", "b": "z"}),
        ("{a}{b}", "xyz", {"a": "xy", "b": "z"}),
        ("{a}-{a}", "x-x", {"a": "x"}),
        ("{a}-{a}", "x-y", None),
        ("{a}-{a}", "x-x-x-x-x", None),
        ("{a}-{a}", "x-x-x-x", {"a": "x-x"}),
        ("{a}", "", None),
        ("a{x}", "a", None),
        ("s[_{r}]_e", "s_1_e", {"r": "1"}),
        ("s[_{r}]_e", "s_e", {"r": ""}),
        ("s[_{r}]_e", "s_", None),
        ("[_{a}-{b}][_{b}]", "_1", {"a": "", "b": "1"}),
        ("[{r}]{q}", "x", {"r": "", "q": "x"}),
        ("{a}ab{b}", "ababab", {"a": "ab", "b": "ab"}),
        ("{a}aa{b}", "aaaaa", {"a": "aa", "b": "a"}),
    ],
)
def test_a_name_is_read_as_a_whole_the_longest_first(
    pattern: str, text: str, found: dict[str, str] | None
) -> None:
    """A match covers the whole name, repeated fields agree, earlier fields take as much as they can."""
    assert read(pattern, text) == found


def test_known_values_are_literals() -> None:
    """A value that is known before must be there; a known absence leaves the part out."""
    assert read("s[_{r}]_{q}", "s_1_e", r="1") == {"r": "1", "q": "e"}
    assert read("s[_{r}]_{q}", "s_1_e", r="2") is None
    assert read("s[_{r}]_{q}", "s_1_e", r="") == {"r": "", "q": "1_e"}
    assert read("s{r}", "s1", r="") is None


def test_the_search_goes_on_when_the_values_disagree() -> None:
    """A first reading that the caller refuses is not the last one."""
    found = match(parse("{a}_{b}"), "x_y_z", {}, accept_all, lambda values: values["a"] == "x")
    assert found == {"a": "x", "b": "y_z"}


@given(
    st.lists(st.sampled_from(["{a}", "{b}", "{c}", "_", "-", "xy", "."]), min_size=1, max_size=6),
    st.text("ab_-xy.", max_size=12),
)
def test_matching_is_what_a_regular_expression_would_do(parts: list[str], text: str) -> None:
    """For fields without rules, the first match is that of greedy groups and back references."""
    expression, seen = "", set()
    for part in parts:
        if part[0] == "{":
            expression += f"(?P={part[1]})" if part in seen else f"(?P<{part[1]}>.+)"
            seen.add(part)
        else:
            expression += re.escape(part)
    expected = re.compile(expression).fullmatch(text)
    assert read("".join(parts), text) == (expected.groupdict() if expected else None)


def test_fields_come_from_left_to_right() -> None:
    """All fields are named, those in optional parts too."""
    assert list(fields_of(parse("{b}/{a}[_{c}]{b}"))) == ["b", "a", "c", "b"]


@pytest.mark.parametrize(
    ("pattern", "narrow"),
    [
        ("sub-{subject}_ses-{session}[_run-{run}]", {"subject", "session", "run"}),
        ("{a}-{b}", set()),
        ("my_lab-{a}", set()),
        ("{a}.x_y", set()),
        ("{a}_x", {"a"}),
        ("_{a}", {"a"}),
        ("{a}/_{b}/{c}", {"b"}),
        ("{a}_/{b}", {"a"}),
        ("{a}{b}_{c}", {"b", "c"}),
    ],
)
def test_underscores_between_fields_set_them_apart(pattern: str, narrow: set[str]) -> None:
    """A field is narrow if an underscore is next to it or stands between it and its neighbour."""
    assert narrow_fields(parse(pattern)) == narrow
