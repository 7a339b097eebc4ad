"""Laws of the history in a database: those of every history, in SQLite, and what addresses and tables ask for."""

from __future__ import annotations

import importlib.util
import re
import socket
import sqlite3
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from sinagot.errors import ConfigurationError, HistoryUnavailableError, MissingExtraError
from sinagot.schedule.history.connecting import Database, read_url
from sinagot.schedule.history.contract import History
from sinagot.schedule.history.database import DatabaseHistory
from sinagot.schedule.history.facts import Decision
from sinagot.schedule.history.files import FileHistory
from sinagot.schedule.history.notation import key_of
from sinagot.schedule.history.opening import open_history, open_history_of
from sinagot.schedule.history.tables import DECISIONS, LAUNCHES, METADATA, REVISION, VERSION_TABLE, WORKSPACE
from sinagot.testing import make_workspace
from tests.schedule.history.actor import a_pair
from tests.schedule.history.contract import HistoryContract, Place, lines_of, start_actor


class DatabaseContract(HistoryContract):
    """The contract, in any database."""

    def fill(self, history: History, decisions: list[Decision]) -> None:
        """Insert many rows at once."""
        assert isinstance(history, DatabaseHistory)
        rows = [{"schedule_key": key_of(decision.schedule), **decision._asdict()} for decision in decisions]
        history._database.write(lambda connection, is_again: connection.execute(DECISIONS.insert(), rows))

    def test_programs_that_open_it_at_once_make_it_once(self, place: Place) -> None:
        """Programs that open a database without tables at the same time all find them."""
        if place[1] is not None and place[1].startswith("sqlite"):
            assert not Path(place[1].removeprefix("sqlite:///")).exists()
        assert lines_of(start_actor("open", place, "4")) == ["opened"] * 4
        history = open_history(*place)
        assert history.decide(*a_pair("run"))
        history.close()

    def test_the_tables_are_those_of_the_program(self, place: Place, history: History) -> None:
        """What the migrations make is what the program reads and writes."""
        assert isinstance(history, DatabaseHistory)

        def compare(connection: Any, is_again: bool) -> list[Any]:
            context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE})
            return list(compare_metadata(context, METADATA))

        assert history._database.write(compare) == []

    def test_newer_tables_are_told(self, place: Place, history: History) -> None:
        """Tables of a newer program are an error that says what to do, and are left as they are."""
        assert isinstance(history, DatabaseHistory)

        def set_to(revision: str) -> Any:
            statement = sa.text(f"UPDATE {VERSION_TABLE} SET version_num = '{revision}'")
            return lambda connection, is_again: connection.execute(statement)

        history._database.write(set_to("0999"))
        with pytest.raises(ConfigurationError, match=r"made by a newer sinagot.*0999.*install that version"):
            open_history(*place)
        history._database.write(set_to(REVISION))
        open_history(*place).close()

    def test_another_workspace_has_a_part_of_its_own(
        self, place: Place, history: History, tmp_path: Path
    ) -> None:
        """Workspaces that are given one address know nothing of each other, whoever opens them again."""
        url = place[1]
        assert history.decide(*a_pair("run"))
        for folder, name in (("other", None), ("third", None), ("named", "Sleep study: é")):
            with pytest.raises(HistoryUnavailableError, match="no tables yet"):
                open_history(tmp_path / folder, url, name=name, is_read_only=True)
            opened = open_history(tmp_path / folder, url, name=name)
            assert opened.newest("hourly") is None and opened.open_launches() == []
            assert opened.decide(*a_pair("run"))
            opened.close()
            for is_read_only in (False, True):
                opened = open_history(tmp_path / folder, url, name=name, is_read_only=is_read_only)
                assert [one.run_id for one in opened.open_launches()] == ["run"]
                opened.close()
        opened = open_history(*place)
        assert [one.run_id for one in opened.open_launches()] == ["run"]
        opened.close()

    def test_a_workspace_of_another_machine_may_be_the_same(
        self, place: Place, history: History, tmp_path: Path
    ) -> None:
        """Where nothing says whether it is, it is told what to write, and nothing is changed; a name says it."""
        assert isinstance(history, DatabaseHistory)
        url = place[1]
        elsewhere = WORKSPACE.update().values(place="elsewhere:/data")
        history._database.write(lambda connection, is_again: connection.execute(elsewhere))
        assert history.decide(*a_pair("run"))
        for is_read_only in (False, True):
            with pytest.raises(ConfigurationError, match="of another machine") as caught:
                open_history(tmp_path / "other", url, is_read_only=is_read_only)
        (name,) = re.findall('name = "(.*?)"', str(caught.value))
        assert not (tmp_path / "other").exists()
        for given, runs in ((name, ["run"]), ("else", [])):
            opened = open_history(tmp_path / "other", url, name=given)
            assert [one.run_id for one in opened.open_launches()] == runs
            opened.close()

    def test_a_copy_of_the_workspace_shares_them(
        self, place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A copy that says the same is the same workspace, and stays it when it is edited; others are not."""
        monkeypatch.setenv("WORKFLOW_API_DB_URL", str(place[1]))
        labs = {name: make_workspace(tmp_path / name) for name in ("first", "copy", "edited", "else")}
        conf = {name: lab.configuration.root / "conf" / "night.yaml" for name, lab in labs.items()}
        for name, file in conf.items():
            file.parent.mkdir()
            file.write_text("night: {type: pipeline.Pipeline, jobs: {}}\n" * (name != "else"))
        conf["edited"].write_text("# another one\n")
        first = open_history_of(labs["first"].configuration)
        assert first.decide(*a_pair("run"))
        first.close()

        def runs(name: str, *, is_read_only: bool = False) -> list[str]:
            opened = open_history_of(labs[name].configuration, is_read_only=is_read_only)
            found = [one.run_id for one in opened.open_launches()]
            opened.close()
            return found

        assert runs("copy", is_read_only=True) == runs("copy") == ["run"]
        assert runs("edited") == runs("else") == []
        conf["first"].write_text("# edited there\n")
        conf["copy"].write_text("# and here\n")
        assert runs("first") == runs("copy") == ["run"]
        for lab in labs.values():
            lab.close()

    def test_tables_of_the_first_revision_are_brought_up_to_date(self, place: Place) -> None:
        """What older tables hold is there afterwards; they belong to the workspace that opens them first."""
        state, url = place
        assert url is not None
        database = Database(url, 10)

        def make(connection: Any, is_again: bool) -> None:
            config = Config()
            config.set_main_option("script_location", "sinagot.schedule.history:migrations")
            config.attributes["connection"] = connection
            command.upgrade(config, "0001")
            decision, launch = a_pair("run")
            row = {"schedule_key": key_of(decision.schedule), **decision._asdict()}
            connection.execute(DECISIONS.insert().values(row))
            keys = {"run_key": "run", "pipeline_key": "hourly", "schedule_key": "hourly"}
            connection.execute(LAUNCHES.insert().values({**launch._asdict(), **keys, "params": "{}"}))

        database.write(make)
        database.close()
        history = open_history(state, url)
        assert [one.run_id for one in history.open_launches()] == ["run"]
        assert not history.decide(*a_pair("run"))
        history.close()
        history = open_history(f"{state}-2", url)
        assert history.open_launches() == []
        history.close()

    def test_who_only_reads_makes_nothing(self, place: Place) -> None:
        """A reader makes and changes no table: what is not there, or older, is told; what is there can be read."""
        url = str(place[1])
        with pytest.raises(HistoryUnavailableError, match="no tables yet"):
            open_history(*place, is_read_only=True)
        if url.startswith("sqlite"):
            assert not Path(url.removeprefix("sqlite:///")).exists()
        writer = DatabaseHistory(url)
        assert writer.decide(*a_pair("run"))
        for _ in range(2):  # beside who writes, and after
            reader = DatabaseHistory(url, patience=0, is_read_only=True)
            assert [one.run_id for one in reader.open_launches()] == ["run"]
            with pytest.raises(HistoryUnavailableError):
                reader.decide(*a_pair("next", 1))
            reader.close()
            writer.close()
        writer._database.write(
            lambda connection, is_again: connection.execute(
                sa.text(f"UPDATE {VERSION_TABLE} SET version_num = '0000'")
            )
        )
        with pytest.raises(HistoryUnavailableError, match=r"older sinagot \(0000\)"):
            open_history(*place, is_read_only=True)
        writer.close()

    def test_others_tables_are_left_alone(self, place: Place, history: History) -> None:
        """All that is made in the database has a name of ours."""
        assert isinstance(history, DatabaseHistory)
        names = history._database.write(lambda connection, is_again: sa.inspect(connection).get_table_names())
        assert len(names) == 7
        assert all(name.startswith("sinagot_") for name in names)


class TestSqlite(DatabaseContract):
    """The contract, in a file of SQLite."""

    @pytest.fixture
    def place(self, tmp_path: Path) -> Place:
        """Say where a fresh history is."""
        return str(tmp_path / "state"), f"sqlite:///{tmp_path / 'history.db'}"

    def test_readers_do_not_wait_for_a_writer(self, place: Place, history: History) -> None:
        """While somebody writes, others read what was there before."""
        history.decide(*a_pair("run"))
        assert place[1] is not None
        writer = sqlite3.connect(place[1].removeprefix("sqlite:///"), isolation_level=None)
        writer.execute("BEGIN EXCLUSIVE")
        writer.execute("DELETE FROM sinagot_launches")
        assert [launch.run_id for launch in history.open_launches()] == ["run"]
        writer.execute("ROLLBACK")
        assert writer.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        writer.close()

    def test_state_folder_keeps_nothing_but_a_name(self, place: Place, history: History) -> None:
        """With a database the state folder keeps a name for the workspace; one that has a name is not touched."""
        history.decide(*a_pair("run"))
        assert [path.name for path in Path(place[0]).rglob("*") if path.is_file()] == ["workspace.json"]
        other = f"{place[0]}-2"
        open_history(other, f"{place[1]}.other", name="lab").close()
        assert not Path(other).exists()


def test_revisions_follow_one_another() -> None:
    """The newest migration is the one that the program knows, and their names sort as they follow."""
    config = Config()
    config.set_main_option("script_location", "sinagot.schedule.history:migrations")
    script = ScriptDirectory.from_config(config)
    revisions = [one.revision for one in script.walk_revisions()]
    assert script.get_heads() == [REVISION]
    assert revisions == sorted(revisions, reverse=True)
    assert all(re.fullmatch(r"\d{4}", revision) for revision in revisions)


def test_without_an_address_it_is_in_files(tmp_path: Path) -> None:
    """A history without address is in files, and opening it makes none."""
    for url in (None, ""):
        assert isinstance(open_history(tmp_path / "state", url), FileHistory)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("url", "match"),
    [
        ("somewhere", "can't be understood"),
        ("postgresql://ada:s3cret-word@host:many/lab", "can't be understood"),
        ("mysql://ada:s3cret-word@host/lab", "no history in 'mysql'"),
        ("sqlite://", "in memory"),
        ("sqlite:///:memory:", "in memory"),
        ("postgresql://ada:s3cret-word@127.0.0.1/lab?nonsense=1", "nonsense"),
    ],
)
def test_a_wrong_address_is_told(tmp_path: Path, url: str, match: str) -> None:
    """An address that can't be used is an error that says what to write, without the password."""
    with pytest.raises((ConfigurationError, HistoryUnavailableError), match=match) as caught:
        open_history(tmp_path, url)
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize("url", ["somewhere", "mysql://host/lab"])
def test_a_wrong_address_is_told_by_who_said_it(
    tmp_path: Path, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the variable has said it, the message names the variable, and not a key that nobody wrote."""
    configuration = make_workspace(tmp_path / "lab").configuration
    monkeypatch.setenv("WORKFLOW_API_DB_URL", url)
    with pytest.raises(ConfigurationError, match=r"^WORKFLOW_API_DB_URL: ") as caught:
        open_history_of(configuration)
    assert "history.url" not in str(caught.value)


@pytest.mark.parametrize("name", ["postgresql", "postgres", "postgresql+psycopg2", "postgresql+psycopg"])
def test_postgresql_goes_by_many_names(name: str) -> None:
    """However PostgreSQL is written, it is reached by the driver that we need."""
    assert read_url(f"{name}://host/lab").drivername == "postgresql+psycopg"


def test_a_server_that_is_not_there_is_told(tmp_path: Path) -> None:
    """A server that can't be reached is an error with its address, without what is secret, and at once."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # nobody listens
        host = f"127.0.0.1:{taken.getsockname()[1]}"
        url = f"postgresql://ada:s3cret-word@{host}/lab?sslpassword=hidden-word&sslmode=prefer"
        with pytest.raises(HistoryUnavailableError, match="refused") as caught:
            open_history(tmp_path, url)
    assert host in str(caught.value) and host in str(caught.value.address)
    for text in (str(caught.value), caught.value.address, repr(caught.value.__cause__)):
        assert "s3cret" not in str(text) and "hidden" not in str(text)


def test_a_file_that_is_no_database_is_told(tmp_path: Path) -> None:
    """A folder that is not there, and a file of somebody else, are errors with the address."""
    with pytest.raises(HistoryUnavailableError, match=r"absent/x\.db.*unable to open"):
        open_history(tmp_path, f"sqlite:///{tmp_path}/absent/x.db")
    (tmp_path / "other").write_bytes(b"plain text, no tables at all" * 100)
    with pytest.raises(HistoryUnavailableError, match="not a database"):
        open_history(tmp_path, f"sqlite:///{tmp_path}/other")


@pytest.mark.parametrize("package", ["sqlalchemy", "alembic", "psycopg"])
def test_a_missing_package_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, package: str) -> None:
    """Without a package that the database needs the error names the extra; files need none."""
    find = importlib.util.find_spec
    monkeypatch.setattr(
        "sinagot.schedule.history.opening.find_spec", lambda name: None if name == package else find(name)
    )
    with pytest.raises(MissingExtraError, match=rf"{package}.*extra 'history'") as caught:
        open_history(tmp_path, "postgresql://host/lab")
    assert vars(caught.value)["extra"] == "history"
    assert open_history(tmp_path).pauses() == {}
