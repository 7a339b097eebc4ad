"""Room: bytes, files, the user's quota, the length of a path."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace

import pytest

from sinagot.dataset.mounts import Mount
from sinagot.dataset.quota import judge_inodes, judge_path_length, judge_quota, judge_space, read_quota

MIB = 1 << 20
DISK = Mount("/home", "ext4", "/dev/sda1", ("rw",))


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch):
    """Give a function that says what the system tells of free room."""

    def tell(free: int, total: int, files: int = 10**6, all_files: int = 10**7) -> None:
        facts = SimpleNamespace(f_bavail=free, f_blocks=total, f_frsize=1, f_favail=files, f_files=all_files)
        monkeypatch.setattr(os, "statvfs", lambda folder: facts)

    return tell


@pytest.fixture
def quota(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """Give a function that puts a program `quota` on the path."""

    def make(text: str | None) -> None:
        folder = tmp_path / "programs"
        folder.mkdir()
        monkeypatch.setenv("PATH", str(folder))
        if text is not None:
            program = folder / "quota"
            program.write_text(text)
            program.chmod(0o755)

    return make


@pytest.mark.parametrize(
    ("free", "total", "verdict"),
    [
        (10 * MIB, 100_000 * MIB, "problem"),
        (500 * MIB, 2000 * MIB, "warning"),
        (4000 * MIB, 100_000 * MIB, "warning"),
        (50_000 * MIB, 100_000 * MIB, "ok"),
        (50_000 * MIB, 0, "ok"),
    ],
)
def test_space(disk, free: int, total: int, verdict: str) -> None:
    """Little room is a warning, none a problem, and neither where runs only read."""
    disk(free, total)
    assert judge_space("/x", True).verdict == verdict
    assert judge_space("/x", False).verdict == "ok"


@pytest.mark.parametrize(("files", "verdict"), [(5, "problem"), (5000, "warning"), (50_000, "ok")])
def test_inodes(disk, files: int, verdict: str) -> None:
    """A disk that takes no more files is a problem, however many bytes are free."""
    disk(1, 1, files)
    assert judge_inodes("/x", True).verdict == verdict
    assert judge_inodes("/x", False).verdict == "ok"


def test_inodes_that_nobody_counts(disk) -> None:
    """Some file systems do not count files."""
    disk(1, 1, 0, 0)
    assert judge_inodes("/x", True) == ("not counted by this file system", "ok", "")


def test_no_program(quota) -> None:
    """Without the program `quota` nothing is known, unless the mount says that one is kept."""
    quota(None)
    assert judge_quota(DISK, True).verdict == judge_quota(None, True).verdict == "ok"
    assert judge_quota(DISK._replace(options=("rw", "usrquota")), True).verdict == "note"
    assert judge_quota(DISK._replace(options=("rw", "noquota")), True).verdict == "ok"


@pytest.mark.parametrize(
    ("line", "verdict", "value"),
    [
        ("/dev/sda1 1024 0 4096 0 10 0 0 0", "ok", "3.15 MB left of 4.19 MB"),
        ("/dev/sda1 4000 0 4096 0 10 0 0 0", "warning", "98.3 kB left of 4.19 MB"),
        ("/dev/sda1 4096* 4000 4096 99 10 0 0 0", "problem", "0 B left of 4.19 MB"),
        ("/dev/sda1 10 0 0 0 99* 90 100 7", "warning", "1 files left of 100"),
        ("/dev/sda1 10 20 0 0 1 8 0 0", "ok", "10.2 kB left of 20.5 kB, 7 files left of 8"),
        ("/dev/sda1 10 0 0 0 10 0 0 0", "ok", "no limit"),
        ("/dev/sdb1 9 9 9 9 9 9 9 9", "ok", "none is told for this drive"),
        ("/dev/sda1 a lot of words that are no numbers", "ok", "none is told for this drive"),
    ],
)
def test_quota(quota, line: str, verdict: str, value: str) -> None:
    """What `quota` prints for the drive is what is left; a quota that is used up is a problem."""
    quota(f"#!/bin/sh\necho 'Disk quotas for user anna (uid 1000):'\necho '{line}'\n")
    answer = judge_quota(DISK, True)
    assert (answer.verdict, answer.value) == (verdict, value)
    assert judge_quota(DISK, False).verdict == "ok"


def test_program_that_fails(quota) -> None:
    """A program that can't be started is no error."""
    quota("#!/no/such/interpreter\n")
    assert judge_quota(DISK, True).value == "unknown (`quota` fails: FileNotFoundError)"
    assert judge_quota(None, True).value == "unknown (the mount is)"


def test_quota_of_a_network_drive() -> None:
    """Drives are found by their source or by the place where they are mounted."""
    share = Mount("/mnt/share", "nfs4", "nas:/export")
    assert read_quota("nas:/export 1 2 3 0 4 5 6 0", share) == (1024, 3072, 4, 6)
    assert read_quota("/mnt/share 1 2 0 0 4 5 0 0", share) == (1024, 2048, 4, 5)
    assert read_quota("", share) is None


@pytest.mark.parametrize(("most", "verdict"), [(4096, "ok"), (500, "note"), (150, "warning"), (-1, "ok")])
def test_path_length(monkeypatch: pytest.MonkeyPatch, most: int, verdict: str) -> None:
    """What is left for paths below the folder counts."""
    monkeypatch.setattr(os, "pathconf", lambda folder, name: most)
    assert judge_path_length("/data").verdict == verdict


def test_no_path_length(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the system does not tell a limit, that is said."""

    def refuse(folder: str, name: str) -> int:
        raise OSError

    monkeypatch.setattr(os, "pathconf", refuse)
    assert judge_path_length("/data").value == "no limit is told"
