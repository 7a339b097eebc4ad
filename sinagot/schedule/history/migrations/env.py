"""What Alembic runs to apply migrations: on the connection that `opening` gives it, inside its transaction.

Knows the names that our tables go by.
"""

from __future__ import annotations

from alembic import context

from sinagot.schedule.history.tables import METADATA, VERSION_TABLE

__all__: list[str] = []


def _run() -> None:
    context.configure(
        connection=context.config.attributes["connection"],
        target_metadata=METADATA,
        version_table=VERSION_TABLE,
    )
    context.run_migrations()


if hasattr(context, "config"):  # there is none where a test imports all modules
    _run()
