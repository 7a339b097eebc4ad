"""Writing lines: whole, in order, by many, and never lost without a word."""

from __future__ import annotations

import contextlib
import errno
import gc
import os
import resource
import stat
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sinagot.runlog import write
from sinagot.runlog.lines import make_line
from sinagot.runlog.read import read_lines
from sinagot.runlog.write import MOST_OPEN, LogTarget, RecordLog, close_all

WRITER = """
import sys
from sinagot.runlog import write
from sinagot.runlog.lines import make_line
from sinagot.runlog.write import LogTarget, RecordLog
folder, locks, name, batches, size = sys.argv[1:]
log = RecordLog(LogTarget(folder, locks, int(size), 3), "REC-1")
print("ready", flush=True)
sys.stdin.readline()
for batch in range(int(batches)):
    log.write(*(make_line({}, 20, f"{name} {batch} {part}") for part in range(3)))
"""


def open_files(folder: Path) -> list[str]:
    """Give the files below a folder that this process has open."""
    links = []
    for handle in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):
            links.append(os.readlink(f"/proc/self/fd/{handle}"))
    return [link for link in links if link.startswith(str(folder))]


def test_lines_come_back_as_they_were_written(
    log: RecordLog, line: Callable[..., dict[str, Any]], lines: Callable[..., list[dict[str, Any]]]
) -> None:
    """What is written in one call stands in order; nothing is written for no lines; the folders are made on demand."""
    log.write()
    assert not os.path.exists(log.target.folder)
    written = [line("one"), line("two\nstill two"), line("three")]
    log.write(*written[:2])
    log.write(written[2])
    assert lines() == written


@pytest.mark.parametrize("size", [0, 2_000_000, 60_000])
def test_writers_of_several_processes_lose_nothing(
    target: LogTarget, program: Callable[..., Any], messages: Callable[..., list[str]], size: int
) -> None:
    """Lines of four processes are whole, each batch in one piece, and what rotation drops is counted exactly."""
    batches = 150
    writers = [program(WRITER, target.folder, target.locks, name, batches, size) for name in "abcd"]
    for writer in writers:
        assert writer.stdout.readline() == "ready\n"
    for writer in writers:
        writer.stdin.write("go\n")
        writer.stdin.flush()
    assert [writer.wait(60) for writer in writers] == [0] * 4
    found, bad = read_lines(target.folder, "REC-1")
    dropped = max((line.get("dropped", 0) for line in found), default=0)
    assert bad == 0
    assert len(found) + dropped == 4 * 3 * batches
    assert (dropped > 0) == (size == 60_000)
    texts = [line["message"].rsplit(" ", 1) for line in found]
    assert all(texts[i : i + 3] == [[texts[i][0], part] for part in "012"] for i in range(0, len(texts), 3))
    for name in "abcd":
        assert (numbers := [int(t.split()[1]) for t, _ in texts if t[0] == name]) == sorted(numbers)


@pytest.mark.parametrize("cut", range(1, 12))
def test_a_torn_last_line_costs_only_itself(
    log: RecordLog,
    line: Callable[..., dict[str, Any]],
    messages: Callable[..., list[str]],
    cut: int,
) -> None:
    """After a line was cut the next one stands on a line of its own."""
    log.write(line("one"), line("two"))
    os.truncate(log.path, os.path.getsize(log.path) - cut)
    log.write(line("three"))
    # Without its line end alone the second line is whole.
    assert messages(bad=int(cut > 1)) == ["one", "two", "three"][:: 1 if cut == 1 else 2]


def test_a_last_line_cut_at_every_byte_costs_only_itself(
    target: LogTarget, line: Callable[..., dict[str, Any]], messages: Callable[..., list[str]]
) -> None:
    """For every byte: cut there, append, read; all whole lines and the appended one come back."""
    log = RecordLog(target, "REC-1")
    log.write(line("one"), line("two"))
    whole = Path(log.path).read_bytes()
    start = whole.index(b"\n") + 1
    for end in range(start, len(whole) + 1):
        Path(log.path).write_bytes(whole[:end])
        log.write(line("three"))
        is_whole = end >= len(whole) - 1
        expected = ["one", "two", "three"] if is_whole else ["one", "three"]
        assert messages(bad=int(not is_whole and end > start)) == expected


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    deadline=None,
    max_examples=50,
)
@given(
    garbage=st.lists(st.binary(max_size=300) | st.just(b"\n") | st.just(b'{"a": 1}'), max_size=6).map(
        b"".join
    )
)
def test_lines_after_garbage_are_whole(
    target: LogTarget, line: Callable[..., dict[str, Any]], garbage: bytes
) -> None:
    """Whatever stands in the file already, the lines appended to it are read, last and in order."""
    log = RecordLog(target, "REC-1")
    os.makedirs(target.folder, exist_ok=True)
    Path(log.path).write_bytes(garbage)
    log.write(line("one"))
    log.write(line("two"))
    found, bad = read_lines(target.folder, "REC-1")
    assert [line["message"] for line in found[-2:]] == ["one", "two"]
    assert bad <= garbage.count(b"\n") + 1


