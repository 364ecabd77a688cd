"""Tables of events: sources, how far the log was read, the books and their recount, the quarantine and its replays,
the tracking plan and what breaks it, what traffic looked like, and what the product recorded.
"""

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
    # Stored once and lawfully gone since (retention, erasure): history has `stored - removed`.
    sa.Column("removed", sa.BigInteger, nullable=False, server_default="0"),
)

# An hour whose books do not add up or do not fit what the stores hold. A row stays until a recount finds it right.
discrepancy = sa.Table(
    "event_discrepancy",
    metadata,
    sa.Column("source", sa.Text, primary_key=True),
    sa.Column("hour_at", Instant, primary_key=True),
    sa.Column("brand_id", sa.BigInteger, nullable=False, index=True),
    sa.Column("accepted", sa.BigInteger, nullable=False),
    sa.Column("stored", sa.BigInteger, nullable=False),
    sa.Column("duplicate", sa.BigInteger, nullable=False),
    sa.Column("quarantined", sa.BigInteger, nullable=False),
    sa.Column("removed", sa.BigInteger, nullable=False),
    sa.Column("found_stored", sa.BigInteger, nullable=False),
    sa.Column("found_quarantined", sa.BigInteger, nullable=False),
    sa.Column("found_at", Instant, nullable=False),
    sa.Column("seen_at", Instant, nullable=False),
)

