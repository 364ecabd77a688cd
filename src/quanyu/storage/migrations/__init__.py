"""Alembic revisions of the state store, from empty to today's tables, on both databases."""
