"""Laws of templates: what is looked up, what it becomes, what is refused, and that no value is read again."""

from __future__ import annotations

import pickle
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sinagot.errors import ConfigurationError, TemplateError
from sinagot.pipeline.templates.expressions import Template


class Place(NamedTuple):
    """A place in a file."""

    file: Path
    line: int


HERE = Place(Path("conf/daily.yaml"), 7)


def rendered(value: Any, **context: Any) -> Any:
    """Parse and fill in."""
    return Template.parse(value, HERE).render(context)


@settings(deadline=None)
@given(st.text())
def test_any_text_is_a_value_and_is_not_read(text: str) -> None:
    """A text passes through alone and within another text as it is, whatever it holds."""
    assert rendered("${{ params.x }}", params={"x": text}) == text
    assert rendered("<${{ params.x }}>", params={"x": text}) == f"<{text}>"
    assert rendered(["${{ params | values | first }}"], params={"x": text}) == [text]


@pytest.mark.parametrize(
    "text",
    [
        "${{ params.secret }}",
        "${SECRET}",
        "{secret}",
        "%(secret)s",
        "$${{ x }}",
        "{{ params.secret }}",
        "}} | upper",
    ],
)
def test_value_that_looks_like_a_template_stays_text(text: str) -> None:
    """What was filled in is never read again, neither as an expression nor as a variable or format."""
    assert rendered("${{ params.x }}-${{ params.x }}", params={"x": text, "secret": "S"}) == f"{text}-{text}"
    assert rendered({"k": ["${{ params.x }}"]}, params={"x": text, "secret": "S"}) == {"k": [text]}


@settings(deadline=None)
@given(st.text(alphabet="${} ab.|'\"\n"))
def test_braces_that_are_no_expression_survive(text: str) -> None:
    """Dollars and braces stand for themselves; written `$${{`, so does the beginning of an expression."""
    if "${{" not in text:
        assert rendered(text) == text
    assert rendered(text.replace("${{", "$${{")) == text


def test_alone_it_keeps_its_type() -> None:
    """An expression that is alone gives the very object; a line end of a block scalar does not count."""
    table = pd.DataFrame({"a": [1]})
    for value in (table, np.arange(3), None, {"a": 1}, 3, True, object(), "UNBOUND"):
        assert rendered("${{ stages.x.outputs.v }}", stages={"x": {"outputs": {"v": value}}}) is value
        assert rendered("${{ params.v }}\n", params={"v": value}) is value
    assert rendered(" ${{ params.v }}", params={"v": 3}) == " 3"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (True, "true"), (3, "3"), (1.5, "1.5"), (np.int64(4), "4"), (np.bool_(False), "false"), (Decimal("1.10"), "1.10"),
        (date(2024, 1, 2), "2024-01-02"), (datetime(2024, 1, 2, 3, tzinfo=UTC), "2024-01-02T03:00:00+00:00"),
        (PurePosixPath("a/b"), "a/b"), ({"a": [1, None, "é"]}, '{"a": [1, null, "é"]}'), ([], "[]"),
    ],
)  # fmt: skip
def test_within_a_text_it_becomes_text(value: Any, text: str) -> None:
    """Each plain kind has one way to be written."""
    assert rendered("<${{ params.v }}>", params={"v": value}) == f"<{text}>"


@pytest.mark.parametrize("value", [None, b"x", pd.DataFrame(), np.arange(2), object(), [object()], float])
def test_within_a_text_nothing_is_made_up(value: Any) -> None:
    """None, bytes, tables and objects have no text: that is an error which says what to do."""
    with pytest.raises(TemplateError, match=r"conf/daily.yaml:7: .*cannot be a part of a text.*alone"):
        rendered("<${{ params.v }}>", params={"v": value})
    with pytest.raises(TemplateError, match=r"coalesce"):
        rendered("<${{ params.v }}>", params={"v": None})


