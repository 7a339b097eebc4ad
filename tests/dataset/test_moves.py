"""What moves that were cut short leave beside a final path."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from sinagot.dataset import moves
from sinagot.dataset.moves import beside, clear_beside


def left(final: Path, suffix: str, attempt: str = "run-1-1") -> Path:
    """Give the path that a move of an attempt leaves."""
    return Path(beside(str(final), attempt, suffix))


def test_leftovers_of_one_path_are_cleared(tmp_path: Path) -> None:
    """Former versions and half copies of the path go, whatever attempt made them; those of other paths stay."""
    final, other = tmp_path / "R1.csv", tmp_path / "R2.csv"
    final.write_text("new")
    for suffix in ("old", "part"):
        left(final, suffix).write_text("x")
        left(final, suffix, "another-2").mkdir()
    others = [left(other, "old"), tmp_path / ".sinagot-notes", tmp_path / "notes.old"]
    for path in others:
        path.write_text("kept")
    clear_beside(str(final))
    assert sorted(tmp_path.iterdir()) == sorted([final, *others])
    assert final.read_text() == "new"


def test_former_version_returns_to_an_empty_place(tmp_path: Path) -> None:
    """A folder that was set aside and never replaced is put back."""
    final = tmp_path / "R1.zarr"
    former = left(final, "old")
    former.mkdir()
    (former / "part").write_text("good")
    clear_beside(str(final))
    assert (final / "part").read_text() == "good"
    assert list(tmp_path.iterdir()) == [final]


def test_folder_that_is_not_there_has_nothing_to_clear(tmp_path: Path) -> None:
    """An output whose folder was never made is no problem."""
    clear_beside(str(tmp_path / "nowhere" / "R1.csv"))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("code", [errno.ESTALE, errno.EAGAIN, errno.EINTR])
def test_drive_that_lost_the_thread_is_asked_again(code: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Errors that mean «ask again» are answered so, with a bound; others leave at once."""
    monkeypatch.setattr(moves, "_PAUSES", (0, 0))
    left = [code, code]

    def ask() -> str:
        if left:
            raise OSError(left.pop(), "again")
        return "answer"

    assert moves.patiently(ask) == "answer"
    left[:] = [code] * 3
    with pytest.raises(OSError, match="again"):
        moves.patiently(ask)
    left[:] = [code, errno.EIO]
    with pytest.raises(OSError, match="again"):
        moves.patiently(ask)
    assert left == [code]
