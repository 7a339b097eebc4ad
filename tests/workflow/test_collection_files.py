"""Files of collections: `{id: data}` comes back as it was stored, or is refused before anything is published."""

from __future__ import annotations

import math
import re
import tempfile
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal

import sinagot as sg
from sinagot.errors import StoredDataError, UnstorableDataError, WorkflowError
from sinagot.workflow.collection_files import CollectionFile
from tests.workflow.conftest import Write

quick = settings(max_examples=12, deadline=None)

#: Ids that look like something else.
ODD = [
    "001",
    "01e5",
    "1.0",
    "NA",
    "nan",
    "None",
    "null",
    "True",
    "no",
    "~",
    "-",
    "é",
    "日本",
    "a b",
    "a,b",
    'a"b',
    "2020-01-01",
]
ids = st.sampled_from(ODD) | st.text(
    st.characters(codec="utf-8", categories=["L", "N", "P"]), min_size=1, max_size=8
)
words = st.sampled_from([*ODD, "", " ", "a\nb"]) | st.text(st.characters(codec="utf-8"), max_size=10)
whole = st.integers(-(2**62), 2**62)
moments = st.datetimes(
    datetime(1980, 1, 1), datetime(2100, 1, 1), timezones=st.sampled_from([UTC, ZoneInfo("Asia/Tokyo")])
).map(lambda moment: moment.replace(fold=0))


@dataclass
class Peak:
    """A value of two parts."""

    channel: str
    hertz: float


VALUES: list[tuple[Any, st.SearchStrategy[Any]]] = [
    (int, whole),
    (int | None, st.none() | whole),
    (float, st.floats()),
    (float | None, st.none() | st.floats()),
    (bool, st.booleans()),
    (bool | None, st.none() | st.booleans()),
    (str, words),
    (str | None, st.none() | words),
    (date, st.dates()),
    (datetime, moments),
    (list[str], st.lists(words, max_size=3)),
    (dict[str, int], st.dictionaries(words, whole, max_size=3)),
    (Peak, st.builds(Peak, words, st.floats(allow_nan=False))),
    (None, whole | words | st.booleans() | st.none() | st.floats() | st.lists(whole, max_size=2)),
]
SUFFIXES = [".csv", ".tsv", ".parquet", ".feather", ".json", ".yaml", ".toml"]


def file_of(annotation: Any, suffix: str, **kwargs: Any) -> CollectionFile:
    """Make the file of a collection of data of a type."""
    members: dict[str, Any] = {"taken": sg.seed(), "__annotations__": {}}
    if annotation is not None:
        members["__annotations__"]["taken"] = annotation
    flow = type("Flow", (sg.Workflow,), members)
    found = {"all_taken": sg.collect(flow.taken).to(f"all{suffix}", **kwargs)}  # type: ignore[attr-defined]
    return CollectionFile(
        type("Lab", (sg.Workspace[flow],), {"_is_bare": True, **found})._recipe, found["all_taken"]
    )  # type: ignore[attr-defined,misc,valid-type]


