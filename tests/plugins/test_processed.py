"""The plugin `processed`: what steps wrote, as tables."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest

from sinagot.errors import ConfigurationError, ScriptError, StoredDataError
from sinagot.plugins.models.processed import ProcessedRecord, ProcessedRecordCollection

if TYPE_CHECKING:
    from tests.plugins.conftest import Study

A, B, C = "REC-200331-A", "REC-200331-B", "REC-200401-A"

KEYS = """
[processed.alpha]
task = "RS"
modality = "EEG"
step_label = "alpha"
{alpha}

[processed.table]
task = "HDC"
modality = "behavior"
step_label = "scores"
path_label = "table"
data_getter = "dataframe_from_csv"
columns = ["channel", "power"]

[processed.values]
task = "HDC"
modality = "behavior"
step_label = "scores"
path_label = "values"
data_getter = "series_from_csv"
{values}
"""


def keys(study: Study, alpha: str = "", values: str = "", more: str = "") -> None:
    """Configure three results, one for each way to read."""
    study.config(KEYS.format(alpha=alpha, values=values) + more)


def raw(study: Study, *places: str) -> None:
    """Write raw EEG data of ``id-task``."""
    for place in places:
        study.write(f"dataset/raw/{place}.csv")


def expected(data: dict[str, list[Any]], *ids: str) -> pd.DataFrame:
    """Give a table by record id."""
    return pd.DataFrame(data, index=pd.Index(ids, name="record_id"))


@pytest.mark.parametrize(
    ("data_type", "text", "value"),
    [
        ("", " 1.50\n", " 1.50\n"),
        ("str", "", ""),
        ("float", " 1.50\n", 1.5),
        ("float", "nan", math.nan),
        ("int", "12\n", 12),
    ],
)
def test_single_data_are_one_row(study: Study, data_type: str, text: str, value: Any) -> None:
    """`single_data` is the whole text, cast to the type, beside task and modality of the step."""
    keys(study, f"data_type = '{data_type}'" if data_type else "")
    study.write(f"dataset/alpha/{A}-RS.txt").write_text(text)
    frame = study.open().records.get(A).processed.get_processed_data("alpha")
    row = expected({"task": ["RS"], "modality": ["EEG"], "alpha": [value]}, A)
    pd.testing.assert_frame_equal(frame, row)


@pytest.mark.parametrize(
    ("data_type", "text", "shown"),
    [("int", "1.5\n", r"'1.5\n'"), ("float", "", "''"), ("float", "x" * 999, "'" + "x" * 59 + "...")],
)
def test_a_value_of_another_type_is_named(study: Study, data_type: str, text: str, shown: str) -> None:
    """A text that is not of the type is an error that names record, file, value and key."""
    keys(study, f"data_type = '{data_type}'")
    study.write(f"dataset/alpha/{A}-RS.txt").write_text(text)
    place = rf"record {A}: .*/dataset/alpha/{A}-RS\.txt: {re.escape(shown)} is no {data_type} "
    with pytest.raises(ValueError, match=place + r"\(processed\.alpha\)") as caught:
        study.open().records.get(A).processed.get_processed_data("alpha")
    assert isinstance(caught.value, StoredDataError)
    assert caught.value.facts["value"] == text


def test_a_table_has_the_columns_of_the_file(study: Study) -> None:
    """`dataframe_from_csv` gives the rows and columns of the file, each row by the record id."""
    keys(study)
    study.write(f"dataset/scores/{A}-HDC-table.csv", "channel,power,more\nFz,1.5,\nCz,2.5,x\n")
    frame = study.open().records.get(A).processed.get_processed_data("table")
    rows = {"channel": ["Fz", "Cz"], "power": [1.5, 2.5], "more": [math.nan, "x"]}
    pd.testing.assert_frame_equal(frame, expected(rows, A, A))


def test_labels_and_values_are_one_row(study: Study) -> None:
    """`series_from_csv` reads label,value without a header: a row with a column for each label, each of its type."""
    keys(study)
    study.write(f"dataset/scores/{A}-HDC-values.csv", 'locking,0.96\nlag_ms,27\nside,"left, up"\nempty,\n')
    frame = study.open().records.get(A).processed.get_processed_data("values")
    row = {"locking": [0.96], "lag_ms": [27], "side": ["left, up"], "empty": [math.nan]}
    pd.testing.assert_frame_equal(frame, expected(row, A))


def test_configured_columns_choose_labels(study: Study) -> None:
    """With `columns`, a `series_from_csv` row has those, in that order, whatever else the file has."""
    keys(study, values="columns = ['b', 'a', 'c']")
    study.write(f"dataset/scores/{A}-HDC-values.csv", "a,1\nb,2\nd,3\n")
    frame = study.open().records.get(A).processed.get_processed_data("values")
    pd.testing.assert_frame_equal(frame, expected({"b": [2], "a": [1], "c": [math.nan]}, A))


@pytest.mark.parametrize(
    ("key", "name", "content", "message"),
    [
        ("table", "table", b"", "No columns to parse"),
        ("table", "table", b"a,b\n1\n1,2,3,4\n", "Error tokenizing"),
        ("table", "table", b"a\n\xff\n", "utf-8"),
        ("values", "values", b"a,1,2\n", "a line has 3 cells, not a label and a value"),
        ("values", "values", b"a\n", "a line has 1 cells"),
    ],
)
def test_a_file_that_cannot_be_read_is_named(
    study: Study, key: str, name: str, content: bytes, message: str
) -> None:
    """A file of another form is an error that names record, file and key."""
    keys(study)
    study.write(f"dataset/scores/{A}-HDC-{name}.csv").write_bytes(content)
    with pytest.raises(
        StoredDataError, match=rf"record {A}: .*-{name}\.csv: .*{message}.*\(processed\.{key}\)"
    ):
        study.open().records.get(A).processed.get_processed_data(key)


@pytest.mark.parametrize(
    ("key", "alpha", "columns"),
    [
        ("alpha", "", ["task", "modality", "alpha"]),
        ("alpha", "columns = ['x']", ["x"]),
        ("table", "", ["channel", "power"]),
        ("values", "", []),
    ],
)
def test_a_missing_file_is_an_empty_table(study: Study, key: str, alpha: str, columns: list[str]) -> None:
    """Before the step has run there is a table without rows, with the configured columns; nothing is made."""
    keys(study, alpha)
    raw(study, f"{A}-RS")
    ws = study.open()
    for frame in (
        ws.records.get(A).processed.get_processed_data(key),
        ws.processed.get_processed_data(data_key=key),
        ws.processed.select([]).get_processed_data(data_key=key),
    ):
        assert (list(frame.columns), len(frame), frame.index.name) == (columns, 0, "record_id")
    assert [path.name for path in study.data.iterdir()] == ["raw"]


def test_a_collection_joins_all_records(study: Study) -> None:
    """On a collection the tables of all records stand one below the other, with the types of their values."""
    keys(study, "data_type = 'int'")
    raw(study, f"{C}-RS", f"{A}-RS", f"{B}-RS")
    study.write(f"dataset/alpha/{C}-RS.txt", "3")
    study.write(f"dataset/alpha/{A}-RS.txt", "1")
    frame = study.open().processed.get_processed_data(data_key="alpha")
    rows = {"task": ["RS", "RS"], "modality": ["EEG", "EEG"], "alpha": [1, 3]}
    pd.testing.assert_frame_equal(frame, expected(rows, A, C))
    assert frame.loc[C, "alpha"] == 3


def test_a_collection_looks_at_the_scripts_once(study: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    """Scripts are looked at once for a question about all records."""
    keys(study)
    raw(study, f"{A}-RS", f"{B}-RS", f"{C}-RS")
    ws = study.open()
    asked: list[None] = []
    graph = type(ws.blueprint).graph
    monkeypatch.setattr(type(ws.blueprint), "graph", lambda self: asked.append(None) or graph(self))
    ws.processed.get_processed_data("alpha")
    assert len(asked) == 1


def test_the_collection_has_all_records(study: Study) -> None:
    """A modality that no task lists has all the records of the workspace."""
    keys(study)
    raw(study, f"{A}-RS", f"{B}-HDC")
    study.write(f"dataset/moves/{C}-HDC.csv")
    ws = study.open()
    assert isinstance(ws.processed, ProcessedRecordCollection)
    assert isinstance(ws.processed.first(), ProcessedRecord)
    assert isinstance(ws.records.get(A).processed, ProcessedRecord)
    assert ws.processed.ids() == ws.records.ids() == [A, B, C]
    assert ws.processed.count() == 3
    assert [ws.processed.has(word) for word in (C, "REC-999999-Z", "../x", None)] == [
        True,
        False,
        False,
        False,
    ]
    chosen = ws.processed.select([C])
    assert (chosen.ids(), chosen.has(C), chosen.has(A)) == ([C], True, False)
    assert (
        repr(ws.processed.get(A)) == f"<ProcessedRecord instance | id: {A}, task: None, modality: processed>"
    )


def test_a_task_that_lists_the_modality_narrows_its_records(study: Study) -> None:
    """Where a task lists the modality, its scope has the records of that task."""
    keys(study)
    config = study.root / "workspace.toml"
    config.write_text(config.read_text().replace('["EEG", "clinical"]', '["EEG", "processed"]'))
    raw(study, f"{A}-RS", f"{B}-HDC")
    ws = study.open()
    assert (ws.RS.processed.ids(), ws.processed.ids()) == ([A], [A, B])
    assert (ws.RS.processed.has(B), ws.processed.has(B)) == (False, True)


def test_a_modality_with_steps_has_its_own_records(study: Study) -> None:
    """The plugin on a modality with steps leaves its records as they are."""
    keys(study)
    config = study.root / "workspace.toml"
    config.write_text(config.read_text() + "\n[modalities.behavior.models]\nplugin = 'processed'\n")
    raw(study, f"{A}-HDC")
    study.write(f"dataset/moves/{C}-HDC.csv")
    study.write(f"dataset/scores/{C}-HDC-table.csv", "channel\nFz\n")
    behavior = study.open().behavior
    assert behavior.ids() == [C]
    assert (behavior.has(C), behavior.has(A)) == (True, False)
    assert list(behavior.get_processed_data("table").index) == [C]


def test_results_are_read_where_steps_write(study: Study) -> None:
    """Labels of tasks and a root of outputs of their own are honoured."""
    keys(study, more="[path]\noutput = './results'\ndataset = './dataset'\nscripts = './scripts'\n")
    config = study.root / "workspace.toml"
    config.write_text(config.read_text().replace("[tasks.RS]\n", "[tasks.RS]\nlabel = 'rest'\n"))
    study.write(f"dataset/alpha/{A}-RS.txt", "wrong")
    study.write(f"results/alpha/{A}-rest.txt", "good")
    frame = study.open().records.get(A).processed.get_processed_data("alpha")
    assert frame.to_dict("records") == [{"task": "RS", "modality": "EEG", "alpha": "good"}]


def test_what_the_key_leaves_open_the_scope_says(study: Study) -> None:
    """A key without task is about the scope's task; where that is open too, the error lists what it can be."""
    key = "[processed.any]\nstep_label = 'alpha'\n[modalities.EEG.models]\nplugin = 'processed'\n"
    keys(study, more=key)
    study.write(f"dataset/alpha/{A}-HDC.txt", "x")
    record = study.open().records.get(A)
    assert record.HDC.EEG.get_processed_data("any")["task"].tolist() == ["HDC"]
    for scope in (record.EEG, record.processed):
        with pytest.raises(ConfigurationError, match="can be any of RS-EEG-alpha, HDC-EEG-alpha; write task"):
            scope.get_processed_data("any")


