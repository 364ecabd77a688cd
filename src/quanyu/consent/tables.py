"""Tables of consent: the ledger of every statement, and what follows from it for each identifier.

The ledger is the truth and is append-only in the database itself; `consent_state` and `consent_lift` are derived
from it and could be rebuilt.
"""

from __future__ import annotations

import sqlalchemy as sa

from quanyu.storage.schema import Instant, append_only, metadata

consent_entry = sa.Table(
    "consent_entry",
    metadata,
    sa.Column("brand_id", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("seq", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("identifier_id", sa.BigInteger, nullable=False, index=True),
    sa.Column("purpose", sa.Text, nullable=False),
    sa.Column("channel", sa.Text, nullable=False),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("notice_version", sa.Text, nullable=True),
    sa.Column("at", Instant, nullable=False),
    sa.Column("recorded_at", Instant, nullable=False),
    sa.Column("source", sa.Text, nullable=True),
    sa.Column("event_id", sa.Text, nullable=True),
    sa.Column("actor", sa.Text, nullable=True),
    sa.Column("evidence", sa.Text, nullable=True),
    sa.Column("prev_hash", sa.Text, nullable=False),
    sa.Column("hash", sa.Text, nullable=False),
    sa.CheckConstraint("status IN ('granted', 'denied')", name="status"),
)
append_only(consent_entry)

# The newest statement per identifier, purpose and channel.
consent_state = sa.Table(
    "consent_state",
    metadata,
    sa.Column("identifier_id", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("purpose", sa.Text, primary_key=True),
    sa.Column("channel", sa.Text, primary_key=True),
    sa.Column("brand_id", sa.BigInteger, nullable=False),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("at", Instant, nullable=False),
    sa.Column("seq", sa.BigInteger, nullable=False),
    sa.CheckConstraint("status IN ('granted', 'denied')", name="status"),
    sa.Index("ix_consent_state_people", "brand_id", "purpose", "channel", "status", "identifier_id"),
    sqlite_with_rowid=False,
)

# A denial on one identifier that its person took back through another one (`by_identifier_id`, for `by_channel`).
# It counts only while both belong to one person, so undoing a merge brings the denial back.
consent_lift = sa.Table(
    "consent_lift",
    metadata,
    sa.Column("identifier_id", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("purpose", sa.Text, primary_key=True),
    sa.Column("channel", sa.Text, primary_key=True),
    sa.Column("by_identifier_id", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("by_channel", sa.Text, primary_key=True),
    sa.Column("at", Instant, nullable=False),
    sqlite_with_rowid=False,
)
