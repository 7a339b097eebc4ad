"""One log file: rotation that counts, locks that nobody waits for in vain."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import logging
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sinagot.runlog import handler as handlers
from sinagot.runlog.handler import LOCKS, LineHandler
from sinagot.runlog.read import read_lines


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Callable[..., LineHandler]]:
    made = []

    def make(max_bytes: int = 0, backups: int = 2) -> LineHandler:
        made.append(LineHandler(str(tmp_path / "REC-1.log"), str(tmp_path / "locks"), max_bytes, backups))
        return made[-1]

    yield make
    for handler in made:
        handler.close()
    LOCKS.close()


def write(handler: LineHandler, first: int, last: int) -> None:
    for number in range(first, last + 1):
        handler.write_lines([{"message": f"{number:03d}", "fill": "x" * 60}])


def numbers(tmp_path: Path) -> list[int]:
    return [int(line["message"]) for line in read_lines(str(tmp_path), "REC-1")[0] if "message" in line]


def test_a_file_is_turned_before_it_is_too_large(make: Callable[..., LineHandler], tmp_path: Path) -> None:
    """No part is larger than allowed unless one batch is; parts are numbered from the newest."""
    handler = make(500, 5)
    write(handler, 1, 12)
    handler.write_lines([{"message": "013", "fill": "x" * 2000}])
    write(handler, 14, 14)
    sizes = {path.name: path.stat().st_size for path in tmp_path.glob("REC-1.log*")}
    assert sorted(sizes) == ["REC-1.log"] + [f"REC-1.log.{i}" for i in range(1, 5)]
    assert [name for name, size in sizes.items() if size > 500] == ["REC-1.log.1"]
    assert numbers(tmp_path) == list(range(1, 15))


@pytest.mark.parametrize("backups", [0, 1, 3])
def test_what_falls_off_is_counted(make: Callable[..., LineHandler], tmp_path: Path, backups: int) -> None:
    """After each turn that drops lines the next line says how many are gone in all."""
    handler = make(500, backups)
    for last in range(5, 60, 5):
        write(handler, last - 4, last)
        lines, _ = read_lines(str(tmp_path), "REC-1")
        dropped = max((line.get("dropped", 0) for line in lines), default=0)
        assert dropped + len(lines) == last
        assert numbers(tmp_path) == list(range(dropped + 1, last + 1))


def test_counting_goes_on_where_parts_are_missing_or_broken(
    make: Callable[..., LineHandler], tmp_path: Path
) -> None:
    """A torn oldest part is counted with its torn line, garbage at the head of a part hides no older count."""
    handler = make(300, 2)
    write(handler, 1, 12)
    before = max(line.get("dropped", 0) for line in read_lines(str(tmp_path), "REC-1")[0])
    oldest = tmp_path / "REC-1.log.2"
    oldest.write_bytes(oldest.read_bytes() + b'{"torn')
    lines = oldest.read_bytes().count(b"\n") + 1
    base = tmp_path / "REC-1.log"
    base.write_bytes(b'{"dropped": [' + b"\n" + base.read_bytes() + b"x" * 300)
    write(handler, 13, 13)
    assert read_lines(str(tmp_path), "REC-1")[0][-1]["dropped"] == before + lines


def test_a_free_number_is_used_before_anything_falls_off(
    make: Callable[..., LineHandler], tmp_path: Path
) -> None:
    """After a turn that was killed half-way, or a part that somebody removed, no further part is dropped."""
    handler = make(300, 4)
    write(handler, 1, 15)
    (tmp_path / "REC-1.log.2").unlink()
    kept = [number for number in numbers(tmp_path) if number <= 12]
    write(handler, 16, 18)
    assert [number for number in numbers(tmp_path) if number <= 12] == kept
    assert (tmp_path / "REC-1.log.2").exists()


def test_a_log_that_cannot_be_turned_grows(make: Callable[..., LineHandler], tmp_path: Path) -> None:
    """Where an old part cannot be replaced lines are written all the same."""
    handler = make(300, 1)
    (tmp_path / "REC-1.log.1").mkdir()
    write(handler, 1, 10)
    assert numbers(tmp_path) == list(range(1, 11))
    (tmp_path / "REC-1.log.1").rmdir()
    handler = make(300, 2)
    (tmp_path / "REC-1.log.1").mkdir()
    (tmp_path / "REC-1.log.2").write_text("{}")
    write(handler, 11, 20)
    assert numbers(tmp_path)[-20:] == list(range(1, 21))


def test_a_count_that_could_not_be_written_is_written_later(
    make: Callable[..., LineHandler], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When the write after a turn fails, the next good one tells what fell off."""
    handler = make(300, 1)
    write(handler, 1, 6)

    def full(handle: int, data: bytes) -> int:
        raise OSError(errno.ENOSPC, "no space")

    with monkeypatch.context() as patch:
        patch.setattr("os.write", full)
        with pytest.raises(OSError, match=r"no space.*REC-1\.log"):
            write(handler, 7, 7)
    write(handler, 7, 7)
    lines, _ = read_lines(str(tmp_path), "REC-1")
    assert lines[-1]["dropped"] + len(lines) == 7


