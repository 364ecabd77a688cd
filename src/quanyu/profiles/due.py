"""Totals that are due: what large batches add is kept aside, and added for a slice of the identifiers at a time.

Where ten million people shop, the identifiers of a batch lie on as many pages as there are identifiers, and each page
would be written for one of them. What minutes of batches bring to one slice lies on few. Whoever reads totals reads
what is due with them, so nobody sees the difference.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import sqlalchemy as sa

from quanyu.profiles.tables import identifier_stat_due
from quanyu.storage.bulk import rows

I64 = npt.NDArray[np.int64]

# One row per identifier: what it adds to `orders` and `amount` (minor units), and instants in microseconds.
SUMS = pa.schema(
    [
        pa.field("identifier_id", pa.int64(), nullable=False),
        pa.field("brand_id", pa.int64(), nullable=False),
        pa.field("orders", pa.int64(), nullable=False),
        pa.field("amount", pa.int64(), nullable=False),
        ("first_order_at", pa.int64()),
        ("last_order_at", pa.int64()),
        ("seen_at", pa.int64()),
    ]
)
_HOW = [
    ("brand_id", "max"),
    ("orders", "sum"),
    ("amount", "sum"),
    ("first_order_at", "min"),
    ("last_order_at", "max"),
    ("seen_at", "max"),
]
_NEIGHBOURS = 1 << 16  # identifiers with neighbouring numbers, whose totals lie beside one another
_SLICES = 64
_COMPRESSED = pa.ipc.IpcWriteOptions(compression="lz4")


def note(tx: sa.Connection, sums: pa.Table, at: datetime) -> None:
    """Keep `sums` aside."""
    slices = _slices(sums.column("identifier_id").to_numpy())
    values = [
        {"slice": number, "data": _packed(sums.filter(pa.array(slices == number))), "at": at}
        for number in np.unique(slices).tolist()
    ]
    tx.execute(sa.insert(identifier_stat_due), values)


def oldest(tx: sa.Connection, before: datetime, at_most: int) -> list[int]:
    """Slices that wait since before an instant, the oldest first."""
    table, found = identifier_stat_due.c, list[int]()
    while len(found) < at_most:  # thousands of rows may wait, of which each of these looks at the first few
        oldest = sa.select(table.slice, table.at).where(table.slice.not_in(found)).order_by(table.due_id).limit(1)
        row = tx.execute(oldest).one_or_none()
        if row is None or row.at >= before:
            break
        found.append(row.slice)
    return found


def slices_of(numbers: I64) -> list[int]:
    """The slices in which these identifiers are."""
    return [int(number) for number in np.unique(_slices(numbers))]


def take(tx: sa.Connection, slices: Sequence[int]) -> pa.Table:
    """What is due in these slices, which is the caller's to add: afterwards it is due no longer."""
    table = identifier_stat_due
    given = rows(tx, {"slice": sa.BigInteger}, [(number,) for number in slices])
    # Deleting it first: of two who come at once, one finds it.
    found = tx.execute(sa.delete(table).where(table.c.slice.in_(sa.select(given.c.slice))).returning(table.c.data))
    return _together([_unpacked(data) for data in found.scalars()])


def of(tx: sa.Connection, numbers: I64) -> pa.Table:
    """What is due of these identifiers."""
    table = identifier_stat_due
    given = rows(tx, {"slice": sa.BigInteger}, [(number,) for number in slices_of(numbers)])
    wanted, parts = pa.array(numbers), []
    for data in tx.execute(sa.select(table.c.data).where(table.c.slice.in_(sa.select(given.c.slice)))).scalars():
        part = _unpacked(data)
        parts.append(part.filter(pc.is_in(part.column("identifier_id"), wanted)))
    return _together(parts)


def _together(parts: Sequence[pa.Table]) -> pa.Table:
    """One row per identifier, in the order of their numbers."""
    whole = pa.concat_tables([SUMS.empty_table(), *parts])
    grouped = whole.group_by("identifier_id", use_threads=False).aggregate(_HOW)
    columns = [grouped.column(name if name == "identifier_id" else f"{name}_{how}") for name, how in _SHAPE]
    return pa.table(columns, schema=SUMS).sort_by("identifier_id")


_SHAPE = [("identifier_id", ""), *_HOW]


def _slices(numbers: I64) -> I64:
    found: I64 = numbers // _NEIGHBOURS % _SLICES
    return found


def _packed(sums: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, SUMS, options=_COMPRESSED) as writer:
        writer.write_table(sums)
    packed: bytes = sink.getvalue().to_pybytes()
    return packed


def _unpacked(data: bytes) -> pa.Table:
    return pa.ipc.open_stream(data).read_all()
