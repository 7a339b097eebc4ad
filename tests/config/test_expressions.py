"""Laws of refusing regular expressions."""

from __future__ import annotations

import re
import warnings

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sinagot.config.expressions import expression_problem


@pytest.mark.parametrize(
    "text",
    [
        "(a+)+",
        "(a*)*b",
        r"(\w+\s?)+",
        "(a|a)*x",
        "(a|aa)+",
        r"^(([a-z])+.)+[A-Z]([a-z])+$",
        r"(\d+|[A-Z]+)+",
        "((a{1,5}))*",
        "(a|ab|b)*c",
        "(ab|a|bc?|c)+x",
        "(x[0-9]|x|[0-9])*-",
        "(?:abc|ab|c)+!",
        r"(?:(?:ab)+|\d)*x",
    ],
)
def test_catastrophic_expression_is_refused(text: str) -> None:
    """An expression that takes exponential time is refused by name, without being tried."""
    assert "take years" in expression_problem(text)


@pytest.mark.parametrize(
    "text",
    [
        r"REC-\d{8}", r"REC-[0-9]{6}-[A-Z]", r"(?:[A-Z]+-)+\d+", r"sub-(?P<subject>[^_/]+)_ses-\d+", ".*",
        "(a|b)*", "(ab?)*",
        r"(?i:rec)-\w+", r"(?>a+)+b", r"(?:a++)+x", r"(?=a+)a+", r"(\d)\1+", "", "é+",
        "[^/]+(_[^/_]+)*", "(?:-?[0-9])+", "(ab|ac)*", "(?:a[0-9]+b?)*", "(?:run|ses|sub)*", r"(?:\w\d-)+",
        "(?:abc|ab)+", "(?:[A-Z][a-z]*)+", "(?:(?>ab|a)b)+",
    ],
)  # fmt: skip
def test_ordinary_expression_is_accepted(text: str) -> None:
    """Expressions that people write for ids are accepted, nested ones with a separator too."""
    assert expression_problem(text) == ""


@pytest.mark.parametrize(
    "text", ["(", "[a", "a{2,1}", "*", r"\g", "(?P<a>x)(?P<a>y)", "a{99999999999999999999}"]
)
def test_bad_expression_has_a_reason(text: str) -> None:
    """What `re` refuses is refused with its own reason."""
    assert expression_problem(text)


@given(st.text(st.sampled_from(r"ab()[]*+?{}|\d-^$.,1:"), max_size=20))
def test_verdict_agrees_with_re(text: str) -> None:
    """An expression that is accepted compiles; whatever the text, there is an answer."""
    if not expression_problem(text):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)
            re.compile(text)