# A frame of the log that cannot be read. `source`, `hour_at` (of receipt) and `events` are what its header still says;
# `events` is 0 where it says nothing, and of a torn one, which may never have been acknowledged.
damage = sa.Table(
    "event_damage",
    metadata,
    sa.Column("writer", sa.Text, primary_key=True),
    sa.Column("segment", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("offset", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("bytes", sa.BigInteger, nullable=False),
    sa.Column("source", sa.Text, nullable=True, index=True),
    sa.Column("hour_at", Instant, nullable=True),
    sa.Column("events", sa.BigInteger, nullable=False),
    sa.Column("found_at", Instant, nullable=False, index=True),
)

# When each check last ran, and what it counted: `books` (a recount), `quality:<brand>`.
check_run = sa.Table(
    "event_check_run",
    metadata,
    sa.Column("kind", sa.Text, primary_key=True),
    sa.Column("at", Instant, nullable=False),
    sa.Column("full_at", Instant, nullable=True),
    sa.Column("counted", sa.BigInteger, nullable=False),
    sa.Column("found", sa.BigInteger, nullable=False),
    sa.Column("took_ms", sa.BigInteger, nullable=False),
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
    sa.Column("replay_id", sa.Text, nullable=True),  # the replay in bulk that took it
    sa.CheckConstraint("status IN ('held','replayed','discarded')", name="status"),
    sa.Index("ix_event_quarantine_replay", "replay_id", "status"),
    sa.Index("ix_event_quarantine_brand_seq", "brand_id", "status", "seq"),
    sa.Index("ix_event_quarantine_source_reason", "brand_id", "source", "reason"),
)

# A replay in bulk: which items it took, how each is mended, and what became of them (in events; `still` in items).
replay = sa.Table(
    "event_replay",
    metadata,
    sa.Column("replay_id", sa.Text, primary_key=True),
    sa.Column("brand_id", sa.BigInteger, nullable=False, index=True),
    sa.Column("filter", sa.Text, nullable=False),
    sa.Column("edits", sa.Text, nullable=False),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("total", sa.BigInteger, nullable=False),
    sa.Column("done", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("stored", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("duplicate", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("still", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("made_at", Instant, nullable=False),
    sa.Column("made_by", sa.Text, nullable=False),
    sa.Column("ended_at", Instant, nullable=True),
    sa.CheckConstraint("status IN ('running','done','stopped')", name="status"),
)

# A brand's tracking plan, every version of it; the newest holds.
plan = sa.Table(
    "event_plan",
    metadata,
    sa.Column("brand_id", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("version", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("document", sa.Text, nullable=False),
    sa.Column("note", sa.Text, nullable=False),
    sa.Column("made_at", Instant, nullable=False),
    sa.Column("made_by", sa.Text, nullable=False),
)

# What broke the plan, by hour of receipt. `example` is masked.
violation = sa.Table(
    "event_violation",
    metadata,
    sa.Column("brand_id", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("source", sa.Text, primary_key=True),
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("property", sa.Text, primary_key=True),
    sa.Column("reason", sa.Text, primary_key=True),
    sa.Column("rule", sa.Text, primary_key=True),
    sa.Column("hour_at", Instant, primary_key=True),
    sa.Column("count", sa.BigInteger, nullable=False),
    sa.Column("example", sa.Text, nullable=False),
)

# What traffic looked like: events (property '') and their properties by type, when first and last; `example` is masked.
seen = sa.Table(
    "event_seen",
    metadata,
    sa.Column("brand_id", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("source", sa.Text, primary_key=True),
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("property", sa.Text, primary_key=True),
    sa.Column("type", sa.Text, primary_key=True),
    sa.Column("first_at", Instant, nullable=False),
    sa.Column("last_at", Instant, nullable=False),
    sa.Column("count", sa.BigInteger, nullable=False),
    sa.Column("example", sa.Text, nullable=False),
)

# Events by the hour in which they happened: made anew from history by the quality check.
hourly = sa.Table(
    "event_hourly",
    metadata,
    sa.Column("brand_id", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("source", sa.Text, primary_key=True),
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("hour_at", Instant, primary_key=True),
    sa.Column("events", sa.BigInteger, nullable=False),
    sa.Column("with_person", sa.BigInteger, nullable=False),
)

# What the quality check found wrong; closed when a later check does not find it any more.
problem = sa.Table(
    "event_problem",
    metadata,
    sa.Column("problem_id", sa.Text, primary_key=True),
    sa.Column("brand_id", sa.BigInteger, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("severity", sa.Text, nullable=False),
    sa.Column("source", sa.Text, nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("property", sa.Text, nullable=False),
    sa.Column("facts", sa.Text, nullable=False),
    sa.Column("first_at", Instant, nullable=False),
    sa.Column("last_at", Instant, nullable=False),
    sa.Column("closed_at", Instant, nullable=True),
    sa.Column("muted_until", Instant, nullable=True),
    sa.CheckConstraint("severity IN ('high','medium','low')", name="severity"),
    sa.Index("ix_event_problem_brand", "brand_id", "closed_at"),
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
    sa.Column("protocol", sa.Text, nullable=False, server_default="native"),
    sa.Column("call", sa.Text, nullable=False, server_default=""),
    sqlite_autoincrement=True,
)

# Which events another event of their source replaces. History keeps both; whoever counts leaves these out. `batch` is
# the micro-batch that said so: until history has it, it still shows the event that is replaced.
replacement = sa.Table(
    "event_replacement",
    metadata,
    sa.Column("source", sa.Text, primary_key=True),
    sa.Column("event_id", sa.Text, primary_key=True),
    sa.Column("replaced_by", sa.Text, nullable=False),
    sa.Column("batch", sa.BigInteger, nullable=False, index=True),
    # Where the replaced event lies and whose it is; null while it is not stored (it may wait in quarantine).
    sa.Column("day", sa.Text, nullable=True),
    sa.Column("anchor_id", sa.BigInteger, nullable=True),
    sqlite_with_rowid=False,
)

# For how many days events of a name (`*`: of every other name) stay in history, null for ever; `*` without a row too.
retention = sa.Table(
    "event_retention",
    metadata,
    sa.Column("brand_id", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("days", sa.Integer, nullable=True),
    sa.Column("set_by", sa.Text, nullable=False),
    sa.Column("set_at", Instant, nullable=False),
)

# What retention takes out of history, written before it does: `cells` lists source, hour of receipt and count, `kinds`
# brand, name, day of the removal and count.
removal = sa.Table(
    "event_removal",
    metadata,
    sa.Column("removal_id", BigId, primary_key=True, autoincrement=True),
    sa.Column("day", sa.Text, nullable=False),
    sa.Column("cells", sa.Text, nullable=False),
    sa.Column("kinds", sa.Text, nullable=False, server_default="[]"),
    sa.Column("at", Instant, nullable=False),
    sa.Column("done", sa.Boolean, nullable=False),
    sqlite_autoincrement=True,
)

# How many events of a name retention took out of history on a day, the brand's own.
removed = sa.Table(
    "event_removed",
    metadata,
    sa.Column("brand_id", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("day", sa.Text, primary_key=True),
    sa.Column("events", sa.BigInteger, nullable=False),
    sa.Column("last_at", Instant, nullable=False),
)
