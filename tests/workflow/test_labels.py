"""Labels of tables in text: they come back, or the table is refused before anything is written."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal

import sinagot as sg
from sinagot.workflow.storage import LocalStorage, find_handler

quick = settings(
    max_examples=50,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
#: No numbers, no words for what is missing: the type of a column or an index is not what this is about.
words = st.text(st.characters(codec="ascii", categories=["L"]), max_size=5).map(lambda word: f"w{word}")


def round_trip(folder: Path, data: Any, suffix: str = ".csv", **options: Any) -> Any:
    """Write a table as a step's result and read it back."""
    storage = LocalStorage(f"x{suffix}", **options)
    handler = find_handler(pd.DataFrame, storage, is_seed=False, where="W.x")
    path = folder / f"x{suffix}"
    handler.write(path, handler.check(data), **storage.write_kwargs)
    return handler.read(path, **storage.read_kwargs)


@st.composite
def tables(draw: st.DrawFn) -> pd.DataFrame:
    """Make a table of numbers with labels of some kind."""
    width, size = draw(st.integers(1, 3)), draw(st.integers(1, 3))
    label = st.one_of(words, st.just(""), st.integers(0, 3), st.tuples(words, words))
    data = pd.DataFrame([[float(number) for number in range(width)]] * size)
    data.columns = pd.Index(
        draw(
            st.lists(words, min_size=width, max_size=width, unique=True)
            | st.lists(label, min_size=width, max_size=width)
        )
    )
    name = st.none() | words
    if draw(st.booleans()) and data.columns.nlevels == 1:
        data.columns.name = draw(name)
    many = st.lists(st.tuples(words, words), min_size=size, max_size=size).map(pd.MultiIndex.from_tuples)
    some = st.lists(words, min_size=size, max_size=size).map(pd.Index)
    data.index = draw(st.just(data.index) | some | many)
    if data.index.nlevels == 1:
        data.index.name = draw(name)
    return data


@quick
@given(tables(), st.sampled_from([".csv", ".tsv"]))
def test_labels_come_back_or_are_refused(tmp_path: Path, data: pd.DataFrame, suffix: str) -> None:
    """No table changes its labels on the way through a file of text: it comes back equal, or is not written at all."""
    (tmp_path / f"x{suffix}").unlink(missing_ok=True)
    try:
        found = round_trip(tmp_path, data, suffix)
    except ValueError:
        assert not (tmp_path / f"x{suffix}").exists()
    else:
        assert_frame_equal(found, data, check_column_type=False, check_index_type=False)


@pytest.mark.parametrize("index", [None, [3, 5], ["a", "b"]])
def test_plain_labels_are_not_refused(tmp_path: Path, index: list[Any] | None) -> None:
    """An index without a name comes back, and one that only counts adds no column."""
    data = pd.DataFrame({"a": [1, 2], "b": [0.5, 1.5]}, index=index)
    found = round_trip(tmp_path, data)
    assert_frame_equal(found, data, check_index_type=False)
    assert (tmp_path / "x.csv").read_text().startswith("a,b\n" if index is None else ",a,b\n")


TABLE = pd.DataFrame({"k": ["x", "y"], "l": [1, 2], "v": [0.5, 1.5]})


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (TABLE.groupby("k").sum(), r"index \('k'\) would come back as a column.*parquet.*'index': False"),
        (TABLE.set_index(["k", "l"]), r"index \('k', 'l'\) would come back as a column"),
        (TABLE.pivot(index="k", columns="l", values="v").rename_axis(None), "name 'l' of the columns"),
        (TABLE.groupby("k").agg(["min", "max"]).rename_axis(None), "found columns of 2 levels"),
        (pd.DataFrame([[1, 2]]), "texts, and not empty, found 0"),
        (pd.DataFrame([[1, 2]], columns=["a", "a"]), "two columns are called 'a'"),
        (pd.DataFrame(index=range(2)), "2 rows without a column"),
    ],
)
def test_what_text_does_not_hold_is_refused(tmp_path: Path, data: pd.DataFrame, told: str) -> None:
    """Labels that a header of one line has no place for are an error that says what to do."""
    with pytest.raises(ValueError, match=told):
        round_trip(tmp_path, data)
    assert list(tmp_path.iterdir()) == []


def test_who_says_what_the_labels_are_is_taken_at_his_word(tmp_path: Path) -> None:
    """Options of the storage leave the index out, or say where it stands, and how many lines the header has."""
    sums = TABLE[["k", "v"]].groupby("k").sum()
    assert_frame_equal(round_trip(tmp_path, sums, read_kwargs={"index_col": "k"}), sums)
    assert list(round_trip(tmp_path, sums, write_kwargs={"index": False}).columns) == ["v"]
    both = TABLE.set_index(["k", "l"])
    assert_frame_equal(round_trip(tmp_path, both, read_kwargs={"index_col": [0, 1]}), both)
    many = TABLE[["k", "v"]].groupby("k").agg(["min", "max"])
    assert_frame_equal(round_trip(tmp_path, many, read_kwargs={"header": [0, 1], "index_col": 0}), many)


def test_table_that_text_does_not_hold_fails_its_step(
    tmp_path: Path, module: Callable[[str, str], Any]
) -> None:
    """The step fails with its name and the id, and there is no file."""
    flows = module(
        "labelled",
        """
import pandas as pd
import sinagot as sg

@sg.step
def sums(table: pd.DataFrame) -> pd.DataFrame:
    return table.groupby("k").sum()

class Flow(sg.Workflow):
    table: pd.DataFrame = sg.seed()
    sums: pd.DataFrame = sums.step(table)

class Flows(sg.Workspace[Flow]):
    table = sg.LocalStorage("table/{workflow_id}.csv")
    sums = sg.LocalStorage("sums/{workflow_id}.csv")
""",
    )
    (tmp_path / "table").mkdir()
    (tmp_path / "table" / "W1.csv").write_text("k,v\na,1\na,2\n")
    with flows.Flows(tmp_path) as ws:
        with pytest.raises(sg.StepFailedError) as told:
            ws["W1"].sums
        assert "node 'sums' of 'W1': the index ('k') would come back as a column" in str(told.value.__cause__)
    assert not list(tmp_path.glob("sums/*"))
