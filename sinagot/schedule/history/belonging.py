"""Whose tables these are: two workspaces in one place of a database would decide about each other's ticks.

Knows the rows that say so, and the file that keeps a name for a workspace that has none. The workspace that opens the
tables first has them; a copy of it that says the same comes to its name; another one gets a part of its own.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Sequence
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
from sinagot.schedule.history.schema import unreadable
from sinagot.schedule.history.tables import WORKSPACE

__all__ = ["Belonging", "part_of"]


class Belonging(NamedTuple):
    """By what a workspace is known to a database."""

    #: Its state folder.
    state: str
    #: As ``[history] name`` says, the same on all machines; else one that the state folder keeps.
    name: str | None = None
    #: As `sinagot.schedule.history.likeness` gives it; empty where nobody knows.
    likeness: str = ""


def part_of(database: Database, mine: Belonging) -> str:
    """Say which part of a database is that of a workspace; one that is new there gets one.

    Parameters
    ----------
    database : Database
        The whole; its tables are those of this program.
    mine : Belonging
        Of this workspace.

    Returns
    -------
    str
        Empty for the whole.

    Raises
    ------
    ConfigurationError
        When somebody else is there who may be the same workspace on another machine; it says what to do.
    HistoryUnavailableError
        When the database can't be reached, or the state folder can't keep a name; or nothing may be written, and there
        is nothing of this workspace.
    """
    name = mine.name or _kept_name(mine.state)
    rows = database.read(_rows)
    row = _row_of(rows, name, mine)
    if row is None:
        _check_is_new(rows, database, mine)
        if database.is_read_only:
            if not rows:
                return ""
            raise unreadable(database, "it has no tables yet of this workspace")
        name = name or _kept_name(mine.state, uuid4().hex[:12])
        while row is None:
            row = database.write(lambda connection, is_again: _claim(connection, database, name, mine))
    elif mine.likeness not in ("", row.likeness) and not database.is_read_only:
        known = WORKSPACE.update().where(WORKSPACE.c.number == row.number).values(likeness=mine.likeness)
        database.write(lambda connection, is_again: connection.execute(known))
    if not name and not database.is_read_only:
        _kept_name(mine.state, row.name)
    return "" if row.number == 1 else _part(row.name, database)


def _rows(connection: Connection) -> list[Row[Any]]:
    query: Any = sa.select(WORKSPACE).order_by(WORKSPACE.c.number)
    return list(connection.execute(query))


def _row_of(rows: Sequence[Row[Any]], name: str, mine: Belonging) -> Row[Any] | None:
    """Give the row of a workspace, or that of which it is a copy that has no name yet."""
    for row in rows:
        if row.name == name if name else mine.likeness and row.likeness == mine.likeness:
            return row
    return None


def _check_is_new(rows: Sequence[Row[Any]], database: Database, mine: Belonging) -> None:
    """Refuse a workspace of another machine that may be one of those that are there: its ticks would run twice."""
    others = [row for row in rows if row.place.partition(":")[0] != os.uname().nodename]
    if mine.name or not others:
        return
    first = others[0]
    raise ConfigurationError(
        f"history.url: in {database.address} there is the workspace {first.name!r} of another machine ({first.place}, "
        f"{first.since:%Y-%m-%d %H:%M} UTC), and nothing says whether this is the same one. Where it is, write in its "
        f'configuration: [history] name = "{first.name}"; else write another name there',
        key="history.url",
        found=first.name,
    )


def _claim(connection: Connection, database: Database, name: str, mine: Belonging) -> Row[Any] | None:
    """Put a workspace behind those that are there; None when another one was quicker."""
    rows = _rows(connection)
    known = _row_of(rows, name, mine)
    if known is not None:
        return known
    insert = sqlite.insert if database.is_sqlite else postgresql.insert
    place = f"{os.uname().nodename}:{os.path.abspath(mine.state)}"
    facts = {"number": len(rows) + 1, "name": name, "place": place, "since": datetime.now(UTC)}
    row = facts | {"likeness": mine.likeness}
    connection.execute(insert(WORKSPACE).values(row).on_conflict_do_nothing(index_elements=["number"]))
    return _row_of(_rows(connection), name, mine)


def _part(name: str, database: Database) -> str:
    """Give the name of a part: short, and of letters and digits."""
    plain = re.sub(r"[^a-z0-9]+", "_", name.lower())[:30]
    whole = "public"
    if not database.is_sqlite:  # schemas are those of the database, whichever the address names
        whole = str(
            database.read(lambda connection: connection.execute(sa.select(sa.func.current_schema())).scalar())
        )
    if (plain, whole) == (name, "public"):
        return f"sinagot_{plain}"
    digest = hashlib.sha256(f"{whole} {name}".encode("utf-8", "surrogatepass")).hexdigest()
    return f"sinagot_{plain}_{digest[:8]}"


def _kept_name(state: str, new: str = "") -> str:
    """Give the name that the state folder keeps; where it keeps none, a new one from now on, if one is given."""
    files = PlainFiles(f"{os.path.abspath(state)}/service")
    path = f"{files.root}/workspace.json"
    found = files.read(path)
    if found is None and new:
        files.create(path, to_json({"name": new}, "the name of the workspace"))
        found = files.read(path)  # another service may have been first
    return str((found or {}).get("name", ""))