def there_and_back(file: CollectionFile, data: dict[str, Any], suffix: str) -> dict[str, Any] | None:
    """Write and read; None where the file is refused."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, f"all{suffix}")
        try:
            file.write(path, data)
        except UnstorableDataError as error:
            refused = str(error)
        else:
            return file.read(path)
    assert f"Lab.all_taken: taken of {len(data)} workflow(s) cannot be stored in 'all{suffix}'" in refused
    return None


def shown(data: dict[str, Any]) -> list[tuple[str, type, str]]:
    """Give what must not change: ids, their order, types and values."""
    utc = re.compile(r"datetime\.timezone\.utc|TzInfo\(0\)")
    return [(one, type(value), utc.sub("UTC", repr(value))) for one, value in data.items()]


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize(
    ("annotation", "values"), VALUES, ids=lambda one: str(one) if not hasattr(one, "map") else ""
)
def test_values_come_back_or_are_refused(
    annotation: Any, values: st.SearchStrategy[Any], suffix: str
) -> None:
    """Whatever the ids and the values: what is read is what was collected; else the class or the file is refused."""
    try:
        file = file_of(annotation, suffix)
    except WorkflowError:
        return  # in which words is the law of another test

    @quick
    @given(st.dictionaries(ids, values, max_size=4))
    def check(data: dict[str, Any]) -> None:
        found = there_and_back(file, data, suffix)
        assert found is None or shown(found) == shown(data)

    check()


HELD = {
    int: {"001": 1, "NA": -(2**40)},
    int | None: {"001": 1, "02": None},
    float: {"True": 0.1, "1e5": math.inf, "x": 1e-300},
    str: {"None": "003", "nan": "NA", "1.0": "True", "": "2020-01-01"},
    bool: {"a": True, "b": False},
    date: {"a": date(2020, 2, 29)},
    datetime: {"a": datetime(2020, 1, 1, 12, 30, 0, 5), "b": datetime(1999, 1, 1)},
}


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".parquet", ".feather", ".json", ".yaml"])
@pytest.mark.parametrize("annotation", HELD, ids=str)
def test_usual_values_are_not_refused(annotation: Any, suffix: str) -> None:
    """Ids and texts that look like numbers, like nothing or like truth are held by every format."""
    data = HELD[annotation]
    found = there_and_back(file_of(annotation, suffix), data, suffix)
    assert found is not None
    assert shown(found) == shown(data)


columns = st.sampled_from(
    [np.array([1, 2, 3]), np.array([0.1, math.nan, 2.0]), np.array([True, False, True])]
)
texts = st.lists(words, min_size=3, max_size=3).map(lambda found: np.array(found, dtype=object))
indices = st.sampled_from(
    [pd.RangeIndex(3), pd.Index(["Fz", "Cz", "Pz"]), pd.Index(["a", "b", "c"], name="channel")]
)


@pytest.mark.parametrize("suffix", [".csv", ".parquet", ".feather"])
def test_tables_come_back_or_are_refused(suffix: str) -> None:
    """Tables come back with their ids, columns, values and index, also those without rows; else they are refused."""
    file = file_of(pd.DataFrame, suffix)

    @quick
    @given(st.dictionaries(ids, st.tuples(columns, columns | texts, indices, st.integers(0, 3)), max_size=3))
    def check(made: dict[str, Any]) -> None:
        data = {
            one: pd.DataFrame({"m": first, "n": second}, index=index).iloc[:count]
            for one, (first, second, index, count) in made.items()
        }
        found = there_and_back(file, data, suffix)
        if found is None:
            return
        assert list(found) == list(data)
        for one, table in data.items():
            assert_frame_equal(
                found[one], table, check_dtype=False, check_index_type=False, check_column_type=False
            )

    check()


def test_parquet_keeps_index_and_empty_tables() -> None:
    """Names of channels are an index; a workflow in which nothing was found has an empty table."""
    table = pd.DataFrame({"power": [0.1, 2.0]}, index=pd.Index(["Fz", "Cz"], name="channel"))
    data = {"002": table, "001": table.iloc[:0], "NA": table * 2}
    found = there_and_back(file_of(pd.DataFrame, ".parquet"), data, ".parquet")
    assert found is not None
    assert list(found) == ["002", "001", "NA"]
    for one in data:
        assert_frame_equal(found[one], data[one])


def test_csv_keeps_an_index_without_name_and_refuses_what_it_cannot_hold(tmp_path: Path) -> None:
    """What a CSV file would turn into something else is refused with a word on what holds it."""
    file = file_of(pd.DataFrame, ".csv")
    table = pd.DataFrame({"n": [1, 2]}, index=["Fz", "Cz"])
    found = there_and_back(file, {"001": table, "NA": table}, ".csv")
    assert found is not None
    assert_frame_equal(found["NA"], table)
    named = table.rename_axis("channel")
    for bad, words in (
        (named, r"an index \['channel'\].*reset_index.*use .parquet"),
        (table.iloc[:0], "the table of 'x' has no row.*use .parquet"),
        (pd.DataFrame({"when": pd.to_datetime(["2020-01-01"])}), "column 'when' of datetime.*parse_dates="),
        (pd.DataFrame({"code": ["001"]}), "column 'code'.*use .parquet"),
        (pd.DataFrame({"workflow_id": [1]}), "column 'workflow_id' of its own"),
    ):
        with pytest.raises(
            UnstorableDataError, match=rf"Lab\.all_taken.*'all\.csv': .*{words}.*nothing was written"
        ):
            file.write(tmp_path / "all.csv", {"x": bad})
    with pytest.raises(UnstorableDataError, match="the table of 'y' has the columns"):
        file.write(tmp_path / "all.csv", {"x": table, "y": table.rename(columns={"n": "m"})})
    dated = file_of(pd.DataFrame, ".csv", read_kwargs={"parse_dates": ["when"]})
    assert (
        there_and_back(dated, {"x": pd.DataFrame({"when": pd.to_datetime(["2020-01-01"])})}, ".csv")
        is not None
    )


@pytest.mark.parametrize("annotation", [list[str], dict[str, int], Peak, Path])
@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_class_is_refused_where_no_cell_holds_the_type(annotation: Any, suffix: str) -> None:
    """A type that fits into no cell is an error when the class is made, which names collection, file and what fits."""
    with pytest.raises(WorkflowError, match=rf"Lab\.all_taken: .* of taken .*'all\{suffix}'.*use \.json"):
        file_of(annotation, suffix)


def test_type_of_tables_is_refused_in_structures() -> None:
    """Tables are for tables: a structure of them is refused when the class is made."""
    with pytest.raises(
        WorkflowError, match=r"Lab\.all_taken: .*DataFrame.* of taken.*'all\.json'; use \.parquet"
    ):
        file_of(pd.DataFrame, ".json")


@pytest.mark.parametrize("suffix", [".csv", ".parquet", ".json"])
def test_numbers_of_numpy_are_numbers(suffix: str) -> None:
    """What a step without a type gives is held where its type is plain: numbers of numpy are those of Python."""
    found = there_and_back(file_of(None, suffix), {"1": np.float64(0.5), "2": np.float64(2)}, suffix)
    assert found == {"1": 0.5, "2": 2.0}


def test_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    """A torn file is an error that names the collection and the path."""
    for suffix, text in ((".json", '{"a": 1'), (".csv", "id,value\na,1\n"), (".parquet", "x")):
        path = tmp_path / f"all{suffix}"
        path.write_text(text)
        with pytest.raises(StoredDataError, match=rf"Lab\.all_taken: .*all\{suffix} cannot be read"):
            file_of(int, suffix).read(path)


FLOW = """
import sinagot as sg

