"""Laws of the stage: an output is published whole, with all its siblings, or not at all."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from sinagot.dataset import moves
from sinagot.dataset.commit import Published, Stage, fingerprint, written_in_place
from sinagot.errors import BadOutputError, ForeignFileError, MissingOutputError


class Job:
    """One attempt on a small dataset: what the engine does round a script, in the test's words."""

    def __init__(self, root: Path, attempt: str = "a1") -> None:
        self.root = root
        self.base = root / ".sinagot" / "stage"
        self.stage = Stage(str(self.base), attempt, str(root))
        self.owned: set[str] = set()
        self.before: dict[str, Any] = {}

    def final(self, name: str | Path) -> str:
        return str(self.root / name)

    def begin(self, *names: str | Path) -> None:
        for name in names:
            self.before[self.final(name)] = fingerprint(self.final(name))

    def staged(self, name: str | Path) -> Path:
        return Path(self.stage.path(self.final(name)))

    def write(self, name: str | Path, text: str = "new") -> Path:
        path = self.staged(name)
        path.write_text(text)
        return path

    def publish(self, *names: str | Path, optional: tuple[str, ...] = (), **options: Any) -> Published:
        return self.stage.publish(
            tuple(self.final(name) for name in names),
            tuple(self.final(name) for name in optional),
            may_replace=self.owned.__contains__,
            before=self.before,
            **options,
        )

    def tree(self) -> dict[str, str]:
        """Return every final file with its text: what a reader sees, and every leftover."""
        return {
            path.relative_to(self.root).as_posix(): path.read_text()
            for path in sorted(self.root.rglob("*"))
            if path.is_file() and not path.is_relative_to(self.base)
        }


@pytest.fixture
def job(tmp_path: Path) -> Job:
    root = tmp_path / "data set"
    root.mkdir()
    return Job(root)


@pytest.fixture
def other_disk(tmp_path: Path) -> Iterator[Path]:
    """Give a folder on another file system than ``tmp_path``."""
    shm = Path("/dev/shm")
    if not shm.is_dir() or shm.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("needs /dev/shm on another file system than the temporary folder")
    folder = shm / f"sinagot-test-{os.getpid()}-{tmp_path.name}"
    folder.mkdir()
    yield folder
    moves.remove(str(folder))


def make_folder(path: Path, **files: str) -> None:
    """Make a folder with files, one of them in a sub-folder."""
    (path / "sub").mkdir(parents=True)
    for name, text in files.items():
        (path / "sub" / name).write_text(text)


def fail_at(monkeypatch: pytest.MonkeyPatch, final: str, error: OSError) -> None:
    """Let every replace of one final path by a file that is not its own backup fail."""
    real = os.replace

    def replace(source: str, target: str) -> None:
        if str(target) == final and not str(source).endswith(".old"):
            raise error
        real(source, target)

    monkeypatch.setattr(os, "replace", replace)


# ---------------------------------------------------------------------------- the stage


def test_staged_path_keeps_name_and_place(job: Job) -> None:
    """The staged twin mirrors the path below the root; its parents exist, it does not, nor does the final one."""
    staged = job.staged("eeg/sub/REC-1.set.gz")
    assert staged == job.base / "a1" / "eeg" / "sub" / "REC-1.set.gz"
    assert staged.parent.is_dir() and not staged.exists()
    assert not (job.root / "eeg").exists()


def test_stage_maps_back_to_final(job: Job) -> None:
    """Every path in the stage, declared or not, has its final path; other paths have none."""
    staged = job.staged("a/x.csv")
    assert job.stage.final(str(staged)) == job.final("a/x.csv")
    assert job.stage.final(str(staged.with_name("extra"))) == job.final("a/extra")
    assert job.stage.final("/elsewhere") is None


def test_discard_leaves_nothing(job: Job) -> None:
    """After discard no trace of the attempt is left, whatever the script left in the stage."""
    make_folder(job.staged("x.mff"), a="1")
    (job.staged("x.mff") / "sub").chmod(0o500)
    job.stage.discard()
    assert list(job.base.iterdir()) == []


def test_discard_works_without_stage(job: Job) -> None:
    """Discard of a stage that was never used, or was used by an earlier process, is no error."""
    job.stage.discard()
    job.write("x.csv")
    Stage(str(job.base), "a1", str(job.root)).discard()
    assert list(job.base.iterdir()) == []


