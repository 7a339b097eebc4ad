"""The service: what it decides is on record and in the log, and what it starts are real programs."""

from __future__ import annotations

import itertools
import json
import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from sinagot.errors import ConfigurationError, HistoryUnavailableError, NotFoundError, WorkspaceBusyError
from sinagot.runlog.read import read_lines
from sinagot.schedule.diary import schedule_log
from sinagot.schedule.history.facts import Decision, Launch, Origin, State, Verdict
from sinagot.schedule.history.files import FileHistory
from sinagot.testing import await_true
from tests.schedule.houses import ECHO, FAIL, TEN, WAIT, Lab, template

Make = Callable[..., Lab]
NEVER = "0 0 1 1 *"


def log_of(lab: Lab, record_id: str) -> list[dict[str, Any]]:
    """Give the lines of a log."""
    return list(read_lines(str(lab.root / "data" / "LOG"), record_id)[0])


def test_a_tick_is_decided_run_and_told(make_lab: Make) -> None:
    """Seen first, then due: one run for the nominal time, with a decision and lines of the log for each step."""
    lab = make_lab(template("night"))
    service = lab.service()
    service.step()
    assert lab.verdicts("night") == [("10:00", "begun", 1)]
    lab.clock.go(hours=1, seconds=2)
    lab.drive(service, lambda: lab.all_over("night") and lab.launches("night"), "the run is over")
    assert lab.verdicts("night")[1:] == [("11:00", "fired", 1)]
    (launch,) = lab.launches("night")
    assert (launch.state, launch.tick, launch.exit_code) == (State.DONE, TEN + timedelta(hours=1), 0)
    said = [line["message"] for line in log_of(lab, "pipelines/night")]
    assert "at 2026-03-02T11:00:00+00:00" in said
    lines = log_of(lab, schedule_log("night"))
    assert [line.get("verdict") or line.get("state") for line in lines] == [
        "begun",
        "fired",
        "running",
        "done",
    ]
    assert lines[1]["run_id"] == launch.run_id == service.launch_of(launch.run_id).run_id
    assert service.state_of("night").newest is not None


def test_a_restart_forgets_nothing(make_lab: Make) -> None:
    """What was seen once is made up for by the next service, also where the first never saw a tick."""
    lab = make_lab(template("night", catchup="none"))
    first = lab.service()
    first.step()
    first.stop()
    first.run()
    lab.clock.go(hours=3, minutes=30)
    lab.service().step()
    assert lab.verdicts("night") == [("10:00", "begun", 1), ("13:00", "missed", 3)]
    assert lab.launches("night") == []


def test_a_run_that_went_with_the_machine_is_in_no_ticks_way(make_lab: Make) -> None:
    """After a power cut the run of before is lost, and only then is decided about the tick that was due meanwhile."""
    lab = make_lab(template("night", on="0,30 * * * *"))
    lab.seen("night")
    first, facts = (
        lab.clock.now(),
        {"host": "here", "boot": "before", "pid": 7, "start": "1", "service": "it"},
    )
    gone = Launch("r-1", "night", Origin.SCHEDULE, State.RUNNING, first, {}, "night", first, **facts)
    lab.history.add(gone)
    lab.clock.go(minutes=30, seconds=20)
    lab.service().step()
    assert lab.verdicts("night")[1:] == [("10:30", "fired", 1)]
    assert lab.states("night")[0] == State.LOST


def test_what_is_long_over_is_forgotten(make_lab: Make) -> None:
    """After ninety days a decision is gone; the newest one of a schedule stays, however old it is."""
    lab = make_lab(template("night", catchup="none"), template("yearly", on="0 0 1 1 *"))
    service = lab.service()
    service.step()
    lab.clock.go(hours=1, minutes=30)
    service.step()
    assert lab.verdicts("night") == [("10:00", "begun", 1), ("11:00", "missed", 1)]
    lab.clock.go(days=100)
    service.step()
    assert [verdict for _, verdict, _ in lab.verdicts("night")] == ["missed"]
    assert lab.verdicts("yearly") == [("10:00", "begun", 1)]


