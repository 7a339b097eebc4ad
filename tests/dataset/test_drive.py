"""What a drive does, in words and verdicts."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from sinagot.dataset import drive, probes, promises, trials
from sinagot.dataset.drive import NAMES, examine_drive, examine_stage, existing
from sinagot.dataset.findings import Finding, brief
from sinagot.dataset.mounts import Mount, list_mounts
from sinagot.dataset.probes import Look, Times
from sinagot.dataset.promises import judge_clock, judge_stamps, writing_checks

ROOT = Path(__file__).parents[2]


def examined(folder: Path, **options) -> dict[str, Finding]:
    """Examine a folder and give the findings by name."""
    options = {"base": str(folder / ".sinagot"), "mounts": list_mounts(), **options}
    return {one.name: one for one in examine_drive("data", str(folder), **options)}


def test_a_good_disk(tmp_path: Path) -> None:
    """Every check gives one finding, none is a problem on a folder of this machine, and nothing is left behind."""
    (tmp_path / "file").touch()
    found = examined(tmp_path)
    assert [*found, "stage"] == list(NAMES)
    assert {one.place for one in found.values()} == {"data"}
    assert found["writing"].value == "works"
    assert found["exclusive create"].value == "works"
    assert not [one for one in found.values() if one.verdict == "problem"]
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_reading_only_writes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a folder for experiments only what can be read is measured."""
    monkeypatch.setattr(os, "mkdir", None)
    found = examined(tmp_path, base=None, writes=False)
    assert found["writing"].value == "not tried"
    assert found["writing"].verdict == "ok"
    assert "hard links" not in found
    assert "listing and stat" in found


@pytest.mark.parametrize(("writes", "verdict"), [(True, "problem"), (False, "warning")])
def test_without_permission(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, writes: bool, verdict: str
) -> None:
    """Where nothing can be written that is said, and what can be read is told all the same."""

    def refuse(path: str, mode: int = 0o777) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)

    monkeypatch.setattr(os, "mkdir", refuse)
    found = examined(tmp_path, writes=writes)
    assert found["writing"].verdict == verdict
    assert "Permission denied" in found["writing"].value
    assert "hard links" not in found
    assert "free space" in found


def test_one_check_that_fails_holds_up_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An error of the system in one check is told as its result."""

    def fail(folder: str) -> bool:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(trials, "is_exclusive", fail)
    found = examined(tmp_path)
    assert found["exclusive create"] == (
        "data",
        "exclusive create",
        "can't be measured: Input/output error",
        "note",
        "",
    )
    assert found["hard links"].value == "work"


LOOK = Look(3, Times(1, 1e-5, 1e-5), Times(2, 1e-6, 1e-5), 0)


@pytest.mark.parametrize(
    ("seconds", "verdict"),
    [(1e-6, "ok"), (0.002, "note"), (0.03, "warning")],
    ids=["disk", "share", "far away"],
)
def test_slow_drives(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seconds: float, verdict: str) -> None:
    """Slow stats are told with what they cost; they are never a problem."""
    look = LOOK._replace(stats=Times(2, seconds, seconds))
    monkeypatch.setattr(probes, "look_around", lambda folder: look)
    assert examined(tmp_path, base=None)["listing and stat"].verdict == verdict


def test_unreadable_and_empty_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Folders that can't be read are a warning; a folder without files has no stat to tell."""
    assert "no file to ask for" in examined(tmp_path, base=None)["listing and stat"].value
    monkeypatch.setattr(probes, "look_around", lambda folder: LOOK._replace(unreadable=2))
    found = examined(tmp_path, base=None)["listing and stat"]
    assert found.verdict == "warning"
    assert found.value.endswith("2 unreadable")


@pytest.mark.parametrize(
    ("check", "probe", "result", "verdict", "word"),
    [
        ("sync", "sync_times", Times(8, 0.2, 0.3), "note", "durability"),
        ("sync", "sync_times", Times(8, 0.002, 0.3), "ok", ""),
        ("rename", "replace_seen", (3, 0), "problem", "half an output"),
        ("rename", "replace_seen", (0, 3), "note", "try again"),
        ("exclusive create", "is_exclusive", False, "problem", "two runs"),
        ("hard links", "hard_link", "none", "note", "plain files"),
        ("hard links", "hard_link", "two names of one file have different inode numbers", "problem", "state"),
        ("locks", "lock_state", "none", "note", "claims need none"),
        ("locks", "lock_state", "not held", "warning", "turn the log"),
        ("locks", "lock_state", "unknown", "note", ""),
        ("symbolic links", "makes_symlink", False, "note", "DataLad"),
        ("case of names", "tells_case", False, "note", "id_pattern"),
        ("case of names", "tells_case", True, "ok", ""),
        ("accents in names", "name_forms", "two files", "ok", ""),
        ("accents in names", "name_forms", "one file", "ok", ""),
        ("accents in names", "name_forms", "changed", "warning", "ids"),
        ("accents in names", "name_forms", "refused", "note", "accents"),
        ("names not in UTF-8", "takes_any_bytes", False, "ok", ""),
        ("longest name", "longest_name", 255, "ok", ""),
        ("longest name", "longest_name", 230, "note", "longer"),
        ("longest name", "longest_name", 143, "warning", "claims"),
        ("clock", "clock_offset", 90.0, "warning", "NTP"),
    ],
)
def test_verdicts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, check: str, probe: str, result, verdict: str, word: str
) -> None:
    """What a drive does leads to a verdict, and where all is not well to words about what it means."""
    monkeypatch.setattr(trials if hasattr(trials, probe) else probes, probe, lambda folder: result)
    answer = writing_checks(by_digest=False)[check](str(tmp_path))
    assert answer.verdict == verdict
    assert word in answer.advice


