"""The cable between a service and its database is pulled, and the database dies, in the midst of a decision."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest

from sinagot.schedule.history.facts import State
from sinagot.testing import await_true
from tests.chaos.test_machines import CAN_CABLE, Machine
from tests.chaos.test_time import FarPostgres
from tests.schedule.houses import TEN, WAIT, FileClock, Lab, Servant, template
from tests.services import PostgresServer

pytestmark = [pytest.mark.chaos, pytest.mark.slow]

MOMENT = timedelta(seconds=1)
HOUR = timedelta(hours=1)
TROUBLE = "nothing is decided or started until this is over"


@contextmanager
def lab_with(root: Path, url: str, *templates: str) -> Iterator[Lab]:
    """Make a lab at ten whose history is in a database; its services are ended."""
    lab = Lab(root, *templates)
    lab.url = url
    lab.clock = FileClock(root / "clock.txt")
    lab.clock.set(TEN + MOMENT)
    lab.seen("hourly")
    try:
        yield lab
    finally:
        lab.close()


@contextmanager
def held_up(url: str) -> Iterator[Callable[[int], None]]:
    """Let nobody put a decision on record; gives what waits until so many services are in the midst of one."""
    asked = (
        "SELECT count(*) FROM pg_locks JOIN pg_class ON relation = pg_class.oid "
        "WHERE NOT granted AND relname = 'sinagot_decisions'"
    )
    with psycopg.connect(url) as holder, psycopg.connect(url, autocommit=True) as watcher:
        holder.execute("LOCK TABLE sinagot_decisions IN EXCLUSIVE MODE")

        def await_deciders(number: int) -> None:
            await_true(lambda: watcher.execute(asked).fetchone() == (number,), "services are deciding", 60)

        yield await_deciders


def check_hours(lab: Lab, number: int) -> None:
    """Check that each hour up to now was decided once and has run once."""
    assert lab.verdicts("hourly")[1:] == [(f"{10 + n}:00", "fired", 1) for n in range(1, number + 1)]
    assert lab.states("hourly") == [State.DONE] * number


def await_hour(lab: Lab, number: int) -> None:
    """Wait until so many hours have run."""
    await_true(lambda: lab.states("hourly").count(State.DONE) == number, f"hour {number} has run", 90)


@contextmanager
def wired(*names: str) -> Iterator[tuple[Machine, dict[str, Machine], dict[str, str]]]:
    """Give a machine with a cable to each of some others, and the names of the cables."""
    base, others = Machine("base"), {name: Machine(name) for name in names}
    nets = {name: f"10.85.{number}" for number, name in enumerate(names, start=1)}
    try:
        for name, machine in others.items():
            base.cable(machine, nets[name])
        yield base, others, nets
    finally:
        for machine in (base, *others.values()):
            machine.close()


@pytest.mark.skipif(
    not CAN_CABLE, reason="network namespaces with veth pairs are not allowed here (needs root)"
)
def test_a_cable_that_is_pulled_in_mid_decision(tmp_path: Path) -> None:
    """Who is cut off says so and waits; the other one takes its ticks and watches its run; then both go on, each tick once."""
    with wired("one", "two") as (base, machines, nets), FarPostgres(base, "10.85.0.0/16") as server:
        near = server.near("postgres")
        with lab_with(
            tmp_path / "lab", near, template("hourly"), template("long", WAIT, on="0 11 * * *")
        ) as lab:
            lab.seen("long")

            def serve(name: str) -> Servant:
                url = f"postgresql://lab@{nets[name]}.1:{server.port}/postgres?tcp_user_timeout=2000"
                return Servant(lab, {"WORKFLOW_API_DB_URL": url}, machines[name].way, beat=0.5)

            one = serve("one")
            lab.clock.set(TEN + HOUR + MOMENT)
            await_hour(lab, 1)
            await_true(lambda: lab.states("long") == [State.RUNNING], "one has a run that goes on", 60)
            two = serve("two")
            await_true(lambda: len(lab.history.services()) == 2, "both are there", 60)
            with held_up(near) as await_deciders:
                lab.clock.set(TEN + 2 * HOUR + MOMENT)
                await_deciders(2)
                base.ip("link", "set", nets["one"], "down")
            await_hour(lab, 2)
            await_true(lambda: TROUBLE in one.said, "the one that is cut off says so", 60)
            lab.go("long")
            await_true(
                lambda: lab.states("long") == [State.DONE], "the other one sees the end of its run", 60
            )
            lab.clock.set(TEN + 3 * HOUR + MOMENT)
            await_hour(lab, 3)
            assert "two" in (lab.launches("hourly")[2].service or "")
            base.ip("link", "set", nets["one"], "up")
            await_true(lambda: "works again" in one.said, "the one that was cut off works again", 60)
            # And the other way round, with nothing on its way.
            before = two.said.count(TROUBLE)
            base.ip("link", "set", nets["two"], "down")
            lab.clock.set(TEN + 4 * HOUR + MOMENT)
            await_hour(lab, 4)
            await_true(lambda: two.said.count(TROUBLE) > before, "the other one says so", 60)
            base.ip("link", "set", nets["two"], "up")
            await_true(
                lambda: "works again" in two.said.rpartition(TROUBLE)[2], "the other one works again", 60
            )
            assert [one.end(signal.SIGTERM), two.end(signal.SIGTERM)] == [0, 0]
            check_hours(lab, 4)
            assert len(list((lab.state / "runs").glob("*/run.json"))) == 5


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    """Give a server that tests kill, and start again."""
    with PostgresServer() as server:
        yield server


@pytest.mark.parametrize("signum", [signal.SIGKILL, signal.SIGQUIT], ids=["kill -9", "immediate"])
def test_a_database_that_dies_in_mid_decision(signum: int, tmp_path: Path, server: PostgresServer) -> None:
    """Killed, or stopped at once, while two services decide: they wait and tell; when it is back the tick runs once."""
    with lab_with(tmp_path / "lab", server.new_place(), template("hourly")) as lab:
        assert lab.url is not None
        servants = [Servant(lab, {"WORKFLOW_API_DB_URL": lab.url}, beat=0.5) for _ in range(2)]
        await_true(lambda: len(lab.history.services()) == 2, "both are there", 60)
        with suppress(psycopg.OperationalError), held_up(lab.url) as await_deciders:
            lab.clock.set(TEN + HOUR + MOMENT)
            await_deciders(2)
            server.process.send_signal(signum)
            server.process.wait()
        await_true(lambda: all(TROUBLE in one.said for one in servants), "both say so", 60)
        server.start()
        await_hour(lab, 1)
        lab.clock.set(TEN + 2 * HOUR + MOMENT)
        await_hour(lab, 2)
        assert [one.end(signal.SIGTERM) for one in servants] == [0, 0]
        check_hours(lab, 2)
        assert len(list((lab.state / "runs").glob("*/run.json"))) == 2
