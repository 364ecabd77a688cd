"""Tables of imports: saved mappings, uploaded files, jobs, connections, and the ledger of what was imported."""

from __future__ import annotations

import sqlalchemy as sa

from quanyu.storage.schema import Instant, metadata

# Every version that was saved; the newest of a mapping is the one in force.
mapping = sa.Table(
    "import_mapping",
    metadata,
    sa.Column("mapping_id", sa.Text, primary_key=True),
    sa.Column("version", sa.Integer, primary_key=True),
    sa.Column("brand_id", sa.BigInteger, nullable=False, index=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("source", sa.Text, nullable=False),
    sa.Column("document", sa.Text, nullable=False),
    sa.Column("active", sa.Boolean, nullable=False),
    sa.Column("made_by", sa.Text, nullable=False),
    sa.Column("made_at", Instant, nullable=False),
)

# The bytes lie sealed in the data folder under a random name, and are deleted at `until`.
file = sa.Table(
    "import_file",
    metadata,
    sa.Column("file_id", sa.Text, primary_key=True),
    sa.Column("brand_id", sa.BigInteger, nullable=False, index=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("bytes", sa.BigInteger, nullable=False),
    sa.Column("stored_as", sa.Text, nullable=False),
    sa.Column("made_by", sa.Text, nullable=False),
    sa.Column("made_at", Instant, nullable=False),
    sa.Column("until", Instant, nullable=False, index=True),
)

job = sa.Table(
    "import_job",
    metadata,
    sa.Column("job_id", sa.Text, primary_key=True),
    sa.Column("brand_id", sa.BigInteger, nullable=False),
    sa.Column("mapping_id", sa.Text, nullable=False),
    sa.Column("mapping_version", sa.Integer, nullable=False),
    sa.Column("source", sa.Text, nullable=False),
    sa.Column("file_id", sa.Text, nullable=True),
    sa.Column("connection_id", sa.Text, nullable=True),
    sa.Column("title", sa.Text, nullable=False),
    sa.Column("status", sa.Text, nullable=False, index=True),
    sa.Column("most_bad", sa.BigInteger, nullable=False),
    # The books of the job: rows = in events + bad + skipped + repeated; events = fresh + corrected + unchanged.
    sa.Column("rows", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("events", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("done", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("fresh", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("corrected", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("unchanged", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("bad", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("skipped", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("repeated", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("masked", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("problem", sa.Text, nullable=True),  # JSON of a label
    sa.Column("made_by", sa.Text, nullable=False),
    sa.Column("made_at", Instant, nullable=False),
    sa.Column("ended_at", Instant, nullable=True),
    sa.CheckConstraint("status IN ('queued','running','done','failed','cancelled')", name="status"),
    sa.Index("ix_import_job_brand_made", "brand_id", "made_at"),
)

# What each business key of a source said last: the same again is nothing new, something else is a correction.
ledger = sa.Table(
    "import_ledger",
    metadata,
    sa.Column("source", sa.Text, primary_key=True),
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("content", sa.Text, nullable=False),
    sa.Column("revision", sa.Integer, nullable=False),
    sqlite_with_rowid=False,
)

# A place that is read again and again: a folder, a bucket, a database; or one that calls: a webhook.
connection = sa.Table(
    "import_connection",
    metadata,
    sa.Column("connection_id", sa.Text, primary_key=True),
    sa.Column("brand_id", sa.BigInteger, nullable=False, index=True),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("mapping_id", sa.Text, nullable=False),
    sa.Column("config", sa.LargeBinary, nullable=False),  # sealed with the brand's key
    sa.Column("schedule", sa.Text, nullable=False),
    sa.Column("active", sa.Boolean, nullable=False),
    sa.Column("secret_hash", sa.Text, nullable=True, unique=True),  # of a webhook's address
    sa.Column("watermark", sa.Text, nullable=True),  # how far a database was read: committed with what was recorded
    sa.Column("problem", sa.Text, nullable=True),
    sa.Column("failures", sa.Integer, nullable=False, server_default="0"),
    sa.Column("next_at", Instant, nullable=True, index=True),
    sa.Column("ran_at", Instant, nullable=True),
    sa.Column("made_by", sa.Text, nullable=False),
    sa.Column("made_at", Instant, nullable=False),
    sa.CheckConstraint("kind IN ('folder','s3','database','webhook')", name="kind"),
)

# Files of a folder or bucket that were taken, each in the state in which it was: one that changed is taken again.
seen = sa.Table(
    "import_seen",
    metadata,
    sa.Column("connection_id", sa.Text, primary_key=True),
    sa.Column("path", sa.Text, primary_key=True),
    sa.Column("stamp", sa.Text, nullable=False),
    sa.Column("job_id", sa.Text, nullable=True),
    sa.Column("at", Instant, nullable=False),
)
