"""Tables of journeys: definitions, published versions, where everybody stands, and every step that was taken.

`transition(participation_id, visit)` is a primary key and append-only, so an advance can commit once. The two
slots of a participation are what re-entry rules are enforced with: unique indexes, never a read before a write.
"""

from __future__ import annotations

import sqlalchemy as sa

from quanyu.storage.schema import BigId, Instant, metadata

journey = sa.Table(
    "journey",
    metadata,
    sa.Column("journey_id", sa.Text, primary_key=True),
    sa.Column("brand_id", sa.BigInteger, nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("pause_mode", sa.Text),
    sa.Column("paused_at", Instant),
    sa.Column("version", sa.Integer),
    sa.Column("graph", sa.JSON, nullable=False),  # the draft
    sa.Column("settings", sa.JSON, nullable=False),
    sa.Column("revision", sa.Integer, nullable=False),
    sa.Column("salt", sa.Text, nullable=False),
    sa.Column("audience_version", sa.BigInteger),  # the last version of the trigger's audience that was acted on
    sa.Column("made_by", sa.Text, nullable=False),
    sa.Column("updated_at", Instant, nullable=False),
    sa.Column("published_at", Instant),  # of the first version: nobody enters by what happened before
    sa.CheckConstraint("status IN ('draft', 'running', 'paused', 'ended')", name="status"),
    sa.CheckConstraint("pause_mode IN ('stop_entry', 'freeze', 'hold_sends')", name="pause_mode"),
    sa.Index("ix_journey_brand_id", "brand_id"),
    sa.Index("ix_journey_status", "status"),
)

journey_version = sa.Table(
    "journey_version",
    metadata,
    sa.Column("journey_id", sa.Text, primary_key=True),
    sa.Column("version", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("graph", sa.JSON, nullable=False),
    sa.Column("settings", sa.JSON, nullable=False),
    sa.Column("published_at", Instant, nullable=False),
    sa.Column("published_by", sa.Text, nullable=False),
)

participation = sa.Table(
    "participation",
    metadata,
    sa.Column("participation_id", BigId, primary_key=True, autoincrement=True),
    sa.Column("brand_id", sa.BigInteger, nullable=False),
    sa.Column("journey_id", sa.Text, nullable=False),
    sa.Column("version", sa.Integer, nullable=False),
    # The identifier that decides whose this is; `person_id` follows it when people move.
    sa.Column("anchor_id", sa.BigInteger, nullable=False),
    sa.Column("person_id", sa.BigInteger, nullable=False),
    sa.Column("entry_key", sa.Text, nullable=False),
    sa.Column("entry_slot", sa.Text, nullable=False),
    sa.Column("active_slot", sa.Text),  # set while nobody else may be active for the same person
    sa.Column("cause", sa.Text, nullable=False),  # the event or audience version that brought them in
    sa.Column("held_out", sa.Boolean, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("node_id", sa.Text, nullable=False),
    sa.Column("visit", sa.Integer, nullable=False),
    sa.Column("arrived_at", Instant, nullable=False),
    sa.Column("wake_at", Instant),  # when to look: the earliest of the timer, the event and the goal
    sa.Column("timer_at", Instant),  # when a wait at this node ends by itself
    # The event that ends the wait at this node, once it has been seen: its time and id.
    sa.Column("event_at", Instant),
    sa.Column("event_id", sa.Text),
    sa.Column("entered_at", Instant, nullable=False),
    sa.Column("exited_at", Instant),
    sa.Column("exit_reason", sa.Text),
    sa.Column("goal_until", Instant),
    sa.Column("goal_at", Instant),
    sa.Column("reply_token", sa.Text),
    sa.Column("tries", sa.Integer, nullable=False, server_default="0"),
    sa.Column("failure", sa.Text),
    sa.CheckConstraint("state IN ('active', 'exited')", name="state"),
    sa.CheckConstraint("(state = 'exited') = (exited_at IS NOT NULL)", name="exited"),
    sa.UniqueConstraint("journey_id", "entry_slot"),
    sa.Index(
        "uq_participation_active",
        "journey_id",
        "active_slot",
        unique=True,
        sqlite_where=sa.text("active_slot IS NOT NULL"),
        postgresql_where=sa.text("active_slot IS NOT NULL"),
    ),
    sa.Index(
        "ix_participation_wake_at",
        "wake_at",
        sqlite_where=sa.text("state = 'active'"),
        postgresql_where=sa.text("state = 'active'"),
    ),
    sa.Index("ix_participation_person_id", "person_id"),
    sa.Index("ix_participation_anchor_id", "anchor_id"),
    sa.Index("ix_participation_journey_id_version_node_id", "journey_id", "version", "node_id"),
)

transition = sa.Table(
    "transition",
    metadata,
    sa.Column("participation_id", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("visit", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("journey_id", sa.Text, nullable=False),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("from_node", sa.Text),  # None: came in
    sa.Column("port", sa.Text, nullable=False),
    sa.Column("to_node", sa.Text),  # None: went out
    sa.Column("at", Instant, nullable=False),  # journey time: when the wait ended, not when a worker came by
    sa.Column("done_at", Instant, nullable=False),
    sa.Column("watermark", sa.Text),  # of history, where a condition was asked
    sa.Index("ix_transition_journey_id_version", "journey_id", "version"),
)

# Events that a node waits for, seen while the person was not there yet (or no longer: `late`).
sighting = sa.Table(
    "sighting",
    metadata,
    sa.Column("participation_id", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("node_id", sa.Text, primary_key=True),
    sa.Column("event_id", sa.Text, primary_key=True),
    sa.Column("occurred_at", Instant, nullable=False),
    sa.Column("late", sa.Boolean, nullable=False),
)

# Every event that counts towards the goal of a participation, once.
goal_hit = sa.Table(
    "goal_hit",
    metadata,
    sa.Column("participation_id", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("event_id", sa.Text, primary_key=True),
    sa.Column("occurred_at", Instant, nullable=False),
    sa.Column("amount", sa.BigInteger, nullable=False),
)