def test_two_services_run_each_tick_once(make_lab: Make) -> None:
    """Two services on one folder decide at the same moment, five times: five decisions, five runs."""
    lab = make_lab(template("often", on="* * * * *", overlap="allow"))
    lab.seen("often")
    services = [lab.service(), lab.service()]
    for _ in range(5):
        lab.clock.go(minutes=1)
        threads = [threading.Thread(target=one.step) for one in services]
        for one in threads:
            one.start()
        for one in threads:
            one.join()

    def are_over() -> bool:
        services[0].step()
        return lab.all_over("often")

    lab.drive(services[1], are_over, "all runs are over")
    assert lab.verdicts("often")[1:] == [(f"10:0{number}", "fired", 1) for number in range(1, 6)]
    assert lab.states("often") == [State.DONE] * 5
    assert len({one.tick for one in lab.launches("often")}) == 5


def test_a_failing_pipeline_stops_nothing_and_is_tried_again(make_lab: Make) -> None:
    """It is tried again as its policy says, after the delay; another schedule goes on."""
    lab = make_lab(template("bad", FAIL, retry="{times: 1, delay: 60}"), template("good"))
    lab.seen("bad", "good")
    service = lab.service()
    lab.clock.go(hours=1)
    lab.drive(service, lambda: len(lab.launches("bad")) == 2, "the second try is asked for")
    lab.drive(service, lambda: lab.states("good") == [State.DONE], "the other one is done")
    first, second = lab.launches("bad")
    assert (first.state, second.state, second.attempt) == (State.FAILED, State.QUEUED, 2)
    assert "exit code 7" in first.message or "7" in first.message
    assert second.tick == first.tick
    service.step()
    assert lab.states("bad")[1] == State.QUEUED, "it waits for its delay"
    lab.clock.go(seconds=61)
    lab.drive(service, lambda: lab.all_over("bad"), "the second try is over")
    assert lab.states("bad") == [State.FAILED, State.FAILED]


def test_who_wants_to_know_is_told_of_the_last_try(make_lab: Make) -> None:
    """A message about a run that failed comes once, when it is not tried again, as the pipeline's own `notify` says."""
    notify = "{when: failures, command: [sh, -c, 'cat >> told.txt; echo >> told.txt']}"
    keys = {"retry": "{times: 1, delay: 0}", "notify": notify}
    lab = make_lab(template("bad", FAIL, **keys), template("good", notify=notify))
    lab.seen("bad", "good")
    service = lab.service()
    lab.clock.go(hours=1)
    lab.drive(service, lambda: len(lab.states("bad")) == 2 and lab.all_over("bad", "good"), "all are over")
    told = lab.root / "told.txt"
    await_true(lambda: told.exists() and told.read_text().endswith("\n"), "a message came", 60)
    (message,) = map(json.loads, told.read_text().splitlines())
    assert (message["schedule"], message["ok"], message["attempt"]) == ("bad", False, 2)
    assert message["counts"] == {"failed": 1}
    assert message["tick"] == "2026-03-02T11:00:00+00:00"


def test_a_pause_holds_over_a_restart(make_lab: Make) -> None:
    """Ticks in a pause are disabled whoever decides, and never made up for, also where nobody was there."""
    lab = make_lab(template("night", catchup="all"))
    lab.seen("night")
    first = lab.service()
    state = first.pause("night", "ann", "new scanner")
    assert state.pause is not None
    assert state.next_tick is None
    lab.clock.go(hours=1)
    first.step()
    second = lab.service()
    lab.clock.go(hours=1)
    second.step()
    assert lab.verdicts("night")[1:] == [("11:00", "disabled", 1), ("12:00", "disabled", 1)]
    assert "paused by ann: new scanner" in lab.history.decisions("night")[0][0].reason
    lab.clock.go(hours=2, minutes=30)
    third = lab.service()
    third.resume("night", "ann")
    third.step()
    assert lab.verdicts("night")[3:] == [("14:00", "disabled", 2)]
    assert lab.launches("night") == []
    following = third.state_of("night").next_tick
    assert following is not None
    assert following.hour == 15


