"""Runs, events and marks as plain files."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sinagot.engine.state.history import (
    EventFile,
    Marks,
    RunFolder,
    append_line,
    event_files,
    iter_all_events,
    iter_events,
    last_event,
    replace_text,
    taken_from,
)


def test_events_are_read_writer_by_writer(tmp_path: Path) -> None:
    """Events of several writers come back whole and in each writer's order; other files are passed over."""
    folder = str(tmp_path / "run")
    writers = [EventFile(folder, name) for name in ("b", "a")]
    for number in range(3):
        for writer in writers:
            writer.append({"number": number, "path": "é\udcff"})
    for writer in writers:
        writer.close()
        writer.close()
    Path(folder, "run.json").write_text("{}")
    assert [event["number"] for event in iter_events(folder)] == [0, 1, 2, 0, 1, 2]
    assert all(line.isascii() for line in Path(writers[0].path).read_text().splitlines())


def test_torn_line_costs_itself_only(tmp_path: Path) -> None:
    """A torn last line is passed over, and the next writer begins on a new line."""
    folder = str(tmp_path)
    first = EventFile(folder, "w")
    first.append({"number": 1})
    first.close()
    with open(first.path, "ab") as file:
        file.write(b'{"number": 2, "text": "to')
    again = EventFile(folder, "w")
    again.append({"number": 3})
    again.close()
    assert [event["number"] for event in iter_events(folder)] == [1, 3]


@given(st.lists(st.binary(max_size=60)))
def test_garbage_is_passed_over(pieces: list[bytes]) -> None:
    """Whatever bytes stand between, good lines are read and nothing is raised."""
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        with open(f"{folder}/events-x.jsonl", "wb") as file:
            file.writelines(
                b'{"good": 1}\n' + piece + b"\n"
                for piece in [*pieces, b"[" * 100_000, b"\xff", b"7", b'"text"']
            )
        found = list(iter_events(folder))
        assert sum(event == {"good": 1} for event in found) >= len(pieces) + 4
        assert all(isinstance(event, dict) for event in found)


def test_folder_that_is_not_there_has_no_events(tmp_path: Path) -> None:
    """A run that had nothing to do has no folder and no events."""
    assert list(iter_events(str(tmp_path / "none"))) == []


def test_half_a_line_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When only part of a line could be written, the writer learns it."""
    descriptor = os.open(tmp_path / "x", os.O_CREAT | os.O_WRONLY)
    write = os.write
    monkeypatch.setattr("sinagot.engine.state.history.os.write", lambda number, data: write(number, data[:3]))
    try:
        with pytest.raises(OSError, match="no space"):
            append_line(descriptor, {"number": 1})
    finally:
        os.close(descriptor)


def test_values_that_json_does_not_know_become_text(tmp_path: Path) -> None:
    """A Path in an event is written as its text."""
    events = EventFile(str(tmp_path), "w")
    events.append({"path": Path("/x")})
    events.close()
    assert list(iter_events(str(tmp_path))) == [{"path": "/x"}]


def test_small_files_are_replaced_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A replacement that fails leaves the old text and no litter."""
    path = tmp_path / "x"
    replace_text(str(path), "old")
    replace_text(str(path), "new")
    assert path.read_text() == "new"

    def refuse(*_: object) -> None:
        raise OSError("refused")

    monkeypatch.setattr("sinagot.engine.state.history.os.replace", refuse)
    with pytest.raises(OSError, match="refused"):
        replace_text(str(path), "never")
    assert path.read_text() == "new" and [one.name for one in tmp_path.iterdir()] == ["x"]


def test_run_folder_tells_start_and_end(tmp_path: Path) -> None:
    """The manifest has a start and no end while the run goes on, then both and the facts."""
    run = RunFolder(str(tmp_path), "run-1")
    run.begin(records=3)
    manifest = json.loads(Path(run.path, "run.json").read_text())
    assert manifest["end"] is None and manifest["records"] == 3
    run.end(ok=True)
    manifest = json.loads(Path(run.path, "run.json").read_text())
    assert manifest["start"] <= manifest["end"] and manifest["ok"] is True and manifest["records"] == 3


