"""What the product does inside a state transaction, on its way to the log.

A redeemed coupon and the event that says so must both be there or neither: the event is a row written by the same
transaction. `pump` moves rows to the log and removes them once they are durable there; dying in between repeats
them, and their ids make the repetition harmless.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import sqlalchemy as sa

from quanyu.events.contracts import FrameHeader, NativeEvent
from quanyu.events.protocols import native
from quanyu.events.tables import recorded
from quanyu.events.writers import EventLog
from quanyu.kernel.clock import micros
from quanyu.storage.bulk import rows as rows_of
from quanyu.storage.state import State
from quanyu.storage.vault import Vault

_EVENTS = 50_000


def write(tx: sa.Connection, vault: Vault, source: str, brand_id: int, events: Sequence[NativeEvent], now: int) -> None:
    """One row for all of `events`."""
    if events:
        payload = vault.seal(brand_id, native.encode(events))
        tx.execute(
            sa.insert(recorded).values(source=source, brand_id=brand_id, events=len(events), payload=payload, at=now)
        )


def write_payload(tx: sa.Connection, vault: Vault, header: FrameHeader, brand_id: int, payload: bytes) -> None:
    """One row for a frame as it shall stand in the log."""
    tx.execute(
        sa.insert(recorded).values(
            source=header.source,
            brand_id=brand_id,
            events=header.events,
            payload=vault.seal(brand_id, payload),
            at=header.received_at,
            protocol=header.protocol,
            call=header.call,
        )
    )


def waiting(tx: sa.Connection) -> int:
    """How many events transactions recorded that the log does not have yet."""
    return int(tx.execute(sa.select(sa.func.coalesce(sa.func.sum(recorded.c.events), 0))).scalar_one())


def pump(state: State, vault: Vault, log: EventLog, limit: int) -> int:
    """Move up to `limit` rows (and some fifty thousand events) to the log; the number of events moved."""
    with state.read() as tx:
        first = tx.execute(
            sa.select(recorded.c.recorded_id, recorded.c.events).order_by(recorded.c.recorded_id).limit(limit)
        ).all()
        if not first:
            return 0
        before = itertools.accumulate((row.events for row in first), initial=0)
        last = max(row.recorded_id for row, sum_before in zip(first, before, strict=False) if sum_before < _EVENTS)
        rows = tx.execute(
            sa.select(recorded).where(recorded.c.recorded_id <= last).order_by(recorded.c.recorded_id)
        ).all()
    log.append_now(
        [
            (
                FrameHeader(micros(row.at), row.protocol, row.source, row.events, row.call),
                vault.open(row.brand_id, row.payload),
            )
            for row in rows
        ]
    )
    with state.write() as tx:
        gone = rows_of(tx, {"recorded_id": sa.BigInteger}, [(row.recorded_id,) for row in rows])
        tx.execute(sa.delete(recorded).where(recorded.c.recorded_id.in_(sa.select(gone.c.recorded_id))))
    return sum(row.events for row in rows)
