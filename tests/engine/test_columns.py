"""Origins as columns: the same as row by row."""

from __future__ import annotations

import json
from array import array
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sinagot.dataset.prints import ABSENT, States
from sinagot.engine.state.columns import StepColumns

IDS = [f"REC-{number}" for number in range(8)]

_numbers = st.integers(0, 2)
_plain = st.builds("{} {}".format, _numbers, _numbers)
_texts = st.none() | _plain | st.builds("{} {}".format, _plain, st.sampled_from(["ab", "cd"]))
_odd = st.sampled_from([[["raw/a", "1 2"]], "1", "1 2 3 4", "one two", "-1 3", f"1 {1 << 70}", 7])


@st.composite
def rows(draw: st.DrawFn, texts: st.SearchStrategy[Any] = _texts) -> list[Any]:
    """Draw what an attempt has noted."""
    count = draw(st.sampled_from([1, 1, 1, 2]))
    return [
        draw(st.sampled_from(["2026-01-01", "2026-01-02"])),
        [draw(texts) for _ in range(count)],
        [draw(texts)],
        draw(st.sampled_from([0.0, 0.25])),
        *(draw(_numbers) for _ in range(4)),
    ]


some = st.dictionaries(st.sampled_from(IDS), rows(_texts | _odd), max_size=8)


@given(some)
def test_rows_come_back_whatever_they_are(made: dict[str, list[Any]]) -> None:
    """Columns take rows of one form and give back the others; both are kept in JSON; nothing is lost or changed."""
    columns, others = StepColumns.of(made)
    if columns is None:
        assert others == made
        return
    again = StepColumns.from_json(json.loads(json.dumps(columns.to_json())))
    for one in (columns, again):
        assert one.rows() | others == made
        assert {record_id: one.row(record_id) for record_id in one.ids} | others == made
        assert one.row("REC-none") is None
    assert again.rows() == {record_id: again.row(record_id) for record_id in again.ids}


def look(texts: list[str | None]) -> States:
    """Give what a look at files gives of them."""
    pairs = [(text or f"{ABSENT} 0").split(" ") for text in texts]
    return States(array("q", [int(one) for one, *_ in pairs]), array("q", [int(one) for _, one, *_ in pairs]))


@given(
    st.dictionaries(st.sampled_from(IDS), rows(), min_size=1),
    st.data(),
)
def test_what_differs_is_what_differs_row_by_row(made: dict[str, list[Any]], data: st.DataObject) -> None:
    """For any choice of records: size, time and numbers are compared; digests, times and durations are not."""
    columns, _ = StepColumns.of(made)
    assert columns is not None
    known = columns.rows()
    count = len(next(iter(known.values()))[1])
    ids = sorted(data.draw(st.sets(st.sampled_from(IDS), min_size=1)))
    now = [
        [data.draw(st.just(known[one][1 + side][path]) | _texts if one in known else _texts) for one in ids]
        for side, paths in ((0, count), (1, 1))
        for path in range(paths)
    ]
    numbers = data.draw(
        st.sampled_from([row[5:] for row in known.values()]) | st.lists(_numbers, min_size=3, max_size=3)
    )
    seen = [look(column) for column in now]
    plain = [[text and " ".join(text.split(" ")[:2]) for text in column] for column in now]
    expected = {
        place
        for place, one in enumerate(ids)
        if one not in known
        or known[one][5:] != numbers
        or [text and " ".join(text.split(" ")[:2]) for text in (*known[one][1], *known[one][2])]
        != [column[place] for column in plain]
    }
    assert columns.differing(ids, seen[:count], seen[count:], numbers) == expected


def test_other_numbers_of_paths_differ() -> None:
    """A step that declares other paths than before has no result that is like now; nor has one with a text of its own."""
    columns, _ = StepColumns.of({"REC-1": ["t", ["1 1"], ["2 2"], 0.0, 0, 0, 0, 0]})
    assert columns is not None
    assert columns.differing(["REC-1"], [look(["1 1"])], [look(["2 2"])], [0, 0, 0]) == set()
    assert columns.differing(["REC-1"], [look(["1 1"])] * 2, [look(["2 2"])], [0, 0, 0]) == {0}
    assert columns.differing(["REC-1"], [look(["1 1"])], [look(["2 2"])], [0, None, 0]) == {0}
    assert columns.differing(["REC-1"], [None], [look(["2 2"])], [0, 0, 0]) == set(), "it is not compared"
    assert columns.differing(["REC-1"], [None], [look(["2 3"])], [0, 0, 0]) == {0}
    assert columns.differing([], [look([])], [look([])], [0, 0, 0]) == set()


@pytest.mark.parametrize("name", ["ids", "inputs", "outputs", "numbers", "times", "durations"])
def test_columns_of_several_lengths_are_refused(name: str) -> None:
    """What was cut is no cache."""
    columns, _ = StepColumns.of({one: ["t", ["1 1"], ["2 2"], 0.5, 0, 1, 2, 3] for one in IDS})
    short, _ = StepColumns.of({one: ["t", ["1 1"], ["2 2"], 0.5, 0, 1, 2, 3] for one in IDS[:3]})
    assert columns is not None and short is not None
    with pytest.raises((LookupError, TypeError, ValueError)):
        StepColumns.from_json(columns.to_json() | {name: short.to_json()[name]})
    with pytest.raises((LookupError, TypeError, ValueError)):
        StepColumns.from_json(columns.to_json() | {name: None})
