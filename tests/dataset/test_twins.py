"""Ids that look alike."""

from __future__ import annotations

import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from sinagot.dataset.twins import find_twins


def test_groups_of_any_size() -> None:
    """All ids of a group are told, each once; ids that differ otherwise are in none."""
    assert find_twins(["b", "A", "a", "x-1", "x_1", "B", "a", "c"]) == [("A", "a"), ("B", "b")]
    assert find_twins(["É", "é", "e\u0301", "E\u0301", "e"]) == [("E\u0301", "e\u0301", "É", "é")]
    assert find_twins([]) == []


@given(st.sets(st.text("abAB\u00e9e\u0301\u00c9", max_size=4)))
def test_twins_are_what_a_blind_drive_confuses(ids: set[str]) -> None:
    """Whatever the ids are: one of each group and all others are distinct for a drive that is blind to case and form."""
    spare = {one for group in find_twins(ids) for one in group[1:]}
    keys = [unicodedata.normalize("NFC", one.casefold()) for one in ids - spare]
    assert len(keys) == len(set(keys))
