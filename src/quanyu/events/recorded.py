"""What the product does inside a state transaction, on its way to the log.

A redeemed coupon and the event that says so must both be there or neither: the event is a row written by the same
transaction. `pump` moves rows to the log and removes them once they are durable there; dying in between repeats
them, and their ids make the repetition harmless.
"""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa

from quanyu.events.contracts import FrameHeader, NativeEvent
from quanyu.events.log import LogWriter
from quanyu.events.protocols import native
from quanyu.events.tables import recorded
from quanyu.kernel.clock import micros
from quanyu.storage.bulk import rows as rows_of
from quanyu.storage.state import State
from quanyu.storage.vault import Vault


def write(tx: sa.Connection, vault: Vault, source: str, brand_id: int, events: Sequence[NativeEvent], now: int) -> None:
    """One row for all of `events`."""
    if events:
        payload = vault.seal(brand_id, native.encode(events))
        tx.execute(
            sa.insert(recorded).values(source=source, brand_id=brand_id, events=len(events), payload=payload, at=now)
        )


def pump(state: State, vault: Vault, log: LogWriter, limit: int) -> int:
    """Move up to `limit` rows to the log; the number of events moved."""
    with state.read() as tx:
        rows = tx.execute(sa.select(recorded).order_by(recorded.c.recorded_id).limit(limit)).all()
    if not rows:
        return 0
    log.append_now(
        [
            (
                FrameHeader(micros(row.at), native.PROTOCOL, row.source, row.events),
                vault.open(row.brand_id, row.payload),
            )
            for row in rows
        ]
    )
    with state.write() as tx:
        gone = rows_of(tx, {"recorded_id": sa.BigInteger}, [(row.recorded_id,) for row in rows])
        tx.execute(sa.delete(recorded).where(recorded.c.recorded_id.in_(sa.select(gone.c.recorded_id))))
    return sum(row.events for row in rows)
