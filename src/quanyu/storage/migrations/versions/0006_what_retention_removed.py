"""Kinds of events that stay for ever by a rule of their own, and what retention took of each kind."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from quanyu.storage.schema import Instant

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "event_removed",
        sa.Column("brand_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("day", sa.Text(), nullable=False),
        sa.Column("events", sa.BigInteger(), nullable=False),
        sa.Column("last_at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("brand_id", "name", "day", name=op.f("pk_event_removed")),
    )
    with op.batch_alter_table("event_removal") as batch_op:
        batch_op.add_column(sa.Column("kinds", sa.Text(), server_default="[]", nullable=False))
    with op.batch_alter_table("event_retention") as batch_op:
        batch_op.alter_column("days", existing_type=sa.Integer(), nullable=True)


def downgrade() -> None:
    """Undo."""
    op.execute("DELETE FROM event_retention WHERE days IS NULL")
    with op.batch_alter_table("event_retention") as batch_op:
        batch_op.alter_column("days", existing_type=sa.Integer(), nullable=False)
    with op.batch_alter_table("event_removal") as batch_op:
        batch_op.drop_column("kinds")
    op.drop_table("event_removed")
