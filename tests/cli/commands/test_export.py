"""Tables for other programs."""

from __future__ import annotations

import csv
import io
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sinagot.cli.exports import TABLES, export
from tests.cli.conftest import Invoke, Lab


@pytest.fixture
def lab(make_lab: Lab, invoke: Invoke) -> Path:
    """Give a workspace of which a step failed, a script has printed, and a record is excluded."""
    made = make_lab(1, 3, 4, 5)
    invoke(made, "run")
    invoke(made, "exclude", "REC-4", "--reason", 'a "bad",\nday')
    return made


def tables(invoke: Invoke, lab: Path, *words: str) -> dict[str, list[dict[str, Any]]]:
    """Return a table as each of the formats has it."""
    parquet = pytest.importorskip("pyarrow.parquet")
    for form in ("csv", "json", "parquet"):
        assert invoke(lab, "export", *words, "-o", f"t.{form}", "--force").exit_code == 0
    with open(lab / "t.csv", encoding="utf-8", newline="") as file:
        of_csv = [{key: value or None for key, value in row.items()} for row in csv.DictReader(file)]
    of_parquet = parquet.read_table(lab / "t.parquet").to_pylist()
    for row in of_parquet:
        if row.get("time"):
            row["time"] = row["time"].isoformat(timespec="microseconds")
    return {"csv": of_csv, "json": json.loads((lab / "t.json").read_text()), "parquet": of_parquet}


@pytest.mark.parametrize("name", TABLES)
def test_formats_hold_the_same(invoke: Invoke, lab: Path, name: str) -> None:
    """CSV, JSON and Parquet have the same columns and rows; no row is lost, whatever signs are in it."""
    found = tables(invoke, lab, name)
    assert found["json"] == found["parquet"] and found["json"]
    assert [{k: None if v is None else str(v) for k, v in row.items()} for row in found["json"]] == found[
        "csv"
    ]
    assert all(list(row) == list(TABLES[name].columns) for rows in found.values() for row in rows)


def test_tables_tell_what_happened(invoke: Invoke, lab: Path) -> None:
    """Status, attempts, log lines and decisions are those that the other commands show."""
    status = json.loads(invoke(lab, "export", "status", "--format", "json").stdout)
    assert status == json.loads(invoke(lab, "status", "--json").stdout)["status"]
    jobs = json.loads(invoke(lab, "export", "jobs", "--format", "json").stdout)
    outcomes = [(row["record_id"], row["step_label"], row["outcome"]) for row in jobs]
    assert ("REC-2", "one", "failed") in outcomes and len(outcomes) == 7
    assert {row["exc_type"] for row in jobs if row["outcome"] == "failed"} == {"ValueError"}
    assert all(row["duration_s"] > 0 for row in jobs)
    logs = json.loads(invoke(lab, "export", "logs", "--record", "REC-3", "--format", "json").stdout)
    plain = [json.loads(line) for line in invoke(lab, "logs", "REC-3", "--json").stdout.splitlines()]
    assert [row["message"] for row in logs] == [line["message"] for line in plain]
    (decision,) = csv.DictReader(io.StringIO(invoke(lab, "export", "decisions").stdout))
    assert (decision["record_id"], decision["reason"]) == ("REC-4", 'a "bad",\nday')


def test_narrowed(invoke: Invoke, lab: Path) -> None:
    """Record and step narrow every table."""
    for name in ("status", "jobs", "logs"):
        rows = json.loads(
            invoke(lab, "export", name, "--record", "REC-1", "--step", "two", "--format", "json").stdout
        )
        assert rows and {(row["record_id"], row["step_label"]) for row in rows} == {("REC-1", "two")}
    assert (
        json.loads(invoke(lab, "export", "decisions", "--record", "REC-1", "--format", "json").stdout) == []
    )
    assert invoke(lab, "export", "logs", "--step", "on").exit_code == 5


def test_file_appears_whole_or_not_at_all(invoke: Invoke, lab: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that is there stays, until --force; one that can't be written leaves nothing behind."""
    (lab / "t.csv").write_text("mine")
    result = invoke(lab, "export", "status", "-o", "t.csv")
    assert (result.exit_code, (lab / "t.csv").read_text()) == (2, "mine") and "--force" in result.stderr
    assert invoke(lab, "export", "status", "-o", "none/t.csv").exit_code == 1

    def rows():
        yield {"record_id": "REC-1"}
        raise OSError(28, "No space left on device")

    monkeypatch.chdir(lab)
    with pytest.raises(Exception, match="No space left"):
        export("status", rows(), "csv", "t.csv", force=True)
    assert (lab / "t.csv").read_text() == "mine" and not list(lab.glob("*~"))


@pytest.mark.parametrize("form", ["csv", "json"])
def test_standard_output_stays_open(form: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A table that ends half-way, as when `head` has gone, leaves the standard output to what ends the program."""

    def rows() -> Iterator[dict[str, Any]]:
        yield {"record_id": "REC-1"}
        raise BrokenPipeError

    stream = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
    monkeypatch.setattr(sys, "stdout", stream)
    with pytest.raises(BrokenPipeError):
        export("status", rows(), form, None, force=False)
    stream.flush()
    assert "REC-1" in stream.buffer.getvalue().decode()  # type: ignore[attr-defined]


def test_parquet_needs_its_extra_and_a_file(
    invoke: Invoke, lab: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without pyarrow the error names the extra; Parquet is not printed."""
    assert invoke(lab, "export", "jobs", "--format", "parquet").exit_code == 2
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    result = invoke(lab, "export", "jobs", "-o", "jobs.parquet")
    assert result.exit_code == 4 and "extra 'parquet'" in result.stderr
    assert not list(lab.glob("jobs*"))


VALUES = st.none() | st.integers() | st.floats() | st.text(max_size=8) | st.lists(st.integers(), max_size=2)
LINES = st.dictionaries(st.sampled_from([*TABLES["logs"].columns, "odd"]), VALUES, max_size=4)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(LINES, max_size=4))
def test_any_line_has_a_row(tmp_path_factory: pytest.TempPathFactory, lines: list[dict[str, Any]]) -> None:
    """Log lines of any content, of other versions or tampered with, give one row each in every format."""
    folder = tmp_path_factory.mktemp("export")
    parquet = pytest.importorskip("pyarrow.parquet")
    for form in ("csv", "json", "parquet"):
        assert export("logs", lines, form, str(folder / form), force=False) == len(lines)
    with open(folder / "csv", encoding="utf-8", errors="surrogateescape", newline="") as file:
        assert len(list(csv.DictReader(file))) == len(lines)
    assert len(json.loads((folder / "json").read_text())) == len(lines)
    assert parquet.read_table(folder / "parquet").num_rows == len(lines)
