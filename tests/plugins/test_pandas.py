"""The plugin `pandas`: one JSON file per record."""

from __future__ import annotations

import json
import os
from datetime import date
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest

from sinagot.errors import ConfigurationError, PatternError, StoredDataError
from sinagot.plugins.models.pandas import PandasRecord, PandasRecordCollection

if TYPE_CHECKING:
    from tests.plugins.conftest import Study

A, B, C = "REC-200331-A", "REC-200331-B", "REC-200401-A"


def test_data_are_a_series_named_by_the_record(study: Study) -> None:
    """`record.<M>.data` is the JSON object as a Series named by the record id."""
    study.form(A, {"age": 8, "iq": 95})
    record = study.open().records.get(A)
    assert isinstance(record.clinical, PandasRecord)
    expected = pd.Series({"age": 8, "iq": 95}, name=A)
    pd.testing.assert_series_equal(record.clinical.data, expected)
    pd.testing.assert_series_equal(record.RS.clinical.data, expected)


def test_no_file_is_none_and_leaves_nothing(study: Study) -> None:
    """Without a file the data are None, and asking makes neither file nor folder."""
    assert study.open().records.get(A).clinical.data is None
    assert list(study.data.iterdir()) == []


def test_shown_names(study: Study) -> None:
    """Scopes of the plugin are shown by their modality."""
    ws = study.open()
    assert repr(ws.clinical) == "<ClinicalRecordCollection instance | task: None, modality: clinical>"
    assert repr(ws.RS.clinical.get(A)) == f"<ClinicalRecord instance | id: {A}, task: RS, modality: clinical>"


@pytest.mark.parametrize("kind", [dict, pd.Series])
def test_what_is_assigned_is_read_back(study: Study, kind: Any) -> None:
    """A dict or Series that was assigned is in the file, in a folder that was made, and read back by others."""
    values = {
        "age": 31,
        "score": 2.5,
        "handed": "right",
        "é": True,
        "none": None,
        "list": [1, [2]],
        "sub": {"a": 1},
    }
    study.config(data_path="['a', 'deep', '{id}', 'form.json']")
    study.open().records.get(A).clinical.data = kind(values)
    assert json.loads((study.data / "a" / "deep" / A / "form.json").read_text()) == values
    found = study.open().records.get(A).clinical.data
    assert found.to_dict() == values
    assert [type(value) for value in found] == [type(value) for value in values.values()]


@pytest.mark.parametrize(
    "series",
    [
        pd.Series({"a": 1, "b": 2}),
        pd.Series({"a": 1.5, "b": np.nan}),
        pd.Series({"a": "x", "b": "y"}),
        pd.Series({"a": True, "b": False}),
        pd.Series({"a": 1, "b": "x", "c": 1.5}),
        pd.Series({"a": 2**60 + 1, "b": None}, dtype=object),
        pd.Series({}, dtype=object),
    ],
    ids=lambda series: f"{series.dtype}-{len(series)}",
)
def test_series_come_back_as_they_were(study: Study, series: pd.Series[Any]) -> None:
    """A Series of numbers, texts or both comes back with its type, values and order."""
    record = study.open().records.get(A).clinical
    record.data = series
    pd.testing.assert_series_equal(record.data, series.rename(A), check_index_type=False)


@pytest.mark.parametrize(
    ("value", "stored"),
    [
        (np.int64(3), 3),
        (np.float32(0.5), 0.5),
        (np.bool_(True), True),
        (np.str_("x"), "x"),
        (np.array([[1, 2]]), [[1, 2]]),
        ((1, 2), [1, 2]),
        (float("nan"), None),
        (np.float64("nan"), None),
        (pd.NA, None),
        (pd.NaT, None),
        (np.datetime64("NaT"), None),
        (pd.Timestamp("2020-03-31 10:00:00.000000001"), "2020-03-31T10:00:00.000000001"),
        (pd.Timestamp("2020-03-31", tz="Europe/Paris"), "2020-03-31T00:00:00+02:00"),
        (np.datetime64("2020-03-31T10:00", "ns"), "2020-03-31T10:00:00"),
        (date(2020, 3, 31), "2020-03-31"),
        ({"a": np.int8(1), "b": [np.nan]}, {"a": 1, "b": [None]}),
        ("\ud800", "\ud800"),
    ],
    ids=repr,
)
def test_how_values_are_stored(study: Study, value: Any, stored: Any) -> None:
    """NumPy and pandas scalars become plain values, missing ones null, points in time ISO text."""
    record = study.open().records.get(A).clinical
    record.data = {"x": value}
    text = (study.data / "clinical" / f"{A}.json").read_bytes().decode("ascii")
    found = json.loads(text)["x"]
    assert found == stored
    assert type(found) is type(stored)
    assert len(record.data) == 1