@pytest.mark.parametrize(
    ("key", "more", "message"),
    [
        (
            "alhpa",
            "step_label = 'alpha'",
            r"alhpa: it is not there; keys are alpha, table, values, x; did you mean 'alpha'",
        ),
        (
            "x",
            "step_label = 'alpha'\ntask = 'RS'\nmodality = 'behavior'",
            "no step 'alpha' of task 'RS' of modality",
        ),
        (
            "x",
            "step_label = 'scores'\ntask = 'HDC'",
            r"x\.path_label: .* several outputs; write which one: table, va",
        ),
        ("x", "step_label = 'scores'\npath_label = 'tabel'", "no output 'tabel'; .* did you mean 'table'"),
        ("x", "step_label = 'alpha'\ntask = 'RS'\npath_label = 'a'", "has one output, without a label"),
    ],
)
def test_a_key_that_does_not_fit_is_named(study: Study, key: str, more: str, message: str) -> None:
    """A key that is not there, or fits no output, is an error that names file, key and what there is."""
    keys(study, more=f"[processed.x]\n{more}\n")
    with pytest.raises(ConfigurationError, match=rf"workspace\.toml: processed\..*{message}"):
        study.open().records.get(A).processed.get_processed_data(key)


def test_a_step_that_is_not_configured_is_named(study: Study) -> None:
    """The key of a step that no list of scripts names is a warning at first, and an error when it is asked for."""
    keys(study, more="[processed.x]\nstep_label = 'alfa'\n")
    with pytest.warns(UserWarning, match="no list of scripts names the step 'alfa'"):
        ws = study.open()
    with pytest.raises(
        ConfigurationError, match="there is no step 'alfa', so nothing writes it; did you mean 'alpha'"
    ):
        ws.processed.get_processed_data("x")


def test_a_broken_script_is_named(study: Study) -> None:
    """The key of a step whose script is broken gives the script's error."""
    keys(study)
    study.write("scripts/EEG/alpha.py", "import nowhere_at_all\n")
    with pytest.raises(ScriptError, match=r"alpha.*nowhere_at_all"):
        study.open().records.get(A).processed.get_processed_data("alpha")


def test_custom_classes_derive_from_the_plugin(study: Study) -> None:
    """A record class of one's own may change what is given, and the collection follows."""
    keys(study)
    raw(study, f"{A}-RS")
    study.write(f"dataset/alpha/{A}-RS.txt", "x")
    study.write(
        "scripts/processed/models/record.py",
        """
        from sinagot.plugins.models.processed import ProcessedRecord

        class Record(ProcessedRecord):
            def get_processed_data(self, data_key):
                return super().get_processed_data(data_key).assign(extra=data_key)
        """,
    )
    frame = study.open().processed.get_processed_data(data_key="alpha")
    assert frame.to_dict("records") == [{"task": "RS", "modality": "EEG", "alpha": "x", "extra": "alpha"}]
