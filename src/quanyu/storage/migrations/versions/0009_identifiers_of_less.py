"""Identifiers without the day they were last seen (links and totals know it), found by their hash alone."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from quanyu.storage.schema import Instant

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    with op.batch_alter_table("identifier") as batch_op:
        batch_op.drop_constraint("uq_identifier_hash", type_="unique")
        batch_op.drop_column("seen_at")
        batch_op.create_unique_constraint("uq_identifier_hash", ["hash", "brand_id"])


def downgrade() -> None:
    """Undo; the day an identifier began stands for the one it was last seen."""
    with op.batch_alter_table("identifier") as batch_op:
        batch_op.drop_constraint("uq_identifier_hash", type_="unique")
        batch_op.add_column(sa.Column("seen_at", Instant(), nullable=False, server_default="0"))
        batch_op.create_unique_constraint("uq_identifier_hash", ["hash", "namespace", "brand_id"])
    op.execute("UPDATE identifier SET seen_at = born_at")
    with op.batch_alter_table("identifier") as batch_op:
        batch_op.alter_column("seen_at", server_default=None)