def test_another_program_may_turn_cut_or_remove_the_log(
    make: Callable[..., LineHandler], tmp_path: Path
) -> None:
    """After a rename, copy-and-cut or removal by hand lines go to the file of that name."""
    handler, log = make(), tmp_path / "REC-1.log"
    write(handler, 1, 1)
    log.rename(tmp_path / "REC-1.log.1")
    write(handler, 2, 2)
    assert numbers(tmp_path) == [1, 2]
    os.truncate(log, 0)
    write(handler, 3, 3)
    log.unlink()
    write(handler, 4, 4)
    assert numbers(tmp_path) == [1, 4]


def test_nobody_waits_for_a_frozen_holder_for_ever(
    make: Callable[..., LineHandler], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When the lock is not to be had in time the lines are appended without it, and without a turn."""
    monkeypatch.setattr(handlers, "LOCK_PATIENCE", 0.05)
    handler = make(300, 1)
    write(handler, 1, 3)
    with open(handler.lockFilename) as frozen:
        fcntl.flock(frozen, fcntl.LOCK_EX)
        write(handler, 4, 8)
        assert not (tmp_path / "REC-1.log.1").exists()
    write(handler, 9, 9)
    assert numbers(tmp_path) == list(range(1, 10))
    assert (tmp_path / "REC-1.log.1").exists()


def test_a_file_system_without_locks_still_takes_lines(
    make: Callable[..., LineHandler], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where `flock` does not exist lines are appended as they are."""

    def flock(handle: int, operation: int) -> None:
        raise OSError(errno.ENOSYS, "not here")

    monkeypatch.setattr("fcntl.flock", flock)
    write(make(), 1, 2)
    assert numbers(tmp_path) == [1, 2]


def test_a_lock_that_fails_oddly_is_an_error_that_names_it(
    make: Callable[..., LineHandler], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever goes wrong in locking, the caller gets an OSError."""

    def flock(handle: int, operation: int) -> None:
        raise ValueError("odd")

    monkeypatch.setattr("fcntl.flock", flock)
    with pytest.raises(OSError, match=r"log-\d\d\.lock"):
        write(make(), 1, 1)


def test_a_script_may_close_all_descriptors(make: Callable[..., LineHandler], tmp_path: Path) -> None:
    """Descriptors that were closed behind our back, and lock files that were removed, are opened again."""
    handler = make()
    write(handler, 1, 1)
    os.close(handler.stream.fileno())
    os.close(handler.stream_lock.fileno())
    write(handler, 2, 2)
    os.unlink(handler.lockFilename)
    write(handler, 3, 3)
    assert os.path.exists(handler.lockFilename)
    assert numbers(tmp_path) == [1, 2, 3]


def test_a_lock_file_of_a_colleague_is_enough(
    make: Callable[..., LineHandler], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A lock file that may only be read locks as well; one that is no file is an error that names it."""
    handler = make()
    Path(handler.lockFilename).parent.mkdir()
    Path(handler.lockFilename).touch()
    really = os.open

    def careful(path: str, flags: int, *mode: int) -> int:
        if path == handler.lockFilename and flags & os.O_RDWR:
            raise PermissionError(errno.EACCES, "not yours", path)
        return really(path, flags, *mode)

    monkeypatch.setattr("os.open", careful)
    write(handler, 1, 1)
    assert numbers(tmp_path) == [1]
    handler.close()
    LOCKS.close()
    os.unlink(handler.lockFilename)
    os.mkfifo(handler.lockFilename)
    with pytest.raises(OSError, match=r"\.lock"):
        write(make(), 2, 2)


def test_records_of_logging_are_taken_too(make: Callable[..., LineHandler], tmp_path: Path) -> None:
    """The handler is a handler: a logger can write through it."""
    handler = make()
    handler.handle(logging.LogRecord("x", logging.INFO, "file", 1, "%03d", (1,), None))
    assert numbers(tmp_path) == [1]


def test_the_lock_of_a_file_does_not_depend_on_who_asks(
    make: Callable[..., LineHandler], tmp_path: Path
) -> None:
    """Two handlers of one file share a lock file; without a folder for locks it stands beside the log."""
    one, two = make(), make(500)
    assert one.lockFilename == two.lockFilename
    assert one.getLockFilename(None).startswith(str(tmp_path / "log-"))
    with contextlib.closing(one):
        write(one, 1, 1)
        write(two, 2, 2)
    assert numbers(tmp_path) == [1, 2]
