"""Errors in words and codes."""

from __future__ import annotations

import pytest

from sinagot import errors
from sinagot.cli.failures import explain, explain_script, plain


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        (errors.ConfigurationError, 4),
        (errors.PatternError, 4),
        (errors.ScriptError, 4),
        (errors.AmbiguousRecordError, 4),
        (errors.MissingExtraError, 4),
        (errors.ScopeError, 5),
        (errors.InvalidIdError, 5),
        (errors.NotFoundError, 5),
        (errors.WorkspaceBusyError, 6),
        (errors.MissingOutputError, 3),
        (errors.StorageError, 1),
        (errors.SinagotError, 1),
    ],
)
def test_every_error_of_a_user_has_its_code(
    capsys: pytest.CaptureFixture[str], kind: type[errors.SinagotError], code: int
) -> None:
    """An error that a user can mend is told in its own words, with its exit code, without a traceback."""
    assert explain(kind("what went wrong")) == code
    assert capsys.readouterr().err == "Error: what went wrong\n"


def test_other_errors_are_ours(capsys: pytest.CaptureFixture[str]) -> None:
    """An error that nobody raised on purpose is one of sinagot itself."""
    assert explain(RuntimeError("what")) == 1
    assert "Please report it" in capsys.readouterr().err


def test_python_objects_are_left_out() -> None:
    """The Python object that a message begins with says nothing on a command line."""
    assert plain(errors.ScopeError("<RecordCollection instance | task: A, modality: None>: no task 'B'")) == (
        "no task 'B'"
    )
    assert plain(errors.ScopeError("<b> is no tag")) == "<b> is no tag"


def test_only_scripts_are_blamed_for_their_errors(capsys: pytest.CaptureFixture[str]) -> None:
    """An exception that passed no script is not called one of a script."""
    assert not explain_script(ValueError("x"), "/scripts")
    assert explain_script(errors.MissingOutputError("not written: a.txt"), "/scripts")
    assert capsys.readouterr().err == "Error: not written: a.txt\n"
