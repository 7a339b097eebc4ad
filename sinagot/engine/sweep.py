"""Clears away what dead processes left: their owner files and private stages.

Knows names in the state folder; must not know jobs. Called when a run begins and when a dead process's job is taken
over; what a live process owns is left alone, and so is everything whose owner cannot be judged from this host.
"""

from __future__ import annotations

import contextlib
import os

from sinagot.engine.claims import dead_owner_files, live_owners

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
    live = {f"{owner.run_id}-{owner.pid}" for owner in live_owners(state)}
    for name in stages:
        if name.rpartition("-")[0] not in live:
            import shutil

            shutil.rmtree(f"{stage_base}/{name}", ignore_errors=True)


def _names(folder: str) -> list[str]:
    try:
        return os.listdir(folder)
    except OSError:
        return []
