"""Laws of filters: what each makes of a value, and that none opens a door or fills the memory."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sinagot.errors import ConfigurationError, TemplateError
from sinagot.pipeline.templates import filters as module
from sinagot.pipeline.templates.expressions import Template
from sinagot.pipeline.templates.filters import FILTERS, custom_filter, filters_apart


class Place(NamedTuple):
    """A place in a file."""

    file: Path
    line: int


@pytest.fixture(autouse=True)
def own_filters() -> Iterator[None]:
    """Forget the filters that a test declares."""
    before = dict(module._KNOWN)
    yield
    module._KNOWN.clear()
    module._KNOWN.update(before)


def filtered(value: Any, chain: str) -> Any:
    """Apply what stands behind the first bar."""
    return Template.parse(f"${{{{ v | {chain} }}}}", Place(Path("a.yaml"), 2)).render({"v": value})


@pytest.mark.parametrize(
    ("value", "chain", "result"),
    [
        (-3, "abs", 3), (3, "str", "3"), ("12", "int", 12), (3.9, "int", 3), ("2.5", "float", 2.5), ("True", "bool", True),
        (0, "bool", False), ("aB", "upper", "AB"), ("aB", "lower", "ab"), ("a b", "title", "A B"), (" a ", "trim", "a"),
        (date(2024, 1, 2), "fmt('%Y/%m/%d')", "2024/01/02"), (datetime(2024, 1, 2, 3, tzinfo=UTC), "fmt('{:%H}h')", "03h"),
        (3.14159, "fmt('.2f')", "3.14"), (7, "fmt('run-{:03d}')", "run-007"), ("x", "fmt(format='$ {}')", "$ x"),
        (np.float64(0.5), "fmt('{:.1%}')", "50.0%"), (None, "list", []), ("ab", "list", ["ab"]), ((1, 2), "list", [1, 2]),
        (None, "coalesce(1)", 1), (0, "coalesce(1)", 0), ("", "coalesce('x')", ""), ({"a": 1}, "keys", ["a"]),
        ({"a": 1}, "values", [1]), ([1, True, "x"], "join('-')", "1-true-x"), ("a,b", "split(',')", ["a", "b"]),
        (" a  b ", "split", ["a", "b"]), ([1, 2], "length", 2), ([1, 2], "first", 1), ([1, 2], "last", 2),
        (2.567, "round(1)", 2.6), (2.5, "round", 2), ("abab", "replace('b', '')", "aa"), ({"a": [1, None]}, "json", '{"a": [1, null]}'),
        ([3, 1], "sorted", [1, 3]), ("A B", "lower | replace(' ', '-') | upper", "A-B"), (Decimal("1.5"), "abs", Decimal("1.5")),
    ],
)  # fmt: skip
def test_what_each_filter_makes(value: Any, chain: str, result: Any) -> None:
    """Each filter gives what its name says."""
    found = filtered(value, chain)
    assert found == result and type(found) is type(result)


@pytest.mark.parametrize(
    ("value", "chain"),
    [
        ("x", "abs"), ("x", "int"), (None, "int"), (None, "upper"), (3, "upper"), ([], "first"), ([], "last"), (3, "keys"),
        ("maybe", "bool"), (2, "bool"), (object(), "str"), (object(), "json"), (float("nan"), "json"), ({"a": b"x"}, "json"),
        ([1, "a"], "sorted"), (b"x", "fmt('{}')"), (Decimal("1e999999999"), "int"), (float("inf"), "int"), ("a", "replace('', 'b')"),
        ("x", "fmt"), ("x", "upper(1)"), ("x", "replace('a')"), ("x", "fmt(3)"), ("x", "nope"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_an_error_with_its_place(value: Any, chain: str) -> None:
    """Wrong values and wrong arguments are told with file, line and filter."""
    with pytest.raises(TemplateError, match=r"^a.yaml:2: \$\{\{ v \| .*filter "):
        filtered(value, chain)


@pytest.mark.parametrize(
    "layout",
    [
        "{0.__class__}",
        "{.__class__}",
        "{0[0]}",
        "{x}",
        "{!r}",
        "{:{}}",
        "{:1000000000}",
        "{:.999999999f}",
        "1000000000d",
        "%1000000000Y",
        "{",
        "}",
        "{:%p%Z}" + "x" * 300,
        ">99999",
    ],
)
def test_formats_read_no_attribute_and_make_no_bomb(layout: str) -> None:
    """A format has plain fields only, and no width that fills the memory."""
    for value in ("text", 3, 1.5, date(2024, 1, 1)):
        try:
            found = filtered(value, f"fmt({layout!r})")
        except TemplateError:
            continue
        assert isinstance(value, date) and "class" not in found and len(found) < 400


@settings(deadline=None)
@given(st.text())
def test_text_is_never_a_format(text: str) -> None:
    """A value that holds a format is only ever written, not read."""
    assert filtered(text, "fmt('<{}>')") == f"<{text}>"
    assert filtered([text], "join(',')") == text
    assert filtered(text, "replace('${{', 'x')") == text.replace("${{", "x")


def test_no_chain_of_filters_fills_the_memory() -> None:
    """Texts that grow with each filter end in an error before they are large."""
    for chain in (
        " | ".join(["replace('a', 'aaaaaaaaaa')"] * 12),
        " | ".join(["json | json"] * 40),
        "join('" + "x" * 2000 + "')",
    ):
        with pytest.raises(TemplateError, match="1,000,000"):
            filtered(
                ['a\\"' * 500] * 1000 if "join" in chain else "a" if "replace" in chain else "\\" * 9, chain
            )
    assert filtered("x" * 3_000_000, "trim") == "x" * 3_000_000


def test_own_filters() -> None:
    """A declared filter gets the value and the literals; what it raises is told with its place and chained."""

    @custom_filter("half")
    def half(value: Any, digits: int = 1) -> Any:
        return round(value / 2, digits)

    assert half(5) == 2.5 and FILTERS["half"] is half
    assert filtered(5, "half(0)") == 2.0 and filtered(5.25, "half(digits=2)") == 2.62
    with pytest.raises(
        TemplateError, match=r"a.yaml:2: .*filter 'half' fails for a text: unsupported operand"
    ) as caught:
        filtered("x", "half")
    assert isinstance(caught.value.__cause__, TypeError)
    with pytest.raises(TemplateError, match="did you mean 'half'"):
        filtered(5, "hafl")
    known = Template.parse("${{ v | half(1, 2, 3) }}").check({"v": None})
    assert len(known) == 1 and "too many positional" in str(known[0])


def test_filters_of_a_registry_stay_apart() -> None:
    """What is declared while a workspace's modules are loaded is not everybody's."""
    with filters_apart():

        @custom_filter("theirs")
        def theirs(value: Any) -> Any:
            return value

    assert "theirs" not in FILTERS
    assert Template.parse("${{ v | theirs }}").render({"v": 1}, {"theirs": theirs}) == 1


@pytest.mark.parametrize("name", ["upper", "a b", "", "a-b", "__import__('os')", 3, len])
def test_names_of_own_filters(name: Any) -> None:
    """A filter's name is a plain word, and no built-in filter is replaced."""
    with pytest.raises(ConfigurationError, match="custom_filter"):
        custom_filter(name)
