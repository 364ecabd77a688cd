"""What the product records itself: with its transaction or not at all, and tables in bulk, each event once."""

import json
from datetime import UTC, datetime

import pyarrow as pa
import pytest

from quanyu.events.contracts import NativeEvent, NativeIdentifier, NativeItem
from quanyu.events.protocols.native import TABLE_ROWS
from quanyu.kernel.errors import Invalid, NotFound
from tests.unit.events.conftest import World

MEMBER = {"namespace": "member_no", "value": "m"}
AT = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)


def redeemed(event_id: str = "r-1", **more: object) -> NativeEvent:
    return NativeEvent(
        event_id=event_id,
        name="coupon_redeemed",
        occurred_at=AT,
        identifiers=(NativeIdentifier("member_no", "m1"),),
        order_id="o1",
        items=(NativeItem("p1", 2, 500, 1000),),
        amount=1000,
        effect_id="e1",
        properties={"code": "abc"},
        traits={"set": {"vip": True}},
        consent=({"purpose": "marketing", "channel": "any", "status": "granted"},),
        **more,  # type: ignore[arg-type]
    )


def test_what_a_transaction_recorded_becomes_history_with_it(both_worlds: World) -> None:
    world = both_worlds
    with world.state.write() as tx:
        world.events.record(tx, world.brand.brand_id, [redeemed()])
    assert world.events.pump() == 1
    assert world.events.pump() == 0
    (row,) = world.drain().table.to_pylist()
    assert row["source"] == "acme.quanyu"
    assert row["name"] == "coupon_redeemed"
    assert row["occurred_at"] == int(AT.timestamp()) * 1_000_000
    assert row["raw_identifiers"] == [{"namespace": "member_no", "value": "m1"}]
    assert row["items"] == [{"sku": "p1", "quantity": 2.0, "unit_price": 500, "amount": 1000}]
    assert (row["amount"], row["currency"], row["effect_id"], row["order_id"]) == (1000, "CNY", "e1", "o1")
    assert json.loads(row["traits"]) == {"set": {"vip": True}}
    assert json.loads(row["consent"])[0]["status"] == "granted"


def test_a_transaction_that_fails_leaves_nothing(both_worlds: World) -> None:
    world = both_worlds

    class Undone(Exception):
        pass

    with pytest.raises(Undone), world.state.write() as tx:
        world.events.record(tx, world.brand.brand_id, [redeemed()])
        raise Undone
    assert world.events.pump() == 0
    assert world.drain().empty


