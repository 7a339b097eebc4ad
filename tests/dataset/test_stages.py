"""Laws of the stage folders that one attempt leaves to the next."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from sinagot.dataset.commit import Stage
from sinagot.dataset.stages import SpareFolders


class Desk:
    """Attempts of one process, one after the other."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.base = root / ".sinagot" / "stage"
        self.spares = SpareFolders()
        self.number = 0

    def begin(self, *finals: str) -> Stage:
        """Begin an attempt that asks for some outputs."""
        self.number += 1
        stage = Stage(str(self.base), f"a{self.number}", str(self.root), self.spares)
        for final in finals:
            stage.path(str(self.root / final))
        return stage

    def end(self, stage: Stage) -> None:
        """End an attempt that has published what it had."""
        stage.publish((), may_replace=lambda path: False, before={})
        stage.release()

    def tree(self) -> set[str]:
        """List all that is below the folder of stages."""
        return {path.relative_to(self.base).as_posix() for path in self.base.rglob("*")}


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    """Give a desk on an empty dataset."""
    return Desk(tmp_path)


def test_next_attempt_takes_the_folder_over(desk: Desk) -> None:
    """The next attempt with the same first folder gets what the last one left, under its own name."""
    first = desk.begin("out/R1.csv", "log/deep/R1.txt")
    inode = os.stat(first.folder).st_ino
    desk.end(first)
    second = desk.begin("out/R2.csv", "log/deep/R2.txt")
    assert os.stat(second.folder).st_ino == inode
    assert desk.tree() == {"a2", "a2/out", "a2/log", "a2/log/deep"}
    assert second.path(str(desk.root / "out/R2.csv")) == f"{second.folder}/out/R2.csv"
    second.discard()
    assert desk.tree() == set()


def test_steps_do_not_take_each_others_folders(desk: Desk) -> None:
    """Each step finds the folder of its own last attempt, and one folder a step is kept."""
    for _ in range(3):
        for step in ("one", "two"):
            desk.end(desk.begin(f"{step}/R.csv"))
    assert desk.tree() == {"a5", "a5/one", "a6", "a6/two"}
    desk.spares.clear()
    assert desk.tree() == set()


def test_late_writer_meets_an_error(desk: Desk) -> None:
    """A thread that outlives its attempt cannot write into that of another record."""
    first = desk.begin("out/R1.csv")
    late = Path(first.path(str(desk.root / "out/R1.csv")))
    desk.end(first)
    desk.begin("out/R2.csv")
    with pytest.raises(FileNotFoundError):
        late.write_text("too late")


@pytest.mark.parametrize("place", ["out/stray.csv", "stray.csv", "other/stray.csv"])
def test_what_came_in_between_is_removed(desk: Desk, place: str) -> None:
    """A file that was written into a folder after its attempt never becomes part of the next one."""
    first = desk.begin("out/R1.csv")
    stray = Path(first.folder, place)
    desk.end(first)
    stray.parent.mkdir(exist_ok=True)
    stray.write_text("stray")
    second = desk.begin("out/R2.csv")
    assert desk.tree() == {"a2", "a2/out"}
    second.discard()
    assert desk.tree() == set()


def test_swept_folder_is_made_anew(desk: Desk) -> None:
    """Where the folder that was kept is gone, the next attempt makes its own."""
    desk.end(desk.begin("out/R1.csv"))
    for path in (desk.base / "a1" / "out", desk.base / "a1"):
        path.rmdir()
    desk.begin("out/R2.csv")
    assert desk.tree() == {"a2", "a2/out"}


@pytest.mark.parametrize("change", ["remove", "add", "rename"])
def test_folder_that_a_script_changed_is_not_used_again(desk: Desk, change: str) -> None:
    """A script that removes, makes or renames folders in its stage leaves nothing of that to the next attempt."""
    first = desk.begin("out/R1.csv")
    inner = Path(first.folder, "out")
    if change == "remove":
        inner.rmdir()
    elif change == "add":
        (inner / "more").mkdir()
    else:
        inner.rename(inner.with_name("other"))
    desk.end(first)
    second = desk.begin("out/R2.csv")
    assert desk.tree() == {"a2", "a2/out"}
    assert not any(Path(second.folder, "out").iterdir())


def test_two_folders_of_one_kind_leave_one(desk: Desk) -> None:
    """Of two attempts side by side, the folder of the one that ends last is kept."""
    first, second = desk.begin("out/R1.csv"), desk.begin("out/R2.csv")
    desk.end(first)
    desk.end(second)
    assert desk.tree() == {"a2", "a2/out"}


def test_attempt_without_outputs_leaves_nothing(desk: Desk) -> None:
    """A stage that nobody asked for a path is never made, kept or removed."""
    desk.end(desk.begin())
    assert not desk.base.exists()


def test_texts_name_final_paths(desk: Desk) -> None:
    """Every path of the stage becomes the final one: declared, undeclared, the folder itself, and outside the root."""
    stage = desk.begin("out/R1.csv")
    away = stage.path("/elsewhere/deep/R1.csv")
    root = str(desk.root)
    text = f"{stage.folder}/out/R1.csv, {stage.folder}/more.txt in {stage.folder} and {away}"
    assert (
        stage.with_finals(text) == f"{root}/out/R1.csv, {root}/more.txt in {root} and /elsewhere/deep/R1.csv"
    )
    assert stage.with_finals("nothing of ours") == "nothing of ours"


def test_folder_of_a_dead_attempt_is_adopted_again_and_again(tmp_path: Path) -> None:
    """Whoever adopts a stage finds it, also under the name that an adopter who died has given it; without one there is none."""
    base = tmp_path / "stage"
    for adopter in ("b-1", "c-1"):
        stage = Stage(str(base), "a-1", str(tmp_path))
        stage.adopt(adopter)  # there is no stage yet
        assert not Path(stage.folder).exists()
    first = Stage(str(base), "a-1", str(tmp_path))
    Path(first.path(str(tmp_path / "out/x"))).write_text("x")
    for adopter in ("b-1", "c-1"):
        stage = Stage(str(base), "a-1", str(tmp_path))
        stage.adopt(adopter)
        assert [path.name for path in base.iterdir()] == [f"{adopter}~a-1"]
        assert stage.digest(str(tmp_path / "out/x"), 10) is not None
        assert stage.digest(str(tmp_path / "out/x"), 0) is None
    stage.discard()
    assert list(base.iterdir()) == []


def test_kept_folder_is_the_tree_that_was_written(desk: Desk) -> None:
    """What was written moves as it is, by one rename; the stage is as good as discarded then."""
    stage = desk.begin("out/a.txt", "out/deep/b.txt")
    Path(stage.path(str(desk.root / "out/deep/b.txt"))).write_text("part")
    kept = desk.root / "failed" / "a1"
    assert stage.keep(str(kept))
    assert {path.relative_to(kept).as_posix() for path in kept.rglob("*")} == {
        "out",
        "out/deep",
        "out/deep/b.txt",
    }
    stage.discard()
    assert desk.tree() == set()


def test_nothing_is_kept_of_an_empty_folder(desk: Desk) -> None:
    """Folders alone are nothing to look at, nor is a stage that was never made; a link is."""
    stage = desk.begin("out/a.txt")
    assert not desk.begin().keep(str(desk.root / "kept"))
    assert not stage.keep(str(desk.root / "kept")) and not (desk.root / "kept").exists()
    Path(stage.path(str(desk.root / "out/a.txt"))).symlink_to(desk.root)
    assert stage.keep(str(desk.root / "kept"))
