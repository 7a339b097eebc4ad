"""The first tables: decisions, launches, pauses, services, and what is forgotten.

Written for good: what changes later is a revision of its own. Texts that are sorted are sorted by bytes.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

__all__ = ["branch_labels", "depends_on", "down_revision", "revision", "upgrade"]

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_KEY = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
_TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "sinagot_decisions",
        sa.Column("schedule_key", _KEY, primary_key=True),
        sa.Column("tick", _TIME, primary_key=True),
        sa.Column("schedule", sa.Text, nullable=False),
        sa.Column("verdict", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("time", _TIME, nullable=False),
        sa.Column("service", sa.Text, nullable=False),
        sa.Column("run_id", sa.Text),
        sa.Column("number", sa.BigInteger, nullable=False),
        sa.Column("first", _TIME),
    )
    op.create_index("sinagot_decisions_by_tick", "sinagot_decisions", ["tick", "schedule_key"])
    _make_launches()
    op.create_table(
        "sinagot_pauses",
        sa.Column("schedule_key", _KEY, primary_key=True),
        sa.Column("schedule", sa.Text, nullable=False),
        sa.Column("since", _TIME, nullable=False),
        sa.Column("user", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
    )
    op.create_table(
        "sinagot_services",
        sa.Column("service_key", _KEY, primary_key=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("host", sa.Text, nullable=False),
        sa.Column("boot", sa.Text, nullable=False),
        sa.Column("pid", sa.BigInteger, nullable=False),
        sa.Column("start", sa.Text, nullable=False),
        sa.Column("since", _TIME, nullable=False),
        sa.Column("beat", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "sinagot_forgotten",
        sa.Column("schedule_key", _KEY, primary_key=True),
        sa.Column("before", _TIME, nullable=False),
    )


def _make_launches() -> None:
    op.create_table(
        "sinagot_launches",
        sa.Column("run_key", _KEY, primary_key=True),
        sa.Column("asked", _TIME, nullable=False),
        sa.Column("schedule_key", _KEY),
        sa.Column("pipeline_key", _KEY, nullable=False),
        sa.Column("run_id", sa.Text, nullable=False),
        sa.Column("pipeline", sa.Text, nullable=False),
        sa.Column("origin", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("params", sa.Text, nullable=False),
        sa.Column("schedule", sa.Text),
        sa.Column("tick", _TIME),
        sa.Column("attempt", sa.Integer, nullable=False),
        sa.Column("due", _TIME),
        sa.Column("service", sa.Text),
        sa.Column("host", sa.Text),
        sa.Column("boot", sa.Text),
        sa.Column("pid", sa.BigInteger),
        sa.Column("start", sa.Text),
        sa.Column("began", _TIME),
        sa.Column("ended", _TIME),
        sa.Column("exit_code", sa.BigInteger),
        sa.Column("message", sa.Text, nullable=False),
        sa.Column("version", sa.BigInteger, nullable=False),
    )
    op.create_index("sinagot_launches_by_time", "sinagot_launches", ["asked", "run_key"])
    op.create_index("sinagot_launches_by_state", "sinagot_launches", ["state", "asked"])
    op.create_index("sinagot_launches_by_schedule", "sinagot_launches", ["schedule_key", "asked"])
    op.create_index("sinagot_launches_by_pipeline", "sinagot_launches", ["pipeline_key", "asked"])
