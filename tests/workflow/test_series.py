"""Series and tables of pandas: each format gives back what it says that it keeps, and refuses the rest."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pandas as pd
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal, assert_series_equal

from tests.workflow.trips import quick, round_trip, whole, words

MOST = 5
SIDES = pd.CategoricalDtype(["left", "right"])
moments = st.datetimes(datetime(1900, 1, 1), datetime(2100, 1, 1))
#: Type of a series -> its values.
KINDS: dict[str, st.SearchStrategy[Any]] = {
    "int64": whole,
    "float64": st.floats(),
    "bool": st.booleans(),
    "str": st.none() | words,
    "Int64": st.none() | whole,
    "category": st.sampled_from(["left", "right", None]),
    "datetime64[us]": st.none() | moments,
    "datetime64[ns]": st.none() | moments,
    "datetime64[us, UTC]": st.none() | moments,
    "datetime64[us, Europe/Paris]": st.none() | moments,
    "timedelta64[us]": st.integers(-(10**15), 10**15),
}
#: Types that JSON has no word for: their values come back, as another type of numbers.
NUMBERS: dict[str, st.SearchStrategy[Any]] = {
    "int16": st.integers(-(2**15), 2**15 - 1),
    "uint64": st.integers(0, 2**64 - 1),
    "float32": st.floats(width=32),
}
labels = st.none() | words.filter(bool)


def values(kind: str, size: int) -> st.SearchStrategy[pd.Series]:
    """Make a series of one type."""
    of_kind = (KINDS | NUMBERS)[kind]
    # A time that clocks skip is none: naive values are taken as those of UTC, and shown in the zone.
    zone = kind.partition(", ")[2].rstrip("]")

    def build(found: list[Any]) -> pd.Series:
        if zone:
            return pd.Series(found, dtype="datetime64[us]").dt.tz_localize(UTC).dt.tz_convert(zone)
        return pd.Series(found, dtype=SIDES if kind == "category" else kind)

    return st.lists(of_kind, min_size=size, max_size=size).map(build)


@st.composite
def indexes(draw: st.DrawFn, size: int) -> pd.Index:
    """Make an index of some kind, with a name or without."""
    name = draw(labels)
    kind = draw(st.sampled_from(["counts", "starts later", "text", "numbers", "dates", "levels"]))
    if kind == "counts":
        return pd.RangeIndex(size, name=name)
    if kind == "starts later":
        return pd.RangeIndex(10, 10 + 2 * size, 2, name=name)
    if kind == "levels":
        above, below = draw(values("str", size)).fillna("-"), draw(values("int64", size))
        return pd.MultiIndex.from_arrays([above, below], names=[name, draw(labels)])
    of_kind = {"text": "str", "numbers": "float64", "dates": "datetime64[us, Europe/Paris]"}[kind]
    return pd.Index(draw(values(of_kind, size)), name=name)


@st.composite
def series(draw: st.DrawFn, kinds: tuple[str, ...]) -> pd.Series:
    """Make a series of some type, with some index, which may name the same label twice."""
    size = draw(st.integers(0, MOST))
    found: pd.Series = draw(st.sampled_from(kinds).flatmap(lambda kind: values(kind, size)))
    found.index = draw(indexes(size))
    found.name = draw(labels)
    return found


def are_names_clear(data: pd.Series) -> bool:
    """Say whether JSON can tell the index from the values by its name, and a name from none."""
    given = [name for name in (*data.index.names, data.name) if name is not None]
    return len(set(given)) == len(given) and not any(name.startswith(("index", "level_")) for name in given)


@quick
@given(series((*KINDS, *NUMBERS)), st.sampled_from([".parquet", ".feather"]))
@example(pd.Series([1.5], name="value"), ".parquet")
@example(pd.Series([1.5], name="x", index=pd.Index(["a"], name="x")), ".feather")
def test_series_keep_everything_in_arrow_files(tmp_path: Path, data: pd.Series, suffix: str) -> None:
    """In Parquet and Feather a series keeps name, index, type, zone, and what is missing."""
    pytest.importorskip("pyarrow", reason="Parquet and Feather need the extra parquet")
    assume(len(data) or data.dtype != SIDES)  # what could stand in an empty series, Arrow does not keep
    assert_series_equal(
        round_trip(tmp_path, pd.Series, suffix, data), data, check_freq=False, check_exact=True
    )


@quick
@given(series(tuple(KINDS)))
@example(pd.Series([1e-6 / 3, 5e-324, 1.7e308, float("inf")]))
@example(pd.Series([1.5, 2.5], index=["same", "same"]))
@example(pd.Series([datetime(2020, 1, 1, 0, 0, 0, 123456), datetime(1300, 1, 1)], dtype="datetime64[us]"))
def test_series_keep_everything_in_json(tmp_path: Path, data: pd.Series) -> None:
    """In JSON a series keeps name, index, type, zone, what is missing, and all digits of numbers."""
    assume(are_names_clear(data))
    found = round_trip(tmp_path, pd.Series, ".json", data)
    assert getattr(found.dtype, "tz", None) == getattr(data.dtype, "tz", None)
    if data.dtype.kind in "mM":  # whether it counts nano- or microseconds, JSON does not say
        found = found.astype(data.dtype)
    assert_series_equal(found, data, check_freq=False, check_exact=True)


@quick
@given(series(tuple(NUMBERS)))
def test_numbers_of_other_types_in_json(tmp_path: Path, data: pd.Series) -> None:
    """Numbers of other types than two keep their values in JSON, not their types."""
    assume(are_names_clear(data))
    found = round_trip(tmp_path, pd.Series, ".json", data)
    assert_series_equal(found.astype(data.dtype), data, check_freq=False, check_exact=True)


#: Text that is no number, no word for what is missing, and not empty; with every end of lines.
texts = st.text(st.characters(codec="utf-8", exclude_characters="\0\ufeff"), max_size=20).map(
    lambda text: f"{text}w"
)
IN_TEXT: dict[str, st.SearchStrategy[Any]] = {
    "int64": whole,
    "float64": st.floats(),
    "bool": st.booleans(),
    "str": st.none() | texts,
}


@quick
@given(st.data(), st.sampled_from([".csv", ".tsv"]))
def test_series_in_text(tmp_path: Path, data: st.DataObject, suffix: str) -> None:
    """In CSV a series keeps name, index, numbers, truth, text that reads as neither, and what is missing."""
    kind = data.draw(st.sampled_from([*IN_TEXT]))
    found = data.draw(st.lists(IN_TEXT[kind], min_size=1, max_size=MOST))
    assume(kind != "str" or any(found))  # a column of nothing but what is missing has no type
    name, size = st.none() | texts, len(found)
    index: pd.Index = data.draw(
        st.one_of(
            st.just(pd.RangeIndex(size)),
            st.lists(texts, min_size=size, max_size=size).map(pd.Index),
            st.lists(whole, min_size=size, max_size=size).map(pd.Index),
            st.lists(st.tuples(texts, whole), min_size=size, max_size=size).map(pd.MultiIndex.from_tuples),
        )
    )
    if not isinstance(index, pd.RangeIndex):
        index.names = [data.draw(name) for _ in index.names]
    made = pd.Series(found, dtype=kind, index=index, name=data.draw(name))
    assert_series_equal(round_trip(tmp_path, pd.Series, suffix, made), made, check_exact=True)


@pytest.mark.parametrize("suffix", [".csv", ".json", ".parquet"])
def test_series_with_a_plain_name(tmp_path: Path, suffix: str) -> None:
    """A name that could stand for none, or be that of pandas for none, is a name."""
    for name in ("value", "0", "None", "Unnamed: 0", "Unnamed: 1"):
        for index in ([0, 1], ["a", "b"]):
            data = pd.Series([1.5, 2.5], index=index, name=name)
            assert round_trip(tmp_path, pd.Series, suffix, data).name == name


def test_table_with_a_column_that_pandas_named(tmp_path: Path) -> None:
    """The first column of a table stays one, also when it was an index once and pandas has named it."""
    data = pd.DataFrame({"Unnamed: 0": ["a", "b"], "x": [1, 2]})
    assert_frame_equal(round_trip(tmp_path, pd.DataFrame, ".csv", data), data)


def test_table_without_columns(tmp_path: Path) -> None:
    """A step that found nothing may say so with an empty table; a file that was emptied is damaged."""
    assert round_trip(tmp_path, pd.DataFrame, ".csv", pd.DataFrame()).empty
    with pytest.raises(pd.errors.EmptyDataError):
        from sinagot.workflow.storage import LocalStorage, find_handler

        (tmp_path / "x.csv").write_bytes(b"")
        find_handler(pd.DataFrame, LocalStorage("x.csv"), is_seed=False, where="W.x").read(tmp_path / "x.csv")


@quick
@given(st.lists(st.tuples(texts, st.floats()), min_size=1, max_size=MOST), st.sampled_from([".csv", ".tsv"]))
@example([("one\rtwo", 1.0)], ".csv")
def test_text_keeps_its_ends_of_lines_in_tables(
    tmp_path: Path, rows: list[tuple[str, float]], suffix: str
) -> None:
    """A letter that ends lines somewhere makes no row of its own."""
    data = pd.DataFrame(rows, columns=["text", "number"])
    assert_frame_equal(round_trip(tmp_path, pd.DataFrame, suffix, data), data, check_exact=True)


@quick
@given(st.lists(st.lists(st.floats() | words | whole | st.booleans() | st.none(), max_size=3), max_size=MOST))
def test_columns_of_lists_in_json(tmp_path: Path, rows: list[list[Any]]) -> None:
    """A column may hold lists: JSON keeps them."""
    data = pd.DataFrame({"many": pd.Series(rows, dtype=object)})
    found = round_trip(tmp_path, pd.DataFrame, ".json", data)
    assert [repr(row) for row in found["many"]] == [repr(row) for row in rows]


def table(**what: Any) -> pd.DataFrame:
    """Make a table of one row."""
    return pd.DataFrame({"a": [1.5]}, **what)


@pytest.mark.parametrize(
    ("kind", "data", "words"),
    [
        (pd.DataFrame, pd.DataFrame([[1.5, 2.5]]), "names in a table of .json are text"),
        (pd.DataFrame, table(index=pd.Index([1], name="a")), "'a' names two columns"),
        (pd.DataFrame, table(index=pd.Index([1], name="index")), "comes back without a name"),
        (pd.DataFrame, pd.DataFrame({"a": [date(2020, 1, 1)]}), "column 'a': .json does not keep date"),
        (pd.Series, pd.Series([1j], name="z"), "column 'z': .json does not keep complex"),
        (pd.Series, pd.Series(pd.period_range("2020", periods=1, freq="D")), ".json does not keep Period"),
    ],
)
def test_what_json_would_change_is_refused(tmp_path: Path, kind: Any, data: Any, words: str) -> None:
    """What would come back as something else is an error that says what to do, and no file."""
    with pytest.raises(ValueError, match=words):
        round_trip(tmp_path, kind, ".json", data)
    assert list(tmp_path.iterdir()) == []


def test_name_of_several_parts_in_text_is_refused(tmp_path: Path) -> None:
    """A header of CSV has one line: a name of several parts has no place there."""
    with pytest.raises(ValueError, match=r"use \.parquet"):
        round_trip(tmp_path, pd.Series, ".csv", pd.Series([1.5], name=("a", "b")))


def test_hour_that_comes_twice_in_tables(tmp_path: Path) -> None:
    """When clocks are put back, the first and the second time of one name stay two."""
    moments = [datetime(2000, 10, 29, 2, 30, tzinfo=ZoneInfo("Europe/Paris"), fold=fold) for fold in (0, 1)]
    data = pd.Series(pd.DatetimeIndex(moments))
    for suffix in (".json", ".parquet", ".feather"):
        found = round_trip(tmp_path, pd.Series, suffix, data)
        assert [one.utcoffset() for one in found] == [one.utcoffset() for one in moments]