def test_a_broken_file_disables_its_schedules_and_no_other(make_lab: Make) -> None:
    """Its ticks are disabled with the reason; mended, it runs from then on, and makes up for nothing."""
    lab = make_lab()
    lab.write(template("night"), name="a.yaml")
    lab.write(template("day"), name="b.yaml")
    lab.seen("night", "day")
    service = lab.service()
    service.step()
    lab.write("night:\n  type: pipeline.Pipeline\n  on: [oops\n", name="a.yaml")
    lab.clock.go(hours=1)
    lab.drive(service, lambda: lab.states("day") == [State.DONE], "the other one is done")
    assert lab.verdicts("night")[1:] == [("11:00", "disabled", 1)]
    reason = lab.history.decisions("night")[0][0].reason
    assert "a.yaml" in reason
    assert "can't run" in reason
    assert any(level == "ERROR" and "a.yaml" in text for level, text in lab.said)
    assert "a.yaml" in service.state_of("night").unable
    lab.write(template("night"), name="a.yaml")
    lab.clock.go(minutes=30)
    service.step()
    lab.clock.go(minutes=30)
    lab.drive(service, lambda: lab.states("night") == [State.DONE], "it runs again")
    assert lab.verdicts("night")[2:] == [("12:00", "fired", 1)]


def test_a_file_that_was_broken_from_the_start_is_told_once(make_lab: Make) -> None:
    """A service that never knew its time table puts on record that it is disabled; mended, nothing is made up for."""
    lab = make_lab("night:\n  type: pipeline.Pipeline\n  on: {cron: '61 * * * *'}\n  jobs: {}\n")
    lab.seen("night")
    lab.clock.go(hours=3)
    lab.service().step()
    lab.service().step()
    assert [one[1] for one in lab.verdicts("night")] == ["begun", "disabled"]
    service = lab.service()
    service.step()
    lab.clock.go(hours=1, minutes=30)
    lab.write(template("night", catchup="all"))
    service.step()
    assert lab.launches("night") == []


def test_a_schedule_needs_all_its_parameters(make_lab: Make) -> None:
    """Without a value it can't run, and says which; a value in the configuration is taken up while it runs."""
    lab = make_lab(template("night", "echo: hello ${{ params.word }}", params="{word: str}"))
    lab.seen("night")
    service = lab.service()
    lab.clock.go(hours=1)
    service.step()
    assert lab.verdicts("night")[1:] == [("11:00", "disabled", 1)]
    assert "word" in lab.history.decisions("night")[0][0].reason
    assert "word" in service.state_of("night").unable
    with (lab.root / "workspace.toml").open("a") as file:
        file.write('[pipelines.night]\nword = "you"\n')
    lab.clock.go(hours=1)
    lab.drive(service, lambda: lab.states("night") == [State.DONE], "it runs")
    assert "hello you" in [line["message"] for line in log_of(lab, "pipelines/night")]


class _Away(FileHistory):
    """A history that is away now and then."""

    is_away = False
    words = itertools.cycle(["the disk is full", "it is still full"])

    def decide(self, decision: Decision, launch: Launch | None = None) -> bool:
        if self.is_away:
            raise HistoryUnavailableError(next(self.words), address="here")
        return super().decide(decision, launch)


