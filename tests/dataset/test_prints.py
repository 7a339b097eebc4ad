"""What tells one version of a file or folder from another."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from sinagot.dataset.prints import content_digest, digest_within, print_of, same_version, states_in


def set_time(path: Path, nanoseconds: int) -> None:
    os.utime(path, ns=(nanoseconds, nanoseconds))


def test_print_of_a_file_is_size_and_time(tmp_path: Path) -> None:
    """Size and time of change tell the version; the content counts when asked for."""
    file = tmp_path / "a"
    file.write_text("one")
    set_time(file, 10**18)
    assert print_of(str(file)) == f"3 {10**18}"
    before = print_of(str(file), content=True)
    file.write_text("two")
    set_time(file, 10**18)
    assert print_of(str(file)) == f"3 {10**18}"
    assert not same_version(before, print_of(str(file), content=True)), "same size, same time, other content"


def test_what_is_not_there_has_no_print(tmp_path: Path) -> None:
    """An absent path, one below a file, and a dangling link are not there; a loop of links is no error."""
    (tmp_path / "file").touch()
    (tmp_path / "dangling").symlink_to("nowhere")
    (tmp_path / "loop").symlink_to("loop")
    for name in ("absent", "file/below", "dangling", "loop"):
        assert print_of(str(tmp_path / name)) is None


def test_print_of_a_folder_sees_edits_deep_inside(tmp_path: Path) -> None:
    """A file that is edited, added or removed at any depth changes the print of a folder."""
    deep = tmp_path / "rec.mff" / "a" / "b"
    deep.mkdir(parents=True)
    (deep / "signal").write_text("12345")
    folder = str(tmp_path / "rec.mff")
    seen = [print_of(folder), print_of(folder, content=True)]
    stamp = os.stat(deep / "signal").st_mtime_ns
    (deep / "signal").write_text("123456")
    set_time(deep / "signal", stamp + 10**9)
    assert not same_version(seen[0], print_of(folder)) and not same_version(
        seen[1], print_of(folder, content=True)
    )
    seen = [print_of(folder)]
    (deep / "more").write_text("1")
    set_time(deep / "more", stamp)
    assert not same_version(seen[0], print_of(folder))


def test_digest_of_a_folder_depends_on_names_and_content_only(tmp_path: Path) -> None:
    """Two folders of the same files have one digest; a renamed file changes it."""
    for name in ("one", "two"):
        (tmp_path / name / "in").mkdir(parents=True)
        (tmp_path / name / "in" / "x").write_text("x")
        (tmp_path / name / "y").write_text("y")
    assert content_digest(str(tmp_path / "one")) == content_digest(str(tmp_path / "two"))
    (tmp_path / "two" / "y").rename(tmp_path / "two" / "z")
    assert content_digest(str(tmp_path / "one")) != content_digest(str(tmp_path / "two"))


@pytest.mark.parametrize(
    ("one", "two", "same"),
    [
        ("3 1", "3 1", True),
        ("3 1", "3 2", False),
        ("3 1", "4 1", False),
        ("3 1 a", "3 2 a", True),
        ("3 1 a", "3 1 b", False),
        ("3 1 a", "3 1", True),
        ("3 1", None, False),
        (None, None, True),
    ],
)
def test_versions_are_compared_by_what_both_know(one: str | None, two: str | None, same: bool) -> None:
    """Digests decide where both are known, else size and time; absent is only like absent."""
    assert same_version(one, two) is same and same_version(two, one) is same


def test_digest_within_a_limit(tmp_path: Path) -> None:
    """Files and folders up to a size have their digest, larger ones and links have none."""
    large = tmp_path / "folder" / "large"
    large.parent.mkdir()
    large.write_bytes(b"x" * 100_000)
    for path in (large, large.parent):
        assert (
            digest_within(str(path), 100_000) == digest_within(str(path), None) == content_digest(str(path))
        )
        assert digest_within(str(path), 99_999) is None
    (tmp_path / "link").symlink_to(large)
    assert digest_within(str(tmp_path / "link"), None) is None
    with pytest.raises(FileNotFoundError):
        digest_within(str(tmp_path / "none"), None)


@pytest.mark.parametrize("count", [1, 12])
def test_prints_of_many_are_those_of_each(tmp_path: Path, count: int) -> None:
    """However many are asked for: files, folders, links, what is not there, and names with folders in them."""
    folder = tmp_path / "outputs"
    (folder / "whole").mkdir(parents=True)
    (folder / "whole" / "part").write_text("12345")
    (folder / "file").write_text("123")
    (folder / "link").symlink_to("file")
    (folder / "dangling").symlink_to("nowhere")
    names = ["file", "whole", "link", "dangling", "none", "whole/part", "file/none"] * count
    for chosen in (names, names[1:2]):
        assert states_in(str(folder), chosen).texts() == [print_of(str(folder / name)) for name in chosen]
    assert states_in(str(tmp_path / "none"), names).texts() == [None] * len(names)


def test_prints_of_a_folder_that_is_no_folder(tmp_path: Path) -> None:
    """Where a file is in the place of the folder, nothing is in it."""
    (tmp_path / "file").write_text("")
    assert states_in(str(tmp_path / "file"), list("abcdefgh")).texts() == [None] * 8
