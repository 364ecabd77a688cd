"""Clusters are named for their smallest person, so that nearly all are found by the index of people."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.execute(
        "CREATE TEMPORARY TABLE cluster_named AS SELECT cluster_id AS old, min(person_id) AS new FROM identifier"
        " WHERE person_id > 0 GROUP BY cluster_id HAVING min(person_id) <> max(person_id)"
    )
    op.execute("CREATE UNIQUE INDEX ix_cluster_named ON cluster_named (old)")
    op.drop_index("ix_identifier_cluster_id", "identifier")
    op.execute(
        "UPDATE identifier SET cluster_id = CASE WHEN person_id = 0 THEN -identifier_id"
        " ELSE coalesce((SELECT new FROM cluster_named WHERE old = cluster_id), person_id) END"
    )
    op.execute("DROP TABLE cluster_named")
    op.create_index(
        "ix_identifier_apart",
        "identifier",
        ["cluster_id"],
        sqlite_where=sa.text("cluster_id <> person_id"),
        postgresql_where=sa.text("cluster_id <> person_id"),
    )


def downgrade() -> None:
    """Undo: clusters are named for their smallest identifier."""
    op.execute(
        "CREATE TEMPORARY TABLE cluster_named AS SELECT cluster_id AS old, min(identifier_id) AS new FROM identifier"
        " GROUP BY cluster_id"
    )
    op.execute("CREATE UNIQUE INDEX ix_cluster_named ON cluster_named (old)")
    op.drop_index("ix_identifier_apart", "identifier")
    op.execute("UPDATE identifier SET cluster_id = (SELECT new FROM cluster_named WHERE old = cluster_id)")
    op.execute("DROP TABLE cluster_named")
    op.create_index("ix_identifier_cluster_id", "identifier", ["cluster_id"])
