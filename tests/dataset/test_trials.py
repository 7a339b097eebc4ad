"""Experiments on real folders, and on systems that refuse or lie."""

from __future__ import annotations

import errno
import os
import sys
import threading
from pathlib import Path

import pytest

from sinagot.dataset import trials
from tests.dataset.conftest import failing


def test_what_every_good_drive_does(folder: str) -> None:
    """Exclusive create, links, locks, symbolic links and renames do what runs need."""
    assert trials.is_exclusive(folder)
    assert trials.hard_link(folder) == ""
    assert trials.lock_state(folder) == "held"
    assert trials.makes_symlink(folder)
    assert trials.replace_seen(folder) == (0, 0)
    assert trials.longest_name(folder) == 255


def test_renames_that_are_not_atomic(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A rename that removes the target first is caught by the reader; one that copies leaves its source."""

    real, missed = open, threading.Event()

    def look(path: str, mode: str):
        try:
            return real(path, mode)
        except FileNotFoundError:
            missed.set()
            raise

    def slowly(source: str, target: str) -> None:
        os.unlink(target)
        assert missed.wait(60)
        os.rename(source, target)

    monkeypatch.setattr(trials, "open", look, raising=False)
    monkeypatch.setattr(os, "replace", slowly)
    torn, errors = trials.replace_seen(str(tmp_path), 3)
    assert torn > 0
    assert errors == 0
    monkeypatch.setattr(os, "replace", lambda source, target: None)
    assert trials.replace_seen(str(tmp_path), 3)[0] == 1


def test_errors_of_a_reader_are_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stale handle of a network drive is an error, not an absent file."""
    real, replace, seen = open, os.replace, threading.Event()

    def stale(path: str, mode: str):
        if mode == "rb":
            seen.set()
            raise OSError(errno.ESTALE, os.strerror(errno.ESTALE))
        return real(path, mode)

    def replace_slowly(source: str, target: str) -> None:
        assert seen.wait(60)
        replace(source, target)

    monkeypatch.setattr(trials, "open", stale, raising=False)
    monkeypatch.setattr(os, "replace", replace_slowly)
    torn, errors = trials.replace_seen(str(tmp_path), 5)
    assert torn == 0
    assert errors > 0


def test_exclusive_create_that_is_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A second create that succeeds is found out, and so is a first that does not."""
    real = os.open
    monkeypatch.setattr(os, "open", lambda path, flags, mode: real(path, flags & ~os.O_EXCL, mode))
    assert not trials.is_exclusive(str(tmp_path))
    monkeypatch.setattr(os, "open", failing(errno.EEXIST))
    assert not trials.is_exclusive(str(tmp_path))


def test_links_that_are_none_or_wrong(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each promise of a hard link is tried: that there are any, one winner, one file, one time stamp."""
    real, copies = os.link, []
    monkeypatch.setattr(os, "link", failing(errno.EPERM))
    assert trials.hard_link(str(tmp_path)) == "none"
    monkeypatch.setattr(os, "link", lambda source, target: None)
    assert trials.hard_link(str(tmp_path)) == "a second link replaces the first"

    def copy(source: str, target: str) -> None:
        copies.append(target)
        if len(copies) > 1:
            raise FileExistsError
        Path(target).write_bytes(Path(source).read_bytes())

    monkeypatch.setattr(os, "link", copy)
    assert trials.hard_link(str(tmp_path)) == "two names of one file have different inode numbers"
    (tmp_path / "claim").unlink()
    monkeypatch.setattr(os, "link", real)
    monkeypatch.setattr(os, "utime", lambda path, times: None)
    assert "not seen by the other" in trials.hard_link(str(tmp_path))


def test_locks_that_are_none_or_lie(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Locks that are refused, that two processes get, and that could not be tried are told apart."""
    import fcntl

    real = fcntl.flock
    monkeypatch.setattr(fcntl, "flock", lambda handle, what: None)
    assert trials.lock_state(str(tmp_path)) == "not held"
    monkeypatch.setattr(fcntl, "flock", failing(errno.ENOLCK))
    assert trials.lock_state(str(tmp_path)) == "none"
    monkeypatch.setattr(fcntl, "flock", real)
    monkeypatch.setattr(sys, "executable", "/no/such/python")
    assert trials.lock_state(str(tmp_path)) == "unknown"
    monkeypatch.setattr(sys, "executable", "/bin/false")
    assert trials.lock_state(str(tmp_path)) == "unknown"


def test_no_symbolic_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A drive without symbolic links is found out."""
    monkeypatch.setattr(os, "symlink", failing(errno.EPERM))
    assert not trials.makes_symlink(str(tmp_path))


def test_names(tmp_path: Path) -> None:
    """On this disk names keep their case, their accents and their bytes (where the system is Linux)."""
    assert trials.tells_case(str(tmp_path)) is not os.path.exists(tmp_path / "case")
    assert trials.name_forms(str(tmp_path)) in ("two files", "one file", "changed")
    if sys.platform == "linux":
        assert trials.takes_any_bytes(str(tmp_path))


def test_names_of_other_drives(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Drives that change, merge or refuse names are found out."""
    for number in range(4):
        (tmp_path / str(number)).mkdir()
    with monkeypatch.context() as patch:
        patch.setattr(os.path, "exists", lambda path: True)
        assert not trials.tells_case(str(tmp_path / "0"))
        assert trials.name_forms(str(tmp_path / "0")) == "one file"
    with monkeypatch.context() as patch:
        patch.setattr(os, "listdir", lambda path: ["Zoe\u0308"])
        assert trials.name_forms(str(tmp_path / "1")) == "changed"
    monkeypatch.setattr(trials, "write", failing(errno.EILSEQ))
    assert trials.name_forms(str(tmp_path / "2")) == "refused"
    assert not trials.takes_any_bytes(str(tmp_path / "3"))


def test_longest_name_is_found_by_halving(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The longest name that can be made is found; another error than its length is let out."""

    def narrow(path: str, text: bytes = b"") -> None:
        if len(os.path.basename(path)) > 143:
            raise OSError(errno.ENAMETOOLONG, path)
        Path(path).write_bytes(text)

    monkeypatch.setattr(trials, "write", narrow)
    assert trials.longest_name(str(tmp_path)) == 143
    assert list(tmp_path.iterdir()) == []
    monkeypatch.setattr(trials, "write", failing(errno.EIO))
    with pytest.raises(OSError, match="Input/output"):
        trials.longest_name(str(tmp_path))
