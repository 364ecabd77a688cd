"""What reports of stock say, and which of them is the last of each product in each store. Nothing is kept here.

The later report wins; reports of the same moment have an order of their own, so that it does not matter which came
first. History is asked for the few reports that decide, never for all of them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import ibis
import pyarrow as pa
import pyarrow.compute as pc
import sqlalchemy as sa

from quanyu.events.contracts import EVENT_SCHEMA
from quanyu.storage import handover
from quanyu.storage.engine import Engine

REPORTED = "stock_reported"

CELL = ["brand", "sku", "store_id"]
ORDER = ["reported_at", "source", "event_id"]
SHAPE = pa.schema(
    [
        *((name, pa.string()) for name in CELL),
        ("reported_at", pa.int64()),
        ("source", pa.string()),
        ("event_id", pa.string()),
        ("quantity", pa.float64()),
        ("gone", pa.bool_()),  # whether the report does not count any more
    ]
)
EVENT = pa.schema(
    [EVENT_SCHEMA.field(name) for name in ("source", "event_id", "name", "occurred_at", "brand", "store_id", "items")]
)

# Drops the rows (`source`, `event_id`, …) that a correction replaces.
Counting = Callable[[sa.Connection, pa.Table], pa.Table]


def lines(reports: pa.Table) -> pa.Table:
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
    keys = [*CELL, *ORDER]
    summed = table.filter(told).group_by(keys, use_threads=False).aggregate([("quantity", "sum")])
    summed = summed.rename_columns([name.removesuffix("_sum") for name in summed.column_names])
    return summed.append_column("gone", pa.repeat(pa.scalar(False), summed.num_rows)).select(SHAPE.names).cast(SHAPE)


def newest(given: pa.Table) -> pa.Table:
    """The last report of each cell; of equal ones the first row."""
    return first(given.sort_by([(name, "descending") for name in ORDER]), CELL)


def first(given: pa.Table, keys: list[str]) -> pa.Table:
    """The first row of each `keys`."""
    rest = [name for name in given.column_names if name not in keys]
    once = given.group_by(keys, use_threads=False).aggregate([(name, "first") for name in rest])
    return once.rename_columns([name.removesuffix("_first") for name in once.column_names]).select(SHAPE.names)


def waiting(tx: sa.Connection, counting: Counting) -> pa.Table:
    """The lines of reports that count and that history has yet to take.

    To be read before history: what is delivered meanwhile is seen twice, never missed.
    """
    reports = [EVENT.empty_table()]
    for _, batch in handover.waiting_in(tx):
        reports.append(batch.filter(pc.equal(batch.column("name"), REPORTED)).select(EVENT.names).cast(EVENT))
    return lines(counting(tx, pa.concat_tables(reports)))


def stored(
    engine: Engine, brands: list[str], cells: pa.Table | None = None, *, without: pa.Table | None = None
) -> pa.Table:
    """The lines that history holds of the last report of each cell of `brands` (of `cells` only).

    `without` names reports (`source`, `event_id`) that do not count, beside those of which history knows.
    """
    reports = _reports(engine, brands)
    if without is not None:
        reports = reports.anti_join(ibis.memtable(without.select(["source", "event_id"])), ["source", "event_id"])
    said = _said(reports, cells)
    last = said.group_by(CELL).aggregate(occurred_at=said.occurred_at.max())
    return _lines_of(engine, reports, said.semi_join(last, [*CELL, "occurred_at"]), cells)


def all_stored(engine: Engine, brands: list[str], cells: pa.Table) -> pa.Table:
    """The lines of every report that history holds of the cells."""
    reports = _reports(engine, brands)
    return _lines_of(engine, reports, _said(reports, cells), cells)


def of(given: pa.Table, cells: pa.Table) -> pa.Table:
    """The lines of the cells."""
    return given.join(cells.select(CELL), CELL, join_type="left semi", use_threads=False)


def _reports(engine: Engine, brands: list[str]) -> Any:
    events = engine.events()
    return events.filter(events.name == REPORTED, events.brand.isin(brands))


def _said(reports: Any, cells: pa.Table | None) -> Any:
    """A row per line of the reports: its cell, and of when and which report it is."""
    line = reports.select(
        "brand",
        "source",
        "event_id",
        "occurred_at",
        store_id=ibis.coalesce(reports.store_id, ""),
        item=reports["items"].unnest(),
    )
    said = line.mutate(sku=line.item["sku"], quantity=line.item["quantity"]).drop("item")
    said = said.filter(said.sku.length() > 0, said.quantity.notnull())
    return said if cells is None else said.semi_join(ibis.memtable(cells.select(CELL)), CELL)


def _lines_of(engine: Engine, reports: Any, said: Any, cells: pa.Table | None) -> pa.Table:
    which = said.select("source", "event_id").distinct()
    found = engine.run(reports.semi_join(which, ["source", "event_id"]).select(*EVENT.names)).cast(EVENT)
    return lines(found) if cells is None else of(lines(found), cells)