LOOP: dict[str, Any] = {}
LOOP["x"] = LOOP


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (
            {"good": 1, "bad": object()},
            f"record {A}: 'bad' holds <object object at .*>, an object, which JSON cannot",
        ),
        ({"bad": b"x"}, "'bad' holds b'x', a bytes"),
        ({"bad": {1, 2}}, "'bad' holds {1, 2}, a set"),
        ({"bad": 1j}, "'bad' holds 1j, a complex"),
        ({"bad": float("inf")}, "'bad' holds inf, a float"),
        ({"bad": -np.inf}, "'bad' holds -inf"),
        ({"bad": pd.Timedelta("1h")}, "'bad' holds Timedelta"),
        ({"bad": np.timedelta64(1, "ns")}, "'bad' holds .*timedelta64"),
        ({"bad": pd.Series([1])}, "'bad' holds .*, a Series"),
        ({"sub": {"deep": [1, object()]}}, r"'sub\.deep\[1\]' holds"),
        ({1: "x"}, "the key 1 is an int; keys of JSON are text, write '1'"),
        ({"sub": {None: 1}}, "the key None in 'sub' is a NoneType"),
        (pd.Series([1, 2]), "the key 0 is an int"),
        (pd.Series([1, 2], index=["a", "a"]), "the key 'a' is there twice"),
        (LOOP, "hold themselves"),
        (pd.DataFrame({"a": [1]}), "a Series or a dict, found DataFrame"),
        (None, "a Series or a dict, found NoneType"),
    ],
    ids=lambda value: None if isinstance(value, str) else type(value).__name__,
)
def test_what_json_cannot_store_is_refused(study: Study, data: Any, message: str) -> None:
    """Data that JSON cannot hold are refused by the name of their key, and the file stays what it was."""
    file = study.form(A, {"age": 8})
    record = study.open().records.get(A).clinical
    for kind in (TypeError, ValueError):
        with pytest.raises(kind, match=message):
            record.data = data
    assert json.loads(file.read_text()) == {"age": 8}
    assert os.listdir(file.parent) == [file.name]


