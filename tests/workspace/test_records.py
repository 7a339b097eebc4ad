"""Records and their collections: ids, walking, status as data, logs."""

from __future__ import annotations

import json

import pandas as pd
import pytest

from sinagot.errors import ConfigurationError, ScriptError
from sinagot.models import Record

ESTABLISHED = [
    *("log_from", "workspace_version", "record_id", "scope", "task", "modality", "step_label"),
    *("step_status", "message", "time"),
]


def test_ids_are_sorted_and_nothing_is_cached(lab) -> None:
    """Ids come sorted, each once; data that arrive later are seen, data that go are not."""
    records = lab.unit(ids=["REC-3", "REC-1", "REC-20"]).open().records
    assert records.ids() == list(records.iter_ids()) == ["REC-1", "REC-20", "REC-3"]
    lab.raw("REC-2")
    (lab.data / "raw/REC-3.csv").unlink()
    assert records.ids() == ["REC-1", "REC-2", "REC-20"]
    assert records.count() == 3 and type(records.count()) is int
    assert records.has("REC-2") is True and records.has("REC-3") is False


def test_scoped_ids_are_those_of_the_scope(lab) -> None:
    """A scope lists the ids that have raw data in one of its units, each once in all."""
    lab.scoped(ids=["REC-1"])
    lab.raw("REC-2-RS", "REC-3-HDC")
    lab.raw("REC-4-HDC", folder="moves")
    ws = lab.open()
    assert ws.records.ids() == ["REC-1", "REC-2", "REC-3", "REC-4"]
    assert ws.RS.ids() == ws.RS.EEG.ids() == ["REC-1", "REC-2"]
    assert ws.HDC.ids() == ["REC-1", "REC-3", "REC-4"]
    assert ws.behavior.ids() == ["REC-1", "REC-4"]
    assert ws.EEG.ids() == ["REC-1", "REC-2", "REC-3"]
    assert ws.RS.has("REC-3") is False and ws.HDC.has("REC-3") is True
    assert "REC-4" in ws


def test_first_all_and_head(lab) -> None:
    """`all` gives every record, `head(n)` exactly the first n (5 unless said), `first` the first or None."""
    records = lab.unit(ids=[f"REC-{number}" for number in range(7)]).open().records
    assert [record.id for record in records.all()] == records.ids()
    assert [record.id for record in records] == records.ids()
    assert [record.id for record in records.head()] == records.ids()[:5]
    for count in (0, 1, 3, 7, 100):
        assert [record.id for record in records.head(count)] == records.ids()[:count]
    assert list(records.head(-1)) == []
    assert isinstance(records.first(), Record) and records.first().id == "REC-0"
    for file in (lab.data / "raw").iterdir():
        file.unlink()
    assert records.first() is None
    assert list(records.all()) == list(records.head()) == records.ids() == []


def test_get_never_looks_at_the_disk(lab) -> None:
    """`get` gives a record of the same scope, with or without data."""
    ws = lab.scoped().open()
    for scope in (ws.records, ws.RS, ws.EEG, ws.RS.EEG):
        record = scope.get("REC-999")
        assert (record.id, record.task, record.modality) == ("REC-999", scope.task, scope.modality)
        assert scope.has("REC-999") is False
    (lab.scripts / "EEG/a.py").unlink()
    assert ws.RS.EEG.get("REC-1").id == "REC-1"


def test_missing_id_pattern_is_told_at_first_listing(lab) -> None:
    """A workspace without `id_pattern` opens or not; listing at the latest names the key."""
    lab.unit()
    lab.config('[steps]\nscripts = ["a"]\n', records="")
    with pytest.raises(ConfigurationError, match="id_pattern"):
        lab.open().records.ids()


def test_broken_first_script_is_told_when_listing(lab) -> None:
    """Without the first script ids can't be listed: the error names step and file."""
    lab.unit()
    (lab.scripts / "a.py").unlink()
    with pytest.raises(ScriptError, match=r"'?a'?.*a\.py") as caught:
        lab.open().records.ids()
    assert caught.value.step == "a"


def test_listing_needs_the_first_step_of_one_unit_only(lab) -> None:
    """A broken first step of one unit, or any later one, stops no listing."""
    lab.scoped()
    lab.write("scripts/behavior/a.py", "def (")
    lab.write("scripts/EEG/b.py", "import nowhere_to_be_found")
    ws = lab.open()
    assert ws.records.ids() == ["REC-1", "REC-2"]
    with pytest.raises(ScriptError):
        ws.behavior.ids()