def test_end_of_a_run_whose_folder_was_removed(tmp_path: Path) -> None:
    """A run folder that somebody removed is not made again."""
    run = RunFolder(str(tmp_path), "run-1")
    run.begin()
    for file in Path(run.path).iterdir():
        file.unlink()
    Path(run.path).rmdir()
    run.end()
    assert not Path(run.path).exists()


def test_marks(tmp_path: Path) -> None:
    """A mark is set, read, replaced and cleared by its job's key; clearing twice is no error."""
    marks = Marks(str(tmp_path), "failures")
    assert marks.names() == set() and not marks.has("REC-1/a") and marks.get("REC-1/a") is None
    marks.set("REC-1/a", {"status": 40})
    marks.set("REC-1/a", {"status": 42})
    marks.set("REC/é \udcff", {})
    assert marks.has("REC-1/a") and marks.get("REC-1/a") == {"status": 42}
    assert len(marks.names()) == 2
    marks.clear("REC-1/a")
    marks.clear("REC-1/a")
    assert not marks.has("REC-1/a")


@pytest.mark.parametrize("text", ["", "{", "[1]", "null", "\x00"])
def test_broken_mark_is_still_a_mark(tmp_path: Path, text: str) -> None:
    """A mark that can't be read says that there was a failure, without facts."""
    marks = Marks(str(tmp_path), "failures")
    marks.set("REC-1/a", {"status": 40})
    Path(marks.folder, "REC-1%2Fa").write_text(text)
    assert marks.has("REC-1/a") and marks.get("REC-1/a") == {}


def test_half_written_marks_are_not_seen(tmp_path: Path) -> None:
    """A temporary file that a killed writer left is no mark."""
    marks = Marks(str(tmp_path), "failures")
    marks.set("REC-1/a", {})
    Path(marks.folder, "REC-1%2Fb.123-abc~").touch()
    assert marks.names() == {"REC-1%2Fa"}


def test_line_after_a_torn_one_is_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When a line could be written in part only, the next one of the same writer begins on a new line."""
    events = EventFile(str(tmp_path), "w")
    with monkeypatch.context() as patched:
        write = os.write
        patched.setattr("sinagot.engine.state.history.os.write", lambda number, data: write(number, data[:5]))
        with pytest.raises(OSError, match="no space"):
            events.append({"number": 1})
    events.append({"number": 2}, sync=True)
    events.close()
    assert list(iter_events(str(tmp_path))) == [{"number": 2}]


def test_events_for_healing_are_kept_from_the_others(tmp_path: Path) -> None:
    """Who asks for attempts gets attempts; the last word on a job is found among all events of its writer."""
    events = EventFile(str(tmp_path), "host-7")
    for number, kind in enumerate(("takes", "dropped", "commit", "done", "commit", "checkpoint")):
        events.append({"event": kind, "key": "REC-1/a", "number": number, "from": ["run", "host", 8, "boot"]})
    events.append({"event": "done", "key": 'REC-"1"/a', "number": 6})
    events.close()
    assert [event["number"] for event in iter_events(str(tmp_path))] == [3, 6]
    (path,) = event_files(str(tmp_path))
    found = last_event(path, "REC-1/a")
    assert found is not None and found["number"] == 5
    assert last_event(path, 'REC-"1"/a') == {"event": "done", "key": 'REC-"1"/a', "number": 6}
    assert last_event(path, "REC-2/a") is None and last_event("no such file", "REC-1/a") is None
    assert taken_from(path) == [("run", "host", 8)]
    ends = [end for end, _ in iter_all_events(path)]
    assert ends == sorted(ends) and ends[-1] == Path(path).stat().st_size


def test_event_file_that_was_removed(tmp_path: Path) -> None:
    """A file that somebody removed is begun anew; one that is there goes on."""
    events = EventFile(str(tmp_path / "run"), "w")
    events.append({"number": 1})
    events.reopen()
    assert len(list(iter_events(str(tmp_path / "run")))) == 1
    Path(events.path).unlink()
    events.reopen()
    events.append({"number": 2})
    events.close()
    assert list(iter_events(str(tmp_path / "run"))) == [{"number": 2}]
