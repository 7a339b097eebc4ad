"""Atomic outputs: a private stage per attempt, published as one or not at all.

Knows what is staged and where it belongs; must not know records, steps, claims or logs.
Stands between a script's ``run()`` (which writes below `Stage.path`) and the final files that readers see.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from stat import S_ISDIR, S_ISLNK, S_ISREG
from typing import NamedTuple

from sinagot.dataset.moves import Move, beside, move_all, prepare, remove
from sinagot.dataset.moves import sync as flush
from sinagot.dataset.prints import digest_within, holds_file, state_of
from sinagot.dataset.stages import StageFolder
from sinagot.errors import BadOutputError, ForeignFileError, MissingOutputError

__all__ = ["Fingerprint", "Published", "Stage", "fingerprint", "written_in_place"]

#: Size, mtime_ns and inode of a file; the size of a folder counts as 0.
Fingerprint = tuple[int, int, int]


def fingerprint(path: str) -> Fingerprint | None:
    """Return what tells one version of a file or folder from another.

    Parameters
    ----------
    path : str
        A file or folder; links are followed.

    Returns
    -------
    tuple of int or None
        Size (0 for a folder), mtime_ns and inode; ``None`` when nothing is there (as behind a dangling link).

    Notes
    -----
    One stat. That of a folder changes when an entry is added or removed, not when a file in it is written.

    Examples
    --------
    >>> fingerprint("no such file") is None
    True
    """
    found = state_of(path)
    if found is None:
        return None
    return 0 if S_ISDIR(found.st_mode) else found.st_size, found.st_mtime_ns, found.st_ino


class Published(NamedTuple):
    """What one attempt put into place.

    Attributes
    ----------
    outputs : tuple of (str, int, int)
        Final path, size (0 for a folder) and mtime_ns of each declared output, then of each optional one that
        was written.
    extras : tuple of str
        Final paths of the undeclared files that moved along.
    in_place : tuple of str
        Declared outputs that the script wrote round the stage, straight to their final path.
    """

    outputs: tuple[tuple[str, int, int], ...]
    extras: tuple[str, ...]
    in_place: tuple[str, ...]


class Stage(StageFolder):
    """The private folder of one attempt, whose content is published as one or not at all.

    Notes
    -----
    One small output costs one rename for the folder (where an earlier attempt left one like it; else one mkdir a
    level), a listing of each of its levels before and after, four stats and one rename for the output.
    """

    __slots__ = ()

    def publish(
        self,
        outputs: Sequence[str],
        optional: Sequence[str] = (),
        *,
        may_replace: Callable[[str], bool],
        before: Mapping[str, Fingerprint | None],
        commit: Callable[[tuple[tuple[str, int, int], ...]], None] | None = None,
        sync: bool = False,
        nonempty: bool = False,
    ) -> Published:
        """Move everything staged into place: all of it, or nothing.

        Parameters
        ----------
        outputs : sequence of str
            Final paths that must be there: staged, or written in place since `before`.
        optional : sequence of str
            Final paths that are published when staged.
        may_replace : callable
            Asked for each undeclared file whose final path exists: did this job publish that file before?
        before : mapping
            `fingerprint` of each output when the attempt began; an absent key means an absent file.
        commit : callable, optional
            Called when all checks passed and before the first move, with final path, size and mtime_ns of all
            that will move: the place to write the intent down and to look at the claim again. What it raises
            stops the publication with nothing moved.
        sync : bool, default False
            Sync files before `commit` is called, and their folders after the last move.
        nonempty : bool, default False
            Refuse empty files, and folders without any file, among `outputs` and `optional`.

        Returns
        -------
        Published
            What is in place now.

        Raises
        ------
        MissingOutputError
            Declared outputs were not written.
        BadOutputError
            Something staged is neither file nor folder, or is a link that leads elsewhere or nowhere; or is empty.
        ForeignFileError
            An undeclared file would replace one that this job did not publish.
        OSError
            The file system refused; what was moved has been moved back.

        Notes
        -----
        Undeclared files move first and declared outputs last: whoever sees an output sees what belongs to it.
        Of several outputs, the former versions are kept beside them until the last one is in place.
        """
        moves, in_place = self._check_outputs(outputs, optional, before)
        if nonempty:
            empty = [move.final for move in moves if _is_void(move)]
            _refuse(empty + [final for final in in_place if _is_empty(final, fingerprint(final))])
        extras = self._check_extras({move.staged for move in moves}, may_replace)
        in_order = extras + _outermost(moves)[::-1]
        prepare(in_order, self.folder)
        if sync:
            for move in in_order:
                flush(move.staged, deep=True)
        if commit is not None:
            commit(tuple(move.facts for move in in_order))
        move_all(in_order, self._attempt)
        if sync:
            for folder in {os.path.dirname(move.final) for move in in_order}:
                flush(folder)
        facts = [_facts_in_place(move) for move in moves]
        if in_place:
            facts += [(final, *_known(final)[:2]) for final in in_place]
            facts.sort(key=lambda fact: outputs.index(fact[0]) if fact[0] in outputs else len(outputs))
        return Published(tuple(facts), tuple([move.final for move in extras]), tuple(in_place))

    def recover(
        self, committed: Iterable[tuple[str, int, int]], digests: Mapping[str, str] | None = None
    ) -> bool:
        """Finish or take back a publication that was cut short after its `commit` call.

        Parameters
        ----------
        committed : iterable of (str, int, int)
            What `commit` was called with.
        digests : mapping, optional
            Final path -> digest of its content, where one is known.

        Returns
        -------
        bool
            True when everything committed is in place now; False when something of it was damaged or gone,
            and what had been moved was taken back.

        Notes
        -----
        May itself be cut short and repeated. Files are known by size and mtime_ns, and by their digests where given.
        """
        known = digests or {}
        plain = [(final, self._twin(final), size, mtime_ns) for final, size, mtime_ns in committed]
        waiting = [(f, s) for f, s, size, mtime_ns in plain if _matches(s, size, mtime_ns, known.get(f))]
        placed = {f for f, _, size, mtime_ns in plain if _matches(f, size, mtime_ns, known.get(f))}
        whole = placed.union(f for f, _ in waiting) == {f for f, *_ in plain}
        if whole:
            moves = [Move(s, f, os.lstat(s)) for f, s in waiting if f not in placed]
            for move in moves:
                os.makedirs(os.path.dirname(move.final), exist_ok=True)
            move_all(moves, self._attempt)
        for final, *_ in plain:
            backup = beside(final, self._attempt, "old")
            if not whole:
                if final in placed:
                    remove(final)
                if os.path.lexists(backup) and not os.path.lexists(final):
                    os.replace(backup, final)
            remove(backup)
            remove(beside(final, self._attempt, "part"))
        return whole

    def _check_outputs(
        self, outputs: Sequence[str], optional: Sequence[str], before: Mapping[str, Fingerprint | None]
    ) -> tuple[list[Move], list[str]]:
        """Return the declared outputs to move and those written in place."""
        moves: list[Move] = []
        in_place: list[str] = []
        missing: list[str] = []
        for final in dict.fromkeys(outputs):
            staged = self._twins.get(final) or self._twin(final)
            try:
                state = os.lstat(staged)
            except (FileNotFoundError, NotADirectoryError):
                now = fingerprint(final)
                if now is None or now == before.get(final):
                    missing.append(final)
                elif os.path.isfile(final) or os.path.isdir(final):
                    in_place.append(final)
                else:
                    raise _bad_kind(final) from None
            else:
                if not S_ISREG(state.st_mode):
                    self._check_kind(staged, final, state)
                moves.append(Move(staged, final, state))
        if missing:
            what = "declared output was" if len(missing) == 1 else "declared outputs were"
            raise MissingOutputError(f"{what} not written: {', '.join(missing)}", paths=tuple(missing))
        for final in dict.fromkeys(optional):
            staged = self._twins.get(final) or self._twin(final)
            if final not in outputs and os.path.lexists(staged):
                state = os.lstat(staged)
                self._check_kind(staged, final, state)
                moves.append(Move(staged, final, state))
        return moves, in_place

    def _check_extras(self, declared: set[str], may_replace: Callable[[str], bool]) -> list[Move]:
        """Return the undeclared files to move."""
        moves = []
        for staged in self._find_extras(declared):
            final = self.final(staged)
            assert final is not None
            state = os.lstat(staged)
            self._check_kind(staged, final, state)
            if os.path.lexists(final) and not may_replace(final):
                raise ForeignFileError(
                    f"the script wrote {final}, which it does not declare and others made; "
                    "nothing was published, so that this file is kept. Declare it in PATH_OUT, give it a name "
                    "of its own, or set ATOMIC = False on the script to write to the final paths directly",
                    paths=(final,),
                )
            moves.append(Move(staged, final, state))
        return sorted(moves)

    def _find_extras(self, declared: set[str]) -> list[str]:
        """Return every file in the stage that is no declared output and in none."""
        extras = []
        folders = [self.folder]
        while folders:
            folder = folders.pop()
            try:
                names = os.listdir(folder)
            except FileNotFoundError:  # nothing was asked for, or the script removed it
                continue
            for name in names:
                path = folder + os.sep + name
                if path in declared:
                    continue
                if path in self._folders or (os.path.isdir(path) and not os.path.islink(path)):
                    folders.append(path)
                else:
                    extras.append(path)
        return extras

    def _check_kind(self, staged: str, final: str, state: os.stat_result) -> None:
        """Refuse what is neither file, folder nor a link that stays below the root."""
        if S_ISREG(state.st_mode):
            return
        if S_ISDIR(state.st_mode):
            with os.scandir(staged) as entries:
                others = [entry for entry in entries if not entry.is_file(follow_symlinks=False)]
            for entry in others:
                self._check_kind(entry.path, os.path.join(final, entry.name), os.lstat(entry.path))
        elif S_ISLNK(state.st_mode):
            self._check_link(staged, final)
        else:
            raise _bad_kind(final)

    def _check_link(self, staged: str, final: str) -> None:
        """Refuse a link that, once in place, would lead out of the root or nowhere."""
        text = os.readlink(staged)
        target = os.path.normpath(os.path.join(os.path.dirname(final), text))
        twin = os.path.normpath(os.path.join(os.path.dirname(staged), text))
        if not target.startswith(self._prefixes) or target.startswith(self.folder + os.sep):
            raise BadOutputError(f"{final} is a link that leads elsewhere: {text}", paths=(final,))
        moves_along = twin.startswith(self.folder + os.sep) and os.path.exists(twin)
        if not (moves_along or os.path.exists(target)):
            raise BadOutputError(f"{final} is a link that leads nowhere: {text}", paths=(final,))


def written_in_place(
    outputs: Sequence[str], optional: Sequence[str] = (), *, nonempty: bool = False
) -> Published:
    """Look at outputs that a script keeps under their final names.

    Parameters
    ----------
    outputs, optional : sequence of str
        Final paths that must be there, and those that may be.
    nonempty : bool, default False
        Refuse empty files, and folders without any file.

    Raises
    ------
    MissingOutputError
        Declared outputs are not there.
    BadOutputError
        Something is empty.
    """
    facts = [(final, fingerprint(final)) for final in outputs]
    missing = [final for final, found in facts if found is None]
    if missing:
        raise MissingOutputError(
            f"declared output was not written: {', '.join(missing)}", paths=tuple(missing)
        )
    if nonempty:
        looked_at = [*facts, *((final, fingerprint(final)) for final in optional)]
        _refuse([final for final, found in looked_at if _is_empty(final, found)])
    return Published(tuple((final, *found[:2]) for final, found in facts if found is not None), (), ())


def _refuse(empty: Sequence[str]) -> None:
    if empty:
        text = ", ".join(f"{final} is empty" for final in empty)
        raise BadOutputError(f"{text} (the step says `nonempty`)", paths=tuple(empty))


def _is_empty(path: str, found: Fingerprint | None) -> bool:
    """Say of a fingerprint, in which folders have no size, whether nothing is in what it was taken of."""
    return found is not None and not found[0] and not holds_file(path)


def _is_void(move: Move) -> bool:
    """Say whether what is staged is empty; a link is judged by what it leads to, from here or from its place."""
    if S_ISLNK(move.state.st_mode):
        path = move.staged
        if not os.path.exists(path):
            path = os.path.join(os.path.dirname(move.final), os.readlink(path))
        return _is_empty(path, fingerprint(path))
    return not move.facts[1] and not holds_file(move.staged)


def _bad_kind(final: str) -> BadOutputError:
    return BadOutputError(f"{final} is neither a file nor a folder", paths=(final,))


def _outermost(moves: list[Move]) -> list[Move]:
    """Leave out what lies in a declared folder that moves as one."""
    folders = tuple(move.staged + os.sep for move in moves if S_ISDIR(move.state.st_mode))
    return [move for move in moves if not move.staged.startswith(folders)] if folders else moves


def _facts_in_place(move: Move) -> tuple[str, int, int]:
    """Return the facts as `fingerprint` will see them: of a link, those of its target."""
    if S_ISREG(move.state.st_mode):
        return move.facts
    return (move.final, *_known(move.final)[:2])


def _known(final: str) -> Fingerprint:
    found = fingerprint(final)
    if found is None:  # removed by somebody else in this very moment
        raise MissingOutputError(f"output was removed while it was published: {final}", paths=(final,))
    return found


def _matches(path: str, size: int, mtime_ns: int, digest: str | None) -> bool:
    try:
        state = os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return False
    if Move("", path, state).facts != (path, size, mtime_ns):
        return False
    return digest is None or digest_within(path, None) == digest
