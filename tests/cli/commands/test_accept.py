"""Settling changes that do not change results."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Invoke, Lab


@pytest.fixture
def edited(invoke: Invoke, make_lab: Lab) -> Path:
    """Give a lab whose second script got a comment after a run."""
    lab = make_lab(1, 2)
    invoke(lab, "run")
    script = lab / "scripts/two.py"
    script.write_text(script.read_text() + "\n# more words\n")
    return lab


def test_accept_all_and_nothing_is_left(invoke: Invoke, edited: Path) -> None:
    """What is settled is told, and a run of what is outdated has nothing to do."""
    assert "2 jobs would run" in invoke(edited, "run", "--outdated", "--dry-run").stdout
    result = invoke(edited, "accept", "--all", "--reason", "a comment")
    assert result.exit_code == 0
    assert "REC-1 two: the script changed (" in result.stdout and ": two.py" in result.stdout
    assert result.stdout.endswith("2 results settled.\n")
    assert "Nothing to do" in invoke(edited, "run", "--outdated").stdout
    result = invoke(edited, "accept", "--all", "--reason", "a comment")
    assert (result.exit_code, result.stdout) == (5, "Nothing here is outdated.\n")


def test_accept_one_record(invoke: Invoke, edited: Path) -> None:
    """Records may be named; the others stay outdated."""
    found = json.loads(invoke(edited, "accept", "REC-2", "--step", "two", "--reason", "ok", "--json").stdout)
    assert found["count"] == 1 and found["accepted"][0]["record_id"] == "REC-2"
    assert invoke(edited, "run", "--outdated").stdout.count("1 done") == 1


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["accept", "--reason", "x"], "name records, or say --all"),
        (["accept", "--all", "REC-1", "--reason", "x"], "name records, or say --all"),
        (["accept", "--all"], "Missing option '--reason'"),
        (["accept", "--all", "--reason", " "], "others will ask why"),
    ],
)
def test_mistakes(invoke: Invoke, edited: Path, words: list[str], says: str) -> None:
    """Who and why have to be clear: else it is a usage error."""
    result = invoke(edited, *words)
    assert result.exit_code == 2 and says in result.stderr
