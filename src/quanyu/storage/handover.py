"""The handover from state to history: rows that a micro-batch committed in state and that history has yet to take.

A micro-batch is one state transaction; the rows it makes for history are part of it, compressed. Afterwards they are
appended to the Delta table under the number of the last one, and removed here. Dying at any point repeats an append
that history recognises, so each row arrives once and no row that state counts is missing.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

import pyarrow as pa
import sqlalchemy as sa

from quanyu.storage.history import History
from quanyu.storage.schema import BigId, Instant, metadata
from quanyu.storage.state import State

handover = sa.Table(
    "history_handover",
    metadata,
    sa.Column("batch_id", BigId, primary_key=True, autoincrement=True),
    sa.Column("table_name", sa.Text, nullable=False),
    sa.Column("rows", sa.BigInteger, nullable=False),
    sa.Column("data", sa.LargeBinary, nullable=False),
    sa.Column("at", Instant, nullable=False),
    sqlite_autoincrement=True,  # numbers are never used again, also after the table was emptied
)

_COMPRESSED = pa.ipc.IpcWriteOptions(compression="zstd")


def put(tx: sa.Connection, table: str, data: pa.Table, at: datetime) -> int:
    """Write rows for history inside the caller's transaction; the batch's number."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, data.schema, options=_COMPRESSED) as writer:
        writer.write_table(data)
    inserted = tx.execute(
        sa.insert(handover).values(table_name=table, rows=data.num_rows, data=sink.getvalue().to_pybytes(), at=at)
    )
    assert inserted.inserted_primary_key is not None
    return int(inserted.inserted_primary_key[0])


def waiting(state: State, after: int = -1) -> Iterator[tuple[int, pa.Table]]:
    """Batches that history has yet to take, with a number above `after`, in order."""
    with state.read() as tx:
        yield from waiting_in(tx, after)


def waiting_in(tx: sa.Connection, after: int = -1) -> Iterator[tuple[int, pa.Table]]:
    """`waiting` as a transaction sees it, its own rows included."""
    for row in tx.execute(
        sa.select(handover.c.batch_id, handover.c.data).where(handover.c.batch_id > after).order_by(handover.c.batch_id)
    ):
        yield row.batch_id, pa.ipc.open_stream(row.data).read_all()


def deliver(
    state: State, history: History, app: str, table: str, *, upto: int | None = None, max_rows: int = 500_000
) -> int:
    """Append what waits (up to batch `upto`) and remove it here; how many rows history took.

    For one process at a time.
    """
    parts: list[tuple[int, pa.Table]] = []
    rows = 0
    for batch_id, data in waiting(state):
        if upto is not None and batch_id > upto:
            break
        parts.append((batch_id, data))
        rows += data.num_rows
        if rows >= max_rows:
            break
    if not parts:
        return 0
    state.sync()  # history must know nothing that a power cut can take back here
    last, applied = parts[-1][0], history.applied(table, app)
    # What history has already is what a killed delivery left behind; an append is all or nothing.
    fresh = [data for batch_id, data in parts if batch_id > applied]
    if fresh:
        history.append(table, pa.concat_tables(fresh), app=app, version=last)
    with state.write() as tx:
        tx.execute(sa.delete(handover).where(handover.c.batch_id <= last))
    return sum(data.num_rows for data in fresh)
