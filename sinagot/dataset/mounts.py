"""Which file system a folder lies on, how it is mounted, and what that means for runs.

Knows the kernel's table of mounts and kinds of file systems; must not measure anything: `sinagot.dataset.probes` does.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from typing import NamedTuple

from sinagot.dataset.findings import NOTE, OK, VERDICTS, WARNING, Answer

__all__ = ["Mount", "judge_kind", "judge_options", "list_mounts", "mount_of", "parse_mountinfo"]

_TABLE = "/proc/self/mountinfo"
_OCTAL = re.compile(r"\\([0-7]{3})")

_NFS = "a network drive: what one machine writes, others may see seconds later. Claims and outputs are made for that."
_SMB = (
    "a network drive (SMB): often without hard links, blind to case, and with narrower names; the rows below "
    "say what holds here."
)
_SSHFS = (
    "sshfs: renames over existing files and locks are not what they are on a disk. Run where the data are, or "
    "set [path] output, log and state to a folder of this machine."
)
_CLUSTER = (
    "a parallel file system: large files are fast, many small ones are slow. Free space says nothing of your quota; "
    "ask its own program (lfs quota, mmlsquota, beegfs-ctl)."
)
_OBJECTS = (
    "object storage shown as files: renames are copies, and nothing is atomic. Keep raw data here only: set [path] "
    "output, log and state to another drive."
)
_MEMORY = "memory: all is gone when the machine is restarted. Good for tests, not for results."
_LAYER = (
    "the layer of a container: what is written here goes with it. Mount a folder of the host for results."
)
_STICK = (
    "a FAT file system: no hard links, coarse time stamps, no rights. Copy the data to a disk before a run."
)
_HOST = "a folder that the host of this virtual machine or container lends: slower than a disk, see the times below."
_SEALED = "can only be read: set [path] output, log and state to another drive."

#: Verdict, what it means, and the kinds of file systems of which that is said. Kinds that are not here are disks.
_FAMILIES: tuple[tuple[str, str, str], ...] = (
    (NOTE, _NFS, "nfs nfs4 afs ocfs2 gfs2 acfs fuse.glusterfs"),
    (NOTE, _SMB, "cifs smb3 smbfs afpfs fuse.smbnetfs"),
    (WARNING, _SSHFS, "fuse.sshfs fuse.curlftpfs macfuse"),
    (NOTE, _CLUSTER, "lustre gpfs beegfs ceph fuse.ceph fuse.ceph-fuse panfs orangefs pvfs2 wekafs quobyte"),
    (
        WARNING,
        _OBJECTS,
        "fuse.s3fs fuse.rclone fuse.gcsfuse fuse.goofys fuse.mount-s3 fuse.blobfuse2 davfs webdav fuse.davfs2",
    ),
    (NOTE, _MEMORY, "tmpfs ramfs"),
    (NOTE, _LAYER, "overlay aufs fuse.fuse-overlayfs"),
    (WARNING, _STICK, "vfat msdos exfat"),
    (NOTE, _HOST, "9p virtiofs vboxsf drvfs prl_fs fakeowner fuse.vmhgfs-fuse fuse.grpcfuse"),
    (NOTE, _SEALED, "squashfs iso9660 erofs udf cramfs fuse.squashfuse"),
)
_KINDS = {kind: (verdict, text) for verdict, text, kinds in _FAMILIES for kind in kinds.split()}
#: Families whose files other machines write too, and may be seen late.
_SHARED = (_NFS, _SMB, _SSHFS, _CLUSTER, _OBJECTS, _HOST)

_SOFT = (
    "mounted `soft`: when the server does not answer in time, writes fail, and data may be lost without a word. "
    "Ask for `hard`."
)
_LOCAL_LOCKS = (
    "locks hold on this machine only. Claims do not need them; the log of a record that two machines write at the same "
    "moment may lose lines when it is turned."
)
#: Option -> what it means.
_OPTIONS: dict[str, tuple[str, str]] = {
    "soft": (WARNING, _SOFT),
    "softerr": (WARNING, _SOFT),
    "nolock": (NOTE, _LOCAL_LOCKS),
    "nobrl": (NOTE, _LOCAL_LOCKS),
    "local_lock=all": (NOTE, _LOCAL_LOCKS),
    "local_lock=flock": (NOTE, _LOCAL_LOCKS),
    "cache=loose": (
        WARNING,
        "cached loosely: two machines may see different files for a long time. Ask for cache=strict.",
    ),
    "noserverino": (
        WARNING,
        "the numbers of files are made up by this machine: a run may not know its own claim. Ask for `serverino`.",
    ),
    "noac": (NOTE, "nothing is cached: other machines' files are seen at once, and every look is slow."),
    "sync": (NOTE, "every write waits for the disk: safe, and slow."),
    "nobarrier": (NOTE, "a power cut may lose or mix up what was written last."),
    "barrier=0": (NOTE, "a power cut may lose or mix up what was written last."),
    "data=writeback": (NOTE, "a power cut may leave files that hold other data than were written."),
}
#: Seconds that NFS may keep what it knows of a file; more than this is told.
_LONG_CACHE = 60
_CACHE = re.compile(r"(?:actimeo|acregmax|acdirmax)=(\d+)")


class Mount(NamedTuple):
    """One mounted file system."""

    point: str
    kind: str
    source: str
    options: tuple[str, ...] = ()

    @property
    def is_read_only(self) -> bool:
        """True when nothing can be written."""
        return "ro" in self.options

    @property
    def is_shared(self) -> bool:
        """True when a file that another machine wrote may be seen late."""
        return _KINDS.get(self.kind, (OK, ""))[1] in _SHARED

    @property
    def is_own(self) -> bool:
        """True when nobody but this machine writes, by its kernel; a file system in a program may be anybody's."""
        return not (self.is_shared or self.kind == "fuse" or self.kind.startswith("fuse."))


