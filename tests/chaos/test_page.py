"""The page on reliability names tests that exist."""

from __future__ import annotations

import re
from pathlib import Path

TESTS = Path(__file__).parents[1]
PAGE = TESTS.parent / "docs" / "reliability.md"
#: Where the tests stand that every executor with workers inherits.
CONTRACT = TESTS.parent / "sinagot" / "testing.py"
#: File, class where the test is an inherited one, and test.
NAME = re.compile(r"`([\w/]+\.py)(?:::(Test\w+))?::(test_\w+)`")
NAMES = re.compile(rf"{NAME.pattern}(?:, {NAME.pattern})*")
#: Rows of the fault matrix: number, fault, what holds, tests.
ROW = re.compile(r"^\| (\d+) \|.*\| ([^|]*) \|$", re.MULTILINE)


def is_there(file: str, its_class: str, test: str) -> bool:
    """Say whether a test is in a file, or inherited by a class of it."""
    text = (TESTS / file).read_text(encoding="utf-8")
    if its_class:
        text = CONTRACT.read_text(encoding="utf-8") if f"\nclass {its_class}(WorkerContract)" in text else ""
    return f"def {test}(" in text


def test_every_named_test_is_there() -> None:
    """Each test that the page names as proof is in the file that it names."""
    named = NAME.findall(PAGE.read_text(encoding="utf-8"))
    assert named
    assert [name for name in named if not is_there(*name)] == []


def test_every_row_names_its_tests() -> None:
    """Each row of the fault matrix is there once, and names the tests that show it, never a file alone."""
    rows = ROW.findall(PAGE.read_text(encoding="utf-8"))
    numbers = sorted(int(number) for number, _ in rows)
    assert numbers == list(range(1, numbers[-1] + 1))
    assert [(number, cell) for number, cell in rows if not NAMES.fullmatch(cell)] == []
