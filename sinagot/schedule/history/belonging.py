"""Whose tables these are: two workspaces in one place of a database would decide about each other's ticks.

Knows the row that says so, and the file that keeps a name for a workspace that has none. The workspace that opens the
tables first has them.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime
from typing import Any, NamedTuple
from uuid import uuid4

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Connection, Row

from sinagot.errors import ConfigurationError
from sinagot.schedule.history.connecting import Database
from sinagot.schedule.history.notation import to_json
from sinagot.schedule.history.plainfiles import PlainFiles
from sinagot.schedule.history.tables import WORKSPACE

__all__ = ["Belonging", "check_owner"]


class Belonging(NamedTuple):
    """By what a workspace is known to a database."""

    #: Its state folder.
    state: str
    #: As ``[history] name`` says, the same on all machines; else one that the state folder keeps.
    name: str | None = None


def check_owner(database: Database, mine: Belonging) -> None:
    """Refuse tables of another workspace; those that are nobody's belong to this one from now on.

    Parameters
    ----------
    database : Database
        Its tables are those of this program.
    mine : Belonging
        Of this workspace.

    Raises
    ------
    ConfigurationError
        When they are another workspace's; it says what to do.
    HistoryUnavailableError
        When the database can't be reached, or the state folder can't keep a name.
    """
    owner = database.read(_owner)
    if owner is None:
        if database.is_read_only:
            return
        name = mine.name or _kept_name(mine.state, is_made=True)
        owner = database.write(lambda connection, is_again: _claim(connection, database, name, mine.state))
    if owner.name == (mine.name or _kept_name(mine.state)):
        return
    apart = (
        "another file"
        if database.is_sqlite
        else "another database, or a schema of its own (CREATE SCHEMA b; then ?options=-csearch_path%3Db at the end of "
        "the address)"
    )
    raise ConfigurationError(
        f"history.url: the history in {database.address} is that of another workspace, {owner.name!r}, which was there "
        f"first ({owner.place}, {owner.since:%Y-%m-%d %H:%M} UTC); give this one {apart}. Where it is the same "
        f'workspace, on another machine or with a new state folder, write in its configuration: [history] name = "'
        f'{owner.name}"',
        key="history.url",
        found=owner.name,
    )


def _owner(connection: Connection) -> Row[Any] | None:
    query: Any = sa.select(WORKSPACE.c.name, WORKSPACE.c.place, WORKSPACE.c.since)
    found: Row[Any] | None = connection.execute(query).first()
    return found


def _claim(connection: Connection, database: Database, name: str, state: str) -> Row[Any]:
    insert = sqlite.insert if database.is_sqlite else postgresql.insert
    place = f"{os.uname().nodename}:{os.path.abspath(state)}"
    row = {"number": 1, "name": name, "place": place, "since": datetime.now(UTC)}
    connection.execute(insert(WORKSPACE).values(row).on_conflict_do_nothing(index_elements=["number"]))
    found = _owner(connection)  # somebody may have been first
    assert found is not None
    return found


def _kept_name(state: str, *, is_made: bool = False) -> str:
    """Give the name that the state folder keeps; empty where it keeps none."""
    files = PlainFiles(f"{os.path.abspath(state)}/service")
    path = f"{files.root}/workspace.json"
    found = files.read(path)
    if found is None and is_made:
        files.create(path, to_json({"name": uuid4().hex[:12]}, "the name of the workspace"))
        found = files.read(path)  # another service may have been first
    return str((found or {}).get("name", ""))
