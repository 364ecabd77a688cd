"""Damaged frames of the log: acknowledged, and not to be read again. Written down once, with the batch that steps over
them, so that the books of their hour explain themselves and an alarm names file, place and size.

A header lies in clear before the sealed bytes and often outlives them. Nothing proves what it says, so it is believed
only where it names a known source and a time that has been.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from quanyu.events.contracts import Damage
from quanyu.events.log import SUFFIX
from quanyu.events.rows import hour_of
from quanyu.events.tables import damage
from quanyu.events.tables import source as source_table
from quanyu.storage.bulk import insert_ignore

ALARM = timedelta(days=30)
_MOST_EVENTS = 1_000_000  # of one frame: a header that says more has rotted


def note(tx: sa.Connection, found: Iterable[Damage], now: int) -> None:
    """Write down what was stepped over; what is known already changes nothing."""
    named = {one.header.source for one in found if one.header is not None}
    known = set(tx.execute(sa.select(source_table.c.source).where(source_table.c.source.in_(named))).scalars())
    values = []
    for one in found:
        header = one.header
        if header is None or header.source not in known or not 0 < header.received_at <= now:
            header = None
        counted = header is not None and not one.torn and 0 < header.events <= _MOST_EVENTS
        values.append(
            {
                "writer": one.writer,
                "segment": one.begin.segment,
                "offset": one.begin.offset,
                "bytes": one.bytes,
                "source": header.source if header else None,
                "hour_at": hour_of(header.received_at) if header else None,
                "events": header.events if header and counted else 0,
                "found_at": now,
            }
        )
    insert_ignore(tx, damage, values)


def events_of(tx: sa.Connection, sources: list[str]) -> dict[str, int]:
    """How many acknowledged events of each source were lost to damage, since it began."""
    found = tx.execute(
        sa.select(damage.c.source, sa.func.sum(damage.c.events).label("events"))
        .where(damage.c.source.in_(sources))
        .group_by(damage.c.source)
    )
    return {row.source: int(row.events) for row in found}


def per_hour(tx: sa.Connection, source: str, begin: int, end: int) -> dict[datetime, int]:
    """`events_of` one source by hour of receipt, from `begin` to before `end` (microseconds)."""
    found = tx.execute(
        sa.select(damage.c.hour_at, sa.func.sum(damage.c.events).label("events"))
        .where(damage.c.source == source, damage.c.hour_at >= begin, damage.c.hour_at < end, damage.c.events > 0)
        .group_by(damage.c.hour_at)
    )
    return {row.hour_at: int(row.events) for row in found}


def by_file(tx: sa.Connection, brand_id: int, now: datetime) -> list[dict[str, Any]]:
    """What was found in the last 30 days by source (`""` where nobody knows, then for every brand) and file.

    `offset` is where the first lies, `at` the first hour of receipt, or when it was found.
    """
    whose = sa.func.coalesce(damage.c.source, "").label("source")
    of_brand = sa.select(source_table.c.source).where(source_table.c.brand_id == brand_id)
    at = sa.func.min(sa.func.coalesce(damage.c.hour_at, damage.c.found_at), type_=damage.c.found_at.type).label("at")
    found = tx.execute(
        sa.select(
            whose,
            damage.c.writer,
            damage.c.segment,
            sa.func.min(damage.c.offset).label("offset"),
            sa.func.count().label("frames"),
            sa.func.sum(damage.c.bytes).label("bytes"),
            sa.func.sum(damage.c.events).label("events"),
            at,
        )
        .where(
            damage.c.found_at >= now - ALARM,
            sa.or_(damage.c.source.is_(None), damage.c.source.in_(of_brand)),
        )
        .group_by(whose, damage.c.writer, damage.c.segment)
        .order_by(whose, damage.c.writer, damage.c.segment)
    )
    return [
        {
            "source": row.source,
            "file": f"log/{row.writer}/{row.segment:010d}{SUFFIX}",
            "offset": int(row.offset),
            "frames": int(row.frames),
            "bytes": int(row.bytes),
            "events": int(row.events),
            "at": row.at,
        }
        for row in found
    ]


def frames(tx: sa.Connection) -> int:
    """How many damaged frames were ever found."""
    return int(tx.execute(sa.select(sa.func.count()).select_from(damage)).scalar_one())
