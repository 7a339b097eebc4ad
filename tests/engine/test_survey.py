"""The facts on disk, looked up with few file-system calls."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from sinagot.dataset.patterns import PathPattern
from sinagot.dataset.records import RecordIds
from sinagot.engine.planning.graph import RecordGraph, Slot, StepNode
from sinagot.engine.planning.survey import Survey
from sinagot.engine.state.claims import file_key

IDS = ["REC-1", "REC-2", "REC-3"]


@pytest.fixture
def make_survey(tmp_path: Path):
    """Give a function that surveys one step with these paths."""

    def make(
        path_in: str = "raw/{id}.csv", path_out: tuple[str, ...] = ("a/{id}.csv",), ids: list[str] = IDS
    ) -> Survey:
        rule = RecordIds(".+", None, {})

        def slot(path: str) -> Slot:
            return Slot(None, PathPattern(path), str(tmp_path), frozenset())

        node = StepNode("a", 1, None, None, inputs=[slot(path_in)], outputs=[slot(path) for path in path_out])
        return Survey(RecordGraph([node]), ids, rule, str(tmp_path / "state"), str(tmp_path / "LOG"))

    return make


def touch(folder: Path, *names: str) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


@pytest.mark.parametrize("path", ["a/{id}.csv", "{id}.csv", "{id}/x.csv", "a/{id}/{id}", "/{root}/a/{id}"])
def test_presence_is_looked_up_in_any_layout(make_survey, tmp_path: Path, path: str) -> None:
    """Outputs are found in a flat folder, at the root, in a folder a record, and at an absolute path."""
    path = path.replace("/{root}", str(tmp_path))
    relative = path.removeprefix(str(tmp_path)).lstrip("/")
    touch(tmp_path, *(relative.replace("{id}", record) for record in ("REC-1", "REC-3")))
    survey = make_survey(path_out=(path,))
    (node,) = survey.graph.nodes
    assert bytes(survey.present(node)) == b"\1\0\1"
    assert [survey.facts(number, node).outputs_present for number in range(3)] == [True, False, True]


def test_all_outputs_must_be_there(make_survey, tmp_path: Path) -> None:
    """A step with two outputs has its outputs only with both."""
    touch(tmp_path, "a/REC-1.csv", "a/REC-2.csv", "b/REC-2/x", "b/REC-3/x")
    survey = make_survey(path_out=("a/{id}.csv", "b/{id}/x"))
    (node,) = survey.graph.nodes
    assert bytes(survey.present(node)) == b"\0\1\0"
    assert survey.facts(0, node, is_shown=True).missing_outputs == (str(tmp_path / "b/REC-1/x"),)
    assert survey.facts(0, node).missing_outputs == ()


def test_each_folder_is_listed_once(make_survey, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A flat folder is listed once for all records, and no file in it is stat'ed."""
    touch(tmp_path, *(f"a/{record}.csv" for record in IDS), *(f"raw/{record}.csv" for record in IDS))
    listed: list[str] = []
    scandir = os.scandir
    monkeypatch.setattr(os, "scandir", lambda path=".": (listed.append(os.fspath(path)), scandir(path))[1])
    survey = make_survey()
    (node,) = survey.graph.nodes
    for number in range(3):
        survey.facts(number, node)
        survey.status(number, node)
    assert len(listed) == len(set(listed)) <= 2


@pytest.mark.parametrize("path_in", ["raw/{id}.csv", "raw/{id}/x.csv", "{id}.csv", "raw/{id}_{part}.csv"])
def test_settled_survey_says_the_same(make_survey, tmp_path: Path, path_in: str) -> None:
    """A survey that has forgotten the names of files gives the facts that it would have given, and lists nothing again."""
    record_in = path_in.replace("{part}", "b").replace("{id}", "REC-{}")
    touch(tmp_path, record_in.format(1), record_in.format(3), "a/REC-1.csv", "a/REC-0.csv", "raw/REC-11.csv")
    survey, settled = make_survey(path_in), make_survey(path_in)
    (node,) = survey.graph.nodes
    settled.forget_names([0])
    is_plain = path_in == "raw/{id}.csv"
    if is_plain:
        touch(tmp_path, "raw/REC-2.csv")  # afterwards: nobody looks again
    facts = [settled.facts(number, settled.graph.nodes[0], is_shown=True) for number in range(3)]
    if is_plain:
        (tmp_path / "raw/REC-2.csv").unlink()
    assert facts == [survey.facts(number, node, is_shown=True) for number in range(3)]
    assert [bool(one.missing_inputs) for one in facts] == [False, True, False]
    assert [one.outputs_present for one in facts] == [True, False, False]


def test_missing_inputs_are_named_in_full(make_survey, tmp_path: Path) -> None:
    """What is missing is given by full path, a free field as a star."""
    survey = make_survey()
    (node,) = survey.graph.nodes
    assert survey.facts(1, node).missing_inputs == (str(tmp_path / "raw/REC-2.csv"),)
    survey = make_survey("raw/{id}_{part}.csv")
    (node,) = survey.graph.nodes
    assert survey.facts(1, node).missing_inputs == (str(tmp_path / "raw/REC-2_*.csv"),)
    touch(tmp_path, "raw/REC-2_b.csv", "raw/REC-2_a.csv")
    survey = make_survey("raw/{id}_{part}.csv")
    assert survey.facts(1, survey.graph.nodes[0]).missing_inputs == ()
    assert survey.resolve(node.inputs[0], "REC-2") == [
        str(tmp_path / f"raw/REC-2_{part}.csv") for part in "ab"
    ]


@pytest.mark.parametrize(
    "record_id", ["REC-1", "R e.c", "é" * 30, "R" * 117, "R" * 118, "R" * 119, "R" * 120, "R" * 190]
)
def test_marks_are_found_whatever_the_id(make_survey, tmp_path: Path, record_id: str) -> None:
    """The mark of any record is found, and a record of another name has none."""
    touch(tmp_path, f"a/{record_id}.csv", "a/other.csv")
    mark = tmp_path / "state/failures" / file_key(f"{record_id}/a")
    touch(mark.parent, mark.name)
    mark.write_text(json.dumps({"status": 40}))
    survey = make_survey(ids=[record_id, "other"])
    (node,) = survey.graph.nodes
    assert survey.is_marked(record_id) and not survey.is_marked("other")
    assert [survey.facts(number, node).failed for number in (0, 1)] == [True, False]
    assert [int(survey.status(number, node)) for number in (0, 1)] == [40, 30]


def test_log_is_not_read_where_it_decides_nothing(
    make_survey, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Logs of records whose outputs are there, or that have none, are not opened."""
    touch(tmp_path, "a/REC-1.csv", "LOG/REC-1.log", "LOG/REC-3.log")
    asked: list[str] = []
    monkeypatch.setattr(
        "sinagot.engine.planning.survey.newest_status", lambda folder, record_id, *_: asked.append(record_id)
    )
    survey = make_survey()
    (node,) = survey.graph.nodes
    assert [int(survey.status(number, node)) for number in range(3)] == [30, 0, 0]
    assert asked == ["REC-3"]
