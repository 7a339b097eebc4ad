"""What tells that nobody writes any more."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from sinagot.dataset import stillness
from sinagot.dataset.stillness import still_of


@pytest.mark.parametrize("is_shared", [False, True])
@pytest.mark.parametrize(
    "change",
    [
        lambda folder: (folder / "deep" / "signal.bin").write_text("longer"),
        lambda folder: os.utime(folder / "deep" / "signal.bin", (1, 1)),
        lambda folder: (folder / "deep" / "another").mkdir(),
        lambda folder: (folder / "info.xml").unlink(),
    ],
)
def test_every_change_in_a_folder_is_seen(
    tmp_path: Path, change: Callable[[Path], object], is_shared: bool
) -> None:
    """A file that grows, comes, goes, or gets another time, however deep; two looks without one are the same."""
    folder = tmp_path / "rec.mff"
    (folder / "deep").mkdir(parents=True)
    (folder / "deep" / "signal.bin").write_text("1")
    (folder / "info.xml").write_text("1")
    (folder / "link").symlink_to("nowhere")
    before = still_of(str(folder), is_shared=is_shared)
    assert still_of(str(folder), is_shared=is_shared) == before
    change(folder)
    assert still_of(str(folder), is_shared=is_shared) != before


@pytest.mark.parametrize("is_shared", [False, True])
def test_file_that_takes_the_place_of_another_is_a_change(tmp_path: Path, is_shared: bool) -> None:
    """Another file of the same size and time is told by its inode; one that is gone by words."""
    file, other = tmp_path / "a", tmp_path / "b"
    for path in (file, other):
        path.write_text("1")
        os.utime(path, (1, 1))
    before = still_of(str(file), is_shared=is_shared)
    os.replace(other, file)
    assert still_of(str(file), is_shared=is_shared) != before
    file.unlink()
    assert still_of(str(file), is_shared=is_shared) == "No such file or directory"


def test_look_at_a_huge_folder_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a folder with more entries than the bound no more than these are looked at."""
    for number in range(10):
        (tmp_path / str(number)).write_text("1")
    monkeypatch.setattr(stillness, "MOST_ENTRIES", 4)
    found = still_of(str(tmp_path))
    assert found[0] == 4
