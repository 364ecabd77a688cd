"""When the stock of a brand was last counted anew from history; brands without a row never were."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from quanyu.storage.schema import Instant

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "stock_count",
        sa.Column("brand", sa.Text(), nullable=False),
        sa.Column("counted_at", Instant(), nullable=True),
        sa.PrimaryKeyConstraint("brand", name=op.f("pk_stock_count")),
    )


def downgrade() -> None:
    """Undo."""
    op.drop_table("stock_count")
