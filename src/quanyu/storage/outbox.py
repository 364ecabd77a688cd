"""News between contexts: rows written in the transaction that makes them true, read in order by each consumer.

A consumer's position is a row too and moves in the transaction that acts on the news, so each piece is acted
upon exactly once however often the process dies.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from quanyu.storage.bulk import insert_ignore
from quanyu.storage.schema import outbox, outbox_cursor


@dataclass(frozen=True, slots=True)
class News:
    """One piece of news: its place in the order, its topic and what it says."""

    seq: int
    topic: str
    payload: dict[str, Any]


def publish(tx: sa.Connection, topic: str, payload: dict[str, Any], at: datetime) -> None:
    """Write news inside the caller's transaction."""
    tx.execute(sa.insert(outbox).values(topic=topic, payload=json.dumps(payload), at=at))


def take(tx: sa.Connection, consumer: str, topics: tuple[str, ...], limit: int = 1000) -> list[News]:
    """The next news of `topics` for `consumer`, in order; its position moves with this transaction.

    On PostgreSQL the position's row is locked, so two workers never act on the same news.
    """
    insert_ignore(tx, outbox_cursor, [{"consumer": consumer, "seq": 0}])
    position = sa.select(outbox_cursor.c.seq).where(outbox_cursor.c.consumer == consumer).with_for_update()
    after = tx.execute(position).scalar_one()
    found = tx.execute(
        sa.select(outbox.c.seq, outbox.c.topic, outbox.c.payload)
        .where(outbox.c.seq > after, outbox.c.topic.in_(topics))
        .order_by(outbox.c.seq)
        .limit(limit)
    ).all()
    if found:
        tx.execute(sa.update(outbox_cursor).where(outbox_cursor.c.consumer == consumer).values(seq=found[-1].seq))
    return [News(row.seq, row.topic, json.loads(row.payload)) for row in found]
