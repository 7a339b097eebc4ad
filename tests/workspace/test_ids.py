"""Exactly what was asked for: ids, paths and patterns mean what is written."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sinagot.errors import AmbiguousRecordError, ConfigurationError

ODD_IDS = [
    "A+B",
    "A(1)",
    "A[x]",
    "A b",
    "Aé",
    "A{x}",
    "A$^",
    "A.b",
    "A*",
    "A?",
    "A%41",
    "A#1",
    "A~",
    "A'\"",
    "-A",
    "A\\d",
]


@pytest.mark.parametrize("record_id", ODD_IDS)
def test_ids_with_odd_characters_are_literal(lab, record_id: str) -> None:
    """Signs of regular expressions, globs and templates in an id are that id's signs, from listing to status and logs."""
    lab.unit("a", "b", ids=[record_id, "A0"])
    lab.config('[steps]\nscripts = ["a", "b"]\n', records="id_pattern = '[-A].*'")
    ws = lab.open()
    assert set(ws.records.ids()) == {record_id, "A0"}
    assert ws.records.has(record_id) and ws[record_id].id == record_id
    assert ws[record_id].steps.run().counts["done"] == 2
    assert lab.text(f"b/{record_id}.csv") == f"{record_id}\na\nb\n"
    assert ws[record_id].steps.status()["step_status"].tolist() == [30, 30]
    assert ws["A0"].steps.status()["step_status"].tolist() == [10, 0]
    assert {line["record_id"] for line in ws[record_id].logs_json()} == {record_id}
    assert ws[record_id].steps.run().counts["up_to_date"] == 2


@pytest.mark.parametrize("folder", ["a+b", "a(b)", "[ab]", "a{{b}}", "a b", "é", "a*", "a?b", "a.b", "$a"])
def test_folders_with_odd_characters_are_literal(lab, folder: str) -> None:
    """Signs that mean something to globs and regular expressions are literal in paths of scripts and data."""
    lab.unit("a", "b")
    lab.script("a", (folder, "{id}+(1).csv"), (f"out {folder}", "[x]{id}.csv"))
    lab.script("b", (f"out {folder}", "[x]{id}.csv"))
    plain = folder.replace("{{", "{").replace("}}", "}")
    lab.raw("REC-1+(1)", folder=plain)
    lab.raw("REC-211", "REC-31", folder="ab")
    assert lab.open().records.ids() == ["REC-1"]
    assert lab.open().steps.run().counts["done"] == 2
    assert (lab.data / f"out {plain}/[x]REC-1.csv").exists()


def test_data_folder_with_odd_characters(new_lab) -> None:
    """The workspace itself may lie in a folder of any name."""
    lab = new_lab("lab [1] (a+b) {id} é").unit()
    assert lab.open().steps.run().counts["done"] == 4
    assert lab.open().records.ids() == ["REC-1", "REC-2"]


def test_ids_match_as_a_whole(lab) -> None:
    """A longer name that begins or ends like an id is none."""
    lab.unit("a", ids=["REC-1", "XREC-2", "REC-3x", "rec-4", "REC-"])
    assert lab.open().records.ids() == ["REC-1"]


@pytest.mark.parametrize(
    "pattern",
    [r"^REC-\d+$", r"\AREC-\d+\Z", r"REC-\d+$", r"(REC|SUB)-(\d+)", r"(?i:rec)-\d+", r"REC-\d+|OTHER"],
)
def test_anchors_groups_and_branches_do_no_harm(lab, pattern: str) -> None:
    """Anchors in the pattern do no harm, groups and branches mean what they say."""
    lab.unit("a", ids=["REC-1", "REC-2", "XREC-3"])
    lab.config('[steps]\nscripts = ["a"]\n', records=f"id_pattern = '{pattern}'")
    assert lab.open().records.ids() == ["REC-1", "REC-2"]
    assert lab.open().steps.run().counts["done"] == 2


@pytest.mark.parametrize("pattern", ["(", "[", "*", "(?P<id>x", "", "x*"])
def test_bad_id_pattern_is_refused(lab, pattern: str) -> None:
    """A pattern that is no regular expression, or that matches the empty text, is refused at opening or first listing."""
    lab.unit("a")
    lab.config('[steps]\nscripts = ["a"]\n', records=f"id_pattern = '{pattern}'")
    with pytest.raises(ConfigurationError, match="id_pattern"):
        lab.open().records.ids()


def test_repeated_id_agrees(lab) -> None:
    """Where `{id}` stands twice in a path, both stand for the same id."""
    lab.unit("a", ids=[])
    lab.script("a", ("raw", "{id}", "{id}_x.csv"))
    for folder, name in (("REC-1", "REC-1"), ("REC-2", "REC-3"), ("REC-4", "REC-44")):
        lab.write(f"dataset/raw/{folder}/{name}_x.csv")
    assert lab.open().records.ids() == ["REC-1"]
    assert lab.open().records.has("REC-1") and not lab.open().records.has("REC-2")


def test_several_inputs_of_the_first_step(lab) -> None:
    """With several inputs the ids are those that have all of them; one without `{id}` is common to all and must be there."""
    lab.unit("a", ids=["REC-1", "REC-2", "REC-3"])
    lab.script("a", {"raw": ("raw", "{id}.csv"), "more": ("more", "{id}.txt"), "map": ("common", "map.csv")})
    lab.raw("REC-1", "REC-3", "REC-4", folder="more", suffix=".txt")
    ws = lab.open()
    assert ws.records.ids() == []
    assert not ws.records.has("REC-1")
    lab.write("dataset/common/map.csv", "map\n")
    assert ws.records.ids() == ["REC-1", "REC-3"]
    assert ws.records.has("REC-1") and not ws.records.has("REC-2")
    assert ws.records.count_raw_data()["count"].tolist() == [2]
    assert ws.steps.run().counts["done"] == 2
    assert lab.text("a/REC-3.csv") == "REC-3\nREC-3\nmap\na\n"