def test_list_that_holds_itself_is_an_error() -> None:
    """A value without an end has no text, and a template without an end is refused."""
    endless: list[Any] = []
    endless.append(endless)
    with pytest.raises(TemplateError, match="holds itself"):
        rendered("<${{ params.v }}>", params={"v": endless})
    with pytest.raises(ConfigurationError, match="holds itself"):
        Template.parse(endless, HERE)


def test_optional_segments() -> None:
    """A segment with `?` that is absent or null gives null at once; what follows it is not optional."""
    assert rendered("${{ params.a?.b }}", params={}) is None
    assert rendered("${{ params.a?.b }}", params={"a": None}) is None
    assert rendered("${{ params.a?.b | coalesce('x') }}", params={}) == "x"
    assert rendered("${{ params.a?.b }}", params={"a": {"b": 1}}) == 1
    with pytest.raises(TemplateError, match=r"params\.a has no 'b', it has c"):
        rendered("${{ params.a?.b }}", params={"a": {"c": 1}})


def test_paths_reach_into_maps_and_lists() -> None:
    """Names may hold `-`, be quoted, or be indexes of lists."""
    context = {
        "jobs": {"getting-api-data": {"stages": {"retrieve-api": {"outputs": {"x": [5, [6, 7]]}}}}},
        "2nd": {"a b": 1},
    }
    path = "jobs.getting-api-data.stages.retrieve-api.outputs.x"
    assert Template.parse(f"${{{{{path}.1.0}}}}").render(context) == 6
    assert Template.parse(f"${{{{ {path}.0 }}}}").render(context) == 5
    assert Template.parse("${{ 2nd.'a b' }}").render(context) == 1
    with pytest.raises(TemplateError, match="list of 2"):
        Template.parse(f"${{{{ {path}.2 }}}}").render(context)


class Guarded:
    """An object whose attributes nobody may read."""

    secret = "S"

    def __getattribute__(self, name: str) -> Any:
        if name in ("__class__", "__dict__"):
            return object.__getattribute__(self, name)
        raise AssertionError(f"read {name}")


@pytest.mark.parametrize(
    "path",
    [
        "__class__",
        "secret",
        "__dict__",
        "__class__.__mro__",
        "x.__class__",
        "x.upper",
        "l.append",
        "n.real",
        "m.keys",
        "l.-1",
    ],
)
def test_attributes_are_never_read(path: str) -> None:
    """No path leads to an attribute of anything, were it of a text or a map."""
    with pytest.raises((TemplateError, ConfigurationError)):
        rendered(f"${{{{ params.{path} }}}}", params={"x": "t", "l": [1], "n": 3, "m": {}})
    with pytest.raises(TemplateError, match="has no"):
        rendered(f"${{{{ params.{path.replace('-', 'a')} }}}}", params=Guarded())


def test_looking_up_changes_nothing() -> None:
    """A missing key is not made by asking for it, and what is rendered is new each time."""
    from collections import defaultdict

    known: defaultdict[str, list[int]] = defaultdict(list)
    with pytest.raises(TemplateError):
        rendered("${{ params.x }}", params=known)
    assert not known
    template = Template.parse({"a": [1, {"b": "${{ params.x }}"}]})
    first = template.render({"params": {"x": 1}})
    first["a"].append(2)
    first["a"][1]["b"] = 3
    assert template.render({"params": {"x": 1}}) == {"a": [1, {"b": 1}]}


def test_keys_are_no_templates() -> None:
    """Only values are filled in."""
    assert rendered({"${{ params.x }}": "${{ params.x }}"}, params={"x": 1}) == {"${{ params.x }}": 1}


def test_error_names_place_part_and_near_name() -> None:
    """An unknown part of a path is told with file, line, expression, what there is, and a near name."""
    with pytest.raises(TemplateError) as caught:
        rendered("a ${{ params.auhtor-run }}", params={"author-run": 1, "day": 2})
    assert str(caught.value) == (
        "conf/daily.yaml:7: ${{ params.auhtor-run }}: params has no 'auhtor-run', it has author-run, day; "
        "did you mean 'author-run'?"
    )
    assert (caught.value.file, caught.value.line) == HERE
    with pytest.raises(
        TemplateError, match=r"unknown name 'parms', known are params; did you mean 'params'\?"
    ):
        rendered("${{ parms.x }}", params={})
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)


