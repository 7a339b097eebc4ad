"""Whether a failed attempt is tried again within its run, and when.

Knows causes and the settings of steps; must not know executors. The one who puts a failure on record asks, so that
its mark can tell other runs that there is more to come.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping
from typing import Any

from sinagot.config.settings import StepSettings
from sinagot.engine.job import Cause, Job

__all__ = [
    "CAUSES",
    "DEFAULT_RETRY_ON",
    "DEFAULT_RETRY_WAIT",
    "LONGEST_WAIT",
    "kinds_of",
    "pause_before_retry",
    "pause_of",
    "waits_for_retry",
]

#: Words of `retry_on` that stand for more than one exception.
CAUSES = ("error", "timeout", "memory", "lost")
#: What is tried again when only `retries` is given. What used too much memory would do so again.
DEFAULT_RETRY_ON = ("error", "timeout", "lost")
#: Seconds before the first repetition.
DEFAULT_RETRY_WAIT = 5.0
#: Doubling ends here, unless more was asked for.
LONGEST_WAIT = 3600.0

#: Seconds that other runs give one that said it would try again.
_PATIENCE = 2.0

_KINDS = {
    "StepTimeoutError": "timeout",
    "StepMemoryError": "memory",
    "MemoryError": "memory",
    "WorkerLostError": "lost",
}
#: Another run has the job: it is theirs to try again.
_NEVER = ("SupersededError", "Interrupted")


def kinds_of(error: BaseException) -> set[str]:
    """Give the names of the classes that an exception belongs to, with and without their modules."""
    classes = [kind for kind in type(error).__mro__ if kind not in (object, BaseException, Exception)]
    return {kind.__qualname__ for kind in classes} | {
        f"{getattr(kind, '__module__', '')}.{kind.__qualname__}" for kind in classes
    }


def pause_before_retry(job: Job, cause: Cause, kinds: Collection[str] = ()) -> float | None:
    """Give the seconds until a failed job is tried again; None when it is not.

    Parameters
    ----------
    job : Job
        What failed; `tries` says how often it was tried before.
    cause : Cause
        Why.
    kinds : collection of str
        Names of the classes of the exception, see `kinds_of`; the name in the cause when there is none.

    Returns
    -------
    float or None
        `retry_wait`, doubled with each repetition.
    """
    return None if job.options.debug else pause_of(job.step.settings, job.tries, cause, kinds)


def pause_of(
    settings: StepSettings,
    tries: int,
    cause: Cause,
    kinds: Collection[str] = (),
    wait: float = DEFAULT_RETRY_WAIT,
) -> float | None:
    """Give the seconds until what failed is tried again; None when it is not.

    Parameters
    ----------
    settings : StepSettings
        Its settings.
    tries : int
        How often it was tried again before.
    cause : Cause
        Why it failed.
    kinds : collection of str
        Names of the classes of the exception.
    wait : float, seconds
        Before the first repetition, where `retry_wait` does not say it.
    """
    if not settings.retries or tries >= settings.retries:
        return None
    name = cause.exc_type.rpartition(".")[2]
    if name in _NEVER:
        return None
    asked = DEFAULT_RETRY_ON if settings.retry_on is None else settings.retry_on
    known = {_KINDS.get(name, "error"), name, cause.exc_type, *kinds}
    if known.isdisjoint(asked):
        return None
    first = wait if settings.retry_wait is None else settings.retry_wait
    return min(first * 2.0 ** min(tries, 60), max(first, LONGEST_WAIT))


def waits_for_retry(mark: Mapping[str, Any]) -> bool:
    """Say of a failure mark of another run whether that run still means to try the job again."""
    retry_at, at = float(mark.get("retry_at") or 0.0), float(mark.get("at") or 0.0)
    now = time.time()
    # A clock that was set back must not make anybody wait for longer than the other run does.
    return at - _PATIENCE <= now < retry_at + _PATIENCE
