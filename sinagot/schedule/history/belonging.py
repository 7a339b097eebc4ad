"""Whose tables these are: two workspaces in one place of a database would decide about each other's ticks.

Knows the row that says so, and the file that keeps a name for a workspace that has none. The workspace that opens the
tables first has them; a copy of it that says the same, as on another machine, comes to its name.
"""

from __future__ import annotations

import hashlib
import os
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, NamedTuple
from uuid import uuid4

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Connection, Row

from sinagot.config.schedules import schedule_of
from sinagot.config.settings import Configuration
from sinagot.errors import ConfigurationError
from sinagot.pipeline.templates.folders import list_files
from sinagot.schedule.history.connecting import Database
from sinagot.schedule.history.notation import to_json
from sinagot.schedule.history.plainfiles import PlainFiles
from sinagot.schedule.history.tables import WORKSPACE
from sinagot.workspace.pipelines.templates import conf_folder

__all__ = ["Belonging", "check_owner", "likeness_of"]


class Belonging(NamedTuple):
    """By what a workspace is known to a database."""

    #: Its state folder.
    state: str
    #: As ``[history] name`` says, the same on all machines; else one that the state folder keeps.
    name: str | None = None
    #: As `likeness_of` gives it; empty where nobody knows.
    likeness: str = ""


def likeness_of(configuration: Configuration) -> str:
    """Give a digest of the configuration and templates of a workspace: copies of it have the same, until one is edited.

    Parameters
    ----------
    configuration : Configuration
        Of the workspace; one without files has no likeness, and the answer is empty.
    """
    root = configuration.root
    templates, _ = list_files(conf_folder(root, schedule_of(configuration)))
    files = {os.path.relpath(file, root): file for file in (*configuration.files, *templates)}
    digest = hashlib.sha256()
    for name, file in sorted(files.items()):
        with suppress(OSError), open(file, "rb") as opened:
            text = opened.read()
            digest.update(f"{name!r} {len(text)}\n".encode())
            digest.update(text)
    return digest.hexdigest() if files else ""


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
        name = mine.name or _kept_name(mine.state, uuid4().hex[:12])
        owner = database.write(lambda connection, is_again: _claim(connection, database, name, mine))
    name = mine.name or _kept_name(mine.state)
    if owner.name == name:
        if mine.likeness not in ("", owner.likeness) and not database.is_read_only:
            known = WORKSPACE.update().values(likeness=mine.likeness)
            database.write(lambda connection, is_again: connection.execute(known))
        return
    if not name and mine.likeness and owner.likeness == mine.likeness:
        if not database.is_read_only:
            _kept_name(mine.state, owner.name)
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
    query: Any = sa.select(WORKSPACE)
    found: Row[Any] | None = connection.execute(query).first()
    return found


def _claim(connection: Connection, database: Database, name: str, mine: Belonging) -> Row[Any]:
    insert = sqlite.insert if database.is_sqlite else postgresql.insert
    place = f"{os.uname().nodename}:{os.path.abspath(mine.state)}"
    row = {"number": 1, "name": name, "place": place, "since": datetime.now(UTC), "likeness": mine.likeness}
    connection.execute(insert(WORKSPACE).values(row).on_conflict_do_nothing(index_elements=["number"]))
    found = _owner(connection)  # somebody may have been first
    assert found is not None
    return found


def _kept_name(state: str, new: str = "") -> str:
    """Give the name that the state folder keeps; where it keeps none, a new one from now on, if one is given."""
    files = PlainFiles(f"{os.path.abspath(state)}/service")
    path = f"{files.root}/workspace.json"
    found = files.read(path)
    if found is None and new:
        files.create(path, to_json({"name": new}, "the name of the workspace"))
        found = files.read(path)  # another service may have been first
    return str((found or {}).get("name", ""))
