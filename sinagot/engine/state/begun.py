"""Whether a dead process had begun the job that it held, or had only asked for it.

Knows claims and the log; must not know plans. A process takes the claim of a job before it looks whether another one
has done it meanwhile. Killed just then it leaves a dead claim on a job that needs nothing: what it did not write in the
log tells so.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import NamedTuple
from urllib.parse import unquote

from sinagot.engine.job import parse_key
from sinagot.engine.state.claims import KEPT, one_taker
from sinagot.engine.state.owners import Owner, held_claims, read_owner
from sinagot.runlog.read import newest_status
from sinagot.scripts.codes import StepStatus

__all__ = ["Claims", "drop_idle", "had_begun", "read_claims"]


def had_begun(owner: Owner | None, logs: str, key: str) -> bool:
    """Say whether the dead owner of a claim may have begun its job.

    Parameters
    ----------
    owner : Owner or None
        Who held it; None where that is not known.
    logs : str
        The log folder.
    key : str
        Key of the job.

    Returns
    -------
    bool
        False only where that is sure: the newest line of the step says that another process has done it. A script
        starts when its `Processing run` is in the log, and who does a job writes its last line before giving up the
        claim. After a power cut lines may be lost, and of another machine it is not known: then it may have begun.
    """
    place = parse_key(key)
    if owner is None or place is None or not owner.is_of_this_boot:
        return True
    try:
        newest = newest_status(logs, *place)
    except OSError:
        return True
    if newest is None or newest[0] != StepStatus.DONE:
        return True
    attempt = newest[1].get("attempt")
    return not isinstance(attempt, str) or attempt.startswith(f"{owner.run_id}-{owner.pid}-")


class Claims(NamedTuple):
    """The claims of a state folder, told apart."""

    #: File name -> (owner, whether it is to be honoured), of those that mean anything.
    open: dict[str, tuple[Owner | None, bool]]
    #: Those of dead processes that had not begun, and these: they mean nothing.
    idle: dict[str, Owner]


def read_claims(state: str, logs: str, names: Iterable[str] | None = None) -> Claims:
    """Read the claims that there are.

    Parameters
    ----------
    state, logs : str
        State folder and log folder.
    names : iterable of str, optional
        The file names that matter; all claims when not given.
    """
    found: dict[str, tuple[Owner | None, bool]] = held_claims(state, names)
    idle: dict[str, Owner] = {}
    for name, (owner, is_live) in found.items():
        is_cut = name[KEPT : KEPT + 1] == "~"  # the key can't be told from the name
        if owner is None or is_live or is_cut:
            continue
        if not had_begun(owner, logs, unquote(name, errors="surrogateescape")):
            idle[name] = owner
    for name in idle:
        del found[name]
    return Claims(found, idle)


def drop_idle(state: str, idle: Mapping[str, Owner]) -> None:
    """Remove claims that mean nothing; one that somebody has taken over meanwhile stays, whatever became of him.

    Parameters
    ----------
    state : str
        The state folder.
    idle : mapping of str to Owner
        See `Claims.idle`.
    """
    for name, owner in idle.items():
        with one_taker(f"{state}/locks/takeover"), suppress(OSError):
            if read_owner(f"{state}/claims/{name}")[0] == owner:
                os.unlink(f"{state}/claims/{name}")
