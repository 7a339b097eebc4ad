"""A program that uses a history as services do: tests start it, and kill it.

python -m tests.schedule.history.actor race STATE URL 8     so many processes decide about the same ticks
python -m tests.schedule.history.actor open STATE URL 4     so many processes open it at the same time
python -m tests.schedule.history.actor steady STATE URL x   decides about one tick after the other
"""

from __future__ import annotations

import importlib
import json
import os
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from sinagot.schedule.history.contract import History
from sinagot.schedule.history.facts import Decision, Launch, Origin, State, Verdict
from sinagot.schedule.history.opening import open_history

__all__ = ["BEGIN", "a_pair", "tick"]

BEGIN = datetime(2026, 3, 1, 12, tzinfo=UTC)


def tick(number: int) -> datetime:
    """Give the tick of a minute."""
    return BEGIN + timedelta(minutes=number)


def a_pair(run_id: str, number: int = 0, schedule: str = "hourly") -> tuple[Decision, Launch]:
    """Give a decision, and the launch that it asks for."""
    time = tick(number)
    decision = Decision(schedule, time, Verdict.FIRED, "due", time, f"service of {run_id}", run_id)
    return decision, Launch(
        run_id, schedule, Origin.SCHEDULE, State.QUEUED, time, schedule=schedule, tick=time
    )


def race(history: History, name: str) -> None:
    """Decide about ticks of two schedules that others decide about too; print those that were won."""
    won = []
    for minute in range(10):
        for schedule in ("one", "other"):
            decision, launch = a_pair(f"{name}-{schedule}-{minute}", minute, schedule)
            if history.decide(decision, launch):
                won.append(launch.run_id)
    os.write(1, f"{json.dumps(won)}\n".encode())


def steady(history: History, name: str) -> None:
    """Decide until somebody kills this process, and go on with each launch; say what is on record."""
    os.write(1, b"ready\n")
    for minute in range(1_000_000):
        decision, launch = a_pair(f"{name}-{minute}", minute)
        if history.decide(decision, launch):
            os.write(1, f"decided {launch.run_id}\n".encode())
            running = history.change(launch, state=State.RUNNING, service=name)
            assert running is not None
            if minute % 2:
                assert history.change(running, state=State.DONE) is not None
                os.write(1, f"over {launch.run_id}\n".encode())


def part_of_many(number: int, begin: Callable[[], None]) -> int | None:
    """Fork; give each child its number when all of them have come so far, and None to the parent when they have ended."""
    ready, go = os.pipe(), os.pipe()
    children = []
    for child in range(number):
        children.append(os.fork())
        if children[-1] == 0:
            os.close(go[1])
            begin()
            os.write(ready[1], b"r")
            os.read(go[0], 1)  # its end is the sign
            return child
    for _ in children:
        os.read(ready[0], 1)
    os.close(go[0])
    os.close(go[1])
    assert [os.waitpid(child, 0)[1] for child in children] == [0] * number
    return None


def patient_history(state: str, url: str) -> History:
    """Open a history that waits as long as it takes for its server."""
    if not url:
        return open_history(state)
    from sinagot.schedule.history.database import DatabaseHistory

    return DatabaseHistory(url, patience=300)


def main() -> None:
    """Do what the words say."""
    what, state, url, word = sys.argv[1:]
    opened: list[History] = []
    if url:  # loaded once for all
        for module in (
            "sinagot.schedule.history.database",
            "alembic.command",
            "sqlalchemy.dialects.postgresql.psycopg",
            "psycopg",
        ):
            importlib.import_module(module)
    if what == "race":
        number = part_of_many(int(word), lambda: opened.append(open_history(state, url or None)))
        if number is not None:
            race(opened[0], f"racer{number}")
            os._exit(0)
    elif what == "open":
        if part_of_many(int(word), lambda: None) is not None:
            open_history(state, url or None).close()
            os.write(1, b"opened\n")
            os._exit(0)
    else:
        steady(patient_history(state, url), word)


if __name__ == "__main__":
    main()