def test_error_never_holds_the_value() -> None:
    """A value may be a secret: messages name its kind."""
    for expression in ("params.x | int", "params.x.y", "params.x | abs", "params.x | fmt('d')"):
        with pytest.raises(TemplateError) as caught:
            rendered(f"${{{{ {expression} }}}}", params={"x": "hunter2"})
        assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        "${{ }}", "${{ params. }}", "${{ .x }}", "${{ params.x + 1 }}", "${{ params.x }", "${{ 'a' }}", "${{ 3 }}",
        "${{ open('x') }}", "${{ params.x() }}", "${{ params[0] }}", "${{ params.x | }}", "${{ params.x | f(y) }}",
        "${{ params.x | f(1 }}", "${{ params.x | f('\\q') }}", "${{ params.x | f(a=1, 2) }}", "${{ params.x y }}",
        "${{ ${{ params.x }} }}", "${{ params.x | f(__import__) }}", "${{ params.x | f([1]) }}", "${{ params.-1 }}",
    ],
)  # fmt: skip
def test_what_is_badly_written_is_refused_when_loaded(text: str) -> None:
    """Templates substitute, they do not compute; the message has the place."""
    with pytest.raises(ConfigurationError, match=r"^conf/daily.yaml:7: "):
        Template.parse(text, HERE)


def test_all_that_is_badly_written_is_told_at_once() -> None:
    """Each part tells its own place; one does not hide the other."""
    lines = {("a",): 3, ("b", 0): 5}
    with pytest.raises(ConfigurationError) as caught:
        Template.parse(
            {"a": "${{ }}", "b": ["${{ x"], "c": "fine"}, lambda path: Place(Path("f.yaml"), lines[path])
        )
    assert [one.line for one in caught.value.problems or ()] == [3, 5]


def test_check_finds_before_the_run_what_the_run_would_find() -> None:
    """Unknown roots, names and filters, and wrong arguments, are found without a value."""
    known = {
        "params": {"day": None},
        "jobs": {"a": {"stages": {"s": None}}},
        "release": {"logical_date": None},
    }
    good = ["${{ params.day.x.y }}", "${{ params.nope? }}", "${{ jobs.a.stages.s.outputs.x | int }}", "plain"]
    assert Template.parse(good, HERE).check(known) == []
    bad = [
        "${{ param.day }}",
        "${{ params.dya }}",
        "${{ jobs.a.stages.t }}",
        "${{ params.day | nope }}",
        "${{ params.day | replace(1) }}",
    ]
    problems = Template.parse(bad, HERE).check(known)
    assert len(problems) == len(bad)
    assert all(str(one).startswith("conf/daily.yaml:7: ${{") for one in problems)
    for one in bad:
        with pytest.raises(TemplateError):
            rendered(one, params={"day": "x"}, jobs={"a": {"stages": {"s": 1}}})


@settings(deadline=None)
@given(st.text(alphabet="${}|.,()?='\"\\ab01-_ \n", max_size=60))
def test_any_text_is_parsed_or_refused(text: str) -> None:
    """No text breaks the parser: it gives a template, or an error with its place."""
    template = None
    problem = ""
    try:
        template = Template.parse("${{" + text, HERE)
    except ConfigurationError as error:
        problem = str(error)
    assert problem.startswith("conf/daily.yaml:7: ") if template is None else template.expressions


def test_long_texts_take_no_time() -> None:
    """Parsing is linear: a hundred thousand openings or quotes are read or refused at once."""
    many = 50_000
    for text in (
        "${{ a }}" * many,
        "${{ " + "'a' " * many,
        "${{ " * many,
        "$" * many + "{{",
        "${{ a" + " | b" * many + " }}",
    ):
        try:
            Template.parse(text, HERE)
        except ConfigurationError:
            continue
