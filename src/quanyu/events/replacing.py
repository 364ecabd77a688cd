"""Corrections: an event that replaces another. History keeps both, whoever counts leaves the replaced one out.

An event with `replaces` names an event of its source. Whether an event counts does not depend on the order in which
the two arrive: it counts when nobody replaces it. This is the one place that knows. The engine and the column streams
take it from here as a small table beside the events; totals of people are counted again from history.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import sqlalchemy as sa

from quanyu.events.tables import replacement
from quanyu.storage import handover
from quanyu.storage.bulk import insert_ignore, rows
from quanyu.storage.engine import Dimension
from quanyu.storage.state import State

REPLACED: pa.Schema = pa.schema(
    [pa.field("source", pa.string()), pa.field("event_id", pa.string()), pa.field("day", pa.string())]
)
_PLACE = ["source", "event_id", "day", "anchor_id"]
# The events of history among those of `source` and `event_id`, with `day` and `anchor_id`.
Find = Callable[[pa.Table], pa.Table]


def note(tx: sa.Connection, table: pa.Table, batch: int, find: Find) -> pa.Table:
    """Remember what the rows of micro-batch number `batch` replace; the batch with a column `replaced`.

    The batch must have been handed over already. `replaced` is true where another event replaces the row: one of the
    batch, or one that came before it.
    """
    given = table.filter(pc.is_valid(table.column("replaces")))
    if given.num_rows:
        _note(tx, given.select(["source", "event_id", "replaces"]), batch, find)
    gone = _replaced(tx, table)
    return table.append_column("replaced", pa.array(gone))


def replaced_anchors(tx: sa.Connection, table: pa.Table) -> npt.NDArray[np.int64]:
    """Whose totals the batch's corrections change: the deciding identifiers of the events that it replaces."""
    part = table.filter(pc.is_valid(table.column("replaces")))
    if not part.num_rows:
        return np.zeros(0, np.int64)
    given = _given(tx, part.column("source"), part.column("replaces"))
    found = tx.execute(_join(given, replacement.c.anchor_id).where(replacement.c.anchor_id > 0)).all()
    return np.unique(np.array([row[0] for row in found], np.int64))


def without_replaced(tx: sa.Connection, table: pa.Table) -> pa.Table:
    """The rows (`source`, `event_id`, …) that nobody replaces, as far as this transaction knows."""
    return table.filter(pa.array(~_replaced(tx, table)))


def dimension(state: State, applied: Callable[[], int]) -> Dimension:
    """The replaced events, as `REPLACED`, whose replacement history shows: it has the micro-batches to `applied`."""
    shown = replacement.c.day.is_not(None)

    def read() -> pa.Table:
        statement = sa.select(replacement.c.source, replacement.c.event_id, replacement.c.day)
        with state.read() as tx:
            found = tx.execute(statement.where(shown, replacement.c.batch <= applied())).all()
        return pa.Table.from_arrays(
            [pa.array([row[i] for row in found], pa.string()) for i in range(3)], schema=REPLACED
        )

    def token() -> str:
        statement = sa.select(sa.func.max(replacement.c.batch), sa.func.count())
        with state.read() as tx:
            newest, count = tx.execute(statement.where(shown, replacement.c.batch <= applied())).one()
        return f"{newest or 0}/{count}"

    return Dimension(read, token)


def _note(tx: sa.Connection, given: pa.Table, batch: int, find: Find) -> None:
    pairs = pa.table({"source": given.column("source"), "event_id": given.column("replaces")})
    found = pa.concat_tables([find(pairs).select(_PLACE).cast(_PLACES), *_waiting(tx, pairs)])
    where = {(row["source"], row["event_id"]): row for row in found.to_pylist()}
    values = []
    for row in given.to_pylist():
        if row["replaces"] == row["event_id"]:
            continue  # whoever replaces themselves replaces nobody
        place = where.get((row["source"], row["replaces"]), {})
        values.append(
            {
                "source": row["source"],
                "event_id": row["replaces"],
                "replaced_by": row["event_id"],
                "batch": batch,
                "day": place.get("day"),
                "anchor_id": place.get("anchor_id"),
            }
        )
    insert_ignore(tx, replacement, values)


_PLACES: pa.Schema = pa.schema(
    [
        pa.field("source", pa.string()),
        pa.field("event_id", pa.string()),
        pa.field("day", pa.string()),
        pa.field("anchor_id", pa.int64()),
    ]
)

NOWHERE: pa.Table = _PLACES.empty_table()


def _waiting(tx: sa.Connection, pairs: pa.Table) -> list[pa.Table]:
    """The same as `Find`, of rows that history has yet to take (the batch itself among them)."""
    found = []
    for _, data in handover.waiting_in(tx):
        part = data.select(_PLACE).filter(pc.is_in(data.column("event_id"), pairs.column("event_id").combine_chunks()))
        found.append(part.cast(_PLACES))
    return found


def _replaced(tx: sa.Connection, table: pa.Table) -> npt.NDArray[np.bool_]:
    out = np.zeros(table.num_rows, bool)
    if not table.num_rows:
        return out
    source = table.column("source")
    few = rows(tx, {"source": sa.Text}, [(one,) for one in pc.unique(source).to_pylist()])
    some = sa.exists().where(replacement.c.source == few.c.source)
    known = tx.execute(sa.select(few.c.source).where(some)).scalars().all()
    concerned = np.flatnonzero(pc.is_in(source, pa.array(list(known), pa.string())).to_numpy(zero_copy_only=False))
    if not concerned.size:
        return out
    part = table.select(["source", "event_id"]).take(pa.array(concerned))
    given = _given(tx, part.column("source"), part.column("event_id"))
    found = tx.execute(_join(given, given.c.place).add_columns(replacement.c.day)).all()
    out[concerned[[int(row.place) for row in found]]] = True
    late = concerned[[int(row.place) for row in found if row.day is None]]
    if late.size and "day" in table.column_names:
        _locate(tx, table.select(_PLACE).take(pa.array(late)))
    return out


def _locate(tx: sa.Connection, stored: pa.Table) -> None:
    """Events that came after what replaces them: now it is known where they lie."""
    for row in stored.to_pylist():
        tx.execute(
            sa.update(replacement)
            .where(
                replacement.c.source == row["source"],
                replacement.c.event_id == row["event_id"],
                replacement.c.day.is_(None),
            )
            .values(day=row["day"], anchor_id=row["anchor_id"])
        )


def _given(tx: sa.Connection, source: pa.ChunkedArray, event_id: pa.ChunkedArray) -> sa.Subquery:
    values = list(zip(range(len(source)), source.to_pylist(), event_id.to_pylist(), strict=True))
    return rows(tx, {"place": sa.BigInteger, "source": sa.Text, "event_id": sa.Text}, values)


def _join(given: sa.Subquery, column: sa.ColumnElement[Any]) -> sa.Select[Any]:
    same = sa.and_(replacement.c.source == given.c.source, replacement.c.event_id == given.c.event_id)
    return sa.select(column).join_from(given, replacement, same)
