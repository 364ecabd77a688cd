"""The books: accepted = stored + duplicate + quarantined, per source and hour of receipt, and how far the log was read.

What was accepted is counted by the collector, in the frames; what became of it is counted here, in the transaction
that moves the cursor. The two must meet. `commit` is idempotent by the place in the log: a batch that was
committed before changes nothing.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from quanyu.events import errors
from quanyu.events.contracts import Batch, Position
from quanyu.events.rows import HOUR_MICROS
from quanyu.events.tables import book, discrepancy, log_cursor, quarantine
from quanyu.events.tables import source as source_table
from quanyu.storage.bulk import rows as given_rows
from quanyu.storage.bulk import upsert

_COUNTS = ("accepted", "stored", "duplicate", "quarantined")
Cells = dict[tuple[str, int], dict[str, int]]


def cursors(tx: sa.Connection) -> dict[str, Position]:
    """How far each writer's log is in state."""
    return {
        row.writer: Position(row.segment, row.offset)
        for row in tx.execute(sa.select(log_cursor.c.writer, log_cursor.c.segment, log_cursor.c.offset))
    }


def per_hour(table: pa.Table) -> dict[tuple[str, int], int]:
    """How many rows of a batch there are by (source, hour of receipt in microseconds UTC)."""
    if not table.num_rows:
        return {}
    received = table.column("received_at").to_numpy()
    hours = pa.array(received - received % HOUR_MICROS)
    counted = (
        pa.table({"source": table.column("source"), "hour": hours})
        .group_by(["source", "hour"])
        .aggregate([([], "count_all")])
    )
    return {(row["source"], row["hour"]): row["count_all"] for row in counted.to_pylist()}


def move(tx: sa.Connection, batch: Batch, now: int) -> bool:
    """Move the cursors to the batch's end; False when they are there already. Raises BooksOutOfStep."""
    held = {
        row.writer: Position(row.segment, row.offset)
        for row in tx.execute(sa.select(log_cursor).where(log_cursor.c.writer.in_(list(batch.ended))).with_for_update())
    }
    if all(held.get(writer, Position(-1, 0)) >= end for writer, end in batch.ended.items()):
        return False
    for writer, begin in batch.began.items():
        at = held.get(writer)
        if at is not None and begin < at:
            raise errors.out_of_step(writer, f"{at.segment}@{at.offset}", f"{begin.segment}@{begin.offset}")
    upsert(
        tx,
        log_cursor,
        [
            {"writer": writer, "segment": end.segment, "offset": end.offset, "moved_at": now}
            for writer, end in batch.ended.items()
        ],
        ["writer"],
        ["segment", "offset", "moved_at"],
    )
    return True


def write(tx: sa.Connection, batch: Batch, now: int) -> None:
    """Add what the batch says to the books. Call it once per batch, in the transaction that moved the cursor."""
    cells: Cells = defaultdict(lambda: dict.fromkeys(_COUNTS, 0))
    for place, count in batch.accepted.items():
        cells[place]["accepted"] += count
    for place, count in per_hour(batch.table).items():
        cells[place]["stored"] += count
    for place, count in batch.duplicates.items():
        cells[place]["duplicate"] += count
    for item in batch.rejected:
        cells[item.source, item.received_at - item.received_at % HOUR_MICROS]["quarantined"] += item.count
    for quarantine_id, source, hour, events in batch.replays:
        _settle(tx, cells, quarantine_id, source, hour, events, now)
    add(tx, cells)
    _touch(tx, batch.table)


def _settle(tx: sa.Connection, cells: Cells, quarantine_id: str, source: str, hour: int, events: int, now: int) -> None:
    """A replay takes its item out of the quarantined, once.

    It is in the log, so it was replayed, also where a kill kept the item from hearing of it.
    """
    found = tx.execute(
        sa.update(quarantine)
        .where(quarantine.c.quarantine_id == quarantine_id, quarantine.c.settled.is_(False))
        .values(settled=True, status="replayed", resolved_at=sa.func.coalesce(quarantine.c.resolved_at, now))
        .returning(quarantine.c.count)
    ).scalar_one_or_none()
    was = int(found or 0)
    cells[source, hour]["quarantined"] -= was
    cells[source, hour]["accepted"] += events - was


def add(tx: sa.Connection, cells: Mapping[tuple[str, int], Mapping[str, int]]) -> None:
    """Add to the counts of (source, hour)."""
    values = [
        {"source": source, "hour_at": hour, **counts}
        for (source, hour), counts in cells.items()
        if any(counts.values())
    ]
    if not values:
        return
    insert: Any = (postgresql if tx.dialect.name == "postgresql" else sqlite).insert(book)
    statement = insert.on_conflict_do_update(
        index_elements=["source", "hour_at"],
        set_={name: book.c[name] + insert.excluded[name] for name in _COUNTS},
    )
    tx.execute(statement, values)


def _touch(tx: sa.Connection, table: pa.Table) -> None:
    """Remember when each source last sent something."""
    if not table.num_rows:
        return
    latest = table.group_by("source").aggregate([("received_at", "max")]).to_pylist()
    given = given_rows(
        tx, {"source": sa.Text, "at": sa.BigInteger}, [(row["source"], row["received_at_max"]) for row in latest]
    )
    newest = sa.select(given.c.at).where(given.c.source == source_table.c.source).scalar_subquery()
    tx.execute(
        sa.update(source_table)
        .where(source_table.c.source.in_(sa.select(given.c.source)))
        .values(last_event_at=sa.func.coalesce(newest, source_table.c.last_event_at))
    )


def totals(tx: sa.Connection, sources: list[str]) -> dict[str, dict[str, int]]:
    """All counts of each source, since it began."""
    columns = [sa.func.coalesce(sa.func.sum(book.c[name]), 0).label(name) for name in _COUNTS]
    found = tx.execute(sa.select(book.c.source, *columns).where(book.c.source.in_(sources)).group_by(book.c.source))
    return {row.source: {name: int(getattr(row, name)) for name in _COUNTS} for row in found}


def discrepant(tx: sa.Connection, brand_id: int) -> set[str]:
    """The brand's sources of which the last recount found hours that do not fit the stores."""
    return set(
        tx.execute(sa.select(discrepancy.c.source).where(discrepancy.c.brand_id == brand_id).distinct()).scalars()
    )


def hours(tx: sa.Connection, source: str, begin: int, end: int) -> list[Any]:
    """The source's rows from `begin` to before `end` (microseconds), newest first, at most 2,000."""
    return list(
        tx.execute(
            sa.select(book)
            .where(book.c.source == source, book.c.hour_at >= begin, book.c.hour_at < end)
            .order_by(book.c.hour_at.desc())
            .limit(2000)
        )
    )


def unbalanced(tx: sa.Connection) -> list[Any]:
    """Rows whose counts do not add up: always none, or something was lost or counted twice."""
    total = book.c.stored + book.c.duplicate + book.c.quarantined
    return list(tx.execute(sa.select(book).where(book.c.accepted != total).order_by(book.c.hour_at)))


def duplicates_of(table: pa.Table, fresh: np.ndarray[Any, Any]) -> dict[tuple[str, int], int]:
    """How many rows are not fresh, by (source, hour)."""
    return per_hour(table.filter(pa.array(~fresh)))
