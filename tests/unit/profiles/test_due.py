"""Totals that large batches put off: whoever reads them sees no difference, and each is added once."""

from __future__ import annotations

from datetime import timedelta
from threading import Barrier, Thread

import numpy as np
import pyarrow as pa
import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from quanyu.kernel.clock import from_micros
from quanyu.profiles import due, stats
from quanyu.profiles.tables import identifier_stat, identifier_stat_due
from quanyu.storage.state import State

HOUR = 3_600_000_000
NOW = from_micros(0)
BATCH = st.lists(
    st.tuples(
        st.integers(1, 6),
        st.integers(0, 60),
        st.sampled_from(["page_viewed", "order_paid", "order_refunded", "coupon_issued"]),
        st.integers(1, 900),
    ),
    min_size=1,
    max_size=8,
)
Row = tuple[int, int, str, int]


def batch(events: list[Row]) -> pa.Table:
    return pa.table(
        {
            "name": [name for _, _, name, _ in events],
            "occurred_at": pa.array([(1 + hour) * HOUR for _, hour, _, _ in events], pa.int64()),
            "amount": pa.array([amount if "order" in name else None for _, _, name, amount in events], pa.int64()),
            "brand_id": pa.array([1] * len(events), pa.int64()),
        }
    )


def anchors_of(events: list[Row]) -> np.ndarray:
    return np.array([number for number, *_ in events], np.int64) * due._NEIGHBOURS  # each in a slice of its own


def stored(tx: sa.Connection) -> dict[int, tuple[object, ...]]:
    return {row.identifier_id: tuple(row) for row in tx.execute(sa.select(identifier_stat))}


def readable(tx: sa.Connection, numbers: np.ndarray) -> dict[int, tuple[object, ...]]:
    """What is stored and what is due, the way an obvious loop adds them."""
    found = {number: list(row[2:]) for number, row in stored(tx).items() if number in numbers}
    for row in due.of(tx, numbers).to_pylist():
        own = found.setdefault(row["identifier_id"], [0, 0, None, None, None])
        own[0] += row["orders"]
        own[1] += row["amount"]
        for place, name, pick in ((2, "first_order_at", min), (3, "last_order_at", max), (4, "seen_at", max)):
            both = [at for at in (own[place], row[name] and from_micros(row[name])) if at]
            own[place] = pick(both) if both else None
    return {number: tuple(row) for number, row in found.items() if any(row)}  # a coupon alone says nothing


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(st.tuples(BATCH, st.booleans(), st.integers(0, 90)), max_size=6))
def test_put_off_totals_are_read_as_if_they_had_been_added(
    state: State, batches: list[tuple[list[Row], bool, int]]
) -> None:
    with state.write() as tx:
        tx.execute(sa.delete(identifier_stat))
        tx.execute(sa.delete(identifier_stat_due))
    everybody, now = np.arange(1, 7) * due._NEIGHBOURS, NOW
    shown: dict[int, tuple[object, ...]] = {}
    for events, large, seconds in batches:
        now += timedelta(seconds=seconds)
        with state.write() as tx:
            stats.add(tx, batch(events), anchors_of(events), now, many=1 if large else 100)
        with state.read() as tx:
            shown = readable(tx, everybody)
    with state.write() as tx:
        tx.execute(sa.delete(identifier_stat))
        tx.execute(sa.delete(identifier_stat_due))
        for events, _, _ in batches:
            stats.add(tx, batch(events), anchors_of(events), now)
        assert shown == {number: row[2:] for number, row in stored(tx).items()}


def test_a_slice_is_added_once_a_minute_of_batches_waits_and_two_at_a_time(state: State) -> None:
    events: list[Row] = [(number, 1, "order_paid", 100) for number in range(1, 7)]
    with state.write() as tx:
        stats.add(tx, batch(events), anchors_of(events), NOW, many=1)
        assert not stored(tx)
        stats.add(tx, batch(events[:1]), anchors_of(events[:1]), NOW + stats.PUT_OFF, many=1)
        assert not stored(tx)
        stats.add(tx, batch(events[:1]), anchors_of(events[:1]), NOW + 2 * stats.PUT_OFF, many=1)
        assert [number // due._NEIGHBOURS for number in stored(tx)] == [1, 2]
        # All of a slice that was due, also what came a moment ago: its pages are written anyway.
        assert [row[2] for row in stored(tx).values()] == [3, 1]
        assert stats.apply_due(tx, NOW + 2 * stats.PUT_OFF, at_most=99) == 4
        assert [row[2] for row in stored(tx).values()] == [3, 1, 1, 1, 1, 1]


def test_what_is_due_is_not_lost_by_counting_again(state: State) -> None:
    events: list[Row] = [(1, 1, "order_paid", 100), (2, 1, "order_paid", 100)]
    with state.write() as tx:
        stats.add(tx, batch(events), anchors_of(events) - np.array([0, due._NEIGHBOURS - 1]), NOW, many=1)
        again = batch(events[:1]).drop_columns("brand_id")
        anchors = np.array([due._NEIGHBOURS], np.int64)
        stats.write_anew(tx, again.append_column("anchor_id", pa.array(anchors)), anchors, 1)
        assert {number: row[2:4] for number, row in stored(tx).items()} == {
            due._NEIGHBOURS: (1, 100),
            due._NEIGHBOURS + 1: (1, 100),  # a neighbour, whose turn came with it
        }
        assert not tx.execute(sa.select(identifier_stat_due)).all()


@pytest.mark.parametrize("times", range(5))
def test_two_who_add_the_same_slice_at_once_add_it_once(state: State, times: int) -> None:
    events: list[Row] = [(1, 1, "order_paid", 100)]
    with state.write() as tx:
        stats.add(tx, batch(events), anchors_of(events), NOW, many=1)
    ready = Barrier(2)

    def worker() -> None:
        with state.read() as tx:
            assert due.oldest(tx, NOW + stats.PUT_OFF, 1)
        ready.wait(10)
        with state.write() as tx:
            stats.apply_due(tx, NOW + stats.PUT_OFF, at_most=1)

    threads = [Thread(target=worker) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with state.read() as tx:
        assert [row[2] for row in stored(tx).values()] == [1]
