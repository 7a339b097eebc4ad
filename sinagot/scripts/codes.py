"""The status codes of a step: integers that stand in log files and in users' code.

Knows the numbers and nothing else; must not know how a status is found out (`sinagot.engine.planning.status` does
that). Every layer that speaks of a step's state uses these names; `sinagot.utils` exports them too.
"""

from __future__ import annotations

from enum import IntEnum

__all__ = ["StepStatus"]


class StepStatus(IntEnum):
    """State of a step; the values never change, since they are written to log files.

    Examples
    --------
    >>> StepStatus.DONE == 30, StepStatus(41).name
    (True, 'DATA_NOT_AVAILABLE')
    >>> f"{StepStatus.ERROR}"
    '40'
    """

    INIT = 0
    DATA_READY = 10
    PROCESSING = 20
    DONE = 30
    OUTDATED = 31
    ERROR = 40
    DATA_NOT_AVAILABLE = 41
    INTERRUPTED = 42
    BLOCKED = 43
    EXCLUDED = 50