def test_records_path_needs_no_script_for_listing(lab) -> None:
    """With `[records] path` ids are listed whatever the scripts are."""
    lab.unit("a")
    lab.config('[steps]\nscripts = ["a"]\n', records='path = "raw/{id}.csv"\nid_pattern = "REC-[0-9]+"')
    lab.write("scripts/a.py", "def (")
    assert lab.open().records.ids() == ["REC-1", "REC-2"]


@pytest.mark.parametrize("scoped", [False, True], ids=["unit", "scoped"])
def test_status_dict_and_json(lab, scoped: bool) -> None:
    """`status_dict` goes task -> modality -> steps, with None for both in unit mode; `status_json` is its text."""
    (lab.scoped() if scoped else lab.unit())
    ws = lab.open()
    place = "RS-EEG-b-REC-1" if scoped else "b-REC-1"
    lab.fail(place)
    ws.steps.run()
    found = ws["REC-1"].status_dict()

    def step(index: int, label: str, status: int) -> dict:
        return {"step_index": index, "step_label": label, "step_status": status}

    if scoped:
        assert found == {
            "RS": {"EEG": [step(1, "a", 30), step(2, "b", 40)]},
            "HDC": {
                "EEG": [step(1, "a", 30), step(2, "b", 30), step(3, "c", 30)],
                "behavior": [step(1, "a", 30)],
            },
        }
        assert ws["REC-1"].RS.status_dict() == {"RS": found["RS"]}
        assert ws["REC-1"].EEG.HDC.status_dict() == {"HDC": {"EEG": found["HDC"]["EEG"]}}
        assert json.loads(ws["REC-1"].status_json()) == found
    else:
        assert found == {None: {None: [step(1, "a", 30), step(2, "b", 40)]}}
        assert json.loads(ws["REC-1"].status_json()) == {"null": {"null": found[None][None]}}
    assert type(found[place.split("-")[0] if scoped else None]) is dict
    assert type(ws["REC-1"].status_json()) is str


@pytest.mark.parametrize("scoped", [False, True], ids=["unit", "scoped"])
def test_logs_are_a_table_newest_first(lab, scoped: bool) -> None:
    """`logs()` of records, collections and steps is a DataFrame, newest line first; `logs_json()` is in file order."""
    (lab.scoped() if scoped else lab.unit())
    ws = lab.open()
    record = ws["REC-1"]
    assert isinstance(record.logs(), pd.DataFrame) and record.logs().empty
    assert list(record.logs().columns) == ESTABLISHED
    assert record.logs_json() == []
    ws.steps.run()
    frame = record.logs()
    assert list(frame.columns[: len(ESTABLISHED)]) == ESTABLISHED
    assert frame["time"].is_monotonic_decreasing
    assert frame["message"].iloc[0] == "Run finished"
    lines = record.logs_json()
    assert [line["time"] for line in lines] == sorted(line["time"] for line in lines)
    assert len(frame) == len(lines) == (18 if scoped else 6)
    assert len(ws.records.logs()) == 2 * len(lines)
    assert set(ws.records.logs()["record_id"]) == {"REC-1", "REC-2"}
    step = record.RS.EEG.steps.get("a") if scoped else record.steps.get("a")
    assert step.logs()["message"].tolist() == ["Run finished", "Processing run", "Init run"]
    if scoped:
        assert set(record.RS.logs()["task"]) == {"RS"} and len(record.RS.logs()) == 6
        assert {line["modality"] for line in record.behavior.logs_json()} == {"behavior"}
        assert len(ws.HDC.EEG.logs()) == 18
        assert record.clinical.logs().empty and record.clinical.logs_json() == []


def test_entities_of_a_record_are_the_named_groups_of_its_id(lab) -> None:
    """`entities` gives the named groups of the pattern; a plain pattern has none."""
    lab.unit("a", ids=[])
    lab.config('[steps]\nscripts = ["a"]\n', records=r"id_pattern = '(?P<site>\w\w)-(?P<number>\d+)'")
    lab.script("a", ("raw-{site}", "{id}.csv"), ("a", "{site}", "{number}", "{id}.csv"))
    lab.raw("nz-1", folder="raw-nz")
    lab.raw("de-1", folder="raw-nz")
    ws = lab.open()
    assert ws.records.ids() == ["nz-1"]
    assert ws["nz-1"].entities == {"site": "nz", "number": "1"}
    assert ws.steps.run().counts["done"] == 1
    assert lab.text("a/nz/1/nz-1.csv") == "nz-1\na\n"
