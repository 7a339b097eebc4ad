"""Services that are killed, stopped and frozen, as programs of their own: runs live on, and each tick runs once."""

from __future__ import annotations

import signal
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import psutil
import pytest

from sinagot.schedule import launching
from sinagot.schedule.history.facts import State
from sinagot.schedule.programs import Program, send
from sinagot.testing import await_true
from tests.schedule.houses import ECHO, TEN, WAIT, FileClock, Lab, Servant, template

Make = Callable[..., Lab]
ELEVEN = TEN + timedelta(hours=1)


def with_file_clock(lab: Lab) -> Lab:
    """Give a lab a clock that other programs have too."""
    lab.clock = FileClock(lab.root / "clock.txt")
    lab.clock.set(ELEVEN + timedelta(seconds=1))
    return lab


def run_files(lab: Lab, name: str) -> int:
    """Count the runs of a pipeline in the state folder."""
    found = [path.read_text() for path in (lab.state / "runs").glob("*/run.json")]
    return sum(f'"pipeline": "{name}"' in text for text in found)


def is_running(lab: Lab, *names: str) -> bool:
    """Say whether each pipeline has one run, whose manifest is there."""
    return all(
        any(one.state == State.RUNNING and one.pid for one in lab.launches(name)) and run_files(lab, name)
        for name in names
    )


def test_a_service_that_is_killed_loses_no_run(make_lab: Make) -> None:
    """After kill -9 the next service watches a run on that lives, and puts an end on record that it finds."""
    lab = with_file_clock(make_lab(template("long", WAIT), template("ends", WAIT)))
    lab.seen("long", "ends")
    servant = Servant(lab)
    await_true(lambda: is_running(lab, "long", "ends"), "two runs go on", 60)
    first = lab.launches("long")[0]
    servant.end(signal.SIGKILL)
    assert first.pid is not None
    assert psutil.pid_exists(first.pid), "a run is a program of its own"
    ended = lab.launches("ends")[0].pid
    lab.go("ends")
    await_true(lambda: not psutil.pid_exists(ended or 0), "a run ends while no service is there", 60)
    service = lab.service()
    lab.drive(service, lambda: lab.states("ends") == [State.DONE], "its end is on record")
    (launch,) = lab.launches("long")
    assert (launch.state, launch.service, launch.pid) == (State.RUNNING, service.name, first.pid)
    lab.go("long")
    lab.drive(service, lambda: lab.states("long") == [State.DONE], "the other one is settled")
    for name in ("long", "ends"):
        assert lab.verdicts(name)[1:] == [("11:00", "fired", 1)]
        assert run_files(lab, name) == 1


def test_a_run_that_is_killed_with_its_service_is_lost_or_tried_again(make_lab: Make) -> None:
    """A tick that was lost to kill -9 is tried again where the policy says so; else it stays lost, and is told."""
    lab = with_file_clock(
        make_lab(template("again", WAIT, retry="{times: 1, delay: 0}"), template("once", WAIT))
    )
    lab.seen("again", "once")
    servant = Servant(lab)
    await_true(lambda: is_running(lab, "again", "once"), "two runs go on", 60)
    servant.end(signal.SIGKILL)
    for launch in lab.launches("again") + lab.launches("once"):
        assert send(launch.pid or 0, launch.start or "", signal.SIGKILL)
    lab.go("again")
    service = lab.service()
    lab.drive(service, lambda: len(lab.states("again")) == 2 and lab.all_over("again"), "it was tried again")
    lab.drive(service, lambda: lab.all_over("once"), "the other one is settled")
    assert lab.states("again") == [State.LOST, State.DONE]
    assert [one.attempt for one in lab.launches("again")] == [1, 2]
    assert len({one.tick for one in lab.launches("again")}) == 1
    assert lab.states("once") == [State.LOST]
    assert any(level == "ERROR" and "lost" in text and text.startswith("once") for level, text in lab.said)


