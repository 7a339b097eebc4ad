"""Types to files and back: what was written is read."""

from __future__ import annotations

import enum
import math
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal
from pydantic import BaseModel

import sinagot as sg
from sinagot.errors import WorkflowError
from sinagot.workflow.storage import LocalStorage, TypeHandler, find_handler
from tests.workflow.trips import names, quick, round_trip, whole, words

real = st.floats(allow_nan=False)
zones = st.sampled_from([UTC, timezone(timedelta(hours=2)), ZoneInfo("Europe/Paris"), None])
#: Of an hour that comes twice, Python calls any two times in different zones unequal: see the test of that hour.
moments = st.datetimes(datetime(1980, 1, 1), datetime(2100, 1, 1), timezones=zones).filter(
    lambda moment: moment.replace(fold=0).utcoffset() == moment.replace(fold=1).utcoffset()
)
plain = st.recursive(
    st.none() | st.booleans() | whole | real | words,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3),
    max_leaves=8,
)


class Colour(enum.Enum):
    """One of two."""

    RED = "red"
    BLUE = "blue"


@dataclass
class Peak:
    """A dataclass with parts."""

    channel: str
    hertz: float
    when: datetime
    colour: Colour = Colour.RED
    more: list[int] = field(default_factory=list)


class Model(BaseModel):
    """A pydantic model."""

    name: str
    peaks: dict[str, float] = {}
    day: date


@quick
@given(data=st.data(), suffix=st.sampled_from(["", ".txt", ".json", ".yaml"]))
def test_plain_values(tmp_path: Path, data: st.DataObject, suffix: str) -> None:
    """Numbers, text, truth, dates and None come back as they were, as text or as a structure."""
    kind, values = data.draw(
        st.sampled_from(
            [
                (int, whole),
                (float, real),
                (bool, st.booleans()),
                (str, words),
                (date, st.dates()),
                (datetime, moments),
                (int | None, st.none() | whole),
                (str | None, st.none() | words),
                (float, st.integers(-(2**53), 2**53)),
            ]
        )
    )
    value = data.draw(values)
    found = round_trip(tmp_path, kind, suffix, value)
    assert found == value
    if isinstance(value, datetime):
        assert found.utcoffset() == value.utcoffset()


@pytest.mark.parametrize("suffix", ["", ".txt", ".json", ".yaml"])
@pytest.mark.parametrize("fold", [0, 1])
def test_hour_that_comes_twice(tmp_path: Path, suffix: str, fold: int) -> None:
    """When clocks are put back, the first and the second time of one name stay two."""
    value = datetime(2000, 10, 29, 2, 30, tzinfo=ZoneInfo("Europe/Paris"), fold=fold)
    found = round_trip(tmp_path, datetime, suffix, value)
    assert found.isoformat() == value.isoformat() == f"2000-10-29T02:30:00+0{2 - fold}:00"


@quick
@given(st.binary(max_size=200))
def test_bytes(tmp_path: Path, data: bytes) -> None:
    """Bytes are bytes."""
    assert round_trip(tmp_path, bytes, ".bin", data) == data


@quick
@given(st.dictionaries(words, plain, max_size=4), st.sampled_from([".json", ".yaml"]))
@example({"line end": "\x85", "\u2028": 1e20}, ".yaml")
def test_dicts_and_lists(tmp_path: Path, data: dict[str, Any], suffix: str) -> None:
    """Nested dicts and lists come back, in their order."""
    assert round_trip(tmp_path, dict, suffix, data) == data
    assert list(round_trip(tmp_path, dict, suffix, data)) == list(data)
    assert round_trip(tmp_path, list, suffix, [data, 1]) == [data, 1]


@quick
@given(st.dictionaries(names, whole | real | st.booleans() | names | st.lists(whole, max_size=3), max_size=4))
def test_toml(tmp_path: Path, data: dict[str, Any]) -> None:
    """Tables come back from TOML."""
    assert round_trip(tmp_path, dict, ".toml", data) == data


@quick
@given(
    st.builds(Peak, words, real, moments, st.sampled_from(Colour), st.lists(whole, max_size=3)),
    st.sampled_from([".json", ".yaml"]),
)
def test_dataclasses(tmp_path: Path, data: Peak, suffix: str) -> None:
    """Dataclasses come back as themselves, with dates and enumerations."""
    assert round_trip(tmp_path, Peak, suffix, data) == data
    assert round_trip(tmp_path, list[Peak], suffix, [data]) == [data]