def test_a_history_that_is_away_is_waited_for_and_no_tick_is_lost(make_lab: Make) -> None:
    """Each cause is told once; the tick that was due meanwhile runs when it is back, though nothing is made up for."""
    lab = make_lab(template("night", catchup="none"))
    lab.seen("night")
    history = _Away(lab.state)
    service = lab.service(history)
    service.step()
    history.is_away = True
    lab.clock.go(hours=1)
    pauses = [service._step_safely() for _ in range(8)]
    assert pauses == sorted(pauses)
    assert pauses[-1] == 30.0
    assert [sum(words in text for _, text in lab.said) for words in ("disk is full", "still full")] == [1, 1]
    lab.clock.go(minutes=7)
    history.is_away = False
    service._step_safely()
    assert lab.verdicts("night")[1:] == [("11:00", "fired", 1)]
    assert any("works again" in text for _, text in lab.said)
    lab.drive(service, lambda: lab.states("night") == [State.DONE], "it runs")


def test_a_history_that_stays_away_ends_a_service_that_looks_once(make_lab: Make) -> None:
    """What cron starts each few minutes does not pile up: it ends with an error, and the tick is left to the next."""
    lab = make_lab(template("night"))
    lab.seen("night")
    history = _Away(lab.state)
    history.is_away = True
    lab.clock.go(hours=1)
    with pytest.raises(HistoryUnavailableError, match="full"):
        lab.service(history).run(once=True)
    assert lab.verdicts("night") == [("10:00", "begun", 1)]


def test_a_program_that_dies_early_leaves_its_last_words(make_lab: Make) -> None:
    """Where nothing ran, the message has the exit code and what the program printed."""
    lab = make_lab(template("night"))
    lab.seen("night")
    service = lab.service()
    service._launcher._words = ["-w", str(lab.root / "nowhere")]
    lab.clock.go(hours=1)
    lab.drive(service, lambda: lab.all_over("night") and lab.launches("night"), "it is over")
    (launch,) = lab.launches("night")
    assert launch.state == State.FAILED
    assert launch.exit_code == 2
    assert "nowhere" in launch.message


def test_what_is_asked_for_is_checked_first(make_lab: Make) -> None:
    """Unknown pipelines and bad parameters are errors at once, and nothing is on record."""
    lab = make_lab(template("by_hand", "echo: ${{ params.count }}", on="", params="{count: int}"))
    service = lab.service()
    with pytest.raises(NotFoundError, match="by_hand"):
        service.launch("by_hnd")
    with pytest.raises(ConfigurationError, match="required"):
        service.launch("by_hand")
    with pytest.raises(ConfigurationError, match="no such parameter"):
        service.launch("by_hand", {"count": 1, "cuont": 2})
    with pytest.raises(ConfigurationError):
        service.launch("by_hand", {"count": "many"})
    assert lab.launches("by_hand") == []
    service.most_waiting = 2
    asked = [service.launch("by_hand", {"count": number}) for number in range(2)]
    with pytest.raises(WorkspaceBusyError, match="2 runs wait"):
        service.launch("by_hand", {"count": 3})
    assert sorted(one.params["count"] for one in lab.launches("by_hand")) == [0, 1]
    assert {one.origin for one in asked} == {Origin.API}
    for one in asked:
        assert service.cancel(one.run_id, "ann").state == State.CANCELLED
    service.step()
    assert {one.message for one in lab.launches("by_hand")} == {"cancelled by ann"}


def test_a_run_that_goes_on_can_be_cancelled(make_lab: Make) -> None:
    """It is told to end, and is on record as cancelled by whom; what waited for a place begins then."""
    lab = make_lab(template("long", WAIT, on=""), template("short", on=""))
    service = lab.service()
    service._launcher.limit = 1
    launch = service.launch("long")
    lab.clock.go(seconds=1)
    waiting = service.launch("short")
    lab.drive(service, lambda: lab.launches("long")[0].pid is not None, "it runs")
    assert service.launch_of(waiting.run_id).state == State.QUEUED
    assert service.cancel(launch.run_id, "ann").state == State.RUNNING
    lab.drive(service, lambda: lab.states("long") == [State.CANCELLED], "it has ended")
    assert service.launch_of(launch.run_id).message == "cancelled by ann"
    lab.drive(service, lambda: lab.states("short") == [State.DONE], "the other one has run")
    assert service.cancel(launch.run_id, "bob").message == "cancelled by ann"
    with pytest.raises(NotFoundError):
        service.cancel("20260101T000000-000000", "ann")