def make_folder(path: str) -> None:
    os.mkdir(path)


def make_link(path: str) -> None:
    os.symlink(path + ".elsewhere", path)


@pytest.mark.parametrize("put", [make_folder, os.mkfifo, make_link])
def test_a_log_that_is_no_plain_file_is_an_error_that_names_it(
    log: RecordLog,
    target: LogTarget,
    line: Callable[..., dict[str, Any]],
    messages: Callable[..., list[str]],
    put: Callable[[str], None],
) -> None:
    """A folder, a FIFO (without waiting for it) and a link in its place are told; other records are unhurt."""
    os.mkdir(target.folder)
    put(log.path)
    with pytest.raises(OSError, match=r"REC-1\.log") as caught:
        log.write(line("one"))
    assert caught.value.filename == log.path
    assert not os.path.exists(log.path + ".elsewhere")
    RecordLog(target, "REC-2").write(line("two"))
    assert messages("REC-2") == ["two"]


def test_a_log_folder_that_cannot_be_made_is_an_error(
    tmp_path: Path, line: Callable[..., dict[str, Any]]
) -> None:
    """Where the log folder is a file the error names it."""
    (tmp_path / "LOG").write_text("")
    log = RecordLog(LogTarget(str(tmp_path / "LOG"), str(tmp_path / "locks")), "REC-1")
    with pytest.raises(OSError, match="LOG"):
        log.write(line("one"))


def test_a_full_disk_is_told_and_loses_nothing(
    log: RecordLog, line: Callable[..., dict[str, Any]], messages: Callable[..., list[str]]
) -> None:
    """A write that does not fit raises and leaves nothing of the batch; later nothing is lost or double."""
    log.write(line("one"))
    size = os.path.getsize(log.path)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size + 500, hard))
    try:
        with pytest.raises(OSError, match=r"REC-1\.log") as caught:
            log.write(line("two"), line("three"))
        assert caught.value.errno == errno.EFBIG
        assert os.path.getsize(log.path) == size
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    log.write(line("two"), line("three"))
    assert messages() == ["one", "two", "three"]


def test_few_files_stay_open(target: LogTarget, line: Callable[..., dict[str, Any]], tmp_path: Path) -> None:
    """However many records are written, a bounded number of logs and lock files is open, and none after closing."""
    for number in range(3 * MOST_OPEN):
        RecordLog(target, f"REC-{number}").write(line("one"))
    assert len([name for name in open_files(tmp_path) if name.endswith(".log")]) == MOST_OPEN
    assert len(os.listdir(target.locks)) <= 64
    RecordLog(target, "REC-0").write(line("two"))
    assert [len(read_lines(target.folder, f"REC-{number}")[0]) for number in (0, 1)] == [2, 1]
    close_all()
    close_all()
    assert open_files(tmp_path) == []
    RecordLog(target, "REC-0").write(line("three"))
    assert len(read_lines(target.folder, "REC-0")[0]) == 3


def test_files_are_closed_only_when_nobody_writes(
    target: LogTarget, line: Callable[..., dict[str, Any]], messages: Callable[..., list[str]]
) -> None:
    """A handler that is in use when all are closed, or when its place is needed, does its work and is closed then."""
    from sinagot.runlog.write import _logs

    log = RecordLog(target, "REC-1")
    log.write(line("one"))
    for let_go in (
        close_all,
        lambda: [RecordLog(target, f"X{i}").write(line("x")) for i in range(MOST_OPEN + 1)],
    ):
        handler = _logs.take(log._key)
        let_go()
        handler.write_lines([line("two")])
        _logs.give_back(handler)
        assert handler.stream is None
    log.write(line("three"))
    assert messages() == ["one", "two", "two", "three"]