def test_a_service_killed_between_its_record_and_its_program_starts_it_once(
    make_lab: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run that is on record as begun, and has no program, is asked for again; a late program of it begins nothing."""
    lab = make_lab(template("night"))
    lab.seen("night")
    first = lab.service()
    lab.clock.go(hours=1)

    class _KilledError(BaseException):
        pass

    def die(*args: Any, **options: Any) -> Any:
        raise _KilledError

    with monkeypatch.context() as patched, pytest.raises(_KilledError):
        patched.setattr(launching, "Program", die)
        first.step()
    (lost,) = lab.launches("night")
    assert (lost.state, lost.pid) == (State.RUNNING, None)
    first._presence.leave()
    second = lab.service()
    lab.drive(second, lambda: len(lab.states("night")) == 2 and lab.all_over("night"), "it was run")
    assert sorted(lab.states("night")) == [State.DONE, State.LOST]
    late = Program(["-w", str(lab.root), "pipeline", "run", "--run-id", lost.run_id, "--", "night"])
    assert late.process.wait(60) == 6
    assert "was given up" in late.tail


def test_two_services_on_a_database_of_which_one_is_killed(make_lab: Make, postgres_url: str) -> None:
    """With the history in a real PostgreSQL: one of two is killed in the midst of runs, and each tick has run once."""
    names = ("one", "two", "three")
    lab = with_file_clock(make_lab(*(template(name, WAIT) for name in names)))
    lab.url = postgres_url
    lab.seen(*names)
    servants = [Servant(lab, {"WORKFLOW_API_DB_URL": postgres_url}) for _ in range(2)]
    await_true(lambda: is_running(lab, *names), "three runs go on", 60)
    pids = {str(one.process.pid): one for one in servants}
    killed = next(one for pid, one in pids.items() if f"-{pid}-" in (lab.launches("one")[0].service or ""))
    killed.end(signal.SIGKILL)
    for name in names:
        lab.go(name)
    await_true(lambda: lab.all_over(*names), "the other one settles them", 60)
    assert [lab.states(name) for name in names] == [[State.DONE]] * 3
    assert [lab.verdicts(name)[1:] for name in names] == [[("11:00", "fired", 1)]] * 3
    assert [run_files(lab, name) for name in names] == [1] * 3
    (other,) = [one for one in servants if one is not killed]
    assert other.end(signal.SIGTERM) == 0


def test_a_frozen_service_runs_nothing_twice(make_lab: Make) -> None:
    """Frozen while a tick is due, and thawed when another service has run it: the tick has run once."""
    lab = with_file_clock(make_lab(template("night"), template("other", ECHO, on="0 0 1 1 *")))
    lab.clock.set(TEN + timedelta(minutes=30))
    lab.seen("night")
    servant = Servant(lab)
    await_true(lambda: lab.verdicts("other"), "it works", 60)
    servant.send(signal.SIGSTOP)
    lab.clock.set(ELEVEN + timedelta(seconds=1))
    service = lab.service()
    lab.drive(service, lambda: lab.states("night") == [State.DONE], "another one runs it")
    servant.send(signal.SIGCONT)
    lab.clock.set(ELEVEN + timedelta(hours=1, seconds=1))
    await_true(lambda: len(lab.verdicts("night")) == 3, "the frozen one goes on", 60)
    lab.drive(
        service, lambda: lab.all_over("night") or servant.process.poll() is None, "nothing is in the way"
    )
    await_true(lambda: lab.states("night") == [State.DONE] * 2, "the next tick is run by whoever decided", 60)
    assert lab.verdicts("night")[1:] == [("11:00", "fired", 1), ("12:00", "fired", 1)]
    assert run_files(lab, "night") == 2
    assert servant.end(signal.SIGTERM) == 0


def test_a_service_that_is_told_to_end_leaves_its_runs_to_the_next(make_lab: Make) -> None:
    """SIGTERM: nothing new begins, a run goes on without the service, what waits still waits; the next takes both."""
    lab = with_file_clock(make_lab(template("long", WAIT, overlap="queue")))
    lab.seen("long")
    servant = Servant(lab)
    await_true(lambda: is_running(lab, "long"), "a run goes on", 60)
    lab.clock.set(ELEVEN + timedelta(hours=1))
    await_true(lambda: len(lab.states("long")) == 2, "another one waits", 60)
    assert servant.end(signal.SIGTERM) == 0
    assert lab.states("long") == [State.RUNNING, State.QUEUED]
    assert lab.history.services() == []
    assert "for another service to watch" in servant.log.read_text()
    service = lab.service()
    lab.drive(service, lambda: {one.service for one in lab.launches("long")} == {service.name}, "it has both")
    lab.go("long")
    lab.drive(service, lambda: lab.states("long") == [State.DONE] * 2, "both are done")
    assert run_files(lab, "long") == 2


def test_a_second_signal_ends_the_runs_too(make_lab: Make) -> None:
    """The runs are told to end, and are on record as stopped; they are not tried again."""
    lab = with_file_clock(make_lab(template("long", WAIT, retry="3"), grace=30))
    lab.seen("long")
    servant = Servant(lab)
    await_true(lambda: is_running(lab, "long"), "a run goes on", 60)
    servant.send(signal.SIGTERM)
    await_true(lambda: "a second signal" in servant.log.read_text(), "it waits for the run", 60)
    assert lab.states("long") == [State.RUNNING]
    assert servant.end(signal.SIGTERM) == 0
    assert lab.states("long") == [State.STOPPED]
