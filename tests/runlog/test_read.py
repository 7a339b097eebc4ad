"""Reading logs back."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from sinagot.runlog.lines import ADDED_FIELDS, ESTABLISHED_FIELDS, make_line
from sinagot.runlog.read import count_unreadable, follow, logs_frame, newest_status, read_lines
from sinagot.runlog.write import LogTarget, RecordLog
from sinagot.testing import await_true

OLD = {
    "log_from": "script",
    "record_id": "REC-1",
    "scope": "record",
    "task": None,
    "modality": None,
    "step_label": "mean",
    "step_status": 30,
    "message": "Run finished",
    "time": "2020-08-20T09:28:32.588123",
}


def put(folder: Path, name: str, *lines: dict[str, Any] | bytes) -> None:
    data = [line if isinstance(line, bytes) else json.dumps(line).encode() for line in lines]
    (folder / name).write_bytes(b"\n".join([*data, b""]))


def test_all_parts_are_read_oldest_first(tmp_path: Path) -> None:
    """Rotated parts join the newest one, also over a number that is missing; other files are left alone."""
    for name, number in (
        ("REC-1.log.3", 1),
        ("REC-1.log.1", 2),
        ("REC-1.log", 3),
        ("REC-10.log", 4),
        (".__REC-1.lock", 5),
    ):
        put(tmp_path, name, {"n": number})
    assert read_lines(str(tmp_path), "REC-1") == ([{"n": 1}, {"n": 2}, {"n": 3}], 0)
    os.unlink(tmp_path / "REC-1.log")
    assert read_lines(str(tmp_path), "REC-1") == ([{"n": 1}, {"n": 2}], 0)


def test_lines_are_given_as_they_are(tmp_path: Path) -> None:
    """Old lines keep their time and fields; unreadable lines and parts are counted."""
    put(tmp_path, "REC-1.log", OLD, b'{"torn', OLD, b"\xff\xfe")
    os.mkdir(tmp_path / "REC-1.log.1")
    assert read_lines(str(tmp_path), "REC-1") == ([OLD, OLD], 3)
    assert read_lines(str(tmp_path), "REC-2") == ([], 0)
    assert read_lines(str(tmp_path / "none"), "REC-1") == ([], 0)


def test_lines_are_read_while_they_are_written_and_turned(
    target: LogTarget, line: Callable[..., dict[str, Any]]
) -> None:
    """A reader beside a busy writer never misses a line in the middle and never sees a torn one."""
    log = RecordLog(target._replace(max_bytes=2000, backups=200), "REC-1")
    done = threading.Event()

    def write() -> None:
        for number in range(400):
            log.write(line(str(number)))
        done.set()

    writer = threading.Thread(target=write)
    writer.start()
    while not done.is_set():
        found, bad = read_lines(target.folder, "REC-1")
        assert bad == 0
        assert [line["message"] for line in found] == [str(number) for number in range(len(found))]
    writer.join()
    assert len(read_lines(target.folder, "REC-1")[0]) == 400


def test_unreadable_lines_are_counted_by_record(tmp_path: Path) -> None:
    """Lines and parts that cannot be read are counted for each record; whole and absent logs are not told."""
    (tmp_path / "A.log").write_bytes(b'{"message": "one"}\n')
    (tmp_path / "B.log").write_bytes(b'{"message": "one"}\n\xff\n{"mess')
    (tmp_path / "C.log").mkdir()
    assert count_unreadable(str(tmp_path), ["A", "B", "C", "D"]) == {"B": 2, "C": 1}


def test_a_frame_has_the_newest_line_first(tmp_path: Path) -> None:
    """Lines of many records are sorted by time, of one moment the one written last comes first; times have one form."""
    put(tmp_path, "REC-1.log", OLD, OLD | {"message": "later"}, OLD | {"time": "2021-01-01T00:00:00"})
    put(
        tmp_path,
        "REC-2.log",
        make_line({"record_id": "REC-2"}, 0, "Init run"),
        OLD | {"time": None, "message": "no time"},
    )
    folder = str(tmp_path)
    frame = logs_frame([(folder, "REC-1"), (folder, "REC-2"), (folder, "REC-3")])
    assert frame["message"].to_list() == ["Init run", "Run finished", "later", "Run finished", "no time"]
    assert frame["time"].to_list()[1:4] == [
        "2021-01-01T00:00:00.000000+00:00",
        "2020-08-20T09:28:32.588123+00:00",
        "2020-08-20T09:28:32.588123+00:00",
    ]
    assert frame.index.to_list() == [0, 1, 2, 3, 4]


def test_a_frame_has_established_columns_then_ours_then_the_users(tmp_path: Path) -> None:
    """Old lines have all established columns; numbers that some lines lack stay whole."""
    put(
        tmp_path,
        "REC-1.log",
        OLD | {"rate": 0.5},
        make_line({}, 20, "x", facts={"params": {"a": 1}}),
        {"step_status": None},
    )
    frame = logs_frame([(str(tmp_path), "REC-1")])
    columns = list(frame.columns)
    assert tuple(columns[:10]) == ESTABLISHED_FIELDS
    assert columns[10:] == ["level", "run_id", "attempt", "host", "pid", "params", "rate"]
    assert set(columns[10:-1]) <= set(ADDED_FIELDS)
    assert (str(frame["pid"].dtype), str(frame["step_status"].dtype)) == ("Int64", "Int64")
    put(tmp_path, "REC-1.log", OLD)
    old = logs_frame([(str(tmp_path), "REC-1")])
    assert tuple(old.columns) == ESTABLISHED_FIELDS and old["workspace_version"].isna().all()


def test_a_frame_without_lines_has_the_established_columns(tmp_path: Path) -> None:
    """No log, an empty one and one of garbage give an empty table."""
    put(tmp_path, "REC-1.log", b"garbage")
    (tmp_path / "REC-2.log").touch()
    frame = logs_frame([(str(tmp_path), f"REC-{number}") for number in (1, 2, 3)])
    assert frame.empty and tuple(frame.columns) == ESTABLISHED_FIELDS


def test_a_frame_is_cut_to_its_scope(tmp_path: Path) -> None:
    """Task and modality select lines; None selects all, also lines without either."""
    lines = [OLD | {"task": t, "modality": m} for t in ("RS", "MMN", None) for m in ("EEG", "behavior", None)]
    put(tmp_path, "REC-1.log", *lines)
    sources = [(str(tmp_path), "REC-1")]
    assert len(logs_frame(sources)) == 9
    assert set(logs_frame(sources, task="RS")["task"]) == {"RS"}
    assert len(logs_frame(sources, modality="EEG")) == 3
    assert len(logs_frame(sources, "RS", "EEG")) == 1


def test_a_frame_takes_names_that_are_no_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lone surrogates are kept, also where the table's text type refuses them."""
    import pandas as pd

    put(tmp_path, "REC-1.log", OLD | {"message": "caf\udce9"})
    sources = [(str(tmp_path), "REC-1")]
    assert logs_frame(sources)["message"][0] == "caf\udce9"
    really = pd.DataFrame

    def refusing(rows: Any, **options: Any) -> pd.DataFrame:
        if not options:
            "caf\udce9".encode()
        return really(rows, **options)

    monkeypatch.setattr(pd, "DataFrame", refusing)
    assert logs_frame(sources)["message"][0] == "caf\udce9"


