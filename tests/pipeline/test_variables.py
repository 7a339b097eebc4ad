"""Laws of variables: put in once, after parsing, and hidden ever after."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sinagot.errors import ConfigurationError
from sinagot.pipeline.templates.documents import parse_documents
from sinagot.pipeline.templates.variables import Resolved, redact_error, resolve_variables

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)


def resolved(text: str, **environ: str) -> Resolved:
    """Read a text and put variables in."""
    (document,) = parse_documents(text, Path("conf/x.yaml"))
    return resolve_variables(document.data, document.places, environ)


@settings(deadline=None)
@given(TEXT.filter(lambda text: "${" not in text), TEXT)
def test_text_without_a_variable_is_left_alone(text: str, value: str) -> None:
    """Text with any signs but `${` comes out as it was, and nothing becomes a secret."""
    found = resolve_variables({"a": [text]}, parse_documents("a: 1", Path("x"))[0].places, {"VAR": value})
    assert found == ({"a": [text]}, frozenset(), ())


@settings(deadline=None)
@given(TEXT.filter(lambda text: "${{" not in text))
def test_a_value_is_never_read_again(value: str) -> None:
    """What a variable holds comes out sign by sign: neither as YAML, nor as variables, nor as a template."""
    found = resolved("a: ${VAR}\nb: x${VAR}y", VAR=value, OTHER="other")
    assert found.data == {"a": value, "b": f"x{value}y"}
    assert found.problems == ()


@pytest.mark.parametrize(
    "value", ["${OTHER}", "$${OTHER}", "true", "5", "[1, 2]", "*x", "!!int 5", "", "a: b"]
)
def test_a_value_is_text(value: str) -> None:
    """A scalar that is nothing but a variable is text, whatever its value looks like; it may be empty."""
    assert resolved("a: ${VAR:default}", VAR=value, OTHER="other").data == {"a": value}


@pytest.mark.parametrize(
    ("written", "found"),
    [
        ("${VAR}", "value"),
        ("${VAR}/${VAR}", "value/value"),
        ("${NO:5}", "5"),
        ("${NO:}", ""),
        ("${NO:a:b c}", "a:b c"),
        ("$${VAR}", "${VAR}"),
        ("$${VAR:5} ${VAR}", "${VAR:5} value"),
        ("$$${VAR}", "$${VAR}"),
        ("$VAR $(VAR) {VAR} $", "$VAR $(VAR) {VAR} $"),
        ("${{ params.VAR }}", "${{ params.VAR }}"),
        ("${{ '${VAR}' }} ${VAR}", "${{ '${VAR}' }} value"),
        ("$${{ params.VAR }}", "$${{ params.VAR }}"),
        ("${VAR}${{ a }}${VAR}", "value${{ a }}value"),
    ],
)
def test_variables_defaults_and_escapes(written: str, found: str) -> None:
    """`${VAR}` and `${VAR:default}` are put in, `$${VAR}` writes it, and expressions are left to the run."""
    answer = resolved(f'a: "{written}"', VAR="value")
    assert (answer.data, answer.problems) == ({"a": found}, ())


def test_only_scalar_values_hold_variables() -> None:
    """Keys, numbers, true, false and nothing are left as they are, at any depth."""
    data: Any = {"${VAR}": [1, True, None, 2.5, {"b": ["${VAR}"]}]}
    places = parse_documents("a: 1", Path("x"))[0].places
    found = resolve_variables(data, places, {"VAR": "value"}).data
    assert found == {"${VAR}": [1, True, None, 2.5, {"b": ["value"]}]}
    assert data["${VAR}"][4] == {"b": ["${VAR}"]}


def test_the_shell_puts_in_its_variables_itself() -> None:
    """No value becomes part of the text of a bash stage; there too unset variables are told and values are secrets."""
    text = "stages:\n  - bash: echo ${KEY} ${NO:a b} $${own} ${{ x }} ${ABSENT}\n    env: {bash: '${KEY}'}\n"
    found = resolved(text, KEY="x; touch pwned")
    assert found.data["stages"][0]["bash"] == "echo ${KEY} ${NO-a b} ${own} ${{ x }} ${ABSENT}"
    assert found.data["stages"][0]["env"]["bash"] == "x; touch pwned"
    assert found.secrets == {"x; touch pwned"}
    assert [problem.facts["variable"] for problem in found.problems] == ["ABSENT"]


def test_every_unset_variable_is_told_with_its_line() -> None:
    """All variables that are missing are named, with file, line and key; what is near is proposed."""
    found = resolved("a: ${FIRST_TOKN}\nb:\n  - ok\n  - x ${SECOND}", FIRST_TOKEN="x")
    assert [str(problem) for problem in found.problems] == [
        "conf/x.yaml:1: a: the variable FIRST_TOKN is not set; did you mean 'FIRST_TOKEN'?",
        "conf/x.yaml:4: b: the variable SECOND is not set; set it, or write ${SECOND:default}",
    ]
    assert [problem.facts["variable"] for problem in found.problems] == ["FIRST_TOKN", "SECOND"]


@pytest.mark.parametrize(
    "written", ["${}", "${VAR", "${1A}", "${A-B}", "${#A}", "${A[@]}", "${A:{b}}", "${ A }"]
)
def test_what_only_looks_like_a_variable_is_an_error(written: str) -> None:
    """Text that begins like a variable and is none is told, with the way to write it."""
    found = resolved(f'a: "{written}"', A="x")
    assert [problem.line for problem in found.problems] == [1]
    assert "for the text itself write $${" in str(found.problems[0])
    assert resolved(f'a: "${written}"').problems == ()


@pytest.mark.parametrize(
    ("written", "environ"),
    [
        ("${A}", {"A": "${{ params.x }}"}),
        ("${A}{{ params.x }}", {"A": "$"}),
        ("${A}${B}", {"A": "$", "B": "{{ params.x }}"}),
        ("${A}", {"A": "${{"}),
    ],
)
def test_a_value_never_begins_an_expression(written: str, environ: dict[str, str]) -> None:
    """No value, alone or with what stands beside it, becomes a template; the message names it, not its value."""
    (problem,) = resolved(f'a: "{written}"', **environ).problems
    assert "begins an expression" in str(problem) and "of A" in str(problem)
    assert "params" not in str(problem)


def test_values_are_secrets_and_defaults_are_not() -> None:
    """What came from a variable is hidden; defaults and values under three signs are not."""
    key = "-----BEGIN KEY-----\nabcdefgh\nij\n"
    found = resolved("a: ${KEY} ${SHORT} ${NO:default}\nb: $${OTHER}", KEY=key, SHORT="no", OTHER="other")
    assert found.secrets == {key}


def test_an_error_hides_secrets_in_text_and_facts() -> None:
    """An error that holds a secret says `***` in its place, and keeps file and line."""
    (problem,) = resolved("a: ${NO_TOKEN_1}").problems
    hidden = redact_error(problem, {"TOKEN"})
    assert "TOKEN" not in str(hidden) and "NO_***_1" in str(hidden)
    assert (hidden.file, hidden.line) == (problem.file, 1)
    assert redact_error(problem, ()) is problem
    secret = 'it\'s "k3y"\nof two lines'
    written = redact_error(ConfigurationError.at(f"found {secret!r}, allowed is a day"), {secret})
    assert str(written) == "found '***', allowed is a day"


def test_the_environment_of_the_process_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a mapping of its own, the variables are those of the process, as they are at that moment."""
    monkeypatch.setenv("SINAGOT_TEST_VALUE", "seen")
    (document,) = parse_documents("a: ${SINAGOT_TEST_VALUE}", Path("x.yaml"))
    assert resolve_variables(document.data, document.places).data == {"a": "seen"}
    del os.environ["SINAGOT_TEST_VALUE"]
    assert resolve_variables(document.data, document.places).problems
