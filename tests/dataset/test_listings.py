"""Listings: each folder read once, dangling links absent, trouble noted."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sinagot.dataset import listings
from sinagot.dataset.listings import Listing


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    (tmp_path / "raw").mkdir()
    for name in ("a.csv", "b.csv", "line\nbreak.csv"):
        (tmp_path / "raw" / name).touch()
    return tmp_path


def refuse(
    monkeypatch: pytest.MonkeyPatch, function: str, part: str, error: type[OSError] = PermissionError
) -> None:
    """Let a function of `os` fail for paths with a certain part (root may read anything, so chmod won't do)."""
    real: Callable[..., Any] = getattr(os, function)

    def refusing(path: Any, *arguments: Any, **options: Any) -> Any:
        if part in str(path):
            raise error(13, "Permission denied", path)
        return real(path, *arguments, **options)

    monkeypatch.setattr(os, function, refusing)


def test_names_are_those_of_the_folder(tree: Path) -> None:
    """A listing gives every name; folders that are not there, and files, have none."""
    listing = Listing(str(tree))
    assert listing.names("raw") == {"a.csv", "b.csv", "line\nbreak.csv"} and listing.names("") == {"raw"}
    assert listing.names("none") == set() == listing.names("raw/a.csv") and listing.problems == []
    assert listing.names(str(tree / "raw")) == listing.names("raw")


def test_a_folder_is_read_once_until_forgotten(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One listing per folder and command; what changed is seen after `forget`."""
    reads: list[str] = []
    real = os.scandir

    def counting(path: str) -> Any:
        reads.append(path)
        return real(path)

    monkeypatch.setattr(os, "scandir", counting)
    listing = Listing(str(tree))
    for _ in range(9):
        assert listing.names("raw") and listing.entries("raw") and listing.candidates("raw", "a", "")
    assert len(reads) == 1
    (tree / "raw" / "c.csv").touch()
    assert not listing.has("raw/c.csv") and listing.exists("raw/c.csv")
    listing.forget("raw")
    assert "c.csv" in listing.names("raw") and listing.has("raw/c.csv") and len(reads) == 2
    listing.forget()
    assert listing.has("raw/c.csv") and len(reads) == 2  # one stat, no listing


def test_links_count_if_they_lead_somewhere(tree: Path) -> None:
    """A dangling link and a loop are absent; a git-annex link to its content is present."""
    annex = tree / ".git" / "annex"
    annex.mkdir(parents=True)
    (annex / "content").touch()
    (tree / "raw" / "annexed.csv").symlink_to("../.git/annex/content")
    (tree / "raw" / "dropped.csv").symlink_to("../.git/annex/gone")
    (tree / "raw" / "loop.csv").symlink_to("loop.csv")
    (tree / "raw" / "up").symlink_to("..")
    listing = Listing(str(tree))
    assert listing.names("raw") == {"a.csv", "b.csv", "line\nbreak.csv", "annexed.csv", "up"}
    for name in ("annexed.csv", "dropped.csv", "loop.csv"):
        assert listing.exists(f"raw/{name}") == (name == "annexed.csv")
    assert listing.problems == []


def test_an_unreadable_folder_is_empty_and_noted(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Trouble with one folder is told by name, once, and stops nothing."""
    refuse(monkeypatch, "scandir", "raw")
    listing = Listing(str(tree))
    assert listing.names("raw") == set() and listing.names("") == {"raw"}
    listing.forget("raw")
    assert listing.names("raw") == set()
    assert listing.problems == ["raw: cannot be read (Permission denied)"]


def test_a_name_that_no_folder_can_have_is_noted(tree: Path) -> None:
    """A NUL in a name is no reason to fail."""
    listing = Listing(str(tree))
    assert listing.names("a\0b") == set() and not listing.exists("a\0b")
    assert len(listing.problems) == 1


def test_what_cannot_be_reached_is_absent_and_noted(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder that one may not enter hides its files, and that is said."""
    refuse(monkeypatch, "stat", "a.csv")
    listing = Listing(str(tree))
    assert not listing.exists("raw/a.csv") and listing.exists("raw/b.csv")
    assert listing.problems == ["raw/a.csv: cannot be reached (Permission denied)"]


def test_words_are_chosen_by_their_paths(tree: Path) -> None:
    """The path is made of pieces around the word; order is kept."""
    listing = Listing(str(tree))
    assert listing.having("raw", ["b", "x", "a"], ("", ".csv")) == ["b", "a"]
    assert listing.having("", ["a", "raw"], ("", "/b.csv")) == ["raw"]
    assert listing.having("none", ["a"], ("", ".csv")) == [] == listing.having("raw", [], ("", ".csv"))
    assert listing.having("/", [str(tree)[1:]], ("", "/raw")) == [str(tree)[1:]]


def test_systems_without_relative_access_are_asked_path_by_path(
    tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The fast way is a matter of speed only."""
    monkeypatch.setattr(os, "supports_dir_fd", set())
    assert Listing(str(tree)).having("raw", ["b", "x", "a"], ("", ".csv")) == ["b", "a"]


def test_unreachable_words_are_noted(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An absent word is looked at twice, so that what may not be seen is told apart."""
    refuse(monkeypatch, "stat", "x.csv")
    listing = Listing(str(tree))
    assert listing.having("raw", ["a", "x", "y"], ("", ".csv")) == ["a"]
    assert listing.problems == ["raw/x.csv: cannot be reached (Permission denied)"]


class FixedListing(Listing):
    """A listing of given names."""

    def __init__(self, names: list[str]) -> None:
        super().__init__("nowhere")
        self.given = names

    def _read(self, folder: str) -> list[str]:
        return self.given


NAMES = st.lists(st.text("ab_\U0010ffffé", min_size=1, max_size=6), unique=True, max_size=30)


@given(
    NAMES, st.lists(st.tuples(st.text("ab_\U0010ffff", max_size=3), st.text("ab_é", max_size=3)), max_size=12)
)
def test_candidates_are_the_same_before_and_after_sorting(
    names: list[str], questions: list[tuple[str, str]]
) -> None:
    """Asking often makes the answer quick, never different."""
    listing = FixedListing(names)
    for head, tail in [("", ""), *questions, *questions]:
        expected = {name for name in names if name.startswith(head) and name.endswith(tail)}
        answer = listing.candidates("", head, tail)
        assert set(answer) == expected and len(answer) == len(expected)


def test_names_are_shown_whatever_their_bytes(tmp_path: Path) -> None:
    """Bytes that are no text are shown as such, so that a message can be printed."""
    assert listings.printable(os.fsdecode(b"caf\xe9")) == "caf\\xe9" and listings.printable("é") == "é"


def test_trouble_while_reading_leaves_nothing_half_read(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A share that fails in the middle of a folder is noted; half a folder is not taken for a whole."""

    class Failing:
        def __enter__(self) -> Iterator[Any]:
            yield from os.listdir(tree)[:0]
            raise OSError(5, "Input/output error")

        def __exit__(self, *_: object) -> None:
            """Close nothing."""

    monkeypatch.setattr(os, "scandir", lambda _path: Failing())
    listing = Listing(str(tree))
    assert listing.entries("") == [] and listing.problems == [".: cannot be read (Input/output error)"]
