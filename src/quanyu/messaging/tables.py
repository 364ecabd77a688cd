"""Tables of messaging. `effect` is the outbox of everything that may reach a person; `effect_log` its history."""

from __future__ import annotations

import sqlalchemy as sa

from quanyu.storage.schema import BigId, Instant, metadata

connection = sa.Table(
    "connection",
    metadata,
    sa.Column("connection", sa.Text, primary_key=True),
    sa.Column("brand_id", sa.BigInteger, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("enabled", sa.Boolean, nullable=False, server_default=sa.true()),
    sa.Column("config", sa.LargeBinary, nullable=False),  # sealed by the vault
    sa.Column("revision", sa.Integer, nullable=False, server_default="1"),
    sa.Column("fence", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("failures", sa.Integer, nullable=False, server_default="0"),
    sa.Column("open_until", Instant),
    sa.Column("problem", sa.Text),
    sa.Column("check_ok", sa.Boolean),
    sa.Column("check_zh", sa.Text),
    sa.Column("check_en", sa.Text),
    sa.Column("checked_at", Instant),
    sa.Column("made_at", Instant, nullable=False),
    sa.Index("ix_connection_brand_id", "brand_id"),
)

template = sa.Table(
    "template",
    metadata,
    sa.Column("template_id", sa.Text, primary_key=True),
    sa.Column("brand_id", sa.BigInteger, nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("text", sa.Text, nullable=False),
    sa.Column("card_title", sa.Text),
    sa.Column("card_page", sa.Text),
    sa.Column("card_image", sa.Text),
    sa.Column("revision", sa.Integer, nullable=False, server_default="1"),
    sa.Column("updated_at", Instant, nullable=False),
    sa.CheckConstraint("kind IN ('text', 'card')", name="kind"),
    sa.Index("ix_template_brand_id", "brand_id"),
)

# Equal content is kept once, however many people get it. It may name people, so it is sealed.
content = sa.Table(
    "message_content",
    metadata,
    sa.Column("content_id", sa.Text, primary_key=True),
    sa.Column("brand_id", sa.BigInteger, nullable=False),
    sa.Column("sealed", sa.LargeBinary, nullable=False),
)

_PENDING = "status IN ('intended', 'deferred')"
_IN_FLIGHT = "status IN ('claimed', 'submitted')"

effect = sa.Table(
    "effect",
    metadata,
    sa.Column("effect_id", sa.Text, primary_key=True),
    sa.Column("brand_id", sa.BigInteger, nullable=False),
    sa.Column("anchor_id", sa.BigInteger, nullable=False),
    sa.Column("connection", sa.Text, nullable=False),
    sa.Column("template_id", sa.Text, nullable=False),
    sa.Column("category", sa.Text, nullable=False),
    sa.Column("purpose", sa.Text, nullable=False),
    sa.Column("priority", sa.Integer, nullable=False),
    sa.Column("daily_cap", sa.Integer),
    sa.Column("quiet", sa.Text),
    sa.Column("ghost", sa.Boolean, nullable=False),
    sa.Column("coupon_id", sa.Text),
    sa.Column("coupon_code", sa.Text),
    sa.Column("journey_id", sa.Text),
    sa.Column("version", sa.Integer),
    sa.Column("node_id", sa.Text),
    sa.Column("participation_id", sa.BigInteger),
    sa.Column("reply_token", sa.Text),
    sa.Column("reply_until", Instant),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("reason", sa.Text),
    sa.Column("attempt", sa.Integer, nullable=False, server_default="0"),
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("wake_at", Instant, nullable=False),
    sa.Column("expires_at", Instant, nullable=False),
    sa.Column("claimed_at", Instant),
    sa.Column("lease_until", Instant),
    sa.Column("fence", sa.BigInteger),
    sa.Column("batch_id", sa.Text),
    sa.Column("content_id", sa.Text),
    sa.Column("address_hash", sa.Text),
    sa.Column("submitted_at", Instant),
    sa.Column("settled_at", Instant),
    sa.Column("delivered_at", Instant),
    sa.Column("read_at", Instant),
    sa.Column("redeemed_at", Instant),
    sa.Column("converted_at", Instant),
    sa.CheckConstraint(
        "status IN ('intended', 'claimed', 'submitted', 'accepted', 'rejected', 'unknown', 'suppressed',"
        " 'deferred', 'held_out')",
        name="status",
    ),
    sa.CheckConstraint(
        "status NOT IN ('submitted', 'accepted', 'unknown') OR submitted_at IS NOT NULL", name="submitted"
    ),
    sa.CheckConstraint("NOT ghost OR submitted_at IS NULL", name="ghosts_stay"),
    sa.Index(
        "ix_effect_pending",
        "connection",
        "wake_at",
        sqlite_where=sa.text(_PENDING),
        postgresql_where=sa.text(_PENDING),
    ),
    sa.Index(
        "ix_effect_in_flight", "lease_until", sqlite_where=sa.text(_IN_FLIGHT), postgresql_where=sa.text(_IN_FLIGHT)
    ),
    sa.Index("ix_effect_batch_id_address_hash", "batch_id", "address_hash"),
    sa.Index("ix_effect_journey_id_node_id", "journey_id", "node_id"),
    sa.Index("ix_effect_anchor_id", "anchor_id"),
    sa.Index("ix_effect_brand_id_created_at", "brand_id", "created_at", "effect_id"),
)

effect_log = sa.Table(
    "effect_log",
    metadata,
    sa.Column("log_id", BigId, primary_key=True, autoincrement=True),
    sa.Column("effect_id", sa.Text, nullable=False),
    sa.Column("at", Instant, nullable=False),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("attempt", sa.Integer, nullable=False),
    sa.Column("reason", sa.Text),
    sa.Column("detail", sa.Text),
    sa.Column("told", sa.Boolean, nullable=False),
    sa.Index("ix_effect_log_effect_id", "effect_id"),
    sa.Index("ix_effect_log_untold", "log_id", sqlite_where=sa.text("told = 0"), postgresql_where=sa.text("NOT told")),
)

# One call to a provider. `batch_id` is the send token that travels in the card's page.
batch = sa.Table(
    "message_batch",
    metadata,
    sa.Column("batch_id", sa.Text, primary_key=True),
    sa.Column("brand_id", sa.BigInteger, nullable=False),
    sa.Column("connection", sa.Text, nullable=False),
    sa.Column("content_id", sa.Text, nullable=False),
    sa.Column("sender", sa.Text),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("fence", sa.BigInteger, nullable=False),
    sa.Column("size", sa.Integer, nullable=False),
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("submitted_at", Instant),
    sa.Column("answered_at", Instant),
    sa.Column("reference", sa.Text),
    sa.Column("next_at", Instant),  # when to poll (answered) or to ask (unknown) again
    sa.Column("tries", sa.Integer, nullable=False, server_default="0"),
    sa.CheckConstraint("status IN ('claimed', 'submitted', 'answered', 'unknown', 'closed')", name="status"),
    sa.Index(
        "ix_message_batch_next_at",
        "next_at",
        sqlite_where=sa.text("next_at IS NOT NULL"),
        postgresql_where=sa.text("next_at IS NOT NULL"),
    ),
)

# One used unit of a person's cap. Kept per identifier, so that it follows merges and their undoing.
cap_use = sa.Table(
    "cap_use",
    metadata,
    sa.Column("effect_id", sa.Text, primary_key=True),
    sa.Column("anchor_id", sa.BigInteger, nullable=False),
    sa.Column("connection", sa.Text, nullable=False),
    sa.Column("channel", sa.Text, nullable=False),
    sa.Column("category", sa.Text, nullable=False),
    sa.Column("day", sa.Integer, nullable=False),  # of the brand's zone, as 20261231
    sa.Column("ghost", sa.Boolean, nullable=False),
    sa.Index("ix_cap_use_anchor_id_day", "anchor_id", "day"),
)

provider_problem = sa.Table(
    "provider_problem",
    metadata,
    sa.Column("reason", sa.Text, primary_key=True),
    sa.Column("title_zh", sa.Text, nullable=False),
    sa.Column("title_en", sa.Text, nullable=False),
    sa.Column("remedy_zh", sa.Text, nullable=False),
    sa.Column("remedy_en", sa.Text, nullable=False),
)

contact_lookup = sa.Table(
    "contact_lookup",
    metadata,
    sa.Column("lookup_id", BigId, primary_key=True, autoincrement=True),
    sa.Column("brand_id", sa.BigInteger, nullable=False),
    sa.Column("connection", sa.Text, nullable=False),
    sa.Column("reference", sa.LargeBinary, nullable=False),  # sealed
    sa.Column("due_at", Instant, nullable=False),
    sa.Column("tries", sa.Integer, nullable=False, server_default="0"),
    sa.Index("ix_contact_lookup_due_at", "due_at"),
)
