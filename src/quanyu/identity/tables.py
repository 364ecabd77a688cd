"""Tables of identity: identifiers, the links between them, and the people that follow from both.

Everything else that is known about somebody is stored per identifier by the contexts above, and read through
`identifier.person_id`, so that undoing a merge moves it back exactly.
"""

from __future__ import annotations

import sqlalchemy as sa

from quanyu.storage.schema import BigId, Instant, metadata

SHELF = 1 << 19  # identifiers whose hashes are indexed together, see `hashes`

# Ids of identifiers, links and people are dense and handed out in blocks, never reused.
identity_sequence = sa.Table(
    "identity_sequence",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("next", sa.BigInteger, nullable=False),
)

identifier = sa.Table(
    "identifier",
    metadata,
    sa.Column("identifier_id", BigId, primary_key=True, autoincrement=False),
    sa.Column("brand_id", sa.BigInteger, nullable=False),
    sa.Column("namespace", sa.Text, nullable=False),
    sa.Column("issuer", sa.Text, nullable=False),
    sa.Column("hash", sa.Text, nullable=False),  # of namespace and value
    sa.Column("sealed", sa.LargeBinary, nullable=False),
    sa.Column("masked", sa.Text, nullable=False),
    sa.Column("person_id", sa.BigInteger, nullable=False, index=True),  # 0: nobody (too many people, or blocked)
    # The smallest person among the connected identifiers; -identifier_id of one that identifies nobody.
    sa.Column("cluster_id", sa.BigInteger, nullable=False),
    sa.Column("root_of", sa.BigInteger, nullable=True),  # the person that began with it, whoever holds it now
    sa.Column("state", sa.SmallInteger, nullable=False),
    sa.Column("sharing", sa.BigInteger, nullable=False),  # how many people seem to share it
    sa.Column("born_at", Instant, nullable=False),
    sa.Column("source", sa.Text, nullable=False),
    sa.Column("unbound_at", Instant, nullable=True),  # an event cut it loose: links not seen since do not hold
    sa.Column("anchored", sa.Boolean, nullable=False),  # history has rows that it decides
    sa.Column("moved", sa.Boolean, nullable=False),  # and its person has changed since
    sa.Column("shelf", sa.BigInteger, sa.Computed(f"identifier_id / {SHELF}", persisted=True), nullable=False),
    sa.UniqueConstraint("shelf", "hash", "brand_id", name="uq_identifier_hash"),
    sa.CheckConstraint("length(hash) = 32", name="hash_length"),
    # The others of a cluster are found by their person: hardly any cluster has two.
    sa.Index(
        "ix_identifier_apart",
        "cluster_id",
        sqlite_where=sa.text("cluster_id <> person_id"),
        postgresql_where=sa.text("cluster_id <> person_id"),
    ),
    sa.Index(
        "ix_identifier_moved",
        "identifier_id",
        "person_id",
        sqlite_where=sa.text("moved = 1"),
        postgresql_where=sa.text("moved"),
    ),
)

link = sa.Table(
    "link",
    metadata,
    sa.Column("link_id", BigId, primary_key=True, autoincrement=False),
    sa.Column("brand_id", sa.BigInteger, nullable=False),
    sa.Column("a", sa.BigInteger, nullable=False),
    sa.Column("b", sa.BigInteger, nullable=False),
    sa.Column("rule", sa.Text, nullable=False),
    sa.Column("first_at", Instant, nullable=False),
    sa.Column("last_at", Instant, nullable=False),
    sa.Column("days", sa.BigInteger, nullable=False),  # on how many days the two were seen together
    sa.Column("source", sa.Text, nullable=True),  # of the first event that showed it
    sa.Column("event_id", sa.Text, nullable=True),
    sa.Column("event_name", sa.Text, nullable=True),
    sa.Column("status", sa.SmallInteger, nullable=False),
    sa.Column("because", sa.Text, nullable=True),  # the namespace whose limit refused or demoted it
    sa.Column("decision", sa.SmallInteger, nullable=False),
    sa.Column("decided_by", sa.Text, nullable=True),
    sa.Column("decided_at", Instant, nullable=True),
    sa.Column("decided_why", sa.Text, nullable=True),
    sa.UniqueConstraint("a", "b", "rule", name="uq_link_pair"),
    sa.Index("ix_link_b_status", "b", "status"),
    sa.CheckConstraint("a < b", name="ordered"),
    sa.CheckConstraint("rule IN ('together', 'manual')", name="rule"),
    sa.CheckConstraint("status BETWEEN 1 AND 4", name="status"),
    sa.CheckConstraint("decision BETWEEN -1 AND 1", name="decision"),
)

person = sa.Table(
    "person",
    metadata,
    sa.Column("person_id", BigId, primary_key=True, autoincrement=False),
    sa.Column("brand_id", sa.BigInteger, nullable=False),
    sa.Column("public_id", sa.Text, nullable=False, unique=True),
    sa.Column("root_identifier_id", sa.BigInteger, nullable=False),  # see identifier.root_of
    sa.Column("born_at", Instant, nullable=False),
    sa.Column("active", sa.Boolean, nullable=False),  # holds at least one identifier now
    sa.Column("home_store", sa.Text, nullable=True),
    sa.Column("owner_staff", sa.Text, nullable=True),
    sa.Index(
        "ix_person_visible",
        "brand_id",
        "person_id",
        sqlite_where=sa.text("active = 1"),
        postgresql_where=sa.text("active"),
    ),
    sa.Index(
        "ix_person_home_store",
        "brand_id",
        "home_store",
        "person_id",
        sqlite_where=sa.text("home_store IS NOT NULL"),
        postgresql_where=sa.text("home_store IS NOT NULL"),
    ),
    sa.Index(
        "ix_person_owner_staff",
        "brand_id",
        "owner_staff",
        "person_id",
        sqlite_where=sa.text("owner_staff IS NOT NULL"),
        postgresql_where=sa.text("owner_staff IS NOT NULL"),
    ),
)

# Where a person belongs is said of identifiers; the person's columns follow from them (`homes`).
identifier_home = sa.Table(
    "identifier_home",
    metadata,
    sa.Column("identifier_id", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("kind", sa.Text, primary_key=True),
    sa.Column("declared", sa.Boolean, primary_key=True),
    sa.Column("value", sa.Text, nullable=False),
    sa.Column("at", Instant, nullable=False),
    sa.CheckConstraint("kind IN ('store', 'staff')", name="kind"),
    sqlite_with_rowid=False,
)

# Values of one brand that identify nobody: a store's own phone, a demonstrator's account.
blocked_value = sa.Table(
    "blocked_value",
    metadata,
    sa.Column("brand_id", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("hash", sa.Text, primary_key=True),
    sa.Column("namespace", sa.Text, nullable=False),
    sa.Column("masked", sa.Text, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("blocked_by", sa.Text, nullable=False),
    sa.Column("at", Instant, nullable=False),
)
