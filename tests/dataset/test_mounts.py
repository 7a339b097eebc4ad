"""Which file system a folder lies on: the kernel's table, and what kinds and options mean."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

from sinagot.dataset import mounts
from sinagot.dataset.mounts import Mount, judge_kind, judge_options, list_mounts, mount_of, parse_mountinfo

TABLE = r"""
22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw,errors=remount-ro
30 22 0:40 / /mnt/lab\040share rw,nosuid shared:9 master:2 - nfs4 nas:/export/lab rw,vers=4.2,soft,actimeo=600
31 22 0:41 / /mnt/raw ro,relatime - cifs //nas/raw rw,vers=3.0,cache=strict
32 22 0:42 / /mnt rw - autofs systemd-1
33 32 0:43 / /mnt rw,relatime - xfs /dev/sdb1 rw
34 22 0:44 / /home/anna/data rw - fuse.sshfs anna@head:/data
35 22 0:45 / /mnt/raw/x rw
this line is garbage
36 22 - ext4
"""


def test_table_of_the_kernel() -> None:
    """Point, kind, source and options of both columns are read; escaped blanks come back; garbage is skipped."""
    found = parse_mountinfo(TABLE)
    assert [one.kind for one in found] == ["ext4", "nfs4", "cifs", "autofs", "xfs", "fuse.sshfs"]
    assert found[1].point == "/mnt/lab share"
    assert found[1].options == ("rw", "nosuid", "vers=4.2", "soft", "actimeo=600")


def test_read_only_wins() -> None:
    """A mount that is read-only in either column is read-only."""
    share = parse_mountinfo(TABLE)[2]
    assert share.is_read_only
    assert "rw" not in share.options
    assert not parse_mountinfo(TABLE)[0].is_read_only


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/etc", "ext4"),
        ("/mnt/lab share/a", "nfs4"),
        ("/mnt/lab sharex", "xfs"),
        ("/mnt/raw", "cifs"),
        ("/mnt/other", "xfs"),
    ],
)
def test_longest_and_latest_mount_counts(path: str, kind: str) -> None:
    """A path lies on the mount that is nearest above it; of two at one place the later covers the earlier."""
    found = mount_of(path, parse_mountinfo(TABLE))
    assert found is not None
    assert found.kind == kind


def test_links_are_followed(tmp_path: Path) -> None:
    """A link leads to the mount of its target."""
    (tmp_path / "target").mkdir()
    (tmp_path / "link").symlink_to("target")
    table = [Mount("/", "ext4", "a"), Mount(str(tmp_path.resolve() / "target"), "xfs", "b")]
    found = mount_of(str(tmp_path / "link"), table)
    assert found is not None
    assert found.source == "b"
    assert mount_of("/x", []) is None


def test_this_machine() -> None:
    """The table of this machine has the root."""
    found = mount_of("/", list_mounts())
    assert found is not None
    assert found.point == "/"


def test_without_a_table(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the kernel has no table, psutil is asked."""
    parts = [SimpleNamespace(mountpoint="/", fstype="apfs", device="/dev/disk1", opts="rw,local")]
    monkeypatch.setattr(mounts, "_TABLE", "/no/such/table")
    monkeypatch.setattr(psutil, "disk_partitions", lambda **options: parts)
    assert list_mounts() == [Mount("/", "apfs", "/dev/disk1", ("rw", "local"))]


@pytest.mark.parametrize(
    ("kind", "verdict", "word"),
    [
        ("ext4", "ok", ""),
        ("xfs", "ok", ""),
        ("nfs4", "note", "network drive"),
        ("cifs", "note", "SMB"),
        ("fuse.sshfs", "warning", "sshfs"),
        ("lustre", "note", "lfs quota"),
        ("fuse.rclone", "warning", "object storage"),
        ("tmpfs", "note", "restarted"),
        ("overlay", "note", "container"),
        ("vfat", "warning", "FAT"),
        ("virtiofs", "note", "host"),
        ("squashfs", "note", "only be read"),
        ("fuse.unheard-of", "note", "a program provides"),
        ("fuse", "note", "a program provides"),
    ],
)
def test_kinds(kind: str, verdict: str, word: str) -> None:
    """Of each kind of drive it is said what it means; plain disks need no words."""
    answer = judge_kind(Mount("/mnt", kind, "there"))
    assert answer.verdict == verdict
    assert answer.value == f"{kind} at /mnt (there)"
    assert word in answer.advice


@pytest.mark.parametrize(
    ("options", "verdict", "word"),
    [
        ("rw,relatime", "ok", ""),
        ("rw,hard,vers=4.2,actimeo=60", "ok", ""),
        ("rw,soft", "warning", "hard"),
        ("rw,nolock", "note", "this machine only"),
        ("rw,local_lock=flock", "note", "this machine only"),
        ("rw,acdirmax=600", "note", "600 seconds late"),
        ("rw,soft,nolock", "warning", "nolock: "),
        ("rw,noserverino", "warning", "serverino"),
        ("rw,cache=loose", "warning", "cache=strict"),
        ("rw,sync", "note", "slow"),
    ],
)
def test_options(options: str, verdict: str, word: str) -> None:
    """Options that matter to runs are explained; the verdict is that of the worst."""
    answer = judge_options(Mount("/mnt", "nfs4", "nas:/x", tuple(options.split(","))))
    assert (answer.value, answer.verdict) == (options, verdict)
    assert word in answer.advice


def test_unknown_mount() -> None:
    """What the table does not have is said to be unknown, which is no problem."""
    assert judge_kind(None).value == judge_options(None).value == "unknown"
