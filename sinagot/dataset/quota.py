"""How much room is left: on the file system, in inodes, in the user's quota, in the length of a path.

Knows what the system and the program `quota` say; nothing is written. `sinagot.dataset.drive` asks.
"""

from __future__ import annotations

import os
import shutil
import subprocess

from sinagot.config.quantities import bytes_text
from sinagot.dataset.findings import NOTE, PROBLEM, WARNING, Answer
from sinagot.dataset.mounts import Mount

__all__ = ["judge_inodes", "judge_path_length", "judge_quota", "judge_space", "read_quota"]

_GIB = 1 << 30
#: Below this nothing useful can be written, in bytes and in files.
_TOO_LITTLE = 16 << 20
_TOO_FEW = 100
_FEW = 10_000
_SMALL_SHARE = 0.05
#: Bytes of a path below the data folder that are enough for any tree.
_LONG_PATH = 1024
_SHORT_PATH = 300
_PATIENCE = 10  # seconds


def judge_space(folder: str, writes: bool) -> Answer:
    """Say how many bytes are free.

    Parameters
    ----------
    folder : str
        An existing folder.
    writes : bool
        Runs write here, so it matters.

    Returns
    -------
    Answer
        A problem when a run could not even write its logs.
    """
    facts = os.statvfs(folder)
    free, total = facts.f_bavail * facts.f_frsize, facts.f_blocks * facts.f_frsize
    value = f"{bytes_text(free)} of {bytes_text(total)}" if total else bytes_text(free)
    if not writes:
        return Answer(value)
    if free < _TOO_LITTLE:
        return Answer(
            value,
            PROBLEM,
            "runs will fail for want of space: delete something, or set [path] to another drive.",
        )
    if free < _GIB or free < _SMALL_SHARE * total:
        return Answer(value, WARNING, "a full disk stops a run; what was done stays, the next run goes on.")
    return Answer(value)


def judge_inodes(folder: str, writes: bool) -> Answer:
    """Say how many files can be made.

    Parameters
    ----------
    folder : str
        An existing folder.
    writes : bool
        Runs write here, so it matters.

    Returns
    -------
    Answer
        Some file systems do not count.
    """
    facts = os.statvfs(folder)
    if not facts.f_files:
        return Answer("not counted by this file system")
    value = f"{facts.f_favail:,} of {facts.f_files:,}"
    if writes and facts.f_favail < _TOO_FEW:
        return Answer(value, PROBLEM, "no new files can be made, however many bytes are free.")
    if writes and facts.f_favail < _FEW:
        return Answer(value, WARNING, "an output is at least one file, and a log is one per record.")
    return Answer(value)


def judge_quota(mount: Mount | None, writes: bool) -> Answer:
    """Say what the user's quota leaves, as the program `quota` tells it.

    Parameters
    ----------
    mount : Mount or None
        What the folder lies on.
    writes : bool
        Runs write here, so it matters.

    Returns
    -------
    Answer
        Unknown where there is no such program.
    """
    program = shutil.which("quota")
    if program is None:
        counted = [] if mount is None else [option for option in mount.options if option.endswith("quota")]
        if counted and "noquota" not in counted:
            return Answer(
                "kept, but there is no program `quota` to ask", NOTE, "ask whoever runs this machine."
            )
        return Answer("unknown (no program `quota` here)")
    if mount is None:
        return Answer("unknown (the mount is)")
    try:
        done = subprocess.run(
            [program, "-w", "-p"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_PATIENCE,
            text=True,
            errors="replace",
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return Answer(f"unknown (`quota` fails: {type(error).__name__})")
    found = read_quota(done.stdout, mount)
    if found is None:
        return Answer("none is told for this drive")
    return _judge_left(*found, writes)


def _judge_left(used: int, limit: int, files: int, most_files: int, writes: bool) -> Answer:
    words = []
    if limit:
        words.append(f"{bytes_text(max(0, limit - used))} left of {bytes_text(limit)}")
    if most_files:
        words.append(f"{max(0, most_files - files):,} files left of {most_files:,}")
    if not words:
        return Answer("no limit")
    value = ", ".join(words)
    shares = [kept / most for kept, most in ((used, limit), (files, most_files)) if most]
    if writes and max(shares) >= 1:
        return Answer(value, PROBLEM, "your quota is used up: nothing can be written.")
    if writes and max(shares) > 1 - _SMALL_SHARE:
        return Answer(value, WARNING, "your quota is nearly used up; a run stops there like on a full disk.")
    return Answer(value)


def read_quota(text: str, mount: Mount) -> tuple[int, int, int, int] | None:
    """Read what `quota -w -p` prints.

    Parameters
    ----------
    text : str
        Its output: one line a file system, with KiB and files: used, quota, limit, grace.
    mount : Mount
        The one that is asked for.

    Returns
    -------
    tuple of int or None
        Bytes used and allowed, files used and allowed (0: no limit); None when there is no such line.

    Examples
    --------
    >>> read_quota("/dev/sda1 900* 800 1000 0 5 0 0 0", Mount("/home", "ext4", "/dev/sda1"))
    (921600, 1024000, 5, 0)
    """
    for line in text.splitlines():
        words = line.split()
        if len(words) == 9 and words[0] in (mount.source, mount.point):
            numbers = [word.rstrip("*") for word in words[1:]]
            if all(number.isdecimal() for number in numbers):
                used, soft, hard, _, files, soft_files, hard_files, _ = map(int, numbers)
                return 1024 * used, 1024 * (hard or soft), files, hard_files or soft_files
    return None


def judge_path_length(folder: str) -> Answer:
    """Say how long a path may be, and what is left of it below a folder.

    Parameters
    ----------
    folder : str
        An existing folder.

    Returns
    -------
    Answer
        In bytes.
    """
    try:
        most = os.pathconf(folder, "PC_PATH_MAX")
    except (OSError, ValueError):
        most = -1
    if most < 0:
        return Answer("no limit is told")
    left = most - len(os.fsencode(os.path.abspath(folder)))
    value = f"{most:,} bytes, {left:,} of them below {folder}"
    if left >= _LONG_PATH:
        return Answer(value)
    advice = "outputs are first written below .sinagot/stage, some 70 bytes longer: move the data to a shorter path."
    return Answer(value, WARNING if left < _SHORT_PATH else NOTE, advice)
