"""Runs revisions on the connection that `quanyu.storage.migrate` hands over; there is no alembic.ini."""

from __future__ import annotations

from alembic import context

from quanyu.storage.schema import metadata

connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=metadata,
    compare_type=False,
    render_as_batch=connection.dialect.name == "sqlite",
    transaction_per_migration=False,
)
with context.begin_transaction():
    context.run_migrations()
