"""Current stock from reports: of each product in each store, what was reported last.

A report is an event `stock_reported` of any source: an ERP's file, a till, a call of the API. The later report wins,
whatever the order in which they come; a corrected one does not count. Where a correction takes the standing report
away and says nothing of that product there, what was reported before it is looked up in history. What retention took
out of history stays counted. Sets, not loops.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import pyarrow as pa
import pyarrow.compute as pc
import sqlalchemy as sa

from quanyu.commerce.stock_reports import (
    CELL,
    EVENT,
    ORDER,
    REPORTED,
    SHAPE,
    Counting,
    all_stored,
    first,
    lines,
    newest,
    of,
    stored,
    waiting,
)
from quanyu.commerce.tables import stock, stock_count
from quanyu.identity.contracts import Resolved
from quanyu.kernel.clock import Clock, from_micros
from quanyu.storage.bulk import rows, upsert
from quanyu.storage.engine import Engine
from quanyu.storage.state import State


class Stocking:
    """Keeps the stock in step with the events, and counts it anew from history.

    `counting` drops the rows that a correction replaces, `brands` are the keys of all brands.
    """

    def __init__(
        self, state: State, engine: Engine, clock: Clock, counting: Counting, brands: Callable[[], Iterable[str]]
    ) -> None:
        self._state = state
        self._engine = engine
        self._clock = clock
        self._counting = counting
        self._brands = brands

    def __call__(self, tx: sa.Connection, batch: pa.Table, resolved: Resolved) -> None:  # noqa: ARG002
        """Take in the reports of a micro-batch."""
        batch = batch.select([*EVENT.names, "replaces", "replaced"])
        reports = batch.filter(pc.and_(pc.equal(batch.column("name"), REPORTED), pc.invert(batch.column("replaced"))))
        replacing = batch.filter(pc.is_valid(batch.column("replaces")))
        if not reports.num_rows and not replacing.num_rows:
            return
        said = lines(reports)
        # A row that stands and is corrected is in both; that it is gone is said first.
        known = first(pa.concat_tables([_replaced(tx, replacing), _standing(tx, said)]), CELL)
        self._settle(tx, newest(pa.concat_tables([said, known])))

    def recount(self, turn: Callable[[sa.Connection], bool]) -> bool:
        """Count one brand anew from history, if one was never counted or somebody asked for it; whether one was.

        For a worker's lane. History is read beside the micro-batches; `turn` keeps them waiting for the rest of a
        transaction, or says that it is another worker's turn. What was reported meanwhile stands already.
        """
        with self._state.read() as tx:
            counted_at = stock_count.c.counted_at
            done = set(tx.execute(sa.select(stock_count.c.brand).where(counted_at.is_not(None))).scalars())
        brand = next((key for key in self._brands() if key not in done), None)
        if brand is None:
            return False
        with self._state.write() as tx:
            if not turn(tx):
                return False
        with self._state.read() as tx:
            left = waiting(tx, self._counting)
        counted = newest(pa.concat_tables([left, stored(self._engine, [brand])]))
        with self._state.write() as tx:
            if not turn(tx):
                return False
            self._bring_up(tx, counted, _read(tx, stock.c.brand == brand, gone=False))
            done_now = {"brand": brand, "counted_at": self._clock.now()}
            upsert(tx, stock_count, [done_now], ["brand"], ["counted_at"])
        return True

    def _bring_up(self, tx: sa.Connection, counted: pa.Table, standing: pa.Table) -> None:
        """Write what a count found, where it is not what stands. Both forget what was replaced in the meantime."""
        last = newest(self._marked(tx, pa.concat_tables([counted, standing])))
        # A row that is as it stands need not be written again.
        self._settle(tx, last.join(standing, SHAPE.names, join_type="left anti", use_threads=False))

    def _settle(self, tx: sa.Connection, last: pa.Table) -> None:
        """Write the last reports of their cells; where one is gone, what was reported before it."""
        lost = last.filter(last.column("gone"))
        _write(tx, last.filter(pc.invert(last.column("gone"))))
        if lost.num_rows:
            tx.execute(sa.delete(stock).where(_in(tx, lost, CELL)))
            _write(tx, self._before(tx, lost))

    def _before(self, tx: sa.Connection, lost: pa.Table) -> pa.Table:
        """What history, and what waits for it, says of the cells whose last report is gone."""
        brands = pc.unique(lost.column("brand")).to_pylist()
        left = of(waiting(tx, self._counting), lost)
        found = self._marked(tx, newest(pa.concat_tables([left, stored(self._engine, brands, lost, without=lost)])))
        also = found.filter(found.column("gone"))  # several reports of a cell corrected at once
        found = found.filter(pc.invert(found.column("gone")))
        if also.num_rows:
            every = self._marked(tx, pa.concat_tables([of(left, also), all_stored(self._engine, brands, also)]))
            found = pa.concat_tables([found, newest(every.filter(pc.invert(every.column("gone"))))])
        return found

    def _marked(self, tx: sa.Connection, given: pa.Table) -> pa.Table:
        """The lines, `gone` where their report was replaced."""
        places = pa.array(range(given.num_rows), pa.int64())
        alive = self._counting(tx, given.append_column("place", places)).column("place")
        gone = pc.invert(pc.is_in(places, alive.combine_chunks()))
        return given.set_column(given.schema.get_field_index("gone"), SHAPE.field("gone"), gone)


def _replaced(tx: sa.Connection, replacing: pa.Table) -> pa.Table:
    """The stock that stands by a report which the batch corrects."""
    pairs = pa.table({"source": replacing.column("source"), "event_id": replacing.column("replaces")})
    pairs = pairs.filter(pc.not_equal(replacing.column("replaces"), replacing.column("event_id")))
    return _read(tx, _in(tx, pairs, ["source", "event_id"]), gone=True) if pairs.num_rows else SHAPE.empty_table()


def _standing(tx: sa.Connection, said: pa.Table) -> pa.Table:
    return _read(tx, _in(tx, said, CELL), gone=False) if said.num_rows else SHAPE.empty_table()


def _read(tx: sa.Connection, where: sa.ColumnElement[bool], *, gone: bool) -> pa.Table:
    names = [name for name in SHAPE.names if name != "gone"]
    at = sa.type_coerce(stock.c.reported_at, sa.BigInteger).label("reported_at")
    columns = [at if name == "reported_at" else stock.c[name] for name in names]
    found = tx.execute(sa.select(*columns).where(where)).all()
    values = {name: [row[place] for row in found] for place, name in enumerate(names)}
    return pa.table({**values, "gone": [gone] * len(found)}, schema=SHAPE)


def _in(tx: sa.Connection, given: pa.Table, keys: list[str]) -> sa.ColumnElement[bool]:
    values = zip(*(given.column(name).to_pylist() for name in keys), strict=True)
    wanted = rows(tx, dict.fromkeys(keys, sa.Text), values)
    return sa.tuple_(*(stock.c[name] for name in keys)).in_(sa.select(*(wanted.c[name] for name in keys)))


def _write(tx: sa.Connection, last: pa.Table) -> None:
    values = last.drop_columns(["gone"]).to_pylist()
    for row in values:
        row["reported_at"] = from_micros(row["reported_at"])
    upsert(tx, stock, values, CELL, ["quantity", *ORDER])
