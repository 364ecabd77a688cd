"""Tables of promotions. `coupon_ledger` is append-only and unique on its cause: doing a thing twice is one row."""

from __future__ import annotations

import sqlalchemy as sa

from quanyu.storage.schema import BigId, Instant, metadata

coupon_definition = sa.Table(
    "coupon_definition",
    metadata,
    sa.Column("coupon_id", sa.Text, primary_key=True),
    sa.Column("brand_id", sa.BigInteger, nullable=False),
    sa.Column("name_zh", sa.Text, nullable=False),
    sa.Column("name_en", sa.Text, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("value", sa.BigInteger, nullable=False),
    sa.Column("threshold", sa.BigInteger, nullable=False),
    sa.Column("currency", sa.Text, nullable=False),
    sa.Column("total", sa.BigInteger),
    sa.Column("per_person", sa.Integer),
    sa.Column("valid_days", sa.Integer, nullable=False),
    sa.Column("issued", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("redeemed", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("active", sa.Boolean, nullable=False, server_default=sa.true()),
    sa.Column("made_at", Instant, nullable=False),
    sa.CheckConstraint("kind IN ('amount_off', 'percent_off')", name="kind"),
    sa.CheckConstraint("value > 0 AND threshold >= 0 AND valid_days > 0", name="sizes"),
    # The database itself refuses to oversell, whatever the code does.
    sa.CheckConstraint("issued >= 0 AND (total IS NULL OR issued <= total)", name="issued"),
    sa.CheckConstraint("redeemed >= 0 AND redeemed <= issued", name="redeemed"),
    sa.Index("ix_coupon_definition_brand_id", "brand_id"),
)

coupon = sa.Table(
    "coupon",
    metadata,
    sa.Column("code", sa.Text, primary_key=True),
    sa.Column("coupon_id", sa.Text, sa.ForeignKey("coupon_definition.coupon_id"), nullable=False),
    sa.Column("brand_id", sa.BigInteger, nullable=False),
    sa.Column("anchor_id", sa.BigInteger, nullable=False),
    sa.Column("effect_id", sa.Text, unique=True),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("issued_at", Instant, nullable=False),
    sa.Column("expires_at", Instant, nullable=False),
    sa.Column("redeemed_at", Instant),
    sa.Column("order_id", sa.Text),
    sa.Column("discount", sa.BigInteger),
    sa.CheckConstraint("status IN ('issued', 'redeemed', 'void')", name="status"),
    sa.Index("ix_coupon_anchor_id_coupon_id", "anchor_id", "coupon_id"),
)

coupon_ledger = sa.Table(
    "coupon_ledger",
    metadata,
    sa.Column("entry_id", BigId, primary_key=True, autoincrement=True),
    sa.Column("brand_id", sa.BigInteger, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("cause", sa.Text, nullable=False),
    sa.Column("coupon_id", sa.Text, nullable=False),
    sa.Column("code", sa.Text, nullable=False),
    sa.Column("at", Instant, nullable=False),
    sa.Column("order_id", sa.Text),
    sa.Column("amount", sa.BigInteger),
    sa.Column("discount", sa.BigInteger),
    sa.Column("store_id", sa.Text),
    sa.Column("channel", sa.Text),
    sa.Column("actor", sa.Text),
    sa.Column("told", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.CheckConstraint("kind IN ('issue', 'redeem', 'void')", name="kind"),
    sa.UniqueConstraint("brand_id", "kind", "cause"),
    sa.Index("ix_coupon_ledger_code", "code"),
    sa.Index(
        "ix_coupon_ledger_untold", "entry_id", sqlite_where=sa.text("told = 0"), postgresql_where=sa.text("NOT told")
    ),
)
