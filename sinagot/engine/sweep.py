"""Clears away what dead processes left: their owner files and private stages.

Knows names in the state folder; must not know jobs. Called when a run begins and when a dead process's job is taken
over; what a live process owns is left alone, and so is everything whose owner cannot be judged from this host.
"""

from __future__ import annotations

import contextlib
import os

from sinagot.engine.claims import Owner, dead_owner_files, held_claims, live_owners
from sinagot.engine.history import Writer, event_path, taken_from

__all__ = ["sweep"]


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
    stages = _names(stage_base)
    for path in dead_owner_files(state):
        with contextlib.suppress(OSError):
            os.unlink(path)
    if not stages:
        return
    kept = {f"{owner.run_id}-{owner.pid}" for owner in live_owners(state)}
    # Who takes over a dead claim may find in the stage all that the dead attempt had committed.
    dead = {owner for owner, is_live in held_claims(state).values() if owner is not None and not is_live}
    kept |= {f"{run_id}-{pid}" for run_id, _, pid in _traces(state, dead)}
    for name in stages:
        if _maker(name) not in kept:
            _remove(f"{stage_base}/{name}")


def _traces(state: str, dead: set[Owner]) -> set[Writer]:
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


def _remove(path: str) -> None:
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


def _names(folder: str) -> list[str]:
    try:
        return os.listdir(folder)
    except OSError:
        return []
