"""What a file system can do: small experiments in a folder, each with a bare answer.

Knows how to try; must not judge: `sinagot.dataset.promises` says what an answer means. Each function works in a folder
that exists, may leave files in it, and lets the system's errors out.
"""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import threading
import unicodedata
from collections.abc import Callable

from sinagot.dataset.probes import write

__all__ = [
    "hard_link",
    "is_exclusive",
    "lock_state",
    "longest_name",
    "makes_symlink",
    "name_forms",
    "replace_seen",
    "takes_any_bytes",
    "tells_case",
]

#: Waits for a thread or another process, seconds.
_PATIENCE = 20
_TRY_LOCK = """
import fcntl, sys
with open(sys.argv[1], "r+b") as file:
    try:
        fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        sys.exit(11)
sys.exit(10)
"""
_REFUSED, _GRANTED = 11, 10


def replace_seen(folder: str, times: int = 50) -> tuple[int, int]:
    """Rename files over an existing one while a reader opens it all the time.

    Parameters
    ----------
    folder : str
        Where.
    times : int
        How often.

    Returns
    -------
    tuple of int and int
        How often the reader found no file, or one that was not whole; how often it got another error.
    """
    target, whole, ended = f"{folder}/target", b"w" * 4096, threading.Event()
    torn = errors = 0
    write(target, whole)

    def read() -> None:
        nonlocal torn, errors
        while not ended.is_set():
            try:
                with open(target, "rb") as file:
                    torn += file.read() != whole
            except FileNotFoundError:
                torn += 1
            except OSError:
                errors += 1

    reader = threading.Thread(target=read, name="sinagot-doctor-reader", daemon=True)
    reader.start()
    try:
        for number in range(times):
            write(f"{folder}/new-{number}", whole)
            os.replace(f"{folder}/new-{number}", target)
    finally:
        ended.set()
        reader.join(_PATIENCE)
    if os.path.exists(f"{folder}/new-{times - 1}"):
        torn += 1
    return torn, errors


def is_exclusive(folder: str) -> bool:
    """Say whether a file that must not exist yet can be made only once.

    Parameters
    ----------
    folder : str
        Where.

    Returns
    -------
    bool
        True when the second try is refused.
    """
    path = f"{folder}/exclusive"
    for number in range(2):
        try:
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
        except FileExistsError:
            return number == 1
    return False


def hard_link(folder: str) -> str:
    """Try what claims do: a second name for the owner's file.

    Parameters
    ----------
    folder : str
        Where.

    Returns
    -------
    str
        ``""`` when all is as it should be, ``"none"`` without hard links, else what is wrong with them.
    """
    owner, claim = f"{folder}/owner", f"{folder}/claim"
    write(owner)
    try:
        os.link(owner, claim)
    except OSError:
        return "none"
    try:
        os.link(owner, claim)
    except FileExistsError:
        pass
    else:
        return "a second link replaces the first"
    if os.stat(owner).st_ino != os.stat(claim).st_ino:
        return "two names of one file have different inode numbers"
    os.utime(owner, (1_000_000_000, 1_000_000_000))
    if os.stat(claim).st_mtime != 1_000_000_000:
        return "a time stamp set by one name is not seen by the other"
    return ""


def lock_state(folder: str) -> str:
    """Lock a file here and try to lock it from another process.

    Parameters
    ----------
    folder : str
        Where.

    Returns
    -------
    str
        ``"held"``, ``"not held"`` (both got it), ``"none"`` (no locks here) or ``"unknown"``.
    """
    try:
        import fcntl
    except ImportError:  # pragma: no cover - Windows
        return "none"
    path = f"{folder}/lock"
    write(path)
    with open(path, "r+b") as file:
        try:
            fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return "none"
        code = _ended([sys.executable, "-I", "-S", "-c", _TRY_LOCK, path])
    return {_REFUSED: "held", _GRANTED: "not held"}.get(code, "unknown")


def _ended(command: list[str]) -> int:
    """Run a small program and give its exit code; -1 when it does not end."""
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=_PATIENCE,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return -1
    return done.returncode


def makes_symlink(folder: str) -> bool:
    """Say whether symbolic links can be made and lead where they should.

    Parameters
    ----------
    folder : str
        Where.

    Returns
    -------
    bool
        True when they do.
    """
    write(f"{folder}/pointed")
    try:
        os.symlink("pointed", f"{folder}/pointer")
    except OSError:
        return False
    return os.path.islink(f"{folder}/pointer") and os.path.samefile(f"{folder}/pointer", f"{folder}/pointed")


def tells_case(folder: str) -> bool:
    """Say whether names that differ only in case are two files.

    Parameters
    ----------
    folder : str
        Where.

    Returns
    -------
    bool
        True when they are.
    """
    write(f"{folder}/CaSe")
    return not os.path.exists(f"{folder}/cAsE")


def name_forms(folder: str) -> str:
    """Say what becomes of accented letters, which can be written in two ways (NFC and NFD).

    Parameters
    ----------
    folder : str
        Where.

    Returns
    -------
    str
        ``"two files"``; ``"one file"``; ``"changed"`` when a name comes back in another form; ``"refused"``.
    """
    here = f"{folder}/forms"
    os.mkdir(here)
    composed = unicodedata.normalize("NFC", "Zoë")
    try:
        write(f"{here}/{composed}")
    except OSError:
        return "refused"
    if os.listdir(here) != [composed]:
        return "changed"
    return "one file" if os.path.exists(f"{here}/{unicodedata.normalize('NFD', composed)}") else "two files"


def takes_any_bytes(folder: str) -> bool:
    """Say whether a name that is not UTF-8 can be made and comes back as it was.

    Parameters
    ----------
    folder : str
        Where.

    Returns
    -------
    bool
        True when it does.
    """
    here = os.fsencode(folder) + b"/bytes"
    os.mkdir(here)
    try:
        write(os.fsdecode(here + b"/caf\xe9"))
    except OSError:
        return False
    return os.listdir(here) == [b"caf\xe9"]


def longest_name(folder: str, most: int = 255) -> int:
    """Find the longest file name that can be made.

    Parameters
    ----------
    folder : str
        Where.
    most : int
        Longer ones are not tried.

    Returns
    -------
    int
        Bytes.
    """
    return _largest(most, lambda length: _can_make(f"{folder}/{'n' * length}"))


def _largest(most: int, fits: Callable[[int], bool]) -> int:
    """Give the largest number up to `most` that fits, by halving."""
    if fits(most):
        return most
    good, bad = 0, most
    while bad - good > 1:
        middle = (good + bad) // 2
        if fits(middle):
            good = middle
        else:
            bad = middle
    return good


def _can_make(path: str) -> bool:
    try:
        write(path)
    except OSError as error:
        if error.errno in (errno.ENAMETOOLONG, errno.EINVAL, errno.ENOENT):
            return False
        raise
    os.unlink(path)
    return True