def test_many_threads_write_at_once(target: LogTarget, line: Callable[..., dict[str, Any]]) -> None:
    """Threads that write to more records than files may be open lose nothing."""
    records = [f"REC-{number}" for number in range(MOST_OPEN + 20)]

    def write(name: str) -> None:
        for number in range(5):
            for record_id in records:
                RecordLog(target, record_id).write(line(f"{name} {number}"))

    threads = [threading.Thread(target=write, args=(name,)) for name in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for record_id in records:
        found, bad = read_lines(target.folder, record_id)
        assert (sorted(line["message"] for line in found), bad) == (
            sorted(f"{n} {i}" for n in "abcd" for i in range(5)),
            0,
        )


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_forked_child_writes_with_files_of_its_own(
    log: RecordLog, line: Callable[..., dict[str, Any]], messages: Callable[..., list[str]]
) -> None:
    """A child forked while its parent has the file open and the lock taken waits for the parent, and both write."""
    from sinagot.runlog.write import _logs

    log.write(line("parent 1"))
    handler = _logs.take(log._key)
    handler._do_lock()
    ready, told = os.pipe()
    child = os.fork()
    if child == 0:  # pragma: no cover - measured in the parent only
        try:
            os.write(told, b"x")
            log.write(line("child"))
        finally:
            os._exit(0)
    os.read(ready, 1)
    handler._append(handler.stream.fileno(), os.path.getsize(log.path), b"")
    assert messages() == ["parent 1"]
    handler._do_unlock()
    _logs.give_back(handler)
    os.waitpid(child, 0)
    log.write(line("parent 2"))
    os.close(ready)
    os.close(told)
    assert messages() == ["parent 1", "child", "parent 2"]


def test_a_child_forgets_what_its_parent_has_open(
    log: RecordLog, line: Callable[..., dict[str, Any]], messages: Callable[..., list[str]], tmp_path: Path
) -> None:
    """What runs in a forked child closes the inherited files and opens them anew with the next line."""
    from sinagot.runlog.write import _logs

    log.write(line("one"))
    _logs.forget()
    assert open_files(tmp_path) == []
    _logs.forget()
    log.write(line("two"))
    assert messages() == ["one", "two"]


def test_what_logs_in_the_midst_of_a_write_comes_after_it(
    log: RecordLog, target: LogTarget, line: Callable[..., dict[str, Any]], messages: Callable[..., list[str]]
) -> None:
    """A value whose text logs (or a finaliser that runs just then) neither deadlocks nor tears a line."""

    class Talkative:
        def __str__(self) -> str:
            log.write(line("inner"))
            RecordLog(target, "REC-2").write(line("other"))
            return "value"

    log.write(line("outer", value=Talkative()))
    assert messages() == ["outer", "inner"]
    assert messages("REC-2") == ["other"]


def test_logs_belong_to_the_group(log: RecordLog, line: Callable[..., dict[str, Any]]) -> None:
    """Logs and locks get the mode that the umask says, never a private one."""
    before = os.umask(0o002)
    try:
        log.write(line("one"))
    finally:
        os.umask(before)
    paths = [log.path, *(os.path.join(log.target.locks, name) for name in os.listdir(log.target.locks))]
    assert {stat.S_IMODE(os.stat(path).st_mode) for path in paths} == {0o664}


def test_writing_leaves_no_logger_behind(target: LogTarget) -> None:
    """Many records leave no handlers in the register of `logging`."""
    import logging

    for number in range(300):
        RecordLog(target, f"REC-{number}").write(make_line({}, 20, "x"))
    close_all()
    gc.collect()
    ours = [
        h for ref in logging._handlerList if (h := ref()) is not None and type(h).__name__ == "LineHandler"
    ]
    assert len(ours) <= 1
    assert not [name for name in logging.root.manager.loggerDict if "REC" in name]
    assert "sinagot.runlog.handler" in sys.modules


@pytest.mark.parametrize("moment", ["opening", "closing"])
def test_finaliser_in_the_midst_of_a_write_does_not_lock_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    """Python may run the finaliser of a workspace, which closes all logs, while one is being opened or closed: nothing hangs."""
    from sinagot.runlog import handler

    target = LogTarget(str(tmp_path / "LOG"), str(tmp_path / "locks"))
    made = handler.LineHandler if moment == "opening" else handler.LineHandler.close

    def interrupted(*arguments: Any) -> Any:
        close_all()
        return made(*arguments)

    if moment == "opening":
        monkeypatch.setattr(handler, "LineHandler", interrupted)
    else:
        monkeypatch.setattr(handler.LineHandler, "close", interrupted)
    RecordLog(target, "REC-1").write(make_line({"record_id": "REC-1"}, 0, "one"))
    close_all()
    monkeypatch.undo()
    RecordLog(target, "REC-1").write(make_line({"record_id": "REC-1"}, 0, "two"))
    close_all()
    assert [line["message"] for line in read_lines(target.folder, "REC-1")[0]] == ["one", "two"]


def test_lock_stays_open_for_a_writer_whose_file_was_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Closing all logs leaves a thread its lock that still writes to a file which is not among them any more."""
    monkeypatch.setattr(write, "MOST_OPEN", 1)
    logs = write._OpenLogs()
    keys = [(str(tmp_path / f"{name}.log"), str(tmp_path / "locks"), 0, 0) for name in "ab"]
    slow = logs.take(keys[0])
    slow._do_lock()
    logs.give_back(logs.take(keys[1]))
    logs.close()
    slow._do_unlock()
    slow.write_lines([{"message": "late"}])
    logs.give_back(slow)
    assert "late" in (tmp_path / "a.log").read_text()
