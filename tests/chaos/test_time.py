"""Clocks that jump, machines that sleep, lines that never come, and several services: each tick once, whoever looks.

A service is driven here step by step with a clock that the test sets. Most schedules run nothing: what became of a tick is
its decision, and the launch that asks for a run; only where it is about programs do any run.
"""

from __future__ import annotations

import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from sinagot.schedule.history.contract import History
from sinagot.schedule.history.facts import Decision, State, Verdict
from sinagot.schedule.history.opening import open_history
from sinagot.schedule.launching import Launcher
from sinagot.testing import await_true
from sinagot.workspace.workspace import Workspace
from tests.chaos.test_machines import CAN_CABLE, Machine
from tests.chaos.test_sleep import HAS_HOSTS
from tests.schedule.houses import TEN, WAIT, FileClock, Lab, Servant, SetClock, begin_at_once, template
from tests.services import PostgresServer

pytestmark = pytest.mark.chaos

Make = Callable[..., Lab]
PARIS, NEW_YORK = "Europe/Paris", "America/New_York"
HOUR = timedelta(hours=1)


@pytest.fixture
def make_lab(tmp_path: Path) -> Iterator[Make]:
    """Give a maker of workspaces with schedules."""
    made: list[Lab] = []

    def make(*templates: str, **options: Any) -> Lab:
        lab = Lab(tmp_path / f"lab-{len(made)}", *templates, **options)
        made.append(lab)
        return lab

    yield make
    for lab in made:
        lab.close()


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let runs end as soon as they are asked for, without a program."""

    monkeypatch.setattr(Launcher, "begin", begin_at_once)


def local(name: str, on: str, zone: str, **keys: Any) -> str:
    """Write a pipeline with a time table of a zone."""
    text = template(name, on=on, **keys)
    return text.replace(f"{{cron: '{on}'}}", f"{{cron: '{on}', timezone: {zone}}}")


def ticks_run(lab: Lab, name: str) -> list[datetime]:
    """Give the ticks of a schedule that runs were asked for, oldest first."""
    return [one.tick for one in lab.launches(name) if one.tick is not None]


def undecided(lab: Lab, name: str) -> Counter[str]:
    """Count the ticks of a schedule by what became of them."""
    found: Counter[str] = Counter()
    for one in lab.history.decisions(name, limit=10_000)[0]:
        found[str(one.verdict)] += one.number
    return found


# -- 82: a run longer than its interval


@pytest.mark.parametrize("overlap", ["skip", "queue"])
def test_a_run_longer_than_its_interval_has_none_beside_it(make_lab: Make, overlap: str) -> None:
    """While a run goes on over its next ticks there is never a second of its schedule; what is left out is on record."""
    lab = make_lab(template("long", WAIT, on="* * * * *", overlap=overlap))
    lab.seen("long")
    services = [lab.service(), lab.service()]
    lab.clock.go(minutes=1)
    lab.drive(services[0], lambda: lab.states("long") == [State.RUNNING], "it runs")
    for _ in range(4):
        lab.clock.go(minutes=1)
        for service in services:
            service.step()
        assert lab.states("long").count(State.RUNNING) == 1
    run = lab.launches("long")[0].run_id
    if overlap == "skip":
        decisions = lab.history.decisions("long", limit=4)[0]
        assert {(one.verdict, run in one.reason) for one in decisions} == {(Verdict.SKIPPED, True)}
        lab.go("long")
    else:
        assert lab.states("long") == [State.RUNNING] + [State.QUEUED] * 4
        assert [one.verdict for one in lab.history.decisions("long", limit=4)[0]] == [Verdict.QUEUED] * 4
        for launch in lab.launches("long")[1:]:
            services[0].cancel(launch.run_id, "ann")
        lab.go("long")
    lab.drive(services[0], lambda: lab.all_over("long"), "it is over")


# -- 83: nobody was there


@pytest.mark.parametrize(
    ("away", "grace", "expected"),
    [
        ("7 h", None, {"begun": 1, "missed": 6, "caught-up": 1}),
        ("7 h", "2 h", {"begun": 1, "missed": 6, "caught-up": 1}),
        ("7 h", "20 m", {"begun": 1, "missed": 7}),
        # A year of hours; of more than ten thousand ticks it is said that there are more.
        ("365 d", None, {"begun": 1, "missed": 365 * 24 - 1, "caught-up": 1}),
    ],
)
@pytest.mark.usefixtures("at_once")
def test_whoever_was_away_makes_up_for_one_tick_at_most(
    make_lab: Make, away: str, grace: str | None, expected: dict[str, int]
) -> None:
    """Down over many ticks, or the clock set forward by a year: one run within grace, one decision about the rest."""
    lab = make_lab(template("hourly", **({"grace": grace} if grace else {})))
    lab.service().step()
    number, unit = away.split()
    lab.clock.go(minutes=30, **{{"h": "hours", "d": "days"}[unit]: int(number)})
    service = lab.service()
    service.step()
    service.step()
    assert undecided(lab, "hourly") == expected
    assert len(lab.launches("hourly")) == expected.get("caught-up", 0)
    lab.clock.go(minutes=30)
    service.step()
    assert lab.verdicts("hourly")[-1][1:] == ("fired", 1), "then it goes on as before"


@pytest.mark.usefixtures("at_once")
def test_many_schedules_over_a_year_start_no_storm(make_lab: Make) -> None:
    """Thirty schedules of each minute, and a clock set forward by a year: thirty runs, and not ten million decisions."""
    names = [f"s{number}" for number in range(30)]
    lab = make_lab(*(template(name, on="* * * * *") for name in names))
    service = lab.service()
    service.step()
    lab.clock.go(days=365)
    service.step()
    for name in names:
        assert len(lab.launches(name)) == 1
        missed, last = lab.history.decisions(name, limit=2)[0][::-1]
        assert (missed.verdict, last.verdict) == (Verdict.MISSED, Verdict.FIRED)
        assert missed.reason.startswith("more than ")


def test_a_service_that_slept_makes_up_for_one_tick(make_lab: Make) -> None:
    """A service that stood still over five ticks (SIGSTOP) runs one of them when it goes on, and says what it missed."""
    lab = make_lab(template("hourly"))
    lab.clock = FileClock(lab.root / "clock.txt")
    lab.clock.set(TEN)
    servant = Servant(lab)
    try:
        await_true(lambda: lab.verdicts("hourly"), "it has seen the schedule", 60)
        servant.send(signal.SIGSTOP)
        lab.clock.set(TEN + 5 * HOUR + timedelta(minutes=10))
        servant.send(signal.SIGCONT)
        await_true(lambda: lab.states("hourly") == [State.DONE], "it has run", 60)
        assert lab.verdicts("hourly")[1:] == [("14:00", "missed", 4), ("15:00", "caught-up", 1)]
    finally:
        assert servant.end(signal.SIGTERM) == 0


# -- 84: clocks that are set


class WallClock(SetClock):
    """A clock on the wall that can be set; the seconds that it counts only grow."""

    def __init__(self, now: datetime) -> None:
        super().__init__(now)
        self._ahead = 0.0

    def monotonic(self) -> float:
        return self._now.timestamp() + self._ahead

    def set_back(self, span: timedelta) -> None:
        """Set it back."""
        self._now -= span
        self._ahead += span.total_seconds()


@pytest.mark.usefixtures("at_once")
def test_a_clock_that_is_set_back_runs_nothing_again(make_lab: Make) -> None:
    """Set back by a day in mid-day, a daily and an hourly schedule decide nothing until the time that was is passed."""
    lab = make_lab(template("hourly"), template("daily", on="0 12 * * *"))
    lab.clock = WallClock(TEN)
    service = lab.service()
    service.step()
    for _ in range(6):
        lab.clock.go(hours=1)
        service.step()
    was = {name: lab.verdicts(name) for name in ("hourly", "daily")}
    lab.said.clear()
    lab.clock.set_back(timedelta(days=1))
    for _ in range(2):  # the service that saw it, and one that is started then
        for _ in range(12):
            lab.clock.go(hours=1)
            service.step()
        assert {name: lab.verdicts(name) for name in was} == was
        service = lab.service()
    told = [text for level, text in lab.said if level == "WARNING"]
    assert "set back by 23 h" in told[0]
    assert sorted("2026-03-02 16:00 UTC were decided before" in text for text in told[1:3]) == [False, True]
    assert len(told) == 5, "of each schedule each service tells once"
    lab.clock.go(hours=1)
    service.step()
    assert lab.verdicts("hourly")[-1] == ("17:00", "fired", 1)
    ticks = ticks_run(lab, "hourly")
    assert len(ticks) == len(set(ticks)) == 7
    assert len(ticks_run(lab, "daily")) == 1


@pytest.mark.usefixtures("at_once")
def test_a_clock_that_was_a_year_ahead_is_told(make_lab: Make) -> None:
    """What was decided by a clock that was wrong stands: the schedule is silent, says why, and runs under another name."""
    lab = make_lab(template("hourly"))
    lab.clock = WallClock(TEN + timedelta(days=365))
    service = lab.service()
    service.step()
    lab.clock.go(hours=1)
    service.step()
    lab.clock.set_back(timedelta(days=365))
    for _ in range(3):
        lab.clock.go(hours=1)
        service.step()
    assert len(lab.launches("hourly")) == 1
    (told,) = [text for _, text in lab.said if "were decided before" in text]
    assert "2027-03-02 11:00 UTC" in told and "under another name" in told
    lab.write(template("each-hour"))
    lab.clock.go(minutes=1)
    service.step()
    lab.clock.go(hours=1)
    service.step()
    assert lab.states("each-hour") == [State.DONE]


@pytest.mark.usefixtures("at_once")
def test_clocks_of_hosts_that_are_apart_run_each_tick_once(make_lab: Make) -> None:
    """Of two services, one an hour ahead, that one decides each tick; the other one decides none again, and tells it."""
    lab = make_lab(template("hourly"))
    clocks = [WallClock(TEN + HOUR), WallClock(TEN)]
    services = [lab.service(clock=clock) for clock in clocks]
    for _ in range(5):
        for clock, service in zip(clocks, services, strict=True):
            service.step()
            clock.go(hours=1)
    assert lab.verdicts("hourly")[1:] == [(f"{11 + count}:00", "fired", 1) for count in range(1, 5)]
    assert len(ticks_run(lab, "hourly")) == 4
    assert {one.service for one in lab.history.decisions("hourly")[0]} == {services[0].name}
    assert any("a clock was ahead, or this one is behind" in text for _, text in lab.said)


@pytest.mark.parametrize(
    ("zone", "day", "hours"),
    [
        (PARIS, "2026-03-29", 23),
        (PARIS, "2026-10-25", 25),
        (NEW_YORK, "2026-03-08", 23),
        (NEW_YORK, "2026-11-01", 25),
        (PARIS, "2026-06-01", 24),
    ],
)
@pytest.mark.usefixtures("at_once")
def test_a_day_on_which_clocks_change_has_its_hours(make_lab: Make, zone: str, day: str, hours: int) -> None:
    """Over a day with a gap or a repeated hour a service runs a daily schedule once, and an hourly one 23 or 25 times."""
    lab = make_lab(
        local("hourly", "0 * * * *", zone),
        local("half_past_one", "30 1 * * *", zone),
        local("half_past_two", "30 2 * * *", zone),
    )
    midnight = datetime.fromisoformat(day).replace(tzinfo=ZoneInfo(zone))
    lab.clock = SetClock(midnight.astimezone(UTC) - timedelta(minutes=1))
    service = lab.service()
    service.step()
    end = (midnight + timedelta(days=1)).astimezone(UTC) - timedelta(minutes=1)
    while lab.clock.now() < end:
        lab.clock.go(minutes=15)
        service.step()
    ticks = {name: ticks_run(lab, name) for name in ("hourly", "half_past_one", "half_past_two")}
    assert [len(set(found)) for found in ticks.values()] == [hours, 1, 1]
    assert [len(found) for found in ticks.values()] == [hours, 1, 1]
    assert all(one.astimezone(ZoneInfo(zone)).date().isoformat() == day for one in ticks["hourly"])


# -- 84, 85: what can't be


@pytest.mark.parametrize(
    ("on", "words"),
    [
        ("{cron: '0 0 31 2 *'}", ["never"]),
        ("{cron: '*/0 * * * *'}", ["*/0"]),
        ("{cron: '0 0 0 * * * *'}", ["7 fields", "allowed 5"]),
        ("{cron: '0 0 * * *', timezone: Europe/Pariss}", ["'Europe/Pariss'", "did you mean 'Europe/Paris'?"]),
    ],
)
@pytest.mark.usefixtures("at_once")
def test_what_can_not_be_is_an_error_when_it_is_read(make_lab: Make, on: str, words: list[str]) -> None:
    """A date that never comes, a step of nothing, seven fields, a zone that nobody knows: told with file and line."""
    good = template("good")
    lab = make_lab(good, template("bad").replace("{cron: '0 * * * *'}", on))
    service = lab.service()
    service.step()
    unable = service.state_of("bad").unable
    assert "all.yaml:" in unable
    assert [word for word in words if word not in unable] == [], unable
    assert any(level == "ERROR" and text.startswith("bad: can't run") for level, text in lab.said)
    program = [sys.executable, "-m", "sinagot", "-w", str(lab.root), "pipeline", "check", "bad"]
    checked = subprocess.run(program, capture_output=True, text=True, check=False)
    assert checked.returncode == 4, checked
    assert all(word in checked.stdout + checked.stderr for word in words)
    lab.clock.go(hours=1)
    service.step()
    assert [one[1] for one in lab.verdicts("good")] == ["begun", "fired"]
    assert lab.launches("bad") == []


# -- 85: several services


def check_each_tick_once(lab: Lab, history: History, number: int) -> None:
    """Go through ticks with services that work, and look whether each was decided and run once."""

    def over() -> int:
        return len(history.launches(schedule="hourly", states=[State.DONE])[0])

    for count in range(number):
        lab.clock.set(TEN + (count + 1) * HOUR + timedelta(seconds=1))
        await_true(lambda count=count: over() == count + 1, "the tick has run", 60)  # type: ignore[misc]
    decisions, _ = history.decisions("hourly")
    assert [(f"{one.tick:%H}", str(one.verdict)) for one in reversed(decisions)][1:] == [
        (f"{10 + count}", "fired") for count in range(1, number + 1)
    ]
    launches, _ = history.launches(schedule="hourly")
    assert [one.state for one in launches] == [State.DONE] * number
    runs = (Path(Workspace(lab.root).configuration.state_path) / "runs").glob("*/run.json")
    assert len(list(runs)) == number


def work_on_hosts(lab: Lab, ways: dict[str, list[str]], urls: dict[str, str], url: str) -> None:
    """Let a service work on each of several hosts."""
    lab.clock = FileClock(lab.root / "clock.txt")
    lab.clock.set(TEN)
    history = open_history(Workspace(lab.root).configuration.state_path, url or None)
    history.decide(Decision("hourly", TEN, Verdict.BEGUN, "seen", TEN, "somebody"))
    servants = [Servant(lab, {"WORKFLOW_API_DB_URL": urls[name]}, way) for name, way in ways.items()]
    try:
        await_true(lambda: len(history.services()) == len(servants), "all services are there", 60)
        assert len({one.host for one in history.services()}) == len(servants)
        check_each_tick_once(lab, history, 3)
    finally:
        ends = [servant.end(signal.SIGTERM) for servant in servants]
        history.close()
    assert ends == [0] * len(servants), [servant.log.read_text() for servant in servants]


@pytest.mark.usefixtures("at_once")
def test_five_services_decide_each_tick_once(make_lab: Make) -> None:
    """However many services look at the same moment, each tick has one decision and one launch."""
    lab = make_lab(template("hourly"))
    services = [lab.service() for _ in range(5)]
    services[0].step()
    for _ in range(5):
        lab.clock.go(hours=1)
        for service in services:
            service.step()
        services.append(services.pop(0))
    assert lab.verdicts("hourly")[1:] == [(f"{10 + count}:00", "fired", 1) for count in range(1, 6)]
    assert len(ticks_run(lab, "hourly")) == 5


@pytest.mark.skipif(not HAS_HOSTS, reason="host names of one's own are not allowed here")
def test_services_on_two_hosts_share_a_folder(make_lab: Make) -> None:
    """Two services on two hosts that have only the folder in common: each tick runs once."""
    lab = make_lab(template("hourly"))
    ways = {
        name: ["unshare", "-ru", "sh", "-c", f'hostname {name}; exec "$@"', "sh"] for name in ("one", "two")
    }
    work_on_hosts(lab, ways, dict.fromkeys(ways, ""), "")


class FarPostgres(PostgresServer):
    """A PostgreSQL on a machine of its own; the test itself reaches it by a socket in its folder."""

    def __init__(self, machine: Machine, net: str) -> None:
        super().__init__()
        self._machine, self._net = machine, net

    def _run(self, program: str, *words: str) -> subprocess.Popen[bytes]:
        if program == "postgres":
            with (self.folder / "data" / "pg_hba.conf").open("a") as rules:
                rules.write(f"host all all {self._net} trust\n")
            words = (*words, "-c", "listen_addresses=*")
        user = [f"--reuid={self._as['user']}", f"--regid={self._as['group']}", "--clear-groups"]
        with (self.folder / "postgres.log").open("ab") as log:
            return subprocess.Popen(
                [*self._machine.way, "setpriv", *user, self._programs / program, *words],
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def _connect(self) -> Any:
        import psycopg

        return psycopg.connect(self.near("postgres"), autocommit=True)

    def near(self, database: str) -> str:
        """Give the address of a database by the socket."""
        return f"postgresql://lab@/{database}?host={self.folder}&port={self.port}"


@pytest.mark.slow
@pytest.mark.skipif(
    not CAN_CABLE, reason="network namespaces with veth pairs are not allowed here (needs root)"
)
def test_services_on_two_machines_share_a_database(make_lab: Make) -> None:
    """Two services in networks of their own, and a PostgreSQL that each reaches by a cable: each tick runs once."""
    lab = make_lab(template("hourly"))
    machines = {name: Machine(name) for name in ("base", "one", "two")}
    try:
        base = machines.pop("base")
        nets = {name: f"10.84.{number}" for number, name in enumerate(machines, start=1)}
        for name, machine in machines.items():
            base.cable(machine, nets[name])
        with FarPostgres(base, "10.84.0.0/16") as server:
            urls = {name: f"postgresql://lab@{net}.1:{server.port}/postgres" for name, net in nets.items()}
            work_on_hosts(
                lab, {name: one.way for name, one in machines.items()}, urls, server.near("postgres")
            )
    finally:
        for machine in (base, *machines.values()):
            machine.close()
