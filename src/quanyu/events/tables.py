"""Tables of events: sources, how far the log was read, the books, the quarantine, and what the product recorded."""

from __future__ import annotations

import sqlalchemy as sa

from quanyu.storage.schema import BigId, Instant, metadata

source = sa.Table(
    "event_source",
    metadata,
    sa.Column("source", sa.Text, primary_key=True),
    sa.Column("brand_id", sa.BigInteger, nullable=False, index=True),
    sa.Column("name_zh", sa.Text, nullable=False),
    sa.Column("name_en", sa.Text, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("channel", sa.Text, nullable=True),
    sa.Column("key_hash", sa.Text, nullable=True, unique=True),  # SHA-256 of a key of 256 random bits
    sa.Column("key_hint", sa.Text, nullable=True),
    sa.Column("made", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("active", sa.Boolean, nullable=False, server_default=sa.true()),
    sa.Column("made_at", Instant, nullable=False),
    sa.Column("last_event_at", Instant, nullable=True),
    sa.CheckConstraint("kind IN ('sdk','file','callback','internal')", name="kind"),
)

# One row per writer of the log: everything before it is in the state that this transaction made.
log_cursor = sa.Table(
    "event_log_cursor",
    metadata,
    sa.Column("writer", sa.Text, primary_key=True),
    sa.Column("segment", sa.BigInteger, nullable=False),
    sa.Column("offset", sa.BigInteger, nullable=False),
    sa.Column("moved_at", Instant, nullable=False),
)

book = sa.Table(
    "event_book",
    metadata,
    sa.Column("source", sa.Text, primary_key=True),
    sa.Column("hour_at", Instant, primary_key=True),
    sa.Column("accepted", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("stored", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("duplicate", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("quarantined", sa.BigInteger, nullable=False, server_default="0"),
)

quarantine = sa.Table(
    "event_quarantine",
    metadata,
    sa.Column("quarantine_id", sa.Text, primary_key=True),
    sa.Column("seq", sa.BigInteger, nullable=False),  # microseconds of receipt: the order of lists
    sa.Column("brand_id", sa.BigInteger, nullable=False),
    sa.Column("source", sa.Text, nullable=False),
    sa.Column("received_at", Instant, nullable=False),
    sa.Column("protocol", sa.Text, nullable=False),
    sa.Column("call", sa.Text, nullable=False),
    sa.Column("sent_at", sa.Text, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("detail", sa.Text, nullable=False),
    sa.Column("place", sa.Text, nullable=False),
    sa.Column("count", sa.BigInteger, nullable=False),
    sa.Column("raw", sa.LargeBinary, nullable=False),  # sealed with the brand's key
    sa.Column("status", sa.Text, nullable=False, server_default="held"),
    # Whether the books already moved this item from quarantined to what its replay became.
    sa.Column("settled", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("resolved_at", Instant, nullable=True),
    sa.Column("resolved_by", sa.Text, nullable=True),
    sa.Column("note", sa.Text, nullable=True),
    sa.CheckConstraint("status IN ('held','replayed','discarded')", name="status"),
    sa.Index("ix_event_quarantine_brand_seq", "brand_id", "status", "seq"),
    sa.Index("ix_event_quarantine_source_reason", "brand_id", "source", "reason"),
)

# What the product did inside a state transaction, on its way to the log: written with what made it true.
recorded = sa.Table(
    "event_recorded",
    metadata,
    sa.Column("recorded_id", BigId, primary_key=True, autoincrement=True),
    sa.Column("source", sa.Text, nullable=False),
    sa.Column("events", sa.Integer, nullable=False),
    sa.Column("payload", sa.LargeBinary, nullable=False),  # sealed with the brand's key
    sa.Column("brand_id", sa.BigInteger, nullable=False),
    sa.Column("at", Instant, nullable=False),
    sqlite_autoincrement=True,
)
