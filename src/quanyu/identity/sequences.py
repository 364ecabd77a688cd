"""Dense ids in blocks, and the locks that make a brand's people change one writer at a time.

On SQLite a write transaction already excludes every other writer, so the locks are PostgreSQL's alone.
"""

from __future__ import annotations

import sqlalchemy as sa

from quanyu.identity.tables import identity_sequence
from quanyu.storage.bulk import insert_ignore

_WRITERS = 0x514E01
_GATE = 0x514E02


def lock_people(tx: sa.Connection, brand_id: int) -> None:
    """Be the only one that changes the people of a brand until the transaction ends."""
    if tx.dialect.name == "postgresql":
        tx.execute(sa.select(sa.func.pg_advisory_xact_lock(_WRITERS, brand_id)))


def enter_gate(tx: sa.Connection, brand_id: int) -> None:
    """From here to the end of the transaction nobody's identity or consent changes beneath the reader.

    Take it *before* the statement that reads; many readers may hold it at once, `close_gate` waits for them.
    """
    if tx.dialect.name == "postgresql":
        tx.execute(sa.select(sa.func.pg_advisory_xact_lock_shared(_GATE, brand_id)))


def close_gate(tx: sa.Connection, brand_id: int) -> None:
    """Wait until no reader is within the gate, and keep it closed until this transaction has committed.

    Whoever changes people or consent does this before committing, so a reader that enters later sees the change.
    """
    if tx.dialect.name == "postgresql":
        tx.execute(sa.select(sa.func.pg_advisory_xact_lock(_GATE, brand_id)))


def take(tx: sa.Connection, name: str, count: int) -> int:
    """The first of `count` consecutive new ids of the sequence `name`; ids start at 1."""
    if count == 0:
        return 0
    statement = (
        sa.update(identity_sequence)
        .where(identity_sequence.c.name == name)
        .values(next=identity_sequence.c.next + count)
        .returning(identity_sequence.c.next)
    )
    after = tx.execute(statement).scalar_one_or_none()
    if after is None:
        insert_ignore(tx, identity_sequence, [{"name": name, "next": 1}])
        after = tx.execute(statement).scalar_one()
    return int(after) - count


def peek(tx: sa.Connection, name: str) -> int:
    """How far the sequence `name` has come; 0 before it began."""
    found = tx.execute(sa.select(identity_sequence.c.next).where(identity_sequence.c.name == name)).scalar()
    return int(found or 0)