@quick
@given(
    st.builds(Model, name=words, peaks=st.dictionaries(words, real, max_size=3), day=st.dates()),
    st.sampled_from([".json", ".yaml"]),
)
def test_models(tmp_path: Path, data: Model, suffix: str) -> None:
    """Pydantic models come back as themselves."""
    assert round_trip(tmp_path, Model, suffix, data) == data


def test_numbers_that_are_none(tmp_path: Path) -> None:
    """Not a number and infinity stay what they are."""
    found = round_trip(tmp_path, dict[str, float], ".json", {"a": math.nan, "b": math.inf})
    assert math.isnan(found["a"]) and found["b"] == math.inf
    assert math.isnan(round_trip(tmp_path, float, "", math.nan))


def frames() -> st.SearchStrategy[pd.DataFrame]:
    """Make small tables of numbers, text, truth and dates."""
    size = st.integers(0, 5)

    def build(count: int) -> st.SearchStrategy[pd.DataFrame]:
        columns = {
            "whole": st.lists(whole, min_size=count, max_size=count),
            "real": st.lists(st.floats(allow_infinity=False), min_size=count, max_size=count),
            "truth": st.lists(st.booleans(), min_size=count, max_size=count),
            "text": st.lists(names, min_size=count, max_size=count),
            "when": st.lists(
                st.datetimes(datetime(1980, 1, 1), datetime(2100, 1, 1)), min_size=count, max_size=count
            ),
        }
        types = {
            "whole": "int64",
            "real": "float64",
            "truth": "bool",
            "text": "str",
            "when": "datetime64[us]",
        }
        return st.fixed_dictionaries(columns).map(lambda parts: pd.DataFrame(parts).astype(types))

    return size.flatmap(build)


@quick
@given(frames(), st.sampled_from([".parquet", ".feather"]))
def test_tables_keep_everything_in_arrow_files(tmp_path: Path, data: pd.DataFrame, suffix: str) -> None:
    """Parquet and Feather keep types, index and dates."""
    assert_frame_equal(round_trip(tmp_path, pd.DataFrame, suffix, data), data)
    indexed = data.set_index(pd.Index(range(10, 10 + len(data)), name="row"))
    assert_frame_equal(round_trip(tmp_path, pd.DataFrame, suffix, indexed), indexed)


@quick
@given(st.lists(st.tuples(whole, st.floats(allow_infinity=False), names), min_size=1, max_size=5))
def test_tables_come_back_from_text_without_another_column(
    tmp_path: Path, rows: list[tuple[int, float, str]]
) -> None:
    """CSV keeps numbers and text; an index that only counts is not written, one without a name comes back."""
    data = pd.DataFrame(rows, columns=["a", "b", "c"]).replace({"c": {"NA": "x", "nan": "x", "null": "x"}})
    words_only = ~data["c"].str.lower().isin(
        ["na", "nan", "null", "none", "true", "false", "inf", "infinity"]
    )
    data = data[words_only].reset_index(drop=True)
    if len(data):
        found = round_trip(tmp_path, pd.DataFrame, ".csv", data)
        assert list(found.columns) == ["a", "b", "c"]
        assert_frame_equal(found, data, check_dtype=False, check_exact=True)
        indexed = data.set_index(pd.Index([f"r{number}" for number in range(len(data))]))
        assert_frame_equal(round_trip(tmp_path, pd.DataFrame, ".tsv", indexed), indexed, check_dtype=False)
        assert_frame_equal(round_trip(tmp_path, pd.DataFrame, ".json", data), data)


@quick
@given(
    st.lists(real, max_size=6),
    st.sampled_from(["float64", "float32", "int16", "complex128", "U8", "bool", "datetime64[ns]"]),
    st.sampled_from([".npy", ".npz"]),
)
def test_arrays(tmp_path: Path, values: list[float], kind: str, suffix: str) -> None:
    """Arrays keep type and shape."""
    data = np.zeros((len(values), 2), dtype=kind)
    if kind.startswith(("float", "complex")):
        data[:, 0] = np.clip(values, -1e30, 1e30) if values else values
    found = round_trip(tmp_path, np.ndarray, suffix, data)
    assert found.dtype == data.dtype
    assert np.array_equal(found, data)