def test_dying_between_log_and_deletion_repeats_harmlessly(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    with world.state.write() as tx:
        world.events.record(tx, world.brand.brand_id, [redeemed("a"), redeemed("b")])
    with monkeypatch.context() as patch:
        patch.setattr(world.state, "write", lambda: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            world.events.pump()
    assert world.events.pump() == 2
    assert sorted(world.drain().table.column("event_id").to_pylist()) == ["a", "b"]
    view = next(v for v in world.events.list_sources(world.brand.scope()) if v.source.source == "acme.quanyu")
    assert (view.accepted, view.stored, view.duplicate, view.balanced) == (4, 2, 2, True)


def test_recording_now_is_durable_and_needs_a_source(world: World) -> None:
    with pytest.raises(NotFound):
        world.events.record_now("nobody", [redeemed()])
    world.events.record_now("pos", [redeemed()])
    assert world.drain().table.column("source").to_pylist() == ["pos"]


def orders(count: int, **more: pa.Array) -> pa.Table:
    columns = {
        "event_id": pa.array([f"o-{n}" for n in range(count)]),
        "name": pa.array(["order_paid"] * count),
        "occurred_at": pa.array([1_700_000_000_000_000 + n for n in range(count)], pa.timestamp("us", tz="UTC")),
        "order_id": pa.array([str(n) for n in range(count)]),
        "amount": pa.array([100 * n for n in range(count)]),
        "store_id": pa.array(["s1"] * count),
        "raw_identifiers": pa.array([[{"namespace": "member_no", "value": f"m{n}"}] for n in range(count)]),
        "items": pa.array(
            [[{"sku": "p", "quantity": 1.0, "unit_price": 100 * n, "amount": 100 * n}] for n in range(count)]
        ),
        **more,
    }
    return pa.table(columns)


def test_a_table_is_stored_once_however_often_it_is_loaded(world: World) -> None:
    count = TABLE_ROWS + 10
    assert world.events.record_table("pos", orders(count)) == count
    table = world.drain().table
    assert table.num_rows == count
    assert set(table.column("brand").to_pylist()) == {"acme"}
    assert set(table.column("currency").to_pylist()) == {"CNY"}
    assert table.column("amount").to_pylist()[:3] == [0, 100, 200]
    assert table.column("day").to_pylist()[0] == "2023-11-15"
    assert table.column("raw_identifiers").to_pylist()[5] == [{"namespace": "member_no", "value": "m5"}]
    assert table.column("items").to_pylist()[5][0]["amount"] == 500
    world.events.record_table("pos", orders(count))
    assert world.drain().table.num_rows == 0
    view = next(v for v in world.events.list_sources(world.brand.scope()) if v.source.source == "pos")
    assert (view.accepted, view.stored, view.duplicate) == (2 * count, count, count)


def test_bad_rows_of_a_table_are_quarantined_one_by_one_and_can_be_mended(world: World) -> None:
    table = orders(
        9,
        event_id=pa.array(["ok", "", None, *[f"o-{n}" for n in range(6)]]),
        name=pa.array(["order_paid", "order_paid", "order_paid", None, *["order_paid"] * 5]),
        occurred_at=pa.array([10**15, 10**15, 10**15, 10**15, None, 0, 4 * 10**15, 10**15, 10**15]),
        raw_identifiers=pa.array(
            [[{"namespace": "member_no", "value": "m"}]] * 7 + [[{"namespace": "zz", "value": "m"}]] + [None]
        ),
        properties=pa.array(['{"phone":"13800138000"}', *[None] * 7, "text"]),
    )
    world.events.record_table("pos", table)
    batch = world.drain()
    assert batch.table.column("event_id").to_pylist() == ["ok"]
    assert "13800138000" not in batch.table.column("properties").to_pylist()[0]
    assert sorted(item.reason for item in batch.rejected) == [
        "bad_event_id",
        "bad_event_id",
        "bad_properties",
        "bad_time",
        "name_missing",
        "time_in_future",
        "time_too_old",
        "unknown_namespace",
    ]
    item = next(item for item in batch.rejected if item.reason == "unknown_namespace")
    native = json.loads(item.raw)
    assert (item.protocol, native["order_id"], native["identifiers"]) == (
        "native",
        "7",
        [{"namespace": "zz", "value": "m"}],
    )
    from quanyu.access.contracts import system_caller

    native["identifiers"] = [MEMBER]
    with world.state.write() as tx:
        done = world.events.quarantine.replay(
            tx, system_caller(world.brand.scope()), item.quarantine_id, json.dumps(native).encode()
        )
    assert done.outcome == "stored"
    (row,) = world.drain().table.to_pylist()
    assert (row["event_id"], row["amount"], row["items"][0]["sku"]) == (native["event_id"], 700, "p")


@pytest.mark.parametrize(
    "table",
    [
        pa.table({"event_id": ["a"], "name": ["b"]}),
        pa.table({"event_id": ["a"], "name": ["b"], "occurred_at": [1], "person_id": [3]}),
        pa.table({"event_id": ["a"], "name": ["b"], "occurred_at": ["x"]}),
        pa.table({"event_id": ["a"], "name": ["b"], "occurred_at": pa.array([1], pa.timestamp("us"))}),
    ],
)
def test_a_table_with_wrong_columns_is_refused_in_words(world: World, table: pa.Table) -> None:
    with pytest.raises(Invalid) as refused:
        world.events.record_table("pos", table)
    assert refused.value.detail
    assert world.drain().empty
