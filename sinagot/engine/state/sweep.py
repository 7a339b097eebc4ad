"""Clears away what dead processes left: their owner files, private stages, and what they kept and no mark names.

Knows names in the state folder; must not know jobs. Called when a run begins and when a dead process's job is taken
over; what a live process owns is left alone, and so is everything whose owner cannot be judged from this host.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

from sinagot.engine.state.history import Writer, event_path, taken_from
from sinagot.engine.state.kept import failed_folders, kept_names, names_in
from sinagot.engine.state.owners import Owner, dead_owner_files, held_claims, live_owners

__all__ = ["litter", "remove_litter", "run_of", "sweep", "traces"]


def sweep(state: str, stage_base: str) -> None:
    """Remove the litter of dead processes.

    Parameters
    ----------
    state : str
        The state folder.
    stage_base : str
        Folder of the stages; each is named by run, process and number of its attempt.
    """
    # Stages are listed before owners are judged: a process shows its owner file before it makes its first stage.
    places = _places(state, stage_base)
    for path in dead_owner_files(state):
        with contextlib.suppress(OSError):
            os.unlink(path)
    for path in _unowned(state, *places):
        remove_litter(path)


def litter(state: str, stage_base: str) -> list[str]:
    """List what `sweep` would remove of stages, and of what is kept of failed attempts."""
    return list(_unowned(state, *_places(state, stage_base)))


def _places(state: str, stage_base: str) -> tuple[list[str], list[str]]:
    failed = [f"{folder}/{name}" for folder in failed_folders(state, stage_base) for name in names_in(folder)]
    return [f"{stage_base}/{name}" for name in names_in(stage_base)], failed


def _unowned(state: str, stages: list[str], failed: list[str]) -> Iterator[str]:
    if not (stages or failed):
        return
    kept = {f"{owner.run_id}-{owner.pid}" for owner in live_owners(state)}
    # Who takes over a dead claim may find in the stage all that the dead attempt had committed.
    dead = {owner for owner, is_live in held_claims(state).values() if owner is not None and not is_live}
    kept |= {f"{run_id}-{pid}" for run_id, _, pid in traces(state, dead)}
    yield from (path for path in stages if _maker(os.path.basename(path)) not in kept)
    # Marks are read after owners were judged: who has ended since has set the marks it meant to.
    wanted = kept_names(state) if failed else None
    if wanted is not None:
        for path in failed:
            name = os.path.basename(path)
            if _maker(name) not in kept and name not in wanted and _is_of(state, name):
                yield path


def traces(state: str, dead: set[Owner]) -> set[Writer]:
    """Give dead processes, and those whose jobs they had taken over before they could do anything about them."""
    found: set[Writer] = set()
    pending = [(owner.run_id, owner.host, owner.pid) for owner in dead]
    while pending:
        writer = pending.pop()
        if writer not in found:
            found.add(writer)
            pending += taken_from(event_path(state, *writer))
    return found


def _maker(name: str) -> str:
    """Give run and process of a stage: of one that was taken over, those of the taker.

    Examples
    --------
    >>> _maker("run-7-1"), _maker("other-9-2~run-7-1")
    ('run-7', 'other-9')
    """
    return name.partition("~")[0].rpartition("-")[0]


def run_of(name: str) -> str:
    """Give the run of a stage, or of what is kept of a failed attempt."""
    return _maker(name).rpartition("-")[0]


def _is_of(state: str, name: str) -> bool:
    """Say whether an attempt is of a run of this state folder: another workspace may write to the same outputs."""
    return name.startswith("swept-") or os.path.isdir(f"{state}/runs/{run_of(name)}")


def remove_litter(path: str) -> None:
    """Remove a stage in one step as others see it: who would adopt it finds all of it, or nothing."""
    import shutil

    folder, name = os.path.split(path)
    gone = f"{folder}/swept-{os.getpid()}-{os.urandom(4).hex()}~"
    if not name.startswith("swept-"):
        try:
            os.rename(path, gone)
        except OSError:  # adopted, or swept by somebody else
            return
        path = gone
    shutil.rmtree(path, ignore_errors=True)
