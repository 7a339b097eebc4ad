"""The tables of the history in a database, and how values stand in their columns.

Knows SQLAlchemy, which is an extra; must not know connections. `migrations` tell how the tables
came to be: a test compares the two.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime

from sqlalchemy import (
    BigInteger,
    Column,
    DateTime,
    Dialect,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    TypeDecorator,
)

from sinagot.schedule.history.notation import in_utc

__all__ = [
    "DECISIONS",
    "FORGOTTEN",
    "LAUNCHES",
    "METADATA",
    "PAUSES",
    "REVISION",
    "SERVICES",
    "VERSION_TABLE",
    "WORKSPACE",
]

#: The revision of the schema that this program reads and writes.
REVISION = "0002"
#: Alembic's own table; under a name of ours, as the database may be somebody else's too.
VERSION_TABLE = "sinagot_schema"

#: What PostgreSQL can't keep in a text, and the sign that says so.
_ODD = re.compile("[\\\\\x00\ud800-\udfff]")
_ESCAPED = re.compile(r"\\(\\|u[0-9a-f]{4})")


class Word(TypeDecorator[str]):
    """Any text of Python: lone surrogates (odd bytes of file names) and NUL are written as escapes."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        """Escape."""
        if value is None:
            return None
        # A word of an enumeration is a text of its own class.
        return _ODD.sub(lambda m: "\\\\" if m[0] == "\\" else f"\\u{ord(m[0]):04x}", str(value))

    def process_result_value(self, value: str | None, dialect: Dialect) -> str | None:
        """Take escapes back."""
        if value is None:
            return None
        return _ESCAPED.sub(lambda m: "\\" if m[1] == "\\" else chr(int(m[1][1:], 16)), value)


class Moment(TypeDecorator[datetime]):
    """An aware time, in UTC; SQLite keeps it without its zone."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Bring it to UTC."""
        if value is None:
            return None
        value = in_utc(value)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Say that it is in UTC."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


#: Names as the history in files has them: ASCII, so short that they fit into an index, sorted by bytes.
Key = Text().with_variant(Text(collation="C"), "postgresql")

METADATA = MetaData()

DECISIONS = Table(
    "sinagot_decisions",
    METADATA,
    Column("schedule_key", Key, primary_key=True),
    Column("tick", Moment, primary_key=True),
    Column("schedule", Word, nullable=False),
    Column("verdict", Word, nullable=False),
    Column("reason", Word, nullable=False),
    Column("time", Moment, nullable=False),
    Column("service", Word, nullable=False),
    Column("run_id", Word),
    Column("number", BigInteger, nullable=False),
    Column("first", Moment),
    Index("sinagot_decisions_by_tick", "tick", "schedule_key"),
)

LAUNCHES = Table(
    "sinagot_launches",
    METADATA,
    Column("run_key", Key, primary_key=True),
    Column("asked", Moment, nullable=False),
    Column("schedule_key", Key),
    Column("pipeline_key", Key, nullable=False),
    Column("run_id", Word, nullable=False),
    Column("pipeline", Word, nullable=False),
    Column("origin", Word, nullable=False),
    Column("state", Word, nullable=False),
    # JSON as a text: the databases' own types refuse some texts and numbers.
    Column("params", Text, nullable=False),
    Column("schedule", Word),
    Column("tick", Moment),
    Column("attempt", Integer, nullable=False),
    Column("due", Moment),
    Column("service", Word),
    Column("host", Word),
    Column("boot", Word),
    Column("pid", BigInteger),
    Column("start", Word),
    Column("began", Moment),
    Column("ended", Moment),
    Column("exit_code", BigInteger),
    Column("message", Word, nullable=False),
    Column("version", BigInteger, nullable=False),
    Index("sinagot_launches_by_time", "asked", "run_key"),
    Index("sinagot_launches_by_state", "state", "asked"),
    Index("sinagot_launches_by_schedule", "schedule_key", "asked"),
    Index("sinagot_launches_by_pipeline", "pipeline_key", "asked"),
)

PAUSES = Table(
    "sinagot_pauses",
    METADATA,
    Column("schedule_key", Key, primary_key=True),
    Column("schedule", Word, nullable=False),
    Column("since", Moment, nullable=False),
    Column("user", Word, nullable=False),
    Column("reason", Word, nullable=False),
)

SERVICES = Table(
    "sinagot_services",
    METADATA,
    Column("service_key", Key, primary_key=True),
    Column("name", Word, nullable=False),
    Column("host", Word, nullable=False),
    Column("boot", Word, nullable=False),
    Column("pid", BigInteger, nullable=False),
    Column("start", Word, nullable=False),
    Column("since", Moment, nullable=False),
    Column("beat", BigInteger, nullable=False),
)

#: Whose all this is: one row.
#: Who shares the address: the first has it, each other one a part of its own.
WORKSPACE = Table(
    "sinagot_workspace",
    METADATA,
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("name", Word, nullable=False),
    Column("place", Word, nullable=False),
    Column("since", Moment, nullable=False),
    Column("likeness", Text, nullable=False),
)

#: Decisions before this tick were removed: none of them is made again.
FORGOTTEN = Table(
    "sinagot_forgotten",
    METADATA,
    Column("schedule_key", Key, primary_key=True),
    Column("before", Moment, nullable=False),
)