def parse_mountinfo(text: str) -> list[Mount]:
    r"""Read the kernel's table of mounts; lines that cannot be understood are skipped.

    Parameters
    ----------
    text : str
        What `/proc/self/mountinfo` holds.

    Returns
    -------
    list of Mount
        In the order of the table: what was mounted later comes later.

    Examples
    --------
    >>> line = r"98 27 0:52 / /mnt/lab\040share rw,relatime shared:1 - nfs4 srv:/export rw,vers=4.2,soft"
    >>> parse_mountinfo(line)
    [Mount(point='/mnt/lab share', kind='nfs4', source='srv:/export', options=('rw', 'relatime', 'vers=4.2', 'soft'))]
    """
    mounts = []
    for line in text.splitlines():
        left, dash, right = line.partition(" - ")
        fields, rest = left.split(), right.split(" ")
        if not dash or len(fields) < 6 or len(rest) < 2:
            continue
        options = dict.fromkeys(",".join([fields[5], *rest[2:3]]).split(","))
        if "ro" in options:  # the mount or the whole file system: either is enough
            options.pop("rw", None)
        mounts.append(Mount(_plain(fields[4]), rest[0], _plain(rest[1]), tuple(options)))
    return mounts


def _plain(text: str) -> str:
    return _OCTAL.sub(lambda found: chr(int(found[1], 8)), text)


def list_mounts() -> list[Mount]:
    """Give the file systems that this process sees.

    Returns
    -------
    list of Mount
        From the kernel's table; where there is none (macOS), as psutil tells them.
    """
    try:
        with open(_TABLE, encoding="utf-8", errors="surrogateescape") as file:
            return parse_mountinfo(file.read())
    except OSError:
        import psutil

        return [
            Mount(part.mountpoint, part.fstype, part.device, tuple(part.opts.split(",")))
            for part in psutil.disk_partitions(all=True)
        ]


def mount_of(path: str, mounts: Iterable[Mount]) -> Mount | None:
    """Find the mount that a path lies on.

    Parameters
    ----------
    path : str
        An existing path; links are followed.
    mounts : iterable of Mount
        Those of this machine, later ones over earlier ones.

    Returns
    -------
    Mount or None
        None when the table does not have it.

    Examples
    --------
    >>> mount_of("/mnt/x", [Mount("/", "ext4", "/dev/sda1"), Mount("/mnt", "nfs4", "srv:/x")]).kind
    'nfs4'
    """
    real = os.path.realpath(path)
    found: Mount | None = None
    for mount in mounts:
        inside = real == mount.point or real.startswith(mount.point.rstrip("/") + "/")
        if inside and (found is None or len(mount.point) >= len(found.point)):
            found = mount
    return found


def judge_kind(mount: Mount | None) -> Answer:
    """Say which file system it is, and what that means.

    Parameters
    ----------
    mount : Mount or None
        What `mount_of` found.

    Returns
    -------
    Answer
        Kind, source and point; with advice for what is no plain disk.
    """
    if mount is None:
        return Answer("unknown", OK, "the table of mounts does not have it")
    verdict, advice = _KINDS.get(mount.kind, (OK, ""))
    if mount.kind == "fuse" or (not advice and mount.kind.startswith("fuse.")):
        verdict, advice = NOTE, "a file system that a program provides: the rows below say what holds here."
    return Answer(f"{mount.kind} at {mount.point} ({mount.source})", verdict, advice)


def judge_options(mount: Mount | None) -> Answer:
    """Say how a file system is mounted, and which options matter to runs.

    Parameters
    ----------
    mount : Mount or None
        What `mount_of` found.

    Returns
    -------
    Answer
        The options; the verdict is that of the worst.
    """
    if mount is None:
        return Answer("unknown")
    told = [(option, *_OPTIONS[option]) for option in mount.options if option in _OPTIONS]
    for option in mount.options:
        late = _CACHE.fullmatch(option)
        if late and int(late[1]) > _LONG_CACHE:
            told.append((option, NOTE, f"what other machines change may be seen {late[1]} seconds late."))
    verdict = max([OK, *(verdict for _, verdict, _ in told)], key=VERDICTS.index)
    return Answer(",".join(mount.options), verdict, " ".join(f"{option}: {text}" for option, _, text in told))
