"""Tables of profiles. Everything about somebody is a row of one of their identifiers."""

from __future__ import annotations

import sqlalchemy as sa

from quanyu.storage.schema import BigId, Instant, metadata

# One row per identifier and trait. `op` says how the value came to be, see `traits`.
trait = sa.Table(
    "trait",
    metadata,
    sa.Column("identifier_id", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("brand_id", sa.BigInteger, nullable=False),
    sa.Column("op", sa.Text, nullable=False),
    sa.Column("value", sa.Text, nullable=True),  # null where it is sealed, counted or taken away
    sa.Column("number", sa.Float, nullable=True),
    sa.Column("sealed", sa.LargeBinary, nullable=True),
    sa.Column("masked", sa.Text, nullable=True),
    sa.Column("hash", sa.Text, nullable=True),
    sa.Column("at", Instant, nullable=False),
    sa.Column("source", sa.Text, nullable=False),
    sa.CheckConstraint("op IN ('set', 'once', 'add', 'list', 'unset')", name="op"),
    sa.Index("ix_trait_brand_name", "brand_id", "name", "identifier_id"),
    sa.Index(
        "ix_trait_hash",
        "hash",
        sqlite_where=sa.text("hash IS NOT NULL"),
        postgresql_where=sa.text("hash IS NOT NULL"),
    ),
    sqlite_with_rowid=False,
)

tag = sa.Table(
    "tag",
    metadata,
    sa.Column("tag_id", sa.Text, primary_key=True),
    sa.Column("brand_id", sa.BigInteger, nullable=False),
    sa.Column("group_zh", sa.Text, nullable=False),
    sa.Column("group_en", sa.Text, nullable=False),
    sa.Column("name_zh", sa.Text, nullable=False),
    sa.Column("name_en", sa.Text, nullable=False),
    sa.Column("made_at", Instant, nullable=False),
    sa.UniqueConstraint("brand_id", "group_zh", "name_zh", name="uq_tag_name"),
)

tag_assignment = sa.Table(
    "tag_assignment",
    metadata,
    sa.Column("tag_id", sa.Text, sa.ForeignKey("tag.tag_id"), primary_key=True),
    sa.Column("identifier_id", sa.BigInteger, primary_key=True, autoincrement=False, index=True),
    sa.Column("at", Instant, nullable=False),
    sa.Column("assigned_by", sa.Text, nullable=False),
    sqlite_with_rowid=False,
)

identifier_stat = sa.Table(
    "identifier_stat",
    metadata,
    sa.Column("identifier_id", BigId, primary_key=True, autoincrement=False),
    sa.Column("brand_id", sa.BigInteger, nullable=False),
    sa.Column("orders", sa.BigInteger, nullable=False),
    sa.Column("amount", sa.BigInteger, nullable=False),
    sa.Column("first_order_at", Instant, nullable=True),
    sa.Column("last_order_at", Instant, nullable=True),
    sa.Column("seen_at", Instant, nullable=True),
)

# What large batches add to the totals and nobody has added yet, a slice of the identifiers in a row: see `due`.
identifier_stat_due = sa.Table(
    "identifier_stat_due",
    metadata,
    sa.Column("due_id", BigId, primary_key=True, autoincrement=True),
    sa.Column("slice", sa.BigInteger, nullable=False, index=True),
    sa.Column("data", sa.LargeBinary, nullable=False),
    sa.Column("at", Instant, nullable=False),
)
