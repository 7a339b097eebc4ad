"""What became of ticks whose runs were tried again.

Knows launches of the history; must not know how they are shown.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sinagot.schedule.history.contract import History
    from sinagot.schedule.history.facts import Launch

__all__ = ["last_tries"]

#: Newest launches of a schedule among which further tries are looked for.
_MOST = 200


def last_tries(history: History, schedule: str) -> dict[datetime, Launch]:
    """Give the last tries of the ticks of a schedule that were tried again lately.

    Parameters
    ----------
    history : History
        Where they are on record.
    schedule : str
        Its name.
    """
    found: dict[datetime, Launch] = {}
    for one in history.launches(schedule=schedule, limit=_MOST)[0]:
        if one.tick is not None and one.attempt > (found[one.tick].attempt if one.tick in found else 1):
            found[one.tick] = one
    return found
