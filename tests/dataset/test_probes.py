"""Times, time stamps and clocks of drives, and the folder in which they are measured."""

from __future__ import annotations

import errno
import os
import time
from pathlib import Path

import pytest

from sinagot.dataset import probes
from tests.dataset.conftest import failing


def test_times_are_measured(folder: str) -> None:
    """Each kind of call is counted, with its middle and worst time in order."""
    times, stamps = probes.quick_stamps(folder, 10)
    assert times.calls == len(stamps) == 10
    assert 0 < times.middle <= times.worst
    assert probes.sync_times(folder, 3).calls == 3
    assert os.listdir(folder) == [name for name in os.listdir(folder) if name.startswith("synced")]


def test_looking_around(tmp_path: Path) -> None:
    """Folders are listed from outside in; the state folder and links are not entered; nothing is written."""
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / ".sinagot").mkdir()
    (tmp_path / ".sinagot" / "hidden").touch()
    (tmp_path / "loop").symlink_to(".")
    (tmp_path / "a" / "b" / "file").touch()
    look = probes.look_around(str(tmp_path))
    assert (look.names, look.listings.calls, look.unreadable) == (5, 3, 0)


def test_looking_around_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A large tree is looked at in part."""
    for number in range(9):
        (tmp_path / f"f{number}").touch()
        (tmp_path / f"d{number}").mkdir()
    monkeypatch.setattr(probes, "_MOST_STATS", 4)
    monkeypatch.setattr(probes, "_MOST_FOLDERS", 3)
    look = probes.look_around(str(tmp_path))
    assert (look.stats.calls, look.listings.calls) == (4, 3)


def test_what_cannot_be_read_is_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder that can't be listed and a file that vanishes end nothing."""
    (tmp_path / "file").touch()
    monkeypatch.setattr(os, "stat", failing(errno.ENOENT))
    assert probes.look_around(str(tmp_path)).stats.calls == 0
    monkeypatch.setattr(os, "scandir", failing(errno.EACCES))
    assert probes.look_around(str(tmp_path)).unreadable == 1


def test_probe_folder_leaves_nothing(tmp_path: Path) -> None:
    """The folder goes with all that is in it, and so does a state folder that was made for it."""
    base = tmp_path / "x" / ".sinagot"
    with probes.probe_folder(str(base)) as folder:
        (Path(folder) / "sub").mkdir()
        (Path(folder) / "sub" / "file").touch()
    assert list(tmp_path.iterdir()) == []


def test_probe_folder_leaves_what_others_made(tmp_path: Path) -> None:
    """A state folder that a run begins to use meanwhile stays."""
    base = tmp_path / "x" / ".sinagot"
    with probes.probe_folder(str(base)):
        (base / "claims").mkdir()
    assert [path.name for path in base.iterdir()] == ["claims"]


def test_probe_folder_is_removed_after_an_error(tmp_path: Path) -> None:
    """Whatever goes wrong in between, nothing is left."""
    with pytest.raises(ValueError), probes.probe_folder(str(tmp_path)):
        raise ValueError
    assert list(tmp_path.iterdir()) == []


def test_left_over_probe_folders_are_swept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a killed examination left more than an hour ago is removed by the next; a fresh one may be at work."""
    for name, age in (("doctor-old", 7200), ("doctor-new", 60), ("other", 7200)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").touch()
        os.utime(tmp_path / name, (time.time() - age,) * 2)
    with probes.probe_folder(str(tmp_path)):
        pass
    assert sorted(path.name for path in tmp_path.iterdir()) == ["doctor-new", "other"]
    listed = os.listdir
    monkeypatch.setattr(os, "listdir", lambda path: [*listed(path), "doctor-vanished"])
    with probes.probe_folder(str(tmp_path)):
        pass


@pytest.mark.parametrize(
    ("stamps", "unit"),
    [
        ([1_700_000_000_000_000_000, 1_700_000_002_000_000_000], 1_000_000_000),
        ([1_700_000_000_010_000_000, 1_700_000_000_020_000_000], 10_000_000),
        ([1_700_000_000_123_456_000], 1000),
        ([1_700_000_000_123_456_789, 1_700_000_000_000_000_000], 1),
    ],
)
def test_unit_of_stamps(stamps: list[int], unit: int) -> None:
    """The unit is the largest power of ten that all stamps are multiples of."""
    assert probes.stamp_unit(stamps) == unit


def test_rewrites_that_stamps_do_not_tell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rewrites of the same size within one unit of the clock are counted as unseen."""
    assert 0 <= probes.unseen_rewrites(str(tmp_path), 20) <= 20
    stat = os.stat

    class Coarse:
        def __init__(self, facts: os.stat_result) -> None:
            self.st_mtime_ns = facts.st_mtime_ns // 10**15

    monkeypatch.setattr(os, "stat", lambda path, **options: Coarse(stat(path, **options)))
    assert probes.unseen_rewrites(str(tmp_path), 20) == 20


@pytest.mark.parametrize("offset", [-3600, 0, 3600])
def test_clock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, offset: int) -> None:
    """A file server whose clock is ahead or behind is found out by a fresh file."""
    now = time.time_ns
    monkeypatch.setattr(time, "time_ns", lambda: now() - offset * 10**9)
    assert probes.clock_offset(str(tmp_path)) == pytest.approx(offset, abs=60)