def test_stage_is_made_anew_when_it_is_gone(job: Job) -> None:
    """Another stage of the same name shares the folder; a state folder that was removed is made again."""
    job.write("a/x", "1")
    Path(Stage(str(job.base), "a1", str(job.root)).path(job.final("a/y"))).write_text("2")
    job.publish("a/x", "a/y")
    moves.remove(str(job.base.parent))
    job.write("b/z", "3"), job.publish("b/z")
    assert job.tree() == {"a/x": "1", "a/y": "2", "b/z": "3"}


def test_script_may_remove_its_stage(job: Job) -> None:
    """A script that removes the staged folder and writes in place is served all the same."""
    job.write("a/x")
    moves.remove(str(job.stage.folder))
    (job.root / "x").write_text("direct")
    assert job.publish("x").in_place == (job.final("x"),)


def test_remove_leaves_what_refuses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tidying up is never an error: what cannot be removed is left."""

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    (tmp_path / "folder" / "sub").mkdir(parents=True), (tmp_path / "file").write_text("")
    for name in ("unlink", "rmdir", "chmod"):
        monkeypatch.setattr(os, name, refuse)
    moves.remove(str(tmp_path / "folder")), moves.remove(str(tmp_path / "file"))
    assert (tmp_path / "folder" / "sub").is_dir() and (tmp_path / "file").is_file()


def test_outputs_outside_the_root_are_staged_too(job: Job, tmp_path: Path) -> None:
    """A final path outside the root, or with odd segments, is published like any other."""
    outside, odd = tmp_path / "elsewhere" / "x.csv", f"{job.root}/a/../b/y.csv"
    Path(job.stage.path(str(outside))).write_text("1")
    Path(job.stage.path(odd)).write_text("2")
    Path(job.stage.path(str(outside))).with_name("extra.txt").write_text("3")
    (job.root / "a").mkdir()
    done = job.publish(outside, odd)
    assert (outside.read_text(), Path(odd).read_text()) == ("1", "2")
    assert done.extras == (str(outside.with_name("extra.txt")),)


# ---------------------------------------------------------------------------- publishing


@pytest.mark.parametrize("former", [None, "old"])
def test_one_output_is_replaced(job: Job, former: str | None) -> None:
    """A staged output is in place after publish, its facts are those of the final file, and no stage is left."""
    if former:
        (job.root / "x.csv").write_text(former)
    job.write("x.csv")
    done = job.publish("x.csv")
    job.stage.discard()
    size_and_time = fingerprint(job.final("x.csv"))
    assert size_and_time is not None
    assert done == Published(((job.final("x.csv"), *size_and_time[:2]),), (), ())
    assert job.tree() == {"x.csv": "new"} and list(job.base.iterdir()) == []


def test_same_name_in_two_folders(job: Job) -> None:
    """Two outputs of one file name in two folders go each to its own place."""
    job.write("a/x.csv", "1"), job.write("b/x.csv", "2")
    done = job.publish("a/x.csv", "b/x.csv")
    assert job.tree() == {"a/x.csv": "1", "b/x.csv": "2"}
    assert [Path(path).parent.name for path, *_ in done.outputs] == ["a", "b"]


@pytest.mark.parametrize("former", ["nothing", "folder", "file"])
def test_folder_is_published_as_one(job: Job, former: str) -> None:
    """A folder replaces what stood in its place as a whole: no former file is left in it."""
    if former == "folder":
        make_folder(job.root / "x.mff", stale="old")
    elif former == "file":
        (job.root / "x.mff").write_text("old")
    make_folder(job.staged("x.mff"), signal="1", info="2")
    done = job.publish("x.mff")
    assert job.tree() == {"x.mff/sub/info": "2", "x.mff/sub/signal": "1"}
    assert done.outputs[0][1] == 0 and done.extras == ()
    assert sorted(os.listdir(job.root)) == [".sinagot", "x.mff"]


def test_file_replaces_a_folder(job: Job) -> None:
    """A step that gave a folder and now gives a file leaves only the file."""
    make_folder(job.root / "x", stale="old")
    job.write("x")
    job.publish("x")
    assert job.tree() == {"x": "new"}


def test_output_inside_an_output_folder(job: Job) -> None:
    """A declared file in a declared folder moves with the folder and counts as an output."""
    make_folder(job.staged("x.mff"), info="1")
    done = job.publish("x.mff", "x.mff/sub/info")
    assert [path for path, *_ in done.outputs] == [job.final("x.mff"), job.final("x.mff/sub/info")]
    assert job.tree() == {"x.mff/sub/info": "1"} and done.extras == ()


def test_optional_output_is_published_when_written(job: Job) -> None:
    """An optional path is no error when absent, and an output when written."""
    job.write("x.csv"), job.write("control.csv")
    done = job.publish("x.csv", optional=("control.csv", "other.csv"))
    assert [Path(path).name for path, *_ in done.outputs] == ["x.csv", "control.csv"]
    assert set(job.tree()) == {"x.csv", "control.csv"}


def test_empty_outputs_are_outputs(job: Job) -> None:
    """An empty file and an empty folder are published."""
    job.write("x.csv", ""), job.staged("d").mkdir()
    job.publish("x.csv", "d")
    assert (job.root / "d").is_dir() and job.tree() == {"x.csv": ""}


def test_link_in_place_is_replaced_not_its_target(job: Job) -> None:
    """Where a link stands at the final path the link is replaced; the file behind it is untouched."""
    (job.root / "annexed").write_text("precious")
    (job.root / "x.csv").symlink_to("annexed")
    job.write("x.csv")
    job.publish("x.csv")
    assert not (job.root / "x.csv").is_symlink()
    assert job.tree() == {"annexed": "precious", "x.csv": "new"}


def test_sync_publishes_the_same(job: Job) -> None:
    """With sync asked for, files and folders arrive as without."""
    job.write("a/x.csv"), make_folder(job.staged("y.mff"), a="1")
    (job.staged("y.mff") / "link").symlink_to("sub/a")
    job.publish("a/x.csv", "y.mff", sync=True)
    assert job.tree() == {"a/x.csv": "new", "y.mff/link": "1", "y.mff/sub/a": "1"}


@pytest.mark.parametrize("kind", ["folder", "in place"])
def test_output_removed_in_the_last_moment_is_an_error(
    job: Job, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """What somebody removes while it is published is never reported as published."""
    if kind == "folder":
        job.staged("x").mkdir()
    else:
        (job.root / "x").write_text("direct")
    with pytest.raises(MissingOutputError, match="removed"):
        monkeypatch.setattr("sinagot.dataset.commit.move_all", lambda *_: moves.remove(job.final("x")))
        job.publish("x")


# ---------------------------------------------------------------------------- missing and in place


@pytest.mark.parametrize("written", [(), ("x.csv",)])
def test_all_outputs_or_none(job: Job, written: tuple[str, ...]) -> None:
    """When a declared output is missing none is published, and the error names the final paths of all missing."""
    (job.root / "x.csv").write_text("old")
    job.begin("x.csv", "y.csv")
    for name in written:
        job.write(name)
    with pytest.raises(MissingOutputError) as caught:
        job.publish("x.csv", "y.csv")
    missing = [job.final(name) for name in ("x.csv", "y.csv") if name not in written]
    assert list(caught.value.paths) == missing  # type: ignore[attr-defined]
    assert all(path in str(caught.value) for path in missing) and ".sinagot" not in str(caught.value)
    assert job.tree() == {"x.csv": "old"}


@pytest.mark.parametrize("former", [None, "old"])
def test_writing_in_place_is_accepted(job: Job, former: str | None) -> None:
    """An output written round the stage counts, and is told apart from the staged ones."""
    if former:
        (job.root / "x.csv").write_text(former)
    job.begin("x.csv", "y.csv")
    job.write("y.csv", "staged"), (job.root / "x.csv").write_text("direct!")
    done = job.publish("x.csv", "y.csv")
    assert done.in_place == (job.final("x.csv"),)
    assert [Path(path).name for path, *_ in done.outputs] == ["x.csv", "y.csv"]
    assert job.tree() == {"x.csv": "direct!", "y.csv": "staged"}


def test_untouched_final_file_is_no_output(job: Job) -> None:
    """A final file that did not change during the attempt is not taken for its result."""
    (job.root / "x.csv").write_text("old")
    job.begin("x.csv")
    with pytest.raises(MissingOutputError):
        job.publish("x.csv")


@pytest.mark.parametrize("change", ["size", "mtime", "inode"])
def test_in_place_is_told_by_size_time_or_inode(job: Job, change: str) -> None:
    """Each of size, modification time and inode alone tells that a final file was written."""
    path = job.root / "x.csv"
    path.write_text("old")
    at = path.stat()
    job.begin("x.csv")
    if change == "inode":
        twin = job.root / "twin"
        twin.write_text("new")
        twin.replace(path)
    elif change == "size":
        path.write_text("longer")
    os.utime(path, ns=(at.st_atime_ns, at.st_mtime_ns + (change == "mtime")))
    assert job.publish("x.csv").in_place == (str(path),)


# ---------------------------------------------------------------------------- extra files


def test_extras_move_along(job: Job) -> None:
    """Undeclared files beside and below a staged output move to the same places below the root."""
    staged = job.write("a/x.vhdr")
    staged.with_suffix(".eeg").write_text("signal")
    (staged.parent / "figures").mkdir()
    (staged.parent / "figures" / "1.svg").write_text("figure")
    (job.root / "a" / "figures").mkdir(parents=True)
    (job.root / "a" / "figures" / "0.svg").write_text("of others")
    done = job.publish("a/x.vhdr")
    assert done.extras == (job.final("a/figures/1.svg"), job.final("a/x.eeg"))
    assert job.tree() == {
        "a/figures/0.svg": "of others",
        "a/figures/1.svg": "figure",
        "a/x.eeg": "signal",
        "a/x.vhdr": "new",
    }


def test_extra_never_replaces_a_foreign_file(job: Job) -> None:
    """An undeclared file that would replace one of others stops all; both are kept, the way out is said."""
    (job.root / "summary.csv").write_text("all\nrecords\n")
    job.write("x.csv").with_name("summary.csv").write_text("one\n")
    with pytest.raises(ForeignFileError, match="ATOMIC = False") as caught:
        job.publish("x.csv")
    assert caught.value.paths == (job.final("summary.csv"),)  # type: ignore[attr-defined]
    assert job.tree() == {"summary.csv": "all\nrecords\n"}
    assert (job.base / "a1" / "summary.csv").read_text() == "one\n"


def test_extra_replaces_its_own_former_version(job: Job) -> None:
    """An undeclared file that this job published before is replaced."""
    (job.root / "x.eeg").write_text("old")
    job.owned = {job.final("x.eeg")}
    job.write("x.vhdr").with_suffix(".eeg").write_text("new")
    assert job.publish("x.vhdr").extras == (job.final("x.eeg"),)
    assert job.tree() == {"x.eeg": "new", "x.vhdr": "new"}


# ---------------------------------------------------------------------------- what is no output


@pytest.mark.parametrize("where", ["x", "x/inner", "extra"])
def test_fifo_is_refused(job: Job, where: str) -> None:
    """A FIFO is refused as output, in a folder and as extra file; nothing is published, nothing hangs."""
    path = job.staged("x")
    if where == "x/inner":
        path.mkdir()
    elif where == "extra":
        path.write_text("fine")
    os.mkfifo(path.parent / where)
    with pytest.raises(BadOutputError) as caught:
        job.publish("x")
    assert caught.value.paths == (job.final(where),)  # type: ignore[attr-defined]
    assert job.tree() == {} and not (job.root / "x").exists()


def test_fifo_in_place_is_refused(job: Job) -> None:
    """A FIFO made at the final path is no output either."""
    os.mkfifo(job.root / "x")
    with pytest.raises(BadOutputError):
        job.publish("x")


@pytest.mark.parametrize("inside", [False, True])
@pytest.mark.parametrize("target", ["/etc/hostname", "../../outside", "nowhere"])
def test_link_that_leads_elsewhere_is_refused(job: Job, target: str, inside: bool) -> None:
    """A link out of the root, or to nothing, is refused, also inside a folder."""
    path = job.staged("x")
    if inside:
        path.mkdir()
        path /= "link"
    path.symlink_to(target)
    with pytest.raises(BadOutputError):
        job.publish("x")
    assert not os.path.lexists(job.final("x"))


def test_link_into_the_stage_is_refused(job: Job) -> None:
    """An absolute link to a file in the stage would dangle after the move."""
    job.staged("x").symlink_to(job.write("y"))
    with pytest.raises(BadOutputError):
        job.publish("x", "y")


@pytest.mark.parametrize("kind", ["relative to the final place", "absolute", "to a sibling that moves along"])
def test_link_inside_the_root_is_published(job: Job, kind: str) -> None:
    """A link that holds below the root once it is in place is an output; its facts are those of its target."""
    (job.root / "raw").mkdir()
    (job.root / "raw" / "r").write_text("raw")
    text = {"relative to the final place": "../raw/r", "absolute": job.final("raw/r")}.get(kind, "sibling")
    path = job.staged("out/x")
    path.symlink_to(text)
    if text == "sibling":
        path.with_name(text).write_text("raw")
    done = job.publish("out/x")
    found = fingerprint(job.final("out/x"))
    assert (job.root / "out" / "x").read_text() == "raw" and found is not None
    assert done.outputs == ((job.final("out/x"), *found[:2]),)


def test_link_into_a_further_root_is_published(job: Job, tmp_path: Path) -> None:
    """A link may lead into the dataset when outputs have a root of their own."""
    (tmp_path / "raw").write_text("raw")
    job.stage = Stage(str(job.base), "a1", (str(job.root), str(tmp_path)))
    job.staged("x").symlink_to(tmp_path / "raw")
    job.publish("x")
    assert (job.root / "x").read_text() == "raw"


# ---------------------------------------------------------------------------- permissions


@pytest.fixture
def umask() -> Iterator[Callable[[int], None]]:
    former = os.umask(0o022)
    yield lambda mask: void(os.umask(mask))
    os.umask(former)


def void(_: object) -> None:
    """Take a value and give none."""


@pytest.mark.parametrize(("mask", "file", "folder"), [(0o022, 0o644, 0o755), (0o007, 0o660, 0o770)])
def test_private_mode_becomes_that_of_the_umask(
    job: Job, umask: Callable[[int], None], mask: int, file: int, folder: int
) -> None:
    """What was made with a private mode (by tempfile) is published with the mode that the umask gives."""
    umask(mask)
    job.write("x.csv").chmod(0o600)
    make_folder(job.staged("y.mff"), a="1")
    for path in (job.staged("y.mff"), job.staged("y.mff") / "sub"):
        path.chmod(0o700)
    (job.staged("y.mff") / "sub" / "a").chmod(0o600)
    job.publish("x.csv", "y.mff")
    modes = [
        stat.S_IMODE((job.root / name).stat().st_mode)
        for name in ("x.csv", "y.mff", "y.mff/sub", "y.mff/sub/a")
    ]
    assert modes == [file, folder, folder, file]


@pytest.mark.parametrize("mode", [0o444, 0o755, 0o640])
def test_other_modes_are_kept(job: Job, umask: Callable[[int], None], mode: int) -> None:
    """A read-only, an executable or a group-only file keeps the mode that the script gave it."""
    umask(0o022)
    job.write("x").chmod(mode)
    job.publish("x")
    assert stat.S_IMODE((job.root / "x").stat().st_mode) == mode


@pytest.mark.parametrize("own", [False, True])
def test_setgid_folder_hands_down_its_group(job: Job, umask: Callable[[int], None], own: bool) -> None:
    """In a setgid folder published files get its group, published folders the bit as well."""
    umask(0o002)
    groups = [group for group in (*os.getgroups(), 12345) if (group == os.getegid()) is own]
    groups = groups or [os.getegid()]
    shared = job.root / "shared"
    shared.mkdir()
    try:
        os.chown(shared, -1, groups[0])
    except PermissionError:
        pytest.skip("needs a second group")
    shared.chmod(0o2775)
    job.write("shared/x"), make_folder(job.staged("shared/y"), a="1")
    job.publish("shared/x", "shared/y")
    assert {path.stat().st_gid for path in shared.rglob("*")} == {groups[0]}
    assert stat.S_IMODE((shared / "y" / "sub").stat().st_mode) == 0o2775
    assert stat.S_IMODE((shared / "x").stat().st_mode) == 0o664


def test_permissions_that_cannot_be_given_stop_nothing(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a file system without permissions an output is published as it is."""

    def refuse(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    job.write("x").chmod(0o600)
    monkeypatch.setattr(os, "chmod", refuse)
    job.publish("x")
    assert job.tree() == {"x": "new"}


# ---------------------------------------------------------------------------- other file systems


@pytest.mark.parametrize("former", [False, True])
def test_other_file_system(job: Job, other_disk: Path, former: bool) -> None:
    """Outputs whose folder is a link to another disk arrive whole, with their times, and leave nothing beside."""
    (job.root / "far").symlink_to(other_disk)
    if former:
        (other_disk / "x.csv").write_text("old"), make_folder(other_disk / "y.mff", stale="old")
    job.write("far/x.csv"), make_folder(job.staged("far/y.mff"), a="1")
    at = job.staged("far/x.csv").stat().st_mtime_ns
    job.publish("far/x.csv", "far/y.mff")
    assert (other_disk / "x.csv").stat().st_mtime_ns == at
    assert sorted(path.relative_to(other_disk).as_posix() for path in other_disk.rglob("*")) == [
        "x.csv",
        "y.mff",
        "y.mff/sub",
        "y.mff/sub/a",
    ]


def test_other_file_system_with_one_file(job: Job, other_disk: Path) -> None:
    """One file alone crosses file systems as well."""
    job.write("x.csv")
    final = str(other_disk / "x.csv")
    Path(job.stage.path(final)).write_text("far")
    job.publish(final, "x.csv")
    assert Path(final).read_text() == "far" and os.listdir(other_disk) == ["x.csv"]


def test_failed_copy_leaves_no_part(job: Job, other_disk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the other disk is full the former output stands and the half copy is gone."""
    (other_disk / "x.csv").write_text("old")
    (job.root / "far").symlink_to(other_disk)

    def half_copy(source: str, target: str) -> None:
        Path(target).write_text("ha")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(moves, "copy", half_copy)
    job.write("far/x.csv")
    with pytest.raises(OSError, match="No space"):
        job.publish("far/x.csv")
    assert os.listdir(other_disk) == ["x.csv"] and (other_disk / "x.csv").read_text() == "old"


# ---------------------------------------------------------------------------- half-way failures


@pytest.mark.parametrize("former", [False, True])
@pytest.mark.parametrize("links", [False, True])
@pytest.mark.parametrize("failing", ["a/x", "b/y.mff", "c/z", "c/extra"])
def test_failed_move_takes_all_back(
    job: Job, monkeypatch: pytest.MonkeyPatch, failing: str, links: bool, former: bool
) -> None:
    """When any one move is refused every output is as before, the stage is whole again, nothing lies beside."""
    for name in ("a", "b", "c"):
        (job.root / name).mkdir()
    if former:
        (job.root / "a" / "x").write_text("old"), (job.root / "c" / "z").write_text("old")
        (job.root / "c" / "extra").write_text("old"), make_folder(job.root / "b" / "y.mff", old="old")
        job.owned = {job.final("c/extra")}
    before = job.tree()
    job.write("a/x"), make_folder(job.staged("b/y.mff"), new="new"), job.write("c/z")
    job.staged("c/z").with_name("extra").write_text("new")
    if not links:
        monkeypatch.setattr(os, "link", refuse_link)
    with monkeypatch.context() as patch:
        fail_at(patch, job.final(failing), PermissionError(13, "Permission denied"))
        with pytest.raises(PermissionError):
            job.publish("a/x", "b/y.mff", "c/z")
    assert job.tree() == before
    assert job.publish("a/x", "b/y.mff", "c/z").extras == (job.final("c/extra"),)
    assert set(job.tree().values()) == {"new"} and len(job.tree()) == 4


def refuse_link(*_: object, **__: object) -> None:
    """Be a file system without hard links."""
    raise PermissionError(1, "Operation not permitted")


def test_failed_move_across_disks_is_taken_back(
    job: Job, other_disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An output that was copied to another disk goes away again when a later move is refused."""
    (job.root / "far").symlink_to(other_disk)
    job.write("far/x"), job.write("near")
    with monkeypatch.context() as patch:
        fail_at(patch, job.final("near"), PermissionError(13, "Permission denied"))
        with pytest.raises(PermissionError):
            job.publish("near", "far/x")
    assert os.listdir(other_disk) == [] and job.tree() == {}


def test_what_cannot_be_taken_back_stays_beside(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    """When even the way back is refused the former version is kept under its hidden name, never deleted."""
    (job.root / "x").write_text("old"), (job.root / "y").write_text("old y")
    job.write("x"), job.write("y")
    monkeypatch.setattr(os, "link", refuse_link)
    real = os.replace

    def replace(source: str, target: str) -> None:
        if str(target) in (job.final("x"), job.final("y")):
            raise PermissionError(13, "Permission denied")
        real(source, target)

    monkeypatch.setattr(os, "replace", replace)
    with pytest.raises(PermissionError):
        job.publish("x", "y")
    assert sorted(job.tree().values()) == ["old", "old y"]


def test_parent_that_is_a_file_stops_before_the_first_move(job: Job) -> None:
    """When the folder of one output cannot be made, no output is published."""
    (job.root / "b").write_text("a file")
    job.write("a/x"), job.write("b/y")
    with pytest.raises(OSError):
        job.publish("a/x", "b/y")
    assert job.tree() == {"b": "a file"}


# ---------------------------------------------------------------------------- intent and recovery


def test_commit_is_told_all_before_anything_moves(job: Job) -> None:
    """The intent names every file that will move, with facts that still hold when it is in place."""
    seen: list[tuple[str, int, int]] = []

    def commit(intent: tuple[tuple[str, int, int], ...]) -> None:
        seen.extend(intent)
        assert job.tree() == {}

    job.write("x").with_name("extra").write_text("1"), make_folder(job.staged("y"), a="1")
    done = job.publish("x", "y", commit=commit)
    assert {path for path, *_ in seen} == {*done.extras, *(path for path, *_ in done.outputs)}
    assert all(fact in seen for fact in done.outputs)


def test_commit_can_refuse(job: Job) -> None:
    """An attempt that lost its claim publishes nothing."""

    def superseded(_: object) -> None:
        raise RuntimeError("superseded")

    job.write("x")
    with pytest.raises(RuntimeError, match="superseded"):
        job.publish("x", commit=superseded)
    assert job.tree() == {}


class Killed(BaseException):
    """Stand for the death of the process."""


def intent_of(job: Job, monkeypatch: pytest.MonkeyPatch, moves_before_death: int) -> tuple[Any, ...]:
    """Publish until the process dies after a number of replaces; return the intent that was written down."""
    intent: list[Any] = []
    real, left = os.replace, [moves_before_death]

    def replace(source: str, target: str) -> None:
        if not left[0]:
            raise Killed
        left[0] -= 1
        real(source, target)

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", replace)
        patch.setattr(moves, "_take_back", void)  # the dead do not tidy up
        patch.setattr(moves, "remove", void)
        try:
            job.publish("a/x", "b/y.mff", "c/z", commit=intent.extend)
        except Killed:
            pass
    return tuple(intent)


def dying_job(job: Job, former: bool) -> Job:
    if former:
        for name in ("a/x", "c/z"):
            (job.root / name).parent.mkdir()
            (job.root / name).write_text("old")
        make_folder(job.root / "b" / "y.mff", old="old")
    job.write("a/x"), make_folder(job.staged("b/y.mff"), new="new"), job.write("c/z")
    return job


@pytest.mark.parametrize("former", [False, True])
@pytest.mark.parametrize("count", range(7))
def test_death_between_moves_is_rolled_forward(
    job: Job, monkeypatch: pytest.MonkeyPatch, count: int, former: bool
) -> None:
    """Wherever a publication dies, recovery in another process puts all new files in place and tidies up."""
    intent = intent_of(dying_job(job, former), monkeypatch, count)
    heir = Stage(str(job.base), "a1", str(job.root))
    assert heir.recover(intent) is True
    assert heir.recover(intent) is True  # dying during recovery does no harm
    heir.discard()
    assert job.tree() == {"a/x": "new", "b/y.mff/sub/new": "new", "c/z": "new"}
    assert list(job.base.iterdir()) == []


@pytest.mark.parametrize("former", [False, True])
@pytest.mark.parametrize("links", [False, True])
@pytest.mark.parametrize("count", range(3))
def test_death_with_damage_is_rolled_back(
    job: Job, monkeypatch: pytest.MonkeyPatch, count: int, links: bool, former: bool
) -> None:
    """When a staged file was lost as well, recovery restores the former outputs, all of them."""
    dying_job(job, former)
    before = job.tree()
    if not links:
        monkeypatch.setattr(os, "link", refuse_link)
    intent = intent_of(job, monkeypatch, count)
    staged = job.base / "a1" / "a" / "x"  # the first output is the last to move
    staged.write_text("torn by a power cut")
    heir = Stage(str(job.base), "a1", str(job.root))
    assert heir.recover(intent) is False
    assert heir.recover(intent) is False
    heir.discard()
    assert job.tree() == before


# ---------------------------------------------------------------------------- fingerprints


def test_fingerprint_of_what_is_not_there(tmp_path: Path) -> None:
    """A missing file, a dangling or looping link and a path below a file have no fingerprint."""
    (tmp_path / "file").write_text("")
    (tmp_path / "dangling").symlink_to("nowhere")
    (tmp_path / "loop").symlink_to("loop")
    for name in ("missing", "dangling", "loop", "file/below"):
        assert fingerprint(str(tmp_path / name)) is None


def test_fingerprint_of_what_cannot_be_asked(tmp_path: Path) -> None:
    """A path that the system refuses is an error, not an absent file."""
    with pytest.raises(OSError):
        fingerprint(str(tmp_path / ("x" * 1000)))


def test_fingerprint_survives_the_move(job: Job) -> None:
    """Size, time and inode are the same before and after publication."""
    staged = job.write("x")
    before = fingerprint(str(staged))
    job.publish("x")
    assert fingerprint(job.final("x")) == before


# ---------------------------------------------------------------------------- nothing in it


def write_kind(path: Path, kind: str) -> None:
    """Write something of which a word says what it is."""
    if kind in ("empty file", "full file"):
        path.write_text("" if kind == "empty file" else "x")
    elif kind == "link to empty":
        path.symlink_to("empty.txt")
    elif kind == "link to full":
        path.symlink_to("full.txt")
    else:
        (path / "sub").mkdir(parents=True)
        if kind == "folder with a file":
            (path / "sub" / "file").touch()


@pytest.mark.parametrize(
    ("kind", "is_empty"),
    [
        ("empty file", True),
        ("full file", False),
        ("folder of folders", True),
        ("folder with a file", False),
        ("link to empty", True),
        ("link to full", False),
    ],
)
@pytest.mark.parametrize("way", ["declared", "optional", "in place", "not atomic"])
def test_what_is_empty_is_refused_when_asked(job: Job, kind: str, is_empty: bool, way: str) -> None:
    """With `nonempty` an empty file, and a folder without any file, publish nothing, however they were written."""
    (job.root / "empty.txt").touch()
    (job.root / "full.txt").write_text("x")
    job.write("good")
    path = job.root / "x" if way in ("in place", "not atomic") else job.staged("x")
    write_kind(path, kind)
    before = job.tree()
    finals = ("good",) if way == "optional" else ("good", "x")
    optional = ("x",) if way == "optional" else ()

    def publish(**options: Any) -> Published:
        if way == "not atomic":
            return written_in_place([str(path)], [job.final("absent")], **options)
        return job.publish(*finals, optional=optional, **options)

    if is_empty:
        with pytest.raises(BadOutputError, match="/x is empty") as caught:
            publish(nonempty=True)
        assert caught.value.paths == (job.final("x"),)
        assert job.tree() == before
    assert publish(nonempty=not is_empty).outputs


def test_all_that_is_empty_is_named(job: Job) -> None:
    """Several empty outputs are named at once; undeclared files may be empty; in-place control files count."""
    job.write("a", ""), job.write("b", ""), job.write("good")
    job.staged("good").with_name("note").touch()
    with pytest.raises(BadOutputError) as caught:
        job.publish("a", "b", "good", nonempty=True)
    assert caught.value.paths == (job.final("a"), job.final("b"))
    job.publish("good", nonempty=True)
    assert (job.root / "note").read_text() == ""
    with pytest.raises(BadOutputError, match="note is empty"):
        written_in_place([job.final("good")], [job.final("note")], nonempty=True)


def test_asking_for_content_costs_nothing_more(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of files that have something in them, `nonempty` looks at nothing that is not known already."""
    calls: list[str] = []
    for name in ("stat", "lstat", "scandir", "listdir"):
        real = getattr(os, name)
        monkeypatch.setattr(
            os,
            name,
            lambda *given, _real=real, _name=name, **more: (calls.append(_name), _real(*given, **more))[1],
        )
    seen = []
    for nonempty in (False, True):
        job.write("x")
        calls.clear()
        job.publish("x", nonempty=nonempty)
        seen.append(sorted(calls))
    assert seen[0] == seen[1]
