"""One database: its address, its connections, and what is done when they break.

Knows SQLAlchemy, which is an extra, and how SQLite and PostgreSQL want to be used; must not know tables.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar
from urllib.parse import quote

import sqlalchemy as sa
from sqlalchemy.engine import URL, Connection, Engine
from sqlalchemy.exc import ArgumentError, DBAPIError, InterfaceError, NoSuchModuleError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from sinagot.errors import ConfigurationError, HistoryUnavailableError

__all__ = ["Database", "read_url"]

_Result = TypeVar("_Result")

#: Seconds between two attempts.
_FIRST_PAUSE, _LAST_PAUSE = 0.02, 0.5
#: Seconds that a program waits for a lock of another, for an answer, and for a word that what it has sent has come.
_LOCK, _ANSWER, _SILENCE = 10, 30, 10
#: Words of an address that are secret beside the password.
_SECRET = ("password", "passfile", "sslpassword", "sslkey")
#: The server only answers questions now: another one has taken its place.
_READ_ONLY = "25006"
#: Of SQLite: others hold a lock. All else that it refuses, as on a full drive, takes longer than anybody waits here.
_HELD = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_PROTOCOL)


def read_url(text: str) -> URL:
    """Read the address of a database.

    Parameters
    ----------
    text : str
        As SQLAlchemy writes it: ``postgresql://user:password@host/name`` or ``sqlite:////absolute/path.db``.

    Returns
    -------
    URL
        With the driver that we use.

    Raises
    ------
    ConfigurationError
        When it is no address, or that of a database which can't keep a history.

    Examples
    --------
    >>> read_url("postgresql://ada@db.example.org/lab").drivername
    'postgresql+psycopg'
    """
    try:
        url = sa.make_url(text)
        url.port  # noqa: B018  (a port that is no number)
    except (ArgumentError, ValueError) as error:
        kind = text.partition(":")[0][:30]
        raise ConfigurationError(
            f"history.url: the address ({kind}:...) can't be understood; write it as "
            "postgresql://user:password@host:5432/name or sqlite:////absolute/path.db",
            key="history.url",
        ) from error
    kind = url.drivername.partition("+")[0]
    if kind in ("postgresql", "postgres"):
        return url.set(drivername="postgresql+psycopg")
    if kind == "sqlite":
        if url.database in (None, "", ":memory:"):
            raise ConfigurationError(
                "history.url: a database in memory is lost with its process, and no other service sees it; "
                "write the path of a file: sqlite:////absolute/path.db",
                key="history.url",
            )
        return url.set(drivername="sqlite+pysqlite")
    raise ConfigurationError(
        f"history.url: no history in {kind!r}: it is kept in PostgreSQL (postgresql://...) or SQLite (sqlite:///...)",
        key="history.url",
        found=kind,
    )


class Database:
    """A database, reached again when a connection breaks.

    Parameters
    ----------
    url : str
        Its address.
    patience : float
        Seconds for which a broken connection is made anew before that is an error.
    is_read_only : bool
        Nothing can be written, and no file is made.
    part : str
        A place of its own at the address; letters, digits and ``_``.

    Raises
    ------
    ConfigurationError
        When the address can't be used.
    """

    def __init__(self, url: str, patience: float, *, is_read_only: bool = False, part: str = "") -> None:
        self._url = read_url(url)
        #: Of the address: a schema of PostgreSQL, or a file of SQLite beside that of the address; empty for the whole.
        self.part = part
        if part and self.is_sqlite:
            stem, suffix = os.path.splitext(str(self._url.database))
            self._url = self._url.set(database=f"{stem}-{part}{suffix}")
        hidden = {name: "***" for name in _SECRET if name in self._url.query}
        #: The address without what is secret.
        self.address = self._url.update_query_dict(hidden).render_as_string(hide_password=True)
        if self.schema:
            self.address += f" (schema {self.schema})"
        self.patience = patience
        self.is_read_only = is_read_only
        try:
            self._engine = _make_engine(self._url, self.schema, is_read_only=is_read_only)
        except (ArgumentError, NoSuchModuleError, TypeError) as error:
            raise ConfigurationError(
                f"history.url: {self.address} can't be used: {error}", key="history.url"
            ) from error

    @property
    def is_sqlite(self) -> bool:
        """Whether it is a file of SQLite."""
        return self._url.get_backend_name() == "sqlite"

    @property
    def schema(self) -> str:
        """The schema of PostgreSQL that the tables are in; empty where the address says it."""
        return self.part if self.part and not self.is_sqlite else ""

    @property
    def is_absent(self) -> bool:
        """Whether it is a file that is not there; who writes makes it."""
        return self.is_sqlite and not os.path.exists(str(self._url.database).removeprefix("file:"))

    def read(self, work: Callable[[Connection], _Result], *, patience: float | None = None) -> _Result:
        """Ask, in one transaction, and again when the connection breaks.

        Parameters
        ----------
        work : callable
            Asks.
        patience : float, optional
            Seconds, where they are not those of all.

        Raises
        ------
        HistoryUnavailableError
            When that takes longer than the patience.
        """
        bound = self.patience if patience is None else patience
        return self._do(lambda connection, is_again: work(connection), "BEGIN", bound)

    def write(self, work: Callable[[Connection, bool], _Result]) -> _Result:
        """Write, in one transaction, and again when the connection breaks.

        Parameters
        ----------
        work : callable
            Told whether it was tried before: then it may be on record already, as the answer may have been lost.

        Raises
        ------
        HistoryUnavailableError
            When that takes longer than the patience.
        """
        return self._do(work, "BEGIN IMMEDIATE", self.patience)

    def _do(self, work: Callable[[Connection, bool], _Result], begin: str, patience: float) -> _Result:
        end, pause, is_again = time.monotonic() + patience, _FIRST_PAUSE, False
        while True:
            try:
                with self._engine.connect().execution_options(begin=begin) as connection, connection.begin():
                    return work(connection, is_again)
            except (DBAPIError, PoolTimeout) as error:
                if not _may_pass(error) or time.monotonic() + pause > end:
                    if self.is_sqlite:  # a file that was opened on a sealed drive could never be written
                        self._engine.dispose()
                    raise self._unavailable(error) from error
            is_again = True
            time.sleep(pause)
            pause = min(2 * pause, _LAST_PAUSE)

    def _unavailable(self, error: Exception) -> HistoryUnavailableError:
        said = str(getattr(error, "orig", None) or error).strip().partition("\n")[0]
        look = "whether the server runs, and at the address, user and password"
        if self.is_sqlite:
            look = "at the path, the drive, its free space and its permissions"
        return HistoryUnavailableError(
            f"the history of schedules in {self.address} is not available: {said or type(error).__name__}; look {look}",
            address=self.address,
        )

    def close(self) -> None:
        """Close all connections."""
        self._engine.dispose()


def _may_pass(error: Exception) -> bool:
    code = getattr(getattr(error, "orig", None), "sqlite_errorcode", None)
    if code is not None:
        return code & 0xFF in _HELD  # beyond a byte it says more exactly what it is
    if isinstance(error, OperationalError | InterfaceError | PoolTimeout):
        return True
    if not isinstance(error, DBAPIError):
        return False
    return error.connection_invalidated or getattr(error.orig, "sqlstate", "") == _READ_ONLY


def _make_engine(url: URL, schema: str, *, is_read_only: bool) -> Engine:
    if url.get_backend_name() == "sqlite":
        engine = sa.create_engine(_reading(url) if is_read_only else url, hide_parameters=True)
        sa.event.listen(engine, "connect", _prepare_sqlite)
        if not is_read_only:
            sa.event.listen(engine, "connect", _prepare_sqlite_to_write)
        sa.event.listen(engine, "begin", _begin_sqlite)
        return engine
    # A host that is gone says nothing: the connection finds out by itself, also while what it has sent is on its way.
    ways = {"connect_timeout": 5, "keepalives_idle": 10, "keepalives_interval": 5, "keepalives_count": 3}
    ways["tcp_user_timeout"] = _SILENCE * 1000
    arguments: dict[str, Any] = {
        **{name: value for name, value in ways.items() if name not in url.query},
        "prepare_threshold": None,  # poolers in front of the server know nothing of prepared statements
    }
    if "application_name" not in url.query:
        arguments["application_name"] = "sinagot"
    engine = sa.create_engine(
        url,
        connect_args=arguments,
        hide_parameters=True,
        isolation_level="READ COMMITTED",
        pool_timeout=_LOCK,
    )
    silence = str(url.query.get("tcp_user_timeout", ways["tcp_user_timeout"]))
    sa.event.listen(engine, "connect", partial(_prepare_postgresql, silence, schema))
    if is_read_only:
        sa.event.listen(engine, "connect", _forbid_writing)
    return engine


def _reading(url: URL) -> URL:
    """Give the address of a file of SQLite that is only read: as it is, one that is not there would be made."""
    path = str(url.database)
    if path.startswith("file:"):
        return url.update_query_dict({"mode": "ro", "uri": "true"})
    return url.set(database=f"file:{quote(path)}").update_query_dict({"mode": "ro", "uri": "true"})


def _forbid_writing(connection: Any, record: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET default_transaction_read_only = on")
    connection.commit()


def _prepare_postgresql(silence: str, schema: str, connection: Any, record: Any) -> None:
    """Let nobody hold up others: who is stopped in a transaction, or cut off, loses it."""
    with connection.cursor() as cursor:
        # Servers before 12 have no such setting.
        known = "SELECT set_config(name, %s, false) FROM pg_settings WHERE name = 'tcp_user_timeout'"
        cursor.execute(known, [silence])
        if schema:
            cursor.execute(f'SET search_path = "{schema}"')
        cursor.execute(f"SET lock_timeout = '{_LOCK}s'")
        cursor.execute(f"SET statement_timeout = '{_ANSWER}s'")
        cursor.execute(f"SET idle_in_transaction_session_timeout = '{_ANSWER}s'")
    connection.commit()


def _prepare_sqlite(connection: Any, record: Any) -> None:
    connection.isolation_level = (
        None  # we say when a transaction begins: the driver would leave out some statements
    )
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout = {_LOCK * 1000}")
    cursor.close()


def _prepare_sqlite_to_write(connection: Any, record: Any) -> None:
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode = WAL")
    cursor.execute("PRAGMA synchronous = FULL")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    connection.exec_driver_sql(connection.get_execution_options().get("begin", "BEGIN"))
