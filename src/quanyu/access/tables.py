"""Tables of access: brands, users, sessions, API clients and the audit ledger."""

from __future__ import annotations

import sqlalchemy as sa

from quanyu.storage.schema import BigId, Instant, append_only, metadata

brand = sa.Table(
    "brand",
    metadata,
    sa.Column("brand_id", BigId, primary_key=True, autoincrement=True),
    sa.Column("key", sa.Text, nullable=False, unique=True),
    sa.Column("name_zh", sa.Text, nullable=False),
    sa.Column("name_en", sa.Text, nullable=False),
    sa.Column("currency", sa.Text, nullable=False),
    sa.Column("time_zone", sa.Text, nullable=False),
    sa.Column("made_at", Instant, nullable=False),
)

user_account = sa.Table(
    "user_account",
    metadata,
    sa.Column("user_id", sa.Text, primary_key=True),
    sa.Column("username", sa.Text, nullable=False, unique=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("role", sa.Text, nullable=False),
    sa.Column("brands", sa.JSON, nullable=False),  # list of brand keys
    sa.Column("stores", sa.JSON(none_as_null=True), nullable=True),  # list of store ids, or null for every store
    sa.Column("staff_id", sa.Text, nullable=True),
    sa.Column("language", sa.Text, nullable=False, server_default="zh"),
    sa.Column("password_hash", sa.Text, nullable=False),
    sa.Column("active", sa.Boolean, nullable=False),
    sa.Column("failures", sa.Integer, nullable=False, server_default="0"),
    sa.Column("locked_until", Instant, nullable=True),
    sa.Column("made_at", Instant, nullable=False),
    sa.Column("seen_at", Instant, nullable=True),
    sa.CheckConstraint("role IN ('owner','operator','analyst','guide','compliance')", name="role"),
)

user_session = sa.Table(
    "user_session",
    metadata,
    sa.Column("token_hash", sa.Text, primary_key=True),
    sa.Column("user_id", sa.Text, sa.ForeignKey("user_account.user_id"), nullable=False, index=True),
    sa.Column("made_at", Instant, nullable=False),
    sa.Column("expires_at", Instant, nullable=False),
)

api_client = sa.Table(
    "api_client",
    metadata,
    sa.Column("client_id", sa.Text, primary_key=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("key_hash", sa.Text, nullable=False, unique=True),
    sa.Column("key_hint", sa.Text, nullable=False),
    sa.Column("permissions", sa.JSON, nullable=False),
    sa.Column("brands", sa.JSON, nullable=False),
    sa.Column("active", sa.Boolean, nullable=False),
    sa.Column("made_at", Instant, nullable=False),
)

audit_entry = sa.Table(
    "audit_entry",
    metadata,
    sa.Column("seq", BigId, primary_key=True, autoincrement=True),  # the place in the chain: the installation's
    sa.Column("brand_id", sa.BigInteger, nullable=False),
    sa.Column("number", sa.BigInteger, nullable=False, server_default="0"),  # the place within the brand: what is shown
    sa.Column("at", Instant, nullable=False),
    sa.Column("actor_kind", sa.Text, nullable=False),
    sa.Column("actor_id", sa.Text, nullable=False),
    sa.Column("actor_name", sa.Text, nullable=False),
    sa.Column("action", sa.Text, nullable=False),
    sa.Column("subject", sa.Text, nullable=False),
    sa.Column("detail", sa.Text, nullable=False),
    sa.Column("count", sa.BigInteger, nullable=False),
    sa.Column("request_id", sa.Text, nullable=True),
    sa.Column("prev_hash", sa.Text, nullable=False),
    sa.Column("hash", sa.Text, nullable=False),
    sa.Index("ix_audit_entry_brand_number", "brand_id", "number", unique=True),
    sqlite_autoincrement=True,
)

# The ledger is append-only in the database itself, not by good manners.
append_only(audit_entry)
