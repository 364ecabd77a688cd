"""Tables of audiences: what they are, and their versions as sets."""

from __future__ import annotations

import sqlalchemy as sa

from quanyu.storage.schema import Instant, metadata

audience = sa.Table(
    "audience",
    metadata,
    sa.Column("audience_id", sa.Text, primary_key=True),
    sa.Column("brand_id", sa.BigInteger, nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("description", sa.Text, nullable=False),
    sa.Column("tree", sa.Text, nullable=False),  # the condition tree as JSON
    sa.Column("refresh", sa.Text, nullable=False),
    sa.Column("revision", sa.BigInteger, nullable=False),  # counts edits; the ETag
    sa.Column("version", sa.BigInteger, nullable=True),  # the newest stored set
    sa.Column("computed_at", Instant, nullable=True),
    sa.Column("watermark", sa.Text, nullable=True),  # what the newest set rests on
    sa.Column("created_by", sa.Text, nullable=False),
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("updated_at", Instant, nullable=False),
    sa.UniqueConstraint("brand_id", "name"),
    sa.CheckConstraint("refresh IN ('manual', 'daily', 'live')", name="refresh"),
)

audience_version = sa.Table(
    "audience_version",
    metadata,
    sa.Column("audience_id", sa.Text, sa.ForeignKey("audience.audience_id", ondelete="CASCADE"), primary_key=True),
    sa.Column("version", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("at", Instant, nullable=False),
    sa.Column("size", sa.BigInteger, nullable=False),
    sa.Column("entered", sa.BigInteger, nullable=False),
    sa.Column("left", sa.BigInteger, nullable=False),
    sa.Column("took_ms", sa.BigInteger, nullable=False),
    sa.Column("members", sa.LargeBinary, nullable=True),  # Roaring, portable format; dropped when old
)
