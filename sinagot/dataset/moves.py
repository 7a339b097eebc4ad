"""Moves of staged files into place: replace, swap folders aside, copy across file systems, take back.

Knows files, folders, links and permissions; must not know stages, steps or which files belong to whom.
Stands below `sinagot.dataset.commit`, which checks first what may be moved.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from errno import EAGAIN, EINTR, ESTALE, EXDEV
from stat import S_IMODE, S_ISDIR, S_ISGID, S_ISREG
from typing import NamedTuple, ParamSpec, TypeVar

__all__ = ["Move", "beside", "clear_beside", "copy", "move_all", "patiently", "prepare", "remove", "sync"]

#: Seconds before each further try.
_PAUSES = (0.01, 0.1, 0.5)
_Given = ParamSpec("_Given")
_Result = TypeVar("_Result")


class Move(NamedTuple):
    """One file or folder on its way from the stage to its place.

    Attributes
    ----------
    staged : str
        Where it is.
    final : str
        Where it belongs.
    state : os.stat_result
        The ``lstat`` of the staged one.
    """

    staged: str
    final: str
    state: os.stat_result

    @property
    def facts(self) -> tuple[str, int, int]:
        """Final path, size (0 for a folder) and mtime_ns: the same before and after the move."""
        size = 0 if S_ISDIR(self.state.st_mode) else self.state.st_size
        return self.final, size, self.state.st_mtime_ns


class _Progress:
    """How far one move has come: what is needed to take it back."""

    __slots__ = ("backup", "is_copied", "move", "placed")

    def __init__(self, move: Move) -> None:
        self.move = move
        self.backup: str | None = None
        #: To another file system: the staged one is there still.
        self.is_copied = False
        self.placed = False


def beside(final: str, attempt: str, suffix: str) -> str:
    """Return a hidden name next to a final path, the same in every process that knows the attempt."""
    from zlib import crc32

    parent, name = os.path.split(final)
    return os.path.join(parent, f".sinagot-{attempt}-{crc32(os.fsencode(name)):08x}.{suffix}")


def clear_beside(final: str) -> None:
    """Clear away what moves that were cut short left beside a final path; a former version returns to an empty place.

    Parameters
    ----------
    final : str
        A path that nobody is publishing now.
    """
    parent = os.path.dirname(final)
    key = os.path.basename(beside(final, "", "")).removeprefix(".sinagot-")
    try:
        found = os.listdir(parent)
    except OSError:
        return
    for name in found:
        if name.startswith(".sinagot-") and name.endswith((f"{key}old", f"{key}part")):
            path = os.path.join(parent, name)
            if name.endswith("old") and not os.path.lexists(final):
                os.replace(path, final)
            remove(path)


def prepare(moves: Sequence[Move], made_here: str) -> None:
    """Make the parents of all final paths; give staged files the permissions of files made there.

    Parameters
    ----------
    moves : sequence of Move
        What will be moved.
    made_here : str
        A folder that this process made: its mode tells the umask, with no race between threads.
    """
    parents: dict[str, os.stat_result] = {}
    for move in moves:
        folder = move.final.rpartition(os.sep)[0]
        parent = parents.get(folder)
        if parent is None:
            try:
                parent = os.stat(folder)
            except FileNotFoundError:
                os.makedirs(folder, exist_ok=True)
                parent = os.stat(folder)
            parents[folder] = parent
        mode = move.state.st_mode
        if parent.st_mode & S_ISGID or not (S_ISREG(mode) and mode & 0o077):
            _settle(move.staged, move.state, os.stat(made_here).st_mode & 0o777, parent)


def move_all(moves: Sequence[Move], attempt: str) -> None:
    """Move one after the other; on any failure move back what was moved.

    Parameters
    ----------
    moves : sequence of Move
        In the order in which they shall be seen. Of several, each former version is kept until the last one
        is in place.
    attempt : str
        Makes the names of copies and former versions unique.
    """
    if len(moves) == 1 and not S_ISDIR(moves[0].state.st_mode):
        try:
            os.replace(moves[0].staged, moves[0].final)  # atomic by itself: nothing to take back
        except OSError:  # a folder in its place, another file system: the long way, or the same error again
            pass
        else:
            return
    done: list[_Progress] = []
    whole = False
    try:
        for move in moves:
            done.append(_Progress(move))
            _move_one(done[-1], attempt)
        whole = True
    finally:  # also on Ctrl-C, which must not leave one of two outputs behind
        if not whole:
            for progress in reversed(done):  # pragma: no branch (an error is on its way)
                _take_back(progress)
    for progress in done:
        if progress.backup is not None:
            remove(progress.backup)
        if progress.is_copied:
            remove(progress.move.staged)  # else the next attempt would find it in the folder it takes over


def _move_one(progress: _Progress, attempt: str) -> None:
    staged, final, state = progress.move
    if os.path.lexists(final):
        may_link = not S_ISDIR(state.st_mode)
        progress.backup = _set_aside(final, beside(final, attempt, "old"), may_link)
    progress.is_copied = _rename(staged, final, attempt)
    progress.placed = True


def _set_aside(final: str, backup: str, may_link: bool) -> str:
    """Keep the former version under another name; a file stays visible under its own as well."""
    if may_link and not _is_folder(final):
        try:
            os.link(final, backup, follow_symlinks=False)
        except OSError:  # a file system without links, a file of somebody else
            pass
        else:
            return backup
    os.replace(final, backup)
    return backup


def _rename(staged: str, final: str, attempt: str) -> bool:
    """Replace, by way of a copy beside the target when that is on another file system; says whether it is a copy."""
    try:
        patiently(os.replace, staged, final)
        return False
    except OSError as error:
        if error.errno != EXDEV:
            raise
        part = beside(final, attempt, "part")
        try:
            copy(staged, part)
            os.replace(part, final)
        finally:
            remove(part)
        return True


def patiently(call: Callable[_Given, _Result], *arguments: _Given.args, **options: _Given.kwargs) -> _Result:
    """Call, and again a few times where a network drive says that it lost the thread: no error of what was asked."""
    for pause in _PAUSES:
        try:
            return call(*arguments, **options)
        except OSError as error:
            if error.errno not in (ESTALE, EAGAIN, EINTR):
                raise
        time.sleep(pause)
    return call(*arguments, **options)


def _take_back(progress: _Progress) -> None:
    """Undo one move as far as the file system lets us; the former version stays beside if it does not."""
    staged, final, _ = progress.move
    try:
        if progress.placed:
            if progress.is_copied:
                remove(final)
            else:
                os.replace(final, staged)
        if progress.backup is not None:
            os.replace(progress.backup, final)
            remove(progress.backup)  # renaming one of two links to one file does nothing
    except OSError:
        pass


def _settle(path: str, state: os.stat_result, allowed: int, parent: os.stat_result) -> None:
    """Give a staged file or folder the permissions and group it would have had if made in its place.

    A private mode (as `tempfile` gives) is widened to what the umask allows; any other is left as it is.
    """
    mode = wanted = S_IMODE(state.st_mode)
    is_folder = S_ISDIR(state.st_mode)
    if is_folder:
        for name in os.listdir(path):
            child = path + os.sep + name
            _settle(child, os.lstat(child), allowed, parent)
    elif not S_ISREG(state.st_mode):
        return
    if not mode & 0o077:
        wanted |= allowed if is_folder else allowed & (0o666 if mode & 0o200 else 0o444)
    try:
        if parent.st_mode & S_ISGID:
            if state.st_gid != parent.st_gid:
                os.chown(path, -1, parent.st_gid)
            if is_folder:
                wanted |= S_ISGID
        if wanted != mode:
            os.chmod(path, wanted)
    except OSError:  # a file system without permissions, or a group that is not ours to give
        pass


def _is_folder(path: str) -> bool:
    return os.path.isdir(path) and not os.path.islink(path)


def sync(path: str, deep: bool = False) -> None:
    """Sync a file or a folder to the disk, ``deep`` with all that is in the folder; links are left alone."""
    if os.path.islink(path):
        return
    if deep and os.path.isdir(path):
        for name in os.listdir(path):
            sync(path + os.sep + name, deep)
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def copy(source: str, target: str) -> None:
    """Copy a file, a link or a folder with its times and permissions."""
    import shutil  # heavy, and only needed across file systems

    if _is_folder(source):
        shutil.copytree(source, target, symlinks=True)
    else:
        shutil.copy2(source, target, follow_symlinks=False)


def remove(path: str) -> None:
    """Remove a file or a folder, if it is there; what refuses is left."""
    try:
        os.unlink(path)
    except FileNotFoundError:
        pass
    except OSError:
        if not _is_folder(path):
            return
        import shutil

        for folder, _, _ in os.walk(path):
            try:
                os.chmod(folder, 0o700)  # a script may have left folders without write permission
            except OSError:
                pass
        shutil.rmtree(path, ignore_errors=True)
