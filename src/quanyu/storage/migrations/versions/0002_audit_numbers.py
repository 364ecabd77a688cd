"""Entries of the audit ledger are numbered within their brand; the chain itself stays as it is."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from quanyu.storage.schema import append_only_statements

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_NUMBERED = """
UPDATE audit_entry SET number = counted.place FROM (
    SELECT seq AS counted_seq, row_number() OVER (PARTITION BY brand_id ORDER BY seq) AS place FROM audit_entry
) AS counted WHERE counted.counted_seq = audit_entry.seq
"""


def upgrade() -> None:
    """Apply."""
    op.add_column("audit_entry", sa.Column("number", sa.BigInteger(), nullable=False, server_default="0"))
    _let_go()
    op.execute(sa.text(_NUMBERED))
    for statement in append_only_statements("audit_entry", op.get_bind().dialect.name):
        op.execute(sa.text(statement))
    op.drop_index("ix_audit_entry_brand_seq", table_name="audit_entry")
    op.create_index("ix_audit_entry_brand_number", "audit_entry", ["brand_id", "number"], unique=True)


def downgrade() -> None:
    """Take back."""
    op.drop_index("ix_audit_entry_brand_number", table_name="audit_entry")
    op.create_index("ix_audit_entry_brand_seq", "audit_entry", ["brand_id", "seq"], unique=False)
    op.drop_column("audit_entry", "number")


def _let_go() -> None:
    """Take the ledger's triggers away for this one statement: the number is new, and no part of any hash."""
    if op.get_bind().dialect.name == "postgresql":
        op.execute(sa.text("DROP TRIGGER audit_entry_append_only ON audit_entry"))
    else:
        for operation in ("update", "delete"):
            op.execute(sa.text(f"DROP TRIGGER audit_entry_no_{operation}"))
