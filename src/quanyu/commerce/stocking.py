"""Current stock from reports: of each product in each store, what was reported last.

A report is an event `stock_reported` of any source: an ERP's file, a till, a call of the API. The later report wins,
whatever the order in which they come; a corrected one does not count. Where a correction takes the standing report
away and says nothing of that product there, what was reported before it is looked up in history. Sets, not loops.
"""

from __future__ import annotations

from collections.abc import Callable

import ibis
import pyarrow as pa
import pyarrow.compute as pc
import sqlalchemy as sa

from quanyu.commerce.tables import stock
from quanyu.events.contracts import EVENT_SCHEMA
from quanyu.identity.contracts import Resolved
from quanyu.kernel.clock import from_micros
from quanyu.storage import handover
from quanyu.storage.bulk import rows, upsert
from quanyu.storage.engine import Engine

REPORTED = "stock_reported"

_CELL = ["brand", "sku", "store_id"]
# Reports of the same moment in an order of their own, so that it does not matter which came first.
_ORDER = ["reported_at", "source", "event_id"]
_SHAPE = pa.schema(
    [
        *((name, pa.string()) for name in _CELL),
        ("reported_at", pa.int64()),
        ("source", pa.string()),
        ("event_id", pa.string()),
        ("quantity", pa.float64()),
        ("gone", pa.bool_()),  # whether the report does not count any more
    ]
)
_EVENT = pa.schema(
    [EVENT_SCHEMA.field(name) for name in ("source", "event_id", "name", "occurred_at", "brand", "store_id", "items")]
)


class Stocking:
    """Keeps the stock in step with the events. `counting` drops the rows that a correction replaces."""

    def __init__(self, engine: Engine, counting: Callable[[sa.Connection, pa.Table], pa.Table]) -> None:
        self._engine = engine
        self._counting = counting

    def __call__(self, tx: sa.Connection, batch: pa.Table, resolved: Resolved) -> None:  # noqa: ARG002
        """Take in the reports of a micro-batch."""
        batch = batch.select([*_EVENT.names, "replaces", "replaced"])
        reports = batch.filter(pc.and_(pc.equal(batch.column("name"), REPORTED), pc.invert(batch.column("replaced"))))
        replacing = batch.filter(pc.is_valid(batch.column("replaces")))
        if not reports.num_rows and not replacing.num_rows:
            return
        said = _lines(reports)
        known = pa.concat_tables([_replaced(tx, replacing), _standing(tx, said)])
        # A row that stands and is corrected is in both; that it is gone is said first.
        known = _first(known, _CELL)
        newest = _newest(pa.concat_tables([said, known]))
        lost = newest.filter(newest.column("gone"))
        _write(tx, newest.filter(pc.invert(newest.column("gone"))))
        if lost.num_rows:
            self._look_up(tx, lost)

    def _look_up(self, tx: sa.Connection, cells: pa.Table) -> None:
        """Write what history, and what waits for it, says of these cells."""
        # What waits first: what is delivered meanwhile is seen twice and counted once, never missed.
        found = [data.select(_EVENT.names).cast(_EVENT) for _, data in handover.waiting_in(tx)]
        events = self._engine.events()
        given = ibis.memtable(cells.select(["brand"]).group_by("brand").aggregate([]))
        reports = events.filter(events.name == REPORTED).semi_join(given, "brand").select(*_EVENT.names)
        both = pa.concat_tables([self._engine.run(reports).cast(_EVENT), *found])
        both = self._counting(tx, both.filter(pc.equal(both.column("name"), REPORTED)))
        here = cells.select(_CELL)
        lines = _first(_lines(both), [*_CELL, *_ORDER]).join(here, _CELL, join_type="left semi", use_threads=False)
        tx.execute(sa.delete(stock).where(_in(tx, cells, _CELL)))
        _write(tx, _newest(lines))


def _lines(reports: pa.Table) -> pa.Table:
    """One row per product of each report; what a report says of one product in several lines is added up."""
    items = reports.column("items").combine_chunks()
    of, line = pc.list_parent_indices(items), pc.list_flatten(items)
    parts = {name: reports.column(name).combine_chunks().take(of) for name in ("brand", "source", "event_id")}
    table = pa.table(
        {
            **parts,
            "sku": pc.struct_field(line, "sku"),
            "store_id": pc.fill_null(reports.column("store_id").combine_chunks().take(of), ""),
            "reported_at": reports.column("occurred_at").combine_chunks().take(of),
            "quantity": pc.struct_field(line, "quantity"),
        }
    )
    told = pc.and_kleene(pc.greater(pc.binary_length(table.column("sku")), 0), pc.is_valid(table.column("quantity")))
    keys = [*_CELL, *_ORDER]
    summed = table.filter(told).group_by(keys, use_threads=False).aggregate([("quantity", "sum")])
    summed = summed.rename_columns([name.removesuffix("_sum") for name in summed.column_names])
    return summed.append_column("gone", pa.repeat(pa.scalar(False), summed.num_rows)).select(_SHAPE.names).cast(_SHAPE)


def _newest(lines: pa.Table) -> pa.Table:
    """The last report of each cell."""
    return _first(lines.sort_by([(name, "descending") for name in _ORDER]), _CELL)


def _first(table: pa.Table, keys: list[str]) -> pa.Table:
    rest = [name for name in table.column_names if name not in keys]
    once = table.group_by(keys, use_threads=False).aggregate([(name, "first") for name in rest])
    return once.rename_columns([name.removesuffix("_first") for name in once.column_names]).select(_SHAPE.names)


def _replaced(tx: sa.Connection, replacing: pa.Table) -> pa.Table:
    """The stock that stands by a report which the batch corrects."""
    pairs = pa.table({"source": replacing.column("source"), "event_id": replacing.column("replaces")})
    pairs = pairs.filter(pc.not_equal(replacing.column("replaces"), replacing.column("event_id")))
    return _read(tx, pairs, ["source", "event_id"], gone=True)


def _standing(tx: sa.Connection, lines: pa.Table) -> pa.Table:
    return _read(tx, lines, _CELL, gone=False)


def _read(tx: sa.Connection, given: pa.Table, keys: list[str], *, gone: bool) -> pa.Table:
    if not given.num_rows:
        return _SHAPE.empty_table()
    names = [name for name in _SHAPE.names if name != "gone"]
    at = sa.type_coerce(stock.c.reported_at, sa.BigInteger).label("reported_at")
    columns = [at if name == "reported_at" else stock.c[name] for name in names]
    found = tx.execute(sa.select(*columns).where(_in(tx, given, keys))).all()
    values = {name: [row[place] for row in found] for place, name in enumerate(names)}
    return pa.table({**values, "gone": [gone] * len(found)}, schema=_SHAPE)


def _in(tx: sa.Connection, given: pa.Table, keys: list[str]) -> sa.ColumnElement[bool]:
    values = zip(*(given.column(name).to_pylist() for name in keys), strict=True)
    wanted = rows(tx, dict.fromkeys(keys, sa.Text), values)
    return sa.tuple_(*(stock.c[name] for name in keys)).in_(sa.select(*(wanted.c[name] for name in keys)))


def _write(tx: sa.Connection, lines: pa.Table) -> None:
    values = lines.drop_columns(["gone"]).to_pylist()
    for row in values:
        row["reported_at"] = from_micros(row["reported_at"])
    upsert(tx, stock, values, _CELL, ["quantity", *_ORDER])
