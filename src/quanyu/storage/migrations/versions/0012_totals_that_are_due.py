"""What large batches add to totals waits in a table of its own."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from quanyu.storage.schema import BigId, Instant

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "identifier_stat_due",
        sa.Column("due_id", BigId, autoincrement=True, nullable=False),
        sa.Column("slice", sa.BigInteger(), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.Column("at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("due_id", name="pk_identifier_stat_due"),
    )
    op.create_index("ix_identifier_stat_due_slice", "identifier_stat_due", ["slice"])


def downgrade() -> None:
    """Undo."""
    op.drop_table("identifier_stat_due")
