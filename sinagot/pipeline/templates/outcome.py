"""What `Pipeline.execute` gives: a status, a context, and no exception for a stage that failed.

Knows plain data only.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from typing import Any

__all__ = ["Result", "Status"]


class Status(IntEnum):
    """How an execution ended."""

    SUCCESS = 0
    FAILED = 1
    WAIT = 2
    SKIP = 3
    CANCEL = 4


class Result:
    """What an execution came to.

    Parameters
    ----------
    status : Status
        0 for success, 1 for failure.
    context : mapping
        ``params``, and ``jobs`` with the outputs and errors of their stages.
    run_id : str
        Name of the run, as in the log.
    error : BaseException or None
        Why it failed.

    Examples
    --------
    >>> result = Result(Status.SUCCESS, {"jobs": {}}, "r1")
    >>> result.status == 0, result.ok, result
    (True, True, <Result SUCCESS | run r1>)
    """

    __slots__ = ("context", "error", "run_id", "status")

    def __init__(
        self, status: Status, context: Mapping[str, Any], run_id: str, error: BaseException | None = None
    ) -> None:
        self.status = status
        self.context = dict(context)
        self.run_id = run_id
        self.error = error

    @property
    def ok(self) -> bool:
        """It has not failed."""
        return self.status in (Status.SUCCESS, Status.SKIP)

    def __repr__(self) -> str:
        return f"<Result {self.status.name} | run {self.run_id}>"