def test_many_small_logs_are_read_as_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many files there are, lines are parsed in bounded numbers and none is lost."""
    monkeypatch.setattr("sinagot.runlog.read._AT_ONCE", 50)
    for number in range(100):
        put(tmp_path, f"REC-{number}.log", OLD, OLD, b'{"torn"')
    assert len(logs_frame([(str(tmp_path), f"REC-{number}") for number in range(100)])) == 200


def test_the_newest_line_of_a_step_is_found(tmp_path: Path) -> None:
    """Of the step and scope asked for, the line written last counts; broken ones and those of others do not."""
    put(tmp_path, "REC-1.log.1", OLD | {"step_label": "count", "step_status": 40}, OLD | {"step_status": 40})
    put(
        tmp_path,
        "REC-1.log",
        OLD | {"message": "first"},
        OLD | {"message": "last", "time": "1999-01-01T00:00:00"},
        OLD | {"task": "RS", "modality": "EEG", "step_status": 0},
        OLD | {"step_label": "mean of means"},
        OLD | {"step_label": "other", "message": "mean"},
        OLD | {"step_status": "30"},
        OLD | {"step_status": True},
        b'{"step_label": "mean", "step_sta',
    )
    folder = str(tmp_path)
    status, line = newest_status(folder, "REC-1", None, None, "mean") or (None, {})
    assert (status, line["message"]) == (30, "last")
    assert (newest_status(folder, "REC-1", "RS", "EEG", "mean") or [None])[0] == 0
    assert (newest_status(folder, "REC-1", None, None, "count") or [None])[0] == 40
    assert (newest_status(folder, "REC-1", None, None, "mean of means") or [None])[0] == 30
    assert newest_status(folder, "REC-1", "RS", None, "mean") is None
    assert newest_status(folder, "REC-2", None, None, "mean") is None


Follow = Callable[..., list[str]]


@pytest.fixture
def following(target: LogTarget) -> Iterator[Callable[..., tuple[list[str], Callable[[], list[str]]]]]:
    """Follow a log in a thread; gives the messages so far, and a function that ends it and gives all."""
    ends: list[Callable[[], list[str]]] = []

    def start(**options: Any) -> tuple[list[str], Callable[[], list[str]]]:
        stop = threading.Event()
        found: list[str] = []
        lines = follow(target.folder, "REC-1", poll=0.002, stop=stop.is_set, **options)

        def run() -> None:
            for line in lines:
                found.append(line["message"])  # noqa: PERF401 - the test looks at it meanwhile

        thread = threading.Thread(target=run)
        thread.start()

        def end() -> list[str]:
            stop.set()
            thread.join(60)
            return found

        ends.append(end)
        return found, end

    yield start
    for end in ends:
        end()


def until(condition: Callable[[], bool]) -> None:
    await_true(condition, "the lines")


def test_following_waits_for_a_log_that_is_not_there(
    target: LogTarget, line: Callable[..., dict[str, Any]], following: Callable[..., Any]
) -> None:
    """Lines come as they are written, from the first one of a log that is made later."""
    found, end = following()
    time.sleep(0.02)
    log = RecordLog(target, "REC-1")
    for number in range(5):
        log.write(line(str(number)))
        until(lambda number=number: len(found) == number + 1)
    log.write(line("of another", step_label="count"), line("last"))
    assert end() == ["0", "1", "2", "3", "4", "of another", "last"]


def test_following_begins_where_asked(
    target: LogTarget, line: Callable[..., dict[str, Any]], following: Callable[..., Any]
) -> None:
    """By default only what is written after the call is given; `from_start` gives all parts; `step` selects."""
    log = RecordLog(target._replace(max_bytes=1000), "REC-1")
    log.write(*[line(f"before {number}") for number in range(10)])
    log.write(line("before 10"))
    assert os.path.exists(log.path + ".1")
    _, new = following()
    _, all_ = following(from_start=True)
    _, other = following(step="count")
    log.write(line("after"), line("counted", step_label="count"))
    assert new() == ["after", "counted"]
    assert all_() == [*(f"before {number}" for number in range(11)), "after", "counted"]
    assert other() == ["counted"]


def test_following_goes_on_over_turns(
    target: LogTarget, line: Callable[..., dict[str, Any]], following: Callable[..., Any]
) -> None:
    """However often the log is turned between two looks, each line comes once and in order."""
    found, end = following()
    log = RecordLog(target._replace(max_bytes=1000, backups=200), "REC-1")
    log.write(line("0"))
    until(lambda: len(found) == 1)
    for number in range(1, 150):
        log.write(line(str(number)))
        if number % 40 == 0:
            time.sleep(0.01)
    assert end() == [str(number) for number in range(150)]


def test_following_survives_what_others_do_to_the_log(
    target: LogTarget, line: Callable[..., dict[str, Any]], following: Callable[..., Any]
) -> None:
    """Cut to nothing, removed, replaced by a folder, torn: what is written afterwards comes."""
    log = RecordLog(target, "REC-1")
    log.write(line("a long line before the cut" * 10))
    found, end = following()
    until(lambda: os.path.exists(log.path))
    time.sleep(0.02)
    os.truncate(log.path, 0)
    log.write(line("cut"))
    until(lambda: "cut" in found)
    with open(log.path, "ab") as stream:
        stream.write(b'{"message": "torn')
    time.sleep(0.01)
    log.write(line("torn"))
    until(lambda: "torn" in found)
    os.unlink(log.path)
    time.sleep(0.01)
    log.write(line("removed"))
    until(lambda: "removed" in found)
    with open(log.path, "ab") as stream:
        stream.write(json.dumps(line("without end")).encode())
    time.sleep(0.01)
    os.rename(log.path, log.path + ".1")
    log.write(line("renamed"))
    until(lambda: "renamed" in found)
    assert end() == ["cut", "torn", "removed", "without end", "renamed"]


def test_following_a_folder_waits_for_a_file(target: LogTarget, following: Callable[..., Any]) -> None:
    """What is no plain file is no log yet."""
    os.makedirs(os.path.join(target.folder, "REC-1.log"))
    _, end = following()
    time.sleep(0.01)
    assert end() == []


def test_following_may_be_given_up(target: LogTarget, line: Callable[..., dict[str, Any]]) -> None:
    """A caller that stops asking leaves no file open (a warning would fail the test)."""
    RecordLog(target, "REC-1").write(line("one"))
    lines = follow(target.folder, "REC-1", from_start=True)
    assert next(lines)["message"] == "one"
    lines.close()  # type: ignore[attr-defined]
    follow(target.folder, "REC-1")
