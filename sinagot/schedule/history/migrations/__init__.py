"""How the tables of the history came to be, step by step, for Alembic; applied when a history is opened."""