def test_ids_come_from_a_pattern_with_the_id_in_folders(lab) -> None:
    """The id may stand in a folder's name, and an output elsewhere does not make a record."""
    lab.unit("a", ids=[])
    lab.script("a", ("people", "{id}", "deep", "x.csv"), "people/{id}/made.csv")
    lab.write("dataset/people/REC-1/deep/x.csv", "x")
    lab.write("dataset/people/REC-2/made.csv", "x")
    lab.write("dataset/people/REC-3", "a file")
    assert lab.open().records.ids() == ["REC-1"]
    assert lab.open().steps.run().counts["done"] == 1


def test_dot_in_a_script_name_is_part_of_it(lab) -> None:
    """A script name with a dot names the file with that dot, not another one."""
    lab.unit("v1.2", "v1.3")
    assert lab.open().steps.scripts_names() == ["v1.2", "v1.3"]
    assert lab.open().steps.run().counts["done"] == 4
    assert (lab.data / "v1.3/REC-1.csv").exists()
    assert lab.open()["REC-1"].steps.get("v1.2").status() == 30


def test_paths_may_be_text_or_tuples_with_entities(lab) -> None:
    """Entities and optional parts work in `[records]`, in inputs and in outputs, as tuples and as text."""
    lab.config(
        '[steps]\nscripts = ["a", "b"]\n',
        records='path = "sub-{subject}/sub-{subject}[_run-{run}]_raw.csv"\nid = "sub-{subject}[_run-{run}]"',
    )
    lab.script(
        "a", ("sub-{subject}", "sub-{subject}[_run-{run}]_raw.csv"), "made/sub-{subject}[_run-{run}]_a.csv"
    )
    lab.script("b", "made/sub-{subject}[_run-{run}]_a.csv", ("made", "{id}_b.csv"))
    for name in ("sub-1/sub-1_raw", "sub-2/sub-2_run-1_raw", "sub-2/sub-2_run-3_raw", "sub-2/sub-9_raw"):
        lab.write(f"dataset/{name}.csv", f"{name}\n")
    ws = lab.open()
    assert ws.records.ids() == ["sub-1", "sub-2_run-1", "sub-2_run-3"]
    assert ws["sub-2_run-3"].entities == {"subject": "2", "run": "3"}
    assert ws.steps.run().counts["done"] == 6
    assert lab.text("made/sub-2_run-3_b.csv") == "sub-2/sub-2_run-3_raw\na\nb\n"
    assert lab.text("made/sub-1_b.csv") == "sub-1/sub-1_raw\na\nb\n"


def test_free_field_gives_all_matches_as_a_sorted_list(lab) -> None:
    """A field that is no part of the id gives every matching file, sorted; none is a missing input that shows the pattern."""
    lab.config(
        '[steps]\nscripts = ["a"]\n',
        records='path = "{id}/{id}_raw.csv"\nid_pattern = "REC-[0-9]+"\n[records.entities]\nsystem = "[a-z]+[0-9]+"',
    )
    lab.script(
        "a",
        "{id}/{id}_sys-{system}.csv",
        "{id}/made.csv",
        body="self.path.output.write_text(str([p.name for p in self.path.input]))",
    )
    for name in ("raw", "sys-b2", "sys-a10", "sys-a1", "sys-A1", "sys-a1_x"):
        lab.write(f"dataset/REC-1/REC-1_{name}.csv", name)
    lab.write("dataset/REC-2/REC-2_raw.csv")
    report = lab.open().steps.run()
    assert (report.counts["done"], report.counts["missing_input"]) == (1, 1)
    assert lab.text("REC-1/made.csv") == "['REC-1_sys-a1.csv', 'REC-1_sys-a10.csv', 'REC-1_sys-b2.csv']"
    (line,) = lab.lines("REC-2")
    assert line["step_status"] == 41 and "REC-2_sys-*.csv" in line["message"]
    assert lab.open()["REC-2"].steps.status()["step_status"].tolist() == [0]


def test_two_files_for_one_id_are_an_error(lab) -> None:
    """Two files for one id and the pattern of `[records]` are an error that names both."""
    lab.config(
        '[steps]\nscripts = ["a"]\n',
        records='path = "{id}_{part}.csv"\nid_pattern = "REC-[0-9]+"\n[records.entities]\npart = "[a-z]"',
    )
    lab.script("a", "{id}_x.csv")
    lab.write("dataset/REC-1_x.csv")
    lab.write("dataset/REC-1_y.csv")
    with pytest.raises(AmbiguousRecordError, match=r"REC-1_x\.csv.*REC-1_y\.csv"):
        lab.open().records.ids()


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(st.text(max_size=12))
def test_no_id_leads_out_of_the_data_folder(lab, text: str) -> None:
    """Whatever text is asked for, it is a record below the data folder or an error, and looking writes nothing."""
    lab.config('[steps]\nscripts = ["a"]\n', records="id_pattern = '(?s).+'")
    lab.script("a")
    ws = lab.open()
    before = lab.tree()
    found = ws.records.has(text)
    assert found is False
    try:
        record = ws.records.get(text)
    except ValueError:
        pass
    else:
        path = record.steps.get("a").script.path.input
        assert path.parent == lab.data / "raw" and path.name == f"{text}.csv"
        assert record.steps.status()["step_status"].tolist() == [0]
    assert lab.tree() == before
