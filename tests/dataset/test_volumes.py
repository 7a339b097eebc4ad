"""Room, shared drives, waiting, and syncing in groups."""

from __future__ import annotations

import errno
import os
import threading
import time
from pathlib import Path

import pytest

from sinagot.dataset import volumes
from sinagot.dataset.mounts import Mount
from sinagot.dataset.volumes import Room, await_paths, is_shared, room_of, sync_systems, unwritable


def test_room_of_a_folder_that_will_be_made(tmp_path: Path) -> None:
    """Where a folder is not there yet, the drive of the nearest one above it counts."""
    found = os.statvfs(tmp_path)
    room = room_of(str(tmp_path / "not" / "yet"))
    assert abs(room.bytes - found.f_bavail * found.f_frsize) < 1 << 30
    assert room.files is None or room.files > 0


def test_drive_without_a_count_of_files(monkeypatch: pytest.MonkeyPatch) -> None:
    """A drive that makes its inodes as they are needed has as many as one wants."""
    facts = os.statvfs_result((1024, 1024, 10, 5, 4, 0, 0, 0, 0, 255))
    monkeypatch.setattr(volumes.os, "statvfs", lambda path: facts)
    assert room_of("/") == Room(4 * 1024, None)


@pytest.mark.parametrize(
    ("kind", "expected"), [("nfs4", True), ("ext4", False), ("fuse.sshfs", True), ("9p", True)]
)
def test_shared_drive(kind: str, expected: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A drive that other machines write is known by its kind."""
    monkeypatch.setattr("sinagot.dataset.mounts.list_mounts", lambda: [Mount("/", kind, "x")])
    assert is_shared(str(tmp_path / "none")) is expected


def test_probe_leaves_nothing(tmp_path: Path) -> None:
    """Trying whether a folder can be written makes nothing in it; something else in its place is for the jobs to tell."""
    assert unwritable(str(tmp_path)) is None
    assert unwritable(str(tmp_path / "new")) is None
    (tmp_path / "file").touch()
    assert unwritable(str(tmp_path / "file")) is None
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize("code", [errno.EROFS, errno.EACCES, errno.ENOSPC])
def test_refusal_of_the_drive_is_told(code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Why a folder can't be written is told in the words of the system."""

    def refuse(*_: object) -> int:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(volumes.os, "open", refuse)
    assert unwritable(str(tmp_path)) == os.strerror(code)


@pytest.mark.parametrize(
    ("flag", "allowed", "expected"),
    [(0, True, None), (0, False, errno.EACCES), (os.ST_RDONLY, False, errno.EROFS)],
)
def test_drive_without_nameless_files(
    flag: int, allowed: bool, expected: int | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where files without a name can't be made, the system is asked for the permission."""

    def refuse(*_: object) -> int:
        raise OSError(errno.EOPNOTSUPP, "no")

    facts = os.statvfs_result((1024, 1024, 10, 5, 4, 0, 0, 0, flag, 255))
    monkeypatch.setattr(volumes.os, "open", refuse)
    monkeypatch.setattr(volumes.os, "access", lambda *_: allowed)
    monkeypatch.setattr(volumes.os, "statvfs", lambda _: facts)
    assert unwritable(str(tmp_path)) == (os.strerror(expected) if expected else None)


def test_files_that_come_late(tmp_path: Path) -> None:
    """Waiting ends when all is there, and at the latest when the time is over."""
    late = tmp_path / "late"
    threading.Timer(0.1, late.touch).start()
    await_paths([str(late), str(tmp_path)], 30)
    assert late.exists()
    start = time.monotonic()
    await_paths([str(tmp_path / "never")], 0.05)
    assert time.monotonic() - start >= 0.05


def test_systems_are_synced_once_each(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Folders of one drive cost one call; those that are not there cost none; an error is told."""
    calls: list[int] = []
    real = volumes._syncfs
    monkeypatch.setattr(volumes, "_syncfs", lambda descriptor: (calls.append(descriptor), real(descriptor)))
    (tmp_path / "a").mkdir()
    sync_systems([str(tmp_path), str(tmp_path / "a"), str(tmp_path / "none")])
    assert len(calls) == 1
    with pytest.raises(OSError, match="Bad file descriptor"):
        real(-1)


def test_system_without_syncfs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where one drive can't be synced alone, all are."""
    calls: list[str] = []
    monkeypatch.setattr(volumes, "_LIBRARY", [None])
    monkeypatch.setattr(volumes.os, "sync", lambda: calls.append("sync"))
    sync_systems([str(tmp_path)])
    assert calls == ["sync"]