def test_a_write_that_fails_leaves_the_old_file(study: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file is replaced at once: a write that fails half-way leaves the old one, and nothing beside it."""

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    file = study.form(A, {"age": 8})
    record = study.open().records.get(A).clinical
    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(OSError, match="No space"):
        record.data = {"age": 9}
    assert json.loads(file.read_text()) == {"age": 8}
    assert os.listdir(file.parent) == [file.name]


def test_a_written_file_has_the_rights_of_the_umask(study: Study) -> None:
    """Others may read what one writes, as far as the umask says."""
    before = os.umask(0o022)
    try:
        study.open().records.get(A).clinical.data = {"age": 8}
    finally:
        os.umask(before)
    assert (study.data / "clinical" / f"{A}.json").stat().st_mode & 0o777 == 0o644


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is no JSON"),
        (b'{"age": 8', "is no JSON"),
        (b"\xff\xfe", "is no JSON"),
        (b"[1, 2]", "holds a list, no JSON object"),
        (b"[" * 100_000, "is no JSON"),
    ],
)
def test_a_broken_file_is_named(study: Study, content: bytes, message: str) -> None:
    """A file without a JSON object is an error that names record and file."""
    study.write(f"dataset/clinical/{A}.json").write_bytes(content)
    with pytest.raises(ValueError, match=f"record {A}: .*{A}.json {message}") as caught:
        _ = study.open().records.get(A).clinical.data
    assert isinstance(caught.value, StoredDataError)
    assert caught.value.facts["record_id"] == A


def test_a_byte_order_mark_does_no_harm(study: Study) -> None:
    """Forms saved by an editor that marks UTF-8 are read."""
    study.write(f"dataset/clinical/{A}.json").write_bytes(b"\xef\xbb\xbf" + '{"name": "é"}'.encode())
    assert study.open().records.get(A).clinical.data["name"] == "é"


def test_the_collection_is_a_table_by_record_id(study: Study) -> None:
    """`ws.<M>.data` has one row per record with a file, sorted by id; what one record lacks is missing there."""
    study.form(B, {"age": 9, "sex": "f"})
    study.form(A, {"age": 8, "iq": 95})
    study.write("dataset/raw/REC-200401-A-RS.csv")
    expected = pd.DataFrame(
        {"age": [8, 9], "iq": [95, np.nan], "sex": [np.nan, "f"]}, index=pd.Index([A, B], name="record_id")
    )
    ws = study.open()
    pd.testing.assert_frame_equal(ws.clinical.data, expected)
    pd.testing.assert_frame_equal(ws.RS.clinical.data, expected)
    assert ws.clinical.data.loc[A, ["age", "iq"]].tolist() == ws.records.get(A).clinical.data.tolist()


def test_an_empty_collection_is_an_empty_table(study: Study) -> None:
    """Without files the table is empty, not an error."""
    frame = study.open().clinical.data
    assert (frame.shape, frame.index.name) == ((0, 0), "record_id")


def test_one_broken_file_does_not_hide_the_others(study: Study) -> None:
    """In the table a broken file costs its own row, and a warning names it."""
    study.form(A, {"age": 8})
    study.write(f"dataset/clinical/{B}.json", "{")
    study.form(C, {})
    with pytest.warns(UserWarning, match=f"record {B}: .* is no JSON"):
        frame = study.open().clinical.data
    assert list(frame.index) == [A, B, C]
    assert frame["age"].isna().tolist() == [False, True, True]


@pytest.mark.parametrize(
    ("data_path", "name"),
    [
        ("['{id}.json']", "{}.json"),
        ("['clinical', '{id}.json']", "clinical/{}.json"),
        ("['forms', 'v1', '{id}', 'form.json']", "forms/v1/{}/form.json"),
        ("['{id}', 'f+o(r)m[1].json']", "{}/f+o(r)m[1].json"),
        ("['forms', '{modality}-{id}-{id}.json']", "forms/clinical-{0}-{0}.json"),
    ],
)
def test_ids_come_from_the_files(study: Study, data_path: str, name: str) -> None:
    """The ids of the collection are those of the JSON files, at any depth, and all its methods follow them."""
    study.config(data_path=data_path)
    for record_id in (B, A, C, "REC-x"):
        study.form(record_id, {"age": 1}, name)
    study.write("dataset/raw/REC-999999-Z-RS.csv")
    clinical = study.open().clinical
    assert isinstance(clinical, PandasRecordCollection)
    assert clinical.is_unit is True
    assert list(clinical.iter_ids()) == clinical.ids() == [A, B, C]
    assert clinical.count() == 3
    assert [clinical.has(word) for word in (A, "REC-999999-Z", "REC-x", "../x", None)] == [True, *[False] * 4]
    assert clinical.first().id == A
    assert [record.id for record in clinical.head(2)] == [A, B]
    assert [record.id for record in clinical] == [record.id for record in clinical.all()] == [A, B, C]
    assert list(clinical.data.index) == [A, B, C]
    assert list(clinical.iter_units()) == [clinical]
    chosen = clinical.select([B, "REC-999999-Z"])
    assert list(chosen.data.index) == [B]
    assert (chosen.has(B), chosen.has(A)) == (True, False)


def test_new_files_are_seen(study: Study) -> None:
    """Nothing is kept: a file that arrives later is there."""
    clinical = study.open().clinical
    assert clinical.first() is None
    clinical.get(A).data = {"age": 8}
    assert clinical.ids() == [A]
    assert clinical.get(A).data["age"] == 8


def test_the_task_may_stand_in_the_path(study: Study) -> None:
    """`{task}` gives each task a file of its own, named by the task's label."""
    study.config(
        "[tasks.MMN]\nmodalities = ['clinical']\nlabel = '2'", data_path="['clinical', '{task}', '{id}.json']"
    )
    study.form(A, {"age": 8}, "clinical/RS/{}.json")
    study.form(B, {"age": 9}, "clinical/2/{}.json")
    ws = study.open()
    assert (ws.clinical.ids(), ws.RS.clinical.ids(), ws.MMN.clinical.ids()) == ([A, B], [A], [B])
    assert (ws.clinical.has(B), ws.RS.clinical.has(B)) == (True, False)
    assert ws.MMN.clinical.data["age"].to_dict() == {B: 9}
    assert ws.records.get(B).RS.clinical.data is None
    for scope in (ws.clinical, ws.records.get(A).clinical):
        with pytest.raises(
            ConfigurationError, match=r"each task has a file of its own.*record\.<task>\.clinical"
        ):
            _ = scope.data


def test_entities_of_the_id_may_stand_in_the_path(study: Study) -> None:
    """A path may name the parts of an id instead of the whole."""
    study.config(data_path="['{day}', 'form-{letter}.json']")
    text = (study.root / "workspace.toml").read_text()
    study.write("workspace.toml", text.replace(r"REC-\d{6}-[A-Z]", r"REC-(?P<day>\d{6})-(?P<letter>[A-Z])"))
    config = study.root / "workspace.toml"
    config.write_text(config.read_text().replace("[records]\n", "[records]\nid = 'REC-{day}-{letter}'\n"))
    clinical = study.open().clinical
    clinical.get(A).data = {"age": 8}
    assert (study.data / "200331" / "form-A.json").exists()
    assert clinical.ids() == [A]
    assert clinical.has(A)


@pytest.mark.parametrize(
    ("data_path", "kind", "message"),
    [
        ("['clinical', 'all.json']", ConfigurationError, "the same file for every record; put {id} into it"),
        ("['clinical', '{ids}.json']", PatternError, r"unknown field \{ids\}.*did you mean 'id'"),
    ],
)
def test_a_path_that_cannot_be_used_is_named(study: Study, data_path: str, kind: Any, message: str) -> None:
    """A data path without the id, or with an unknown field, is an error that names the key."""
    study.config(data_path=data_path)
    with pytest.raises(kind, match=rf"workspace\.toml: modalities\.clinical\.models\.data_path: .*{message}"):
        study.open().clinical.ids()


def test_a_missing_path_is_named(study: Study) -> None:
    """The plugin without its data path is an error that says what to write."""
    study.config()
    file = study.root / "workspace.toml"
    file.write_text(file.read_text().replace("data_path", "datapath"))
    with pytest.raises(
        ConfigurationError,
        match=r"data_path: it is not there.*the plugin needs it; write for example data_path =",
    ):
        _ = study.open().records.get(A).clinical.data


def test_custom_classes_derive_from_the_plugin(study: Study) -> None:
    """A record class of one's own may change what `data` is, and the table follows."""
    study.form(A, {"age": 8})
    study.form(B, {"age": 9})
    study.write(
        "scripts/clinical/models/record.py",
        """
        from sinagot.plugins.models.pandas import PandasRecord

        class Record(PandasRecord):
            @property
            def data(self):
                data = super().data
                data["months"] = data["age"] * 12
                return data if self.id.endswith("A") else None
        """,
    )
    ws = study.open()
    assert type(ws.clinical) is PandasRecordCollection
    assert ws.clinical.data.to_dict("index") == {A: {"age": 8, "months": 96}}


def test_records_of_another_class_have_rows_too(study: Study) -> None:
    """The table comes from the files, whatever class the records are of."""
    study.form(A, {"age": 8})
    study.write(
        "scripts/clinical/models/record.py",
        "from sinagot.models import Record as Base\nclass Record(Base):\n    pass\n",
    )
    assert study.open().clinical.data["age"].to_dict() == {A: 8}