def test_a_tick_runs_by_hand_once(make_lab: Make) -> None:
    """A nominal time that ran already is refused unless it is forced; the service then counts it as run."""
    lab = make_lab(template("night"))
    lab.seen("night")
    service = lab.service()
    tick = TEN + timedelta(hours=1)
    launch = service.launch_tick("night", tick)
    with pytest.raises(WorkspaceBusyError, match="--force"):
        service.launch_tick("night", tick)
    lab.clock.go(hours=1)
    lab.drive(service, lambda: lab.states("night") == [State.DONE], "it has run")
    assert lab.history.decisions("night")[0][0].run_id == launch.run_id
    assert "by hand" in lab.history.decisions("night")[0][0].reason
    with pytest.raises(WorkspaceBusyError):
        service.launch_tick("night", tick)
    again = service.launch_tick("night", tick, force=True)
    assert service.cancel(again.run_id, "ann").state == State.CANCELLED


def test_a_secret_parameter_is_nowhere_on_record(make_lab: Make) -> None:
    """Given by whoever asks, it reaches the run, and stands in no file of the state folder or the log."""
    lab = make_lab()
    (lab.root / "pipelines").mkdir()
    (lab.root / "pipelines" / "login.py").write_text(
        "from sinagot.pipeline import Pipeline, Secret, Stage\n"
        "from sinagot.pipeline.input import param\n"
        "def check(password):\n    assert password == 'hunter2-hunter2', 'another one'\n"
        "login = Pipeline('login', {'password': Secret('default-word')}, stages={'check': Stage(check, [param('password')])})\n"
    )
    service = lab.service()
    service.launch("login", {"password": "hunter2-hunter2"})
    lab.drive(service, lambda: lab.all_over("login"), "it is over")
    (launch,) = lab.launches("login")
    assert (launch.state, launch.params) == (State.DONE, {"password": "***"}), launch.message
    found = [path for path in lab.root.rglob("*") if path.is_file() and path.suffix != ".py"]
    assert not [path for path in found if b"hunter2" in path.read_bytes()]


def test_many_schedules_leave_a_service_asleep(make_lab: Make) -> None:
    """Between ticks nothing is asked of the history but who lives and what is open, however many schedules there are."""
    lab = make_lab(*(template(f"s{number}", on=NEVER) for number in range(40)))
    asked: list[str] = []

    class Counting(FileHistory):
        def __getattribute__(self, name: str) -> Any:
            if not name.startswith("_") and name in {"decide", "newest", "decisions", "pauses", "launch"}:
                asked.append(name)
            return super().__getattribute__(name)

    service = lab.service(Counting(lab.state))
    service.step()
    assert asked.count("decide") == 40
    asked.clear()
    for _ in range(20):
        lab.clock.go(seconds=5)
        assert service.step() >= 4
    assert asked == []


def test_an_unknown_schedule_is_an_error_with_near_names(make_lab: Make) -> None:
    """Whoever asks about a schedule that is none is told which there are."""
    lab = make_lab(template("night"), template("by_hand", ECHO, on=""))
    service = lab.service()
    for ask in (service.state_of, service.next_ticks, lambda name: service.pause(name, "ann")):
        with pytest.raises(NotFoundError, match="night"):
            ask("nihgt")
    assert [one.name for one in service.states()] == ["night"]
    assert [f"{one:%H}" for one in service.next_ticks("night", 3)] == ["11", "12", "13"]
    assert Verdict.BEGUN not in {one.verdict for one in service.decisions()}
