"""`sinagot schedule`: what it shows, what it changes, and one tick by hand."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from sinagot.cli.exits import Exit
from sinagot.schedule.history.facts import Decision, Launch, Origin, State, Verdict
from sinagot.testing import await_true
from tests.cli.conftest import Invoke
from tests.schedule.houses import FAIL, Lab, template

YEARLY = "0 0 1 1 *"


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    """Give a workspace with two schedules, of which one lacks a parameter."""
    return Lab(
        tmp_path / "lab",
        template("night", on="0 6 * * *", overlap="queue", grace="15m"),
        template("lacks", "echo: ${{ params.word }}", on=YEARLY, params="{word: str}"),
    )


def test_schedules_are_listed_with_reasons(lab: Lab, invoke: Invoke) -> None:
    """A schedule is listed with its next time and policies; one that can't run, with the reason."""
    result = invoke(lab.root, "schedule", "list")
    assert result.exit_code == Exit.OK, result.output
    night, lacks = sorted(result.stdout.splitlines()[1:], reverse=True)
    assert night.split()[:7] == ["night", "0", "6", "*", "*", "*", "Etc/UTC"]
    assert "can't run" in lacks
    assert "word" in lacks
    told = json.loads(invoke(lab.root, "schedule", "list", "--json").stdout)
    assert [(one["name"], one["paused"]) for one in told["schedules"]] == [("lacks", False), ("night", False)]
    one = told["schedules"][1]
    assert one["policies"] == {"overlap": "queue", "catchup": "latest", "grace": "15 min"}
    following = datetime.fromisoformat(one["next_tick"])
    assert (following.hour, following.minute) == (6, 0)
    assert following > datetime.now(UTC)
    assert told["schedules"][0]["next_tick"] is None


def test_next_times(lab: Lab, invoke: Invoke) -> None:
    """As many as are asked for, in local time and in UTC; of an unknown name the near one is told."""
    told = json.loads(invoke(lab.root, "schedule", "next", "night", "-n", "3", "--json").stdout)
    first, *others = map(datetime.fromisoformat, told["ticks"])
    assert [one - first for one in others] == [timedelta(days=1), timedelta(days=2)]
    assert len(invoke(lab.root, "schedule", "next", "night").stdout.splitlines()) == 20
    wrong = invoke(lab.root, "schedule", "next", "nihgt")
    assert wrong.exit_code == Exit.NOTHING
    assert "did you mean 'night'?" in wrong.stderr


def test_a_pause_is_set_told_and_ended(lab: Lab, invoke: Invoke) -> None:
    """A pause stands in the list with who and why, and ends with resume."""
    assert invoke(lab.root, "schedule", "pause", "night", "--reason", "new scanner").exit_code == Exit.OK
    (paused,) = [
        one
        for one in json.loads(invoke(lab.root, "schedule", "list", "--json").stdout)["schedules"]
        if one["paused"]
    ]
    assert (paused["name"], paused["pause"]["reason"], paused["next_tick"]) == ("night", "new scanner", None)
    assert "new scanner" in invoke(lab.root, "schedule", "list").stdout
    again = invoke(lab.root, "schedule", "pause", "night", "--reason", "other")
    assert "new scanner" in again.stdout and "already" in again.stdout + again.stderr
    assert "runs again" in invoke(lab.root, "schedule", "resume", "night").stdout
    assert lab.history.pauses() == {}


def test_decisions_are_shown_with_what_became_of_them(lab: Lab, invoke: Invoke) -> None:
    """Latest first, several ticks in one line, of one schedule or of all."""
    nothing = invoke(lab.root, "schedule", "history", "night")
    assert nothing.exit_code == Exit.NOTHING
    lab.seen("night")
    tick = lab.clock.go(hours=3)
    missed = Decision("night", tick, Verdict.MISSED, "nobody was there", tick, "x", number=3, first=tick)
    assert lab.history.decide(missed)
    result = invoke(lab.root, "schedule", "history", "night")
    assert result.exit_code == Exit.OK
    assert "missed (3 ticks)" in result.stdout.splitlines()[1]
    told = json.loads(invoke(lab.root, "schedule", "history", "--json").stdout)["decisions"]
    assert [(one["verdict"], one["number"]) for one in told] == [("missed", 3), ("begun", 1)]


