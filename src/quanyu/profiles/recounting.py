"""Totals after a correction: an identifier one of whose events was replaced is counted again from all its events.

What was first and last cannot be taken back from a sum, so nothing is subtracted: the events that count are read from
history and from what is on its way there, and the identifier's row is written anew. Sets, not loops; only identifiers
that a correction concerns.
"""

from __future__ import annotations

from collections.abc import Callable

import ibis
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import sqlalchemy as sa

from quanyu.profiles import stats
from quanyu.storage import handover
from quanyu.storage.engine import Engine

_COLUMNS = ["source", "event_id", "name", "occurred_at", "amount", "anchor_id"]
_SHAPE = pa.schema([(name, pa.string()) for name in _COLUMNS[:3]] + [(name, pa.int64()) for name in _COLUMNS[3:]])


class Recount:
    """Counts again. The composition root gives what lies in other contexts.

    `anchors` are the identifiers whose events a batch replaces, `counting` drops the rows that somebody replaces.
    """

    def __init__(
        self,
        engine: Engine,
        anchors: Callable[[sa.Connection, pa.Table], npt.NDArray[np.int64]],
        counting: Callable[[sa.Connection, pa.Table], pa.Table],
    ) -> None:
        self._engine = engine
        self._anchors = anchors
        self._counting = counting

    def __call__(self, tx: sa.Connection, batch: pa.Table) -> int:
        """Bring the totals in step with what the batch replaces; how many identifiers were counted again."""
        anchors = self._anchors(tx, batch)
        if not anchors.size:
            return 0
        mine = pa.array(anchors)
        # What waits first: what is delivered meanwhile is seen twice and counted once, never missed.
        waiting = [data.select(_COLUMNS).cast(_SHAPE) for _, data in handover.waiting_in(tx)]
        waiting = [data.filter(pc.is_in(data.column("anchor_id"), mine)) for data in waiting]
        events = self._engine.events()
        given = ibis.memtable(pa.table({"anchor_id": mine}))
        stored = self._engine.run(events.semi_join(given, "anchor_id").select(*_COLUMNS)).cast(_SHAPE)
        both = pa.concat_tables([stored, *waiting])
        once = both.group_by(["source", "event_id"], use_threads=False).aggregate(
            [(name, "first") for name in _COLUMNS[2:]]
        )
        once = once.rename_columns(_COLUMNS if once.column_names[0] == "source" else [*_COLUMNS[2:], *_COLUMNS[:2]])
        brand = batch.filter(pc.is_valid(batch.column("replaces"))).column("brand_id")[0].as_py()
        stats.write_anew(tx, self._counting(tx, once), anchors, brand)
        return int(anchors.size)
