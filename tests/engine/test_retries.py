"""Which failures are tried again, and when."""

from __future__ import annotations

import time
from typing import Any, NamedTuple

import pytest

from sinagot.config.settings import StepSettings
from sinagot.engine.job import Cause, Job, JobStep
from sinagot.engine.retries import kinds_of, pause_before_retry, waits_for_retry


class Options(NamedTuple):
    """As much of the options of a run as matters here."""

    debug: bool = False


def pause(
    exc_type: str, *, tries: int = 0, debug: bool = False, error: BaseException | None = None, **said: Any
) -> float | None:
    """Ask for a cause."""
    step = JobStep("a", None, None, None, True, StepSettings(**said))  # type: ignore[arg-type]
    job = Job("R/a", "R", step, "", "", None, (), Options(debug), tries=tries)  # type: ignore[arg-type]
    return pause_before_retry(job, Cause(exc_type, "", ""), kinds_of(error) if error is not None else ())


@pytest.mark.parametrize(
    ("exc_type", "again"),
    [
        ("ValueError", True),
        ("StepTimeoutError", True),
        ("WorkerLostError", True),
        ("StepMemoryError", False),
        ("MemoryError", False),
        ("sinagot.errors.SupersededError", False),
        ("Interrupted", False),
    ],
)
def test_default_is_what_may_be_different_next_time(exc_type: str, again: bool) -> None:
    """With `retries` alone errors, timeouts and lost workers are tried again, but not what used too much memory."""
    assert (pause(exc_type, retries=1) is not None) == again
    assert pause(exc_type) is None and pause(exc_type, retries=0) is None


def test_causes_and_classes_can_be_named() -> None:
    """`retry_on` has words for causes, names of exceptions with or without module, and those of their parents."""
    assert pause("StepMemoryError", retries=1, retry_on=("memory",)) is not None
    assert pause("ValueError", retries=1, retry_on=("memory", "timeout", "lost")) is None
    assert pause("http.client.HTTPException", retries=1, retry_on=("HTTPException",)) is not None
    error = FileNotFoundError("x")
    assert pause("FileNotFoundError", retries=1, retry_on=("OSError",), error=error) is not None
    assert pause("FileNotFoundError", retries=1, retry_on=("ValueError",), error=error) is None
    assert pause("ValueError", retries=1, retry_on=()) is None


def test_pauses_double() -> None:
    """The pause doubles with each repetition, up to an hour or what was asked for."""
    said: dict[str, Any] = {"retries": 200, "retry_wait": 3.0}
    assert [pause("E", tries=tries, **said) for tries in range(4)] == [3.0, 6.0, 12.0, 24.0]
    assert pause("E", tries=199, **said) == 3600.0
    assert pause("E", retries=1, retry_wait=7200.0) == 7200.0
    assert pause("E", tries=200, **said) is None


def test_debugging_tries_once() -> None:
    """With debug the first failure is what the user wants to see."""
    assert pause("E", retries=3, debug=True) is None


def test_other_runs_wait_for_a_retry_but_not_for_ever() -> None:
    """The mark of a run that will try again is waited for until a little after it said it would."""
    now = time.time()
    assert waits_for_retry({"at": now, "retry_at": now + 5})
    assert not waits_for_retry({"at": now - 60, "retry_at": now - 50})
    assert not waits_for_retry({"at": now + 3600, "retry_at": now + 3700})  # a clock was set back
    assert not waits_for_retry({"at": now})