def test_arrays_of_objects_are_refused(tmp_path: Path) -> None:
    """No pickles: they could hold anything."""
    with pytest.raises(TypeError, match="Python objects"):
        round_trip(tmp_path, np.ndarray, ".npy", np.array([object()]))


def test_paths_are_moved_in(tmp_path: Path) -> None:
    """A step that returns a path gives that file or folder away; the data are the place where it lies now."""
    made = tmp_path / "made"
    made.mkdir()
    (made / "part").write_text("x")
    target = tmp_path / "x"
    found = round_trip(tmp_path, Path, "", made)
    assert found == target and (target / "part").read_text() == "x" and not made.exists()


@pytest.mark.parametrize(
    ("kind", "suffix", "data"),
    [
        (int, "", None),
        (int, "", 1.5),
        (float, "", "1"),
        (bool, "", 1),
        (str, ".txt", b"x"),
        (bytes, "", "x"),
        (date, "", datetime(2020, 1, 1, tzinfo=UTC)),
        (dict[str, int], ".json", {"a": "x"}),
        (dict, ".json", {(1, 2): "x"}),
        (list, ".json", {"a": 1}),
        (Peak, ".json", {"channel": "O1"}),
        (pd.DataFrame, ".csv", pd.Series([1])),
        (np.ndarray, ".npy", [1]),
        (Path, "", "no such file"),
    ],
)
def test_data_that_do_not_fit_are_refused(tmp_path: Path, kind: Any, suffix: str, data: Any) -> None:
    """What is not of its annotation is an error before anything is written."""
    with pytest.raises(TypeError):
        round_trip(tmp_path, kind, suffix, data)
    assert list(tmp_path.iterdir()) == []


def test_numbers_of_numpy_fit_numbers(tmp_path: Path) -> None:
    """A number that a table gives is a number."""
    for kind, value in ((int, np.int64(3)), (float, np.float32(0.5)), (bool, np.bool_(True))):
        found = round_trip(tmp_path, kind, "", value)
        assert found == value and type(found) is kind


@pytest.mark.parametrize("number", [2**53 + 1, -(2**60) - 1, 10**400])
def test_whole_number_that_no_float_holds_is_refused(tmp_path: Path, number: int) -> None:
    """What would come back as another number is not stored."""
    with pytest.raises(ValueError, match="annotate it as int"):
        round_trip(tmp_path, float, "", number)


@pytest.mark.parametrize("missing", ["read", "write"])
def test_handler_without_its_methods_is_refused(missing: str) -> None:
    """A handler that cannot read or write is told when its class is made, and handles nothing."""
    methods = {"read": lambda self, path: None, "write": lambda self, path, data: None}
    del methods[missing]
    with pytest.raises(WorkflowError, match=f"Half has a data_type, and no method {missing}"):
        type("Half", (sg.TypeHandler,), methods, data_type=complex)
    with pytest.raises(WorkflowError, match="complex cannot be stored"):
        find_handler(complex, LocalStorage("x.txt"), is_seed=False, where="W.x")


def test_handler_of_ones_own(tmp_path: Path) -> None:
    """A class derived from TypeHandler stores a type of the user's, and its subclasses, and is given nothing else."""

    class Tag(tuple[str, ...]):
        __slots__ = ()

    class Long(Tag):
        __slots__ = ()

    class TagHandler(sg.TypeHandler, data_type=Tag):
        def read(self, path: Path, **kwargs: Any) -> Tag:
            return Tag(path.read_text().split("/"))

        def write(self, path: Path, data: Any, **kwargs: Any) -> None:
            path.write_text("/".join(data))

    try:
        assert round_trip(tmp_path, Tag, ".tag", Tag("ab")) == ("a", "b")
        assert round_trip(tmp_path, Long, "", Long("abc")) == ("a", "b", "c")
        assert round_trip(tmp_path, Tag | None, "", None) is None
        for kind, data in ((Tag, ("ab",)), (Long, Tag("ab")), (Tag, None), (Tag | None, "ab")):
            with pytest.raises(TypeError, match=f"should be {'Long' if kind is Long else 'Tag'}, found"):
                find_handler(kind, LocalStorage("x.tag"), is_seed=False, where="W.x").check(data)
    finally:
        from sinagot.workflow import storage

        storage._HANDLERS.remove(TagHandler)
    with pytest.raises(WorkflowError):
        find_handler(Tag, LocalStorage("x.tag"), is_seed=False, where="W.x")
    assert issubclass(TagHandler, TypeHandler)
