"""Remembering who was seen when: what is stored is the same as without."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from quanyu.kernel.clock import from_micros
from quanyu.profiles import stats
from quanyu.profiles.tables import identifier_stat
from quanyu.storage.state import State

MINUTE = 60_000_000
NOW = from_micros(0)
CLICK = st.tuples(st.integers(1, 9), st.integers(0, 60), st.sampled_from(["page_viewed", "order_paid"]))


def batch(clicks: list[tuple[int, int, str]]) -> pa.Table:
    return pa.table(
        {
            "name": [name for _, _, name in clicks],
            "occurred_at": pa.array([(1 + minute) * MINUTE for _, minute, _ in clicks], pa.int64()),
            "amount": pa.array([100 if name == "order_paid" else None for _, _, name in clicks], pa.int64()),
            "brand_id": pa.array([1] * len(clicks), pa.int64()),
        }
    )


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(st.lists(CLICK, min_size=1, max_size=8), max_size=6))
def test_totals_are_the_same_whether_sightings_are_remembered_or_not(
    state: State, batches: list[list[tuple[int, int, str]]]
) -> None:
    sightings = stats.Sightings(4)  # so few places that some are taken from one another
    with state.write() as tx:
        tx.execute(sa.delete(identifier_stat))
    for clicks in batches:
        anchors = np.array([number for number, _, _ in clicks], np.int64)
        with state.write() as tx:
            stats.add(tx, batch(clicks), anchors, NOW, sightings)
            stats.add(tx, batch(clicks), anchors + 100, NOW)
    with state.read() as tx:
        found = {row.identifier_id: tuple(row)[1:] for row in tx.execute(sa.select(identifier_stat))}
    assert {number: row for number, row in found.items() if number < 100} == {
        number - 100: row for number, row in found.items() if number > 100
    }


def test_a_known_sighting_asks_nothing_of_the_database(state: State) -> None:
    sightings = stats.Sightings()
    one = np.array([7], np.int64)
    with state.write() as tx:
        stats.add(tx, batch([(7, 0, "page_viewed")]), one, NOW, sightings)
        stats.add(tx, batch([(7, 1, "page_viewed")]), one, NOW, sightings)
    asked: list[str] = []

    def note(_c: object, _cursor: object, statement: str, *_: object) -> None:
        asked.append(statement)

    sa.event.listen(sa.Engine, "before_cursor_execute", note)
    try:
        with state.write() as tx:
            asked.clear()
            stats.add(tx, batch([(7, 5, "page_viewed")]), one, NOW, sightings)
            assert asked == []
            stats.add(tx, batch([(7, 20, "page_viewed")]), one, NOW, sightings)
            assert asked
    finally:
        sa.event.remove(sa.Engine, "before_cursor_execute", note)
