"""What was reported last of each product in each store."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from quanyu.storage.schema import Instant

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "stock",
        sa.Column("brand", sa.Text(), nullable=False),
        sa.Column("sku", sa.Text(), nullable=False),
        sa.Column("store_id", sa.Text(), nullable=False),
        sa.Column("quantity", sa.Double(), nullable=False),
        sa.Column("reported_at", Instant(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("event_id", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("brand", "sku", "store_id", name=op.f("pk_stock")),
    )
    with op.batch_alter_table("stock") as batch_op:
        batch_op.create_index("ix_stock_report", ["source", "event_id"], unique=False)


def downgrade() -> None:
    """Undo."""
    op.drop_table("stock")