@sg.step
def triple(number: int) -> int:
    return number * 3

@sg.step
def lies(number: int) -> int:
    return None if number == 1 else 10 ** (30 * number)

class Flow(sg.Workflow):
    number: int = sg.seed()
    three: int = triple.step(number)
    wrong: int = lies.step(number)

class Lab(sg.Workspace[Flow]):
    number = sg.LocalStorage("number/{workflow_id}.txt")
    t = sg.collect(Flow.three).to("t.csv")
    w = sg.collect(Flow.wrong).to("w.parquet")
"""


def test_ids_are_ids(module: Write, tmp_path: Path) -> None:
    """Ids of digits keep their zeros; those of a file are those of the workspace."""
    (tmp_path / "number").mkdir()
    for number, one in enumerate(["001", "002", "NA"]):
        (tmp_path / "number" / f"{one}.txt").write_text(str(number))
    with module("file_flow", FLOW).Lab(tmp_path) as ws:
        for _ in range(2):
            assert ws.t == {"001": 0, "002": 3, "NA": 6} == dict.fromkeys(ws) | ws.t
        with pytest.raises(
            sg.StepFailedError, match=r"Lab\.w: wrong of 2 workflow.*'w\.parquet'.*use \.json"
        ):
            ws.w
    assert not (tmp_path / "w.parquet").exists()
