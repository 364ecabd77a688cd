"""Identifiers are found by hash on shelves of half a million: new ones change the pages of the last shelf alone."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    with op.batch_alter_table("identifier") as batch_op:
        batch_op.drop_constraint("uq_identifier_hash", type_="unique")
        batch_op.add_column(
            sa.Column("shelf", sa.BigInteger(), sa.Computed("identifier_id / 524288", persisted=True), nullable=False)
        )
        batch_op.create_unique_constraint("uq_identifier_hash", ["shelf", "hash", "brand_id"])


def downgrade() -> None:
    """Undo."""
    with op.batch_alter_table("identifier") as batch_op:
        batch_op.drop_constraint("uq_identifier_hash", type_="unique")
        batch_op.drop_column("shelf")
        batch_op.create_unique_constraint("uq_identifier_hash", ["hash", "brand_id"])