@pytest.mark.parametrize(
    ("unit", "unseen", "by_digest", "verdict"),
    [
        (1, 0, False, "ok"),
        (1, 12, False, "note"),
        (10_000_000, 50, False, "note"),
        (1_000_000_000, 50, False, "warning"),
        (1_000_000_000, 50, True, "ok"),
    ],
)
def test_time_stamps(unit: int, unseen: int, by_digest: bool, verdict: str) -> None:
    """Coarse time stamps lead to the advice to compare contents, unless that is set already."""
    answer = judge_stamps(unit, unseen, by_digest)
    assert answer.verdict == verdict
    assert ('check = "digest"' in answer.advice) is (verdict != "ok" or by_digest)


@pytest.mark.parametrize(
    ("offset", "unit", "verdict", "value"),
    [
        (0.0, 1e-9, "ok", "no difference"),
        (-0.7, 1.0, "ok", "no difference"),
        (-0.7, 1e-9, "ok", "the file server is 700 ms behind"),
        (5.0, 1e-9, "note", "the file server is 5 s ahead"),
        (-3600.0, 1e-9, "warning", "the file server is 3600 s behind"),
    ],
)
def test_clocks(offset: float, unit: float, verdict: str, value: str) -> None:
    """A difference of clocks is told with its size; within the unit of the time stamps there is none."""
    answer = judge_clock(offset, unit)
    assert (answer.verdict, answer.value) == (verdict, value)


def test_stage_on_the_file_system_of_outputs(tmp_path: Path) -> None:
    """Outputs below the stage's own file system are renamed into place, also before anything has run."""
    (tmp_path / "out").mkdir()
    assert examine_stage(str(tmp_path)).verdict == "ok"
    assert examine_stage(str(tmp_path / "not" / "yet")).verdict == "ok"
    assert existing(str(tmp_path / "not" / "yet")) == str(tmp_path)


@pytest.mark.skipif(not os.path.isdir("/dev/shm"), reason="needs /dev/shm")
def test_stage_elsewhere(tmp_path: Path) -> None:
    """A folder of outputs on another file system is named."""
    if os.stat("/dev/shm").st_dev == os.stat(tmp_path).st_dev:
        pytest.skip("needs two file systems")
    (tmp_path / "far").symlink_to("/dev/shm")
    found = examine_stage(str(tmp_path))
    assert (found.verdict, found.value) == ("note", "on another file system than far")
    with probes.probe_folder("/dev/shm/sinagot-test-stage") as elsewhere:
        other = tmp_path / "other"
        other.mkdir()
        (other / ".sinagot").symlink_to(elsewhere)
        assert examine_stage(str(other)).value == f"on another file system than {other}"


def test_stage_that_cannot_be_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An output folder that can't be listed is no error."""

    def refuse(path: str) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(os, "scandir", refuse)
    assert examine_stage(str(tmp_path)).value == "can't be told: Permission denied"


def test_a_network_drive(tmp_path: Path) -> None:
    """The mount of the folder is told with what it means."""
    table = [Mount("/", "ext4", "x"), Mount(str(tmp_path.resolve()), "nfs4", "nas:/x", ("rw", "soft"))]
    found = examined(tmp_path, base=None, mounts=table)
    assert "network drive" in found["file system"].advice
    assert found["mount options"].verdict == "warning"


def test_values_are_short() -> None:
    """Durations are written with the unit that fits."""
    assert [brief(value) for value in (0, 3e-9, 0.25, -4.2)] == ["0", "3 ns", "250 ms", "-4.2 s"]


IN_A_NAMESPACE = """
set -e
mount --make-rprivate /
mount -t tmpfs -o size=8m,nr_inodes=60 small "$1"
mkdir "$1/data"
touch "$1/data/file"
[ "$3" = ro ] && mount -o remount,ro "$1"
exec "$2" -m sinagot doctor "$1/data"
"""


def in_small_mount(folder: Path, mode: str) -> subprocess.CompletedProcess[str]:
    """Run the doctor on a file system of 8 MiB that only it sees."""
    words = ["unshare", "--mount", "sh", "-c", IN_A_NAMESPACE, "sh", str(folder), sys.executable, mode]
    if (
        shutil.which("unshare") is None
        or subprocess.run([*words[:2], "true"], capture_output=True, check=False).returncode
    ):
        pytest.skip("needs mount namespaces")
    return subprocess.run(words, capture_output=True, text=True, cwd=ROOT, timeout=60, check=False)


def test_small_disk(tmp_path: Path) -> None:
    """A disk that is nearly full and out of inodes is a problem: exit code 3; the rest is measured."""
    done = in_small_mount(tmp_path, "rw")
    assert done.returncode == 3, done.stderr
    assert "problem  free space          8.39 MB of 8.39 MB" in done.stdout
    assert "problem  inodes" in done.stdout
    assert "tmpfs at" in done.stdout


def test_read_only_drive(tmp_path: Path) -> None:
    """A drive that can only be read is told as such, with all that can be measured: no problem for raw data."""
    done = in_small_mount(tmp_path, "ro")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "warning  writing             impossible: Read-only file system" in done.stdout
    assert "a listing" in done.stdout


def test_pages_know_all_findings() -> None:
    """Names of findings are unique, so that the page can explain each."""
    assert len(set(NAMES)) == len(NAMES)
    assert list(writing_checks(by_digest=True)) == list(writing_checks(by_digest=False))
    assert drive.writing_checks is promises.writing_checks
