"""Laws of the history in PostgreSQL: those of every history, on a real server, and what is done when that dies."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
import sqlalchemy as sa

from sinagot.errors import HistoryUnavailableError
from sinagot.schedule.history.contract import History
from sinagot.schedule.history.database import DatabaseHistory
from sinagot.schedule.history.facts import State
from sinagot.schedule.history.opening import open_history
from sinagot.testing import await_true
from tests.schedule.history.actor import a_pair, tick
from tests.schedule.history.contract import Place, all_pages, start_actor
from tests.schedule.history.test_databases import DatabaseContract
from tests.services import PostgresServer


class TestPostgres(DatabaseContract):
    """The contract, on a server."""

    @pytest.fixture
    def place(self, tmp_path: Path, postgres_url: str) -> Place:
        """Say where a fresh history is."""
        return str(tmp_path / "state"), postgres_url

    def test_a_connection_that_broke_is_made_again(self, history: History, postgres_url: str) -> None:
        """When the server has ended all connections, the next call makes a new one and does its work once."""
        assert history.decide(*a_pair("run"))
        with psycopg.connect(postgres_url, autocommit=True) as admin:
            admin.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE application_name = 'sinagot' AND pid <> pg_backend_pid()"
            )
        assert history.decide(*a_pair("next", 1))
        assert not history.decide(*a_pair("again", 1))
        assert len(history.open_launches()) == 2

    def test_who_is_stopped_in_a_transaction_is_waited_for(self, history: History, postgres_url: str) -> None:
        """A tick that somebody is about to take is decided by who commits it: he who waits then knows."""
        results: list[bool] = []
        with psycopg.connect(postgres_url) as other:
            other.execute(
                "INSERT INTO sinagot_decisions (schedule_key, tick, schedule, verdict, reason, time, service, number) "
                "VALUES ('hourly', %s, 'hourly', 'fired', '', %s, 'x', 1)",
                (tick(0), tick(0)),
            )
            waiter = threading.Thread(target=lambda: results.append(history.decide(*a_pair("run"))))
            waiter.start()
            with psycopg.connect(postgres_url, autocommit=True) as admin:
                asked = "SELECT count(*) FROM pg_locks WHERE NOT granted"
                await_true(lambda: admin.execute(asked).fetchone() != (0,), "somebody waits")
            other.rollback()
            waiter.join()
        assert results == [True]
        assert history.launch("run") is not None

    def test_silence_has_an_end(self, history: History, postgres_url: str) -> None:
        """What is sent and not heard of is given up after seconds, here and on the server, or when the address says."""
        asked = sa.text("SHOW tcp_user_timeout")
        other = DatabaseHistory(f"{postgres_url}&tcp_user_timeout=2000")
        for opened, end in ((history, "10000"), (other, "2000")):
            assert isinstance(opened, DatabaseHistory)
            with opened._database._engine.connect() as connection:
                assert connection.execute(asked).scalar() == end
                driver = connection.connection.driver_connection
                assert driver is not None
                assert driver.info.get_parameters()["tcp_user_timeout"] == end
            opened.close()

    def test_a_wrong_user_or_database_is_told(self, tmp_path: Path, postgres_url: str) -> None:
        """A database that there is none of is an error with its name, without the password."""
        with pytest.raises(HistoryUnavailableError, match=r"absent.*does not exist") as caught:
            open_history(tmp_path, postgres_url.replace("/postgres?", "/absent?"))
        assert "s3cret" not in str(caught.value)


@pytest.fixture
def own(postgres: PostgresServer) -> Iterator[PostgresServer]:
    """Give the server to a test that harms it: it runs again for the next one."""
    yield postgres
    if postgres.process.poll() is not None:
        postgres.start()


@pytest.mark.slow
def test_a_server_that_dies_loses_and_doubles_nothing(own: PostgresServer, tmp_path: Path) -> None:
    """Over a server killed and started again in the midst of the work of three programs each tick is decided once."""
    url = own.new_place()
    place = str(tmp_path), url
    open_history(*place).close()
    actors = [start_actor("steady", place, f"s{n}") for n in range(3)]
    lines: list[str] = []

    def listen(actor: subprocess.Popen[str]) -> None:
        assert actor.stdout is not None
        lines.extend(line for line in actor.stdout if line.endswith("\n"))

    listeners = [threading.Thread(target=listen, args=(actor,)) for actor in actors]
    try:
        for listener in listeners:
            listener.start()
        await_true(lambda: lines.count("ready\n") == 3, "all have opened it")
        for _ in range(2):
            former = len(lines)
            await_true(lambda former=former: len(lines) > former + 20, "programs decide")
            own.kill()
            own.start()
        former = len(lines)
        await_true(lambda: len(lines) > former + 20, "programs go on")
        assert [actor.poll() for actor in actors] == [None] * 3
    finally:
        for actor in actors:
            actor.kill()
        for listener in listeners:
            listener.join()
        for actor in actors:
            actor.communicate()
    history = open_history(*place)
    decided = all_pages(history.decisions, limit=500)
    launches = {launch.run_id: launch for launch in all_pages(history.launches, limit=500)}
    history.close()
    told = [line.split()[1] for line in lines if line.startswith("decided")]
    assert len(told) == len(set(told))
    assert set(told) <= {decision.run_id for decision in decided}
    assert [decision.tick for decision in decided] == [tick(n) for n in reversed(range(len(decided)))]
    assert launches.keys() == {decision.run_id for decision in decided}
    over = {line.split()[1] for line in lines if line.startswith("over")}
    assert {launches[run_id].state for run_id in over} == {State.DONE}
    # Of what was done when the answer was lost, who asked again was told: but for those that were killed at last.
    assert len(decided) - len(told) <= len(actors)


def test_a_server_that_stays_away_is_told(own: PostgresServer) -> None:
    """When a server does not come back in time the error says so, and the same history goes on when it does."""
    history = DatabaseHistory(own.new_place(), patience=0.2)
    assert history.decide(*a_pair("run"))
    own.kill()
    try:
        for _ in range(2):
            with pytest.raises(HistoryUnavailableError) as caught:
                history.decide(*a_pair("next", 1))
            assert str(own.port) in str(caught.value)
            assert "s3cret" not in str(caught.value)
    finally:
        own.start()
    assert history.decide(*a_pair("next", 1))
    assert len(history.open_launches()) == 2
    history.close()


def test_a_lost_answer_is_asked_for(own: PostgresServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the connection breaks after a commit and before its answer, what was done is known to be ours, and once."""
    history = DatabaseHistory(own.new_place())
    admin = psycopg.connect(f"postgresql://lab@127.0.0.1:{own.port}/postgres", autocommit=True)
    commit = psycopg.Connection.commit
    cut: list[int] = []

    def cut_off(connection: psycopg.Connection) -> None:
        commit(connection)
        if not cut:
            cut.append(connection.info.backend_pid)
            admin.execute("SELECT pg_terminate_backend(%s, 5000)", cut)
            connection.execute("SELECT 1")  # finds out

    monkeypatch.setattr(psycopg.Connection, "commit", cut_off)
    decision, launch = a_pair("run")
    assert history.decide(decision, launch)
    assert len(cut) == 1
    cut.clear()
    running = history.change(launch, state=State.RUNNING)
    assert running is not None and running.version == 1
    cut.clear()
    added = launch._replace(run_id="other", schedule=None, tick=None)
    history.add(added)
    cut.clear()
    assert not history.decide(*a_pair("else"))
    cut.clear()
    assert history.change(launch, state=State.DONE) is None
    monkeypatch.undo()
    assert sorted(one.run_id for one in history.open_launches()) == ["other", "run"]
    history.close()
    admin.close()


def test_the_server_is_not_ours_to_wait_for(own: PostgresServer) -> None:
    """A server that is frozen while it is opened is given up."""
    url = own.new_place() + "&connect_timeout=2"
    os.kill(own.process.pid, signal.SIGSTOP)
    try:
        with pytest.raises(HistoryUnavailableError):
            DatabaseHistory(url)
    finally:
        os.kill(own.process.pid, signal.SIGCONT)
