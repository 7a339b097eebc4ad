"""Executors that are lent to runs."""

from __future__ import annotations

from typing import Any

from sinagot.engine.executors.pool import ExecutorPool


class Fake:
    """An executor that only begins and ends."""

    def __init__(self) -> None:
        self.is_usable = True
        self.closed = 0

    def close(self) -> None:
        self.closed += 1


def lend(pool: ExecutorPool, key: str) -> Any:
    """Lend a fake executor."""
    return pool.lend(key, Fake)  # type: ignore[arg-type]


def test_executor_is_kept_for_the_next_run() -> None:
    """A run gets the executor of an earlier run with the same wishes, and of no other."""
    pool = ExecutorPool()
    with lend(pool, "a") as first:
        pass
    with lend(pool, "a") as again, lend(pool, "b") as other:
        assert again is first
        assert other is not first


def test_two_runs_at_a_time_get_one_each() -> None:
    """While an executor works for one run, another run gets one of its own."""
    pool = ExecutorPool()
    with lend(pool, "a") as first, lend(pool, "a") as second:
        assert first is not second
    pool.close()
    assert (first.closed, second.closed) == (1, 1)


def test_executor_that_is_gone_is_replaced() -> None:
    """An executor whose place is gone is ended, and the next run gets a new one."""
    pool = ExecutorPool()
    with lend(pool, "a") as first:
        first.is_usable = False
    assert first.closed == 1
    with lend(pool, "a") as second:
        assert second is not first
    second.is_usable = False
    with lend(pool, "a") as third:
        assert third is not second
    assert (second.closed, third.closed) == (1, 0)


def test_close_ends_all_once() -> None:
    """Closing ends also what is lent, once; a run that gives its executor back later does not keep it."""
    pool = ExecutorPool()
    with lend(pool, "a") as executor:
        pool.close()
    pool.close()
    assert executor.closed == 1
    with lend(pool, "a") as another:
        assert another is not executor
