"""Frames of the event log that cannot be read."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from quanyu.storage.schema import Instant

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "event_damage",
        sa.Column("writer", sa.Text(), nullable=False),
        sa.Column("segment", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("offset", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("bytes", sa.BigInteger(), nullable=False),
        sa.Column("source", sa.Text(), nullable=True),
        sa.Column("hour_at", Instant(), nullable=True),
        sa.Column("events", sa.BigInteger(), nullable=False),
        sa.Column("found_at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("writer", "segment", "offset", name=op.f("pk_event_damage")),
    )
    with op.batch_alter_table("event_damage") as batch_op:
        batch_op.create_index(batch_op.f("ix_event_damage_found_at"), ["found_at"], unique=False)
        batch_op.create_index(batch_op.f("ix_event_damage_source"), ["source"], unique=False)


def downgrade() -> None:
    """Undo."""
    op.drop_table("event_damage")
