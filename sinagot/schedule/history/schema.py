"""Brings the tables of the history to what this program knows, when a history is opened.

Knows Alembic, which is an extra, and is loaded only where there is something to apply; the steps are in `migrations`.
"""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from sinagot.errors import ConfigurationError, HistoryUnavailableError
from sinagot.schedule.history.connecting import Database
from sinagot.schedule.history.tables import REVISION, VERSION_TABLE

__all__ = ["prepare", "unreadable"]

#: Number of our lock in a PostgreSQL database: one program at a time applies migrations.
_LOCK = 0x73696E61676F74


def prepare(database: Database) -> None:
    """Apply the migrations that are missing; several programs may do so at one time. Who only reads applies none.

    Raises
    ------
    ConfigurationError
        When the tables were made by a newer program.
    HistoryUnavailableError
        When the database can't be reached, or has no tables that can be read, and nothing may be written.
    """
    # Not with patience: somebody may have mistyped the address, and a service looks again by itself.
    is_absent = database.is_read_only and database.is_absent
    found = "" if is_absent else database.read(_revision, patience=0)
    if found > REVISION:
        raise _too_new(database, found)
    if found != REVISION and database.is_read_only:
        state = f"its tables are of an older sinagot ({found})" if found else "it has no tables yet"
        raise unreadable(database, state)
    if found != REVISION:
        database.write(lambda connection, is_again: _upgrade(connection, database))


def unreadable(database: Database, state: str) -> HistoryUnavailableError:
    """Make the error of who may only read, and finds nothing that can be read."""
    return HistoryUnavailableError(
        f"the history of schedules in {database.address} can't be read: {state}; the first service that may write "
        "makes them: sinagot schedule run, or serve without --read-only",
        address=database.address,
    )


def _revision(connection: Connection) -> str:
    """Give the revision of the tables; empty where there are none."""
    if not sa.inspect(connection).has_table(VERSION_TABLE):
        return ""
    found = connection.execute(sa.text(f"SELECT version_num FROM {VERSION_TABLE}")).scalar()  # noqa: S608
    return str(found or "")


def _too_new(database: Database, found: str) -> ConfigurationError:
    return ConfigurationError(
        f"the history of schedules in {database.address} was made by a newer sinagot (its tables are {found}, this "
        f"program knows them up to {REVISION}); install that version here too",
        key="history.url",
        found=found,
    )


def _upgrade(connection: Connection, database: Database) -> None:
    from alembic import command
    from alembic.config import Config

    if not database.is_sqlite:  # there the transaction is the lock
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_LOCK)))
    if database.schema:
        connection.execute(sa.text(f'CREATE SCHEMA IF NOT EXISTS "{database.schema}"'))
    found = _revision(connection)  # somebody may have been first
    if found > REVISION:
        raise _too_new(database, found)
    if found < REVISION:
        config = Config()
        config.set_main_option("script_location", "sinagot.schedule.history:migrations")
        config.attributes["connection"] = connection
        command.upgrade(config, REVISION)
