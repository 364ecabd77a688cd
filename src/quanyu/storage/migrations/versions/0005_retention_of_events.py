"""How long events stay in history, and what left it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from quanyu.storage.schema import Instant

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "event_removal",
        sa.Column(
            "removal_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False
        ),
        sa.Column("day", sa.Text(), nullable=False),
        sa.Column("cells", sa.Text(), nullable=False),
        sa.Column("at", Instant(), nullable=False),
        sa.Column("done", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("removal_id", name=op.f("pk_event_removal")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "event_retention",
        sa.Column("brand_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("days", sa.Integer(), nullable=False),
        sa.Column("set_by", sa.Text(), nullable=False),
        sa.Column("set_at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("brand_id", "name", name=op.f("pk_event_retention")),
    )


def downgrade() -> None:
    """Undo."""
    op.drop_table("event_retention")
    op.drop_table("event_removal")