def test_a_run_that_was_tried_again_is_shown_by_its_last_try(lab: Lab, invoke: Invoke) -> None:
    """Who looks in the morning sees how it ended, not how it began."""
    tick = lab.clock.go(hours=3)
    first = Launch("20260302T130000-000001", "night", Origin.SCHEDULE, State.QUEUED, tick, {}, "night", tick)
    assert lab.history.decide(
        Decision("night", tick, Verdict.FIRED, "in time", tick, "x", first.run_id), first
    )
    assert lab.history.change(first, state=State.LOST, message="without a word", ended=tick)
    lab.history.add(first._replace(run_id="20260302T130100-000002", state=State.DONE, attempt=2))
    (line,) = invoke(lab.root, "schedule", "history", "night").stdout.splitlines()[1:]
    assert "20260302T130100-000002  done (try 2)  in time" in line
    (told,) = json.loads(invoke(lab.root, "schedule", "history", "--json").stdout)["decisions"]
    assert (told["run_id"], told["last_run_id"]) == (first.run_id, "20260302T130100-000002")
    assert (told["state"], told["attempt"]) == ("done", 2)


def test_a_tick_by_hand(tmp_path: Path, invoke: Invoke) -> None:
    """It runs for its nominal time and waits for the end, once; a failure is the exit code."""
    lab = Lab(tmp_path / "lab", template("night", on=YEARLY), template("bad", FAIL, on=YEARLY))
    words = ("schedule", "run", "night", "--at", "2026-01-01T00:00+00:00")
    done = invoke(lab.root, *words)
    assert done.exit_code == Exit.OK, done.output
    (launch,) = lab.launches("night")
    assert (launch.state, launch.tick) == (State.DONE, datetime(2026, 1, 1, tzinfo=UTC))
    assert launch.run_id in done.stdout
    again = invoke(lab.root, *words)
    assert again.exit_code == Exit.BUSY
    assert "--force" in again.stderr
    bad = invoke(lab.root, "schedule", "run", "bad", "--at", "2026-01-01")
    assert bad.exit_code == Exit.FAILED
    assert "failed" in bad.stdout
    assert lab.history.services() == []


@pytest.mark.parametrize(
    "words",
    [
        ("night",),
        ("--at", "2026-01-01"),
        ("night", "--at", "soon"),
        ("--force",),
        ("night", "--at", "2026-01-01", "--once"),
    ],
)
def test_words_that_do_not_go_together(lab: Lab, invoke: Invoke, words: tuple[str, ...]) -> None:
    """A run by hand needs name and time; options of the one are no options of the other."""
    assert invoke(lab.root, "schedule", "run", *words).exit_code == Exit.USAGE
    assert lab.launches("night") == []


def test_a_time_that_no_clock_shows_is_refused(
    lab: Lab, invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A local time that a change of the clocks leaves out is no moment: nothing runs for another one instead."""
    monkeypatch.setenv("TZ", "Europe/Paris")
    time.tzset()
    try:
        result = invoke(lab.root, "schedule", "run", "night", "--at", "2026-03-29T02:30")
    finally:
        monkeypatch.undo()
        time.tzset()
    assert result.exit_code == Exit.USAGE and "with an offset" in result.stderr
    assert lab.launches("night") == []


def test_once_does_what_is_due_and_ends(tmp_path: Path, invoke: Invoke) -> None:
    """From cron: late ticks are made up for, their runs are waited for, and no service is left."""
    lab = Lab(tmp_path / "lab", template("night", on="* * * * *"))
    lab.seen("night", at=datetime.now(UTC) - timedelta(minutes=10))
    result = invoke(lab.root, "schedule", "run", "--once")
    assert result.exit_code == Exit.OK, result.output
    assert State.DONE in lab.states("night")
    assert lab.all_over("night")
    assert lab.history.services() == []


def test_the_service_ends_well_on_a_signal(lab: Lab) -> None:
    """SIGTERM ends it with exit code 0, and it has left the history."""
    words = [sys.executable, "-m", "sinagot", "-w", str(lab.root), "schedule", "run"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        await_true(lab.history.services, "it lives", 60)
        process.send_signal(signal.SIGTERM)
        output, _ = process.communicate(timeout=60)
    assert process.returncode == 0, output
    assert lab.history.services() == []
    assert "ends" in output.splitlines()[-1]
