"""Laws of «did you mean»."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sinagot.config.hints import did_you_mean, near_miss, spelled_list

SECTIONS = ["records", "steps", "path", "run", "log", "dask", "tasks", "modalities", "processed", "info"]


@pytest.mark.parametrize(
    ("word", "meant"),
    [("step", "steps"), ("Steps", "steps"), ("modality", "modalities"), ("recods", "records")],
)
def test_misspelt_section_is_a_near_miss(word: str, meant: str) -> None:
    """A singular, a wrong case and a lost letter are near misses."""
    assert near_miss(word, SECTIONS) == meant


@pytest.mark.parametrize("word", ["recordings", "tags", "dash", "masks", "lab", "data", "pathway", "x", ""])
def test_word_of_its_own_is_no_near_miss(word: str) -> None:
    """A section that a user may well mean is left alone."""
    assert near_miss(word, SECTIONS) is None


def test_section_itself_is_no_near_miss() -> None:
    """A word that is right is not taken for another."""
    assert all(near_miss(word, SECTIONS) is None for word in SECTIONS)


def test_nothing_alike_gives_no_hint() -> None:
    """A hint is given only for a word that is like a candidate."""
    assert did_you_mean("zebra", SECTIONS) == ""


@given(st.sampled_from(SECTIONS))
def test_case_does_not_hide_a_word(word: str) -> None:
    """A word in capitals finds itself."""
    assert did_you_mean(word.upper(), SECTIONS) == f"did you mean {word!r}?"


def test_words_are_listed_as_a_person_would() -> None:
    """One word stands alone, the last of several comes after «or»."""
    assert (spelled_list([]), spelled_list("a"), spelled_list("ab"), spelled_list("abc")) == (
        "",
        "a",
        "a or b",
        "a, b or c",
    )
