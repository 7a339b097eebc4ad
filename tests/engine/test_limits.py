"""What an attempt may use, as far as its own process has a say."""

from __future__ import annotations

import os
import time
from typing import Any

import pytest

from sinagot.config.settings import StepSettings
from sinagot.engine import limits
from sinagot.engine.job import Job, JobResult, JobStep, Outcome
from sinagot.engine.limits import Began, FailureCount, Overrun, Watcher, end_overrun, is_bloated, limited
from sinagot.engine.meter import Meter


def job(**settings: Any) -> Job:
    """Make a job with nothing but settings."""
    step = JobStep("a", None, None, None, True, StepSettings(**settings))  # type: ignore[arg-type]
    return Job("R/a", "R", step, "", "", None, (), None)  # type: ignore[arg-type]


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[Began | None]:
    """Give what a watcher is told."""
    told: list[Began | None] = []
    monkeypatch.setattr(limits, "_watchers", [Watcher(told.append, lambda serial: 7e6 if serial else 0.0)])
    return told


def test_job_without_limits_costs_nothing(told: list[Began | None]) -> None:
    """Nobody is told of a job without limits, and nothing is looked up for it."""
    one, other = limited(job(), "1", Meter()), limited(job(retries=2), "2", Meter())
    with one:
        pass
    assert one is other and told == []


def test_threads_hold_for_the_script_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """The variables of numeric libraries are set while the script runs, and put back as they were."""
    monkeypatch.setenv("OMP_NUM_THREADS", "9")
    monkeypatch.delenv("MKL_NUM_THREADS", raising=False)
    before = dict(os.environ)
    with limited(job(threads=2), "1", Meter()):
        assert {os.environ[name] for name in limits.THREAD_VARIABLES} == {"2"}
    assert dict(os.environ) == before


def test_watcher_hears_begin_and_end(told: list[Began | None]) -> None:
    """Of a job with limits the watcher learns when it begins and when its script has returned; the meter its peak."""
    meter = Meter()
    with limited(job(timeout=60.0, memory=10**9), "the attempt", meter):
        (began,) = told
        assert isinstance(began, Began)
        assert began[:2] == ("R/a", "the attempt") and began[3:5] == (60.0, 10**9)
        end_overrun()  # it is in time: nothing happens
    assert told[1:] == [None] and meter.outside_peak == 7e6


def test_result_that_comes_too_late_is_none(told: list[Began | None]) -> None:
    """A script that is over its time is ended by the signal, and fails too when it heard of nothing."""
    with pytest.raises(Overrun, match=r"took longer than 0\.01 s"), limited(job(timeout=0.01), "1", Meter()):
        time.sleep(0.02)
    with pytest.raises(Overrun), limited(job(timeout=0.01), "2", Meter()):
        time.sleep(0.02)
        end_overrun()
    with pytest.raises(Overrun), limited(job(timeout=0.01), "3", Meter()):
        time.sleep(0.02)
        raise ValueError("what it waited for was ended")
    end_overrun()  # nothing runs
    assert len(told) == 6


def test_large_process_judges_nobody() -> None:
    """A process that is half as large as a limit is too large for a job with that limit; others do not care."""
    assert is_bloated(StepSettings(memory=1 << 20))
    assert not is_bloated(StepSettings(memory=1 << 50)) and not is_bloated(StepSettings())


def test_failures_count_when_they_are_final() -> None:
    """A job that is tried again has not failed yet; without a number nothing is too many."""
    count = FailureCount(2)
    for retry in (1.0, None, None):
        assert not count.is_full
        count.note(JobResult("k", Outcome.FAILED, retry=retry))
    assert count.is_full
    free = FailureCount(None)
    free.note(JobResult("k", Outcome.FAILED))
    assert not free.is_full
